//! The context: I/O threads and the inproc name space.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result, check};
use crate::{Socket, ffi};

/// A libzmq context. Clones are the same context; it terminates when the last clone and the last socket
/// are gone, which blocks until lingering messages are sent or given up.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    raw: *mut c_void,
}

// SAFETY: a libzmq context is documented as thread safe and may be used and terminated by any thread.
unsafe impl Send for Inner {}
// SAFETY: as above; every call on a context takes libzmq's own locks.
unsafe impl Sync for Inner {}

impl Context {
    /// A context with one I/O thread, which starts with the first socket.
    ///
    /// # Panics
    ///
    /// If memory is exhausted.
    pub fn new() -> Context {
        // SAFETY: no preconditions.
        let raw = unsafe { ffi::zmq_ctx_new() };
        assert!(!raw.is_null(), "zmq_ctx_new: {}", Error::last());
        Context {
            inner: Arc::new(Inner { raw }),
        }
    }

    /// Sets a context option.
    pub fn set(&self, option: i32, value: i32) -> Result<()> {
        // SAFETY: the context is live as long as `inner` is.
        check(unsafe { ffi::zmq_ctx_set(self.inner.raw, option, value) }).map(drop)
    }

    /// Reads a context option.
    pub fn get(&self, option: i32) -> Result<i32> {
        // SAFETY: the context is live as long as `inner` is.
        check(unsafe { ffi::zmq_ctx_get(self.inner.raw, option) })
    }

    /// A socket of libzmq's type number `kind`, with timeouts and linger of
    /// [`DEFAULT_TIMEOUT_MS`](crate::DEFAULT_TIMEOUT_MS).
    pub fn socket(&self, kind: i32) -> Result<Socket> {
        // SAFETY: the context is live as long as `inner` is.
        let raw = unsafe { ffi::zmq_socket(self.inner.raw, kind) };
        if raw.is_null() {
            return Err(Error::last());
        }
        Socket::from_raw(raw, self.clone())
    }

    /// Makes every blocking call on this context's sockets fail with ETERM, now and from now on.
    pub fn shutdown(&self) -> Result<()> {
        // SAFETY: the context is live as long as `inner` is.
        check(unsafe { ffi::zmq_ctx_shutdown(self.inner.raw) }).map(drop)
    }
}

impl Default for Context {
    fn default() -> Context {
        Context::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.inner.raw).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        loop {
            // SAFETY: sockets hold a clone of the context, so that none is open here, and nobody else can
            // reach `raw` any more. After EINTR the context is still live and the call is to be repeated.
            let answer = unsafe { ffi::zmq_ctx_term(self.raw) };
            if answer == 0 || Error::last().errno() != crate::constants::errno::EINTR {
                return;
            }
        }
    }
}
