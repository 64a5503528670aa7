//! Listeners: accept connections and give each to the least loaded worker.

use std::{
    io,
    os::fd::AsRawFd,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use ringmq_io::{Address, Credentials, Fd, Interest, accept};
use ringmq_queue::sync::Ordering;

use super::{Command, Op, Worker, session::Session, timers::Due, token};
use crate::{
    layer::SharedLayers,
    limits,
    monitor::{Event, EventRecord, Side},
    options::Options,
    presence::Presence,
    socket::SocketShared,
    transport::{Listening, SocketFile, Transport},
};

/// A bound endpoint on its way to a worker.
pub(crate) struct NewListener {
    pub(crate) listening: Listening,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) socket: Arc<SocketShared>,
    pub(crate) options: Arc<Options>,
    pub(crate) endpoint: u64,
    pub(crate) presence: Presence,
}

pub(super) struct Listener {
    /// What stands for the endpoint in the file system, until the listener is closed.
    file: Option<SocketFile>,
    fd: Arc<Fd>,
    transport: Arc<dyn Transport>,
    pub(super) socket: Arc<SocketShared>,
    options: Arc<Options>,
    pub(super) endpoint: u64,
    name: Arc<str>,
    /// Closed; the place is free when the poll has come back.
    closing: bool,
    /// Who waits for that; told by the end of the channel.
    closed: Option<mpsc::Sender<()>>,
    /// Waits out a lack of descriptors.
    resting: bool,
    /// Keeps the context from ending.
    _presence: Presence,
}

/// An accepted connection on its way to its worker.
pub(crate) struct Accepted {
    pub(super) fd: Arc<Fd>,
    pub(super) socket: Arc<SocketShared>,
    pub(super) options: Arc<Options>,
    pub(super) endpoint: u64,
    pub(super) local: Arc<str>,
    /// The peer's address, as an endpoint.
    remote: String,
    layers: Option<SharedLayers>,
    pub(super) credentials: Option<Credentials>,
    /// Until its session has one.
    pub(super) presence: Presence,
}

impl Listener {
    fn emit(&self, event: Event) {
        self.emit_about(event, None);
    }

    fn emit_about(&self, event: Event, credentials: Option<Credentials>) {
        self.socket.emit(EventRecord {
            event,
            side: Side::Bind,
            local: self.name.to_string(),
            remote: String::new(),
            peer: None,
            credentials,
        });
    }
}

impl Worker {
    pub(super) fn listen(&mut self, new: NewListener) {
        if new.socket.is_closed() {
            return;
        }
        let Listening { file, fd, name } = new.listening;
        let listener = Listener {
            file,
            fd: Arc::new(fd),
            transport: new.transport,
            socket: new.socket,
            options: new.options,
            endpoint: new.endpoint,
            name: name.into(),
            closing: false,
            closed: None,
            resting: false,
            _presence: new.presence,
        };
        listener.emit(Event::Listening {
            fd: listener.fd.as_raw_fd(),
        });
        let fd = listener.fd.clone();
        let slot = self.listeners.insert(listener);
        self.driver.poll(token(slot, Op::Accept), &fd, Interest::Readable);
        self.publish_load();
    }

    pub(super) fn publish_load(&self) {
        let load = self.sessions.len() + self.listeners.len() + self.datagrams.len();
        self.shared.load.store(load, Ordering::Relaxed);
    }

    /// The poll has come back, ready or cancelled.
    pub(super) fn listener_ready(&mut self, slot: u32) {
        let Some(listener) = self.listeners.get_mut(slot) else {
            return;
        };
        if listener.closing {
            self.remove_listener(slot);
            return;
        }
        let fd = listener.fd.clone();
        for _ in 0..limits::ACCEPTS_PER_TURN {
            if self.is_crowded() {
                self.pause_listener(slot, Duration::from_millis(limits::HALF_OPEN_LOOK_MS));
                return;
            }
            match accept(&fd) {
                Ok((connection, remote)) => self.accepted(slot, connection, remote),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_peers(&error) => {}
                Err(error) => {
                    self.rest_listener(slot, &error);
                    return;
                }
            }
        }
        self.driver.poll(token(slot, Op::Accept), &fd, Interest::Readable);
    }

    /// Descriptors or memory are used up: polling on would only spin.
    fn rest_listener(&mut self, slot: u32, error: &io::Error) {
        let Some(listener) = self.listeners.get_mut(slot) else {
            return;
        };
        listener.emit(Event::AcceptFailed {
            errno: error.raw_os_error().unwrap_or(0),
        });
        self.pause_listener(slot, Duration::from_millis(limits::ACCEPT_BACKOFF_MS));
    }

