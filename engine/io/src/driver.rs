//! The contract, and the choice of who keeps it.

use crate::{
    choice::{DriverChoice, DriverKind, FallbackReason},
    completion::{Completion, Interest, Token},
    epoll::EpollDriver,
    fd::Fd,
    probe,
    ring::{Ring, Setup},
    uring::UringDriver,
    waker::Waker,
};
use io_uring::IoUring;
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{io, marker::PhantomData, sync::Arc, time::Duration};

/// Operations of one thread on descriptors, prepared one by one and completed in batches.
///
/// Preparing an operation hands its buffers over to the driver; they come back with its [`Completion`]. Every operation
/// completes exactly once, cancelled or not. Preparing never blocks; whether the kernel is entered at once or at the
/// next [`wait`](Self::wait) is up to the driver.
///
/// A driver belongs to the thread that made it, because the kernel ties a ring to the thread that it works for, so it
/// is not `Send`: make it on the thread that will use it. Only its [`Waker`]s travel.
///
/// Dropping a driver cancels what is in flight and waits, briefly, for the kernel to let go of the buffers. Those that
/// it does not let go of are leaked rather than freed.
pub struct Driver<B: StableBytes, S: StableBytesMut> {
    inner: Inner<B, S>,
    fallback: Option<FallbackReason>,
    /// Not `Send`: see above.
    thread: PhantomData<*const ()>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one per thread, and it is not moved about"
)]
enum Inner<B: StableBytes, S: StableBytesMut> {
    Uring(UringDriver<B, S>),
    Epoll(EpollDriver<B, S>),
}

/// Forwards to whichever driver there is.
macro_rules! forward {
    ($inner:expr, $driver:ident => $call:expr) => {
        match $inner {
            Inner::Uring($driver) => $call,
            Inner::Epoll($driver) => $call,
        }
    };
}

impl<B: StableBytes, S: StableBytesMut> Driver<B, S> {
    /// Builds the driver of the calling thread, and tries it out if it is io_uring.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the environment variable that [`DriverChoice::Auto`] obeys says something unknown; the
    /// [`FallbackReason`] if io_uring was insisted on and is refused; otherwise a lack of descriptors or memory.
    pub fn new(choice: DriverChoice) -> io::Result<Self> {
        Self::with_rings(choice, Setup::build)
    }

    /// As [`new`](Self::new), with rings from `build`.
    pub(crate) fn with_rings(
        choice: DriverChoice,
        build: impl FnMut(Setup) -> io::Result<IoUring>,
    ) -> io::Result<Self> {
        let choice = match choice {
            DriverChoice::Auto => DriverChoice::from_env()?,
            insisted => insisted,
        };
        let waker = Waker::new()?;
        let uring = |waker: &Waker| {
            let ring = Ring::new(build)?;
            let (ring, bell_is_watched) = probe::self_test(ring, waker)?;
            Ok(UringDriver::new(ring, waker.clone(), bell_is_watched))
        };
        let (inner, fallback) = match choice {
            DriverChoice::Epoll => (Inner::Epoll(EpollDriver::new(waker)?), None),
            DriverChoice::Uring => (Inner::Uring(uring(&waker)?), None),
            DriverChoice::Auto => match uring(&waker) {
                Ok(driver) => (Inner::Uring(driver), None),
                Err(reason) => (Inner::Epoll(EpollDriver::new(waker)?), Some(reason)),
            },
        };
        Ok(Self {
            inner,
            fallback,
            thread: PhantomData,
        })
    }

    /// Which driver this is.
    pub fn kind(&self) -> DriverKind {
        match self.inner {
            Inner::Uring(_) => DriverKind::Uring,
            Inner::Epoll(_) => DriverKind::Epoll,
        }
    }

    /// Why this is epoll though nobody asked for it, for the caller to announce; `None` if it is what was asked for.
    pub fn why_epoll(&self) -> Option<&FallbackReason> {
        self.fallback.as_ref()
    }

