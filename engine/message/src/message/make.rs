//! The ways to make a message.

use std::{
    ffi::c_void,
    mem::{ManuallyDrop, MaybeUninit},
    ptr::{self, NonNull},
    slice,
};

use ringmq_queue::{
    copy::copy_32_or_more,
    stable::{FillBytes, Foreign},
};

use super::{
    FreeFn, INLINE_MAX, Message,
    body::{Adopted, Body, Kind, View},
};
use crate::pool::Block;

impl Message {
    /// A message with a copy of `bytes`.
    #[inline]
    pub fn from_slice(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE_MAX {
            return Self::pooled(bytes);
        }
        Self::with_body(
            Body {
                words: inline_words(bytes),
            },
            Kind::Inline,
            bytes.len() as u8,
        )
    }

    /// Makes this a message with a copy of `bytes`, without [`more`](Self::more), routing id and origin; its former content is
    /// released, or its memory reused.
    ///
    /// The same as assigning [`from_slice`](Self::from_slice), but nothing is moved, which at this size costs more than the
    /// copy does.
    #[inline]
    pub fn set_slice(&mut self, bytes: &[u8]) {
        if bytes.len() > INLINE_MAX {
            self.set_pooled(bytes);
            return;
        }
        if self.owns() {
            self.clear();
        }
        self.body = Body {
            words: inline_words(bytes),
        };
        self.kind = Kind::Inline;
        self.inline_len = bytes.len() as u8;
        self.reset_envelope();
    }

    #[inline(never)]
    fn set_pooled(&mut self, bytes: &[u8]) {
        // SAFETY: the bytes are written at once.
        let start = unsafe { self.make_room(bytes.len()) };
        // SAFETY: the block has no other holder and room for the bytes, which are more than fit inline. They do not overlap:
        // nobody else can have a reference into a block that only this message holds, and this one is borrowed mutably.
        unsafe { copy_32_or_more(bytes.as_ptr(), start.as_ptr(), bytes.len()) };
    }

    /// Makes this a message of `len` bytes, more than fit inline, in a block of its own: in the one that it has, if that is
    /// of a fitting size.
    ///
    /// # Safety
    ///
    /// The bytes are written before anybody reads them.
    #[inline(always)]
    pub(crate) unsafe fn make_room(&mut self, len: usize) -> NonNull<u8> {
        debug_assert!(len > INLINE_MAX);
        let start = if self.can_hold(len) {
            let start = self.block().ptr();
            self.body.set_view(View { start, len });
            start
        } else {
            self.take_block(len)
        };
        self.reset_envelope();
        start
    }

    /// The body becomes a block of its own with room for `len` bytes; returns where they begin.
    #[inline(never)]
    fn take_block(&mut self, len: usize) -> NonNull<u8> {
        if self.owns() {
            self.clear();
        }
        let block = Block::alloc(len);
        let start = block.ptr();
        // Field by field, because a message that is put together elsewhere would have to be read back at once.
        self.body.set_held(View { start, len }, block);
        self.kind = Kind::Block;
        self.inline_len = 0;
        start
    }

    /// [`set_slice`](Self::set_slice) for bytes that can only be copied, such as those in memory of another process.
    ///
    /// They are copied once, to where they stay; blocks are reused in the same way.
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    /// use ringmq_message::Message;
    /// use ringmq_queue::{copy::copy_32_or_more, stable::FillBytes};
    ///
    /// struct Sevens(usize);
    ///
    /// // SAFETY: `fill` initialises every byte, and the length does not change.
    /// unsafe impl FillBytes for Sevens {
    ///     fn len(&self) -> usize {
    ///         self.0
    ///     }
    ///     fn fill(&self, to: &mut [MaybeUninit<u8>]) {
    ///         to.fill(MaybeUninit::new(7));
    ///     }
    /// }
    ///
    /// let mut message = Message::new();
    /// message.set_filled(&Sevens(3));
    /// assert_eq!(&message[..], [7, 7, 7]);
    /// ```
    #[inline]
    pub fn set_filled(&mut self, bytes: &impl FillBytes) {
        let len = bytes.len();
        if len > INLINE_MAX {
            self.set_filled_block(bytes, len);
            return;
        }
        // Empty while it is filled: `fill` is foreign code and may panic.
        if self.owns() {
            self.clear();
        }
        self.kind = Kind::Inline;
        self.inline_len = 0;
        self.reset_envelope();
        // In place, not in registers as in `inline_words`: the bytes are not moved afterwards.
        // SAFETY: the body has room for `INLINE_MAX` bytes, which need not be initialised and which `self` borrows.
        bytes.fill(unsafe { slice::from_raw_parts_mut((&raw mut self.body).cast(), len) });
        self.inline_len = len as u8;
    }

