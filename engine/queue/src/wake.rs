//! Where a thread sleeps, and how others wake it: one parking place per socket, worker or application thread.
//!
//! The protocol is in the crate's documentation. The owner runs [`arm`](Parker::arm), looks at its queues once more, and
//! then either [`disarm`](Parker::disarm)s or sleeps; everybody else makes work visible and then calls
//! [`wake`](Parker::wake).

use std::{io, os::fd::BorrowedFd, time::Instant};

#[cfg(loom)]
use crate::model::{EventFd, Futex};
use crate::{
    barrier::{heavy_fence, light_fence},
    sync::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};
#[cfg(not(loom))]
use crate::{eventfd::EventFd, futex::Futex};

/// The owner is awake, or will look at its queues before it sleeps.
const AWAKE: u32 = 0;
/// The owner sleeps on the futex, or is about to.
const ON_FUTEX: u32 = 1;
/// The owner sleeps on the eventfd, or is about to.
const ON_FD: u32 = 2;
/// Added to one of the two above by the waker that found the owner there.
const NOTIFIED: u32 = 4;

/// On what the owner is going to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkOn {
    /// In [`Parker::park`].
    Futex,
    /// In a poll of its own that includes [`Parker::fd`].
    Fd,
}

/// Why [`Parker::park_until`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkEnd {
    /// Another thread called [`Parker::wake`], before or during the sleep.
    Woken,
    /// The deadline passed and nobody had called [`Parker::wake`].
    DeadlinePassed,
    /// A signal handler ran, or the kernel woke the thread for no reason.
    Interrupted,
}

/// One parking place: its owner sleeps here, any thread wakes it. Shared in an `Arc`.
///
/// The owner's methods ([`arm`](Self::arm), [`disarm`](Self::disarm), [`park`](Self::park)) must not run in two threads
/// at once: that is not unsafe, but one of the two may then sleep through its wake-up.
// Aligned to a line of its own: every publish of every producer reads the state, which changes only around sleeps.
#[derive(Debug)]
#[repr(align(64))]
pub struct Parker {
    state: Futex,
    event: EventFd,
    wakes: AtomicU64,
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// A parking place whose owner is awake. Creates no descriptor.
    pub fn new() -> Self {
        Self {
            state: Futex::new(AWAKE),
            event: EventFd::new(),
            wakes: AtomicU64::new(0),
        }
    }

    /// Wakes the owner if it sleeps or is about to; call it after the store that makes work visible.
    ///
    /// Any thread, never blocks. Costs a [`light_fence`] and one load while the owner is awake; one system call is made
    /// per sleep, by the first waker.
    #[inline(always)]
    pub fn wake(&self) {
        light_fence();
        self.wake_fenced();
    }

    /// [`wake`](Self::wake) for a caller that has run [`light_fence`] itself since its last store, to wake several
    /// owners after one fence.
    #[inline(always)]
    pub fn wake_fenced(&self) {
        // Relaxed: the fences of both sides order this load after the work was stored. Reading AWAKE or a notified
        // state means that the owner's next `arm` comes later, and its fence lets it see the work.
        let seen = self.state.word().load(Relaxed);
        if is_armed(seen) {
            self.notify(seen);
        }
    }

    #[cold]
    #[inline(never)]
    fn notify(&self, mut seen: u32) {
        while is_armed(seen) {
            // Release: publishes the work stored by this thread to the swap in `disarm`.
            let exchanged = self
                .state
                .word()
                .compare_exchange(seen, seen | NOTIFIED, Release, Relaxed);
            match exchanged {
                Ok(_) => return self.ring(seen),
                // The owner disarmed, armed otherwise, or was notified by somebody else.
                Err(now) => seen = now,
            }
        }
    }

    fn ring(&self, armed: u32) {
        self.wakes.fetch_add(1, Relaxed);
        if armed == ON_FUTEX {
            self.state.wake();
        } else {
            self.event.ring();
        }
    }

    /// Owner: announces the sleep. Afterwards look at every queue once more, then [`disarm`](Self::disarm) or sleep.
    ///
    /// What consumed space producers may be waiting for has to be released before. Does not block; costs a
    /// [`heavy_fence`], so spin for a moment first.
    ///
    /// # Panics
    ///
    /// If the parker is armed already, or for [`ParkOn::Fd`] if [`fd`](Self::fd) has not returned a descriptor yet.
    pub fn arm(&self, how: ParkOn) {
        self.announce(how);
        heavy_fence();
    }

