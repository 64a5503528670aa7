//! NULL: no security. Each side sends READY with its metadata (RFC 37 §The NULL Security
//! Mechanism), and both at once, as libzmq does.

use crate::backlog::Backlog;
use crate::command::Command;
use crate::error::{Failure, Violation};
use crate::frame;
use crate::metadata::Metadata;

#[derive(Debug)]
pub(crate) struct Null;

impl Null {
    pub(crate) const NAME: &[u8] = b"NULL";

    pub(crate) fn start(&mut self, ours: &Metadata, out: &mut Backlog) {
        let mut metadata = Vec::new();
        ours.encode(&mut metadata);
        out.push_frame(frame::COMMAND, &[b"\x05READY", &metadata]);
    }

    pub(crate) fn on_command(&mut self, command: &Command<'_>) -> Result<Metadata, Failure> {
        match *command {
            Command::Ready { metadata } => Ok(Metadata::parse(metadata).map_err(Violation::from)?),
            Command::Error { reason } => Err(Failure::PeerError {
                reason: Box::from(reason),
            }),
            _ => Err(Failure::Violation(Violation::UnexpectedCommand {
                command: command.name(),
            })),
        }
    }
}