    #[inline(never)]
    fn set_filled_block(&mut self, bytes: &impl FillBytes, len: usize) {
        if !self.can_hold(len) {
            let block = Block::alloc(len);
            let start = block.ptr();
            // SAFETY: the block is new, holds at least `len` bytes, and outlives the slice.
            bytes.fill(unsafe { slice::from_raw_parts_mut(start.as_ptr().cast(), len) });
            // SAFETY: `fill` has initialised the bytes, and the block has no other holder.
            *self = unsafe { Self::from_block(block, start, len) };
            return;
        }
        let start = self.block().ptr();
        self.body.set_view(View { start, len: 0 });
        // SAFETY: the block has room for the bytes and no other holder, and this message is borrowed mutably.
        bytes.fill(unsafe { slice::from_raw_parts_mut(start.as_ptr().cast(), len) });
        self.body.set_view(View { start, len });
        self.reset_envelope();
    }

    /// Whether the message has a block of its own with room for `len` bytes, and not much more.
    #[inline]
    fn can_hold(&self, len: usize) -> bool {
        if self.kind != Kind::Block || self.origin.is_held() {
            return false;
        }
        let capacity = self.block().capacity();
        capacity >= len && capacity / REUSE_WASTE_MAX <= len && self.block().is_unique()
    }

    /// A message of `len` zeros, to be filled in place.
    pub fn zeroed(len: usize) -> Self {
        if len <= INLINE_MAX {
            let words = [MaybeUninit::new(0); INLINE_MAX / 8];
            return Self::with_body(Body { words }, Kind::Inline, len as u8);
        }
        let block = Block::alloc(len);
        let start = block.ptr();
        // SAFETY: the block is new and holds at least `len` bytes.
        unsafe { ptr::write_bytes(start.as_ptr(), 0, len) };
        // SAFETY: the bytes have just been initialised, and the block has no other holder.
        unsafe { Self::from_block(block, start, len) }
    }

    /// A message that refers to bytes which live as long as the program. Nothing is copied.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        // SAFETY: a slice is never null. The pointer is only written through after a copy, as the kind is `Constant`.
        let start = unsafe { NonNull::new_unchecked(bytes.as_ptr().cast_mut()) };
        let view = View {
            start,
            len: bytes.len(),
        };
        Self::with_body(Body { view }, Kind::Constant, 0)
    }

    /// A message whose body is a foreign buffer. Nothing is copied and nothing is allocated.
    ///
    /// `free` is called once with `data` and `hint` when neither this message nor one that was made from it by
    /// [`share`](Self::share) refers to the buffer any more. Without it the buffer is left alone.
    ///
    /// # Safety
    ///
    /// * `data` is valid for reading and writing `len` initialised bytes until `free` is called, or forever if it is
    ///   `None`. It may be null if `len` is 0.
    /// * Nobody else reads or writes those bytes meanwhile.
    /// * `free` may be called with `data` and `hint` on any thread, and does not unwind.
    pub unsafe fn adopt(data: *mut c_void, len: usize, free: Option<FreeFn>, hint: *mut c_void) -> Self {
        debug_assert!(len == 0 || !data.is_null());
        let start = NonNull::new(data.cast::<u8>()).unwrap_or(NonNull::dangling());
        let adopted = Adopted {
            view: View { start, len },
            data,
            free,
            hint,
        };
        Self::with_body(Body { adopted }, Kind::Adopted, 0)
    }

    /// A message whose body is foreign memory. Nothing is copied and nothing is allocated; the memory goes back to its
    /// owner with the message, or with the last one that shares it.
    pub fn from_foreign(foreign: Foreign) -> Self {
        let (data, len, free, hint, writable) = foreign.into_parts();
        // SAFETY: who made it promised what `adopt` demands, except that the bytes may have to be left as they are. A
        // borrowed body is never written.
        let mut message = unsafe { Self::adopt(data.cast(), len, Some(free), hint) };
        if !writable {
            message.kind = Kind::Borrowed;
        }
        message
    }

    /// Takes a foreign body out of the message, which is empty afterwards. `None`, and nothing changes, if the body is of
    /// another kind or shared with other messages.
    pub fn take_foreign(&mut self) -> Option<Foreign> {
        if !matches!(self.kind, Kind::Adopted | Kind::Borrowed) {
            return None;
        }
        // SAFETY: the kind says that this is the field in use.
        let Adopted {
            view,
            data,
            free,
            hint,
        } = unsafe { self.body.adopted };
        if !ptr::eq(view.start.as_ptr(), data.cast()) {
            return None;
        }
        let free = free?;
        let writable = self.kind == Kind::Adopted;
        // The message owns the memory no more.
        self.kind = Kind::Inline;
        self.inline_len = 0;
        // SAFETY: the message had it by the promises of `adopt`, which are those of `new`; `from_foreign` kept count of
        // what may be written.
        Some(unsafe { Foreign::new(data.cast(), view.len, free, hint, writable) })
    }

    /// A message with `len` bytes of a block from `start` on.
    ///
    /// # Safety
    ///
    /// The bytes lie in the block, are initialised, and are not written by anybody while the block is shared.
    #[inline]
    pub(crate) unsafe fn from_block(block: Block, start: NonNull<u8>, len: usize) -> Self {
        Self::with_body(Body::held(View { start, len }, block), Kind::Block, 0)
    }

    /// A copy of bytes that do not fit inline.
    #[inline(never)]
    fn pooled(bytes: &[u8]) -> Self {
        let block = Block::alloc(bytes.len());
        let start = block.ptr();
        // SAFETY: the block is new, so it overlaps nothing, and holds at least as many bytes, which are more than fit inline.
        unsafe { copy_32_or_more(bytes.as_ptr(), start.as_ptr(), bytes.len()) };
        // SAFETY: the bytes have just been initialised, and the block has no other holder.
        unsafe { Self::from_block(block, start, bytes.len()) }
    }
}

