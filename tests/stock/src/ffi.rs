//! The part of `zmq.h` that the wrapper calls, written from the man pages.

use std::ffi::{c_char, c_int, c_long, c_short, c_void};
use std::mem::MaybeUninit;

/// `zmq_msg_t`: 64 opaque bytes, aligned as a pointer.
#[repr(C, align(8))]
pub(crate) struct ZmqMsg {
    opaque: [MaybeUninit<u8>; 64],
}

impl ZmqMsg {
    /// Memory for a message, not yet a message: an init function must run on it first.
    pub(crate) const fn uninit() -> ZmqMsg {
        ZmqMsg {
            opaque: [MaybeUninit::uninit(); 64],
        }
    }
}

/// `zmq_pollitem_t`.
#[repr(C)]
pub(crate) struct ZmqPollItem {
    pub(crate) socket: *mut c_void,
    pub(crate) fd: c_int,
    pub(crate) events: c_short,
    pub(crate) revents: c_short,
}

pub(crate) const ZMQ_POLLIN: c_short = 1;
pub(crate) const ZMQ_POLLOUT: c_short = 2;

unsafe extern "C" {
    pub(crate) fn zmq_errno() -> c_int;
    pub(crate) fn zmq_strerror(errnum: c_int) -> *const c_char;
    pub(crate) fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    pub(crate) fn zmq_has(capability: *const c_char) -> c_int;

    pub(crate) fn zmq_ctx_new() -> *mut c_void;
    pub(crate) fn zmq_ctx_term(context: *mut c_void) -> c_int;
    pub(crate) fn zmq_ctx_shutdown(context: *mut c_void) -> c_int;
    pub(crate) fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int;
    pub(crate) fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int;

    pub(crate) fn zmq_socket(context: *mut c_void, kind: c_int) -> *mut c_void;
    pub(crate) fn zmq_close(socket: *mut c_void) -> c_int;
    pub(crate) fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub(crate) fn zmq_setsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *const c_void,
        length: usize,
    ) -> c_int;
    pub(crate) fn zmq_getsockopt(
        socket: *mut c_void,
        option: c_int,
        value: *mut c_void,
        length: *mut usize,
    ) -> c_int;
    pub(crate) fn zmq_proxy(front: *mut c_void, back: *mut c_void, capture: *mut c_void) -> c_int;
    pub(crate) fn zmq_send(socket: *mut c_void, data: *const c_void, length: usize, flags: c_int) -> c_int;
    pub(crate) fn zmq_poll(items: *mut ZmqPollItem, count: c_int, timeout_ms: c_long) -> c_int;
    pub(crate) fn zmq_join(socket: *mut c_void, group: *const c_char) -> c_int;
    pub(crate) fn zmq_leave(socket: *mut c_void, group: *const c_char) -> c_int;
    pub(crate) fn zmq_connect_peer(socket: *mut c_void, endpoint: *const c_char) -> u32;
    pub(crate) fn zmq_socket_monitor_versioned(
        socket: *mut c_void,
        endpoint: *const c_char,
        events: u64,
        version: c_int,
        kind: c_int,
    ) -> c_int;

    pub(crate) fn zmq_msg_init(message: *mut ZmqMsg) -> c_int;
    pub(crate) fn zmq_msg_init_size(message: *mut ZmqMsg, size: usize) -> c_int;
    pub(crate) fn zmq_msg_close(message: *mut ZmqMsg) -> c_int;
    pub(crate) fn zmq_msg_send(message: *mut ZmqMsg, socket: *mut c_void, flags: c_int) -> c_int;
    pub(crate) fn zmq_msg_recv(message: *mut ZmqMsg, socket: *mut c_void, flags: c_int) -> c_int;
    pub(crate) fn zmq_msg_data(message: *mut ZmqMsg) -> *mut c_void;
    pub(crate) fn zmq_msg_size(message: *const ZmqMsg) -> usize;
    pub(crate) fn zmq_msg_more(message: *const ZmqMsg) -> c_int;
    pub(crate) fn zmq_msg_gets(message: *const ZmqMsg, property: *const c_char) -> *const c_char;
    pub(crate) fn zmq_msg_routing_id(message: *mut ZmqMsg) -> u32;
    pub(crate) fn zmq_msg_set_routing_id(message: *mut ZmqMsg, routing_id: u32) -> c_int;
    pub(crate) fn zmq_msg_group(message: *mut ZmqMsg) -> *const c_char;
    pub(crate) fn zmq_msg_set_group(message: *mut ZmqMsg, group: *const c_char) -> c_int;
}
