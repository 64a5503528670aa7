//! Pieces of memory for the kernel that keep what they point to alive.

use std::{fmt, ptr::NonNull};

use ringmq_queue::stable::StableBytes;

use crate::{message::Message, pool::Block};

/// A piece of a batch: a range of a chunk, or a part of a referenced body.
///
/// It stays valid whatever becomes of the ring, and its address does not change when it is moved.
pub struct WireSlice {
    start: NonNull<u8>,
    len: usize,
    keep: Keep,
}

/// What keeps the bytes alive.
enum Keep {
    Block(#[expect(dead_code, reason = "held only for its reference")] Block),
    Message(#[expect(dead_code, reason = "held only for its reference")] Message),
}

// SAFETY: the bytes are only read, nobody writes them while a slice lives, and blocks and messages may be dropped on any
// thread.
unsafe impl Send for WireSlice {}
// SAFETY: as above.
unsafe impl Sync for WireSlice {}

impl WireSlice {
    /// A slice of its own memory, for protocol traffic that does not come from a ring. Allocates from the pool.
    pub fn copied(bytes: &[u8]) -> Self {
        let block = Block::alloc(bytes.len());
        let start = block.ptr();
        // SAFETY: the block is fresh and has room for the bytes.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Self {
            start,
            len: bytes.len(),
            keep: Keep::Block(block),
        }
    }

    /// The whole body of a message, by reference unless it is a short one.
    pub fn body(body: Message) -> Self {
        if body.has_stable_address() {
            let len = body.len();
            Self::in_body(body, 0, len)
        } else {
            Self::copied(&body)
        }
    }

    /// # Safety
    ///
    /// The `len` bytes from `start` on lie in `block`, are initialised, and nobody writes them while `block` lives.
    pub(super) unsafe fn in_block(start: NonNull<u8>, len: usize, block: Block) -> Self {
        Self {
            start,
            len,
            keep: Keep::Block(block),
        }
    }

    /// `len` bytes of a body from `from` on. The body must not be inline.
    pub(super) fn in_body(body: Message, from: usize, len: usize) -> Self {
        assert!(body.has_stable_address(), "an inline body moves with its message");
        let start = NonNull::from(&body[from..from + len]).cast();
        Self {
            start,
            len,
            keep: Keep::Message(body),
        }
    }

    /// Makes a slice of a block longer if the bytes from `start` on follow it immediately.
    ///
    /// # Safety
    ///
    /// If `self` is a slice of a block and ends at `start`, the `len` bytes from there are as demanded by `in_block`.
    pub(super) unsafe fn try_extend(&mut self, start: NonNull<u8>, len: usize) -> bool {
        let follows =
            matches!(self.keep, Keep::Block(_)) && self.start.addr().get() + self.len == start.addr().get();
        if follows {
            self.len += len;
        }
        follows
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: whoever made the slice made sure that the bytes are initialised, alive while `keep` is, and not written.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

// SAFETY: the bytes lie in a block or in a body that is not inline, neither of which moves with this value; `keep` keeps
// them alive; and nobody writes them, because the writer only writes behind what it has published, and a message that is
// referred to twice copies itself before it is written to.
unsafe impl StableBytes for WireSlice {
    fn stable_bytes(&self) -> (*const u8, usize) {
        (self.start.as_ptr(), self.len)
    }
}

impl fmt::Debug for WireSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireSlice")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
