//! Calls of libzmq's draft interface that some socket types have: groups, and peers by number.

use std::ffi::{CStr, c_char, c_int, c_void};

use ringmq_core::Error;
use ringmq_message::Message;

use crate::{
    error::{DONE, Errno, bytes, call, call_or, text},
    msg::message,
    poll::event,
    socket::socket,
};

/// The bytes of a group's name, or EINVAL for NULL.
///
/// # Safety
///
/// `group` is null or a text that lives as long as the result.
unsafe fn group_name<'a>(group: *const c_char) -> Result<&'a [u8], Errno> {
    if group.is_null() {
        return Err(Errno(libc::EINVAL));
    }
    // SAFETY: the caller promises it.
    Ok(unsafe { CStr::from_ptr(group) }.to_bytes())
}

/// Joins a group (DISH).
///
/// # Safety
///
/// `group` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_join(handle: *mut c_void, group: *const c_char) -> c_int {
    call(|| {
        let mut socket = socket(handle)?;
        // SAFETY: the caller promises it.
        socket.engine.join(unsafe { group_name(group) }?)?;
        DONE
    })
}

/// Leaves a group (DISH).
///
/// # Safety
///
/// `group` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_leave(handle: *mut c_void, group: *const c_char) -> c_int {
    call(|| {
        let mut socket = socket(handle)?;
        // SAFETY: the caller promises it.
        socket.engine.leave(unsafe { group_name(group) }?)?;
        DONE
    })
}

/// Connects and tells the peer's id (PEER); 0 is an error.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect_peer(handle: *mut c_void, endpoint: *const c_char) -> u32 {
    call_or(0, || {
        let mut socket = socket(handle)?;
        // SAFETY: the caller promises it.
        match socket.engine.connect_peer(unsafe { text(endpoint) }?) {
            // Peers of an immediate socket have no id yet.
            Err(Error::InvalidArgument { .. }) => Err(Errno(libc::EFAULT)),
            other => Ok(other?),
        }
    })
}

/// Disconnects one peer (SERVER and PEER).
#[unsafe(no_mangle)]
pub extern "C" fn zmq_disconnect_peer(handle: *mut c_void, routing_id: u32) -> c_int {
    call(|| {
        socket(handle)?.engine.disconnect_peer(routing_id)?;
        DONE
    })
}

/// Says which group a message goes to (RADIO); EINVAL for more than 255 bytes.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`; `group` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_group(msg: *mut Message, group: *const c_char) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        let (message, group) = (unsafe { message(msg) }?, unsafe { group_name(group) }?);
        message.set_group(group).map_err(|_| Errno(libc::EINVAL))?;
        DONE
    })
}

/// The group that a message goes to or came from; empty if there is none. Lives as long as the message stays where it is.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_group(msg: *mut Message) -> *const c_char {
    call_or(std::ptr::null(), || {
        // SAFETY: the caller promises it.
        Ok(match unsafe { message(msg) }?.group_with_zero() {
            [] => c"".as_ptr(),
            group => group.as_ptr().cast(),
        })
    })
}

/// Whether a peer of a ROUTER has room (ZMQ_POLLOUT). EHOSTUNREACH if nobody has the routing id; ENOTSUP for other types.
///
/// # Safety
///
/// `routing_id` is null or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_get_peer_state(
    handle: *mut c_void,
    routing_id: *const c_void,
    len: usize,
) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        let room = socket(handle)?
            .engine
            .has_room_for(unsafe { bytes(routing_id, len) })?;
        Ok(if room { c_int::from(event::OUT) } else { 0 })
    })
}
