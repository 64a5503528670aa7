//! The reading end of a ring of frames.

use std::{fmt, ptr::NonNull};

use ringmq_queue::{
    barrier::heavy_fence,
    sync::{
        Arc,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

use super::{
    BATCH_SLICES_MAX, Batch, FrameExtent, MARK_SPACING, Shared, WireSlice,
    chunk::{CHUNK_LEN_MIN, Chunk},
    position::{Position, Step, free_between},
    rest,
};
use crate::message::Message;

/// The reading end, for whoever holds the transmit right. No call blocks.
///
/// Dropping it frees everything that is committed.
pub struct WireReader {
    /// Up to here bytes are consumed.
    consumed: Position,
    /// The last known message boundary at or before `consumed`. Everything from here on is kept.
    boundary: Position,
    /// Messages before `boundary`.
    boundary_messages: u64,
    /// Bytes from `boundary` to `consumed`.
    since_boundary: u64,
    /// Messages covered by all batches so far.
    covered: u64,
    /// What is left of the last batch.
    plan: Plan,
    shared: Arc<Shared>,
}

/// Where a batch ends.
#[derive(Clone, Copy)]
struct Plan {
    end: Position,
    /// Bytes from `consumed` to `end`. If 0, `end` may be a place that is freed.
    bytes: usize,
    /// Messages before `end`, if it is a message boundary.
    messages: Option<u64>,
}

// SAFETY: the chunks that the positions lead to are kept alive by the protocol with the writer, not by a thread; blocks
// and messages may be used on any thread.
unsafe impl Send for WireReader {}

impl WireReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let start = Position::start(shared.root, 0);
        Self {
            consumed: start,
            boundary: start,
            boundary_messages: 0,
            since_boundary: 0,
            covered: 0,
            plan: Plan {
                end: start,
                bytes: 0,
                messages: None,
            },
            shared,
        }
    }

    /// Whether everything committed is consumed.
    pub fn is_empty(&mut self) -> bool {
        self.settle();
        let mut at = self.consumed;
        // SAFETY: the reader keeps every chunk from `boundary` on, and `consumed` is not before it.
        matches!(unsafe { at.step() }, Step::End { .. })
    }

    /// Appends slices of what is committed and not consumed to `out`, without consuming it: at most `bytes_max` bytes,
    /// or [`MARK_SPACING`] if that is more, and at most [`BATCH_SLICES_MAX`] slices.
    ///
    /// A message of which a part is consumed comes first. The batch ends on a message boundary, unless a single message
    /// exceeds one of the bounds; then it may end inside.
    pub fn batch(&mut self, bytes_max: usize, out: &mut Vec<WireSlice>) -> Batch {
        self.plan = self.plan(bytes_max.max(MARK_SPACING));
        self.covered = self
            .covered
            .max(self.plan.messages.unwrap_or(self.boundary_messages));
        self.collect(self.plan.bytes, out);
        Batch {
            bytes: self.plan.bytes,
            messages: self.covered,
        }
    }

    /// Consumes the first `bytes` bytes that are left of the last batch, and frees chunks and bodies that are passed.
    ///
    /// Bytes beyond the last batch do not count: it may have been dropped by [`drop_all`](Self::drop_all) or
    /// [`resume`](Self::resume) while the kernel still sent it.
    pub fn advance(&mut self, bytes: usize) {
        let bytes = bytes.min(self.plan.bytes);
        if bytes == 0 {
            return;
        }
        if bytes == self.plan.bytes {
            self.consumed = self.plan.end;
            self.since_boundary += bytes as u64;
            if let Some(messages) = self.plan.messages {
                self.set_boundary(messages);
            }
        } else {
            self.walk(bytes);
        }
        self.plan.bytes -= bytes;
        self.settle();
    }

    /// Whether the consumed position is known to be a message boundary. It may be one without being known.
    pub fn at_boundary(&self) -> bool {
        self.since_boundary == 0
    }

    /// After a cut connection: makes the consumed position a message boundary, by dropping the rest of a message that was
    /// consumed in part. Returns how many messages were dropped, 0 or 1. The last batch is void.
    ///
    /// `frame` tells the extent of the frame at the front of the bytes given, which hold its whole header. Where it
    /// returns `None`, everything up to the next noted boundary is dropped.
    pub fn resume(&mut self, frame: &dyn Fn(&[u8]) -> Option<FrameExtent>) -> u64 {
        self.plan.bytes = 0;
        let mut at = self.boundary;
        let mut messages = self.boundary_messages;
        let mut walked = 0;
        while walked < self.since_boundary {
            let Some(len) = pass_message(&mut at, frame) else {
                return self.resume_at_mark();
            };
            walked += len;
            messages += 1;
        }
        let dropped = u64::from(walked > self.since_boundary);
        self.consumed = at;
        self.set_boundary(messages);
        self.settle();
        dropped
    }

    /// Frees everything that is committed. Returns how many messages that were, counted from the last known boundary:
    /// after [`resume`](Self::resume), exactly those of which nothing was consumed.
    pub fn drop_all(&mut self) -> u64 {
        self.plan.bytes = 0;
        loop {
            // SAFETY: the reader keeps every chunk from `boundary` on, and `consumed` is not before it.
            let step = unsafe { self.consumed.step() };
            if let Step::End { messages } = step {
                let dropped = messages - self.boundary_messages;
                self.set_boundary(messages);
                return dropped;
            }
            self.consumed.pass(&step, u64::MAX);
        }
    }

    /// Gives the last chunk back if everything is consumed and it is larger than the smallest one. True if the ring holds
    /// no or only the smallest chunk afterwards.
    ///
    /// Call it when the ring has gone quiet: it interrupts other threads of the process for a
    /// [`heavy_fence`] if there is something to give back.
    pub fn rest(&mut self) -> bool {
        if !self.is_empty() || self.since_boundary > 0 {
            return false;
        }
        let chunk = self.consumed.chunk;
        // SAFETY: the chunk of `consumed` is alive.
        let last = unsafe { chunk.as_ref() };
        if last.len() <= CHUNK_LEN_MIN {
            return true;
        }
        self.shared.rest.store(rest::ASKED, Relaxed);
        // Partner: the light fence in `WireWriter::begin`.
        rest_fence();
        // Acquire: partner of the stores of false after a commit or a rollback; the look at the chunk comes behind it.
        let is_active = self.shared.active.load(Acquire);
        let is_quiet = !is_active && self.is_empty() && self.consumed.chunk == chunk;
        let wanted = if is_quiet { rest::TAKEN } else { rest::NONE };
        // Release: partner of the exchange in `WireWriter::answer`; we have left the root. Acquire: its refusal.
        let decided = self
            .shared
            .rest
            .compare_exchange(rest::ASKED, wanted, AcqRel, Acquire);
        if decided.is_err() || !is_quiet {
            return false;
        }
        self.leave(chunk);
        true
    }

    /// Goes back to the root, which the writer does as well when it comes back.
    fn leave(&mut self, chunk: NonNull<Chunk>) {
        let start = Position::start(self.shared.root, self.boundary_messages);
        self.consumed = start;
        self.boundary = start;
        self.plan.end = start;
        // SAFETY: the writer is not active and will find that the chunk was taken before it begins again. Everything in it
        // is consumed, its bodies are dropped, and no position refers to it any more.
        unsafe { Chunk::free(chunk) };
        self.count_freed(1);
    }

    /// Finds out how far a batch goes.
    fn plan(&self, bytes_max: usize) -> Plan {
        let mut plan = Plan {
            end: self.consumed,
            bytes: 0,
            messages: None,
        };
        let mut best: Option<Plan> = None;
        let mut slices = 0;
        let mut in_run = false;
        loop {
            // SAFETY: the position starts at `consumed`, whose chunk and all later ones are alive.
            let step = unsafe { plan.end.step() };
            match step {
                Step::Mark { messages } if plan.bytes > 0 => {
                    plan.messages = Some(messages);
                    best = Some(plan);
                    continue;
                }
                Step::Mark { .. } => continue,
                Step::Next => {
                    in_run = false;
                    continue;
                }
                Step::End { messages } => {
                    plan.messages = Some(messages);
                    return plan;
                }
                Step::Data { .. } if in_run => {}
                Step::Data { .. } | Step::Body { .. } => slices += 1,
            }
            let (Step::Data { len, .. } | Step::Body { len, .. }) = step else {
                unreachable!("every other step has been dealt with");
            };
            in_run = matches!(step, Step::Data { .. });
            let room = bytes_max - plan.bytes;
            let is_full = slices > BATCH_SLICES_MAX;
            if is_full || len > room {
                if let Some(best) = best {
                    return best;
                }
                plan.bytes += if is_full {
                    0
                } else {
                    plan.end.pass(&step, room as u64)
                };
                plan.messages = None;
                return plan;
            }
            plan.bytes += plan.end.pass(&step, len as u64);
        }
    }

    /// Makes slices of the first `left` bytes behind `consumed`.
    fn collect(&self, mut left: usize, out: &mut Vec<WireSlice>) {
        let first = out.len();
        let mut at = self.consumed;
        while left > 0 {
            // SAFETY: as in `plan`.
            let step = unsafe { at.step() };
            let len = at.pass(&step, left as u64);
            left -= len;
            match step {
                Step::Data { start, .. } => {
                    let last = out[first..].last_mut();
                    // SAFETY: the bytes are published, so the writer does not touch them again. Frames of two chunks are
                    // never adjacent, because a header lies between them, so a slice that ends here is of this chunk.
                    let is_extended = last.is_some_and(|last| unsafe { last.try_extend(start, len) });
                    if !is_extended {
                        // SAFETY: as above; the chunk of the bytes is alive.
                        out.push(unsafe { slice_of(at.chunk, start, len) });
                    }
                }
                Step::Body { message, inside, .. } => {
                    // SAFETY: the note is published, so the message belongs to the reader, and no other reference to it is
                    // alive.
                    let message: Message = unsafe { (*message.as_ptr()).share() };
                    out.push(WireSlice::in_body(message, inside, len));
                }
                Step::Mark { .. } | Step::Next => {}
                Step::End { .. } => unreachable!("what was planned stays committed"),
            }
        }
    }

    /// Consumes `left` bytes, and notices the marks on the way.
    fn walk(&mut self, mut left: usize) {
        loop {
            // SAFETY: as in `is_empty`.
            let step = unsafe { self.consumed.step() };
            match step {
                Step::Mark { messages } => self.set_boundary(messages),
                Step::Next => {}
                Step::End { .. } => return,
                Step::Data { .. } | Step::Body { .. } if left == 0 => return,
                Step::Data { .. } | Step::Body { .. } => {
                    let len = self.consumed.pass(&step, left as u64);
                    self.since_boundary += len as u64;
                    left -= len;
                }
            }
        }
    }

    /// Moves over notes at the consumed position and out of a chunk that is used up, so that it is freed.
    fn settle(&mut self) {
        loop {
            let mut at = self.consumed;
            // SAFETY: as in `is_empty`.
            match unsafe { at.step() } {
                Step::Mark { messages } => {
                    self.consumed = at;
                    self.set_boundary(messages);
                }
                Step::Next => {
                    self.consumed = at;
                    if self.since_boundary == 0 {
                        self.set_boundary(self.boundary_messages);
                    }
                }
                Step::Data { .. } | Step::Body { .. } | Step::End { .. } => return,
            }
        }
    }

    /// The consumed position turns out to be a boundary, with so many messages before it. Frees what lies before.
    fn set_boundary(&mut self, messages: u64) {
        // SAFETY: the chunks from the old boundary on are alive, `consumed` is not before it, and the plan, which is the
        // only other position, ends at `consumed` or later.
        let freed = unsafe { free_between(self.boundary, self.consumed) };
        self.boundary = self.consumed;
        self.boundary_messages = messages;
        self.since_boundary = 0;
        if freed > 0 {
            self.count_freed(freed);
        }
    }

    fn count_freed(&self, chunks: u32) {
        let freed = &self.shared.freed.0;
        // Relaxed: the writer only judges by it how far the reader lags behind; nobody else writes it.
        freed.store(freed.load(Relaxed).wrapping_add(chunks), Relaxed);
    }

    /// Resumes without knowing the frames.
    #[cold]
    fn resume_at_mark(&mut self) -> u64 {
        loop {
            // SAFETY: as in `is_empty`.
            let step = unsafe { self.consumed.step() };
            if let Step::Mark { messages } | Step::End { messages } = step {
                self.set_boundary(messages);
                self.settle();
                return 1;
            }
            self.consumed.pass(&step, u64::MAX);
        }
    }
}

