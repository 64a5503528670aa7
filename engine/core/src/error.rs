//! What an operation of a socket's owner can answer: one enum, and one table to libzmq's errno numbers.
//!
//! Faults of a peer are no errors of the owner: they end the connection and become [events](crate::monitor::Event).

use ringmq_zmtp::SocketType;
use std::{fmt, io};

/// The errno numbers that libzmq adds to those of the C library on Linux.
pub mod errno {
    /// The base of libzmq's own numbers.
    const HAUSNUMERO: i32 = 156_384_712;
    /// The operation is not possible in the socket's current state.
    pub const EFSM: i32 = HAUSNUMERO + 51;
    /// The transport cannot serve this socket type.
    pub const ENOCOMPATPROTO: i32 = HAUSNUMERO + 52;
    /// The context was terminated.
    pub const ETERM: i32 = HAUSNUMERO + 53;
    /// The context has no worker to serve the endpoint.
    pub const EMTHREAD: i32 = HAUSNUMERO + 54;
}

/// Why an operation of a socket's owner failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The endpoint text is malformed.
    InvalidEndpoint {
        /// The text as it was given.
        endpoint: String,
        /// What is wrong with it.
        why: EndpointFault,
    },
    /// The scheme is not one that this engine offers.
    UnsupportedTransport {
        /// The part before `://`.
        scheme: String,
    },
    /// The transport exists but cannot serve this socket type.
    IncompatibleTransport {
        /// The part before `://`.
        scheme: String,
        /// The socket that asked.
        socket_type: SocketType,
    },
    /// Somebody listens on that address already.
    AddressInUse {
        /// The endpoint to bind.
        endpoint: String,
    },
    /// The address belongs to no interface of this machine.
    AddressNotAvailable {
        /// The endpoint to bind.
        endpoint: String,
    },
    /// Unbind or disconnect named an endpoint that this socket does not have.
    NoSuchEndpoint {
        /// The text as it was given.
        endpoint: String,
    },
    /// A host or interface name led to no usable address.
    NoDevice {
        /// The name.
        name: String,
    },
    /// The endpoint needs a worker, and the context was built without, or the socket's affinity names none that it has.
    NoWorker,
    /// An option does not exist, or refuses the value.
    InvalidOption {
        /// libzmq's number of the option.
        number: i32,
        /// Its name, or `"unknown option"`.
        name: &'static str,
        /// What is wrong.
        why: OptionFault,
    },
    /// An argument breaks a rule of the call; the text names the rule.
    InvalidArgument {
        /// The rule, as a sentence without its full stop.
        rule: &'static str,
    },
    /// The message is longer than the context allows.
    MessageTooLong {
        /// The most bytes that a part may have.
        max: usize,
    },
    /// The routing id that the peer of the next connection is to get is in use by another peer.
    RoutingIdInUse,
    /// The context was terminated or is shutting down.
    Terminated,
    /// The socket was closed. Not answered by the Rust interface, where a closed socket is a dropped one.
    Closed,
    /// The socket type has no such operation.
    NotSupported,
    /// The operation is out of turn, as a second request before the reply.
    State,
    /// The operation would have to wait, and was asked not to, by a `try_` call or a timeout of zero.
    WouldBlock,
    /// The operation waited for as long as it was allowed to. Nothing has changed, and it may be tried again.
    TimedOut,
    /// No peer has the routing id that the message is addressed to.
    HostUnreachable,
    /// The context's limit of sockets is reached.
    TooManySockets,
    /// A signal arrived before anything happened. The Rust interface goes on waiting instead.
    Interrupted,
    /// Memory for a message or a buffer could not be had.
    OutOfMemory,
    /// The operating system refused.
    Io(io::Error),
}

/// What is wrong with an endpoint's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointFault {
    /// There is no `://`, or nothing before it.
    NoScheme,
    /// Nothing follows `://`.
    NoAddress,
    /// The text holds a zero byte, at which C programs would cut it.
    EmbeddedNul,
    /// A tcp address has no `:port`.
    NoPort,
    /// The port is neither a number up to 65535 nor `*`.
    InvalidPort,
    /// Connecting needs a port, and got `*` or 0.
    WildcardPort,
    /// Nothing stands before the port.
    NoHost,
    /// Connecting needs a host, and got `*`.
    WildcardHost,
    /// The host is neither an address nor a name.
    InvalidHost,
    /// Square brackets do not pair up, or enclose no IPv6 address.
    InvalidBrackets,
    /// The zone after `%` is empty, zero, or stands behind an address that is not IPv6.
    InvalidZone,
    /// A source address is for connecting only.
    SourceOnBind,
    /// The source address before `;` is malformed.
    InvalidSource,
    /// An interface before `;` is for reaching a multicast group only.
    InterfaceWithoutGroup,
    /// The path of a `ws` or `wss` endpoint has characters that cannot stand in a request.
    InvalidPath,
    /// The path or name of an `ipc` endpoint is longer than the 107 bytes that a socket address can hold.
    PathTooLong,
    /// Nothing follows the `@` of an `ipc` endpoint.
    NoName,
    /// Connecting needs a path or a name, and got `*`.
    WildcardPath,
}

