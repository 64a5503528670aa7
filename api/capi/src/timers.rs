//! Timers that the application runs by itself.

use std::{
    ffi::{c_int, c_long, c_void},
    ptr,
    time::{Duration, Instant},
};

use ringmq_core::Schedule;

use crate::{
    error::{DONE, Errno, call, call_or, call_ptr, checked},
    handle::{Entered, Handles},
};

static TIMERS: Handles<Timers, 16_384> = Handles::new();

/// Called when a timer is due, with its number and the caller's pointer.
pub type TimerFn = unsafe extern "C" fn(timer: c_int, arg: *mut c_void);

/// What a handle of timers stands for.
type Timers = Schedule<Timer>;

#[derive(Clone, Copy)]
struct Timer {
    handler: TimerFn,
    arg: *mut c_void,
}

// SAFETY: the pointer is never followed here; the handler, which may, runs on the thread that executes the timers.
unsafe impl Send for Timer {}

/// Fails for a number that no timer has.
fn known(found: bool) -> Result<c_int, Errno> {
    if found { DONE } else { Err(Errno(libc::EINVAL)) }
}

fn timers(handle: *mut c_void) -> Result<Entered<'static, Timers>, Errno> {
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
        Ok(timers.add(millis(interval), Timer { handler, arg }, Instant::now()))
    })
}

/// Removes a timer.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_cancel(timers: *mut c_void, timer: c_int) -> c_int {
    call(|| known(self::timers(timers)?.cancel(timer).is_some()))
}

/// Changes a timer's interval and starts it anew.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_set_interval(timers: *mut c_void, timer: c_int, interval: usize) -> c_int {
    call(|| known(self::timers(timers)?.set_interval(timer, millis(interval), Instant::now())))
}

/// Starts a timer anew.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_reset(timers: *mut c_void, timer: c_int) -> c_int {
    call(|| known(self::timers(timers)?.reset(timer, Instant::now())))
}

/// In how many milliseconds a timer is due; −1 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_timeout(timers: *mut c_void) -> c_long {
    call_or(-1, || {
        let Some(left) = self::timers(timers)?.timeout(Instant::now()) else {
            return Ok(-1);
        };
        // Rounded up, so that the timer is due after a sleep of that length.
        let millis = left.as_nanos().div_ceil(1_000_000);
        Ok(c_long::try_from(millis).unwrap_or(c_long::MAX))
    })
}

/// Runs the handlers of timers that are due, on this thread. They may change the timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_execute(timers: *mut c_void) -> c_int {
    call(|| {
        let now = Instant::now();
        let due = self::timers(timers)?.due(now);
        for timer in due {
            // A handler may free the set.
            let Ok(mut set) = self::timers(timers) else { break };
            let Some(&mut Timer { handler, arg }) = set.rearm(timer, now) else {
                continue;
            };
            drop(set);
            // SAFETY: who added the timer promises that the handler may be called with that pointer.
            unsafe { handler(timer.number, arg) };
        }
        DONE
    })
}
