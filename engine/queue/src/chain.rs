//! A queue without a limit: one producer, one consumer, a chain of segments, no lock, no waking.
//!
//! It carries the values of pipes inside the process, whose users enforce the high-water mark themselves. Nothing is
//! allocated before the first value. The first segment is small, each further one that the consumer's pace makes
//! necessary twice as large, up to a limit.
//!
//! # Who may touch what
//!
//! Positions count values since the queue was made, `head <= tail <= staged`, and each lies in one segment:
//!
//! * from `head` to `tail` are published values, the consumer's,
//! * from `tail` on are staged values and empty slots, the producer's.
//!
//! The segments form a list from the one with `head` to the one with `staged`. The producer appends, and gives values
//! away by storing `tail`: that one store also publishes the links to the segments that they are in. The consumer moves
//! from segment to segment, but only to get at a published value. So the segment in which `tail` lies is never taken
//! from under the producer, and the consumer never sees a link that is not published.
//!
//! # Where used-up segments go
//!
//! The consumer offers the segment that it leaves to the producer as the spare, of which there is at most one: of two it
//! keeps the larger. So a steady stream goes round in two segments. A consumer that has found the queue empty for a
//! while after only a few values at a time, or is told to [rest](ChainConsumer::rest), frees what is large, and asks the
//! producer to leave its segment if that is a large one. It cannot take that one away: the producer writes to it without
//! asking. Until the producer publishes again, a queue that comes to rest behind a burst keeps that one large segment.

use std::{fmt, mem, ptr, ptr::NonNull};

use crossbeam_utils::CachePadded;

use crate::{
    cursor::{advance, used},
    slots::Slots,
    sync::{
        Arc, AtomicBool, AtomicPtr, AtomicUsize,
        Ordering::{self, Acquire, Relaxed, Release},
    },
};

mod segment;

use segment::{FIRST, LARGEST, SMALL, Segment, Spare};

/// A consumer that finds the queue empty after fewer values than this calls the traffic quiet.
const FEW: usize = FIRST;
/// After how many quiet looks in a row large segments are given up.
const QUIET_LOOKS: u8 = 64;

/// How many slots before it is written a line is asked for.
const AHEAD: usize = 8;

/// Makes an unbounded queue. Allocates no slots before the first value.
pub fn chain<T>() -> (ChainProducer<T>, ChainConsumer<T>) {
    chain_from(0)
}

/// A queue whose positions begin at `start`, so that tests reach the wrap of `usize`.
fn chain_from<T>(start: usize) -> (ChainProducer<T>, ChainConsumer<T>) {
    let shared = Arc::new(Shared {
        writer: CachePadded::new(Writer {
            tail: AtomicUsize::new(start),
            first: AtomicPtr::new(ptr::null_mut()),
            gone: AtomicBool::new(false),
        }),
        reader: CachePadded::new(Reader {
            spare: Spare::new(),
            shrink: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            head: AtomicUsize::new(start),
        }),
    });
    let producer = ChainProducer {
        staged: start,
        end: start,
        slots: Slots::none(),
        tail: start,
        segment: None,
        tail_segment: None,
        grown: FIRST,
        shared: Arc::clone(&shared),
    };
    let consumer = ChainConsumer {
        head: start,
        stop: start,
        slots: Slots::none(),
        seen_tail: start,
        segment: None,
        empty_at: start,
        quiet_looks: 0,
        is_shrinking: false,
        shared,
    };
    (producer, consumer)
}

/// What the producer writes.
struct Writer<T> {
    tail: AtomicUsize,
    /// Where the chain begins: written with the first value staged, and again by the drop of a consumer that has moved on.
    first: AtomicPtr<Segment<T>>,
    gone: AtomicBool,
}

/// What the consumer writes, except that either side takes the spare and the producer answers `shrink`.
struct Reader<T> {
    spare: Spare<T>,
    /// The consumer asks for small segments.
    shrink: AtomicBool,
    gone: AtomicBool,
    /// Written once, by the consumer's drop.
    head: AtomicUsize,
}

struct Shared<T> {
    writer: CachePadded<Writer<T>>,
    reader: CachePadded<Reader<T>>,
}

