//! What the kernel may be handed: bytes whose address outlives a move of their owner. And bytes that can only be copied.

use std::mem::MaybeUninit;

/// Bytes at an address that does not change while the value lives, even when the value itself is moved.
///
/// An asynchronous send hands the address to the kernel and keeps the value in its slab of operations in flight.
///
/// # Safety
///
/// `stable_bytes` must return the same pointer and length on every call, and the bytes behind it must be initialised
/// and neither move, nor be freed, nor be written by anybody until the value is dropped.
pub unsafe trait StableBytes: Send {
    /// Address and length of the bytes.
    fn stable_bytes(&self) -> (*const u8, usize);
}

/// Writable spare room at an address that does not change while the value lives, even when the value itself is moved.
///
/// An asynchronous receive hands the address to the kernel and keeps the value in its slab of operations in flight.
///
/// # Safety
///
/// Until `advance` is called or the value is dropped, `spare_bytes` must return the same pointer and length, and nobody
/// else may read or write that room. The room need not be initialised.
pub unsafe trait StableBytesMut: Send {
    /// Address and length of the room that a receive may fill.
    fn spare_bytes(&mut self) -> (*mut u8, usize);

    /// Moves the first `count` bytes of the spare room to the filled part.
    ///
    /// # Safety
    ///
    /// `count` is at most the length that `spare_bytes` returned, and those bytes have been initialised.
    unsafe fn advance(&mut self, count: usize);
}

/// Bytes that can be copied out but not looked at, such as memory that another process may write meanwhile.
///
/// Each `fill` may see other bytes: what is to be examined is the copy.
///
/// # Safety
///
/// `len` returns the same number on every call, and `fill` initialises all of `to` if that has this length.
pub unsafe trait FillBytes {
    /// How many bytes there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the bytes.
    ///
    /// # Panics
    ///
    /// If `to` is not [`len`](Self::len) bytes long.
    fn fill(&self, to: &mut [MaybeUninit<u8>]);
}
