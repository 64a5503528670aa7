//! Up to the first frame: the greeting, and what the mechanism has to say. Peers of ZMTP 2.0 say a type and a routing id instead.

use std::mem;
use std::time::Instant;

use super::{Connection, State, whole_command};
use crate::backlog::Backlog;
use crate::command::Command;
use crate::error::{Failure, MetadataFault, Violation};
use crate::event::{Event, Progress};
use crate::frame::{self, HeaderStep};
use crate::greeting::{self, GREETING_LEN};
use crate::mechanism::Mechanism;
use crate::metadata::Metadata;
use crate::peer::Peer;
use crate::socket_type::SocketType;

/// The longest command before the handshake is over, whatever the limits on messages are.
const HANDSHAKE_COMMAND_MAX: u64 = 64 << 10;

/// What is needed until the handshake is over.
#[derive(Debug)]
pub(super) struct Handshake {
    mechanism: Mechanism,
    ours: Metadata,
    /// The minor version from the peer's greeting.
    minor: u8,
    pub(super) deadline: Option<Instant>,
    /// What is left of our greeting, for when the peer turns out to speak ZMTP 3.
    greeting_rest: Vec<u8>,
    /// The length of what was said after the peer's greeting.
    pub(super) answer_len: usize,
}

impl Handshake {
    /// Queues our greeting, or as much of it as goes out before the peer's version is known.
    ///
    /// libzmq sends the signature first and the rest when it knows the peer's version, for the sake of peers before 3.0.
    /// Unless these are welcome, all of it goes at once.
    pub(super) fn begin(
        ours: Metadata,
        zmtp2_peers: bool,
        deadline: Option<Instant>,
        backlog: &mut Backlog,
    ) -> Self {
        let mechanism = Mechanism::NULL;
        let greeting = greeting::encode(mechanism.name(), ours.identity.len());
        let first = if zmtp2_peers {
            greeting::VERSION_END
        } else {
            GREETING_LEN
        };
        backlog.push(&greeting[..first]);
        Self {
            mechanism,
            ours,
            minor: 0,
            deadline,
            greeting_rest: greeting[first..].to_vec(),
            answer_len: 0,
        }
    }
}

impl Connection {
    pub(super) fn receive_greeting(&mut self, input: &[u8]) -> Result<Progress, Failure> {
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

    pub(super) fn receive_identity(&mut self, input: &[u8]) -> Result<Progress, Failure> {
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

    pub(super) fn receive_handshake_command(
        &mut self,
        input: &[u8],
        now: Instant,
    ) -> Result<Progress, Failure> {
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
}
