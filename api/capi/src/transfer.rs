//! Sending and receiving.

use std::{
    ffi::{c_int, c_void},
    ptr,
    time::Duration,
};

use ringmq_core::{Wait, options::Options};
use ringmq_message::Message;

use crate::{
    error::{Errno, bytes, call, checked},
    msg::{length, message},
    socket::{Socket, socket},
    turns::by_turns,
};

/// The flags of the calls; other bits are ignored.
mod flag {
    pub(super) const DONTWAIT: i32 = 1;
    pub(super) const SNDMORE: i32 = 2;
}

impl Socket {
    /// Sends one part, which is taken. On an error it is still there.
    #[inline(always)]
    fn send(&mut self, part: &mut Message, flags: c_int, wait: Wait) -> Result<c_int, Errno> {
        let len = part.len();
        part.set_more(flags & flag::SNDMORE != 0);
        self.engine.send(part, wait)?;
        Ok(length(len))
    }

    /// Sends one part, copied.
    #[inline(always)]
    fn send_bytes(&mut self, body: &[u8], flags: c_int, wait: Wait) -> Result<c_int, Errno> {
        if flags & flag::SNDMORE != 0 {
            return self.send_more(body, flags, wait);
        }
        self.engine.send_bytes(body, wait)?;
        Ok(length(body.len()))
    }

    #[inline(never)]
    fn send_more(&mut self, body: &[u8], flags: c_int, wait: Wait) -> Result<c_int, Errno> {
        self.send(&mut Message::from_slice(body), flags, wait)
    }

    /// Receives one part.
    #[inline(always)]
    fn recv(&mut self, part: &mut Message, wait: Wait) -> Result<c_int, Errno> {
        self.engine.recv(part, wait)?;
        self.more = part.more();
        Ok(length(part.len()))
    }

    /// Receives one part into a buffer. What it lay in is used for the next one; if it is not worth that, it becomes the
    /// caller's, who lets it go when the socket is not in use any more.
    ///
    /// # Safety
    ///
    /// `buffer` is null or valid for writing `room` bytes.
    #[inline(always)]
    unsafe fn recv_bytes(
        &mut self,
        buffer: *mut u8,
        room: usize,
        wait: Wait,
        left: &mut Message,
    ) -> Result<c_int, Errno> {
        let part = &mut self.scratch;
        self.engine.recv(part, wait)?;
        self.more = part.more();
        let len = part.len();
        if !buffer.is_null() {
            // SAFETY: the caller promises room for as much, and the part is ours.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), buffer, room.min(len)) };
        }
        if !part.is_cheap_to_keep() {
            *left = std::mem::take(part);
        }
        Ok(length(len))
    }
}

/// Runs a call that may wait for as long as the flags and a timeout of the socket's say.
#[inline(always)]
fn waiting(
    handle: *mut c_void,
    flags: c_int,
    timeout: impl FnOnce(&Options) -> Option<Duration>,
    mut attempt: impl FnMut(&mut Socket, Wait) -> Result<c_int, Errno>,
) -> Result<c_int, Errno> {
    let mut socket = socket(handle)?;
    let wait = match flags & flag::DONTWAIT {
        0 => Wait::from(timeout(socket.engine.options())),
        _ => Wait::No,
    };
    if socket.turns.is_some() {
        return by_turns(handle, socket, wait, |socket| attempt(socket, Wait::No));
    }
    attempt(&mut socket, wait)
}

#[inline(always)]
fn send(handle: *mut c_void, part: &mut Message, flags: c_int) -> Result<c_int, Errno> {
    let timeout = |options: &Options| options.send_timeout;
    waiting(handle, flags, timeout, |socket, wait| {
        socket.send(part, flags, wait)
    })
}

#[inline(always)]
fn send_bytes(handle: *mut c_void, body: &[u8], flags: c_int) -> Result<c_int, Errno> {
    let timeout = |options: &Options| options.send_timeout;
    waiting(handle, flags, timeout, |socket, wait| {
        socket.send_bytes(body, flags, wait)
    })
}

#[inline(always)]
fn recv(handle: *mut c_void, part: &mut Message, flags: c_int) -> Result<c_int, Errno> {
    let timeout = |options: &Options| options.receive_timeout;
    waiting(handle, flags, timeout, |socket, wait| socket.recv(part, wait))
}

/// Sends a message, which is empty afterwards.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_send(msg: *mut Message, handle: *mut c_void, flags: c_int) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        match unsafe { message(msg) } {
            Ok(message) => {
                let sent = send(handle, message, flags)?;
                message.clear();
                Ok(sent)
            }
            // A socket that is none is told first.
            Err(error) => socket(handle).and(Err(error)),
        }
    })
}

