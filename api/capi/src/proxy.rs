//! Proxies: messages are handed from one socket to another, both ways.

use std::ffi::{c_int, c_void};

use ringmq_core::Proxy;

use crate::{
    error::{Errno, call},
    socket::socket,
};

/// Runs a proxy until the context is terminated or the control socket says so.
fn run(
    front: *mut c_void,
    back: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> Result<c_int, Errno> {
    if front.is_null() || back.is_null() {
        return Err(Errno(libc::EFAULT));
    }
    let other = |handle: *mut c_void, used: &[*mut c_void]| match handle.is_null() || used.contains(&handle) {
        true => Ok(None),
        false => socket(handle).map(Some),
    };
    let mut frontend = socket(front)?;
    let mut backend = other(back, &[front])?;
    let mut capturing = other(capture, &[front, back])?;
    let mut controlling = other(control, &[front, back, capture])?;
    let proxy = Proxy {
        front: &mut frontend.engine,
        back: backend.as_mut().map(|socket| &mut socket.engine),
        capture: capturing.as_mut().map(|socket| &mut socket.engine),
        control: controlling.as_mut().map(|socket| &mut socket.engine),
    };
    proxy.run()?;
    Ok(0)
}

/// Hands messages from each socket to the other, and copies to `capture` if it is not NULL, until the context is
/// terminated.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int {
    call(|| run(frontend, backend, capture, std::ptr::null_mut()))
}

/// `zmq_proxy` that obeys PAUSE, RESUME, TERMINATE and STATISTICS from `control`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy_steerable(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> c_int {
    call(|| run(frontend, backend, capture, control))
}

/// `zmq_proxy`, as it was called once; the kind of device makes no difference.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_device(_kind: c_int, frontend: *mut c_void, backend: *mut c_void) -> c_int {
    zmq_proxy(frontend, backend, std::ptr::null_mut())
}
