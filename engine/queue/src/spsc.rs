//! The ring that every pipe is made of: one producer, one consumer, values of one size, no lock, no waking.
//!
//! Each side keeps its own position and a copy of the other's in its handle. It reads the other's line only when the
//! copy is used up, and writes its own line once per publish, or once per half ring consumed. So the lines that both
//! sides touch move as rarely as the traffic allows.
//!
//! # Who may touch which slot
//!
//! Four positions follow one another, `released <= head <= tail <= staged <= released + capacity`:
//!
//! * from `released` to `head` are slots that the consumer has emptied and still keeps,
//! * from `head` to `tail` are published values, the consumer's,
//! * from `tail` to `staged` are values that are not published yet, the producer's,
//! * from `staged` to `released + capacity` are empty slots, the producer's.
//!
//! The producer gives values away by storing `tail`, the consumer gives slots back by storing `released`. What each
//! side knows of the other is old but never ahead of the truth, so it only ever underestimates what it owns.

use std::{error, fmt};

use crossbeam_utils::CachePadded;

use crate::{
    cursor::{Capacity, advance, used},
    slots::Slots,
    sync::{
        Arc, AtomicBool, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// Makes a ring of at least `capacity` slots, rounded up to a power of two and at least one.
///
/// The slots are allocated here, and their memory is touched when they are first used.
///
/// # Panics
///
/// If `capacity` slots do not fit the address space.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_from(capacity, 0)
}

/// A ring whose positions begin at `start`, so that tests reach the wrap of `usize`.
fn ring_from<T>(capacity: usize, start: usize) -> (Producer<T>, Consumer<T>) {
    let slots = Slots::allocate(Capacity::at_least(capacity));
    let shared = Arc::new(Shared {
        tail: CachePadded::new(Line::new(start)),
        released: CachePadded::new(Line::new(start)),
        slots,
    });
    let producer = Producer {
        staged: start,
        tail: start,
        seen_released: start,
        slots,
        shared: Arc::clone(&shared),
    };
    let consumer = Consumer {
        head: start,
        released: start,
        seen_tail: start,
        has_released: false,
        slots,
        shared,
    };
    (producer, consumer)
}

/// What one side writes and the other reads.
struct Line {
    position: AtomicUsize,
    /// The side that writes this line is gone for good.
    gone: AtomicBool,
}

impl Line {
    fn new(start: usize) -> Self {
        Self {
            position: AtomicUsize::new(start),
            gone: AtomicBool::new(false),
        }
    }
}

struct Shared<T> {
    /// Written by the producer.
    tail: CachePadded<Line>,
    /// Written by the consumer.
    released: CachePadded<Line>,
    /// Only for the drop: the handles have copies, so that a consumer does not read the producer's line for it.
    slots: Slots<T>,
}

// SAFETY: the atomics are shared as they are. Through the slots a value moves from the producer's thread to the
// consumer's or to the thread that drops the ring, which `T: Send` permits; no slot is accessed by two threads at once.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above; a `&Shared` gives access to no value, only the handles do, and each of them is one of a kind.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Relaxed: the reference count has ordered everything that both handles did before this.
        let head = self.released.position.load(Relaxed);
        let tail = self.tail.position.load(Relaxed);
        // SAFETY: both handles are gone. The consumer's drop stored its head, the producer's dropped what it had staged,
        // so exactly the slots between the two positions hold values, and nobody will look at them again.
        unsafe {
            self.slots.drop_range(head, tail);
            self.slots.free();
        }
    }
}

/// The ring had no room; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ring is full")
    }
}

impl<T> error::Error for Full<T> {}

/// The writing end of a ring. Dropping it drops what is staged; what is published stays for the consumer.
pub struct Producer<T> {
    /// Where the next value is written.
    staged: usize,
    /// What the shared line says: everything before it is the consumer's.
    tail: usize,
    /// The consumer's position when it was last read.
    seen_released: usize,
    slots: Slots<T>,
    shared: Arc<Shared<T>>,
}

