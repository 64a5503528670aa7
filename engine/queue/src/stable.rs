//! Bytes that change hands: those whose address outlives a move of their owner, which the kernel may be handed, those that
//! can only be copied, and those that belong to somebody else.

use std::{ffi::c_void, mem::MaybeUninit};

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

/// Frees foreign bytes: called once, on any thread, with their address and the hint given along with it.
pub type FreeForeign = unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void);

/// Bytes that lie in memory which somebody else manages, and how to give them back, which dropping this does.
#[derive(Debug)]
pub struct Foreign {
    data: *mut u8,
    len: usize,
    free: FreeForeign,
    hint: *mut c_void,
    writable: bool,
}

// SAFETY: who makes one promises that any thread may use and free the bytes.
unsafe impl Send for Foreign {}

impl Foreign {
    /// Takes bytes over from their owner.
    ///
    /// # Safety
    ///
    /// * `data` is not null, and `len` initialised bytes can be read there, and written if `writable`, until `free` is
    ///   called with `data` and `hint`, on any thread. It does not unwind.
    /// * Nobody else writes those bytes meanwhile, and if they are writable nobody else reads them.
    pub unsafe fn new(
        data: *mut u8,
        len: usize,
        free: FreeForeign,
        hint: *mut c_void,
        writable: bool,
    ) -> Self {
        Self {
            data,
            len,
            free,
            hint,
            writable,
        }
    }

    /// Address, length, how to free them, the hint for that, and whether they may be written. Whoever calls this has to
    /// see to the freeing.
    pub fn into_parts(self) -> (*mut u8, usize, FreeForeign, *mut c_void, bool) {
        let parts = (self.data, self.len, self.free, self.hint, self.writable);
        std::mem::forget(self);
        parts
    }

    /// Whether these bytes are freed by that function with that hint, which is how their owner knows them again.
    pub fn belongs_to(&self, free: FreeForeign, hint: *const c_void) -> bool {
        std::ptr::fn_addr_eq(self.free, free) && std::ptr::eq(self.hint, hint)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: promised to `new`; `into_parts` forgets the value, so this is the only call.
        unsafe { (self.free)(self.data.cast(), self.hint) };
    }
}
