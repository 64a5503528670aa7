//! Connecting: resolve, try every address, pause, try again.

use std::{io, os::fd::AsRawFd, sync::Arc, time::Instant};

use ringmq_io::{Address, Credentials, Fd, Interest, local_addr, peer_addr, take_error};

use super::{
    Op, Worker,
    session::{NewSession, Phase, Session},
    token,
};
use crate::{
    error::Error,
    monitor::{Event, HandshakeFault, Side},
    options::Options,
    reconnect::Backoff,
    resolver,
    transport::Transport,
};

/// What a session needs to connect, again and again.
pub(crate) struct Dial {
    transport: Arc<dyn Transport>,
    /// The endpoint as it was given.
    pub(super) text: String,
    backoff: Backoff,
    /// Addresses not yet tried in this round, last first.
    addresses: Vec<Address>,
    /// Some attempt of this round was refused.
    refused: bool,
}

/// The answer to a look-up.
pub(crate) struct Resolved {
    pub(crate) slot: u32,
    pub(crate) serial: u64,
    pub(crate) addresses: Result<Vec<Address>, Error>,
}

impl Dial {
    pub(crate) fn new(transport: Arc<dyn Transport>, text: String, options: &Options, seed: u64) -> Self {
        let backoff = Backoff::new(options.reconnect_interval, options.reconnect_interval_max, seed);
        Self {
            transport,
            text,
            backoff,
            addresses: Vec::new(),
            refused: false,
        }
    }

    /// The endpoint is one on this machine, and descriptors can pass through its connections.
    pub(super) fn is_local(&self) -> bool {
        self.transport.is_local()
    }

    /// A handshake succeeded: the next pause is short again.
    pub(super) fn succeeded(&mut self) {
        self.backoff.succeeded();
    }
}

impl Worker {
    pub(super) fn connect(&mut self, new: NewSession) {
        let slot = self.add_session(Session::connecting(new));
        self.dial(slot);
        self.settle(slot);
    }

    /// Starts a round over all addresses of the endpoint.
    pub(super) fn dial(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(dial) = &mut session.dial else { return };
        dial.refused = false;
        if let Some(address) = dial.transport.literal_address() {
            dial.addresses = vec![address];
            self.try_next_address(slot);
            return;
        }
        session.phase = Phase::Resolving;
        let request = resolver::Request {
            transport: dial.transport.clone(),
            ipv6: session.options.ipv6,
            worker: self.shared.clone(),
            slot,
            serial: session.serial,
        };
        if resolver::resolve(request).is_err() {
            self.pause(slot);
        }
    }

    /// A look-up is done.
    pub(super) fn resolved(&mut self, resolved: Resolved) {
        let Resolved {
            slot,
            serial,
            addresses,
        } = resolved;
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.serial != serial || session.phase != Phase::Resolving {
            return;
        }
        let Some(dial) = &mut session.dial else { return };
        match addresses {
            Ok(mut addresses) => {
                addresses.reverse();
                dial.addresses = addresses;
                self.try_next_address(slot);
            }
            Err(_) => self.pause(slot),
        }
        self.settle(slot);
    }

    fn try_next_address(&mut self, slot: u32) {
        loop {
            let Some(session) = self.sessions.get_mut(slot) else {
                return;
            };
            let Some(dial) = &mut session.dial else { return };
            let Some(address) = dial.addresses.pop() else {
                self.pause(slot);
                return;
            };
            match dial.transport.connect(&address, &session.options) {
                Ok((fd, true)) => {
                    self.connected(slot, Arc::new(fd));
                    return;
                }
                Ok((fd, false)) => {
                    self.await_connection(slot, Arc::new(fd));
                    return;
                }
                Err(error) => {
                    dial.refused |= error.errno() == libc::ECONNREFUSED;
                    // Refused at once, as over ipc, so that nobody has heard of a descriptor.
                    session.emit(Event::Closed { fd: -1 });
                }
            }
        }
    }

