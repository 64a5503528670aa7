//! Waiting for descriptors with poll(2).

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr,
    time::Duration,
};

use super::{check, timespec};

/// A descriptor and what to await of it, for [`wait_fds`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct PollFd<'fd> {
    entry: libc::pollfd,
    fd: PhantomData<&'fd ()>,
}

impl<'fd> PollFd<'fd> {
    /// Awaits readability, writability or both. Hang-up and errors are always awaited.
    pub fn new(fd: &'fd impl AsFd, readable: bool, writable: bool) -> Self {
        Self::borrowed(fd.as_fd(), readable, writable)
    }

    /// [`new`](Self::new) of a descriptor that is borrowed already.
    pub fn borrowed(fd: BorrowedFd<'fd>, readable: bool, writable: bool) -> Self {
        let mut events = 0;
        if readable {
            events |= libc::POLLIN;
        }
        if writable {
            events |= libc::POLLOUT;
        }
        Self {
            entry: libc::pollfd {
                fd: fd.as_raw_fd(),
                events,
                revents: 0,
            },
            fd: PhantomData,
        }
    }

    /// Awaits urgent data (`POLLPRI`) as well.
    #[must_use]
    pub fn with_urgent(mut self) -> Self {
        self.entry.events |= libc::POLLPRI;
        self
    }

    /// Whether the last wait found urgent data.
    pub fn is_urgent(&self) -> bool {
        self.entry.revents & libc::POLLPRI != 0
    }

    /// Whether the last wait found bytes, a connection or the end of the stream to read.
    pub fn is_readable(&self) -> bool {
        self.entry.revents & libc::POLLIN != 0
    }

    /// Whether the last wait found room to write.
    pub fn is_writable(&self) -> bool {
        self.entry.revents & libc::POLLOUT != 0
    }

    /// Whether the last wait found a hang-up or an error; the next call on the descriptor tells which.
    pub fn is_broken(&self) -> bool {
        self.entry.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0
    }
}

impl std::fmt::Debug for PollFd<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.entry.fd)
            .field("events", &self.entry.events)
            .field("revents", &self.entry.revents)
            .finish()
    }
}

/// Blocks until one of `fds` has what is awaited of it, or `timeout` has passed (`None`: for ever). Returns how many
/// have; 0 after a time-out.
///
/// # Errors
///
/// `Interrupted` if a signal was caught: the caller decides whether to go on waiting, and for how long.
pub fn wait_fds(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    wait_fds_masked(fds, timeout, None)
}

/// [`wait_fds`] with another signal mask for the length of the wait, if there is one.
///
/// # Errors
///
/// As [`wait_fds`].
pub fn wait_fds_masked(
    fds: &mut [PollFd<'_>],
    timeout: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<usize> {
    let limit = timeout.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `PollFd` is a transparent wrapper of `pollfd`, so this is an array of `fds.len()` of them that we alone
    // borrow; `limit` is null or points to a local that outlives the call; `mask` is null, which leaves the mask alone, or a
    // reference.
    let returned = unsafe {
        libc::ppoll(
            fds.as_mut_ptr().cast(),
            fds.len() as libc::nfds_t,
            limit,
            mask.map_or(ptr::null(), ptr::from_ref),
        )
    };
    check(returned).map(|ready| ready as usize)
}
