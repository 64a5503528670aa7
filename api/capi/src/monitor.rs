//! Monitors: a socket's events as messages of a socket that is bound to an `inproc://` endpoint.

use std::{
    collections::VecDeque,
    ffi::{c_char, c_int, c_void},
};

use ringmq_core::{
    Error, SocketType, Wait,
    monitor::{EventRecord, Listener},
};
use ringmq_message::Message;

use crate::{
    error::{DONE, Errno, call, text},
    socket::socket,
};

/// The events of the first version of the message.
const EVENTS_V1: u64 = 0xffff;

/// The event that tells of the depth of queues.
const EVENT_PIPES_STATS: u64 = 0x1_0000;

/// Events that are kept while nobody is connected to the monitor, or the reader does not keep up.
const BACKLOG_MAX: usize = 1000;

/// Sends events to the reader, from whichever thread they happen on, and never waits for it.
struct Reporter {
    socket: ringmq_core::Socket,
    wanted: u64,
    version: c_int,
    waiting: VecDeque<Vec<Message>>,
}

impl Listener for Reporter {
    fn hear(&mut self, record: EventRecord) {
        if self.wanted & record.event.number() == 0 {
            return;
        }
        let parts = match self.version {
            1 => first_version(&record),
            _ => second_version(&record),
        };
        self.waiting.push_back(parts);
        while let Some(parts) = self.waiting.pop_front() {
            if let Err(parts) = send(&mut self.socket, parts) {
                self.waiting.push_front(parts);
                break;
            }
        }
        if self.waiting.len() > BACKLOG_MAX {
            self.waiting.pop_front();
        }
    }
}

/// Sends all parts, or gives them back if there is nobody to take them.
fn send(socket: &mut ringmq_core::Socket, mut parts: Vec<Message>) -> Result<(), Vec<Message>> {
    let last = parts.len() - 1;
    for index in 0..=last {
        parts[index].set_more(index < last);
        let failed = socket.send(&mut parts[index], Wait::No).is_err();
        // Once the first part is taken, the others are.
        if failed && index == 0 {
            return Err(parts);
        }
    }
    Ok(())
}

/// The event and its value in six bytes, and one endpoint.
fn first_version(record: &EventRecord) -> Vec<Message> {
    let mut head = [0; 6];
    head[..2].copy_from_slice(&(record.event.number() as u16).to_ne_bytes());
    head[2..].copy_from_slice(&(record.event.value() as u32).to_ne_bytes());
    vec![Message::from(&head), Message::from(record.endpoint())]
}

/// The event, the number of its values, the values, and both endpoints.
fn second_version(record: &EventRecord) -> Vec<Message> {
    let values = [Some(record.event.value()), record.event.second_value()];
    let values = values.iter().flatten();
    let count = values.clone().count() as u64;
    let numbers = [record.event.number(), count].into_iter().chain(values.copied());
    let mut parts: Vec<_> = numbers
        .map(|number| Message::from(&number.to_ne_bytes()))
        .collect();
    parts.push(Message::from(record.local.as_str()));
    parts.push(Message::from(record.remote.as_str()));
    parts
}

/// Starts a monitor, or ends it if there is no endpoint.
///
/// # Safety
///
/// `endpoint` is null or a text.
unsafe fn start(
    handle: *mut c_void,
    endpoint: *const c_char,
    wanted: u64,
    version: c_int,
    socket_type: c_int,
) -> Result<c_int, Errno> {
    let mut socket = socket(handle)?;
    let reporting = match socket_type {
        0 => SocketType::Pair,
        1 => SocketType::Pub,
        8 => SocketType::Push,
        _ => return Err(Errno(libc::EINVAL)),
    };
    if !(1..=2).contains(&version) || version == 1 && wanted & !EVENTS_V1 != 0 {
        return Err(Errno(libc::EINVAL));
    }
    if endpoint.is_null() {
        socket.engine.set_listener(None);
        socket.monitored = 0;
        return DONE;
    }
    // SAFETY: the caller promises it.
    let endpoint = unsafe { text(endpoint) }?;
    if !endpoint.contains("://") {
        return Err(Errno(libc::EINVAL));
    }
    if !endpoint.starts_with("inproc://") {
        let scheme = endpoint.to_owned();
        return Err(Error::UnsupportedTransport { scheme }.into());
    }
    // The name of an earlier monitor may be the same.
    socket.engine.set_listener(None);
    let mut reporter = socket.context.internal_socket(reporting)?;
    reporter.bind(endpoint)?;
    socket.engine.set_listener(Some(Box::new(Reporter {
        socket: reporter,
        wanted,
        version,
        waiting: VecDeque::new(),
    })));
    socket.monitored = wanted;
    DONE
}

/// Sends a socket's events as messages of the first version to whoever connects a PAIR to the endpoint. NULL ends it.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: c_int,
) -> c_int {
    call(|| {
        let wanted = u64::try_from(events).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: the caller promises it.
        unsafe { start(socket, endpoint, wanted, 1, 0) }
    })
}

/// `zmq_socket_monitor` with a choice of the message's version and of the socket that sends it: PAIR, PUB or PUSH.
///
/// # Safety
///
/// `endpoint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_monitor_versioned(
    socket: *mut c_void,
    endpoint: *const c_char,
    events: u64,
    version: c_int,
    socket_type: c_int,
) -> c_int {
    // SAFETY: the caller promises it.
    call(|| unsafe { start(socket, endpoint, events, version, socket_type) })
}

/// Reports the depth of all queues as events of the second version. EINVAL if nobody listens to those, EAGAIN if there are none.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket_monitor_pipes_stats(handle: *mut c_void) -> c_int {
    call(|| {
        let mut socket = socket(handle)?;
        if socket.monitored & EVENT_PIPES_STATS == 0 {
            return Err(Errno(libc::EINVAL));
        }
        match socket.engine.report_queue_depths() {
            0 => Err(Errno(libc::EAGAIN)),
            _ => DONE,
        }
    })
}
