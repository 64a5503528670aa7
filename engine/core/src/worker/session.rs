//! A session: one endpoint's connection, over its reconnects.
//!
//! ```text
//!  connect ─▶ Resolving ─▶ Connecting ─▶ Handshaking ─▶ Established ─▶ Finishing ─┐
//!                 ▲            │   accept ──▲  │ Upgrading ▲  │                   │
//!                 │            └───────┬───────┴──────┬───────┘                   │
//!              Pausing ◀── reconnect ──┤           Ending ◀───────────────────────┘
//!                                      └──────────────┤
//!                                                 Delivering ─▶ gone
//! ```
//!
//! `Upgrading` agrees with a peer on this machine to share memory, or not to (`upgrade.rs`); `Finishing` has sent everything and
//! waits for the peer's end of stream; `Ending` waits for operations in flight; `Delivering` keeps received messages until the
//! application has room for them.

use std::{os::fd::AsRawFd, sync::Arc, time::Instant};

use ringmq_io::Fd;
use ringmq_shm::Bell;
use ringmq_zmtp::Failure;

use super::{Worker, connect::Dial, listener::Accepted, upgrade::Upgrade};
use crate::{
    layer::LayerFault,
    link::Link,
    monitor::{Credentials, DropCause, Event, EventRecord, Side},
    options::Options,
    pipe::{self, Dismissal, Pipe},
    presence::Presence,
    receive::Broken,
    socket::SocketShared,
    worker::WorkerShared,
};

/// A connecting session on its way to its worker.
pub(crate) struct NewSession {
    pub(crate) socket: Arc<SocketShared>,
    pub(crate) options: Arc<Options>,
    pub(crate) endpoint: u64,
    pub(crate) link: Arc<Link>,
    /// The pipe, if the socket shall get it only with an established connection.
    pub(crate) pipe: Option<Box<Pipe>>,
    pub(crate) dial: Dial,
    pub(crate) presence: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Resolving,
    Connecting,
    Handshaking,
    /// The two sides agree on shared memory, or that there is none.
    Upgrading,
    Established,
    Pausing,
    Finishing,
    Ending,
    Delivering,
}

impl Phase {
    /// Before the first message.
    pub(super) fn is_handshaking(self) -> bool {
        matches!(self, Self::Handshaking | Self::Upgrading)
    }
}

/// What the read side is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Nothing,
    /// A poll or a receive is in flight.
    Waiting,
    /// The application's queue is full.
    Stalled,
    /// The application reads the connection itself.
    Lent,
}

/// Whether an accepted peer was told what lets it send messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    NotGiven,
    /// It will be when its own part of the handshake is there, or when others are done.
    Held,
    Given,
}

/// What the send side is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// The right is free, or there is no connection.
    Nothing,
    /// In the worker's list.
    Listed,
    InFlight,
}

pub(super) struct Session {
    /// Tells sessions in the same place apart.
    pub(super) serial: u64,
    /// Keeps the context from ending.
    _presence: Presence,
    pub(super) socket: Arc<SocketShared>,
    pub(super) options: Arc<Options>,
    pub(super) endpoint: u64,
    pub(super) link: Arc<Link>,
    /// Goes to the socket when the connection is established.
    pub(super) pipe: Option<Box<Pipe>>,
    /// The socket gets a pipe per connection, not one for all of them.
    pub(super) pipe_per_connection: bool,
    pub(super) dial: Option<Dial>,
    pub(super) phase: Phase,
    pub(super) fd: Option<Arc<Fd>>,
    /// Operations in flight.
    pub(super) ops: u8,
    pub(super) reading: Reading,
    /// The application asked for the right to read.
    pub(super) lend_wanted: bool,
    /// The application's visits when the worker last looked.
    pub(super) visits_seen: u64,
    pub(super) attendance_deadline: Option<Instant>,
    /// The worker watches what the application gathers.
    pub(super) watched: bool,
    pub(super) sending: Sending,
    pub(super) answer: Answer,
    /// Looks at the ring that found nothing, since the last that found something.
    pub(super) idle_looks: u32,
    /// Why the socket ended the connection.
    pub(super) dismissal: Dismissal,
    /// The owner has closed; the time until which unsent messages are kept, if there is a limit.
    pub(super) retiring: Option<Option<Instant>>,
    /// No reconnect after the present connection.
    pub(super) last_connection: bool,
    pub(super) phase_deadline: Option<Instant>,
    pub(super) wire_deadline: Option<Instant>,
    /// The deadline that the timers hold for this session.
    pub(super) timer: Option<Instant>,
    /// The last change of the subscriptions that the connection's announcement contained.
    pub(super) announced: u64,
    pub(super) local: Arc<str>,
    pub(super) remote: Arc<str>,
    /// Who is at the other end of the present connection, if it is a unix socket; `None` over tcp.
    pub(super) credentials: Option<Credentials>,
    pub(super) peer_identity: Vec<u8>,
    /// The endpoint is one on this machine, and descriptors can pass through its connections.
    pub(super) is_local: bool,
    /// What has been agreed on for shared memory, until it is settled.
    pub(super) upgrade: Option<Box<Upgrade>>,
    /// Messages go by shared memory.
    pub(super) is_upgraded: bool,
    /// The peer is to learn that nothing more comes by the connection.
    pub(super) owes_switch: bool,
    /// What the peer rings, for messages that wait for room in the ring.
    pub(super) bell: Option<Arc<Bell>>,
    pub(super) bell_polled: bool,
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Cause {
    PeerClosed,
    Io(std::io::Error),
    Protocol(Failure),
    /// What stands between the protocol and the wire has failed.
    Layer(LayerFault),
    /// The peer broke the protocol of the shared rings.
    SharedMemory,
    /// It had to make room for others.
    Crowded,
    Local,
}

impl From<Broken> for Cause {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Protocol(failure) => Self::Protocol(failure),
            Broken::Layer(LayerFault::Closed) => Self::PeerClosed,
            Broken::Layer(fault) => Self::Layer(fault),
        }
    }
}

