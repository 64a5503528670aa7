//! A read-only part of a slab.

use std::{
    fmt,
    ops::{Deref, Range},
    ptr::NonNull,
    slice,
};

use crate::{
    message::{INLINE_MAX, Message},
    pool::Block,
};

/// Received bytes, split off from a [`Slab`](crate::Slab) without copying. Cloning counts a reference.
///
/// A span keeps the whole block alive that it is a part of.
#[derive(Clone)]
pub struct Span {
    /// None if the span is empty.
    block: Option<Block>,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a span only reads bytes that nobody writes, and its block is counted atomically.
unsafe impl Send for Span {}
// SAFETY: as for `Send`.
unsafe impl Sync for Span {}

impl Span {
    pub(super) fn empty() -> Self {
        Self {
            block: None,
            start: NonNull::dangling(),
            len: 0,
        }
    }

    /// A span of `len` bytes of a block from `start` on.
    ///
    /// # Safety
    ///
    /// The bytes lie in the block, are initialised, and are not written while others share the block.
    pub(super) unsafe fn from_block(block: Block, start: NonNull<u8>, len: usize) -> Self {
        Self {
            block: Some(block),
            start,
            len,
        }
    }

    /// The bytes of `range` as a message: short ones are copied inline, longer ones share the block.
    ///
    /// # Panics
    ///
    /// If the range does not lie within the span.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Message {
        let bytes = &self[range];
        match &self.block {
            Some(block) if bytes.len() > INLINE_MAX => {
                // The pointer is derived from the block's, not from `bytes`: once it is unique the message may write.
                let offset = bytes.as_ptr().addr() - self.start.addr().get();
                // SAFETY: the bytes are a part of the span, whose promise `from_block` was given.
                unsafe { Message::from_block(block.clone(), self.start.add(offset), bytes.len()) }
            }
            _ => Message::from_slice(bytes),
        }
    }

    /// The whole span as a message, which takes its reference over unless it is short enough to be copied inline.
    pub fn into_message(self) -> Message {
        match self.block {
            // SAFETY: the promise that `from_block` was given.
            Some(block) if self.len > INLINE_MAX => unsafe {
                Message::from_block(block, self.start, self.len)
            },
            _ => Message::from_slice(&self),
        }
    }
}

impl Deref for Span {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the promise that `from_block` was given; an empty span has a dangling pointer and no length.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({} B)", self.len)
    }
}
