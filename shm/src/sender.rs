//! The writing end: the only producer of our ring.

#[cfg(loom)]
mod faulty;
mod room;

use std::{fmt, sync::Arc};

#[cfg(not(loom))]
use ringmq_queue::stable::Foreign;
use ringmq_queue::sync::Ordering::{Relaxed, Release};

#[cfg(not(loom))]
use crate::memory::{Area, HeaderRef};
#[cfg(loom)]
use crate::model::{Area, HeaderRef};
use crate::{
    error::Violation,
    fence::Light,
    layout::CLOSED,
    link::Link,
    pool::Chunk,
    record::{
        ABORT, BODY, CHUNK, CHUNK_LEN, FIRST, HEADER_LEN, LAST, MORE, PIECE, STREAMED_BIT, TOTAL_LEN, size,
        word,
    },
};

/// The writing end of a connection.
///
/// Parts are written with one of the `write` methods and seen by the peer after [`publish`](Self::publish), all at once.
/// Nothing here blocks; who has to wait for room [asks](Self::ask_for_room) to be woken.
///
/// `Send`, but for one thread at a time, and only in the process that joined the connection: after `fork` the child has
/// none of its memory and must not use or drop it otherwise than by exiting or executing another program. Dropping it
/// leaves what was published to the peer.
pub struct Sender {
    /// Where the next record begins.
    staged: u64,
    /// A record that ends here or before needs no look at anything: it fits before the peer's head and before the end of
    /// the ring. Zero sends every write the slow way.
    clear_to: u64,
    area: Area,
    ring_at: usize,
    ring_mask: u64,
    body_max: usize,
    /// The last record belongs to a message that is not complete.
    open: bool,
    /// Publishing has to do more than to move the tail: there are lent chunks to note, or a streamed message ends.
    has_chores: bool,
    /// What the peer sees.
    tail: u64,
    /// Where the message that was begun last begins.
    message_at: u64,
    /// Whole messages staged, and published.
    counted: u64,
    written: u64,
    light: Light,
    own_words: HeaderRef,
    their_words: HeaderRef,
    link: Arc<Link>,
    /// What was published ends in the middle of a message.
    streaming: bool,
    /// A body is written in pieces, and some are missing.
    in_pieces: bool,
    /// A streamed message was rolled back, and the peer has not been told.
    owes_abort: bool,
    is_asking: bool,
    /// The peer's words as they were last read.
    seen_head: u64,
    seen_taken: u64,
    seen_returned: u64,
    /// First blocks of the chunks that the peer has, and of those that it will have.
    lent: u64,
    lent_staged: u64,
    violation: Option<Violation>,
}

// SAFETY: the handle owns the ring's writing end: no other handle stages or publishes. The pointers lead into mappings that
// `link` keeps, where everything shared is atomic.
unsafe impl Send for Sender {}

