//! One `zmq_msg_t`.

use std::ffi::{CStr, CString};
use std::fmt;

use crate::error::{Error, Result, check};
use crate::ffi;

/// A message part as libzmq holds it. Receiving into it copies nothing.
pub struct Message {
    // libzmq keeps no pointer into a `zmq_msg_t` between calls, so that Rust may move it.
    raw: ffi::ZmqMsg,
}

// SAFETY: a message is owned by one thread at a time; its shared bodies are counted atomically by libzmq.
unsafe impl Send for Message {}

impl Message {
    /// An empty message.
    pub fn new() -> Message {
        let mut raw = ffi::ZmqMsg::uninit();
        // SAFETY: `raw` is memory for a `zmq_msg_t`; initialising an empty one cannot fail.
        unsafe { ffi::zmq_msg_init(&mut raw) };
        Message { raw }
    }

    /// A message of `size` bytes, zeroed. Fails with ENOMEM.
    pub fn with_size(size: usize) -> Result<Message> {
        let mut raw = ffi::ZmqMsg::uninit();
        // SAFETY: `raw` is memory for a `zmq_msg_t`, which is only used below if this succeeded.
        check(unsafe { ffi::zmq_msg_init_size(&mut raw, size) })?;
        let mut message = Message { raw };
        // SAFETY: the data pointer of a message of `size` bytes is valid for writes of `size` bytes.
        unsafe {
            ffi::zmq_msg_data(&mut message.raw)
                .cast::<u8>()
                .write_bytes(0, size)
        };
        Ok(message)
    }

    /// A message with a copy of `body`. Fails with ENOMEM.
    pub fn from_bytes(body: &[u8]) -> Result<Message> {
        let mut message = Message::with_size(body.len())?;
        message.as_mut_slice().copy_from_slice(body);
        Ok(message)
    }

    /// The body.
    pub fn as_slice(&self) -> &[u8] {
        let raw = (&raw const self.raw).cast_mut();
        // SAFETY: `zmq_msg_data` takes a mutable pointer but only reads the message (`msg_t::data` of an
        // initialised message is a look-up). The body is initialised by whoever made the message, lives as
        // long as it, and is not written while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(ffi::zmq_msg_data(raw).cast::<u8>(), ffi::zmq_msg_size(raw)) }
    }

    /// The body, to be filled in before sending.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let raw = &raw mut self.raw;
        // SAFETY: as in `as_slice`; `self` is borrowed mutably, and this wrapper never shares a body
        // between messages (there is no `zmq_msg_copy`).
        unsafe { std::slice::from_raw_parts_mut(ffi::zmq_msg_data(raw).cast::<u8>(), ffi::zmq_msg_size(raw)) }
    }

    /// The length of the body, bytes.
    pub fn len(&self) -> usize {
        // SAFETY: the message is initialised.
        unsafe { ffi::zmq_msg_size(&self.raw) }
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether more parts of the same multipart message follow.
    pub fn more(&self) -> bool {
        // SAFETY: the message is initialised.
        unsafe { ffi::zmq_msg_more(&self.raw) == 1 }
    }

    /// A metadata property (`"Socket-Type"`, `"Peer-Address"`, ...) of a received message.
    pub fn property(&self, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        // SAFETY: the message is initialised and `name` is NUL terminated.
        let value = unsafe { ffi::zmq_msg_gets(&self.raw, name.as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: libzmq returned a NUL-terminated string that lives as long as the message.
        Some(unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
    }

    /// The peer that a message of a SERVER or PEER socket came from; 0 if none.
    pub fn routing_id(&mut self) -> u32 {
        // SAFETY: the message is initialised.
        unsafe { ffi::zmq_msg_routing_id(&mut self.raw) }
    }

    /// Addresses a message to a peer of a SERVER or PEER socket.
    pub fn set_routing_id(&mut self, routing_id: u32) -> Result<()> {
        // SAFETY: the message is initialised.
        check(unsafe { ffi::zmq_msg_set_routing_id(&mut self.raw, routing_id) }).map(drop)
    }

    /// The group of a message received by a DISH.
    pub fn group(&mut self) -> String {
        // SAFETY: the message is initialised; the string lives as long as it and is copied at once.
        unsafe { CStr::from_ptr(ffi::zmq_msg_group(&mut self.raw)) }
            .to_string_lossy()
            .into_owned()
    }

    /// Sets the group that a RADIO sends the message to.
    pub fn set_group(&mut self, group: &str) -> Result<()> {
        let group = CString::new(group).map_err(|_| Error::from_errno(crate::constants::errno::EINVAL))?;
        // SAFETY: the message is initialised and `group` is NUL terminated; libzmq copies it.
        check(unsafe { ffi::zmq_msg_set_group(&mut self.raw, group.as_ptr()) }).map(drop)
    }

    /// The initialised `zmq_msg_t`, for the calls that exchange its content.
    pub(crate) fn raw_mut(&mut self) -> *mut ffi::ZmqMsg {
        &mut self.raw
    }
}

impl Default for Message {
    fn default() -> Message {
        Message::new()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("len", &self.len())
            .field("more", &self.more())
            .finish()
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the message is initialised, and after this nobody can reach it.
        unsafe { ffi::zmq_msg_close(&mut self.raw) };
    }
}
