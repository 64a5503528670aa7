//! What the two ends of a connection and everything borrowed from them share.

use std::{fmt, sync::Arc};

use ringmq_queue::sync::{
    AtomicU8, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
};

#[cfg(loom)]
use crate::model::{Map, Ringer};
#[cfg(not(loom))]
use crate::{bell::Ringer, memory::Map};
use crate::{
    fence::Light,
    layout::{Geometry, run_mask},
};

/// A set of blocks, and how long the run is that begins at each.
pub(crate) struct Blocks {
    set: AtomicU64,
    /// Relaxed: written before a run is handed out, read by who got it.
    counts: Box<[AtomicU8]>,
}

impl Blocks {
    fn new(set: u64, blocks: usize) -> Self {
        Self {
            set: AtomicU64::new(set),
            counts: (0..blocks).map(|_| AtomicU8::new(0)).collect(),
        }
    }

    /// The blocks in the set.
    pub(crate) fn get(&self) -> u64 {
        // Acquire: the last accesses of who put blocks into the set or took them out come before ours.
        self.set.load(Acquire)
    }

    /// Puts a run into the set. Any thread.
    pub(crate) fn insert(&self, first: usize, count: usize) {
        // AcqRel: orders the caller's accesses to the blocks before those of who sees them in the set in `get`.
        self.set.fetch_or(run_mask(first, count), AcqRel);
    }

    /// Takes a run out of the set. Any thread.
    pub(crate) fn remove(&self, first: usize, count: usize) {
        // AcqRel: as in `insert`.
        self.set.fetch_and(!run_mask(first, count), AcqRel);
    }

    /// Notes how long the run at `first` is.
    pub(crate) fn set_count(&self, first: usize, count: usize) {
        self.counts[first].store(count as u8, Relaxed);
    }

    /// How long the run at `first` is.
    pub(crate) fn count(&self, first: usize) -> usize {
        usize::from(self.counts[first].load(Relaxed))
    }
}

/// The segment that we write.
pub(crate) struct Own {
    pub(crate) map: Map,
    pub(crate) geometry: Geometry,
    /// The blocks of our pool that nobody has: not a loan, not the peer.
    pub(crate) free: Blocks,
}

impl Own {
    pub(crate) fn new(map: Map, geometry: Geometry) -> Self {
        Self {
            free: Blocks::new(run_mask(0, geometry.blocks), geometry.blocks),
            map,
            geometry,
        }
    }
}

/// A connection: both segments and the way to wake the peer.
pub(crate) struct Link {
    pub(crate) own: Arc<Own>,
    pub(crate) theirs: Map,
    pub(crate) their_geometry: Geometry,
    pub(crate) ringer: Ringer,
    pub(crate) light: Light,
    /// The blocks of the peer's pool that are lent to us now.
    pub(crate) held: Blocks,
}

impl Link {
    pub(crate) fn new(own: Own, theirs: Map, their_geometry: Geometry, light: Light, ringer: Ringer) -> Self {
        Self {
            own: Arc::new(own),
            theirs,
            their_geometry,
            ringer,
            light,
            held: Blocks::new(0, their_geometry.blocks),
        }
    }

    /// Gives a run of the peer's blocks back, and wakes the peer if it waits for that. Any thread.
    pub(crate) fn return_run(&self, first: usize, count: usize) {
        if !self.own.map.is_ours() {
            return;
        }
        // Before the peer can see it, because it may lend the same blocks again at once.
        self.held.remove(first, count);
        failpoint!("before a return");
        // SAFETY: both mappings live as long as `self`.
        let (ours, theirs) = unsafe { (self.own.map.header().get(), self.theirs.header().get()) };
        // Release (and more): our accesses to the chunk come before the peer's, which loads the word in
        // `Sender::collect_returns`.
        ours.returned.blocks.fetch_xor(1 << first, SeqCst);
        failpoint!("after a return");
        self.light.fence();
        // Relaxed: ordered by the fence; nothing is read on the strength of it.
        if theirs.want_returns.armed.load(Relaxed) != 0 {
            self.ringer.ring();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("own", &self.own.geometry)
            .field("theirs", &self.their_geometry)
            .finish_non_exhaustive()
    }
}
