//! Security mechanisms: what happens between the greeting and the first message.
//!
//! A mechanism is a file here and an arm in each of the matches below.
//!
//! NULL leaves the data phase alone. A mechanism that seals messages (CURVE) adds two hooks that
//! [`Connection`](crate::Connection) calls: `open`, on every frame that the walk has found whole,
//! which yields flags and body of the frame inside (RFC 26: a MESSAGE travels as an ordinary
//! frame, and carries MORE and COMMAND within the box); and `seal`, its counterpart, for the
//! commands that the connection sends and for the caller that encodes frames. Such a connection
//! never reports a run of frames straight from the wire.

mod null;

use crate::backlog::Backlog;
use crate::command::Command;
use crate::error::Failure;
use crate::metadata::Metadata;

use null::Null;

/// The mechanism of one connection, with the state of its handshake.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(Null),
}

impl Mechanism {
    pub(crate) const NULL: Mechanism = Mechanism::Null(Null);

    /// The name in the greeting, at most 20 bytes.
    pub(crate) fn name(&self) -> &'static [u8] {
        match self {
            Mechanism::Null(_) => Null::NAME,
        }
    }

    /// The peer's greeting is complete: sends the first command, if it is on us to speak.
    pub(crate) fn start(&mut self, ours: &Metadata, out: &mut Backlog) {
        match self {
            Mechanism::Null(null) => null.start(ours, out),
        }
    }

    /// A command came during the handshake: the peer's metadata once the handshake is done.
    ///
    /// Errors: the peer refused us, or broke the protocol.
    pub(crate) fn on_command(&mut self, command: &Command<'_>) -> Result<Option<Metadata>, Failure> {
        match self {
            Mechanism::Null(null) => null.on_command(command).map(Some),
        }
    }
}
