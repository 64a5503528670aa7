//! Counters that several threads may use.

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::atomic::{
        AtomicI32,
        Ordering::{AcqRel, Relaxed},
    },
};

use crate::error::{call_or, call_ptr, checked};

/// Runs `action` on a counter; a NULL answers 0.
///
/// # Safety
///
/// `counter` is null or a live counter.
unsafe fn with(counter: *mut c_void, action: impl FnOnce(&AtomicI32) -> c_int) -> c_int {
    call_or(0, || {
        // SAFETY: the caller promises it; a counter is only ever used through shared references.
        Ok(unsafe { counter.cast::<AtomicI32>().as_ref() }.map_or(0, action))
    })
}

/// Makes a counter, which is 0.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_atomic_counter_new() -> *mut c_void {
    call_ptr(|| Ok(Box::into_raw(Box::new(AtomicI32::new(0))).cast()))
}

/// Sets a counter.
///
/// # Safety
///
/// `counter` is null or a live counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_set(counter: *mut c_void, value: c_int) {
    let set = |counter: &AtomicI32| {
        counter.store(value, Relaxed);
        0
    };
    // SAFETY: the caller promises it.
    unsafe { with(counter, set) };
}

/// Adds 1 and returns what the counter was before.
///
/// # Safety
///
/// `counter` is null or a live counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_inc(counter: *mut c_void) -> c_int {
    // SAFETY: the caller promises it. Relaxed: who adds a reference has one, so nothing can end meanwhile.
    unsafe { with(counter, |counter| counter.fetch_add(1, Relaxed)) }
}

/// Subtracts 1; 0 if the counter has come to 0, otherwise 1.
///
/// # Safety
///
/// `counter` is null or a live counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_dec(counter: *mut c_void) -> c_int {
    // AcqRel: counters count references, and the last one's owner must see what the others did (partner: the same call on
    // other threads).
    // SAFETY: the caller promises it.
    unsafe { with(counter, |counter| c_int::from(counter.fetch_sub(1, AcqRel) != 1)) }
}

/// What a counter is now.
///
/// # Safety
///
/// `counter` is null or a live counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_value(counter: *mut c_void) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { with(counter, |counter| counter.load(Relaxed)) }
}

/// Frees a counter and sets the caller's pointer to NULL.
///
/// # Safety
///
/// `counter` is null or points to null or to a live counter, which nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_atomic_counter_destroy(counter: *mut *mut c_void) {
    call_or((), || {
        // SAFETY: the caller promises it.
        let place = unsafe { checked(counter) }?;
        let counter = std::mem::replace(place, ptr::null_mut()).cast::<AtomicI32>();
        if !counter.is_null() {
            // SAFETY: `zmq_atomic_counter_new` made it of a box, and the caller promises that it is live.
            drop(unsafe { Box::from_raw(counter) });
        }
        Ok(())
    });
}