impl Drop for WireReader {
    fn drop(&mut self) {
        self.drop_all();
        let mut remains = match self.shared.remains.lock() {
            Ok(remains) => remains,
            Err(poisoned) => poisoned.into_inner(),
        };
        *remains = Some(self.boundary);
    }
}

impl fmt::Debug for WireReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireReader")
            .field("covered", &self.covered)
            .field("at_boundary", &self.at_boundary())
            .finish_non_exhaustive()
    }
}

/// Orders the question to the writer before the look at what it does.
fn rest_fence() {
    #[cfg(loom)]
    if super::model::NO_REST_FENCE.load(Relaxed) {
        return;
    }
    heavy_fence();
}

/// # Safety
///
/// `chunk` is alive and the `len` bytes from `start` on are published bytes of it.
unsafe fn slice_of(chunk: NonNull<Chunk>, start: NonNull<u8>, len: usize) -> WireSlice {
    // SAFETY: the chunk is alive by the caller's promise, and published bytes are not written again.
    unsafe { WireSlice::in_block(start, len, chunk.as_ref().block()) }
}

/// Passes one message; returns its length, or `None` if it cannot be told.
fn pass_message(at: &mut Position, frame: &dyn Fn(&[u8]) -> Option<FrameExtent>) -> Option<u64> {
    let mut walked = 0;
    loop {
        let (start, len) = loop {
            // SAFETY: the position starts at the reader's boundary, from which on every chunk is alive.
            match unsafe { at.step() } {
                Step::Data { start, len } => break (start, len),
                Step::Mark { .. } | Step::Next => {}
                Step::Body { .. } | Step::End { .. } => return None,
            }
        };
        // SAFETY: these are published bytes of a chunk that is alive, and nobody writes them.
        let extent = frame(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })?;
        let len = (extent.header as u64).checked_add(extent.body)?;
        // SAFETY: as above.
        if len == 0 || !unsafe { at.skip(len) } {
            return None;
        }
        walked += len;
        if !extent.more {
            return Some(walked);
        }
    }
}
