//! One piece of a ring's memory: frames grow up from its front, notes about them grow down from its end.
//!
//! A note is a *mark* (here a message ends, so many have ended in this chunk so far) or a *body* (here belongs the body
//! of a referenced message, which is part of the note). Notes lie in stream order and are counted in units of eight
//! bytes. Marks are sparse: their only purpose is that a batch can end on a message boundary.
//!
//! # Who may touch what
//!
//! The writer owns everything beyond the [`Word`] that it published last. What the word covers belongs to the reader,
//! which reads the frames and the notes, and takes the referenced bodies. A chunk whose `next` is set is sealed: the
//! writer never touches it again, and the reader frees it once it has passed it.

use std::{ptr, ptr::NonNull};

#[cfg(loom)]
use ringmq_queue::sync::UnsafeCell;
use ringmq_queue::sync::{
    AtomicPtr, AtomicU64,
    Ordering::{self, Acquire, Relaxed, Release},
};

#[cfg(loom)]
use super::model::{WEAK_LINK, WEAK_PUBLISH};
use crate::{message::Message, pool::Block};

/// Total length of the smallest chunk: what a resting ring may keep.
pub(super) const CHUNK_LEN_MIN: usize = 2 * 1024;
/// Total length of the largest chunk.
pub(super) const CHUNK_LEN_MAX: usize = 64 * 1024;
/// Bytes of a unit of notes.
pub(super) const UNIT: usize = 8;
/// Units of the note of a body: its tag, then the message.
pub(super) const BODY_UNITS: usize = 1 + size_of::<Message>() / UNIT;

const _: () = assert!(align_of::<Message>() <= UNIT && size_of::<Message>().is_multiple_of(UNIT));

/// How much of a chunk is published, packed into one atomic store: bytes of frames, units of notes, messages that end
/// in this chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

const UNITS_SHIFT: u32 = 20;
const MESSAGES_SHIFT: u32 = 40;
const FIELD: u64 = (1 << UNITS_SHIFT) - 1;

// No field overflows: a message of a chunk has at least a byte in it.
const _: () = assert!((CHUNK_LEN_MAX as u64) < FIELD);

impl Word {
    pub(super) const EMPTY: Self = Self(0);

    #[inline]
    pub(super) fn new(bytes: usize, units: usize, messages: u64) -> Self {
        Self(bytes as u64 | (units as u64) << UNITS_SHIFT | messages << MESSAGES_SHIFT)
    }

    /// The word after one more message whose frames take `bytes` and that adds no notes.
    #[inline(always)]
    pub(super) fn with_message(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64 + (1 << MESSAGES_SHIFT))
    }

    #[inline]
    pub(super) fn bytes(self) -> usize {
        (self.0 & FIELD) as usize
    }

    #[inline]
    pub(super) fn units(self) -> usize {
        (self.0 >> UNITS_SHIFT & FIELD) as usize
    }

    #[inline]
    pub(super) fn messages(self) -> u64 {
        self.0 >> MESSAGES_SHIFT
    }
}

/// What the reader may touch of a chunk.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) word: Word,
    /// Set if the chunk is sealed; then the word is final.
    pub(super) next: Option<NonNull<Chunk>>,
}

/// What a note says.
#[derive(Clone, Copy)]
pub(super) enum Note {
    /// So many messages have ended in this chunk, the last of them here.
    Mark { messages: u64 },
    /// The body of this message comes here.
    Body { message: NonNull<Message> },
}

/// Tells the tag of a body from that of a mark.
const BODY: u64 = 1 << 63;

/// The front of a chunk.
///
/// The root of a ring is one without memory behind it: the ring begins there, and returns there when it rests.
#[repr(C, align(64))]
pub(super) struct Chunk {
    word: AtomicU64,
    next: AtomicPtr<Chunk>,
    /// The final word; written before `next` and read after it.
    sealed: AtomicU64,
    /// Total length, 0 for the root.
    len: usize,
    #[cfg(loom)]
    witness: [UnsafeCell<()>; 4],
    /// The memory that this lies in; last, because dropping it may free it. `None` for the root.
    block: Option<Block>,
}

/// Offset of the first byte of the frames.
pub(super) const DATA: usize = size_of::<Chunk>();

