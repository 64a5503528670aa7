//! The ring of encoded frames: wire bytes, from the thread that encodes them to whoever sends them.
//!
//! One writer, one reader, and between them a chain of pooled blocks without a bound; the high-water mark is the user's
//! to keep. The ring begins without memory. Its chunks grow from 2 to 64 KiB while the reader lags
//! behind and shrink while it keeps up, chunks that were sent go back to the pool they came from, and
//! [`WireReader::rest`] takes the last one when the ring has gone quiet.
//!
//! * The writer stages frames, then commits them as one whole message, which is one Release store. It keeps no account
//!   of single messages: every [`MARK_SPACING`] bytes or so it notes where a message ends.
//! * The reader plans a batch, which ends at such a mark or at the end of what is committed, hands its slices to the
//!   kernel, and then advances over what the kernel took. Slices keep their memory alive on their own.
//! * After a cut connection, the reader walks the frames from the last boundary that it knows, and goes on behind the
//!   message of which some bytes were sent.
//!
//! `chunk` has the memory layout and says who may touch what; `position` moves over published bytes.
//!
//! # Coming to rest
//!
//! The last chunk is the writer's, and only a handshake can take it away. The writer announces every message
//! (`active`), fences, and looks whether it is asked to let go (`rest`). The reader asks, fences, and looks whether the
//! writer is active. At least one sees the other. If the writer does, it refuses by taking the question back; if only
//! the reader does, it refrains. So a compare-and-swap of `rest` decides, and the light fence keeps this free for the
//! writer: the reader pays for both.

mod chunk;
#[cfg(loom)]
pub mod model;
mod position;
mod reader;
mod slice;
mod writer;

#[cfg(all(test, not(loom)))]
mod tests;

use std::ptr::NonNull;

use ringmq_queue::sync::{Arc, AtomicBool, AtomicU8, AtomicU32, Mutex};

use chunk::Chunk;
use position::Position;
pub use reader::WireReader;
pub use slice::WireSlice;
pub use writer::WireWriter;

/// Distance in bytes, at most, between two message boundaries that a batch can end on, unless a single message is
/// longer. A batch is allowed at least this many bytes.
pub const MARK_SPACING: usize = 4 * 1024;

/// Most slices of one batch.
pub const BATCH_SLICES_MAX: usize = 256;

/// A body that is shorter is copied into the ring instead of being referenced: an iovec and a reference count cost more
/// than the copy, and it bounds the slices between two marks.
pub const REFERENCE_BODY_MIN: usize = 512;

/// Makes a ring without memory for frames.
pub fn ring() -> (WireWriter, WireReader) {
    let shared = Arc::new(Shared {
        root: NonNull::from(Box::leak(Box::new(Chunk::root()))),
        active: AtomicBool::new(false),
        rest: AtomicU8::new(rest::NONE),
        freed: Line(AtomicU32::new(0)),
        remains: Mutex::new(None),
    });
    (WireWriter::new(Arc::clone(&shared)), WireReader::new(shared))
}

/// What a batch covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Bytes of the slices.
    pub bytes: usize,
    /// Committed messages whose end is covered by this batch or an earlier one, or that were dropped; never decreases.
    pub messages: u64,
}

/// Extent of the frame at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameExtent {
    /// Bytes of the header.
    pub header: usize,
    /// Bytes of the body.
    pub body: u64,
    /// Another frame of the same message follows.
    pub more: bool,
}

/// The states of `Shared::rest`.
mod rest {
    /// Nothing is asked.
    pub(super) const NONE: u8 = 0;
    /// The reader would like to have the last chunk.
    pub(super) const ASKED: u8 = 1;
    /// The reader has taken the last chunk; the ring goes on at the root.
    pub(super) const TAKEN: u8 = 2;
}

/// A count on a line of its own, so that the reader does not disturb the writer by it.
#[repr(align(64))]
struct Line(AtomicU32);

/// What both sides see besides the chunks.
#[repr(C)]
struct Shared {
    /// Where the chain begins. It has an allocation of its own, because positions point to it while this is dropped.
    root: NonNull<Chunk>,
    /// The writer is between the first frame of a message and its commit or rollback.
    active: AtomicBool,
    /// One of the states in [`rest`].
    rest: AtomicU8,
    /// Chunks that the reader has freed, modulo 2^32.
    freed: Line,
    /// Where the reader stopped, once it is dropped.
    remains: Mutex<Option<Position>>,
}

// SAFETY: the only pointers in here are those of the chain. Through them each side reaches what `chunk` says is its own,
// blocks and messages, both of which may be used and dropped on any thread.
unsafe impl Send for Shared {}
// SAFETY: as above; a `&Shared` alone gives access to nothing but atomics and the mutex.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        let remains = match self.remains.lock() {
            Ok(mut remains) => remains.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        if let Some(from) = remains {
            // SAFETY: both sides are gone; the writer took back what it had staged, and the reader left the chain from
            // this position on.
            unsafe { position::free_all(from) };
        }
        // SAFETY: `ring` leaked this box, and with both sides gone nobody has a pointer to it any more.
        drop(unsafe { Box::from_raw(self.root.as_ptr()) });
    }
}
