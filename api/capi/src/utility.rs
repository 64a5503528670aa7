//! Stopwatches, sleeping and threads, which libzmq lends to programs.

use std::{
    ffi::{c_int, c_ulong, c_void},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::error::{Errno, call_or, call_ptr};

/// A thread's main function.
pub type ThreadFn = unsafe extern "C" fn(arg: *mut c_void);

/// Starts a stopwatch, which `zmq_stopwatch_stop` frees.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_stopwatch_start() -> *mut c_void {
    call_ptr(|| Ok(Box::into_raw(Box::new(Instant::now())).cast()))
}

/// Microseconds since the start.
///
/// # Safety
///
/// `watch` is null or a running stopwatch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_stopwatch_intermediate(watch: *mut c_void) -> c_ulong {
    call_or(0, || {
        // SAFETY: the caller promises it.
        let started = unsafe { watch.cast::<Instant>().as_ref() }.ok_or(Errno(libc::EFAULT))?;
        Ok(c_ulong::try_from(started.elapsed().as_micros()).unwrap_or(c_ulong::MAX))
    })
}

/// Microseconds since the start; frees the stopwatch.
///
/// # Safety
///
/// `watch` is null or a running stopwatch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_stopwatch_stop(watch: *mut c_void) -> c_ulong {
    // SAFETY: the caller promises it.
    let elapsed = unsafe { zmq_stopwatch_intermediate(watch) };
    if !watch.is_null() {
        // SAFETY: `zmq_stopwatch_start` made it of a box, and the caller does not use it any more.
        drop(unsafe { Box::from_raw(watch.cast::<Instant>()) });
    }
    elapsed
}

/// Sleeps for some seconds.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_sleep(seconds: c_int) {
    std::thread::sleep(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
}

/// What a new thread needs.
struct Start(ThreadFn, *mut c_void);

// SAFETY: who starts the thread promises that the function may run there with the pointer.
unsafe impl Send for Start {}

impl Start {
    fn run(self) {
        // SAFETY: as promised to `zmq_threadstart`.
        unsafe { (self.0)(self.1) };
    }
}

/// Starts a thread, for which `zmq_threadclose` waits.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_threadstart(function: Option<ThreadFn>, arg: *mut c_void) -> *mut c_void {
    call_ptr(|| {
        let start = Start(function.ok_or(Errno(libc::EFAULT))?, arg);
        let thread = std::thread::Builder::new()
            .spawn(move || start.run())
            .map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EAGAIN)))?;
        Ok(Box::into_raw(Box::new(thread)).cast())
    })
}

/// Waits for the end of a thread.
///
/// # Safety
///
/// `thread` is null or a thread of `zmq_threadstart` that was not waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_threadclose(thread: *mut c_void) {
    call_or((), || {
        if !thread.is_null() {
            // SAFETY: `zmq_threadstart` made it of a box, and the caller does not use it any more.
            let thread = unsafe { Box::from_raw(thread.cast::<JoinHandle<()>>()) };
            // A C function does not unwind, so the thread has ended as it should.
            let _ = thread.join();
        }
        Ok(())
    });
}
