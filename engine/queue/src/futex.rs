//! A word on which one thread sleeps in the kernel until another changes it.

use std::{
    io, ptr,
    time::{Duration, Instant},
};

use crate::{sync::AtomicU32, wake::ParkEnd};

/// The word, and the two system calls on it.
#[derive(Debug)]
pub(crate) struct Futex(AtomicU32);

impl Futex {
    pub(crate) const fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Sleeps while the word holds `expected`; the kernel compares and falls asleep in one step.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Instant>) -> ParkEnd {
        let timeout = match deadline.map(remaining) {
            Some(left) if left.is_zero() => return ParkEnd::DeadlinePassed,
            left => left.map(timespec),
        };
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the word lives as long as `self`, `timeout` is null or points to a local that outlives the call, and
        // FUTEX_WAIT only reads both.
        let result = unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                timeout,
            )
        };
        if result == 0 {
            return ParkEnd::Woken;
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN) => ParkEnd::Woken,
            Some(libc::ETIMEDOUT) => ParkEnd::DeadlinePassed,
            _ => ParkEnd::Interrupted,
        }
    }

    /// Wakes the thread that sleeps on the word, if there is one.
    pub(crate) fn wake(&self) {
        // SAFETY: the word lives as long as `self`, and FUTEX_WAKE only uses its address.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Clamped to what every kernel accepts; a sleep of 68 years that ends early is a spurious wake-up.
fn timespec(left: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: left.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: left.subsec_nanos() as _,
    }
}