/// What is wrong with an option or its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionFault {
    /// No option has that number.
    Unknown,
    /// The option is one of libzmq's, for a mechanism or a transport that is not offered.
    NotOffered,
    /// The option does not exist for this socket type.
    NotForThisSocket,
    /// The option can only be read.
    ReadOnly,
    /// The option can only be written.
    WriteOnly,
    /// The value, or the buffer for it, has the wrong number of bytes.
    WrongLength,
    /// The number lies outside the option's range.
    OutOfRange,
    /// The bytes are not the text that the option asks for.
    Malformed,
}

impl Error {
    /// The `errno` value that libzmq reports for this error.
    pub fn errno(&self) -> i32 {
        match self {
            Self::InvalidEndpoint {
                why: EndpointFault::PathTooLong,
                ..
            } => libc::ENAMETOOLONG,
            Self::InvalidEndpoint { .. } => libc::EINVAL,
            Self::UnsupportedTransport { .. } => libc::EPROTONOSUPPORT,
            Self::IncompatibleTransport { .. } => errno::ENOCOMPATPROTO,
            Self::AddressInUse { .. } | Self::RoutingIdInUse => libc::EADDRINUSE,
            Self::AddressNotAvailable { .. } => libc::EADDRNOTAVAIL,
            Self::NoSuchEndpoint { .. } => libc::ENOENT,
            Self::NoDevice { .. } => libc::ENODEV,
            Self::NoWorker => errno::EMTHREAD,
            Self::InvalidOption { .. } | Self::InvalidArgument { .. } => libc::EINVAL,
            Self::MessageTooLong { .. } => libc::EMSGSIZE,
            Self::Terminated => errno::ETERM,
            Self::Closed => libc::ENOTSOCK,
            Self::NotSupported => libc::ENOTSUP,
            Self::State => errno::EFSM,
            Self::WouldBlock | Self::TimedOut => libc::EAGAIN,
            Self::HostUnreachable => libc::EHOSTUNREACH,
            Self::TooManySockets => libc::EMFILE,
            Self::Interrupted => libc::EINTR,
            Self::OutOfMemory => libc::ENOMEM,
            Self::Io(error) => error.raw_os_error().unwrap_or(libc::EIO),
        }
    }

    /// Names what the operating system said when `endpoint` was to be bound.
    pub fn from_bind(endpoint: &str, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EADDRINUSE) => Self::AddressInUse {
                endpoint: endpoint.into(),
            },
            Some(libc::EADDRNOTAVAIL) => Self::AddressNotAvailable {
                endpoint: endpoint.into(),
            },
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidEndpoint { endpoint, why } => write!(f, "invalid endpoint {endpoint:?}: {why}"),
            Self::UnsupportedTransport { scheme } => write!(f, "the transport {scheme:?} is not offered"),
            Self::IncompatibleTransport { scheme, socket_type } => {
                write!(
                    f,
                    "the transport {scheme:?} cannot serve a {socket_type:?} socket"
                )
            }
            Self::AddressInUse { endpoint } => write!(f, "the address of {endpoint:?} is in use"),
            Self::AddressNotAvailable { endpoint } => {
                write!(
                    f,
                    "the address of {endpoint:?} belongs to no interface of this machine"
                )
            }
            Self::NoSuchEndpoint { endpoint } => write!(f, "the socket has no endpoint {endpoint:?}"),
            Self::NoDevice { name } => {
                write!(f, "{name:?} is no interface and no host with a usable address")
            }
            Self::NoWorker => f.write_str("the context has no worker threads"),
            Self::InvalidOption { number, name, why } => write!(f, "option {name} ({number}): {why}"),
            Self::InvalidArgument { rule } => f.write_str(rule),
            Self::MessageTooLong { max } => write!(f, "the message is longer than {max} bytes"),
            Self::RoutingIdInUse => f.write_str("the routing id is in use"),
            Self::Terminated => f.write_str("the context was terminated"),
            Self::Closed => f.write_str("the socket is closed"),
            Self::NotSupported => f.write_str("the socket type has no such operation"),
            Self::State => f.write_str("the operation is not possible in the socket's current state"),
            Self::WouldBlock => f.write_str("the operation would block"),
            Self::TimedOut => f.write_str("the operation timed out"),
            Self::HostUnreachable => f.write_str("no peer has that routing id"),
            Self::TooManySockets => f.write_str("the context's limit of sockets is reached"),
            Self::Interrupted => f.write_str("interrupted by a signal"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::Io(error) => write!(f, "operating system: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    /// Wraps what the operating system said, unless a variant says it better.
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EINTR) => Self::Interrupted,
            Some(libc::ENOMEM) => Self::OutOfMemory,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for EndpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "no transport before \"://\"",
            Self::NoAddress => "no address after \"://\"",
            Self::EmbeddedNul => "the text holds a zero byte",
            Self::NoPort => "no port",
            Self::InvalidPort => "the port is neither a number up to 65535 nor \"*\"",
            Self::WildcardPort => "connecting needs a port number",
            Self::NoHost => "no host before the port",
            Self::WildcardHost => "connecting needs a host",
            Self::InvalidHost => "the host is neither an address nor a name",
            Self::InvalidBrackets => "square brackets must enclose an IPv6 address",
            Self::InvalidZone => "the zone after \"%\" is not valid",
            Self::SourceOnBind => "a source address is for connecting only",
            Self::InvalidSource => "the source address before \";\" is malformed",
            Self::InterfaceWithoutGroup => "an interface before \";\" needs a multicast group behind it",
            Self::InvalidPath => "the path has characters that cannot stand in a request",
            Self::PathTooLong => "the path is too long for a socket address",
            Self::NoName => "no name after \"@\"",
            Self::WildcardPath => "connecting needs a path or a name",
        })
    }
}

