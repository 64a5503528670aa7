//! Sleeping on a word until another thread changes it.

use std::{io, ptr, sync::atomic::AtomicU32, time::Instant};

use crate::error::Errno;

/// Sleeps while the word holds `value`, until woken or until the deadline; EINTR when a signal came.
pub(crate) fn sleep_while(word: &AtomicU32, value: u32, deadline: Option<Instant>) -> Result<(), Errno> {
    let limit = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        libc::timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word lives as long as the call; the limit is null or a local that outlives the call.
    let slept = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            limit,
        )
    };
    // The value may have changed before the sleep began, or the time may be up: the caller looks again anyway.
    if slept < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) {
        return Err(Errno(libc::EINTR));
    }
    Ok(())
}

/// Wakes all threads that sleep on the word.
#[cold]
pub(crate) fn wake_all(word: &AtomicU32) {
    // SAFETY: only the address is used.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        );
    }
}
