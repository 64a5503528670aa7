//! A place in the stream of published bytes, and the steps over frames and notes from there.

use std::ptr::NonNull;

use super::chunk::{BODY_UNITS, Chunk, Note};
use crate::message::Message;

/// A place between two bytes of the stream.
///
/// Positions belong to the reader's side. The chunk of a position and all later ones are alive as long as the reader
/// has not moved its own positions past it, which is what every `# Safety` section here asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) chunk: NonNull<Chunk>,
    /// Frame bytes of the chunk before this place.
    pub(super) offset: usize,
    /// Units of notes of the chunk before this place.
    pub(super) unit: usize,
    /// Bytes before this place of the referenced body whose note is at `unit`.
    pub(super) inside: usize,
    /// Messages that ended before this chunk.
    pub(super) before: u64,
}

/// What comes next.
pub(super) enum Step {
    /// A message has ended here, the last of so many since the ring was made. The position has moved over the note.
    Mark { messages: u64 },
    /// So many contiguous frame bytes.
    Data { start: NonNull<u8>, len: usize },
    /// The rest of a referenced body.
    Body {
        message: NonNull<Message>,
        inside: usize,
        len: usize,
    },
    /// The chunk ended and the position has moved to the front of the next one.
    Next,
    /// Nothing more is committed. Messages that ended so far.
    End { messages: u64 },
}

impl Position {
    pub(super) fn start(chunk: NonNull<Chunk>, before: u64) -> Self {
        Self {
            chunk,
            offset: 0,
            unit: 0,
            inside: 0,
            before,
        }
    }

    /// What comes next. Moves over marks and from one chunk to the next; bytes are passed by [`pass`](Self::pass).
    ///
    /// # Safety
    ///
    /// The chunk is alive, and the caller is the reader.
    #[inline]
    pub(super) unsafe fn step(&mut self) -> Step {
        // SAFETY: the chunk is alive by the caller's promise.
        let chunk = unsafe { self.chunk.as_ref() };
        let view = chunk.view();
        let mut end = view.word.bytes();
        if self.unit < view.word.units() {
            // SAFETY: the unit is covered by the published word, and a position always stops between two notes.
            let (offset, note) = unsafe { Chunk::note(self.chunk, self.unit) };
            if offset == self.offset {
                return self.step_note(note);
            }
            end = offset;
        }
        if self.offset < end {
            // SAFETY: the bytes up to the published end, or the note before it, are within the chunk.
            let start = unsafe { Chunk::data(self.chunk, self.offset) };
            return Step::Data {
                start,
                len: end - self.offset,
            };
        }
        let messages = self.before + view.word.messages();
        match view.next {
            None => Step::End { messages },
            Some(next) => {
                *self = Self::start(next, messages);
                Step::Next
            }
        }
    }

    fn step_note(&mut self, note: Note) -> Step {
        match note {
            Note::Mark { messages } => {
                self.unit += 1;
                Step::Mark {
                    messages: self.before + messages,
                }
            }
            Note::Body { message } => {
                // SAFETY: the note is published, so the message belongs to the reader, which reads it only here and
                // writes it only while it makes a slice.
                let len = unsafe { message.as_ref() }.len();
                Step::Body {
                    message,
                    inside: self.inside,
                    len: len - self.inside,
                }
            }
        }
    }

    /// Passes the first `count` bytes of what `step` has just returned, and says how many that are: not more than there
    /// are.
    #[inline]
    pub(super) fn pass(&mut self, step: &Step, count: u64) -> usize {
        match *step {
            Step::Data { len, .. } => {
                let count = (len as u64).min(count) as usize;
                self.offset += count;
                count
            }
            Step::Body { len, .. } => {
                let count = (len as u64).min(count) as usize;
                if count == len {
                    self.unit += BODY_UNITS;
                    self.inside = 0;
                } else {
                    self.inside += count;
                }
                count
            }
            Step::Mark { .. } | Step::Next | Step::End { .. } => 0,
        }
    }

    /// Passes `count` bytes. False if so many are not committed.
    ///
    /// # Safety
    ///
    /// As for [`step`](Self::step).
    pub(super) unsafe fn skip(&mut self, mut count: u64) -> bool {
        while count > 0 {
            // SAFETY: passed on to the caller.
            let step = unsafe { self.step() };
            if let Step::End { .. } = step {
                return false;
            }
            count -= self.pass(&step, count) as u64;
        }
        true
    }
}

/// Frees every chunk and every referenced body from `from` up to `to`, which comes later; the chunk of `to` stays.
/// Returns how many chunks were freed.
///
/// # Safety
///
/// The chunks are alive and the caller is the reader, which goes on at `to` and uses no earlier position any more.
pub(super) unsafe fn free_between(mut from: Position, to: Position) -> u32 {
    let mut freed = 0;
    while from.chunk != to.chunk {
        // SAFETY: the chunk is alive, and the reader has been past its end, so it is sealed and all of it the reader's.
        let (view, is_root) = unsafe { (from.chunk.as_ref().view(), from.chunk.as_ref().is_root()) };
        // SAFETY: as above; by the caller's promise nobody looks at these bodies again.
        unsafe { Chunk::drop_bodies(from.chunk, from.unit, view.word.units()) };
        if is_root {
            // SAFETY: the root lives as long as either side.
            unsafe { from.chunk.as_ref() }.unlink();
        } else {
            // SAFETY: every chunk but the root comes from `allocate`; the writer left it when it sealed it, and the reader
            // uses no position in it any more.
            unsafe { Chunk::free(from.chunk) };
            freed += 1;
        }
        let next = view.next.expect("a later position lies in a later chunk");
        from = Position::start(next, 0);
    }
    // SAFETY: the notes before `to` are published, and their bodies are passed.
    unsafe { Chunk::drop_bodies(from.chunk, from.unit, to.unit) };
    freed
}

/// Frees everything from `from` on, the last chunk included.
///
/// # Safety
///
/// The chunks from `from` on are alive, both sides are gone, and nothing is staged.
pub(super) unsafe fn free_all(from: Position) {
    let mut end = from;
    // SAFETY: the chunks are alive by the caller's promise, and no reader exists beside the caller.
    unsafe { while end.skip(u64::MAX) {} }
    // SAFETY: `end` was reached from `from`, and neither is used again.
    unsafe { free_between(from, end) };
    // SAFETY: the chunk is alive; it is the last one, which nobody will use.
    unsafe {
        if !end.chunk.as_ref().is_root() {
            Chunk::free(end.chunk);
        }
    }
}