impl Chunk {
    fn new(len: usize, block: Option<Block>) -> Self {
        Self {
            word: AtomicU64::new(Word::EMPTY.0),
            next: AtomicPtr::new(ptr::null_mut()),
            sealed: AtomicU64::new(Word::EMPTY.0),
            len,
            #[cfg(loom)]
            witness: std::array::from_fn(|_| UnsafeCell::new(())),
            block,
        }
    }

    pub(super) fn root() -> Self {
        Self::new(0, None)
    }

    /// A chunk in fresh memory of `len` bytes, header included. Whoever holds the pointer frees it with [`Chunk::free`].
    pub(super) fn allocate(len: usize) -> NonNull<Self> {
        assert!((CHUNK_LEN_MIN..=CHUNK_LEN_MAX).contains(&len) && len.is_multiple_of(UNIT));
        let block = Block::alloc(len);
        debug_assert!(block.capacity() >= len);
        let chunk = block.ptr().cast::<Self>();
        debug_assert!(chunk.is_aligned());
        // SAFETY: the block is fresh, so nobody else accesses it; it is long enough, and payloads are aligned to 64 bytes.
        unsafe { chunk.write(Self::new(len, Some(block))) };
        chunk
    }

    /// Gives the memory back, except what slices keep alive. Bodies that are still in the notes are forgotten.
    ///
    /// # Safety
    ///
    /// `chunk` comes from `allocate`, is freed once, and neither side of the ring uses it any more.
    pub(super) unsafe fn free(chunk: NonNull<Self>) {
        // SAFETY: the header was written by `allocate`. It is moved out first, so that the block does not free the memory
        // that it is dropped in; nobody looks at what stays behind.
        let chunk = unsafe { chunk.read() };
        #[cfg(loom)]
        chunk.witness.iter().for_each(|cell| cell.with_mut(|_| ()));
        drop(chunk);
    }