// SAFETY: the handle owns the producer's slots, which hold values of `T: Send`, and no reference to them leaves it.
unsafe impl<T: Send> Send for Producer<T> {}

impl<T> Producer<T> {
    /// Writes a value and publishes it together with everything staged before. Never blocks.
    ///
    /// To wake a sleeping consumer, call [`Parker::wake`](crate::wake::Parker::wake) afterwards.
    ///
    /// # Errors
    ///
    /// [`Full`] with the value if there is no room; what was staged stays staged.
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), Full<T>> {
        self.stage(value)?;
        self.publish();
        Ok(())
    }

    /// Writes a value that the consumer does not see before the next publish. Never blocks.
    ///
    /// # Errors
    ///
    /// [`Full`] with the value if there is no room.
    #[inline]
    pub fn stage(&mut self, value: T) -> Result<(), Full<T>> {
        if !self.has_room() {
            return Err(Full(value));
        }
        // SAFETY: there is room, so the slot at `staged` is before `released + capacity` and thus empty and ours; the
        // Acquire load that told us ordered the consumer's last access to it before this one. `shared` keeps it alive.
        unsafe { self.slots.write(self.staged, value) };
        self.staged = advance(self.staged, 1);
        Ok(())
    }

    /// Makes everything staged visible to the consumer at once: it sees all of it or nothing. Never blocks.
    #[inline]
    pub fn publish(&mut self) {
        if self.tail != self.staged {
            self.tail = self.staged;
            // Release: publishes the written slots to the load in `Consumer::finds_value`.
            self.shared.tail.position.store(self.tail, Release);
        }
    }

    /// Drops everything staged and not yet published.
    pub fn rollback(&mut self) {
        let staged = self.staged;
        self.staged = self.tail;
        // SAFETY: the slots from `tail` to the old `staged` were written by `stage`, never given away, and are forgotten
        // by the line above even if a drop panics.
        unsafe { self.slots.drop_range(self.tail, staged) };
    }

    /// How many values are staged and not yet published.
    pub fn staged(&self) -> usize {
        used(self.tail, self.staged)
    }

    /// How many more values fit, staged ones taken into account. Reads the consumer's line; more may fit a moment later.
    ///
    /// A producer that sleeps for room looks here between arming and parking: the parker's fence orders this load.
    pub fn free(&self) -> usize {
        // Relaxed: no slot is touched on the strength of this number, `stage` loads the position itself.
        let released = self.shared.released.position.load(Relaxed);
        self.slots.capacity().free(released, self.staged)
    }

    /// How many values the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.slots.capacity().get()
    }

    /// Whether the consumer is gone, so that nothing will be read any more.
    pub fn is_abandoned(&self) -> bool {
        // Acquire: observes the store in the consumer's drop, and with it its last release of slots.
        self.shared.released.gone.load(Acquire)
    }

    #[inline(always)]
    fn has_room(&mut self) -> bool {
        self.slots.capacity().free(self.seen_released, self.staged) > 0 || self.finds_room()
    }

    #[cold]
    fn finds_room(&mut self) -> bool {
        // Acquire: observes the consumer's last accesses to the slots given back by `Consumer::store_released`.
        self.seen_released = self.shared.released.position.load(Acquire);
        self.slots.capacity().free(self.seen_released, self.staged) > 0
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("staged", &self.staged())
            .field("free", &self.free())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        // Release: whoever observes it in `Consumer::is_abandoned` also observes the last publish. Comes first, so that
        // the consumer learns of it even if the drop of a value panics.
        self.shared.tail.gone.store(true, Release);
        self.rollback();
    }
}

