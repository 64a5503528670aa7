//! Why a connection ended, told by whose fault it was.

use std::error::Error;
use std::fmt;

use crate::socket_type::SocketType;

/// Why a connection cannot go on. It is final: the transport is to be closed once
/// [`transmit`](crate::Connection::transmit) is empty or at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer broke the protocol or exceeded a limit.
    Violation(Violation),
    /// The peer speaks ZMTP, but its socket type may not be connected to ours.
    Incompatible {
        /// The type that the peer named in its metadata.
        peer: SocketType,
    },
    /// The peer refused us with an ERROR command.
    PeerError {
        /// At most 255 bytes chosen by the peer; displayed with control characters escaped.
        reason: Box<[u8]>,
    },
    /// The handshake was not finished when its time was up.
    HandshakeTimeout,
    /// The peer was silent for longer than our heartbeat timeout, or than the time to live that
    /// it announced itself.
    HeartbeatTimeout,
}

/// What a peer did against the protocol or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The first bytes are not a ZMTP signature.
    BadSignature,
    /// The peer speaks a version before 3.0; `major` is 1 or 2.
    UnsupportedVersion {
        /// The major version that the peer speaks.
        major: u8,
    },
    /// The peer's greeting names another security mechanism, or none.
    MechanismMismatch,
    /// The body of a command does not follow its grammar.
    MalformedCommand {
        /// The command, as far as it could be told.
        command: CommandName,
    },
    /// A command that is not permitted at this point or to this socket type.
    UnexpectedCommand {
        /// The command.
        command: CommandName,
    },
    /// A message frame before the handshake was finished.
    UnexpectedFrame,
    /// The metadata in the peer's handshake is invalid.
    InvalidMetadata(MetadataFault),
    /// A frame announces a body above the limit.
    FrameTooLarge {
        /// The announced size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The parts of one message announce more than the limit.
    MessageTooLarge {
        /// The announced size of the parts so far, in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// One message has too many parts.
    TooManyParts {
        /// The permitted number of parts.
        limit: u32,
    },
    /// A command announces a body above the limit.
    CommandTooLarge {
        /// The announced size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A frame sets flag bits that RFC 37 reserves.
    ReservedFlags {
        /// The whole flags byte.
        flags: u8,
    },
    /// A command frame sets MORE, which RFC 37 forbids.
    CommandWithMore,
    /// The peer provokes answers without reading them.
    Backlog {
        /// The permitted number of unsent answer bytes.
        limit: usize,
    },
}

/// A command of ZMTP, or of one of its mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // These are the names of the commands on the wire.
pub enum CommandName {
    Ready,
    Error,
    Hello,
    Welcome,
    Initiate,
    Subscribe,
    Cancel,
    Join,
    Leave,
    Ping,
    Pong,
    /// A name that is not known here, or could not be read.
    Unknown,
}

/// What is wrong with the metadata of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataFault {
    /// A length runs over the end of the command.
    Truncated,
    /// A property has an empty name.
    EmptyName,
    /// There are more properties than the limit.
    TooManyProperties,
    /// Socket-Type or Identity occurs twice.
    Duplicate,
    /// There is no Socket-Type property.
    SocketTypeMissing,
    /// Socket-Type names no known type.
    SocketTypeUnknown,
    /// Identity has more than 255 bytes.
    IdentityTooLong,
    /// Identity starts with a zero byte, which RFC 28 reserves for ids that a ROUTER makes up.
    IdentityReserved,
}

/// The `ZMQ_PROTOCOL_ERROR_*` numbers of libzmq that its monitor events carry.
mod code {
    pub(super) const ZMTP_UNSPECIFIED: u32 = 0x1000_0000;
    pub(super) const ZMTP_UNEXPECTED_COMMAND: u32 = 0x1000_0001;
    pub(super) const ZMTP_MALFORMED_UNSPECIFIED: u32 = 0x1000_0011;
    pub(super) const ZMTP_MALFORMED_HELLO: u32 = 0x1000_0013;
    pub(super) const ZMTP_MALFORMED_INITIATE: u32 = 0x1000_0014;
    pub(super) const ZMTP_MALFORMED_ERROR: u32 = 0x1000_0015;
    pub(super) const ZMTP_MALFORMED_READY: u32 = 0x1000_0016;
    pub(super) const ZMTP_MALFORMED_WELCOME: u32 = 0x1000_0017;
    pub(super) const ZMTP_INVALID_METADATA: u32 = 0x1000_0018;
    pub(super) const ZMTP_MECHANISM_MISMATCH: u32 = 0x1100_0002;
}

impl Failure {
    /// The value of libzmq's HANDSHAKE_FAILED_PROTOCOL monitor event for this failure.
    ///
    /// None for what is no protocol error there: timeouts, a refusal by the peer, and a socket
    /// type that does not fit, for which libzmq raises only DISCONNECTED under NULL.
    pub fn protocol_code(&self) -> Option<u32> {
        match self {
            Failure::Violation(violation) => Some(violation.protocol_code()),
            Failure::Incompatible { .. }
            | Failure::PeerError { .. }
            | Failure::HandshakeTimeout
            | Failure::HeartbeatTimeout => None,
        }
    }

    /// The ZAP status (RFC 27) in the reason of an ERROR command: 300, 400 or 500.
    ///
    /// It is the value of libzmq's HANDSHAKE_FAILED_AUTH monitor event.
    pub fn status_code(&self) -> Option<u16> {
        let Failure::PeerError { reason } = self else {
            return None;
        };
        match &**reason {
            b"300" => Some(300),
            b"400" => Some(400),
            b"500" => Some(500),
            _ => None,
        }
    }
}

impl Violation {
    /// See [`Failure::protocol_code`].
    pub fn protocol_code(&self) -> u32 {
        match self {
            Violation::MechanismMismatch => code::ZMTP_MECHANISM_MISMATCH,
            Violation::MalformedCommand { command } => match command {
                CommandName::Ready => code::ZMTP_MALFORMED_READY,
                CommandName::Error => code::ZMTP_MALFORMED_ERROR,
                CommandName::Hello => code::ZMTP_MALFORMED_HELLO,
                CommandName::Welcome => code::ZMTP_MALFORMED_WELCOME,
                CommandName::Initiate => code::ZMTP_MALFORMED_INITIATE,
                _ => code::ZMTP_MALFORMED_UNSPECIFIED,
            },
            Violation::UnexpectedCommand { .. } | Violation::UnexpectedFrame => code::ZMTP_UNEXPECTED_COMMAND,
            Violation::InvalidMetadata(_) => code::ZMTP_INVALID_METADATA,
            Violation::BadSignature
            | Violation::UnsupportedVersion { .. }
            | Violation::FrameTooLarge { .. }
            | Violation::MessageTooLarge { .. }
            | Violation::TooManyParts { .. }
            | Violation::CommandTooLarge { .. }
            | Violation::ReservedFlags { .. }
            | Violation::CommandWithMore
            | Violation::Backlog { .. } => code::ZMTP_UNSPECIFIED,
        }
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Failure {
        Failure::Violation(violation)
    }
}

impl From<MetadataFault> for Violation {
    fn from(fault: MetadataFault) -> Violation {
        Violation::InvalidMetadata(fault)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Violation(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Failure::Incompatible { peer } => {
                write!(f, "a {} peer does not fit this socket", peer.wire_name())
            }
            // The peer chose these bytes, and they may end in a log.
            Failure::PeerError { reason } => {
                write!(f, "the peer refused us: \"{}\"", reason.escape_ascii())
            }
            Failure::HandshakeTimeout => f.write_str("the handshake took too long"),
            Failure::HeartbeatTimeout => f.write_str("the peer fell silent"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::BadSignature => f.write_str("no ZMTP signature"),
            Violation::UnsupportedVersion { major } => write!(f, "ZMTP {major}.0 is not spoken"),
            Violation::MechanismMismatch => f.write_str("another security mechanism"),
            Violation::MalformedCommand { command } => write!(f, "malformed command {command:?}"),
            Violation::UnexpectedCommand { command } => {
                write!(f, "unexpected command {command:?}")
            }
            Violation::UnexpectedFrame => f.write_str("a message before the handshake's end"),
            Violation::InvalidMetadata(fault) => write!(f, "invalid metadata: {fault}"),
            Violation::FrameTooLarge { size, limit } => {
                write!(f, "a frame of {size} bytes, where {limit} are permitted")
            }
            Violation::MessageTooLarge { size, limit } => {
                write!(f, "a message of {size} bytes, where {limit} are permitted")
            }
            Violation::TooManyParts { limit } => {
                write!(f, "a message of more than {limit} parts")
            }
            Violation::CommandTooLarge { size, limit } => {
                write!(f, "a command of {size} bytes, where {limit} are permitted")
            }
            Violation::ReservedFlags { flags } => write!(f, "reserved frame flags {flags:#04x}"),
            Violation::CommandWithMore => f.write_str("a command with the MORE flag"),
            Violation::Backlog { limit } => {
                write!(f, "more than {limit} bytes of answers left unread")
            }
        }
    }
}

impl fmt::Display for MetadataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MetadataFault::Truncated => "a length runs over the end",
            MetadataFault::EmptyName => "a property without a name",
            MetadataFault::TooManyProperties => "too many properties",
            MetadataFault::Duplicate => "a property that occurs twice",
            MetadataFault::SocketTypeMissing => "no Socket-Type",
            MetadataFault::SocketTypeUnknown => "an unknown Socket-Type",
            MetadataFault::IdentityTooLong => "an Identity of more than 255 bytes",
            MetadataFault::IdentityReserved => "an Identity that starts with a zero byte",
        })
    }
}

