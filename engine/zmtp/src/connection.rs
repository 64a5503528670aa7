//! The state machine of one connection.
//!
//! States are named for what they await from the peer:
//!
//! ```text
//!            64 bytes: send our handshake             READY of a fitting peer
//! Greeting ──────────────────────────────▶ Command ──────────────────────────▶ Traffic ◀──┐
//!    │                                        │                                 │    │    │ large_done
//!    │ bad greeting, time up                  │ ERROR, bad command,             │    ▼    │
//!    │                                        │ misfit, time up                 │   Body ─┘
//!    │                                        │           bad frame or command, │    │
//!    ▼                                        ▼           ERROR, silence        ▼    ▼
//!    └───────────────────────────────────▶ Nothing ◀─────────────────────────────────┘
//! ```
//!
//! Where peers of ZMTP 2.0 are welcome, their greeting leads to Identity, which their type and routing id lead on to Traffic.
//!
//! A raw connection speaks no ZMTP: it stays in Raw, which takes bytes as they come.
//!
//! Nothing is final and repeats its failure. Frames, subscriptions, heartbeats and unknown
//! commands leave Traffic where it is; a frame that is longer than a slab leads to Body, where
//! the caller takes the bytes by itself.

mod handshake;
mod outgoing;
mod traffic;

use std::mem;
use std::time::Instant;

use crate::backlog::Backlog;
use crate::config::Config;
use crate::error::{Failure, Violation};
use crate::event::{Event, Progress};
use crate::frame::{self, HeaderStep};
use crate::heartbeat::{Due, Timers};
use crate::metadata::Metadata;
use crate::peer::Peer;
use crate::socket_type::SocketType;
use crate::walk::{Limits, Partial};
use handshake::Handshake;

#[derive(Debug)]
enum State {
    Greeting(Box<Handshake>),
    /// The socket type and the routing id of a peer of ZMTP 2.0.
    Identity(Box<Handshake>),
    Command(Box<Handshake>),
    Traffic,
    Body,
    Raw {
        /// The caller has been told that bytes may flow.
        announced: bool,
        /// The most bytes that are handed out at a time.
        piece_max: usize,
    },
    Nothing(Failure),
}

/// One ZMTP connection, from the first byte of the greeting.
///
/// No method blocks or panics on account of what a peer sent.
#[derive(Debug)]
pub struct Connection {
    state: State,
    limits: Limits,
    /// The message that is being received.
    partial: Partial,
    timers: Timers,
    backlog: Backlog,
    peer: Option<Peer>,
    socket_type: SocketType,
    /// The longest command body that is read.
    command_max: u64,
    subscriptions_as_commands: bool,
    extensions: bool,
}

impl Connection {
    /// A connection whose greeting waits to be sent. The time for the handshake runs from `now`.
    ///
    /// Panics if the configuration breaks a bound that the fields of [`Config`] document.
    pub fn new(config: Config, now: Instant) -> Connection {
        config.assert_valid();
        let command_max = config.command_max();
        let limits = Limits::new(
            config.frame_size_max,
            config.message_size_max,
            config.message_parts_max,
            config.slab_len,
        );
        let ours = Metadata {
            socket_type: config.socket_type,
            identity: config.identity,
            properties: config.properties,
        };
        let timeout = config.handshake_timeout;
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        let mut backlog = Backlog::default();
        let handshake = Handshake::begin(ours, config.zmtp2_peers, deadline, &mut backlog);
        Connection {
            state: State::Greeting(Box::new(handshake)),
            limits,
            partial: Partial::NONE,
            timers: Timers::new(config.heartbeat),
            backlog,
            peer: None,
            socket_type: config.socket_type,
            command_max,
            subscriptions_as_commands: config.subscriptions_as_commands,
            extensions: config.extensions,
        }
    }

    /// A connection without ZMTP, for STREAM: whatever arrives is data, handed out in pieces of
    /// at most `piece_max` bytes. There is no handshake, so that the first call of
    /// [`receive`](Self::receive), which needs no input, says that it is over.
    pub fn raw(piece_max: usize, now: Instant) -> Connection {
        let mut connection = Connection::new(Config::new(SocketType::Stream), now);
        connection.backlog = Backlog::default();
        connection.state = State::Raw {
            announced: false,
            piece_max,
        };
        connection
    }

    /// Protocol traffic that waits to be sent: greeting, handshake, heartbeats, subscriptions.
    ///
    /// It goes out between the messages of the caller, never inside one, and still after a
    /// failure.
    #[inline]
    pub fn transmit(&self) -> &[u8] {
        self.backlog.unsent()
    }

    /// How many bytes at the end of [`transmit`](Self::transmit) answer the peer's greeting, while its own part of the
    /// handshake is missing. Once a peer has them it may take the handshake for done, and send messages. It need not wait
    /// for them before it sends its part, so they may be held back until that has come.
    pub fn answer_len(&self) -> usize {
        match &self.state {
            State::Identity(handshake) | State::Command(handshake) => {
                handshake.answer_len.min(self.transmit().len())
            }
            _ => 0,
        }
    }

    /// The first `count` bytes of [`transmit`](Self::transmit) have been sent. Panics if these
    /// are more than there were.
    pub fn transmitted(&mut self, count: usize) {
        self.backlog.sent(count);
    }

