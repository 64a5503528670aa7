//! The reading end: the only consumer of the peer's ring.

#[cfg(loom)]
mod faulty;
mod take;

use std::{fmt, marker::PhantomData, mem::MaybeUninit, sync::Arc};

use ringmq_queue::{
    stable::FillBytes,
    sync::{
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};

#[cfg(not(loom))]
use crate::memory::{Area, HeaderRef};
#[cfg(loom)]
use crate::model::{Area, HeaderRef};
use crate::{
    error::Violation,
    fence::Light,
    layout::{CLOSED, NEVER},
    link::Link,
    pool::Lent,
    record::{HEADER_LEN, MORE_BIT, PLAIN, Word, size},
};

/// The peer is told when this part of the ring has been taken.
const RELEASE_PART: u64 = 4;
/// How many messages may be taken before the peer is told, at most.
const RELEASE_MESSAGES: u64 = 256;

/// The reading end of a connection.
///
/// Nothing here blocks; who has to wait for data [arms](Self::arm). Every word of the peer is loaded once, checked, and
/// used from a private copy. After a [`Violation`] every call reports it again.
///
/// `Send`, but for one thread at a time, and only in the process that joined the connection, as for
/// [`Sender`](crate::Sender).
pub struct Receiver {
    /// Where the next record begins.
    head: u64,
    /// An ordinary record that ends here or before is whole: it lies before the peer's tail and before the end of the
    /// ring. Zero sends every record the slow way.
    clear_to: u64,
    area: Area,
    ring_at: usize,
    ring_mask: u64,
    body_max: usize,
    /// The last record belongs to a message that is not complete.
    open: bool,
    /// Whole messages taken.
    taken: u64,
    /// The peer is told when the head or the count gets here.
    release_head_at: u64,
    release_taken_at: u64,
    /// How many messages lie between two such counts.
    release_messages: u64,
    /// The peer's tail when it was last read.
    seen_tail: u64,
    light: Light,
    own_words: HeaderRef,
    their_words: HeaderRef,
    link: Arc<Link>,
    /// What the peer has been told.
    released: u64,
    released_taken: u64,
    /// The message in progress may be incomplete in the ring.
    streaming: bool,
    /// Of a body in pieces: its length, and what is missing of it.
    total: u64,
    missing: u64,
    violation: Option<Violation>,
}

// SAFETY: the handle owns the ring's reading end: no other handle moves the head. The pointers lead into mappings that
// `link` keeps, where everything shared is atomic or copied.
unsafe impl Send for Receiver {}

/// What [`Receiver::next`] found.
#[derive(Debug)]
pub struct Record<'a> {
    /// Another part of the same message follows.
    pub more: bool,
    /// This begins a message of which the rest may not be there yet, or never come. All parts of any other message are.
    pub streamed: bool,
    /// What it is.
    pub body: Body<'a>,
}

/// What a record brings.
#[derive(Debug)]
pub enum Body<'a> {
    /// A part, in the ring.
    Bytes(SharedBytes<'a>),
    /// A part, in the peer's pool.
    Lent(Lent),
    /// A slice of a part that is longer than either. Slices come in order, without anything in between.
    Piece {
        /// The slice.
        bytes: SharedBytes<'a>,
        /// How long the whole part is said to be; not more than this will come. Compare it with a limit before relying
        /// on it.
        total: u64,
        /// This is the first slice.
        first: bool,
        /// This is the last slice; `more` is about the part as a whole.
        last: bool,
    },
    /// The message in progress will not be completed: forget its parts.
    Abort,
}

/// Bytes in the peer's memory, which may change at any time, so that they can only be copied.
#[derive(Clone, Copy)]
pub struct SharedBytes<'a> {
    area: Area,
    at: usize,
    len: usize,
    memory: PhantomData<&'a Receiver>,
}

