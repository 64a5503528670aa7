//! The grammar of commands (RFC 37 §Commands).

use crate::error::{CommandName, Violation};

/// RFC 37: the context of a PING has at most 16 bytes; longer ones come back cut.
const CONTEXT_MAX: usize = 16;
/// libzmq's limit for the name of a group.
const GROUP_MAX: usize = 255;

/// A command, borrowed from the body of its frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// The fields are those of the mechanism; NULL has metadata here.
    Ready {
        metadata: &'a [u8],
    },
    Error {
        reason: &'a [u8],
    },
    Subscribe {
        topic: &'a [u8],
    },
    Cancel {
        topic: &'a [u8],
    },
    Join {
        group: &'a [u8],
    },
    Leave {
        group: &'a [u8],
    },
    /// `ttl` is in tenths of a second; `context` has at most 16 bytes.
    Ping {
        ttl: u16,
        context: &'a [u8],
    },
    Pong,
    /// A command of a mechanism other than NULL.
    Foreign {
        command: CommandName,
    },
    /// A command whose name begins with `X-`: an agreement between the two peers beyond RFC 37.
    Extension {
        name: &'a [u8],
        data: &'a [u8],
    },
    Unknown,
}

impl<'a> Command<'a> {
    /// Reads the body of a command frame.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Command<'a>, Violation> {
        let malformed = Violation::MalformedCommand {
            command: CommandName::Unknown,
        };
        let (&name_len, rest) = body.split_first().ok_or(malformed)?;
        if name_len == 0 {
            return Err(malformed);
        }
        let (name, data) = rest.split_at_checked(usize::from(name_len)).ok_or(malformed)?;
        match name {
            b"READY" => Ok(Command::Ready { metadata: data }),
            b"ERROR" => parse_error(data),
            b"SUBSCRIBE" => Ok(Command::Subscribe { topic: data }),
            b"CANCEL" => Ok(Command::Cancel { topic: data }),
            b"JOIN" => parse_group(data, CommandName::Join).map(|group| Command::Join { group }),
            b"LEAVE" => parse_group(data, CommandName::Leave).map(|group| Command::Leave { group }),
            b"PING" => parse_ping(data),
            b"PONG" => Ok(Command::Pong),
            b"HELLO" => Ok(foreign(CommandName::Hello)),
            b"WELCOME" => Ok(foreign(CommandName::Welcome)),
            b"INITIATE" => Ok(foreign(CommandName::Initiate)),
            _ if name.starts_with(b"X-") => Ok(Command::Extension { name, data }),
            _ => Ok(Command::Unknown),
        }
    }

    pub(crate) fn name(&self) -> CommandName {
        match self {
            Command::Ready { .. } => CommandName::Ready,
            Command::Error { .. } => CommandName::Error,
            Command::Subscribe { .. } => CommandName::Subscribe,
            Command::Cancel { .. } => CommandName::Cancel,
            Command::Join { .. } => CommandName::Join,
            Command::Leave { .. } => CommandName::Leave,
            Command::Ping { .. } => CommandName::Ping,
            Command::Pong => CommandName::Pong,
            Command::Foreign { command } => *command,
            Command::Extension { .. } | Command::Unknown => CommandName::Unknown,
        }
    }
}

fn foreign<'a>(command: CommandName) -> Command<'a> {
    Command::Foreign { command }
}

/// The reason fills the command exactly: `length reason`.
fn parse_error(data: &[u8]) -> Result<Command<'_>, Violation> {
    match data.split_first() {
        Some((&len, reason)) if usize::from(len) == reason.len() => Ok(Command::Error { reason }),
        _ => Err(Violation::MalformedCommand {
            command: CommandName::Error,
        }),
    }
}

fn parse_group(data: &[u8], command: CommandName) -> Result<&[u8], Violation> {
    if data.len() > GROUP_MAX {
        return Err(Violation::MalformedCommand { command });
    }
    Ok(data)
}

fn parse_ping(data: &[u8]) -> Result<Command<'_>, Violation> {
    let Some((ttl, context)) = data.split_first_chunk::<2>() else {
        return Err(Violation::MalformedCommand {
            command: CommandName::Ping,
        });
    };
    Ok(Command::Ping {
        ttl: u16::from_be_bytes(*ttl),
        context: &context[..context.len().min(CONTEXT_MAX)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_parse_by_table() {
        let unknown = CommandName::Unknown;
        let malformed = |command| Err(Violation::MalformedCommand { command });
        let cases: &[(&[u8], Result<Command<'_>, Violation>)] = &[
            (b"", malformed(unknown)),
            (b"\0", malformed(unknown)),
            (b"\xFF", malformed(unknown)),
            (b"\x05READ", malformed(unknown)),
            (b"\x03FOO", Ok(Command::Unknown)),
            (b"\x05ready", Ok(Command::Unknown)),
            (
                b"\x03X-Ydata",
                Ok(Command::Extension {
                    name: b"X-Y",
                    data: b"data",
                }),
            ),
            (b"\x05READY", Ok(Command::Ready { metadata: b"" })),
            (b"\x05ERROR", malformed(CommandName::Error)),
            (b"\x05ERROR\0", Ok(Command::Error { reason: b"" })),
            (b"\x05ERROR\x02ab", Ok(Command::Error { reason: b"ab" })),
            (b"\x05ERROR\x03ab", malformed(CommandName::Error)),
            (b"\x05ERROR\x01ab", malformed(CommandName::Error)),
            (b"\x09SUBSCRIBE", Ok(Command::Subscribe { topic: b"" })),
            (b"\x06CANCELx", Ok(Command::Cancel { topic: b"x" })),
            (b"\x04JOINg", Ok(Command::Join { group: b"g" })),
            (b"\x05LEAVEg", Ok(Command::Leave { group: b"g" })),
            (b"\x04PING", malformed(CommandName::Ping)),
            (b"\x04PING\x01", malformed(CommandName::Ping)),
            (
                b"\x04PING\x02\x90",
                Ok(Command::Ping {
                    ttl: 0x290,
                    context: b"",
                }),
            ),
            (
                b"\x04PING\xFF\xFF0123456789abcdefg",
                Ok(Command::Ping {
                    ttl: 0xFFFF,
                    context: b"0123456789abcdef",
                }),
            ),
            (b"\x04PONG", Ok(Command::Pong)),
            (b"\x05HELLO", Ok(foreign(CommandName::Hello))),
        ];
        for (body, expected) in cases {
            assert_eq!(&Command::parse(body), expected, "{}", body.escape_ascii());
        }
    }
}
