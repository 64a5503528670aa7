//! What libzmq answered instead of success.

use std::ffi::CStr;
use std::fmt;

use crate::{constants, ffi};

/// The result of a libzmq call.
pub type Result<T> = std::result::Result<T, Error>;

/// An errno value of libzmq. `Display` is its `zmq_strerror` text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error {
    errno: i32,
}

impl Error {
    /// The error of the libzmq call that this thread made last.
    pub(crate) fn last() -> Error {
        // SAFETY: `zmq_errno` reads a thread-local integer.
        let errno = unsafe { ffi::zmq_errno() };
        Error { errno }
    }

    /// An error that the wrapper found by itself.
    pub(crate) fn from_errno(errno: i32) -> Error {
        Error { errno }
    }

    /// The errno value: the C library's, or one of libzmq's own above 156384712.
    pub fn errno(self) -> i32 {
        self.errno
    }

    /// Whether a timeout ran out, or the call would have had to wait.
    pub fn is_again(self) -> bool {
        self.errno == constants::errno::EAGAIN
    }

    /// libzmq's text for the errno.
    pub fn message(self) -> &'static str {
        // SAFETY: `zmq_strerror` returns a NUL-terminated string for every value: its own literals, or
        // `strerror`'s, which glibc keeps for the known errno values that libzmq returns.
        let text = unsafe { CStr::from_ptr(ffi::zmq_strerror(self.errno)) };
        text.to_str().unwrap_or("error text is not UTF-8")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {})", self.errno, self.message())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (errno {})", self.message(), self.errno)
    }
}

impl std::error::Error for Error {}

/// The value of a call that answers with a non-negative number, or the error behind its -1.
pub(crate) fn check(answer: i32) -> Result<i32> {
    if answer < 0 {
        Err(Error::last())
    } else {
        Ok(answer)
    }
}