impl Session {
    fn new(link: Arc<Link>, socket: Arc<SocketShared>, options: Arc<Options>, endpoint: u64) -> Self {
        Self {
            serial: 0,
            _presence: Presence::of(&socket),
            socket,
            options,
            endpoint,
            link,
            pipe: None,
            pipe_per_connection: false,
            dial: None,
            phase: Phase::Handshaking,
            fd: None,
            ops: 0,
            reading: Reading::Nothing,
            lend_wanted: false,
            visits_seen: 0,
            attendance_deadline: None,
            watched: false,
            sending: Sending::Nothing,
            answer: Answer::NotGiven,
            idle_looks: 0,
            dismissal: Dismissal::default(),
            retiring: None,
            last_connection: false,
            phase_deadline: None,
            wire_deadline: None,
            timer: None,
            announced: 0,
            local: Arc::default(),
            remote: Arc::default(),
            credentials: None,
            peer_identity: Vec::new(),
            is_local: false,
            upgrade: None,
            is_upgraded: false,
            owes_switch: false,
            bell: None,
            bell_polled: false,
        }
    }

    pub(super) fn accepted(accepted: Accepted, remote: String, worker: Arc<WorkerShared>) -> Self {
        let Accepted {
            socket,
            options,
            endpoint,
            local,
            credentials,
            presence,
            ..
        } = accepted;
        let (link, pipe) = pipe::pair(&worker, &socket, &options, endpoint, credentials.is_some());
        let mut session = Self::new(link, socket, options, endpoint);
        session.pipe = Some(Box::new(pipe));
        session.pipe_per_connection = true;
        session.local = local;
        session.remote = remote.into();
        session.is_local = credentials.is_some();
        session.credentials = credentials;
        drop(presence);
        session
    }

    pub(super) fn connecting(new: NewSession) -> Self {
        let NewSession {
            socket,
            options,
            endpoint,
            link,
            pipe,
            dial,
            presence,
        } = new;
        let mut session = Self::new(link, socket, options, endpoint);
        session.pipe_per_connection = pipe.is_some();
        session.pipe = pipe;
        session.remote = dial.text.as_str().into();
        session.is_local = dial.is_local();
        session.dial = Some(dial);
        session.phase = Phase::Resolving;
        // The session has one of its own by now.
        drop(presence);
        session
    }

    pub(super) fn is_half_open(&self) -> bool {
        self.dial.is_none() && self.phase.is_handshaking()
    }

    /// It may be closed to make room for others: the peer cannot have sent a message yet, which would be lost.
    pub(super) fn may_make_room(&self) -> bool {
        self.is_half_open() && self.answer != Answer::Given
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase.is_handshaking() || self.phase == Phase::Established
    }

    pub(super) fn emit(&self, event: Event) {
        self.socket.emit(EventRecord {
            event,
            side: if self.dial.is_some() {
                Side::Connect
            } else {
                Side::Bind
            },
            local: self.local.to_string(),
            remote: self.remote.to_string(),
            peer: (!self.peer_identity.is_empty()).then(|| self.peer_identity.as_slice().into()),
            credentials: self.credentials,
        });
    }

    /// Messages for the peer are given up.
    pub(super) fn note_drop(&self, cause: DropCause, count: u64) {
        self.link.tally.dropped(cause, count);
        self.socket.dropped.add(cause, count);
        self.emit(Event::Dropped { cause, count });
    }

    pub(super) fn raw_fd(&self) -> i32 {
        self.fd.as_ref().map_or(-1, |fd| fd.as_raw_fd())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let linger = self.retiring.flatten();
        let deadlines = [
            self.phase_deadline,
            self.wire_deadline,
            self.attendance_deadline,
            linger,
        ];
        deadlines.into_iter().flatten().min()
    }
}

impl Worker {
    pub(super) fn add_session(&mut self, mut session: Session) -> u32 {
        session.serial = self.next_serial();
        let half_open = session.is_half_open();
        let serial = session.serial;
        let link = session.link.clone();
        let slot = self.sessions.insert(session);
        link.set_slot(slot);
        if half_open {
            self.half_open.add(slot, serial);
        }
        self.publish_load();
        slot
    }
}