/// How many times larger than needed a block may be that is used again: a small message must not pin a large block.
const REUSE_WASTE_MAX: usize = 4;

/// An inline body. It is put together in registers: pieces that are stored and then moved as a whole would have to be read
/// back before they have left the store buffer, which costs more than all the rest.
#[inline(always)]
fn inline_words(bytes: &[u8]) -> [MaybeUninit<u64>; INLINE_MAX / 8] {
    match bytes.len() {
        0..=7 => first_words([short_word(bytes)]),
        8..=16 => first_words(words::<2>(bytes)),
        17..=32 => first_words(words::<4>(bytes)),
        _ => words::<{ INLINE_MAX / 8 }>(bytes).map(MaybeUninit::new),
    }
}

/// The words of an inline body of which only the first ones are in use.
#[inline(always)]
fn first_words<const N: usize>(first: [u64; N]) -> [MaybeUninit<u64>; INLINE_MAX / 8] {
    let mut words = [MaybeUninit::uninit(); INLINE_MAX / 8];
    for (word, value) in words.iter_mut().zip(first) {
        word.write(value);
    }
    words
}

/// Up to seven bytes as they lie in memory, followed by zeros.
#[inline(always)]
pub(super) fn short_word(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // Two halves that overlap: what both have is the same in both.
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
        return (u64::from(u32::from_le_bytes(*first)) | last).to_le();
    }
    let mut word = [0; 8];
    if let [first, ..] = bytes {
        word[0] = *first;
        word[bytes.len() / 2] = bytes[bytes.len() / 2];
        word[bytes.len() - 1] = bytes[bytes.len() - 1];
    }
    u64::from_ne_bytes(word)
}

/// The bytes as they lie in memory, followed by zeros: at least 8 and at most `8 * N`.
///
/// No branch depends on the length. A word that would reach beyond the end is read from the last eight bytes instead, and
/// shifted to where it belongs.
#[inline(always)]
pub(super) fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let last = bytes.len() - 8;
    std::array::from_fn(|index| {
        let start = (8 * index).min(last);
        let missing = 8 * index - start;
        // SAFETY: `start` is at most eight bytes from the end. Arrays of bytes have no alignment.
        let word = u64::from_le_bytes(unsafe { bytes.as_ptr().add(start).cast::<[u8; 8]>().read() });
        let word = if missing < 8 { word >> (8 * missing) } else { 0 };
        word.to_le()
    })
}

/// Frees the buffer of a `Vec<u8>`.
///
/// # Safety
///
/// `data` is the buffer of a vector that was forgotten, and `hint` is its capacity.
unsafe extern "C" fn free_vec(data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the caller promises it.
    drop(unsafe { Vec::from_raw_parts(data.cast::<u8>(), 0, hint.addr()) });
}

impl From<Vec<u8>> for Message {
    /// Adopts the vector's buffer without copying; short ones are copied inline and freed here.
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() <= INLINE_MAX {
            return Self::from_slice(&bytes);
        }
        let mut bytes = ManuallyDrop::new(bytes);
        let capacity = ptr::without_provenance_mut(bytes.capacity());
        // SAFETY: the vector is forgotten, so its buffer belongs to the message alone, and `free_vec` frees it with the
        // capacity it was allocated with.
        unsafe { Self::adopt(bytes.as_mut_ptr().cast(), bytes.len(), Some(free_vec), capacity) }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&[u8]> for Message {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        Self::from_slice(bytes)
    }
}

impl From<&str> for Message {
    #[inline]
    fn from(text: &str) -> Self {
        Self::from_slice(text.as_bytes())
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    #[inline]
    fn from(bytes: &[u8; N]) -> Self {
        Self::from_slice(bytes)
    }
}
