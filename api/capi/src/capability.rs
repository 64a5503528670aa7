//! What the library is.

use std::ffi::{c_char, c_int};

use crate::error::{call_or, checked, text};

/// libzmq's version whose interface this is.
const VERSION: [c_int; 3] = [4, 3, 6];

/// Tells which version of libzmq's interface this is. A NULL is left out.
///
/// # Safety
///
/// Each pointer is null or valid for writing an `int`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int) {
    for (place, number) in [major, minor, patch].into_iter().zip(VERSION) {
        // SAFETY: the caller promises it.
        if let Ok(place) = unsafe { checked(place) } {
            *place = number;
        }
    }
}

/// 1 if the library was built with a capability.
///
/// # Safety
///
/// `capability` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_has(capability: *const c_char) -> c_int {
    call_or(0, || {
        // SAFETY: the caller promises it.
        let capability = unsafe { text(capability) }?;
        Ok(c_int::from(ringmq_core::has(capability)))
    })
}
