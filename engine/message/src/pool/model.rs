//! The door through which models reach blocks and homes, without the thread-local values that a model cannot have.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{Block, home::Home};

static WEAKENED: AtomicBool = AtomicBool::new(false);

/// Lets pushes to remote lists publish nothing, so that models have something to find.
pub fn weaken() {
    WEAKENED.store(true, Relaxed);
}

pub(super) fn is_weakened() -> bool {
    WEAKENED.load(Relaxed)
}

/// The one thread that a home belongs to.
pub struct Owner(Arc<Home>);

/// A reference to a block. Dropping it always takes the way of another thread.
pub struct Loan {
    // Dropped first, as the block goes back to the home.
    block: Block,
    home: Arc<Home>,
}

impl Owner {
    /// A home and its owner.
    #[expect(clippy::new_without_default, reason = "a model makes it on purpose")]
    pub fn new() -> Self {
        Self(Arc::new(Home::new()))
    }

    /// A block of the smallest class.
    pub fn alloc(&mut self) -> Loan {
        // SAFETY: there is one owner, and `&mut self` keeps it on one thread. The loan keeps the home alive.
        let block = unsafe { Block::from_home(&self.0, 0) };
        Loan {
            block,
            home: Arc::clone(&self.0),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: there is one owner, and this is its end.
        unsafe { self.0.close() };
    }
}

impl Loan {
    /// Uses the payload for reading.
    pub fn read(&self) {
        self.block.header().payload.with(|_| ());
    }

    /// Uses the payload for writing if there is no other reference, and says whether it did.
    pub fn try_write(&mut self) -> bool {
        let is_unique = self.block.is_unique();
        if is_unique {
            self.block.header().payload.with_mut(|_| ());
        }
        is_unique
    }

    /// The address of the block.
    pub fn address(&self) -> usize {
        self.block.ptr().addr().get()
    }
}

impl Clone for Loan {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
            home: Arc::clone(&self.home),
        }
    }
}
