//! Sending and receiving.

use std::{
    ffi::{c_int, c_void},
    ptr,
    time::Duration,
};

use ringmq_core::{Wait, options::Options};
use ringmq_message::Message;
use ringmq_queue::copy::copy;

use crate::{
    error::{Errno, bytes, call, checked},
    msg::{length, message},
    socket::{SOCKETS, Socket, socket},
    turns::by_turns,
};

/// The flags of the calls; other bits are ignored.
mod flag {
    pub(super) const DONTWAIT: i32 = 1;
    pub(super) const SNDMORE: i32 = 2;
}

/// What a call does at a socket, made of what fits two registers. The usual path of every call is a copy of its own, from the
/// check of the handle to the queue, in which nothing is called that need not be; hence a trait, and not a closure, which would
/// be one function for all paths.
trait Attempt {
    /// What is let go of after the call, when the socket is not in use any more.
    type Left: Default;

    /// Which timeout of the socket's is the call's.
    fn timeout(options: &Options) -> Option<Duration>;

    /// Does it, or tries to.
    fn attempt(
        &mut self,
        socket: &mut Socket,
        flags: c_int,
        wait: Wait,
        left: &mut Self::Left,
    ) -> Result<c_int, Errno>;
}

/// Sends one part, which is taken. On an error it is still there.
struct Send<'a>(&'a mut Message);

impl Attempt for Send<'_> {
    type Left = ();

    #[inline(always)]
    fn timeout(options: &Options) -> Option<Duration> {
        options.send_timeout
    }

    #[inline(always)]
    fn attempt(
        &mut self,
        socket: &mut Socket,
        flags: c_int,
        wait: Wait,
        (): &mut (),
    ) -> Result<c_int, Errno> {
        let Self(part) = self;
        let len = part.len();
        part.set_more(flags & flag::SNDMORE != 0);
        socket.engine.send(part, wait)?;
        Ok(length(len))
    }
}

/// Sends one part, copied.
struct SendBytes<'a>(&'a [u8]);

impl SendBytes<'_> {
    #[inline(never)]
    fn as_part(body: &[u8], socket: &mut Socket, flags: c_int, wait: Wait) -> Result<c_int, Errno> {
        Send(&mut Message::from_slice(body)).attempt(socket, flags, wait, &mut ())
    }
}

impl Attempt for SendBytes<'_> {
    type Left = ();

    #[inline(always)]
    fn timeout(options: &Options) -> Option<Duration> {
        options.send_timeout
    }

    #[inline(always)]
    fn attempt(
        &mut self,
        socket: &mut Socket,
        flags: c_int,
        wait: Wait,
        (): &mut (),
    ) -> Result<c_int, Errno> {
        let Self(body) = *self;
        if flags & flag::SNDMORE != 0 {
            return Self::as_part(body, socket, flags, wait);
        }
        socket.engine.send_bytes(body, wait)?;
        Ok(length(body.len()))
    }
}

/// Receives one part.
struct Recv<'a>(&'a mut Message);

impl Attempt for Recv<'_> {
    type Left = ();

    #[inline(always)]
    fn timeout(options: &Options) -> Option<Duration> {
        options.receive_timeout
    }

    #[inline(always)]
    fn attempt(&mut self, socket: &mut Socket, _: c_int, wait: Wait, (): &mut ()) -> Result<c_int, Errno> {
        let Self(part) = self;
        socket.engine.recv(part, wait)?;
        socket.more = part.more();
        Ok(length(part.len()))
    }
}

/// Receives one part into a buffer. What it lay in is used for the next one, and left if it is not worth that.
struct RecvBytes {
    /// Null, or valid for writing `room` bytes.
    buffer: *mut u8,
    room: usize,
}

impl RecvBytes {
    /// # Safety
    ///
    /// `buffer` is null, or valid for writing `room` bytes as long as the result lives.
    #[inline(always)]
    unsafe fn new(buffer: *mut u8, room: usize) -> Self {
        Self { buffer, room }
    }
}

impl Attempt for RecvBytes {
    type Left = Option<Message>;

    #[inline(always)]
    fn timeout(options: &Options) -> Option<Duration> {
        options.receive_timeout
    }

    #[inline(always)]
    fn attempt(
        &mut self,
        socket: &mut Socket,
        _: c_int,
        wait: Wait,
        left: &mut Option<Message>,
    ) -> Result<c_int, Errno> {
        let part = &mut socket.scratch;
        socket.engine.recv(part, wait)?;
        socket.more = part.more();
        let body = part.as_slice();
        let len = body.len();
        if !self.buffer.is_null() {
            // SAFETY: who made this promised room for as much. A body lies in memory of ours, or of an application that has
            // promised to leave it alone, and so not in the buffer.
            unsafe { copy(body.as_ptr(), self.buffer, len.min(self.room)) };
        }
        if !part.is_cheap_to_keep() {
            *left = Some(std::mem::take(part));
        }
        Ok(length(len))
    }
}

/// Runs a call that may wait for as long as the flags and a timeout of the socket's say.
#[inline(always)]
fn run<A: Attempt>(handle: *mut c_void, flags: c_int, mut attempt: A) -> Result<c_int, Errno> {
    let mut left = A::Left::default();
    if let Some(mut socket) = SOCKETS.enter_privileged(handle)
        && socket.turns.is_none()
    {
        let wait = wait::<A>(&socket, flags);
        return attempt.attempt(&mut socket, flags, wait, &mut left);
    }
    run_by_turns(handle, flags, attempt, &mut left)
}

/// [`run`] where other threads use the socket as well, or this one has not the habit yet.
#[inline(never)]
fn run_by_turns<A: Attempt>(
    handle: *mut c_void,
    flags: c_int,
    mut attempt: A,
    left: &mut A::Left,
) -> Result<c_int, Errno> {
    let socket = socket(handle)?;
    let wait = wait::<A>(&socket, flags);
    by_turns(handle, socket, wait, |socket, wait| {
        attempt.attempt(socket, flags, wait, left)
    })
}

#[inline(always)]
fn wait<A: Attempt>(socket: &Socket, flags: c_int) -> Wait {
    if flags & flag::DONTWAIT != 0 {
        return Wait::No;
    }
    match A::timeout(socket.engine.options()) {
        None => Wait::Forever,
        some => limited(some),
    }
}

/// Away from the usual path, because it looks at the clock.
#[cold]
#[inline(never)]
fn limited(timeout: Option<Duration>) -> Wait {
    Wait::from(timeout)
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
                let sent = run(handle, flags, Send(message))?;
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
            Ok(message) => run(handle, flags, Recv(message)),
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
    call(|| run(handle, flags, SendBytes(unsafe { bytes(data, len) })))
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
        run(handle, flags, Send(&mut part))
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
        // SAFETY: the caller promises room for `len` bytes.
        run(handle, flags, unsafe { RecvBytes::new(buffer.cast(), len) })
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
            sent = run(handle, flags & !flag::SNDMORE | more, SendBytes(body))?;
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
            run(handle, flags, Recv(&mut part))?;
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
