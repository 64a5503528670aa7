//! After a fork only the thread that forked goes on in the child. Workers are not there, and locks may be held for ever by
//! threads that are not there either. So handles remember in which process they were made; in another one they can be
//! closed, which leaves everything behind them alone, and new ones can be made.

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering::Relaxed},
};

/// How many forks lie between the first process that made a context and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The process's generation. Handles of another one are inherited.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Begins to count forks. Called before the first handle is made.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    extern "C" fn in_the_child() {
        GENERATION.fetch_add(1, Relaxed);
    }
    ONCE.call_once(|| {
        // SAFETY: the function adds to an atomic, which a child may do, and the library is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_the_child)) };
    });
}
