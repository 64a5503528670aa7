//! What happens to a socket's connections.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::constants::{errno, option, socket_type};
use crate::error::{Error, Result};
use crate::{Context, Socket};

/// One monitor event, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// One of the [`event`](crate::constants::event) bits.
    pub event: u16,
    /// A file descriptor, an errno, an interval in ms or a code, as the event says.
    pub value: u32,
    /// The local endpoint on the bind side, the remote one on the connect side.
    pub endpoint: String,
}

/// The receiving end of a socket's events.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// An inproc endpoint that no other monitor of this process uses.
    pub(crate) fn unique_endpoint() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!(
            "inproc://ringmq-stock.monitor.{}",
            NEXT.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Subscribes to the PUB bound to `endpoint`. The subscription lies in the pipe before the PUB learns of
    /// the pipe, so that no event from now on is missed.
    pub(crate) fn connect(context: &Context, endpoint: &str) -> Result<Monitor> {
        let socket = context.socket(socket_type::SUB)?;
        socket.set_int(option::RCVHWM, 0)?;
        socket.subscribe(b"")?;
        socket.connect(endpoint)?;
        Ok(Monitor { socket })
    }

    /// The next event. Waits for the default timeout, then fails with EAGAIN.
    pub fn recv(&self) -> Result<Event> {
        decode(&self.socket.recv_multipart(0)?)
    }

    /// The next event if it comes within `timeout_ms`.
    pub fn poll(&self, timeout_ms: i64) -> Result<Option<Event>> {
        if self.socket.poll_in(timeout_ms)? {
            self.recv().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Skips events until one is in the set `events`.
    pub fn wait_for(&self, events: u16) -> Result<Event> {
        loop {
            let event = self.recv()?;
            if event.event & events != 0 {
                return Ok(event);
            }
        }
    }

    /// The socket that receives the events, to poll it beside others.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

/// Version 1: `u16` event and `u32` value in native order without padding, then the endpoint.
fn decode(parts: &[Vec<u8>]) -> Result<Event> {
    match parts {
        [head, endpoint] if head.len() == 6 => Ok(Event {
            event: u16::from_ne_bytes([head[0], head[1]]),
            value: u32::from_ne_bytes([head[2], head[3], head[4], head[5]]),
            endpoint: String::from_utf8_lossy(endpoint).into_owned(),
        }),
        _ => Err(Error::from_errno(errno::EINVAL)),
    }
}