    fn await_connection(&mut self, slot: u32, fd: Arc<Fd>) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.emit(Event::ConnectDelayed {
            errno: libc::EINPROGRESS,
        });
        session.phase = Phase::Connecting;
        session.phase_deadline = session
            .options
            .connect_timeout
            .and_then(|limit| Instant::now().checked_add(limit));
        session.ops += 1;
        self.driver
            .poll(token(slot, Op::Connect), &fd, Interest::Writable);
        session.fd = Some(fd);
    }

    /// The kernel has an answer.
    pub(super) fn connect_ready(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase != Phase::Connecting {
            return;
        }
        session.phase_deadline = None;
        let Some(fd) = session.fd.clone() else { return };
        match take_error(&fd) {
            Ok(()) if !is_self_connected(&fd) => self.connected(slot, fd),
            outcome => {
                let refused = outcome.is_err_and(|error| error.raw_os_error() == Some(libc::ECONNREFUSED));
                self.attempt_failed(slot, refused);
            }
        }
    }

    pub(super) fn connect_timed_out(&mut self, slot: u32) {
        // The poll comes back cancelled, and `read_cancelled` goes on from there.
        self.driver.cancel(token(slot, Op::Connect));
    }

    /// An attempt came to nothing: the next address, or a pause.
    pub(super) fn attempt_failed(&mut self, slot: u32, refused: bool) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.emit(Event::Closed { fd: session.raw_fd() });
        session.fd = None;
        if let Some(dial) = &mut session.dial {
            dial.refused |= refused;
        }
        self.try_next_address(slot);
    }

    fn connected(&mut self, slot: u32, fd: Arc<Fd>) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(dial) = &session.dial else { return };
        session.local = local_addr(&fd)
            .map(|address| dial.transport.name(&address).into())
            .unwrap_or_default();
        session.fd = Some(fd.clone());
        let socket_type = session.socket.socket_type;
        let met = meet(&*dial.transport, &fd, &session.options)
            .and_then(|met| Ok((met, dial.transport.layers(Side::Connect, socket_type)?)));
        let layers = match met {
            Ok((credentials, layers)) => {
                session.credentials = credentials;
                layers
            }
            Err(error) => {
                // Whoever sits at the address may go, so it is tried again like one at which nobody is.
                let errno = error.raw_os_error().unwrap_or(0);
                session.emit(Event::HandshakeFailed {
                    reason: HandshakeFault::NoDetail { errno },
                });
                self.attempt_failed(slot, false);
                return;
            }
        };
        session.emit(Event::Connected { fd: fd.as_raw_fd() });
        self.open_connection(slot, fd, layers);
    }

    /// Waits before the next round, or gives up if that is what the options say.
    pub(super) fn pause(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(dial) = &mut session.dial else { return };
        let stop = dial.refused && session.options.reconnect_stop.on_refused();
        let delay = dial.backoff.next_delay().filter(|_| !stop);
        let Some(delay) = delay else {
            self.conclude(slot);
            return;
        };
        // What is to be said of the connection that was lost.
        if session.link.receive.deliver_now() {
            session.link.notify_readable();
        }
        session.phase = Phase::Pausing;
        session.phase_deadline = Instant::now().checked_add(delay);
        session.emit(Event::ConnectRetried { after: delay });
        if session.retiring.is_some() && session.link.transmit.is_drained() {
            // Closed meanwhile, and nothing is left that another connection could carry.
            self.conclude(slot);
        }
    }
}

/// Who has taken our connection, if we may talk to him.
fn meet(transport: &dyn Transport, fd: &Fd, options: &Options) -> io::Result<Option<Credentials>> {
    let credentials = transport.credentials(fd)?;
    transport.admit(fd, Side::Connect, credentials.as_ref(), options)?;
    Ok(credentials)
}

/// Connecting to an ephemeral port that nobody listens on can meet itself (simultaneous open).
fn is_self_connected(fd: &Fd) -> bool {
    matches!((local_addr(fd), peer_addr(fd)), (Ok(Address::Inet(local)), Ok(Address::Inet(peer))) if local == peer)
}
