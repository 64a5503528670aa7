//! Errors: libzmq's numbers in `errno`, its texts, and the guard around every function.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use ringmq_core::{Error, errno};

/// A number for `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

impl From<Error> for Errno {
    #[cold]
    fn from(error: Error) -> Self {
        Self(error.errno())
    }
}

/// What a function answers if there is nothing to say but that it worked.
pub(crate) const DONE: Result<c_int, Errno> = Ok(0);

/// Runs the body of a function that answers −1 when it fails.
#[inline]
pub(crate) fn call(body: impl FnOnce() -> Result<c_int, Errno>) -> c_int {
    call_or(-1, body)
}

/// Runs the body of a function that answers NULL when it fails.
pub(crate) fn call_ptr<T>(body: impl FnOnce() -> Result<*mut T, Errno>) -> *mut T {
    call_or(ptr::null_mut(), body)
}

/// Runs the body of a function that answers `failed` when it fails. A panic, which is a fault of ours, fails with
/// ENOTRECOVERABLE and goes no further: the caller is not Rust.
#[inline]
pub(crate) fn call_or<T>(failed: T, body: impl FnOnce() -> Result<T, Errno>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(Errno(number))) => {
            set_errno(number);
            failed
        }
        Err(_) => {
            set_errno(libc::ENOTRECOVERABLE);
            failed
        }
    }
}

fn set_errno(number: c_int) {
    // SAFETY: the C library returns the address of this thread's own variable.
    unsafe { *libc::__errno_location() = number };
}

/// A reference to what a pointer of the caller's points to, or EFAULT for NULL.
///
/// # Safety
///
/// The pointer is null or valid for reading and writing, and nobody else uses what it points to for as long as the result
/// lives.
pub(crate) unsafe fn checked<'a, T>(pointer: *mut T) -> Result<&'a mut T, Errno> {
    // SAFETY: the caller promises it.
    unsafe { pointer.as_mut() }.ok_or(Errno(libc::EFAULT))
}

/// The bytes that a caller describes by address and length; none for NULL.
///
/// # Safety
///
/// `data` is null or valid for reading `len` bytes for as long as the result lives.
#[inline]
pub(crate) unsafe fn bytes<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: the caller promises it.
    unsafe { std::slice::from_raw_parts(data.cast(), len) }
}

/// The bytes at an address for writing, zeroed first; none for NULL.
///
/// # Safety
///
/// `data` is null or valid for writing `len` bytes, which nobody else uses for as long as the result lives.
pub(crate) unsafe fn writable_bytes<'a>(data: *mut c_void, len: usize) -> &'a mut [u8] {
    if data.is_null() {
        return &mut [];
    }
    // SAFETY: the caller promises it; from here on the bytes are initialised.
    unsafe {
        data.cast::<u8>().write_bytes(0, len);
        std::slice::from_raw_parts_mut(data.cast(), len)
    }
}

/// A text of the caller's, which must be one of UTF-8 (EINVAL).
///
/// # Safety
///
/// `text` is null or the address of a text that ends with a zero byte and lives as long as the result.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str, Errno> {
    if text.is_null() {
        return Err(Errno(libc::EINVAL));
    }
    // SAFETY: the caller promises it.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Errno(libc::EINVAL))
}

/// `errno`, for programs whose C library is not ours.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_errno() -> c_int {
    // SAFETY: the C library returns the address of this thread's own variable.
    unsafe { *libc::__errno_location() }
}

/// The text of an error number, libzmq's own ones included. Lives for ever; may change with the next call on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_strerror(number: c_int) -> *const c_char {
    let own = match number {
        errno::EFSM => c"Operation cannot be accomplished in current state",
        errno::ENOCOMPATPROTO => c"The protocol is not compatible with the socket type",
        errno::ETERM => c"Context was terminated",
        errno::EMTHREAD => c"No thread available",
        // SAFETY: takes any number.
        _ => return unsafe { libc::strerror(number) },
    };
    own.as_ptr()
}