// SAFETY: the atomics are shared as they are. Through the segments behind them a value moves from the producer's thread
// to the consumer's or to the thread that drops the queue, which `T: Send` permits; no slot is accessed by two at once.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above; a `&Shared` gives access to no value, only the handles do, and each of them is one of a kind.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Relaxed, here and in the segments: the reference count has ordered everything that both handles did before this.
        let head = self.reader.head.load(Relaxed);
        let tail = self.writer.tail.load(Relaxed);
        let first = NonNull::new(self.writer.first.load(Relaxed));
        if let Some(spare) = self.reader.spare.take_back() {
            // SAFETY: the spare belongs to no chain, and both handles are gone.
            unsafe { Segment::free(spare) };
        }
        // SAFETY: both handles are gone. The consumer's drop stored its head and segment, the producer's dropped what it
        // had staged, so exactly the slots between the two positions hold values, and nobody will look at them again.
        unsafe { drop_chain(first, head, tail) };
    }
}

/// Drops the values at the positions from `from` up to `to`, excluded, and frees all segments of the chain.
///
/// # Safety
///
/// `from` lies in the segment `first` or at its end, the slots of these positions hold values that nobody reads or drops
/// again, and nobody uses a segment of the chain afterwards.
unsafe fn drop_chain<T>(mut first: Option<NonNull<Segment<T>>>, mut from: usize, to: usize) {
    while let Some(segment) = first {
        // SAFETY: the segments of a chain live until they are freed, which for this one is below.
        let stop = unsafe { segment.as_ref() }.nearer_end(from, to);
        // SAFETY: passed on to the caller: the positions up to the end of this segment, or up to `to`, hold values.
        unsafe { segment.as_ref().slots.drop_range(from, stop) };
        from = stop;
        // SAFETY: as above.
        first = unsafe { segment.as_ref() }.next();
        // SAFETY: its values are gone, and the caller promises that nobody comes back to it.
        unsafe { Segment::free(segment) };
    }
}

/// The writing end of a chain. Dropping it drops what is staged; what is published stays for the consumer.
pub struct ChainProducer<T> {
    /// Where the next value is written.
    staged: usize,
    /// The end of `segment`.
    end: usize,
    /// The slots of `segment`.
    slots: Slots<T>,
    /// What the shared line says: everything before it is the consumer's.
    tail: usize,
    /// The last segment of the chain, with the position `staged` in it or at its end.
    segment: Option<NonNull<Segment<T>>>,
    /// What `segment` was when `tail` was stored.
    tail_segment: Option<NonNull<Segment<T>>>,
    /// How many slots the next segment gets if there is no spare.
    grown: usize,
    shared: Arc<Shared<T>>,
}

// SAFETY: the handle owns the empty slots and the staged values, of `T: Send`, and no reference to them leaves it.
unsafe impl<T: Send> Send for ChainProducer<T> {}

