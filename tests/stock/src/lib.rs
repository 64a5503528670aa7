//! Stock libzmq 4.3.5 for tests and benchmarks: a thin, safe wrapper over its C API.
//!
//! The wrapper hides nothing that a test may want to see. Socket types, options and flags are libzmq's own
//! numbers (named in [`constants`]), errors carry its errno, and every call maps to one C function. Two
//! things differ from the C defaults so that a failing test ends: sends and receives give up after
//! [`DEFAULT_TIMEOUT_MS`], and a closed socket lingers no longer than that.
//!
//! The library is built with the draft API and WebSockets, without CURVE and GSSAPI.

pub mod constants;
mod context;
mod error;
mod ffi;
mod message;
mod monitor;
mod socket;

pub use context::Context;
pub use error::{Error, Result};
pub use message::Message;
pub use monitor::{Event, Monitor};
pub use socket::{DEFAULT_TIMEOUT_MS, Socket};

/// The version of the linked libzmq as (major, minor, patch).
pub fn version() -> (i32, i32, i32) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the three pointers are to live integers, written once each.
    unsafe { ffi::zmq_version(&mut major, &mut minor, &mut patch) };
    (major, minor, patch)
}

/// Whether the linked libzmq was built with `capability` (`"ipc"`, `"draft"`, `"curve"`, ...).
///
/// # Panics
///
/// If `capability` contains a NUL byte.
pub fn has(capability: &str) -> bool {
    let capability = std::ffi::CString::new(capability).expect("no NUL in a capability");
    // SAFETY: the argument is a NUL-terminated string that outlives the call.
    unsafe { ffi::zmq_has(capability.as_ptr()) == 1 }
}

/// The folder with libzmq's headers.
pub const INCLUDE: &str = concat!(env!("OUT_DIR"), "/source/include");

/// The static library that was built.
pub const LIBRARY: &str = concat!(env!("OUT_DIR"), "/lib/libzmq.a");