    /// Prepares a wait for readiness, which completes once.
    ///
    /// # Panics
    ///
    /// If an operation of this token is in flight.
    pub fn poll(&mut self, token: Token, fd: &Arc<Fd>, interest: Interest) {
        forward!(&mut self.inner, driver => driver.poll(token, fd, interest));
    }

    /// Prepares a receive of what is there now, up to the spare room of `buffer`; it does not wait for more, or for
    /// anything at all: without data it completes with `WouldBlock`.
    ///
    /// # Panics
    ///
    /// If `buffer` has no spare room, or if an operation of this token is in flight.
    pub fn recv(&mut self, token: Token, fd: &Arc<Fd>, buffer: S) {
        forward!(&mut self.inner, driver => driver.recv(token, fd, buffer));
    }

    /// Prepares a send of all of `batch`, in order; it completes when the kernel has taken everything, waiting for room
    /// as often as necessary.
    ///
    /// Two sends in flight on one descriptor may interleave their bytes: prepare the next one when this has completed.
    ///
    /// # Panics
    ///
    /// If an operation of this token is in flight.
    pub fn send(&mut self, token: Token, fd: &Arc<Fd>, batch: Vec<B>) {
        forward!(&mut self.inner, driver => driver.send(token, fd, batch));
    }

    /// Asks for the end of the operation of `token`, if it is in flight. It completes in either case, possibly with
    /// success if it was faster.
    pub fn cancel(&mut self, token: Token) {
        forward!(&mut self.inner, driver => driver.cancel(token));
    }

    /// Hands everything prepared to the kernel and appends what has completed to `out`, in one kernel entry.
    ///
    /// Sleeps until something completes, a [`Waker`] wakes it, a signal is caught, or `timeout` has passed; `None` sets
    /// no limit and [`Duration::ZERO`] does not sleep. It may return early with nothing: the caller looks at its mailbox
    /// and its clock, and waits again.
    ///
    /// Wake-ups are noticed from [`prepare_sleep`](Self::prepare_sleep) on, or from the beginning of the wait without it.
    ///
    /// # Errors
    ///
    /// The kernel cannot accept operations. Completions that are there are appended nevertheless.
    pub fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Completion<B, S>>) -> io::Result<()> {
        forward!(&mut self.inner, driver => driver.wait(timeout, out))
    }

    /// A handle that wakes this driver from other threads.
    pub fn waker(&self) -> Waker {
        forward!(&self.inner, driver => driver.waker().clone())
    }

    /// Announces that the caller will sleep: from now on a [`Waker`] rings. The caller looks at its mailbox once more
    /// and then calls [`wait`](Self::wait), or [`cancel_sleep`](Self::cancel_sleep) if it found something.
    pub fn prepare_sleep(&mut self) {
        forward!(&self.inner, driver => driver.waker().word().prepare());
    }

    /// Takes back the announcement of [`prepare_sleep`](Self::prepare_sleep).
    pub fn cancel_sleep(&mut self) {
        forward!(&self.inner, driver => driver.waker().word().awake());
    }

    /// Operations whose completion has not been delivered yet.
    pub fn in_flight(&self) -> usize {
        forward!(&self.inner, driver => driver.in_flight())
    }

    /// Kernel entries so far: `io_uring_enter` of one driver, every system call of the other.
    pub fn enters(&self) -> u64 {
        forward!(&self.inner, driver => driver.enters())
    }
}

impl<B: StableBytes, S: StableBytesMut> std::fmt::Debug for Driver<B, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("kind", &self.kind())
            .field("in_flight", &self.in_flight())
            .field("fallback", &self.fallback)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
impl<B: StableBytes, S: StableBytesMut> Driver<B, S> {
    /// Plays a kernel whose sends do not wait for room by themselves.
    pub(crate) fn set_extra_send_flags(&mut self, flags: i32) {
        match &mut self.inner {
            Inner::Uring(driver) => driver.extra_send_flags = flags,
            Inner::Epoll(_) => panic!("epoll always waits for room by itself"),
        }
    }
}
