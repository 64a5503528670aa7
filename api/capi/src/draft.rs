//! Calls for socket types that are not offered yet: ENOTSUP, as for every type that does not have them.

use std::ffi::{c_char, c_int, c_void};

use ringmq_message::Message;

use crate::{
    error::{Errno, call, call_or},
    msg::message,
    socket::socket,
};

/// What a socket answers to a call that its type does not have.
fn refuse(handle: *mut c_void) -> Result<c_int, Errno> {
    socket(handle)?;
    Err(Errno(libc::ENOTSUP))
}

/// Joins a group (DISH).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_join(socket: *mut c_void, _group: *const c_char) -> c_int {
    call(|| refuse(socket))
}

/// Leaves a group (DISH).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_leave(socket: *mut c_void, _group: *const c_char) -> c_int {
    call(|| refuse(socket))
}

/// Connects and tells the peer's id (PEER); 0 is an error.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_connect_peer(socket: *mut c_void, _endpoint: *const c_char) -> u32 {
    call_or(0, || refuse(socket).map(|_| 0))
}

/// Disconnects one peer (SERVER and PEER).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_disconnect_peer(socket: *mut c_void, _routing_id: u32) -> c_int {
    call(|| refuse(socket))
}

/// Whether a peer has room and messages (ROUTER).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket_get_peer_state(
    socket: *mut c_void,
    _routing_id: *const c_void,
    _len: usize,
) -> c_int {
    call(|| refuse(socket))
}

/// Reports the depth of all queues as events.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket_monitor_pipes_stats(socket: *mut c_void) -> c_int {
    call(|| refuse(socket))
}

/// Says which group a message goes to (RADIO).
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_group(msg: *mut Message, _group: *const c_char) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        unsafe { message(msg) }?;
        Err(Errno(libc::ENOTSUP))
    })
}

/// The group that a message came from (DISH); there is none.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_group(msg: *mut Message) -> *const c_char {
    call_or(std::ptr::null(), || {
        // SAFETY: the caller promises it.
        unsafe { message(msg) }?;
        Ok(c"".as_ptr())
    })
}
