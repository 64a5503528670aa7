//! System calls behind safe functions. What several kinds of descriptors share is here.

mod epoll;
mod poll;
mod socket;
mod transfer;

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr,
    time::Duration,
};

use crate::fd::Fd;

#[cfg(all(test, not(loom)))]
pub(crate) use epoll::epoll_wait_coarse;
pub(crate) use epoll::{epoll_control, epoll_create, epoll_wait};
pub use poll::{PollFd, wait_fds, wait_fds_masked};
pub use socket::get_option;
pub(crate) use socket::{
    accept, bind, bind_to_device, connect, datagram_socket, listen, local_name, peer_credentials,
    peer_groups, peer_name, set_option, stream_socket, unread_bytes,
};
pub use transfer::{recv_now, send_now};
pub(crate) use transfer::{send_header, send_one};

/// The longest time-out that is passed on; a longer one is as good as this, and would overflow the kernel's types.
pub(crate) const LONGEST: Duration = Duration::from_secs(1 << 30);

/// Turns the C convention of -1 and errno into a result.
pub(crate) fn check(returned: i32) -> io::Result<i32> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}

/// As [`check`], for calls that return a count of bytes.
pub(crate) fn check_count(returned: isize) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Takes ownership of the descriptor that a call has returned, or of its error.
///
/// # Safety
///
/// `returned` comes from a call that makes descriptors, and nobody else has it.
unsafe fn own(returned: i32) -> io::Result<OwnedFd> {
    let number = check(returned)?;
    // SAFETY: a successful call has returned a descriptor that is open and, says the caller, nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A time-out in the kernel's form, cut to what it can represent.
pub(crate) fn timespec(timeout: Duration) -> libc::timespec {
    let timeout = timeout.min(LONGEST);
    libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    }
}

/// A non-blocking event counter.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed, and what is returned is owned here.
    unsafe { own(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }
}

/// Adds one to an event counter. It cannot fail but by overflow, in which case the counter is readable anyway.
pub(crate) fn ring_eventfd(bell: &impl AsFd) {
    let one = 1_u64;
    // SAFETY: eight bytes are read from a local.
    let _ = unsafe {
        libc::write(
            bell.as_fd().as_raw_fd(),
            ptr::from_ref(&one).cast(),
            size_of::<u64>(),
        )
    };
}

/// Sets the mode of an open file.
pub(crate) fn set_mode(fd: &Fd, mode: u32) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode) }).map(drop)
}

/// Makes a descriptor non-blocking and close-on-exec.
pub(crate) fn make_ready(number: i32) -> io::Result<()> {
    // SAFETY: reads flags, of whichever descriptor that is.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFL) })?;
    // SAFETY: sets flags, likewise.
    check(unsafe { libc::fcntl(number, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    // SAFETY: sets flags, likewise.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// Takes over an open descriptor, and makes it ready for use.
pub(crate) fn adopt(number: i32) -> io::Result<Fd> {
    make_ready(number)?;
    // SAFETY: it is open, as its flags have just been set. Who gave the number gave the descriptor away with it: that is what
    // the option says by which it comes here.
    Ok(Fd::from(unsafe { OwnedFd::from_raw_fd(number) }))
}
