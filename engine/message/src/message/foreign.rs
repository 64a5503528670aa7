//! Messages in memory of a C program, which says that there is one and may be wrong.

use std::mem::offset_of;

use super::{INLINE_MAX, Message, body::Kind};
use crate::pool::Block;

/// Longer bodies are asked of the allocator, which may say no.
const BLOCK_MAX: usize = 256 << 10;

/// In the place of the kind: no message.
const CLOSED: u8 = 0xff;

impl Message {
    /// The message that lies at an address; `None` if the address is null or its bytes are no message, as after
    /// [`close_at`](Self::close_at). Memory that was never written cannot be told for sure.
    ///
    /// # Safety
    ///
    /// `place` is null, or points to 64 bytes that are aligned to 8, that nobody else uses as long as the result lives, and
    /// that hold either a message, moved there as a value or as plain bytes, or what `close_at` left, or bytes of which
    /// none is a message's by chance.
    #[inline]
    pub unsafe fn at<'a>(place: *mut Self) -> Option<&'a mut Self> {
        if place.is_null() {
            return None;
        }
        // Bytes, not fields: a value that is none of the kind's must not be read as one.
        let byte = |offset: usize| {
            // SAFETY: the offset is one of a field, so it lies within the 64 bytes; of a message they are initialised.
            unsafe { place.cast::<u8>().add(offset).read() }
        };
        let kind = byte(offset_of!(Self, kind));
        let is_message = kind <= Kind::LAST as u8
            && kind != Kind::Spread as u8
            && byte(offset_of!(Self, more)) <= 1
            && (kind != Kind::Inline as u8
                || usize::from(byte(offset_of!(Self, inline_len)))
                    + usize::from(byte(offset_of!(Self, group_len)))
                    <= INLINE_MAX);
        // SAFETY: the caller promises a message where the bytes look like one, and that nobody else uses it.
        is_message.then(|| unsafe { &mut *place })
    }

    /// Puts a message of `len` bytes, which the caller is going to write, where there is none. False, and an empty message, if
    /// there is no memory for it.
    ///
    /// # Safety
    ///
    /// `place` is valid for writing a message; what it holds is forgotten. The bytes are written before anybody reads them,
    /// sending included.
    #[inline]
    #[must_use]
    pub unsafe fn put_unwritten(place: *mut Self, len: usize) -> bool {
        if len <= INLINE_MAX || len > BLOCK_MAX {
            // SAFETY: the caller's promise.
            return unsafe { Self::put_unusual(place, len) };
        }
        let block = Block::alloc(len);
        let start = block.ptr();
        // SAFETY: the caller promises room for a message. The block has no other holder, and the caller writes its bytes before
        // they are read.
        unsafe { place.write(Self::from_block(block, start, len)) };
        true
    }

    /// [`put_unwritten`](Self::put_unwritten) where no block of the pool is needed, or none would do.
    ///
    /// # Safety
    ///
    /// As there.
    unsafe fn put_unusual(place: *mut Self, len: usize) -> bool {
        let mut bytes = Vec::<u8>::new();
        let message = if len <= INLINE_MAX {
            Some(Self::zeroed(len))
        } else if bytes.try_reserve_exact(len).is_ok() {
            // SAFETY: that much was reserved, and the caller writes the bytes before they are read.
            unsafe { bytes.set_len(len) };
            Some(Self::from(bytes))
        } else {
            None
        };
        let is_there = message.is_some();
        // SAFETY: the caller promises room for a message.
        unsafe { place.write(message.unwrap_or_default()) };
        is_there
    }

    /// Drops the message that lies at an address and leaves a mark there, so that [`at`](Self::at) finds none. False if
    /// there was none.
    ///
    /// # Safety
    ///
    /// As [`at`](Self::at).
    #[inline]
    pub unsafe fn close_at(place: *mut Self) -> bool {
        // SAFETY: the caller promises it.
        let Some(message) = (unsafe { Self::at(place) }) else {
            return false;
        };
        // The content goes last: a free function may look at the memory.
        let content = std::mem::take(message);
        // SAFETY: one byte of the message, which is empty now and owns nothing; from here on it is none.
        unsafe {
            place.cast::<u8>().add(offset_of!(Self, kind)).write(CLOSED);
        }
        drop(content);
        true
    }
}