impl Error for Failure {}
impl Error for Violation {}
impl Error for MetadataFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_peer_are_escaped() {
        let failure = Failure::PeerError {
            reason: Box::from(&b"\x1b[2J\nroot: ok\xff"[..]),
        };
        let text = failure.to_string();
        assert_eq!(text, "the peer refused us: \"\\x1b[2J\\nroot: ok\\xff\"");
        assert!(!text.chars().any(char::is_control));
    }

    #[test]
    fn status_codes_are_the_three_of_zap() {
        let refused = |reason: &[u8]| Failure::PeerError {
            reason: Box::from(reason),
        };
        assert_eq!(refused(b"400").status_code(), Some(400));
        assert_eq!(refused(b"200").status_code(), None);
        assert_eq!(refused(b"4000").status_code(), None);
        assert_eq!(Failure::HandshakeTimeout.status_code(), None);
    }

    #[test]
    fn protocol_codes_follow_libzmq() {
        let code = |violation: Violation| Failure::from(violation).protocol_code();
        let malformed = |command| code(Violation::MalformedCommand { command });
        assert_eq!(code(Violation::MechanismMismatch), Some(0x1100_0002));
        assert_eq!(malformed(CommandName::Ready), Some(0x1000_0016));
        assert_eq!(malformed(CommandName::Error), Some(0x1000_0015));
        assert_eq!(malformed(CommandName::Unknown), Some(0x1000_0011));
        assert_eq!(code(Violation::UnexpectedFrame), Some(0x1000_0001));
        assert_eq!(code(MetadataFault::Truncated.into()), Some(0x1000_0018));
        assert_eq!(code(Violation::BadSignature), Some(0x1000_0000));
        assert_eq!(Failure::HeartbeatTimeout.protocol_code(), None);
    }
}
