//! A link of the chain: slots for consecutive positions, where they end, and what comes after.

use std::ptr::{self, NonNull};

use crate::{
    cursor::{Capacity, advance, used},
    slots::Slots,
    sync::{
        AtomicPtr, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// How many slots the first segment has. Models have tiny segments, so that a few values reach a border.
pub(super) const FIRST: usize = if cfg!(loom) { 1 } else { 16 };
/// The most slots that a queue at rest may keep; twice the first, so that a trickle finds both of its segments small.
pub(super) const SMALL: usize = if cfg!(loom) { 1 } else { 2 * FIRST };
/// Where doubling ends.
pub(super) const LARGEST: usize = if cfg!(loom) { 2 } else { 512 };

/// The slot of a position is found by masking, so a segment may begin at any position.
///
/// The links need no ordering of their own. The producer writes them before it publishes the first value behind them,
/// and the consumer follows them only to a value whose publication it has observed.
pub(super) struct Segment<T> {
    next: AtomicPtr<Segment<T>>,
    /// The first position that is no longer in this segment. The producer may lower it, never below what it published.
    end: AtomicUsize,
    pub(super) slots: Slots<T>,
}

impl<T> Segment<T> {
    /// Allocates an empty segment that nothing refers to.
    pub(super) fn allocate(slots: usize) -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self {
            next: AtomicPtr::new(ptr::null_mut()),
            end: AtomicUsize::new(0),
            slots: Slots::allocate(Capacity::at_least(slots)),
        })))
    }

    /// Gives the memory back; values still in the slots are forgotten.
    ///
    /// # Safety
    ///
    /// `segment` comes from [`allocate`](Self::allocate), and nobody uses it or a copy of its slots afterwards.
    pub(super) unsafe fn free(segment: NonNull<Self>) {
        // SAFETY: `allocate` leaked a box of this address, and the caller promises that this is the end of it.
        let segment = unsafe { Box::from_raw(segment.as_ptr()) };
        // SAFETY: the only copies of `slots` are those of whoever used the segment, which by the same promise is over.
        unsafe { segment.slots.free() };
    }

    /// Makes the segment the last one of a chain, for the positions from `start` on.
    pub(super) fn begin(&self, start: usize) {
        self.next.store(ptr::null_mut(), Relaxed);
        self.end_at(advance(start, self.slots.capacity().get()));
    }

    pub(super) fn end(&self) -> usize {
        self.end.load(Relaxed)
    }

    /// The end of the segment or `to`, whichever comes first after `from`, a position of this segment or its end.
    pub(super) fn nearer_end(&self, from: usize, to: usize) -> usize {
        advance(from, used(from, self.end()).min(used(from, to)))
    }

    pub(super) fn end_at(&self, position: usize) {
        self.end.store(position, Relaxed);
    }

    pub(super) fn next(&self) -> Option<NonNull<Self>> {
        NonNull::new(self.next.load(Relaxed))
    }

    pub(super) fn link(&self, next: NonNull<Self>) {
        self.next.store(next.as_ptr(), Relaxed);
    }

    /// Takes everything behind this segment off the chain.
    pub(super) fn unlink(&self) -> Option<NonNull<Self>> {
        let next = self.next();
        self.next.store(ptr::null_mut(), Relaxed);
        next
    }

    pub(super) fn is_small(&self) -> bool {
        self.slots.capacity().get() <= SMALL
    }
}

/// The place for one used-up segment on its way back to the producer. Only the consumer puts one in, either side takes.
pub(super) struct Spare<T>(AtomicPtr<Segment<T>>);

impl<T> Spare<T> {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Takes the segment for new positions: the producer's side.
    pub(super) fn reuse(&self) -> Option<NonNull<Segment<T>>> {
        if self.0.load(Relaxed).is_null() {
            return None;
        }
        // Acquire: observes the consumer's last accesses to the segment before `put`.
        NonNull::new(self.0.swap(ptr::null_mut(), Acquire))
    }

    /// Takes the segment back: the consumer's side.
    pub(super) fn take_back(&self) -> Option<NonNull<Segment<T>>> {
        // Only the consumer puts segments in, so null is no older than what it last put: the place is really empty.
        if self.0.load(Relaxed).is_null() {
            return None;
        }
        // Relaxed: what comes back was put in by this very thread, and the producer has not touched it since.
        NonNull::new(self.0.swap(ptr::null_mut(), Relaxed))
    }

    /// Offers a segment to the producer: the consumer's side, which has found the place empty and gives up the segment.
    pub(super) fn put(&self, segment: NonNull<Segment<T>>) {
        // Release: orders the consumer's accesses to the segment before `reuse`.
        self.0.store(segment.as_ptr(), Release);
    }
}
