//! After the handshake: runs of frames, and commands between them.

use std::time::Instant;

use super::{Connection, State, whole_command};
use crate::command::Command;
use crate::error::{Failure, Violation};
use crate::event::{Event, Progress};
use crate::walk::{self, Stop};

impl Connection {
    #[inline]
    pub(super) fn receive_traffic(&mut self, input: &[u8], now: Instant) -> Result<Progress, Failure> {
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
}