/// Receives a part into a message, whose former content is released.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_msg_recv(msg: *mut Message, handle: *mut c_void, flags: c_int) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        match unsafe { message(msg) } {
            Ok(message) => recv(handle, message, flags),
            // A socket that is none is told first.
            Err(error) => socket(handle).and(Err(error)),
        }
    })
}

/// `zmq_msg_send`, as it was called once.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendmsg(handle: *mut c_void, msg: *mut Message, flags: c_int) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { zmq_msg_send(msg, handle, flags) }
}

/// `zmq_msg_recv`, as it was called once.
///
/// # Safety
///
/// `msg` is null or a `zmq_msg_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recvmsg(handle: *mut c_void, msg: *mut Message, flags: c_int) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { zmq_msg_recv(msg, handle, flags) }
}

/// Sends a copy of bytes.
///
/// # Safety
///
/// `data` is null or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send(
    handle: *mut c_void,
    data: *const c_void,
    len: usize,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller promises it.
    call(|| send_bytes(handle, unsafe { bytes(data, len) }, flags))
}

/// Sends bytes that stay as they are for ever, without a copy.
///
/// # Safety
///
/// `data` is null or valid for reading `len` bytes for as long as the program runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_send_const(
    handle: *mut c_void,
    data: *const c_void,
    len: usize,
    flags: c_int,
) -> c_int {
    call(|| {
        // SAFETY: the caller promises it, for ever.
        let mut part = Message::from_static(unsafe { bytes(data, len) });
        send(handle, &mut part, flags)
    })
}

/// Receives a part into a buffer, as far as it has room; returns the length of the whole part.
///
/// # Safety
///
/// `buffer` is null or valid for writing `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recv(
    handle: *mut c_void,
    buffer: *mut c_void,
    len: usize,
    flags: c_int,
) -> c_int {
    call(|| {
        let timeout = |options: &Options| options.receive_timeout;
        // A free function of the application's may use the socket.
        let mut left = Message::new();
        waiting(handle, flags, timeout, |socket, wait| {
            // SAFETY: the caller promises room for `len` bytes.
            unsafe { socket.recv_bytes(buffer.cast(), len, wait, &mut left) }
        })
    })
}

/// Sends one message of one part for each buffer; returns the length of the last part.
///
/// # Safety
///
/// `buffers` is null or points to `count` buffers, each valid for reading.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_sendiov(
    handle: *mut c_void,
    buffers: *mut libc::iovec,
    count: usize,
    flags: c_int,
) -> c_int {
    call(|| {
        socket(handle)?;
        if buffers.is_null() || count == 0 {
            return Err(Errno(libc::EINVAL));
        }
        let mut sent = 0;
        for index in 0..count {
            // SAFETY: the caller promises `count` of them.
            let buffer = unsafe { buffers.add(index).read() };
            let more = if index + 1 < count {
                flag::SNDMORE
            } else {
                flags & flag::SNDMORE
            };
            // SAFETY: the caller promises it.
            let body = unsafe { bytes(buffer.iov_base, buffer.iov_len) };
            sent = send_bytes(handle, body, flags & !flag::SNDMORE | more)?;
        }
        Ok(sent)
    })
}

/// Receives the parts of a message into buffers that the caller frees with `free`; returns how many.
///
/// # Safety
///
/// `count` is null or tells how many buffers `buffers` points to, unless that is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_recviov(
    handle: *mut c_void,
    buffers: *mut libc::iovec,
    count: *mut usize,
    flags: c_int,
) -> c_int {
    call(|| {
        socket(handle)?;
        // SAFETY: the caller promises it.
        let count = unsafe { checked(count) }.map_err(|_| Errno(libc::EINVAL))?;
        let room = std::mem::take(count);
        if buffers.is_null() || room == 0 {
            return Err(Errno(libc::EINVAL));
        }
        let mut part = Message::new();
        while *count < room {
            recv(handle, &mut part, flags)?;
            // SAFETY: `malloc` takes any size; one byte keeps an empty part apart from a failure.
            let copy = unsafe { libc::malloc(part.len().max(1)) };
            if copy.is_null() {
                return Err(Errno(libc::ENOMEM));
            }
            let buffer = libc::iovec {
                iov_base: copy,
                iov_len: part.len(),
            };
            // SAFETY: the copy has that much room, and the caller promises the buffers.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), copy.cast(), part.len());
                buffers.add(*count).write(buffer);
            }
            *count += 1;
            if !part.more() {
                break;
            }
        }
        Ok(length(*count))
    })
}
