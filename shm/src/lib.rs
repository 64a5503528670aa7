//! Single-producer single-consumer rings in sealed memory files, between two processes that need not trust each other.

/// Where a test may have the process killed; nothing otherwise.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(all(test, not(loom)))]
        crate::tests::deaths::pass($name);
    };
}

#[cfg(not(loom))]
mod bell;
mod error;
mod fence;
#[cfg(not(loom))]
mod fork;
#[cfg_attr(loom, allow(dead_code, reason = "a modelled segment has no header to check"))]
mod layout;
mod link;
#[cfg(not(loom))]
mod memory;
#[cfg(loom)]
pub mod model;
mod pool;
mod receiver;
mod record;
#[cfg(not(loom))]
mod segment;
mod sender;
#[cfg(all(test, not(loom)))]
mod tests;

// So that the tests in here and those outside can share their tools.
#[cfg(all(test, not(loom)))]
extern crate self as ringmq_shm;

#[cfg(not(loom))]
use std::sync::Arc;

#[cfg(loom)]
pub use crate::model::{Bell, Ringer};
#[cfg(not(loom))]
pub use crate::{
    bell::{Bell, Ringer},
    segment::{PeerSegment, Segment},
};
pub use crate::{
    error::{OpenError, Violation},
    fence::heavy_fence,
    pool::{Adoptable, Chunk, Lent},
    receiver::{Body, Receiver, Record, SharedBytes},
    sender::Sender,
};

/// Makes the two ends of a connection out of both segments and the way to wake the peer.
///
/// Closes our descriptor of our own segment: send it before. The mappings live as long as anything that is borrowed from
/// them.
#[cfg(not(loom))]
pub fn join(mine: Segment, theirs: PeerSegment, ringer: Ringer) -> (Sender, Receiver) {
    let own = link::Own::new(mine.map, mine.geometry);
    let light = fence::Light::towards(theirs.promises_membarrier);
    let link = Arc::new(link::Link::new(own, theirs.map, theirs.geometry, light, ringer));
    (Sender::new(Arc::clone(&link)), Receiver::new(link))
}
