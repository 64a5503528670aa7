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

use std::mem;
use std::time::Instant;

use crate::backlog::Backlog;
use crate::command::Command;
use crate::config::Config;
use crate::error::{Failure, MetadataFault, Violation};
use crate::event::{Event, Progress};
use crate::frame::{self, HeaderStep};
use crate::greeting::{self, GREETING_LEN};
use crate::heartbeat::{Due, Timers};
use crate::mechanism::Mechanism;
use crate::metadata::Metadata;
use crate::peer::Peer;
use crate::socket_type::SocketType;
use crate::walk::{self, Limits, Partial, Stop};

/// The longest command before the handshake is over, whatever the limits on messages are.
const HANDSHAKE_COMMAND_MAX: u64 = 64 << 10;

/// Longer topics are subscribed to by message, which every ZMTP 3 publisher takes: a command has
/// to fit into the slab of its receiver, and a message does not.
const TOPIC_IN_COMMAND_MAX: usize = 16 << 10;

/// The longest reason that an ERROR command can give.
const REASON_MAX: usize = 255;

/// What is needed until the handshake is over.
#[derive(Debug)]
struct Handshake {
    mechanism: Mechanism,
    ours: Metadata,
    /// The minor version from the peer's greeting.
    minor: u8,
    deadline: Option<Instant>,
    /// What is left of our greeting, for when the peer turns out to speak ZMTP 3.
    greeting_rest: Vec<u8>,
    /// The length of what was said after the peer's greeting.
    answer_len: usize,
}

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
        let mechanism = Mechanism::NULL;
        let mut backlog = Backlog::default();
        // libzmq sends the signature first and the rest when it knows the peer's version, for
        // the sake of peers before 3.0. Unless these are welcome, all of it goes at once.
        let greeting = greeting::encode(mechanism.name(), config.identity.len());
        let first = if config.zmtp2_peers {
            greeting::VERSION_END
        } else {
            GREETING_LEN
        };
        backlog.push(&greeting[..first]);
        let handshake = Handshake {
            mechanism,
            ours: Metadata {
                socket_type: config.socket_type,
                identity: config.identity,
                properties: config.properties,
            },
            minor: 0,
            deadline: config
                .handshake_timeout
                .and_then(|timeout| now.checked_add(timeout)),
            greeting_rest: greeting[first..].to_vec(),
            answer_len: 0,
        };
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
        peer.map(|peer| std::mem::take(&mut peer.properties))
            .unwrap_or_default()
    }

    /// Whether messages may flow: the handshake is over and nothing has failed since.
    pub fn is_established(&self) -> bool {
        matches!(
            self.state,
            State::Traffic | State::Body | State::Raw { announced: true, .. }
        )
    }

    /// Tells the peer what we want, or do not want any more, in the words of our socket type: a DISH
    /// joins and leaves a group, the others subscribe to a topic and take that back.
    pub fn queue_announcement(&mut self, wanted: bool, name: &[u8]) {
        match (self.socket_type, wanted) {
            (SocketType::Dish, true) => self.queue_join(name),
            (SocketType::Dish, false) => self.queue_leave(name),
            (_, true) => self.queue_subscribe(name),
            (_, false) => self.queue_cancel(name),
        }
    }

    /// Subscribes at the peer, in the form that its version understands: appends to
    /// [`transmit`](Self::transmit).
    ///
    /// Panics before the handshake is over; does nothing after a failure.
    pub fn queue_subscribe(&mut self, topic: &[u8]) {
        self.queue_subscription(b"\x09SUBSCRIBE", 1, topic);
    }

    /// Takes back a subscription; see [`queue_subscribe`](Self::queue_subscribe).
    pub fn queue_cancel(&mut self, topic: &[u8]) {
        self.queue_subscription(b"\x06CANCEL", 0, topic);
    }

    /// Joins a group of at most 255 bytes; otherwise as
    /// [`queue_subscribe`](Self::queue_subscribe).
    pub fn queue_join(&mut self, group: &[u8]) {
        self.queue_group(b"\x04JOIN", group);
    }

    /// Leaves a group; see [`queue_join`](Self::queue_join).
    pub fn queue_leave(&mut self, group: &[u8]) {
        self.queue_group(b"\x05LEAVE", group);
    }

    /// Tells the peer why it is refused; what exceeds 255 bytes is cut. Appends to
    /// [`transmit`](Self::transmit) and changes nothing else: it is on the caller to close.
    pub fn queue_error(&mut self, reason: &[u8]) {
        let reason = &reason[..reason.len().min(REASON_MAX)];
        let body: [&[u8]; 3] = [b"\x05ERROR", &[reason.len() as u8], reason];
        self.backlog.push_frame(frame::COMMAND, &body);
    }

    /// Sends a command of an agreement between the two peers; its name begins with `X-`. Peers that do not know it ignore
    /// it. Appends to [`transmit`](Self::transmit); does nothing after a failure.
    ///
    /// Panics before the handshake is over, and if the name does not begin with `X-` or is longer than 255 bytes.
    pub fn queue_extension(&mut self, name: &[u8], data: &[u8]) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        assert!(self.peer.is_some(), "the handshake is not over");
        assert!(
            name.starts_with(b"X-") && name.len() <= 255,
            "name of an extension"
        );
        self.backlog
            .push_frame(frame::COMMAND, &[&[name.len() as u8], name, data]);
    }

    fn queue_subscription(&mut self, command: &[u8], message: u8, topic: &[u8]) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        let peer = self.peer.as_ref().expect("the handshake is not over");
        if peer.subscribes_by_message()
            || !self.subscriptions_as_commands
            || topic.len() > TOPIC_IN_COMMAND_MAX
        {
            self.backlog.push_frame(0, &[&[message], topic]);
        } else {
            self.backlog.push_frame(frame::COMMAND, &[command, topic]);
        }
    }

    fn queue_group(&mut self, command: &[u8], group: &[u8]) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        assert!(self.peer.is_some(), "the handshake is not over");
        assert!(group.len() <= 255, "group too long");
        self.backlog.push_frame(frame::COMMAND, &[command, group]);
    }

    fn queue_ping(&mut self, ttl: u16) {
        // While something else is stuck a PING would only be stuck behind it.
        if self.backlog.is_empty() {
            let body: [&[u8]; 2] = [b"\x04PING", &ttl.to_be_bytes()];
            self.backlog.push_frame(frame::COMMAND, &body);
        }
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

    fn receive_greeting(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let State::Greeting(handshake) = &mut self.state else {
            unreachable!("the greeting is over");
        };
        if !handshake.greeting_rest.is_empty() {
            match greeting::is_zmtp2(input)? {
                None => return Ok(Progress::NEED_MORE),
                Some(true) => return Ok(self.answer_zmtp2()),
                Some(false) => self.backlog.push(&mem::take(&mut handshake.greeting_rest)),
            }
        }
        let Some(minor) = greeting::judge(input, handshake.mechanism.name())? else {
            return Ok(Progress::NEED_MORE);
        };
        handshake.minor = minor;
        let Handshake { mechanism, ours, .. } = &mut **handshake;
        let before = self.backlog.unsent().len();
        mechanism.start(ours, &mut self.backlog);
        handshake.answer_len = self.backlog.unsent().len() - before;
        self.state = match mem::replace(&mut self.state, State::Traffic) {
            State::Greeting(handshake) => State::Command(handshake),
            other => other,
        };
        Ok(Progress {
            consumed: GREETING_LEN,
            event: None,
        })
    }

    /// The peer speaks ZMTP 2.0: sends our socket type and our routing id, which is all that there is to say.
    fn answer_zmtp2(&mut self) -> Progress {
        self.state = match mem::replace(&mut self.state, State::Traffic) {
            State::Greeting(mut handshake) => {
                let before = self.backlog.unsent().len();
                self.backlog.push(&[self.socket_type.number()]);
                self.backlog.push_frame(0, &[&handshake.ours.identity]);
                handshake.answer_len = self.backlog.unsent().len() - before;
                State::Identity(handshake)
            }
            other => other,
        };
        Progress {
            consumed: greeting::VERSION_END,
            event: None,
        }
    }

    fn receive_identity(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let Some((&number, frame)) = input.split_first() else {
            return Ok(Progress::NEED_MORE);
        };
        let fault = |fault| Violation::InvalidMetadata(fault);
        // The later types agree by commands, which ZMTP 2.0 has not.
        let known = SocketType::from_number(number).filter(|&peer| peer <= SocketType::XSub);
        let Some(peer) = known else {
            return Err(fault(MetadataFault::SocketTypeUnknown).into());
        };
        if !self.socket_type.accepts(peer) {
            return Err(Failure::Incompatible { peer });
        }
        let HeaderStep::Header { len, body, flags } = frame::decode_header(frame)? else {
            return Ok(Progress::NEED_MORE);
        };
        if flags != 0 {
            return Err(fault(MetadataFault::IdentityTooLong).into());
        }
        let Some(identity) = frame.get(len..len + body as usize) else {
            return Ok(Progress::NEED_MORE);
        };
        if identity.first() == Some(&0) {
            return Err(fault(MetadataFault::IdentityReserved).into());
        }
        self.peer = Some(Peer::of_zmtp2(peer, identity.to_vec()));
        // Heartbeats are of ZMTP 3, so that the timers stay at rest.
        self.state = State::Traffic;
        Ok(Progress {
            consumed: 1 + len + identity.len(),
            event: Some(Event::Handshaken),
        })
    }

    fn receive_handshake_command(&mut self, input: &[u8], now: Instant) -> Result<Progress, Failure> {
        let max = self.command_max.min(HANDSHAKE_COMMAND_MAX);
        let Some((header, end)) = whole_command(input, max)? else {
            return Ok(Progress::NEED_MORE);
        };
        let State::Command(handshake) = &mut self.state else {
            unreachable!("the handshake is over");
        };
        let command = Command::parse(&input[header..end])?;
        if let Some(metadata) = handshake.mechanism.on_command(&command)? {
            let peer = Peer::new(metadata, handshake.minor);
            if !self.socket_type.accepts(peer.socket_type) {
                let peer = peer.socket_type;
                return Err(Failure::Incompatible { peer });
            }
            self.peer = Some(peer);
            self.timers.start(now);
            self.state = State::Traffic;
        }
        Ok(Progress {
            consumed: end,
            event: self.is_established().then_some(Event::Handshaken),
        })
    }

    #[inline]
    fn receive_traffic(&mut self, input: &[u8], now: Instant) -> Result<Progress, Failure> {
        let (run, stop) = walk::walk(input, &self.limits, self.partial);
        if run.consumed > 0 {
            self.partial = run.partial;
            return Ok(Progress {
                consumed: run.consumed,
                event: Some(Event::Frames {
                    messages: run.messages,
                    at_boundary: run.partial.is_none(),
                }),
            });
        }
        self.receive_stop(stop, input, now)
            .map_err(|failure| self.fail(failure))
    }

    /// There is no whole data frame at the front of the input.
    fn receive_stop(&mut self, stop: Stop, input: &[u8], now: Instant) -> Result<Progress, Failure> {
        match stop {
            Stop::NeedMore => Ok(Progress::NEED_MORE),
            Stop::Command => self.receive_command(input, now),
            Stop::Large {
                header,
                body,
                more,
                partial,
            } => {
                self.partial = partial;
                self.state = State::Body;
                Ok(Progress {
                    consumed: header,
                    event: Some(Event::Large { header, body, more }),
                })
            }
            Stop::Violation(violation) => Err(violation.into()),
        }
    }

    /// A command during traffic. It may stand between the parts of a message: libzmq sends its
    /// heartbeats wherever they fall due.
    fn receive_command(&mut self, input: &[u8], now: Instant) -> Result<Progress, Failure> {
        if self.peer.as_ref().is_some_and(|peer| peer.major < 3) {
            let flags = input[0];
            return Err(Violation::ReservedFlags { flags }.into());
        }
        let Some((header, end)) = whole_command(input, self.command_max)? else {
            return Ok(Progress::NEED_MORE);
        };
        let command = Command::parse(&input[header..end])?;
        // The operand of these four is all that follows their name.
        let last = |bytes: &[u8]| end - bytes.len()..end;
        let event = match command {
            Command::Subscribe { topic } if self.socket_type.takes_subscriptions() => {
                Some(Event::Subscribe { topic: last(topic) })
            }
            Command::Cancel { topic } if self.socket_type.takes_subscriptions() => {
                Some(Event::Cancel { topic: last(topic) })
            }
            Command::Join { group } if self.socket_type.takes_groups() => {
                Some(Event::Join { group: last(group) })
            }
            Command::Leave { group } if self.socket_type.takes_groups() => {
                Some(Event::Leave { group: last(group) })
            }
            Command::Extension { name, data } if self.extensions => {
                let data = last(data);
                let name = data.start - name.len()..data.start;
                Some(Event::Extension { name, data })
            }
            Command::Ping { ttl, context } => {
                self.timers.on_ping(ttl, now);
                self.backlog.push_answer(&[b"\x04PONG", context])?;
                None
            }
            // RFC 37: unknown commands are ignored, so that later versions may add some.
            Command::Pong | Command::Extension { .. } | Command::Unknown => None,
            Command::Error { reason } => {
                return Err(Failure::PeerError {
                    reason: Box::from(reason),
                });
            }
            Command::Ready { .. }
            | Command::Foreign { .. }
            | Command::Subscribe { .. }
            | Command::Cancel { .. }
            | Command::Join { .. }
            | Command::Leave { .. } => {
                let command = command.name();
                return Err(Violation::UnexpectedCommand { command }.into());
            }
        };
        Ok(Progress { consumed: end, event })
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
    if !std::mem::replace(announced, true) {
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
