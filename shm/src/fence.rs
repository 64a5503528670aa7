//! The pair of fences behind every sleep, between processes.
//!
//! The busy side stores, runs the [light fence](Light), and loads the sleeper's threshold. The sleeper stores its
//! threshold, runs [`heavy_fence`], and looks at the busy side's words once more. At least one of the two sees the other's
//! store if both fences are full ones, or if the sleeper's is a `membarrier` that reaches every processor which runs a
//! thread of the busy process: it lands before the busy side's load, which then sees the threshold, or after its store,
//! which the second look then sees.
//!
//! The light side may leave its fence out if its own process is registered for that barrier and the peer has promised,
//! in the header of its segment, to issue it. A peer that breaks the promise sleeps through its own wake-ups and harms
//! nobody else. A process whose sandbox withdraws `membarrier` later gets an error from [`heavy_fence`]: it cannot fence
//! for its peers any more, which rely on the promise, and has to end the connection.
//!
//! loom and Miri do not know `membarrier`; there, both sides are a sequentially consistent fence.

use std::{io, sync::atomic::compiler_fence};

#[cfg(not(any(loom, miri)))]
use ringmq_queue::membarrier::GLOBAL;
use ringmq_queue::sync::{Ordering::SeqCst, fence};

/// Registers the process with the kernel once. True if it can issue the barrier, and may promise so.
pub(crate) fn register() -> bool {
    #[cfg(any(loom, miri))]
    return false;
    #[cfg(not(any(loom, miri)))]
    // Never revoked: what was promised to peers stays true or is an error.
    GLOBAL.register()
}

/// Orders the sleeper's earlier stores before its later loads, as seen by peers that run the light fence.
///
/// Call it after [`Receiver::arm`](crate::Receiver::arm) or [`Sender::ask_for_room`](crate::Sender::ask_for_room) and
/// before the second look; once for any number of connections. Does not sleep. Costs a system call that interrupts the
/// processors on which registered processes run: roughly 0.5 to 5 µs.
///
/// # Errors
///
/// The kernel refuses `membarrier(2)` although it had allowed it when the first segment was created, because a sandbox
/// was installed meanwhile. Peers rely on the barrier, so the connections of this process have to be ended.
#[cold]
#[inline(never)]
pub fn heavy_fence() -> io::Result<()> {
    #[cfg(not(any(loom, miri)))]
    if GLOBAL.is_granted() {
        return GLOBAL.issue();
    }
    // Partner: `Light::fence`, which is a full fence because this process has promised nothing.
    fence(SeqCst);
    Ok(())
}

/// The busy side's fence towards one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Light {
    /// The peer's barrier reaches this process, and the peer has promised to issue it.
    is_free: bool,
}

impl Light {
    /// `peer_promises` is what the peer's header says, loaded once.
    pub(crate) fn towards(peer_promises: bool) -> Self {
        Self {
            is_free: register() && peer_promises,
        }
    }

    /// No fence although it is needed, for models that have to fail.
    #[cfg(loom)]
    pub(crate) const MISSING: Self = Self { is_free: true };

    /// Orders earlier stores before later loads, as seen by a peer that calls [`heavy_fence`].
    #[inline(always)]
    pub(crate) fn fence(self) {
        if self.is_free {
            compiler_fence(SeqCst);
            return;
        }
        // Partner: the fence or the system call in `heavy_fence`.
        fence(SeqCst);
    }
}