/// The reading end of a ring. Dropping it leaves unread values in the ring until the producer is dropped as well.
pub struct Consumer<T> {
    /// The next value to read.
    head: usize,
    /// What the shared line says: everything before it is the producer's again.
    released: usize,
    /// The producer's position when it was last read.
    seen_tail: usize,
    /// Slots have been given back since `take_released` was last called.
    has_released: bool,
    slots: Slots<T>,
    shared: Arc<Shared<T>>,
}

// SAFETY: the handle owns the published values, of `T: Send`, and references to them borrow the handle.
unsafe impl<T: Send> Send for Consumer<T> {}

impl<T> Consumer<T> {
    /// Takes the oldest value. Never blocks.
    ///
    /// The slot goes back to the producer later: with half a ring of others, when the ring is found empty here, or by
    /// [`release`](Self::release), which has to be called before sleeping anywhere else.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if !self.has_value() {
            return None;
        }
        // SAFETY: `head` is before `tail`, so the slot holds a value that is ours, and the Acquire load that told us
        // ordered its writing before this. Moving `head` on forgets it. `shared` keeps the slot alive.
        let value = unsafe { self.slots.take(self.head) };
        self.head = advance(self.head, 1);
        if self.slots.capacity().is_release_due(self.released, self.head) {
            self.store_released();
        }
        Some(value)
    }

    /// Shows the oldest value without taking it. Never blocks.
    #[inline]
    pub fn peek(&mut self) -> Option<&T> {
        self.peek_mut().map(|value| &*value)
    }

    /// Gives access to the oldest value without taking it, say to take parts out of it. Never blocks.
    #[inline]
    pub fn peek_mut(&mut self) -> Option<&mut T> {
        if !self.has_value() {
            return None;
        }
        // SAFETY: as in `pop`, the slot holds a value that is ours, and it stays so while `self` is borrowed.
        Some(unsafe { &mut *self.slots.value_at(self.head) })
    }

    /// Gives every slot emptied so far back to the producer. Call it before sleeping: the producer may wait for room.
    ///
    /// True if there was something to give back; [`take_released`](Self::take_released) then says so once more.
    #[inline]
    pub fn release(&mut self) -> bool {
        let owed = self.head != self.released;
        if owed {
            self.store_released();
        }
        owed
    }

    /// Whether slots went back to the producer since this was last asked: the moment to wake a producer that sleeps.
    #[inline]
    pub fn take_released(&mut self) -> bool {
        std::mem::take(&mut self.has_released)
    }

    /// How many values are published and not yet taken. Reads the producer's line; more may come a moment later.
    pub fn len(&self) -> usize {
        // Relaxed: no slot is touched on the strength of this number, `pop` loads the position itself.
        used(self.head, self.shared.tail.position.load(Relaxed))
    }

    /// Whether there is nothing to take. Reads the producer's line, and gives no slots back.
    ///
    /// A consumer that sleeps for values looks here between arming and parking: the parker's fence orders this load.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.slots.capacity().get()
    }

    /// Whether the producer is gone. What it had published can still be taken, and is visible after this returned true.
    pub fn is_abandoned(&self) -> bool {
        // Acquire: observes the store in the producer's drop, and with it its last publish.
        self.shared.tail.gone.load(Acquire)
    }

    #[inline(always)]
    fn has_value(&mut self) -> bool {
        self.head != self.seen_tail || self.finds_value()
    }

    fn finds_value(&mut self) -> bool {
        // Acquire: observes the slots written before `Producer::publish` stored this position.
        self.seen_tail = self.shared.tail.position.load(Acquire);
        let found = self.head != self.seen_tail;
        if !found {
            self.release();
        }
        found
    }

    fn store_released(&mut self) {
        self.released = self.head;
        self.has_released = true;
        // Release: orders our accesses to the emptied slots before the load in `Producer::finds_room`.
        self.shared.released.position.store(self.head, Release);
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        // `Shared::drop` finds the first value left in the ring by this.
        self.release();
        // Release: whoever observes it in `Producer::is_abandoned` also observes the slots given back.
        self.shared.released.gone.store(true, Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