impl<T> ChainProducer<T> {
    /// Writes a value and publishes it together with everything staged before. Never blocks; allocates now and then.
    ///
    /// To wake a sleeping consumer, call [`Parker::wake`](crate::wake::Parker::wake) afterwards.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.stage(value);
        self.publish();
    }

    /// Writes a value that the consumer does not see before the next publish. Never blocks; allocates now and then.
    #[inline]
    pub fn stage(&mut self, value: T) {
        if self.staged == self.end {
            self.append_segment();
        }
        // SAFETY: `staged` lies in `segment`, whose slots from `tail` on are empty or hold staged values, so this one is
        // empty and ours. If the segment was used before, the Acquire in `Spare::reuse` ordered the consumer's accesses
        // before this one. The consumer leaves it only for a published value behind it, of which there is none.
        unsafe { self.slots.write(self.staged, value) };
        self.slots.expect_write(advance(self.staged, AHEAD));
        self.staged = advance(self.staged, 1);
    }

    /// Stages a value that `fill` writes where it lies. Never blocks; allocates now and then.
    ///
    /// The slot's line belongs to the consumer's core when the value is written. Stores wait for it in the store buffer; a
    /// load from what was just stored may have to wait as well, if the pieces do not match, which costs more than
    /// everything else here. So `fill` should write and not read.
    ///
    /// # Safety
    ///
    /// `fill` initialises the value at the address that it is given, or panics.
    #[inline]
    pub unsafe fn stage_with(&mut self, fill: impl FnOnce(*mut T)) {
        if self.staged == self.end {
            self.append_segment();
        }
        // SAFETY: as in `stage`, the slot is empty and ours.
        fill(unsafe { self.slots.value_at(self.staged) });
        self.slots.expect_write(advance(self.staged, AHEAD));
        self.staged = advance(self.staged, 1);
    }

    /// Makes everything staged visible to the consumer at once: it sees all of it or nothing. Never blocks.
    #[inline]
    pub fn publish(&mut self) {
        // Release: publishes the written slots and the links to their segments to the load in `ChainConsumer::finds_value`.
        self.publish_with(Release);
    }

    /// Publishes without the ordering, so that a model can show that it is needed.
    #[cfg(loom)]
    #[doc(hidden)]
    pub fn publish_unordered(&mut self) {
        self.publish_with(Relaxed);
    }

    #[inline(always)]
    fn publish_with(&mut self, order: Ordering) {
        if self.tail != self.staged {
            self.tail = self.staged;
            self.tail_segment = self.segment;
            self.shared.writer.tail.store(self.tail, order);
            // Relaxed: a request about sizes, which orders nothing and may come late.
            if self.shared.reader.shrink.load(Relaxed) {
                self.shrink();
            }
        }
    }

    /// Drops everything staged and not yet published.
    pub fn rollback(&mut self) {
        let Some(segment) = self.tail_segment else {
            return;
        };
        let staged = mem::replace(&mut self.staged, self.tail);
        self.segment = self.tail_segment;
        // SAFETY: the segment in which `tail` lies is alive, the consumer has no published value to leave it for.
        let segment = unsafe { segment.as_ref() };
        self.slots = segment.slots;
        self.end = segment.end();
        let appended = segment.unlink();
        let stop = segment.nearer_end(self.tail, staged);
        // SAFETY: the slots from `tail` to the old `staged` were written by `stage`, never given away, and are forgotten
        // by the lines above even if a drop panics. The appended segments hold the rest of them and no other value; the
        // consumer has not seen the link to them, which is gone.
        unsafe {
            self.slots.drop_range(self.tail, stop);
            drop_chain(appended, stop, staged);
        }
    }

    /// How many values are staged and not yet published.
    pub fn staged(&self) -> usize {
        used(self.tail, self.staged)
    }

    /// Whether the consumer is gone, so that nothing will be read any more.
    pub fn is_abandoned(&self) -> bool {
        // Acquire: observes the store in the consumer's drop, and with it the consumer's last reads.
        self.shared.reader.gone.load(Acquire)
    }

    #[cold]
    #[inline(never)]
    fn append_segment(&mut self) {
        let next = self.shared.reader.spare.reuse().unwrap_or_else(|| {
            let slots = self.grown;
            self.grown = LARGEST.min(2 * slots);
            Segment::allocate(slots)
        });
        // SAFETY: the segment is new, or the consumer gave it up; either way it is alive and only ours.
        let fresh = unsafe { next.as_ref() };
        fresh.begin(self.staged);
        self.end = fresh.end();
        self.slots = fresh.slots;
        match self.segment {
            // SAFETY: the last segment of the chain holds `tail` or staged values, so the consumer has not left it.
            Some(last) => unsafe { last.as_ref() }.link(next),
            None => {
                self.tail_segment = Some(next);
                // Relaxed: published like the links between segments.
                self.shared.writer.first.store(next.as_ptr(), Relaxed);
            }
        }
        self.segment = Some(next);
    }

    /// Leaves a large segment behind what was just published, and starts to grow from the beginning.
    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        self.shared.reader.shrink.store(false, Relaxed);
        self.grown = FIRST;
        if let Some(segment) = self.segment {
            // SAFETY: the last segment of the chain is alive until something behind it is published.
            let segment = unsafe { segment.as_ref() };
            if !segment.is_small() {
                segment.end_at(self.staged);
                self.end = self.staged;
            }
        }
    }
}

impl<T> fmt::Debug for ChainProducer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainProducer")
            .field("staged", &self.staged())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for ChainProducer<T> {
    fn drop(&mut self) {
        // Release: whoever observes it in `ChainConsumer::is_abandoned` also observes the last publish. Comes first, so
        // that the consumer learns of it even if the drop of a value panics.
        self.shared.writer.gone.store(true, Release);
        self.rollback();
    }
}