    pub(super) fn is_root(&self) -> bool {
        self.block.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Another reference to the memory, which keeps the frames alive for a slice.
    pub(super) fn block(&self) -> Block {
        self.block
            .clone()
            .expect("the root has no frames, so nothing refers to it")
    }

    /// Gives the reader everything up to `word`.
    #[inline(always)]
    pub(super) fn publish(&self, word: Word) {
        self.bear_witness(word);
        // Release: publishes frames and notes to the load in `view`.
        self.word.store(word.0, publish_order());
    }

    /// Notes the final word of a chunk that is about to be left.
    pub(super) fn seal(&self, word: Word) {
        self.sealed.store(word.0, Relaxed);
    }

    /// The final word, for the writer.
    pub(super) fn sealed(&self) -> Word {
        Word(self.sealed.load(Relaxed))
    }

    /// The chunk after this one, for the writer, which has linked both.
    pub(super) fn next(&self) -> Option<NonNull<Self>> {
        NonNull::new(self.next.load(Relaxed))
    }

    /// Gives the reader the rest of this chunk and everything published in the chunks from `next` on.
    pub(super) fn link(&self, next: NonNull<Self>) {
        // Release: publishes the frames, the notes and the final word of this chunk, and the following chunks, to the
        // load in `view`.
        self.next.store(next.as_ptr(), link_order());
    }

    /// Makes the root the end of the chain again. The reader does this when it leaves the root.
    pub(super) fn unlink(&self) {
        // Relaxed: the writer looks at the root again only after the ring was brought to rest, which orders this.
        self.next.store(ptr::null_mut(), Relaxed);
    }

    /// What is published here, for the reader.
    #[inline]
    pub(super) fn view(&self) -> View {
        // Acquire: observes what `link` published.
        let next = NonNull::new(self.next.load(Acquire));
        let word = match next {
            Some(_) => Word(self.sealed.load(Relaxed)),
            // Acquire: observes what `publish` published.
            None => Word(self.word.load(Acquire)),
        };
        self.hear_witness(word);
        View { word, next }
    }

    /// Address of the frame byte at `offset`.
    ///
    /// # Safety
    ///
    /// `chunk` is alive, and `offset` within its memory.
    #[inline]
    pub(super) unsafe fn data(chunk: NonNull<Self>, offset: usize) -> NonNull<u8> {
        // SAFETY: the frames begin behind the header, and by the caller's promise the result is within the block.
        unsafe { chunk.cast::<u8>().add(DATA + offset) }
    }

    /// Address of the unit number `unit`, counted from the end of the chunk.
    ///
    /// # Safety
    ///
    /// `chunk` is alive, has memory, and has room for that unit.
    unsafe fn unit(chunk: NonNull<Self>, unit: usize) -> NonNull<u64> {
        // SAFETY: the chunk is alive by the caller's promise, and its length never changes.
        let len = unsafe { chunk.as_ref() }.len;
        // SAFETY: by the caller's promise the unit lies within the chunk. Length and units are multiples of eight.
        unsafe { chunk.cast::<u8>().add(len - (unit + 1) * UNIT).cast() }
    }

    /// Writes a mark at unit `unit`, for the boundary at `offset`.
    ///
    /// # Safety
    ///
    /// `chunk` is alive, and the unit is the writer's and beyond all frames.
    pub(super) unsafe fn write_mark(chunk: NonNull<Self>, unit: usize, offset: usize, messages: u64) {
        debug_assert!(messages < BODY >> 32);
        // SAFETY: passed on to the caller, who owns the unit.
        unsafe { Self::unit(chunk, unit).write(offset as u64 | messages << 32) };
    }

    /// Writes a body at unit `unit`, which belongs behind the frame byte at `offset`.
    ///
    /// # Safety
    ///
    /// `chunk` is alive, and the `BODY_UNITS` units from `unit` on are the writer's and beyond all frames.
    pub(super) unsafe fn write_body(chunk: NonNull<Self>, unit: usize, offset: usize, body: Message) {
        // SAFETY: passed on to the caller, who owns the units. Units grow downwards, so the last one has the lowest
        // address, from which the message fills all units but the first; eight bytes are the alignment of both.
        unsafe {
            Self::unit(chunk, unit).write(offset as u64 | BODY);
            Self::unit(chunk, unit + BODY_UNITS - 1)
                .cast::<Message>()
                .write(body);
        }
    }

    /// The note that begins at unit `unit`, and the offset that it belongs to.
    ///
    /// # Safety
    ///
    /// `chunk` is alive, and a note was written at that unit before, visibly to the caller.
    pub(super) unsafe fn note(chunk: NonNull<Self>, unit: usize) -> (usize, Note) {
        // SAFETY: passed on to the caller.
        let tag = unsafe { Self::unit(chunk, unit).read() };
        let offset = (tag & u64::from(u32::MAX)) as usize;
        if tag & BODY == 0 {
            return (offset, Note::Mark { messages: tag >> 32 });
        }
        // SAFETY: the tag says that a body was written here, with all its units.
        let message = unsafe { Self::unit(chunk, unit + BODY_UNITS - 1) }.cast();
        (offset, Note::Body { message })
    }

    /// Drops the bodies among the notes from unit `from` up to unit `to`, excluded.
    ///
    /// # Safety
    ///
    /// `chunk` is alive, the notes there are the caller's, and nobody looks at these bodies again.
    pub(super) unsafe fn drop_bodies(chunk: NonNull<Self>, from: usize, to: usize) {
        let mut unit = from;
        while unit < to {
            // SAFETY: by the caller's promise there are notes from `from` up to `to`, and `unit` is where one begins.
            match unsafe { Self::note(chunk, unit) }.1 {
                Note::Mark { .. } => unit += 1,
                Note::Body { message } => {
                    // SAFETY: the body was written by `write_body`, and by the caller's promise this is the end of it.
                    drop(unsafe { message.read() });
                    unit += BODY_UNITS;
                }
            }
        }
    }

    /// loom does not see accesses to the frames themselves; this stands for the writing of a message.
    #[inline(always)]
    fn bear_witness(&self, word: Word) {
        #[cfg(loom)]
        if let Some(cell) = self.witness.get((word.messages() as usize).wrapping_sub(1)) {
            cell.with_mut(|_| ());
        }
        let _ = word;
    }

    /// This stands for the reading of every message published so far.
    #[inline(always)]
    fn hear_witness(&self, word: Word) {
        #[cfg(loom)]
        for cell in self.witness.iter().take(word.messages() as usize) {
            cell.with(|_| ());
        }
        let _ = word;
    }
}

/// The order of the store that publishes within a chunk.
#[inline(always)]
fn publish_order() -> Ordering {
    #[cfg(loom)]
    if WEAK_PUBLISH.load(Relaxed) {
        return Relaxed;
    }
    Release
}

/// The order of the store that publishes across chunks.
#[inline(always)]
fn link_order() -> Ordering {
    #[cfg(loom)]
    if WEAK_LINK.load(Relaxed) {
        return Relaxed;
    }
    Release
}
