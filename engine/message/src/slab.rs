//! [`Slab`]: the memory that a connection receives into, and [`Span`]: what is split off from it.

mod span;

use std::{fmt, mem::MaybeUninit, ptr, ptr::NonNull, slice};

use ringmq_queue::stable::{FillBytes, StableBytesMut};

pub use self::span::Span;
use crate::pool::Block;

/// A receive buffer: filled from the front, split off as spans without copying.
///
/// Three positions follow one another, `start <= end <= capacity`. What lies before `start` has been split off and is only
/// read; from `start` to `end` are bytes received and not split yet; behind `end` is the spare room. All three move forward
/// only, except when nobody else refers to the memory.
pub struct Slab {
    /// None if the capacity is zero.
    block: Option<Block>,
    start: usize,
    end: usize,
    /// What was asked for; the block may be larger.
    capacity: usize,
}

impl Slab {
    /// A slab with room for exactly `capacity` bytes. Zero allocates nothing.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            block: (capacity > 0).then(|| Block::alloc(capacity)),
            start: 0,
            end: 0,
            capacity,
        }
    }

    /// The bytes received and not yet split.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        // SAFETY: from `start` to `end` the block is initialised, and only `&mut self` could write there.
        unsafe { slice::from_raw_parts(self.at(self.start).as_ptr(), self.end - self.start) }
    }

    /// How many bytes may still be received.
    #[inline]
    pub fn spare_len(&self) -> usize {
        self.capacity - self.end
    }

    /// Takes the first `count` filled bytes as a span. What is received later lies behind them.
    ///
    /// # Panics
    ///
    /// If fewer bytes are filled.
    pub fn split(&mut self, count: usize) -> Span {
        assert!(
            count <= self.end - self.start,
            "a span is split from filled bytes"
        );
        let Some(block) = self.block.as_ref().filter(|_| count > 0) else {
            return Span::empty();
        };
        let first = self.at(self.start);
        self.start += count;
        // SAFETY: the bytes are initialised, and now that they lie before `start` the slab does not write them again until
        // it is the only holder of the block.
        unsafe { Span::from_block(block.clone(), first, count) }
    }

    /// Appends bytes that came another way.
    ///
    /// # Panics
    ///
    /// If they do not fit the spare room.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        assert!(
            bytes.len() <= self.spare_len(),
            "the spare room has to be reserved first"
        );
        // SAFETY: the spare room is long enough and belongs to the slab alone, so `bytes` is not part of it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(self.end).as_ptr(), bytes.len()) };
        self.end += bytes.len();
    }

    /// Appends bytes that can only be copied.
    ///
    /// # Panics
    ///
    /// If they do not fit the spare room.
    pub fn extend_filled(&mut self, bytes: &impl FillBytes) {
        let len = bytes.len();
        assert!(len <= self.spare_len(), "the spare room has to be reserved first");
        // SAFETY: the spare room is long enough, belongs to the slab alone, and need not be initialised.
        let room =
            unsafe { slice::from_raw_parts_mut(self.at(self.end).as_ptr().cast::<MaybeUninit<u8>>(), len) };
        // The promise of `FillBytes` is that all of it is initialised afterwards.
        bytes.fill(room);
        self.end += len;
    }

    /// Starts over at the front if nothing is filled and no span is alive, and says whether it did.
    pub fn try_reset(&mut self) -> bool {
        let is_free = self.start == self.end && self.block.as_ref().is_none_or(Block::is_unique);
        if is_free {
            self.start = 0;
            self.end = 0;
        }
        is_free
    }

    /// Moves the filled bytes to the front of a fresh block with room for `capacity` bytes in all, or for as many as are
    /// filled if they are more. Spans keep the old block.
    pub fn reserve(&mut self, capacity: usize) {
        let filled = self.filled();
        let mut fresh = Self::with_capacity(capacity.max(filled.len()));
        fresh.extend_from_slice(filled);
        *self = fresh;
    }

    /// The address of a position, which is dangling if there is no block.
    #[inline]
    fn at(&self, position: usize) -> NonNull<u8> {
        debug_assert!(position <= self.capacity);
        match &self.block {
            // SAFETY: a position is at most the capacity, which the block has.
            Some(block) => unsafe { block.ptr().add(position) },
            None => NonNull::dangling(),
        }
    }
}

// SAFETY: the spare room lies in the block, which stays where it is when the slab moves. Neither spans nor `filled` reach
// behind `end`, and `end` moves only in `advance` and in calls that the caller must not make in between.
unsafe impl StableBytesMut for Slab {
    fn spare_bytes(&mut self) -> (*mut u8, usize) {
        (self.at(self.end).as_ptr(), self.spare_len())
    }

    unsafe fn advance(&mut self, count: usize) {
        assert!(count <= self.spare_len(), "more was received than there was room");
        self.end += count;
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab")
            .field("filled", &(self.end - self.start))
            .field("spare", &self.spare_len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
