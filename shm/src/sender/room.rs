//! Room: what the peer has given back, and waiting for more.

use ringmq_queue::sync::{
    Ordering::{Acquire, Relaxed},
    fence,
};

use super::{Sender, bits};
use crate::{
    error::Violation,
    layout::{NEVER, first_run},
    record::{CHUNK_LEN, HEADER_LEN, PAD, size, word},
};

impl Sender {
    /// Whether a one-part message with a body of `len` bytes can be written now.
    ///
    /// For a body that does not fit the ring as one record that means a chunk, or, so that a peer which keeps its chunks
    /// cannot stop us, that half of the ring is free for [`write_pieces`](Self::write_pieces) to begin. In the middle of a
    /// body in pieces it means half of the ring, whatever `len` is.
    ///
    /// Reads the peer's words only when what was seen of them is used up.
    ///
    /// # Errors
    ///
    /// The peer's words are impossible.
    #[inline]
    pub fn has_room(&mut self, len: usize) -> Result<bool, Violation> {
        if len <= self.body_max && self.staged + size(len) <= self.clear_to {
            return Ok(true);
        }
        self.finds_room(len)
    }

    #[cold]
    #[inline(never)]
    fn finds_room(&mut self, len: usize) -> Result<bool, Violation> {
        let fits = self.settle()
            && if self.in_pieces {
                self.is_half_free()
            } else if len <= self.body_max {
                self.fits(size(len))
            } else {
                (self.fits(size(CHUNK_LEN)) && self.has_run(len)) || self.is_half_free()
            };
        match self.violation {
            Some(violation) => Err(violation),
            None => Ok(fits),
        }
    }