    fn announce(&self, how: ParkOn) {
        let armed = match how {
            ParkOn::Futex => ON_FUTEX,
            ParkOn::Fd => ON_FD,
        };
        assert!(how == ParkOn::Futex || self.event.exists(), "arm(Fd) before fd()");
        // Relaxed: nothing is published by this store, and only the owner changes AWAKE.
        assert_eq!(self.state.word().load(Relaxed), AWAKE, "armed twice");
        self.state.word().store(armed, Relaxed);
    }

    /// Owner: takes the announcement back, and after a sleep on [`fd`](Self::fd) makes the descriptor unreadable.
    ///
    /// True if somebody called [`wake`](Self::wake) since [`arm`](Self::arm). Harmless when not armed. Does not block.
    ///
    /// A waker may still be on its way to the descriptor when this drains it. The next poll then returns at once, which
    /// is a spurious wake-up, and the `disarm` after it drains the rest.
    pub fn disarm(&self) -> bool {
        // Acquire: observes the work that the waker stored before the exchange in `notify`.
        let found = self.state.word().swap(AWAKE, Acquire);
        if found & ON_FD != 0 {
            // Unconditional, because other processes may hold the descriptor too and do not touch the state.
            self.event.drain();
        }
        found & NOTIFIED != 0
    }

    /// Owner, armed for the descriptor for longer than one sleep, because an event loop watches it: makes the descriptor
    /// unreadable, and takes back and renews the announcement if somebody has answered it.
    ///
    /// Look at every queue afterwards, and call this again once more if there was something: what is pushed later makes
    /// the descriptor readable. Without news this is one read of the descriptor.
    ///
    /// # Panics
    ///
    /// If not armed for the descriptor.
    pub fn settle(&self) {
        // A ring that this swallows came after its waker's exchange, which the load below therefore sees.
        self.event.drain();
        // Acquire: observes the work that the waker stored before the exchange in `notify`.
        let found = self.state.word().load(Acquire);
        assert_ne!(found & ON_FD, 0, "settle() without arm(Fd)");
        if found & NOTIFIED != 0 {
            self.disarm();
            self.arm(ParkOn::Fd);
        }
    }

    /// Owner, after `arm(ParkOn::Futex)`: sleeps until woken or until `deadline`; `None` sleeps without a limit.
    ///
    /// False if and only if the deadline passed without a wake-up. Returns at once if a [`wake`](Self::wake) came after
    /// the [`arm`](Self::arm). A signal counts as a wake-up here; [`park_until`](Self::park_until) tells them apart.
    /// The parker is disarmed afterwards.
    ///
    /// # Panics
    ///
    /// If armed for the descriptor.
    pub fn park(&self, deadline: Option<Instant>) -> bool {
        self.park_until(deadline) != ParkEnd::DeadlinePassed
    }

    /// [`park`](Self::park), telling why it returned.
    ///
    /// # Panics
    ///
    /// If armed for the descriptor.
    pub fn park_until(&self, deadline: Option<Instant>) -> ParkEnd {
        // Relaxed: only the owner arms; whether a wake came meanwhile is decided by the kernel's comparison.
        let armed = self.state.word().load(Relaxed);
        assert_eq!(armed & ON_FD, 0, "park() after arm(Fd)");
        let end = match armed {
            ON_FUTEX => self.state.wait(ON_FUTEX, deadline),
            _ => ParkEnd::Interrupted,
        };
        match end {
            _ if self.disarm() => ParkEnd::Woken,
            ParkEnd::DeadlinePassed => ParkEnd::DeadlinePassed,
            // The kernel returned although nobody changed the state.
            ParkEnd::Woken | ParkEnd::Interrupted => ParkEnd::Interrupted,
        }
    }

    /// The eventfd that becomes readable when the owner is woken from `arm(ParkOn::Fd)`; created on first use.
    ///
    /// Non-blocking and close-on-exec. Poll it level-triggered and do not read it: [`disarm`](Self::disarm) does.
    ///
    /// # Errors
    ///
    /// Those of `eventfd(2)`: the process or the system is out of descriptors or memory.
    pub fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.event.get()
    }

    /// How many system calls wakers have made so far.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Relaxed)
    }
}

#[cfg(loom)]
#[doc(hidden)]
impl Parker {
    /// `arm` without its fence, for models that have to fail.
    pub fn arm_unfenced(&self, how: ParkOn) {
        self.announce(how);
    }

    /// Stands for `poll(2)` on the descriptor, which a model does not have.
    pub fn poll_fd(&self) {
        self.event.poll();
    }
}

#[inline(always)]
fn is_armed(state: u32) -> bool {
    state == ON_FUTEX || state == ON_FD
}

#[cfg(all(test, not(loom)))]
mod tests;
