//! Whether the process is still the one that made a mapping.
//!
//! Mappings are not inherited over `fork`, so in the child their addresses are unmapped or, worse, somebody else's.

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering::Relaxed},
};

/// How many forks lie between this process and the first one that called [`watch`].
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count() {
    FORKS.fetch_add(1, Relaxed);
}

/// From now on forks are counted. Returns the number so far.
pub(crate) fn watch() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // Fails only without memory for the handler. Then a child that drops what it must not use is not stopped.
        // SAFETY: the handler only increments an atomic, which is allowed in a child of a process with threads.
        unsafe { libc::pthread_atfork(None, None, Some(count)) };
    });
    FORKS.load(Relaxed)
}

/// Whether no fork has happened since [`watch`] returned `forks`.
#[inline]
pub(crate) fn is_same_process(forks: u32) -> bool {
    FORKS.load(Relaxed) == forks
}
