//! The writing end of a ring of frames.

use std::{fmt, ptr::NonNull};

use ringmq_queue::{
    barrier::light_fence,
    copy::copy_at_most_64,
    sync::{
        Arc,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use super::{
    MARK_SPACING, REFERENCE_BODY_MIN, Shared,
    chunk::{BODY_UNITS, CHUNK_LEN_MAX, CHUNK_LEN_MIN, Chunk, DATA, UNIT, Word},
    rest,
};
use crate::message::Message;

/// Bytes that are always left between the frames and the notes: a commit writes two marks at most, and the mark that
/// leaving a chunk may write is never needed after both.
const SLACK: usize = 2 * UNIT;

/// The longest header of a frame.
const HEADER_LEN_MAX: usize = 64;

/// The writing end: stages frames and commits them as whole messages. No call blocks, and none wakes the reader.
///
/// Dropping it discards what is staged; what is committed stays for the reader.
pub struct WireWriter {
    /// Where the next frame byte goes.
    cursor: NonNull<u8>,
    /// Where it goes after a rollback. Equal to `cursor` if nothing is staged.
    committed: NonNull<u8>,
    /// Frames of the current chunk end here at most; it may lie before `cursor` if notes took the room.
    limit: usize,
    /// A commit up to this address is only a store; beyond it, notes are due. 0 if notes or chunks are staged.
    due: usize,
    /// What is published of `tail`.
    word: Word,
    /// The last chunk that the reader knows of.
    tail: NonNull<Chunk>,
    messages: u64,
    /// The chunk that is being written: `tail`, or the last staged one.
    chunk: NonNull<Chunk>,
    /// The first chunk behind `tail`, not linked yet.
    staged: Option<NonNull<Chunk>>,
    staged_chunks: u32,
    /// Units of notes in `chunk`, staged ones included.
    units: usize,
    /// Offset of the last committed mark in `tail`, or 0.
    mark: usize,
    /// The boundary before the staged message has got a mark since the last commit.
    start_marked: bool,
    /// Chunks given to the reader, modulo 2^32.
    linked: u32,
    /// Length of the chunk allocated last.
    chunk_len: usize,
    shared: Arc<Shared>,
}

// SAFETY: the chunks that the pointers lead to are kept alive by the protocol with the reader, not by a thread; blocks and
// messages may be used on any thread.
unsafe impl Send for WireWriter {}

impl WireWriter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let root = shared.root;
        Self {
            cursor: root.cast(),
            committed: root.cast(),
            limit: 0,
            due: usize::MAX,
            word: Word::EMPTY,
            tail: root,
            messages: 0,
            chunk: root,
            staged: None,
            staged_chunks: 0,
            units: 0,
            mark: 0,
            start_marked: false,
            linked: 0,
            chunk_len: CHUNK_LEN_MIN,
            shared,
        }
    }

    /// Stages a frame with a header of two bytes, flags and length.
    ///
    /// # Panics
    ///
    /// If `body` is longer than 255 bytes.
    #[inline]
    pub fn small_frame(&mut self, flags: u8, body: &[u8]) {
        let len = body.len();
        assert!(len <= 255, "the length of a small frame is one byte");
        self.begin();
        if !self.fits(2 + len) {
            return self.frame_across(&[flags, len as u8], body);
        }
        // SAFETY: the bytes from `cursor` up to `limit` belong to the writer, and the frame fits in there. The body is
        // borrowed and the chunk is ours alone there, so they do not overlap.
        unsafe {
            self.cursor.cast::<[u8; 2]>().write([flags, len as u8]);
            copy_short(body, self.cursor.add(2));
            self.cursor = self.cursor.add(2 + len);
        }
    }

    /// Stages a frame: copies `header`, which stays in one piece, and `body`, which may be cut over chunks.
    ///
    /// # Panics
    ///
    /// If `header` is longer than 64 bytes.
    #[inline]
    pub fn frame(&mut self, header: &[u8], body: &[u8]) {
        self.begin();
        if !self.fits(header.len() + body.len()) {
            return self.frame_across(header, body);
        }
        self.append(header);
        self.append(body);
    }

    /// Stages a frame whose body is not copied but leaves the ring as a slice of its own, unless it is so short that
    /// copying is cheaper.
    ///
    /// # Panics
    ///
    /// If `header` is longer than 64 bytes.
    pub fn frame_by_reference(&mut self, header: &[u8], body: Message) {
        if body.len() < REFERENCE_BODY_MIN || !body.has_stable_address() {
            return self.frame(header, &body);
        }
        assert!(header.len() <= HEADER_LEN_MAX, "no frame has such a header");
        self.begin();
        let wanted = header.len() + (BODY_UNITS + 1) * UNIT;
        if !self.fits(wanted) {
            self.roll(wanted);
        }
        self.mark_start();
        self.append(header);
        let offset = self.offset();
        // SAFETY: `fits` or `roll` made room for the units between the frames and the notes, all of which is ours.
        unsafe { Chunk::write_body(self.chunk, self.units, offset, body) };
        self.units += BODY_UNITS;
        self.limit -= BODY_UNITS * UNIT;
        self.due = 0;
    }

    /// Gives the reader everything staged, as one whole message: it sees all of it or nothing. Without staged frames this
    /// does nothing.
    ///
    /// There is no fence inside. To wake a sleeping reader, fence and look whether it sleeps.
    #[inline]
    pub fn commit(&mut self) {
        if self.cursor.addr().get() > self.due {
            return self.commit_with_notes();
        }
        let bytes = self.cursor.addr().get() - self.committed.addr().get();
        if bytes == 0 {
            return self.let_go();
        }
        self.publish(self.word.with_message(bytes));
    }

    /// Discards everything staged.
    pub fn rollback(&mut self) {
        if self.cursor == self.committed && self.due != 0 {
            // Nothing is staged, and `tail` may be gone: the reader may have brought the ring to rest.
            return self.let_go();
        }
        let (word, tail) = (self.word, self.tail);
        let in_tail = match self.staged {
            None => self.units,
            // SAFETY: `tail` is alive, as the reader does not free an unsealed chunk while we are active.
            Some(_) => unsafe { tail.as_ref() }.sealed().units(),
        };
        // SAFETY: notes beyond the published word are ours, and they are forgotten by this.
        unsafe { Chunk::drop_bodies(tail, word.units(), in_tail) };
        let mut staged = self.staged.take();
        while let Some(chunk) = staged {
            // SAFETY: a staged chunk is ours alone, alive until it is freed below.
            let sealed = unsafe { chunk.as_ref() };
            staged = sealed.next();
            let units = if chunk == self.chunk {
                self.units
            } else {
                sealed.sealed().units()
            };
            // SAFETY: as above; no position or slice refers to a chunk that was never linked.
            unsafe {
                Chunk::drop_bodies(chunk, 0, units);
                Chunk::free(chunk);
            }
        }
        self.chunk = tail;
        self.cursor = self.committed;
        self.units = word.units();
        self.settle();
        self.let_go();
    }

    /// Messages committed since the ring was made.
    #[inline]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Announces a message, unless it is under way, and answers a reader that wants the ring to rest.
    #[inline(always)]
    fn begin(&mut self) {
        if self.cursor != self.committed {
            return;
        }
        self.shared.active.store(true, Relaxed);
        // Partner: the heavy fence in `WireReader::rest`. Either we see its question, or it sees that we are active.
        light_fence();
        if self.shared.rest.load(Relaxed) != rest::NONE {
            self.answer();
        }
    }

    /// Refuses to let the last chunk go, or finds that it is gone already.
    #[cold]
    #[inline(never)]
    fn answer(&mut self) {
        let rest = &self.shared.rest;
        // Acquire: partner of the exchange in `WireReader::rest`, which is done with the root by then.
        if rest.compare_exchange(rest::ASKED, rest::NONE, AcqRel, Acquire) != Err(rest::TAKEN) {
            return;
        }
        // Relaxed: the reader looks at this only after it has got a chunk again, by the next `link`.
        rest.store(rest::NONE, Relaxed);
        let root = self.shared.root;
        (self.tail, self.chunk) = (root, root);
        (self.cursor, self.committed) = (root.cast(), root.cast());
        self.word = Word::EMPTY;
        self.units = 0;
        self.mark = 0;
        self.chunk_len = CHUNK_LEN_MIN;
        self.settle();
    }

    #[inline(always)]
    fn fits(&self, len: usize) -> bool {
        self.cursor.addr().get() + len <= self.limit
    }

    /// Frame bytes in the current chunk.
    fn offset(&self) -> usize {
        self.cursor.addr().get() - self.data_start()
    }

    fn data_start(&self) -> usize {
        self.chunk.addr().get() + DATA
    }

    /// Copies bytes that fit.
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty() || self.fits(bytes.len()));
        // SAFETY: the callers have made sure that the bytes fit before `limit`, up to which the chunk is ours.
        unsafe {
            self.cursor
                .copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            self.cursor = self.cursor.add(bytes.len());
        }
    }

    /// Stages a frame that does not fit into the current chunk.
    #[cold]
    #[inline(never)]
    fn frame_across(&mut self, header: &[u8], mut body: &[u8]) {
        assert!(header.len() <= HEADER_LEN_MAX, "no frame has such a header");
        if !self.fits(header.len()) {
            self.roll(header.len() + body.len());
        }
        self.append(header);
        loop {
            let room = self.limit.saturating_sub(self.cursor.addr().get());
            let (now, later) = body.split_at(room.min(body.len()));
            self.append(now);
            body = later;
            if body.is_empty() {
                return;
            }
            self.roll(body.len());
        }
    }

    /// Goes on in a fresh chunk, which stays ours until the next commit. `wanted` bytes are known to follow.
    fn roll(&mut self, wanted: usize) {
        self.mark_start();
        let messages = if self.staged.is_none() {
            self.word.messages()
        } else {
            0
        };
        let sealed = Word::new(self.sealed_bytes(), self.units, messages);
        self.chunk_len = self.next_chunk_len(wanted);
        let next = Chunk::allocate(self.chunk_len);
        // SAFETY: the chunk being written is alive: it is staged, or the tail, which the reader does not free before it is
        // linked.
        let chunk = unsafe { self.chunk.as_ref() };
        chunk.seal(sealed);
        if self.staged.is_none() {
            self.staged = Some(next);
        } else {
            chunk.link(next);
        }
        self.staged_chunks += 1;
        self.due = 0;
        self.chunk = next;
        self.units = 0;
        // SAFETY: offset 0 is within any chunk that was allocated.
        self.cursor = unsafe { Chunk::data(next, 0) };
        self.limit = next.addr().get() + self.chunk_len - SLACK;
    }

    /// Frame bytes of the chunk that is being left, none in the root.
    fn sealed_bytes(&self) -> usize {
        if self.chunk == self.shared.root {
            0
        } else {
            self.offset()
        }
    }

    /// Chunks grow while the reader lags behind, and shrink while it keeps up, so that quiet rings stay small.
    fn next_chunk_len(&self, wanted: usize) -> usize {
        // Relaxed: a stale count only makes a chunk larger.
        let waiting = self.linked.wrapping_sub(self.shared.freed.0.load(Relaxed));
        let len = match (waiting, self.staged_chunks) {
            (0, 0) => CHUNK_LEN_MIN,
            (1, 0) => self.chunk_len / 2,
            _ => self.chunk_len * 2,
        };
        let wanted = (wanted + DATA + SLACK).next_power_of_two();
        len.max(wanted).clamp(CHUNK_LEN_MIN, CHUNK_LEN_MAX)
    }

    /// Notes that a message ends at `offset`, so many in this chunk.
    fn write_mark(&mut self, offset: usize, messages: u64) {
        // SAFETY: the slack between frames and notes is ours and has room, see `SLACK`.
        unsafe { Chunk::write_mark(self.chunk, self.units, offset, messages) };
        self.units += 1;
        self.limit -= UNIT;
    }

    /// Notes the boundary before the staged message, before notes of the message itself or of a later chunk follow.
    fn mark_start(&mut self) {
        if self.staged.is_some() || self.start_marked || self.word.bytes() == self.mark {
            return;
        }
        self.start_marked = true;
        self.write_mark(self.word.bytes(), self.word.messages());
    }

    /// A commit that writes marks, or hands over chunks or bodies.
    #[cold]
    #[inline(never)]
    fn commit_with_notes(&mut self) {
        let end = self.offset();
        let Some(first) = self.staged.take() else {
            let start = self.word.bytes();
            self.mark_start();
            self.mark = start;
            let messages = self.word.messages() + 1;
            if self.due == 0 || end - start > MARK_SPACING {
                self.write_mark(end, messages);
                self.mark = end;
            }
            self.publish_unannounced(Word::new(end, self.units, messages));
            self.settle();
            return self.let_go();
        };
        self.write_mark(end, 1);
        self.mark = end;
        let left = std::mem::replace(&mut self.tail, self.chunk);
        self.linked = self.linked.wrapping_add(self.staged_chunks);
        // The reader gets here only by way of the link below, so this publishes nothing yet.
        self.publish_unannounced(Word::new(end, self.units, 1));
        // SAFETY: the reader does not free a chunk before it is linked, and this is the last access to it.
        unsafe { left.as_ref() }.link(first);
        self.settle();
        self.let_go();
    }

    /// Gives the reader one more message in `tail`.
    #[inline(always)]
    fn publish(&mut self, word: Word) {
        self.publish_unannounced(word);
        self.let_go();
    }

    /// The writer does not use the chain any more before it begins a message again.
    #[inline(always)]
    fn let_go(&mut self) {
        // Release: partner of the load in `WireReader::rest`, which then also sees the published word.
        self.shared.active.store(false, Release);
    }

    #[inline(always)]
    fn publish_unannounced(&mut self, word: Word) {
        self.word = word;
        self.committed = self.cursor;
        self.messages += 1;
        // SAFETY: `tail` is alive: the reader frees only what is sealed, or what it takes while we are not active.
        unsafe { self.tail.as_ref() }.publish(word);
    }

    /// Computes what follows from `tail`, `units` and `mark`, when nothing is staged.
    fn settle(&mut self) {
        self.staged = None;
        self.staged_chunks = 0;
        self.start_marked = false;
        // SAFETY: `tail` is alive, as above.
        let tail = unsafe { self.tail.as_ref() };
        if tail.is_root() {
            self.limit = 0;
            self.due = usize::MAX;
        } else {
            self.limit = self.tail.addr().get() + tail.len() - self.units * UNIT - SLACK;
            self.due = self.data_start() + self.mark + MARK_SPACING;
        }
    }
}

impl Drop for WireWriter {
    fn drop(&mut self) {
        if self.cursor != self.committed || self.due == 0 {
            self.rollback();
        }
    }
}

impl fmt::Debug for WireWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireWriter")
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

/// Copies at most 255 bytes without a call.
///
/// # Safety
///
/// `to` is valid for writing as many bytes, and does not overlap `from`.
#[inline(always)]
unsafe fn copy_short(from: &[u8], to: NonNull<u8>) {
    let len = from.len();
    let (mut start, mut to) = (from.as_ptr(), to.as_ptr());
    let mut left = len;
    // SAFETY: `start` and `to` move over the same `len` bytes, of which `left` are still to come.
    unsafe {
        while left > 64 {
            to.cast::<[u8; 64]>().write(start.cast::<[u8; 64]>().read());
            (start, to) = (start.add(64), to.add(64));
            left -= 64;
        }
        copy_at_most_64(start, to, left);
    }
}