    /// Accepts nothing for so long. The backlog keeps the peers meanwhile.
    fn pause_listener(&mut self, slot: u32, pause: Duration) {
        if let Some(listener) = self.listeners.get_mut(slot) {
            listener.resting = true;
            self.timers.add(Instant::now() + pause, Due::Listener(slot));
        }
    }

    /// As many connections as may shake hands at a time do so, and none of them is slow.
    fn is_crowded(&mut self) -> bool {
        let sessions = &self.sessions;
        self.half_open.is_crowded(Instant::now(), |slot, serial| {
            sessions
                .get(slot)
                .is_some_and(|session| session.serial == serial && session.may_make_room())
        })
    }

    pub(super) fn listener_due(&mut self, slot: u32) {
        let Some(listener) = self.listeners.get_mut(slot) else {
            return;
        };
        if std::mem::take(&mut listener.resting) {
            let fd = listener.fd.clone();
            self.driver.poll(token(slot, Op::Accept), &fd, Interest::Readable);
        }
    }

    fn accepted(&mut self, slot: u32, connection: Fd, remote: Address) {
        let Some(listener) = self.listeners.get(slot) else {
            return;
        };
        let Listener {
            transport, options, ..
        } = listener;
        let mut credentials = None;
        let admitted = transport.credentials(&connection).and_then(|found| {
            credentials = found;
            transport.admit(&connection, Side::Bind, found.as_ref(), options)
        });
        let socket_type = listener.socket.socket_type;
        let layers = match admitted.and_then(|()| transport.layers(Side::Bind, socket_type)) {
            Ok(layers) => layers,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                listener.emit_about(Event::AcceptFailed { errno }, credentials);
                return;
            }
        };
        let fd = connection.as_raw_fd();
        listener.emit_about(Event::Accepted { fd }, credentials);
        let accepted = Accepted {
            fd: Arc::new(connection),
            socket: listener.socket.clone(),
            options: listener.options.clone(),
            endpoint: listener.endpoint,
            local: listener.name.clone(),
            remote: transport.name(&remote),
            layers,
            credentials,
            presence: Presence::of(&listener.socket),
        };
        match self.pool.choose(accepted.options.affinity) {
            Ok(worker) if worker.index != self.shared.index => {
                worker.push(Command::Adopt(Box::new(accepted)))
            }
            _ => self.adopt(accepted),
        }
    }

    pub(super) fn adopt(&mut self, accepted: Accepted) {
        if accepted.socket.is_closed() {
            return;
        }
        let Accepted {
            fd, remote, layers, ..
        } = &accepted;
        let (fd, remote, layers) = (fd.clone(), remote.clone(), layers.clone());
        let session = Session::accepted(accepted, remote, self.shared.clone());
        let slot = self.add_session(session);
        self.open_connection(slot, fd, layers);
        self.settle(slot);
        self.bound_half_open();
    }

    /// Closes the oldest connections that have not shaken hands while there are too many.
    fn bound_half_open(&mut self) {
        while let Some((slot, serial)) = self.half_open.oldest_beyond_limit() {
            if self
                .sessions
                .get(slot)
                .is_some_and(|session| session.serial == serial && session.may_make_room())
            {
                self.refuse_half_open(slot);
            }
        }
        let sessions = &self.sessions;
        self.half_open.prune(|slot, serial| {
            sessions
                .get(slot)
                .is_some_and(|session| session.serial == serial && session.may_make_room())
        });
    }

    /// Stops listening. `closed` is let go when the address is free.
    pub(super) fn close_listener(&mut self, slot: u32, closed: Option<&mpsc::Sender<()>>) {
        let Some(listener) = self.listeners.get_mut(slot) else {
            return;
        };
        listener.closed = closed.cloned();
        if std::mem::replace(&mut listener.closing, true) {
            return;
        }
        // First, while nobody can take the socket for a dead one.
        listener.file = None;
        // Stops accepting at once, whatever the poll in flight still holds.
        let _ = ringmq_io::shutdown_both(&listener.fd);
        listener.emit(Event::Closed {
            fd: listener.fd.as_raw_fd(),
        });
        if listener.resting {
            self.remove_listener(slot);
        } else {
            self.driver.cancel(token(slot, Op::Accept));
        }
    }

    fn remove_listener(&mut self, slot: u32) {
        self.listeners.remove(slot);
        self.publish_load();
    }
}

/// Errors of `accept` that concern one peer and not the listener (accept(2)).
fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
    ) || error.raw_os_error() == Some(libc::EPROTO)
}
