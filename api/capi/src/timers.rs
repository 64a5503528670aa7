//! Timers that the application runs by itself.

use std::{
    ffi::{c_int, c_long, c_void},
    ptr,
    time::{Duration, Instant},
};

use crate::{
    error::{DONE, Errno, call, call_or, call_ptr, checked},
    handle::{Entered, Handles},
};

static TIMERS: Handles<Timers, 16_384> = Handles::new();

/// Called when a timer is due, with its number and the caller's pointer.
pub type TimerFn = unsafe extern "C" fn(timer: c_int, arg: *mut c_void);

/// What a handle of timers stands for.
#[derive(Default)]
struct Timers {
    last: c_int,
    timers: Vec<Timer>,
}

#[derive(Clone, Copy)]
struct Timer {
    number: c_int,
    interval: Duration,
    due: Instant,
    handler: TimerFn,
    arg: *mut c_void,
}

// SAFETY: the pointer is never followed here; the handler, which may, runs on the thread that executes the timers.
unsafe impl Send for Timers {}

/// A time from now; one that the clock cannot tell is a year.
fn after(interval: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(interval)
        .unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

impl Timers {
    fn find(&mut self, number: c_int) -> Result<&mut Timer, Errno> {
        let mut timers = self.timers.iter_mut();
        timers
            .find(|timer| timer.number == number)
            .ok_or(Errno(libc::EINVAL))
    }

    /// The timers that are due, in the order of their times.
    fn due(&self, now: Instant) -> Vec<Timer> {
        let mut due: Vec<_> = self
            .timers
            .iter()
            .filter(|timer| timer.due <= now)
            .copied()
            .collect();
        due.sort_by_key(|timer| timer.due);
        due
    }

    /// Sets a timer that is about to run for the next time. `None`: it was cancelled or set anew meanwhile.
    fn rearm(&mut self, due: &Timer) -> Option<Timer> {
        let timer = self.find(due.number).ok().filter(|timer| timer.due == due.due)?;
        timer.due = after(timer.interval);
        Some(*timer)
    }
}

fn timers(handle: *mut c_void) -> Result<Entered<Timers>, Errno> {
    TIMERS.enter(handle).ok_or(Errno(libc::EFAULT))
}

fn millis(interval: usize) -> Duration {
    Duration::from_millis(u64::try_from(interval).unwrap_or(u64::MAX))
}

/// Makes an empty set of timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_new() -> *mut c_void {
    call_ptr(|| TIMERS.insert(Box::default()).map_err(|_| Errno(libc::EMFILE)))
}

/// Frees a set of timers and sets the caller's pointer to NULL.
///
/// # Safety
///
/// `timers` is null or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_timers_destroy(timers: *mut *mut c_void) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        let handle = unsafe { checked(timers) }?;
        TIMERS.remove(*handle).ok_or(Errno(libc::EFAULT))?;
        *handle = ptr::null_mut();
        DONE
    })
}

/// Adds a timer that is due every `interval` milliseconds, and returns its number.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_add(
    timers: *mut c_void,
    interval: usize,
    handler: Option<TimerFn>,
    arg: *mut c_void,
) -> c_int {
    call(|| {
        let mut timers = self::timers(timers)?;
        let handler = handler.ok_or(Errno(libc::EFAULT))?;
        timers.last += 1;
        let timer = Timer {
            number: timers.last,
            interval: millis(interval),
            due: after(millis(interval)),
            handler,
            arg,
        };
        timers.timers.push(timer);
        Ok(timer.number)
    })
}

/// Removes a timer.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_cancel(timers: *mut c_void, timer: c_int) -> c_int {
    call(|| {
        let mut timers = self::timers(timers)?;
        timers.find(timer)?;
        timers.timers.retain(|other| other.number != timer);
        DONE
    })
}

/// Changes a timer's interval and starts it anew.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_set_interval(timers: *mut c_void, timer: c_int, interval: usize) -> c_int {
    call(|| {
        let mut timers = self::timers(timers)?;
        let timer = timers.find(timer)?;
        timer.interval = millis(interval);
        timer.due = after(timer.interval);
        DONE
    })
}

/// Starts a timer anew.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_reset(timers: *mut c_void, timer: c_int) -> c_int {
    call(|| {
        let mut timers = self::timers(timers)?;
        let timer = timers.find(timer)?;
        timer.due = after(timer.interval);
        DONE
    })
}

/// In how many milliseconds a timer is due; −1 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_timeout(timers: *mut c_void) -> c_long {
    call_or(-1, || {
        let timers = self::timers(timers)?;
        let Some(next) = timers.timers.iter().map(|timer| timer.due).min() else {
            return Ok(-1);
        };
        let left = next.saturating_duration_since(Instant::now());
        // Rounded up, so that the timer is due after a sleep of that length.
        let millis = left.as_nanos().div_ceil(1_000_000);
        Ok(c_long::try_from(millis).unwrap_or(c_long::MAX))
    })
}

/// Runs the handlers of timers that are due, on this thread. They may change the timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_execute(timers: *mut c_void) -> c_int {
    call(|| {
        let due = self::timers(timers)?.due(Instant::now());
        for timer in due {
            // A handler may free the set.
            let Ok(mut set) = self::timers(timers) else { break };
            let Some(Timer {
                number, handler, arg, ..
            }) = set.rearm(&timer)
            else {
                continue;
            };
            drop(set);
            // SAFETY: who added the timer promises that the handler may be called with that pointer.
            unsafe { handler(number, arg) };
        }
        DONE
    })
}