impl SharedBytes<'_> {
    /// How many bytes there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies the bytes as they are now, and returns the copy.
    ///
    /// # Panics
    ///
    /// If `to` is not [`len`](Self::len) bytes long.
    #[inline(always)]
    pub fn copy_to<'t>(&self, to: &'t mut [MaybeUninit<u8>]) -> &'t mut [u8] {
        assert_eq!(to.len(), self.len, "a copy of another length");
        // SAFETY: the bytes lie in the peer's ring, which `Receiver::next` made sure of. The lifetime keeps the receiver
        // and with it the mapping.
        unsafe { self.area.read(self.at, to.as_mut_ptr().cast(), self.len) };
        // SAFETY: all bytes have just been initialised.
        unsafe { &mut *(&raw mut *to as *mut [u8]) }
    }
}

// SAFETY: `fill` initialises all bytes or panics, and the length never changes.
unsafe impl FillBytes for SharedBytes<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn fill(&self, to: &mut [MaybeUninit<u8>]) {
        self.copy_to(to);
    }
}

impl fmt::Debug for SharedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBytes({} B)", self.len)
    }
}

impl Receiver {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        let geometry = &link.their_geometry;
        Self {
            head: 0,
            clear_to: 0,
            area: link.theirs.area(),
            ring_at: geometry.ring_at,
            ring_mask: geometry.ring_len as u64 - 1,
            body_max: geometry.body_max(),
            open: false,
            taken: 0,
            release_head_at: geometry.ring_len as u64 / RELEASE_PART,
            release_taken_at: RELEASE_MESSAGES,
            release_messages: RELEASE_MESSAGES,
            seen_tail: 0,
            light: link.light,
            own_words: link.own.map.header(),
            their_words: link.theirs.header(),
            released: 0,
            released_taken: 0,
            streaming: false,
            total: 0,
            missing: 0,
            violation: None,
            link,
        }
    }

    /// Tells the peer after so many messages that they were taken, instead of after 256, the most: for a peer that waits
    /// when a smaller number is under way.
    pub fn release_every(&mut self, messages: u64) {
        self.release_messages = messages.clamp(1, RELEASE_MESSAGES);
        self.release_taken_at = self.released_taken + self.release_messages;
    }

    /// Takes the next record; `None` if there is none now.
    ///
    /// The room of the records before it goes back to the peer now and then: after a quarter of the ring or 256 messages.
    /// Call [`release`](Self::release) before waiting. Never blocks, and does a bounded amount of work.
    ///
    /// # Errors
    ///
    /// What the peer published is not a record.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it lends")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Violation> {
        // Records taken earlier are not borrowed any more.
        if self.head >= self.release_head_at || self.taken >= self.release_taken_at {
            self.release();
        }
        if self.head == self.seen_tail && !self.finds_data()? {
            return Ok(None);
        }
        let at = self.offset(self.head);
        // SAFETY: the head is before the tail and a multiple of eight, so there is a word in the ring.
        let word = unsafe { self.area.load_word(at) };
        let len = Word(word).len();
        let end = self.head + size(len);
        if (word & !MORE_BIT) >> 32 != PLAIN >> 32 || len > self.body_max || end > self.clear_to {
            return self.take(Word(word));
        }
        let more = word & MORE_BIT != 0;
        self.head = end;
        self.open = more;
        self.taken += u64::from(!more);
        Ok(Some(Record {
            more,
            streamed: false,
            body: Body::Bytes(self.bytes(at + HEADER_LEN, len)),
        }))
    }

    /// Whether a record is there, or a violation to be reported by [`next`](Self::next).
    ///
    /// Meant to be polled: one load when there is nothing.
    #[inline]
    pub fn has_data(&mut self) -> bool {
        self.head != self.seen_tail || self.load_tail() != self.head || self.violation.is_some()
    }

    /// Whether the next record is there, is a part in the ring, and belongs to a message that is whole.
    ///
    /// False says nothing: [`next`](Self::next) may still find something, or a violation. Costs little more than
    /// [`has_data`](Self::has_data).
    #[inline]
    pub fn has_plain(&mut self) -> bool {
        if self.head == self.seen_tail && self.finds_data() != Ok(true) {
            return false;
        }
        // SAFETY: the head is before the tail and a multiple of eight, so there is a word in the ring.
        let word = unsafe { self.area.load_word(self.offset(self.head)) };
        (word & !MORE_BIT) >> 32 == PLAIN >> 32
    }

    /// Gives the room of everything taken back to the peer, and wakes it if it sleeps for that.
    ///
    /// Call it before waiting. Never blocks; costs nothing if nothing was taken since.
    pub fn release(&mut self) {
        let (head, taken) = (self.released, self.released_taken);
        if (head, taken) == (self.head, self.taken) {
            return;
        }
        self.released = self.head;
        self.released_taken = self.taken;
        self.release_head_at = self.head + (self.ring_mask + 1) / RELEASE_PART;
        self.release_taken_at = self.taken + self.release_messages;
        // SAFETY: `link` keeps both mappings.
        let (ours, theirs) = unsafe { (self.own_words.get(), self.their_words.get()) };
        failpoint!("before the release");
        ours.release.taken.store(self.taken, Relaxed);
        failpoint!("half released");
        // Release: our reads of the records come before the position, which the peer loads in `Sender::refresh_head`.
        ours.release.head.store(self.head, Release);
        failpoint!("after the release");
        // Partner: `heavy_fence` between the peer's `ask_for_room` and its second look.
        self.light.fence();
        let head_at = theirs.want_room.head.load(Relaxed);
        let taken_at = theirs.want_room.taken.load(Relaxed);
        let is_enough = |head: u64, taken: u64| head >= head_at && taken >= taken_at;
        // The peer sleeps for what we have just passed.
        if is_enough(self.head, self.taken) && !is_enough(head, taken) {
            failpoint!("before ringing for room");
            self.link.ringer.ring();
            failpoint!("after ringing for room");
        }
    }

    /// Has the peer wake us when it publishes.
    ///
    /// Run [`heavy_fence`](crate::heavy_fence) afterwards, look once more ([`has_data`](Self::has_data)), and then sleep on
    /// the [`Bell`](crate::Bell) or [disarm](Self::disarm). [Release](Self::release) before. Never blocks.
    pub fn arm(&mut self) {
        // SAFETY: `link` keeps the mapping.
        let ours = unsafe { self.own_words.get() };
        // Relaxed: the caller's fence orders it before the second look.
        ours.want_data.data_at.store(self.seen_tail, Relaxed);
        failpoint!("armed");
    }

    /// Takes [`arm`](Self::arm) back. Harmless when not armed.
    pub fn disarm(&mut self) {
        // SAFETY: `link` keeps the mapping.
        let ours = unsafe { self.own_words.get() };
        // Relaxed: at worst the peer wakes us once more.
        ours.want_data.data_at.store(NEVER, Relaxed);
    }

    /// Whether the peer has said that it will write no more. What it published before can still be taken, and is visible
    /// after this returned true.
    pub fn peer_closed(&self) -> bool {
        // SAFETY: `link` keeps the mapping.
        let theirs = unsafe { self.their_words.get() };
        let state = theirs.state.state.load(Relaxed);
        // Acquire: the last tail comes before; see `load_tail` for the fence.
        fence(Acquire);
        state == CLOSED
    }

    #[inline(always)]
    fn load_tail(&self) -> u64 {
        // SAFETY: `link` keeps the mapping.
        let theirs = unsafe { self.their_words.get() };
        let tail = theirs.publish.tail.load(Relaxed);
        // Acquire: the peer wrote the records before. By a fence, because the mapping is read-only, where only relaxed
        // loads are promised to be loads.
        fence(Acquire);
        tail
    }

    #[inline(always)]
    fn bytes(&self, at: usize, len: usize) -> SharedBytes<'_> {
        SharedBytes {
            area: self.area,
            at,
            len,
            memory: PhantomData,
        }
    }

    /// Where in the segment a position of the ring lies.
    #[inline(always)]
    fn offset(&self, position: u64) -> usize {
        self.ring_at + (position & self.ring_mask) as usize
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("taken", &self.taken)
            .field("head", &self.head)
            .field("seen_tail", &self.seen_tail)
            .finish_non_exhaustive()
    }
}
