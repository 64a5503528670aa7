//! The list through which other threads give blocks back: pushed by anybody, taken as a whole by the owner.

use std::ptr::{self, NonNull};

use ringmq_queue::sync::{
    AtomicPtr,
    Ordering::{self, Acquire, Relaxed, Release},
};

use super::Header;

/// A chain of free blocks, linked by their headers.
pub(super) struct RemoteList {
    /// The block pushed last, null if there is none, or [`CLOSED`].
    head: AtomicPtr<Header>,
}

/// Stands in the head while there is no owner. No block has this address, as blocks are aligned.
const CLOSED: *mut Header = ptr::without_provenance_mut(1);

impl RemoteList {
    pub(super) fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Adds a block, unless the list is closed: then says `false` and leaves the block to the caller.
    ///
    /// # Safety
    ///
    /// The block is alive, and neither referenced nor in a list.
    #[inline]
    pub(super) unsafe fn push(&self, block: NonNull<Header>) -> bool {
        let mut head = self.head.load(Relaxed);
        loop {
            if head == CLOSED {
                return false;
            }
            // SAFETY: the block is alive, and nobody else knows it until the exchange succeeds.
            unsafe { block.as_ref().next.with_mut(|next| *next = head) };
            // Release publishes the link, and all that was done with the block, to the Acquire swap in `take_all`. That the
            // head may have been taken and pushed again meanwhile does no harm: it is the head all the same.
            match self
                .head
                .compare_exchange_weak(head, block.as_ptr(), publishing(), Relaxed)
            {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all blocks, as a chain that ends with null.
    #[inline]
    pub(super) fn take_all(&self) -> *mut Header {
        // A swap needs the cache line for writing, a look does not.
        if self.head.load(Relaxed).is_null() {
            return ptr::null_mut();
        }
        // Acquire observes the Release exchanges of all pushes in the chain: each later one continues the release sequence
        // of those before it.
        let chain = self.head.swap(ptr::null_mut(), Acquire);
        debug_assert!(chain != CLOSED, "only the owner takes");
        chain
    }

    /// Takes all blocks and refuses further ones.
    pub(super) fn close(&self) -> *mut Header {
        // Acquire as in `take_all`.
        self.head.swap(CLOSED, Acquire)
    }

    /// Accepts blocks again.
    pub(super) fn open(&self) {
        // Relaxed: the list is empty, there is nothing to publish.
        self.head.store(ptr::null_mut(), Relaxed);
    }
}

/// The ordering that publishes a pushed block. A model weakens it to show that it would notice.
#[inline(always)]
fn publishing() -> Ordering {
    #[cfg(loom)]
    if super::model::is_weakened() {
        return Relaxed;
    }
    Release
}
