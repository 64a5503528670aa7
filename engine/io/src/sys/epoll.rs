//! epoll(7).

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    ptr,
    time::Duration,
};

use super::{check, check_count, own, timespec};

/// A new epoll instance.
pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed, and what is returned is owned here.
    unsafe { own(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }
}

/// Adds, changes or removes (`operation`) what an epoll instance awaits of `fd`.
pub(crate) fn epoll_control(
    epoll: &OwnedFd,
    operation: i32,
    fd: RawFd,
    events: u32,
    data: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the event is a local; descriptors that are not open are answered with an error.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd, &raw mut event) }).map(drop)
}

/// Waits for events and returns how many were written to the front of `events`.
pub(crate) fn epoll_wait(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let room = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let limit = timeout.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `room` events may be written to a slice that we alone borrow; `limit` is null or points to a local that
    // outlives the call; a null signal mask leaves the mask alone.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            room,
            limit,
            ptr::null::<libc::sigset_t>(),
            size_of::<libc::sigset_t>(),
        )
    };
    match check_count(returned as isize) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            epoll_wait_coarse(epoll, events, timeout)
        }
        other => other,
    }
}

/// [`epoll_wait`] for kernels before 5.11 and filters that do not know the finer call: time-outs in whole
/// milliseconds, rounded up so that nobody wakes before his time and spins.
pub(crate) fn epoll_wait_coarse(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let room = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let timeout_ms = timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: `room` events may be written to a slice that we alone borrow.
    let returned = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, timeout_ms) };
    check(returned).map(|ready| ready as usize)
}