impl std::error::Error for EndpointFault {}

impl fmt::Display for OptionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such option",
            Self::NotOffered => "for a mechanism or a transport that is not offered",
            Self::NotForThisSocket => "not an option of this socket type",
            Self::ReadOnly => "can only be read",
            Self::WriteOnly => "can only be written",
            Self::WrongLength => "the value has the wrong number of bytes",
            Self::OutOfRange => "the value is out of range",
            Self::Malformed => "the value is not of the form that the option asks for",
        })
    }
}

impl std::error::Error for OptionFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_numbers_are_libzmqs() {
        assert_eq!(errno::EFSM, 156_384_763);
        assert_eq!(errno::ENOCOMPATPROTO, 156_384_764);
        assert_eq!(errno::ETERM, 156_384_765);
        assert_eq!(errno::EMTHREAD, 156_384_766);
    }

    #[test]
    fn each_error_has_libzmqs_number() {
        let endpoint = || "tcp://*:1".to_owned();
        let rows = [
            (
                Error::InvalidEndpoint {
                    endpoint: endpoint(),
                    why: EndpointFault::NoPort,
                },
                22,
            ),
            (
                Error::InvalidEndpoint {
                    endpoint: endpoint(),
                    why: EndpointFault::PathTooLong,
                },
                36,
            ),
            (Error::UnsupportedTransport { scheme: "pgm".into() }, 93),
            (
                Error::IncompatibleTransport {
                    scheme: "udp".into(),
                    socket_type: SocketType::Push,
                },
                156_384_764,
            ),
            (Error::AddressInUse { endpoint: endpoint() }, 98),
            (Error::AddressNotAvailable { endpoint: endpoint() }, 99),
            (Error::NoSuchEndpoint { endpoint: endpoint() }, 2),
            (Error::NoDevice { name: "eth9".into() }, 19),
            (Error::NoWorker, 156_384_766),
            (
                Error::InvalidOption {
                    number: 17,
                    name: "LINGER",
                    why: OptionFault::OutOfRange,
                },
                22,
            ),
            (Error::InvalidArgument { rule: "a rule" }, 22),
            (Error::MessageTooLong { max: 10 }, 90),
            (Error::RoutingIdInUse, 98),
            (Error::Terminated, 156_384_765),
            (Error::Closed, 88),
            (Error::NotSupported, 95),
            (Error::State, 156_384_763),
            (Error::WouldBlock, 11),
            (Error::TimedOut, 11),
            (Error::HostUnreachable, 113),
            (Error::TooManySockets, 24),
            (Error::Interrupted, 4),
            (Error::OutOfMemory, 12),
            (Error::Io(io::Error::from_raw_os_error(13)), 13),
            (Error::Io(io::Error::other("no number")), 5),
        ];
        for (error, number) in rows {
            assert_eq!(error.errno(), number, "{error}");
            assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn the_text_names_what_was_wrong() {
        let error = Error::InvalidEndpoint {
            endpoint: "tcp://\n".into(),
            why: EndpointFault::NoPort,
        };
        assert_eq!(error.to_string(), r#"invalid endpoint "tcp://\n": no port"#);
        let error = Error::InvalidOption {
            number: 17,
            name: "LINGER",
            why: OptionFault::OutOfRange,
        };
        assert_eq!(error.to_string(), "option LINGER (17): the value is out of range");
    }

    #[test]
    fn a_failed_bind_says_which_endpoint() {
        let bind = |number| Error::from_bind("tcp://*:1", io::Error::from_raw_os_error(number));
        assert!(matches!(bind(98), Error::AddressInUse { endpoint } if endpoint == "tcp://*:1"));
        assert!(matches!(bind(99), Error::AddressNotAvailable { .. }));
        assert!(matches!(bind(13), Error::Io(_)));
        assert!(matches!(
            Error::from(io::Error::from_raw_os_error(4)),
            Error::Interrupted
        ));
        assert!(matches!(
            Error::from(io::Error::from_raw_os_error(12)),
            Error::OutOfMemory
        ));
    }
}