    /// Has the peer wake us when it has taken `taken_at` messages and there is [room](Self::has_room) for `len` bytes.
    ///
    /// Run [`heavy_fence`](crate::heavy_fence) afterwards, look once more ([`has_room`](Self::has_room),
    /// [`taken`](Self::taken)), and then sleep on the [`Bell`](crate::Bell) or [stop asking](Self::stop_asking). Wake-ups may
    /// be spurious: look again, and ask again. Write nothing in between. Never blocks.
    ///
    /// # Errors
    ///
    /// The peer's words were impossible; it would never wake us.
    pub fn ask_for_room(&mut self, taken_at: u64, len: usize) -> Result<(), Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        let needs_half = self.in_pieces || self.owes_abort || len > self.body_max;
        let head_at = if needs_half {
            self.staged.saturating_sub(self.ring_len() / 2)
        } else {
            self.end_of(size(len)).saturating_sub(self.ring_len())
        };
        let needs_chunk = len > self.body_max && !self.in_pieces;
        // SAFETY: `link` keeps the mapping.
        let ours = unsafe { self.own_words.get() };
        // Relaxed: the caller's fence orders them before its second look.
        ours.want_room.head.store(head_at, Relaxed);
        ours.want_room.taken.store(taken_at, Relaxed);
        ours.want_returns.armed.store(u64::from(needs_chunk), Relaxed);
        self.is_asking = true;
        failpoint!("asked");
        Ok(())
    }

    /// Takes [`ask_for_room`](Self::ask_for_room) back. Harmless when nothing was asked.
    pub fn stop_asking(&mut self) {
        if !std::mem::take(&mut self.is_asking) {
            return;
        }
        // SAFETY: `link` keeps the mapping.
        let ours = unsafe { self.own_words.get() };
        // Relaxed: at worst the peer wakes us once more.
        ours.want_room.head.store(NEVER, Relaxed);
        ours.want_room.taken.store(NEVER, Relaxed);
        ours.want_returns.armed.store(0, Relaxed);
    }

    /// How many whole messages the peer says it has taken: never less than before, never more than were published.
    ///
    /// # Errors
    ///
    /// It says something else.
    pub fn taken(&mut self) -> Result<u64, Violation> {
        self.check()?;
        // SAFETY: `link` keeps the mapping.
        let theirs = unsafe { self.their_words.get() };
        // Relaxed: no memory is touched on the strength of this number.
        let taken = theirs.release.taken.load(Relaxed);
        if taken < self.seen_taken || taken > self.written {
            return Err(self.poison(Violation::Taken));
        }
        self.seen_taken = taken;
        Ok(taken)
    }

    /// Whether the peer has taken everything that was published.
    ///
    /// # Errors
    ///
    /// The peer's words are impossible.
    pub fn is_drained(&mut self) -> Result<bool, Violation> {
        let taken = self.taken()?;
        self.refresh_head();
        self.check()?;
        Ok(taken == self.written && self.seen_head == self.tail)
    }

    /// Makes room for a record of `size` bytes at `staged`, if need be by filling the ring up to its end.
    pub(super) fn reserve(&mut self, size: u64) -> bool {
        if !self.fits(size) {
            return false;
        }
        let lap_end = self.lap_end();
        if self.staged + size > lap_end {
            let at = self.offset(self.staged);
            let len = (lap_end - self.staged) as usize - HEADER_LEN;
            // SAFETY: the record will lie behind this one, so there is room for both before the peer's head. Positions
            // are multiples of eight, so that there is room for a header word before the end of the ring.
            unsafe { self.area.store_word(at, word(PAD, 0, len)) };
            failpoint!("padded");
            self.staged = lap_end;
        }
        self.clear_to = self.lap_end().min(self.seen_head + self.ring_len());
        true
    }

    /// Whether there is room for a record of `size` bytes.
    fn fits(&mut self, size: u64) -> bool {
        let end = self.end_of(size);
        self.is_given_back(end.saturating_sub(self.ring_len()))
    }

    /// Whether the peer has read up to `position`, looking at its word only if that is not known.
    fn is_given_back(&mut self, position: u64) -> bool {
        if position > self.seen_head {
            self.refresh_head();
        }
        position <= self.seen_head
    }

    /// Where a record of `size` bytes would end, if it were written now.
    fn end_of(&self, size: u64) -> u64 {
        let lap_end = self.lap_end();
        if self.staged + size > lap_end {
            lap_end + size
        } else {
            self.staged + size
        }
    }

    /// Whether half of the ring is free. That is room for some slices of any body, with what is lost at the ring's end.
    fn is_half_free(&mut self) -> bool {
        self.is_given_back(self.staged.saturating_sub(self.ring_len() / 2))
    }

    /// The position at which the ring begins again.
    fn lap_end(&self) -> u64 {
        (self.staged | self.ring_mask) + 1
    }

    fn ring_len(&self) -> u64 {
        self.ring_mask + 1
    }

    /// Loads how far the peer has read.
    fn refresh_head(&mut self) {
        // SAFETY: `link` keeps the mapping.
        let theirs = unsafe { self.their_words.get() };
        // Acquire: the peer's reads of the bytes that it gives back come before our writes. By a fence, because the
        // mapping is read-only, where only relaxed loads are promised to be loads.
        let head = theirs.release.head.load(Relaxed);
        fence(Acquire);
        if head < self.seen_head || head > self.tail || !head.is_multiple_of(8) {
            self.poison(Violation::Head);
            return;
        }
        self.seen_head = head;
    }

    /// Whether there is a chunk for `len` bytes.
    pub(super) fn has_run(&mut self, len: usize) -> bool {
        let count = self.blocks_for(len);
        first_run(self.link.own.free.get(), count).is_some()
            || (self.collect_returns() && first_run(self.link.own.free.get(), count).is_some())
    }

    /// Takes a run of blocks for `len` bytes out of the free ones: its first block and their number.
    pub(super) fn take_run(&mut self, len: usize) -> Option<(usize, usize)> {
        if !self.has_run(len) {
            return None;
        }
        let count = self.blocks_for(len);
        let free = &self.link.own.free;
        let first = first_run(free.get(), count)?;
        free.remove(first, count);
        free.set_count(first, count);
        Some((first, count))
    }

    /// How many blocks `len` bytes take; no pool has as many as it says for a body that is too long.
    fn blocks_for(&self, len: usize) -> usize {
        len.div_ceil(self.link.own.geometry.block_len)
    }

    /// Frees the chunks that the peer has given back. False if it gave back what it does not have.
    fn collect_returns(&mut self) -> bool {
        // SAFETY: `link` keeps the mapping.
        let theirs = unsafe { self.their_words.get() };
        // Acquire: the peer's reads of the chunks come before our writes; see `refresh_head` for the fence.
        let returned = theirs.returned.blocks.load(Relaxed);
        fence(Acquire);
        let fresh = returned ^ self.seen_returned;
        if fresh & !self.lent != 0 {
            self.poison(Violation::Returned);
            return false;
        }
        for first in bits(fresh) {
            let free = &self.link.own.free;
            free.insert(first, free.count(first));
        }
        self.lent &= !fresh;
        self.seen_returned = returned;
        true
    }

    fn check(&self) -> Result<(), Violation> {
        self.violation.map_or(Ok(()), Err)
    }

    /// Notes that the peer cannot be relied on. From now on every write takes the slow way, where it fails.
    fn poison(&mut self, violation: Violation) -> Violation {
        self.violation = Some(violation);
        self.clear_to = 0;
        violation
    }
}
