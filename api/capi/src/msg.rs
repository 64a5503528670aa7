//! Messages: a `zmq_msg_t` is a [`Message`].

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

use ringmq_message::{Message, message::FreeFn};

use crate::error::{DONE, Errno, bytes, call, call_or, text};

/// The properties of `zmq_msg_get`.
mod property {
    pub(super) const MORE: i32 = 1;
    pub(super) const SRCFD: i32 = 2;
    pub(super) const SHARED: i32 = 3;
}

/// The message at an address of the caller's, or EFAULT.
///
/// # Safety
///
/// `place` is null or points to a `zmq_msg_t` that nobody else uses for as long as the result lives.
#[inline]
pub(crate) unsafe fn message<'a>(place: *mut Message) -> Result<&'a mut Message, Errno> {
    // SAFETY: the caller promises it; a `zmq_msg_t` is 64 bytes with the alignment of a pointer.
    unsafe { Message::at(place) }.ok_or(Errno(libc::EFAULT))
}

/// Makes the memory at an address of the caller's a message, whatever it was before, or EFAULT.
///
/// # Safety
///
/// `place` is null or points to a `zmq_msg_t` that nobody else uses.
unsafe fn put(place: *mut Message, message: Message) -> Result<c_int, Errno> {
    if place.is_null() {
        return Err(Errno(libc::EFAULT));
    }
    // SAFETY: not null, so the caller promises it.
    unsafe { place.write(message) };
    DONE
}

/// A length as functions return it that count in `int`.
#[inline]
pub(crate) fn length(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}

/// Makes an empty message.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init(msg: *mut Message) -> c_int {
    // SAFETY: the caller promises it.
    call(|| unsafe { put(msg, Message::new()) })
}

/// Makes a message of a given size, whose bytes the caller then writes.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_size(msg: *mut Message, size: usize) -> c_int {
    call(|| {
        if msg.is_null() {
            return Err(Errno(libc::EFAULT));
        }
        // SAFETY: not null, so the caller promises it. That the bytes are written before they are read is the contract of this
        // function.
        if unsafe { Message::put_unwritten(msg, size) } {
            DONE
        } else {
            Err(Errno(libc::ENOMEM))
        }
    })
}

/// Makes a message of a copy of bytes.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`; `data` is null or valid for reading `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_buffer(msg: *mut Message, data: *const c_void, size: usize) -> c_int {
    // SAFETY: the caller promises it.
    call(|| unsafe { put(msg, Message::from_slice(bytes(data, size))) })
}

/// Makes a message of the caller's own memory, without a copy and without an allocation. `free` is called once, on any
/// thread, when nobody needs the memory any more; without it the memory stays as it is for ever.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`; the rest is as [`Message::adopt`] asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_init_data(
    msg: *mut Message,
    data: *mut c_void,
    size: usize,
    free: Option<FreeFn>,
    hint: *mut c_void,
) -> c_int {
    // SAFETY: the caller promises it.
    call(|| unsafe { put(msg, Message::adopt(data, size, free, hint)) })
}

/// Releases a message. The memory is none afterwards.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_close(msg: *mut Message) -> c_int {
    // SAFETY: the caller promises it.
    call(|| match unsafe { Message::close_at(msg) } {
        true => DONE,
        false => Err(Errno(libc::EFAULT)),
    })
}

/// Moves a message into another, whose former content is released; the source is empty afterwards.
///
/// # Safety
///
/// Each is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_move(destination: *mut Message, source: *mut Message) -> c_int {
    call(|| {
        // SAFETY: the caller promises it; the reference to the source ends before that to the destination begins.
        let content = std::mem::take(unsafe { message(source) }?);
        // SAFETY: as above.
        let former = std::mem::replace(unsafe { message(destination) }?, content);
        // The free function of what was there may look at the message.
        drop(former);
        DONE
    })
}

/// Makes a message a second one with the same content, without copying a long body.
///
/// # Safety
///
/// Each is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_copy(destination: *mut Message, source: *mut Message) -> c_int {
    call(|| {
        // SAFETY: the caller promises it; the reference to the source ends before that to the destination begins.
        let content = unsafe { message(source) }?.share();
        // SAFETY: as above.
        let former = std::mem::replace(unsafe { message(destination) }?, content);
        drop(former);
        DONE
    })
}

/// The address of the body. Writing to a message that was copied changes all copies, as in libzmq.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_data(msg: *mut Message) -> *mut c_void {
    call_or(ptr::null_mut(), || {
        // SAFETY: the caller promises it.
        Ok(unsafe { message(msg) }?.as_ptr().cast_mut().cast())
    })
}

/// The length of the body.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_size(msg: *const Message) -> usize {
    // SAFETY: the caller promises it; nothing is written.
    call_or(0, || Ok(unsafe { message(msg.cast_mut()) }?.len()))
}

/// 1 if other parts of the same message follow.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_more(msg: *const Message) -> c_int {
    // SAFETY: the caller promises it; nothing is written.
    call_or(0, || Ok(c_int::from(unsafe { message(msg.cast_mut()) }?.more())))
}

/// A property of a message that is a number.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_get(msg: *const Message, property: c_int) -> c_int {
    call(|| {
        // SAFETY: the caller promises it; nothing is written.
        let message = unsafe { message(msg.cast_mut()) }?;
        match property {
            property::MORE => Ok(c_int::from(message.more())),
            property::SRCFD => match message.properties() {
                Some(properties) => Ok(properties.fd()),
                None => Err(Errno(libc::EINVAL)),
            },
            property::SHARED => Ok(c_int::from(message.is_shared())),
            _ => Err(Errno(libc::EINVAL)),
        }
    })
}

/// No property can be set.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_msg_set(_msg: *mut Message, _property: c_int, _value: c_int) -> c_int {
    call(|| Err(Errno(libc::EINVAL)))
}

/// A property of the connection that a message came by: what the peer announced, and its address. Lives as long as the
/// message. NULL (EINVAL) if there is none.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t` that nobody else uses; `property` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_gets(msg: *const Message, property: *const c_char) -> *const c_char {
    call_or(ptr::null(), || {
        // SAFETY: the caller promises it. What is written, that the message keeps its properties, shows nowhere else.
        let message = unsafe { message(msg.cast_mut()) }?;
        // SAFETY: the caller promises it.
        let name = unsafe { text(property) }?;
        let properties = message.keep_properties();
        let value = properties.as_ref().and_then(|properties| properties.get_c(name));
        // The message keeps them, so the address is good for as long as it lives.
        value.map(CStr::as_ptr).ok_or(Errno(libc::EINVAL))
    })
}

/// Says which peer of a SERVER or PEER a message goes to.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_set_routing_id(msg: *mut Message, id: u32) -> c_int {
    call(|| {
        if id == 0 {
            return Err(Errno(libc::EINVAL));
        }
        // SAFETY: the caller promises it.
        unsafe { message(msg) }?.set_routing_id(id);
        DONE
    })
}

/// Which peer of a SERVER or PEER a message came from or goes to; 0 is none.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_routing_id(msg: *mut Message) -> u32 {
    // SAFETY: the caller promises it.
    call_or(0, || Ok(unsafe { message(msg) }?.routing_id()))
}
