//! Sockets: opening and closing, endpoints.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::Arc,
};

use ringmq_core::{Error, SocketType};
use ringmq_message::Message;

use crate::{
    context::{self, Context},
    error::{DONE, Errno, call, call_ptr, text},
    handle::{Entered, Handles, Removed},
    turns::Turns,
};

pub(crate) static SOCKETS: Handles<Socket, 65_536> = Handles::new();

/// What a socket's handle stands for.
pub(crate) struct Socket {
    pub(crate) engine: ringmq_core::Socket,
    pub(crate) context: Arc<Context>,
    /// The last part that was received has successors.
    pub(crate) more: bool,
    /// What the last part that was received into a buffer lay in, for the next one.
    pub(crate) scratch: Message,
    /// Settings of transports that are not there, as they were set.
    pub(crate) elsewhere: Vec<(i32, i32)>,
    /// The events that its monitor is told of.
    pub(crate) monitored: u64,
    /// For types that several threads may use at once.
    pub(crate) turns: Option<Arc<Turns>>,
}

/// The socket behind a handle, for the length of one call, or ENOTSOCK.
#[inline(always)]
pub(crate) fn socket(handle: *mut c_void) -> Result<Entered<'static, Socket>, Errno> {
    SOCKETS.enter(handle).ok_or(Errno(libc::ENOTSOCK))
}

/// Makes a socket of a context for the application.
fn open(context: *mut c_void, number: c_int) -> Result<*mut c_void, Errno> {
    let context = context::context(context)?;
    let socket_type = u8::try_from(number)
        .ok()
        .and_then(SocketType::from_number)
        .ok_or(Errno(libc::EINVAL))?;
    let engine = context.open(socket_type)?;
    let socket = Socket {
        turns: engine.is_concurrent().then(Arc::default),
        engine,
        context,
        more: false,
        scratch: Message::new(),
        elsewhere: Vec::new(),
        monitored: 0,
    };
    SOCKETS.insert(Box::new(socket)).map_err(|socket| {
        close(*socket);
        Errno(libc::EMFILE)
    })
}

fn close(socket: Socket) {
    let Socket {
        engine,
        context,
        turns,
        ..
    } = socket;
    drop(engine);
    if let Some(turns) = turns {
        turns.advance();
    }
    context.closed();
}

/// Makes a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket(context: *mut c_void, socket_type: c_int) -> *mut c_void {
    call_ptr(|| open(context, socket_type))
}

/// Closes a socket. What it has not sent yet goes on being sent for as long as LINGER says.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_close(socket: *mut c_void) -> c_int {
    call(|| {
        match SOCKETS.remove(socket).ok_or(Errno(libc::ENOTSOCK))? {
            Removed::Own(socket) => close(*socket),
            Removed::Inherited => {}
        }
        DONE
    })
}

/// Does something with an endpoint.
///
/// # Safety
///
/// `endpoint` is null or a text.
unsafe fn with_endpoint(
    handle: *mut c_void,
    endpoint: *const c_char,
    action: impl FnOnce(&mut ringmq_core::Socket, &str) -> Result<(), Error>,
) -> c_int {
    call(|| {
        let mut socket = socket(handle)?;
        // SAFETY: the caller promises it.
        action(&mut socket.engine, unsafe { text(endpoint) }?)?;
        DONE
    })
}

/// Listens on an endpoint.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { with_endpoint(socket, endpoint, ringmq_core::Socket::bind) }
}

/// Connects to an endpoint, in the background.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { with_endpoint(socket, endpoint, ringmq_core::Socket::connect) }
}

/// Stops listening on an endpoint.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { with_endpoint(socket, endpoint, ringmq_core::Socket::unbind) }
}

/// Ends a connection to an endpoint.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: the caller promises it.
    unsafe { with_endpoint(socket, endpoint, ringmq_core::Socket::disconnect) }
}
