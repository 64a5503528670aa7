//! A socket.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt;

use crate::constants::{errno, flag, option, socket_type};
use crate::error::{Error, Result, check};
use crate::monitor::Monitor;
use crate::{Context, Message, ffi};

/// RCVTIMEO, SNDTIMEO and LINGER of a new socket, ms.
pub const DEFAULT_TIMEOUT_MS: i32 = 10_000;

/// A libzmq socket, closed when dropped. May be moved to another thread but not shared with one.
pub struct Socket {
    raw: *mut c_void,
    context: Context,
}

// SAFETY: libzmq allows a socket to be used by another thread after a full fence, which every way of moving a
// value to another thread in Rust contains.
unsafe impl Send for Socket {}

type EndpointCall = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;

impl Socket {
    /// Takes over a live socket of `context`.
    pub(crate) fn from_raw(raw: *mut c_void, context: Context) -> Result<Socket> {
        let socket = Socket { raw, context };
        socket.set_timeout_ms(DEFAULT_TIMEOUT_MS)?;
        socket.set_int(option::LINGER, DEFAULT_TIMEOUT_MS)?;
        Ok(socket)
    }

    /// Hands messages from each of two sockets to the other, until their context ends, which is an error.
    pub fn proxy(&self, back: &Socket) -> Result<()> {
        // SAFETY: both sockets are live, and neither can be used by another thread meanwhile, because they are not `Sync`.
        check(unsafe { ffi::zmq_proxy(self.raw, back.raw, std::ptr::null_mut()) }).map(drop)
    }

    /// The context that the socket belongs to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Listens on `endpoint` and returns LAST_ENDPOINT: the address with wildcards resolved.
    pub fn bind(&self, endpoint: &str) -> Result<String> {
        self.with_endpoint(ffi::zmq_bind, endpoint)?;
        self.get_string(option::LAST_ENDPOINT)
    }

    /// Stops listening on `endpoint`.
    pub fn unbind(&self, endpoint: &str) -> Result<()> {
        self.with_endpoint(ffi::zmq_unbind, endpoint)
    }

    /// Connects to `endpoint`, in the background for all transports but inproc.
    pub fn connect(&self, endpoint: &str) -> Result<()> {
        self.with_endpoint(ffi::zmq_connect, endpoint)
    }

    /// Ends the connection to `endpoint`.
    pub fn disconnect(&self, endpoint: &str) -> Result<()> {
        self.with_endpoint(ffi::zmq_disconnect, endpoint)
    }

