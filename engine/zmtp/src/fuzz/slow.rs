//! An obvious decoder, slow and without states, to compare the fast one with.

use crate::command::Command;
use crate::config::Config;
use crate::error::{CommandName, Failure, Violation};
use crate::fuzz::trace::{Item, Trace};
use crate::fuzz::wire;
use crate::metadata::Metadata;

/// The trace of a whole stream. It keeps nothing in mind but the place in the stream.
pub(crate) fn slow_trace(config: &Config, stream: &[u8]) -> Trace {
    let mut trace = Trace {
        items: Vec::new(),
        sent: wire::greeting(1, b"NULL"),
    };
    // Running out of bytes ends the trace, wherever it happens.
    if let Some(Err(failure)) = decode(config, stream, &mut trace) {
        trace.items.push(Item::Failed(failure));
    }
    trace
}

fn decode(config: &Config, stream: &[u8], trace: &mut Trace) -> Option<Result<(), Failure>> {
    if let Err(violation) = greeting(stream)? {
        return Some(Err(violation.into()));
    }
    trace.sent.extend(wire::ready(config.socket_type));
    let mut at = 64;
    let mut established = false;
    let (mut parts, mut size) = (0_u32, 0_u128);
    loop {
        let (flags, body_at, len) = match header(stream, at)? {
            Ok(header) => header,
            Err(violation) => return Some(Err(violation.into())),
        };
        let data = flags & 4 == 0;
        // A frame of the wrong kind is wrong before its length has arrived.
        if data && !established {
            return Some(Err(Violation::UnexpectedFrame.into()));
        }
        let len = len?;
        let limits = if data {
            parts += 1;
            size += len;
            message_limits(config, len, size, parts)
        } else {
            command_limit(config, len, established)
        };
        if let Err(violation) = limits {
            return Some(Err(violation.into()));
        }
        let end = body_at as u128 + len;
        if end > stream.len() as u128 {
            return None;
        }
        let body = &stream[body_at..end as usize];
        at = end as usize;
        if data {
            let more = flags & 1 != 0;
            if !more {
                (parts, size) = (0, 0);
            }
            let body = body.to_vec();
            trace.items.push(Item::Frame { more, body });
            continue;
        }
        match command(config, body, established, trace) {
            Ok(()) => established = true,
            Err(failure) => return Some(Err(failure)),
        }
    }
}

fn greeting(stream: &[u8]) -> Option<Result<(), Violation>> {
    let version_1 = Violation::UnsupportedVersion { major: 1 };
    if *stream.first()? != 0xFF {
        if stream[0] == 0 {
            return Some(Err(Violation::BadSignature));
        }
        return Some(Err(match stream.get(1)? {
            0 => version_1,
            _ => Violation::BadSignature,
        }));
    }
    if stream.get(9)? % 2 == 0 {
        return Some(Err(Violation::BadSignature));
    }
    match stream.get(10)? {
        0 => return Some(Err(version_1)),
        1 | 2 => return Some(Err(Violation::UnsupportedVersion { major: 2 })),
        _ => {}
    }
    if stream.get(12..32)? != b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" {
        return Some(Err(Violation::MechanismMismatch));
    }
    stream.get(..64)?;
    Some(Ok(()))
}

/// Flags, offset of the body, and its length if it has arrived.
#[allow(clippy::type_complexity)] // Giving this a name would hide the three things.
fn header(stream: &[u8], at: usize) -> Option<Result<(u8, usize, Option<u128>), Violation>> {
    let flags = *stream.get(at)?;
    if flags > 7 {
        return Some(Err(Violation::ReservedFlags { flags }));
    }
    if flags == 5 || flags == 7 {
        return Some(Err(Violation::CommandWithMore));
    }
    if flags & 2 == 0 {
        let len = stream.get(at + 1).map(|&len| u128::from(len));
        return Some(Ok((flags, at + 2, len)));
    }
    let len = stream
        .get(at + 1..at + 9)
        .map(|bytes| bytes.iter().fold(0, |sum, &b| sum * 256 + u128::from(b)));
    Some(Ok((flags, at + 9, len)))
}

fn message_limits(config: &Config, len: u128, size: u128, parts: u32) -> Result<(), Violation> {
    let limit = config.frame_size_max.unwrap_or(u64::MAX).min(u64::MAX / 2);
    if len > u128::from(limit) {
        return Err(Violation::FrameTooLarge {
            size: len as u64,
            limit,
        });
    }
    if size > u128::from(config.message_size_max) {
        return Err(Violation::MessageTooLarge {
            size: u64::try_from(size).unwrap_or(u64::MAX),
            limit: config.message_size_max,
        });
    }
    if parts > config.message_parts_max {
        return Err(Violation::TooManyParts {
            limit: config.message_parts_max,
        });
    }
    Ok(())
}

fn command_limit(config: &Config, len: u128, established: bool) -> Result<(), Violation> {
    let in_slab = config.slab_len as u64 - 9;
    let limit = if established { in_slab } else { in_slab.min(65536) };
    if len > u128::from(limit) {
        return Err(Violation::CommandTooLarge {
            size: len as u64,
            limit,
        });
    }
    Ok(())
}

fn command(config: &Config, body: &[u8], established: bool, trace: &mut Trace) -> Result<(), Failure> {
    let command = Command::parse(body)?;
    let publishes = config.socket_type.takes_subscriptions();
    let radiates = config.socket_type.takes_groups();
    match (established, &command) {
        (_, Command::Error { reason }) => {
            return Err(Failure::PeerError {
                reason: Box::from(*reason),
            });
        }
        (false, Command::Ready { metadata }) => {
            let peer = Metadata::parse(metadata).map_err(Violation::from)?.socket_type;
            if !config.socket_type.peers().contains(&peer) {
                return Err(Failure::Incompatible { peer });
            }
            trace.items.push(Item::Handshaken);
        }
        (true, Command::Subscribe { topic }) if publishes => {
            trace.items.push(Item::Subscribe(topic.to_vec()));
        }
        (true, Command::Cancel { topic }) if publishes => {
            trace.items.push(Item::Cancel(topic.to_vec()));
        }
        (true, Command::Join { group }) if radiates => {
            trace.items.push(Item::Join(group.to_vec()));
        }
        (true, Command::Leave { group }) if radiates => {
            trace.items.push(Item::Leave(group.to_vec()));
        }
        (true, Command::Ping { context, .. }) => {
            trace.sent.extend(wire::command(b"PONG", context));
        }
        (true, Command::Extension { name, data }) if config.extensions => {
            trace.items.push(Item::Extension(name.to_vec(), data.to_vec()));
        }
        (true, Command::Pong | Command::Extension { .. } | Command::Unknown) => {}
        (_, command) => {
            let command: CommandName = command.name();
            return Err(Violation::UnexpectedCommand { command }.into());
        }
    }
    Ok(())
}