    /// Takes one step at the front of `input`: the bytes from the peer that no earlier step has
    /// consumed. To be called again, with the rest, until [`Progress`] says that more is needed.
    ///
    /// What is left when more is needed is shorter than [`Config::slab_len`], so that a slab of
    /// that size always has room to receive into.
    ///
    /// To be called when something has arrived, at `now`; this counts as a sign of life. Panics
    /// while the body of a [large frame](Event::Large) is outstanding.
    ///
    /// Errors: the connection has failed for good. The same is returned from then on.
    #[inline]
    pub fn receive(&mut self, input: &[u8], now: Instant) -> Result<Progress, Failure> {
        if !input.is_empty() {
            self.timers.heard();
        }
        if matches!(self.state, State::Traffic) {
            return self.receive_traffic(input, now);
        }
        self.receive_handshake(input, now)
    }

    /// Bytes have arrived that the connection does not get to see: some of the body of a large
    /// frame, or bytes that are left in the kernel because the application is slow to read.
    #[inline]
    pub fn on_traffic(&mut self, _now: Instant) {
        self.timers.heard();
    }

    /// The body of the [large frame](Event::Large) has been taken in full. Panics if there was
    /// none.
    pub fn large_done(&mut self, now: Instant) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        assert!(matches!(self.state, State::Body), "no large frame");
        self.on_traffic(now);
        self.state = State::Traffic;
    }

    /// When to call [`on_deadline`](Self::on_deadline); None is never.
    ///
    /// It changes with every call of a method that takes `&mut self`. A driver may keep an older
    /// one and find that nothing is due yet.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Greeting(handshake) | State::Identity(handshake) | State::Command(handshake) => {
                handshake.deadline
            }
            State::Traffic | State::Body => self.timers.deadline(),
            State::Raw { .. } | State::Nothing(_) => None,
        }
    }

    /// Does what is due at `now`, which may be nothing; a PING appears in
    /// [`transmit`](Self::transmit).
    ///
    /// Errors: the handshake took too long, the peer was silent for too long, or the connection
    /// had failed before.
    pub fn on_deadline(&mut self, now: Instant) -> Result<(), Failure> {
        match &self.state {
            // The deadline is that of the whole handshake: progress does not extend it.
            State::Greeting(handshake) | State::Identity(handshake) | State::Command(handshake) => {
                match handshake.deadline {
                    Some(deadline) if deadline <= now => Err(self.fail(Failure::HandshakeTimeout)),
                    _ => Ok(()),
                }
            }
            State::Traffic | State::Body => match self.timers.on_deadline(now) {
                Due::Nothing => Ok(()),
                Due::Ping { ttl } => {
                    self.queue_ping(ttl);
                    Ok(())
                }
                Due::Expired => Err(self.fail(Failure::HeartbeatTimeout)),
            },
            State::Raw { .. } => Ok(()),
            State::Nothing(failure) => Err(failure.clone()),
        }
    }

    /// The peer, once the handshake is over, and still after a failure.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Takes what the peer has announced, which is not kept twice: its [`Peer::properties`] are empty from now on.
    pub fn take_properties(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let peer = self.peer.as_mut();
        peer.map(|peer| mem::take(&mut peer.properties))
            .unwrap_or_default()
    }

    /// Whether messages may flow: the handshake is over and nothing has failed since.
    pub fn is_established(&self) -> bool {
        matches!(
            self.state,
            State::Traffic | State::Body | State::Raw { announced: true, .. }
        )
    }

    fn receive_handshake(&mut self, input: &[u8], now: Instant) -> Result<Progress, Failure> {
        let step = match &mut self.state {
            State::Greeting(_) => self.receive_greeting(input),
            State::Identity(_) => self.receive_identity(input),
            State::Command(_) => self.receive_handshake_command(input, now),
            State::Traffic => unreachable!("traffic has a path of its own"),
            State::Body => panic!("the body of a large frame is outstanding"),
            State::Raw { announced, piece_max } => Ok(receive_raw(announced, input.len().min(*piece_max))),
            State::Nothing(failure) => Err(failure.clone()),
        };
        step.map_err(|failure| self.fail(failure))
    }

    #[cfg(test)]
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            State::Greeting(_) => "Greeting",
            State::Identity(_) => "Identity",
            State::Command(_) => "Command",
            State::Traffic => "Traffic",
            State::Body => "Body",
            State::Raw { .. } => "Raw",
            State::Nothing(_) => "Nothing",
        }
    }

    #[cold]
    fn fail(&mut self, failure: Failure) -> Failure {
        self.timers.stop();
        self.state = State::Nothing(failure.clone());
        failure
    }
}

/// A step of a raw connection, with `count` bytes within reach.
fn receive_raw(announced: &mut bool, count: usize) -> Progress {
    if !mem::replace(announced, true) {
        return Progress {
            consumed: 0,
            event: Some(Event::Handshaken),
        };
    }
    Progress {
        consumed: count,
        event: (count > 0).then_some(Event::Raw),
    }
}

/// The command frame at the front of the input: length of its header, and end of its body. None
/// if it is not whole.
///
/// Errors: there is another frame, or a command with a body above `max`. Either is told from the
/// header, before anything is awaited.
fn whole_command(input: &[u8], max: u64) -> Result<Option<(usize, usize)>, Violation> {
    let step = frame::decode_header(input)?;
    if input.first().is_some_and(|f| f & frame::COMMAND == 0) {
        return Err(Violation::UnexpectedFrame);
    }
    let HeaderStep::Header { len, body, .. } = step else {
        return Ok(None);
    };
    if body > max {
        return Err(Violation::CommandTooLarge {
            size: body,
            limit: max,
        });
    }
    let end = len + body as usize;
    Ok((input.len() >= end).then_some((len, end)))
}