impl Sender {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        let geometry = &link.own.geometry;
        Self {
            staged: 0,
            clear_to: geometry.ring_len as u64,
            area: link.own.map.area(),
            ring_at: geometry.ring_at,
            ring_mask: geometry.ring_len as u64 - 1,
            body_max: geometry.body_max(),
            open: false,
            has_chores: false,
            tail: 0,
            message_at: 0,
            counted: 0,
            written: 0,

            light: link.light,
            own_words: link.own.map.header(),
            their_words: link.theirs.header(),
            streaming: false,
            in_pieces: false,
            owes_abort: false,
            is_asking: false,
            seen_head: 0,
            seen_taken: 0,
            seen_returned: 0,
            lent: 0,
            lent_staged: 0,
            violation: None,
            link,
        }
    }

    /// The longest body that is copied into the ring, in bytes; longer ones go through the pool.
    pub fn body_max(&self) -> usize {
        self.body_max
    }

    /// The longest body that the pool holds, in bytes; longer ones are written in pieces.
    pub fn chunk_max(&self) -> usize {
        self.link.own.geometry.pool_len()
    }

    /// Writes one part; the peer does not see it yet. `more` says that another part of the same message follows.
    ///
    /// The body is copied, into the ring if it is short and into a chunk if not. False if there is no room now, or if the
    /// body is longer than both; then nothing was written. [`write_pieces`](Self::write_pieces) takes any length.
    #[inline]
    pub fn write(&mut self, body: &[u8], more: bool) -> bool {
        let end = self.staged + size(body.len());
        if body.len() > self.body_max || end > self.clear_to {
            return self.write_slowly(body, more);
        }
        self.put_body(body, more);
        true
    }

    #[cold]
    #[inline(never)]
    fn write_slowly(&mut self, body: &[u8], more: bool) -> bool {
        if !self.settle() {
            return false;
        }
        if body.len() > self.body_max {
            return self.write_copy(body, more);
        }
        if !self.reserve(size(body.len())) {
            return false;
        }
        self.put_body(body, more);
        true
    }

    /// Writes a part into the ring, for which there is room.
    #[inline(always)]
    fn put_body(&mut self, body: &[u8], more: bool) {
        let at = self.offset(self.staged);
        // SAFETY: the caller has made sure that the record lies before `clear_to`, so it is within the ring and not the
        // peer's to read. Positions are multiples of eight.
        unsafe {
            self.area.store_word(at, word(BODY, u64::from(more), body.len()));
            failpoint!("header written");
            self.area.write(at + HEADER_LEN, body);
        }
        failpoint!("record written");
        self.advance(size(body.len()), more);
    }

    /// Writes a long part into a chunk.
    fn write_copy(&mut self, body: &[u8], more: bool) -> bool {
        // The record last: what fills the ring up to its end must be followed by one.
        if !self.has_run(body.len()) || !self.reserve(size(CHUNK_LEN)) {
            return false;
        }
        let Some((first, count)) = self.take_run(body.len()) else {
            unreachable!("only the sender takes blocks, and it has just seen some");
        };
        failpoint!("chunk taken");
        let geometry = &self.link.own.geometry;
        // SAFETY: the run lies in our pool and was free a moment ago, so nobody else has it.
        unsafe {
            self.area
                .write(geometry.pool_at + first * geometry.block_len, body)
        };
        failpoint!("chunk written");
        self.put_chunk(first, count, body.len(), more);
        true
    }

    /// Sends a [loan](Self::loan). Nothing is copied; the memory is free again when the peer has dropped it.
    ///
    /// # Errors
    ///
    /// The chunk itself, if there is no room for its record now, or if it belongs to another connection.
    pub fn write_chunk(&mut self, chunk: Chunk, more: bool) -> Result<(), Chunk> {
        if !chunk.is_of(&self.link.own) || !self.settle() || !self.reserve(size(CHUNK_LEN)) {
            return Err(chunk);
        }
        let (first, count, len) = chunk.into_run();
        self.put_chunk(first, count, len, more);
        Ok(())
    }

    /// Writes the record of a chunk, for which there is room.
    fn put_chunk(&mut self, first: usize, count: usize, len: usize, more: bool) {
        self.lent_staged |= 1 << first;
        self.has_chores = true;
        let at = self.offset(self.staged);
        // SAFETY: `reserve` has been asked for a record of this size.
        unsafe {
            self.area.store_word(at, word(CHUNK, u64::from(more), CHUNK_LEN));
            self.area
                .store_word(at + HEADER_LEN, first as u64 | (count as u64) << 32);
            self.area.store_word(at + HEADER_LEN + 8, len as u64);
        }
        self.advance(size(CHUNK_LEN), more);
    }

    /// Writes and publishes as much of `body[*done..]` as fits now. True when all of it is written.
    ///
    /// Begin with `*done` zero and call again with the same body and flag, and nothing else in between, when there is room:
    /// [`has_room`](Self::has_room) says so meanwhile for any length. The last piece is not published, so that the end of
    /// the message is one [`publish`](Self::publish), as for any other. [`rollback`](Self::rollback) gives up.
    pub fn write_pieces(&mut self, body: &[u8], done: &mut usize, more: bool) -> bool {
        if *done == 0 && body.len() <= self.body_max {
            let written = self.write(body, more);
            *done = if written { body.len() } else { 0 };
            return written;
        }
        if !self.in_pieces {
            *done = 0;
        }
        while *done < body.len() {
            if !self.settle() || !self.write_piece(body, done, more) {
                self.in_pieces = *done > 0;
                self.stream();
                return false;
            }
            if *done < body.len() {
                // The peer may begin to copy while we do.
                self.stream();
            }
        }
        self.in_pieces = false;
        true
    }

    /// Writes the next slice of a body.
    fn write_piece(&mut self, body: &[u8], done: &mut usize, more: bool) -> bool {
        let prefix = if *done == 0 { TOTAL_LEN } else { 0 };
        let slice = (body.len() - *done).min(self.body_max - prefix);
        let is_last = *done + slice == body.len();
        if !self.reserve(size(prefix + slice)) {
            return false;
        }
        let flags = (u64::from(more) * MORE) | (u64::from(*done == 0) * FIRST) | (u64::from(is_last) * LAST);
        let at = self.offset(self.staged);
        // SAFETY: `reserve` has been asked for a record of this size.
        unsafe {
            self.area.store_word(at, word(PIECE, flags, prefix + slice));
            if prefix > 0 {
                self.area.store_word(at + HEADER_LEN, body.len() as u64);
            }
            self.area
                .write(at + HEADER_LEN + prefix, &body[*done..*done + slice]);
        }
        failpoint!("piece written");
        *done += slice;
        self.advance(size(prefix + slice), more || !is_last);
        true
    }

    /// Accounts for a record that has just been written.
    #[inline(always)]
    fn advance(&mut self, size: u64, open: bool) {
        if !self.open {
            self.message_at = self.staged;
        }
        self.open = open;
        self.counted += u64::from(!open);
        self.staged += size;
    }

    /// Makes everything written visible to the peer at once, and wakes it if it sleeps for that.
    ///
    /// Call it when a message is complete; in the middle of one it does the same as [`stream`](Self::stream). Never blocks.
    #[inline]
    pub fn publish(&mut self) {
        if self.open || self.has_chores {
            return self.publish_carefully();
        }
        self.move_tail();
    }

    /// Publishes what there is of the message in progress, because the rest does not fit now.
    ///
    /// The peer is told that the message may be incomplete, and collects its parts before it hands them on.
    pub fn stream(&mut self) {
        self.publish_carefully();
    }

    #[cold]
    #[inline(never)]
    fn publish_carefully(&mut self) {
        if self.staged == self.tail {
            return;
        }
        if self.open && self.message_at >= self.tail {
            let at = self.offset(self.message_at);
            // SAFETY: the record was written there, and is at or after the tail, so the peer does not read it yet.
            unsafe { self.area.store_word(at, self.area.load_word(at) | STREAMED_BIT) };
        }
        failpoint!("marked");
        self.streaming = self.open;
        self.has_chores = self.open;
        self.lent |= self.lent_staged;
        self.lent_staged = 0;
        self.move_tail();
    }

    #[inline(always)]
    fn move_tail(&mut self) {
        let from = self.tail;
        self.tail = self.staged;
        self.written = self.counted;
        let link = &self.link;
        // SAFETY: `link` keeps both mappings.
        let (ours, theirs) = unsafe { (self.own_words.get(), self.their_words.get()) };
        failpoint!("before the tail");
        // Release: the records come before the position, which the peer loads in `Receiver::load_tail`.
        ours.publish.tail.store(self.tail, Release);
        failpoint!("after the tail");
        // Partner: `heavy_fence` between the peer's `arm` and its second look.
        self.light.fence();
        let data_at = theirs.want_data.data_at.load(Relaxed);
        // The peer sleeps at a position that we have just passed.
        if data_at.wrapping_sub(from) < self.tail - from {
            ring(link);
        }
    }

    /// Takes back everything that was written and not published, chunks included.
    ///
    /// If some of the message in progress was published already, the peer is told to forget it; if there is no room to say
    /// so now, then before anything else is written.
    pub fn rollback(&mut self) {
        for first in bits(self.lent_staged) {
            let free = &self.link.own.free;
            free.insert(first, free.count(first));
        }
        self.lent_staged = 0;
        self.staged = self.tail;
        self.counted = self.written;
        self.open = false;
        self.in_pieces = false;
        self.has_chores = false;
        self.clear_to = 0;
        self.owes_abort |= self.streaming;
        self.streaming = false;
        self.settle();
    }

    /// What has to come before anything else: false if it cannot be done now, or never.
    fn settle(&mut self) -> bool {
        if self.violation.is_some() {
            return false;
        }
        if self.owes_abort {
            if !self.reserve(size(0)) {
                return false;
            }
            let at = self.offset(self.staged);
            // SAFETY: `reserve` has been asked for a record of this size.
            unsafe { self.area.store_word(at, word(ABORT, 0, 0)) };
            self.staged += size(0);
            self.owes_abort = false;
            self.move_tail();
        }
        true
    }

    /// How many whole messages have been published.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether an address lies in the pool, so that it may be one of our [chunks](Chunk).
    #[cfg(not(loom))]
    pub fn owns(&self, address: *const u8) -> bool {
        let geometry = &self.link.own.geometry;
        // SAFETY: the pool lies in the mapping.
        let pool = unsafe { self.area.address(geometry.pool_at) };
        address.addr().wrapping_sub(pool.addr()) < geometry.pool_len()
    }

    /// Recognises a [chunk](Chunk) of this pool that was given away as foreign memory, and perhaps shortened since. Anything
    /// else is returned as it was.
    ///
    /// # Errors
    ///
    /// It is not a chunk of this pool.
    #[cfg(not(loom))]
    pub fn reclaim(&self, foreign: Foreign) -> Result<Chunk, Foreign> {
        Chunk::reclaim(foreign, &self.link.own)
    }

    /// A free part of the pool of `len` bytes, to be filled and sent with [`write_chunk`](Self::write_chunk).
    ///
    /// `None` if there is no such part now, or if `len` is zero or more than [`chunk_max`](Self::chunk_max). The bytes are
    /// zero or what was sent to the same peer before.
    pub fn loan(&mut self, len: usize) -> Option<Chunk> {
        if self.violation.is_some() {
            return None;
        }
        let (first, count) = self.take_run(len)?;
        Some(Chunk::new(Arc::clone(&self.link.own), first, count, len))
    }

    /// Says that nothing will be written any more, and wakes the peer.
    ///
    /// What was written and not published is taken back.
    pub fn close(&mut self) {
        self.rollback();
        // SAFETY: `link` keeps the mapping.
        let ours = unsafe { self.own_words.get() };
        // Release: the last tail comes before, for the load in `Receiver::peer_closed`.
        ours.state.state.store(CLOSED, Release);
        ring(&self.link);
    }

    /// Where in the segment a position of the ring lies.
    #[inline(always)]
    fn offset(&self, position: u64) -> usize {
        self.ring_at + (position & self.ring_mask) as usize
    }
}

/// Kept out of the caller's way: it happens once per sleep of the peer.
#[cold]
#[inline(never)]
fn ring(link: &Link) {
    failpoint!("before ringing for data");
    link.ringer.ring();
    failpoint!("after ringing for data");
}

/// The numbers of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("written", &self.written)
            .field("tail", &self.tail)
            .field("staged", &self.staged)
            .finish_non_exhaustive()
    }
}