    fn with_endpoint(&self, call: EndpointCall, endpoint: &str) -> Result<()> {
        let endpoint = CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL))?;
        // SAFETY: all four calls take a live socket and a NUL-terminated string.
        check(unsafe { call(self.raw, endpoint.as_ptr()) }).map(drop)
    }

    /// Sends a copy of `body` as one part.
    pub fn send(&self, body: &[u8], flags: i32) -> Result<()> {
        retry(|| {
            // SAFETY: the socket is live and `body` is readable for its length; libzmq copies it.
            check(unsafe { ffi::zmq_send(self.raw, body.as_ptr().cast(), body.len(), flags) }).map(drop)
        })
    }

    /// Sends `parts` as one message.
    pub fn send_multipart<B: AsRef<[u8]>>(&self, parts: &[B], flags: i32) -> Result<()> {
        for (index, part) in parts.iter().enumerate() {
            let more = if index + 1 < parts.len() { flag::SNDMORE } else { 0 };
            self.send(part.as_ref(), flags | more)?;
        }
        Ok(())
    }

    /// Receives one part.
    pub fn recv(&self, flags: i32) -> Result<Vec<u8>> {
        let mut message = Message::new();
        self.msg_recv(&mut message, flags)?;
        Ok(message.as_slice().to_vec())
    }

    /// Receives all parts of one message.
    pub fn recv_multipart(&self, flags: i32) -> Result<Vec<Vec<u8>>> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.recv(flags)?);
            if !self.rcvmore()? {
                return Ok(parts);
            }
        }
    }

    /// Whether the part that was received last is followed by others of the same message.
    pub fn rcvmore(&self) -> Result<bool> {
        Ok(self.get_int(option::RCVMORE)? != 0)
    }

    /// Sends `message` without a copy and leaves it empty; on failure it is unchanged.
    pub fn msg_send(&self, message: &mut Message, flags: i32) -> Result<()> {
        retry(|| {
            // SAFETY: socket and message are live; on success libzmq leaves an empty, initialised message.
            check(unsafe { ffi::zmq_msg_send(message.raw_mut(), self.raw, flags) }).map(drop)
        })
    }

    /// Receives one part into `message`, whose old content is released, and returns its length in bytes.
    pub fn msg_recv(&self, message: &mut Message, flags: i32) -> Result<usize> {
        retry(|| {
            // SAFETY: socket and message are live; libzmq closes the old content.
            let answer = unsafe { ffi::zmq_msg_recv(message.raw_mut(), self.raw, flags) };
            // The answer is an `int` and cannot say the length of a part beyond 2 GiB; the message can.
            check(answer).map(|_| message.len())
        })
    }

    /// Whether a message can be received within `timeout_ms`; -1 waits for ever.
    pub fn poll_in(&self, timeout_ms: i64) -> Result<bool> {
        self.poll(ffi::ZMQ_POLLIN, timeout_ms)
    }

    /// Whether a message can be sent within `timeout_ms`; -1 waits for ever.
    pub fn poll_out(&self, timeout_ms: i64) -> Result<bool> {
        self.poll(ffi::ZMQ_POLLOUT, timeout_ms)
    }

    fn poll(&self, events: i16, timeout_ms: i64) -> Result<bool> {
        let mut item = ffi::ZmqPollItem {
            socket: self.raw,
            fd: 0,
            events,
            revents: 0,
        };
        // SAFETY: one item, with a live socket.
        let ready = retry(|| check(unsafe { ffi::zmq_poll(&mut item, 1, timeout_ms) }))?;
        Ok(ready > 0 && item.revents & events != 0)
    }

    /// Sets an option of libzmq's type `int`.
    pub fn set_int(&self, option: i32, value: i32) -> Result<()> {
        self.set_bytes(option, &value.to_ne_bytes())
    }

    /// Sets an option of 64 bits (AFFINITY, MAXMSGSIZE).
    pub fn set_i64(&self, option: i32, value: i64) -> Result<()> {
        self.set_bytes(option, &value.to_ne_bytes())
    }

    /// Sets an option of type string or binary.
    pub fn set_bytes(&self, option: i32, value: &[u8]) -> Result<()> {
        // SAFETY: the socket is live and `value` is readable for its length; libzmq copies it.
        check(unsafe { ffi::zmq_setsockopt(self.raw, option, value.as_ptr().cast(), value.len()) }).map(drop)
    }

    /// Subscribes a SUB to a prefix.
    pub fn subscribe(&self, prefix: &[u8]) -> Result<()> {
        self.set_bytes(option::SUBSCRIBE, prefix)
    }

    /// Withdraws one subscription of a SUB.
    pub fn unsubscribe(&self, prefix: &[u8]) -> Result<()> {
        self.set_bytes(option::UNSUBSCRIBE, prefix)
    }

    /// Joins a DISH to a group.
    pub fn join(&self, group: &str) -> Result<()> {
        self.with_endpoint(ffi::zmq_join, group)
    }

    /// Takes a DISH out of a group.
    pub fn leave(&self, group: &str) -> Result<()> {
        self.with_endpoint(ffi::zmq_leave, group)
    }

    /// Connects a PEER and returns the routing id of the peer there.
    pub fn connect_peer(&self, endpoint: &str) -> Result<u32> {
        let endpoint = CString::new(endpoint).map_err(|_| Error::from_errno(errno::EINVAL))?;
        // SAFETY: the socket is live and `endpoint` is NUL terminated.
        match unsafe { ffi::zmq_connect_peer(self.raw, endpoint.as_ptr()) } {
            0 => Err(Error::last()),
            id => Ok(id),
        }
    }

    /// Sets RCVTIMEO and SNDTIMEO; -1 waits for ever.
    pub fn set_timeout_ms(&self, timeout_ms: i32) -> Result<()> {
        self.set_int(option::RCVTIMEO, timeout_ms)?;
        self.set_int(option::SNDTIMEO, timeout_ms)
    }

    /// Reads an option of libzmq's type `int`.
    pub fn get_int(&self, option: i32) -> Result<i32> {
        self.get_array(option).map(i32::from_ne_bytes)
    }

    /// Reads an option of 64 bits (AFFINITY, MAXMSGSIZE).
    pub fn get_i64(&self, option: i32) -> Result<i64> {
        self.get_array(option).map(i64::from_ne_bytes)
    }

    fn get_array<const N: usize>(&self, option: i32) -> Result<[u8; N]> {
        let mut value = [0; N];
        let length = self.get_into(option, &mut value)?;
        if length == N {
            Ok(value)
        } else {
            Err(Error::from_errno(errno::EINVAL))
        }
    }

    /// Reads an option of type string or binary, with the NUL that ends a string.
    pub fn get_bytes(&self, option: i32) -> Result<Vec<u8>> {
        let mut value = vec![0; 1024];
        let length = self.get_into(option, &mut value)?;
        value.truncate(length);
        Ok(value)
    }

    /// Reads an option of type string, without its NUL.
    pub fn get_string(&self, option: i32) -> Result<String> {
        let mut value = self.get_bytes(option)?;
        if value.last() == Some(&0) {
            value.pop();
        }
        String::from_utf8(value).map_err(|_| Error::from_errno(errno::EINVAL))
    }

    fn get_into(&self, option: i32, value: &mut [u8]) -> Result<usize> {
        let mut length = value.len();
        // SAFETY: the socket is live, `value` is writable for `length` bytes, and libzmq lowers `length` to
        // what it wrote.
        check(unsafe { ffi::zmq_getsockopt(self.raw, option, value.as_mut_ptr().cast(), &mut length) })?;
        Ok(length)
    }

    /// Watches the socket: `events` is a set of [`event`](crate::constants::event) bits.
    ///
    /// Events go through a PUB, which drops them when the monitor is gone or full, where libzmq's default PAIR
    /// would block the I/O thread.
    pub fn monitor(&self, events: u16) -> Result<Monitor> {
        const VERSION: c_int = 1;
        let endpoint = Monitor::unique_endpoint();
        let name = CString::new(endpoint.as_str()).map_err(|_| Error::from_errno(errno::EINVAL))?;
        // SAFETY: the socket is live and `name` is NUL terminated.
        check(unsafe {
            ffi::zmq_socket_monitor_versioned(
                self.raw,
                name.as_ptr(),
                events.into(),
                VERSION,
                socket_type::PUB,
            )
        })?;
        Monitor::connect(&self.context, &endpoint)
    }
}

/// Repeats a call that a signal interrupted. A timeout starts anew then.
fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(error) if error.errno() == errno::EINTR => {}
            answer => return answer,
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &self.get_int(option::TYPE))
            .finish()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the socket is live, and after this nobody can reach it.
        unsafe { ffi::zmq_close(self.raw) };
    }
}
