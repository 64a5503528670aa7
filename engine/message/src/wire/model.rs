//! Switches by which a model shows that it would notice a publication that is too weak.

use std::sync::atomic::AtomicBool;

/// Makes the store that publishes a message within a chunk Relaxed.
pub static WEAK_PUBLISH: AtomicBool = AtomicBool::new(false);
/// Makes the store that publishes a message across chunks Relaxed.
pub static WEAK_LINK: AtomicBool = AtomicBool::new(false);
/// Leaves out the fence between asking for the last chunk and looking whether the writer is active.
pub static NO_REST_FENCE: AtomicBool = AtomicBool::new(false);