/// The reading end of a chain. Dropping it leaves unread values in the queue until the producer is dropped as well.
pub struct ChainConsumer<T> {
    /// The next value to read.
    head: usize,
    /// Up to here values are known to be published and in `segment`.
    stop: usize,
    /// The slots of `segment`.
    slots: Slots<T>,
    /// The producer's position when it was last read.
    seen_tail: usize,
    /// The first segment of the chain, with the position `head` in it or at its end; none before the first value.
    segment: Option<NonNull<Segment<T>>>,
    /// The head when the queue was last found empty.
    empty_at: usize,
    /// How often in a row the queue was found empty after only a few values.
    quiet_looks: u8,
    /// The producer was asked to leave the large `segment`, which is then freed instead of offered as a spare.
    is_shrinking: bool,
    shared: Arc<Shared<T>>,
}

// SAFETY: the handle owns the published values, of `T: Send`, and references to them borrow the handle.
unsafe impl<T: Send> Send for ChainConsumer<T> {}

impl<T> ChainConsumer<T> {
    /// Takes the oldest value. Never blocks; frees segments now and then.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if !self.has_value() {
            return None;
        }
        // SAFETY: `head` is before `stop`, so the slot is in `segment` and holds a value that is ours, and the Acquire
        // load that told us ordered its writing before this. Moving `head` on forgets it.
        let value = unsafe { self.slots.take(self.head) };
        self.head = advance(self.head, 1);
        Some(value)
    }

    /// Takes the oldest value into `place`, whose former value is dropped; false if there is none. Saves a move over
    /// [`pop`](Self::pop). Never blocks; frees segments now and then.
    #[inline]
    pub fn pop_into(&mut self, place: &mut T) -> bool {
        if !self.has_value() {
            return false;
        }
        let head = self.head;
        // SAFETY: the former value moves out, and the slot's moves in before anything can look at the place again.
        let former = unsafe { ptr::read(place) };
        // SAFETY: as in `pop`, the slot holds a value that is ours; it does not overlap a place that the caller has borrowed
        // mutably. Moving `head` on forgets it.
        unsafe { ptr::copy_nonoverlapping(self.slots.value_at(head), place, 1) };
        self.head = advance(head, 1);
        drop(former);
        true
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

    /// Moves on from the oldest value, if there is one, without dropping it: for one that owns nothing. Never blocks.
    #[inline]
    pub fn forget(&mut self) {
        if self.has_value() {
            self.head = advance(self.head, 1);
        }
    }

    /// How many values are published and not yet taken. Reads the producer's line; more may come a moment later.
    pub fn len(&self) -> usize {
        // Relaxed: no slot is touched on the strength of this number, `pop` loads the position itself.
        used(self.head, self.shared.writer.tail.load(Relaxed))
    }

    /// Whether there is nothing to take. Reads the producer's line.
    ///
    /// A consumer that sleeps for values looks here between arming and parking: the parker's fence orders this load.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the producer is gone. What it had published can still be taken, and is visible after this returned true.
    pub fn is_abandoned(&self) -> bool {
        // Acquire: observes the store in the producer's drop, and with it its last publish.
        self.shared.writer.gone.load(Acquire)
    }

    /// Frees the spare segment, and lets the producer leave a large one with its next publish. Never blocks.
    ///
    /// For a queue that is going to be empty for long; busy ones would pay with an allocation. A queue with little
    /// traffic gives up its large segments without this.
    pub fn rest(&mut self) {
        if let Some(spare) = self.shared.reader.spare.take_back() {
            // SAFETY: the spare belongs to no chain, and having taken it we are the only one to know it.
            unsafe { Segment::free(spare) };
        }
        self.ask_to_shrink();
    }

    #[inline(always)]
    fn has_value(&mut self) -> bool {
        self.head != self.stop || self.finds_value()
    }

    #[inline(never)]
    fn finds_value(&mut self) -> bool {
        if self.head == self.seen_tail {
            // Acquire: observes the slots and links written before `ChainProducer::publish` stored this position.
            self.seen_tail = self.shared.writer.tail.load(Acquire);
            if self.head == self.seen_tail {
                self.note_empty();
                return false;
            }
        }
        let segment = self.enter_segment_of_head();
        // SAFETY: the segment in which `head` lies is alive until we leave it.
        self.stop = unsafe { segment.as_ref() }.nearer_end(self.head, self.seen_tail);
        debug_assert!(
            self.head != self.stop,
            "a segment behind a border begins with a value"
        );
        true
    }

    /// Goes to the segment of the published value at `head`: the one that we are in or the one behind it.
    fn enter_segment_of_head(&mut self) -> NonNull<Segment<T>> {
        let next = match self.segment {
            // Relaxed: the value at `head` is published, and with it the way to it.
            None => NonNull::new(self.shared.writer.first.load(Relaxed)),
            // SAFETY: the segment that we are in is alive until we leave it.
            Some(current) => match unsafe { current.as_ref() } {
                segment if segment.end() != self.head => return current,
                segment => segment.next(),
            },
        };
        let next = next.expect("the chain reaches every published value");
        // SAFETY: a linked segment is alive until we leave it.
        self.slots = unsafe { next.as_ref() }.slots;
        if let Some(left) = self.segment.replace(next) {
            // SAFETY: all its values are taken, we hold no reference into it, and the producer has published a value
            // behind it, which is after its last access.
            unsafe { self.retire(left) };
        }
        next
    }

    /// Offers a used-up segment to the producer, or frees it if there is a better spare or none is wanted.
    ///
    /// # Safety
    ///
    /// Nobody uses the segment or knows of it any more.
    unsafe fn retire(&mut self, left: NonNull<Segment<T>>) {
        // SAFETY: the segment has not been freed.
        let capacity = unsafe { left.as_ref() }.slots.capacity().get();
        let is_unwanted = mem::take(&mut self.is_shrinking) && capacity > SMALL;
        let spare = self.shared.reader.spare.take_back();
        // SAFETY: a spare has not been freed, and once taken it is ours alone.
        let other = spare.map_or(0, |spare| unsafe { spare.as_ref() }.slots.capacity().get());
        let (kept, freed) = if is_unwanted || other >= capacity {
            (spare, Some(left))
        } else {
            (Some(left), spare)
        };
        if let Some(segment) = freed {
            // SAFETY: only we know of it, by the caller's promise or because we have taken it.
            unsafe { Segment::free(segment) };
        }
        if let Some(segment) = kept {
            self.shared.reader.spare.put(segment);
        }
    }

    /// Watches how many values come between two moments at which the queue is empty.
    fn note_empty(&mut self) {
        let taken = used(self.empty_at, self.head);
        if taken == 0 {
            // A consumer that spins learns nothing about the traffic.
            return;
        }
        self.empty_at = self.head;
        self.quiet_looks = if taken < FEW { self.quiet_looks + 1 } else { 0 };
        if self.quiet_looks == QUIET_LOOKS {
            self.quiet_looks = 0;
            self.free_large_spare();
            self.ask_to_shrink();
        }
    }

    fn free_large_spare(&mut self) {
        if let Some(spare) = self.shared.reader.spare.take_back() {
            // SAFETY: having taken the spare we are the only one to know it, and it has not been freed.
            if unsafe { spare.as_ref() }.is_small() {
                self.shared.reader.spare.put(spare);
            } else {
                // SAFETY: as above, and we forget it here.
                unsafe { Segment::free(spare) };
            }
        }
    }

    fn ask_to_shrink(&mut self) {
        // SAFETY: the segment that we are in is alive until we leave it.
        self.is_shrinking = self
            .segment
            .is_some_and(|segment| !unsafe { segment.as_ref() }.is_small());
        // Relaxed: a request about sizes, which orders nothing and may come late.
        self.shared.reader.shrink.store(true, Relaxed);
    }
}

impl<T> fmt::Debug for ChainConsumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainConsumer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for ChainConsumer<T> {
    fn drop(&mut self) {
        // Relaxed: the reference count orders both before `Shared::drop`, which begins where these say. The producer
        // wrote `first` before the value that led us to a segment and does not write it again.
        self.shared.reader.head.store(self.head, Relaxed);
        if let Some(segment) = self.segment {
            self.shared.writer.first.store(segment.as_ptr(), Relaxed);
        }
        // Release: whoever observes it in `ChainProducer::is_abandoned` also observes our last reads.
        self.shared.reader.gone.store(true, Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
