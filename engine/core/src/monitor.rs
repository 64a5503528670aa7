//! What happens to a socket's connections, told to whoever asks.
//!
//! Workers tell, and must never wait for the listener: the [`channel()`] is bounded, and what does not fit is
//! counted instead of kept.

mod channel;
#[cfg(test)]
mod tests;

pub use channel::{MonitorError, MonitorReceiver, MonitorSender, channel};
pub use ringmq_io::Credentials;

use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection that we asked for is established; the handshake follows.
    Connected {
        /// Its descriptor.
        fd: i32,
    },
    /// A connection was asked for and is not established yet.
    ConnectDelayed {
        /// The errno that says so.
        errno: i32,
    },
    /// A connection will be asked for again.
    ConnectRetried {
        /// The pause before.
        after: Duration,
    },
    /// An endpoint is bound.
    Listening {
        /// Its descriptor.
        fd: i32,
    },
    /// An endpoint could not be bound.
    BindFailed {
        /// Why.
        errno: i32,
    },
    /// A peer connected; the handshake follows.
    Accepted {
        /// The descriptor of the connection.
        fd: i32,
    },
    /// A peer's connection could not be accepted.
    AcceptFailed {
        /// Why.
        errno: i32,
    },
    /// A listener, or an attempt to connect, was closed.
    Closed {
        /// Its former descriptor; -1 if the system refused the attempt at once.
        fd: i32,
    },
    /// A descriptor could not be closed. Never happens here; libzmq has a number for it.
    CloseFailed {
        /// Why.
        errno: i32,
    },
    /// A connection ended.
    Disconnected {
        /// Its former descriptor.
        fd: i32,
        /// Who ended it, and why.
        reason: DisconnectReason,
    },
    /// The socket or the monitor was closed; nothing follows.
    MonitorStopped,
    /// The handshake is complete and messages may flow.
    Handshaken,
    /// Messages of the connection go by shared memory; follows [`Handshaken`](Self::Handshaken).
    SharedMemory,
    /// The handshake failed.
    HandshakeFailed {
        /// Why.
        reason: HandshakeFault,
    },
    /// How many messages wait for a peer and from it; told when the owner asks for it.
    QueueDepths {
        /// Messages that are not yet on their way to the peer.
        to_send: u64,
        /// Messages that were not received yet. 0 over shared memory, where they lie with the peer.
        to_receive: u64,
    },
    /// Messages were given up.
    Dropped {
        /// Why.
        cause: DropCause,
        /// How many whole messages.
        count: u64,
    },
    /// Events are missing here, because the listener did not keep up.
    Lost {
        /// How many.
        count: u64,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer closed it.
    PeerClosed,
    /// The operating system reported an errno.
    Io(i32),
    /// The peer broke the protocol.
    Protocol(ProtocolFault),
    /// The handshake took too long.
    HandshakeTimeout,
    /// The peer did not answer a PING in time, or outlived the TTL that it announced.
    HeartbeatTimeout,
    /// The peer went beyond one of the engine's limits.
    LimitExceeded,
    /// Another peer took over the routing id: told to the socket that decided it, and, by RingMQ, to the peer that lost it.
    Replaced,
    /// The routing id is in use by another peer: told to the socket that refused the connection, and, by RingMQ, to the
    /// peer that was refused.
    RoutingIdInUse,
    /// The peer did not read what was published, and the socket's owner wants such peers disconnected.
    TooSlow,
    /// The owner closed the socket or removed the endpoint, or the socket's type did not want the peer.
    Local,
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The connection ended; an errno says how.
    NoDetail {
        /// The errno.
        errno: i32,
    },
    /// The peer broke the protocol.
    Protocol(ProtocolFault),
    /// Authentication was refused.
    Auth {
        /// The status of the ZAP reply: 300, 400 or 500 (RFC 27).
        status: u16,
    },
}

/// How a peer broke the protocol; the numbers are libzmq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names say all that the numbers mean")]
pub enum ProtocolFault {
    ZmtpUnspecified = 0x1000_0000,
    ZmtpUnexpectedCommand = 0x1000_0001,
    ZmtpInvalidSequence = 0x1000_0002,
    ZmtpKeyExchange = 0x1000_0003,
    ZmtpMalformedCommand = 0x1000_0011,
    ZmtpMalformedMessage = 0x1000_0012,
    ZmtpMalformedHello = 0x1000_0013,
    ZmtpMalformedInitiate = 0x1000_0014,
    ZmtpMalformedError = 0x1000_0015,
    ZmtpMalformedReady = 0x1000_0016,
    ZmtpMalformedWelcome = 0x1000_0017,
    ZmtpInvalidMetadata = 0x1000_0018,
    ZmtpCryptographic = 0x1100_0001,
    ZmtpMechanismMismatch = 0x1100_0002,
    ZapUnspecified = 0x2000_0000,
    ZapMalformedReply = 0x2000_0001,
    ZapBadRequestId = 0x2000_0002,
    ZapBadVersion = 0x2000_0003,
    ZapInvalidStatusCode = 0x2000_0004,
    ZapInvalidMetadata = 0x2000_0005,
    WsUnspecified = 0x3000_0000,
}

/// Why messages were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// The peer's queue was at its high-water mark. A run of such losses is reported when it begins, whenever it has doubled,
    /// and when the peer has room again or is gone.
    HighWaterMark,
    /// The peer went away with messages in its queue, or before all parts of one were sent.
    PeerGone,
    /// LINGER ran out.
    LingerExpired,
    /// The socket was closed before the owner received them. What a shared ring still held is not counted.
    Closed,
    /// A part was in the kernel's hands when the connection ended, so that nobody knows whether it arrived.
    FateUnknown,
    /// The system did not take a datagram: it is too long for one, or the network cannot be reached.
    NotTaken,
}

impl DropCause {
    pub(crate) const ALL: [Self; 5] = [
        Self::HighWaterMark,
        Self::PeerGone,
        Self::LingerExpired,
        Self::Closed,
        Self::FateUnknown,
    ];
}

impl Event {
    /// The bit that stands for the event: libzmq's up to bit 16, our own from bit 32.
    pub const fn number(&self) -> u64 {
        match self {
            Self::Connected { .. } => 0x0001,
            Self::ConnectDelayed { .. } => 0x0002,
            Self::ConnectRetried { .. } => 0x0004,
            Self::Listening { .. } => 0x0008,
            Self::BindFailed { .. } => 0x0010,
            Self::Accepted { .. } => 0x0020,
            Self::AcceptFailed { .. } => 0x0040,
            Self::Closed { .. } => 0x0080,
            Self::CloseFailed { .. } => 0x0100,
            Self::Disconnected { .. } => 0x0200,
            Self::MonitorStopped => 0x0400,
            Self::HandshakeFailed {
                reason: HandshakeFault::NoDetail { .. },
            } => 0x0800,
            Self::Handshaken => 0x1000,
            Self::HandshakeFailed {
                reason: HandshakeFault::Protocol(_),
            } => 0x2000,
            Self::HandshakeFailed {
                reason: HandshakeFault::Auth { .. },
            } => 0x4000,
            Self::QueueDepths { .. } => 0x1_0000,
            Self::Dropped { .. } => 1 << 32,
            Self::Lost { .. } => 1 << 33,
            Self::SharedMemory => 1 << 34,
        }
    }

    /// The number that libzmq sends with the event: a descriptor, an errno, milliseconds, a code or a count.
    pub fn value(&self) -> u64 {
        match *self {
            Self::Connected { fd }
            | Self::Listening { fd }
            | Self::Accepted { fd }
            | Self::Closed { fd }
            | Self::Disconnected { fd, .. } => unsigned(fd),
            Self::ConnectDelayed { errno }
            | Self::BindFailed { errno }
            | Self::AcceptFailed { errno }
            | Self::CloseFailed { errno }
            | Self::HandshakeFailed {
                reason: HandshakeFault::NoDetail { errno },
            } => unsigned(errno),
            Self::ConnectRetried { after } => u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            Self::HandshakeFailed {
                reason: HandshakeFault::Protocol(fault),
            } => u64::from(fault.code()),
            Self::HandshakeFailed {
                reason: HandshakeFault::Auth { status },
            } => u64::from(status),
            Self::MonitorStopped | Self::Handshaken | Self::SharedMemory => 0,
            Self::QueueDepths { to_send, .. } => to_send,
            Self::Dropped { count, .. } | Self::Lost { count } => count,
        }
    }

    /// The second number that libzmq sends with the event, if there is one.
    pub const fn second_value(&self) -> Option<u64> {
        match *self {
            Self::QueueDepths { to_receive, .. } => Some(to_receive),
            _ => None,
        }
    }
}

/// libzmq sends descriptors and errno values, which are C `int`s, in unsigned fields.
fn unsigned(int: i32) -> u64 {
    u64::from(int.cast_unsigned())
}

impl ProtocolFault {
    const ALL: [Self; 21] = [
        Self::ZmtpUnspecified,
        Self::ZmtpUnexpectedCommand,
        Self::ZmtpInvalidSequence,
        Self::ZmtpKeyExchange,
        Self::ZmtpMalformedCommand,
        Self::ZmtpMalformedMessage,
        Self::ZmtpMalformedHello,
        Self::ZmtpMalformedInitiate,
        Self::ZmtpMalformedError,
        Self::ZmtpMalformedReady,
        Self::ZmtpMalformedWelcome,
        Self::ZmtpInvalidMetadata,
        Self::ZmtpCryptographic,
        Self::ZmtpMechanismMismatch,
        Self::ZapUnspecified,
        Self::ZapMalformedReply,
        Self::ZapBadRequestId,
        Self::ZapBadVersion,
        Self::ZapInvalidStatusCode,
        Self::ZapInvalidMetadata,
        Self::WsUnspecified,
    ];

    /// libzmq's number.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The fault with libzmq's number, if there is one.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.code() == code)
    }
}

/// Whoever is told of a socket's events: by workers and by the socket's own thread, one at a time, and never after
/// [`Event::MonitorStopped`].
pub trait Listener: Send {
    /// Takes an event. Called wherever the event happens, so it must not block, and not use the socket that is listened to.
    fn hear(&mut self, record: EventRecord);
}

/// Which events a listener wants, by their [numbers](Event::number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventMask(pub u64);

impl EventMask {
    /// Every event, those that libzmq does not have included.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether the event is wanted. [`Event::Lost`] always is.
    pub const fn contains(self, event: &Event) -> bool {
        self.0 & event.number() != 0 || matches!(event, Event::Lost { .. })
    }
}

/// Which end of a connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// We bound, the peer connected.
    Bind,
    /// We connected, the peer bound.
    Connect,
}

/// An event and the connection that it happened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// What happened.
    pub event: Event,
    /// Which end of the connection we are.
    pub side: Side,
    /// Our endpoint; empty while unknown.
    pub local: String,
    /// The peer's endpoint; empty while unknown.
    pub remote: String,
    /// The routing id that the peer announced.
    pub peer: Option<Box<[u8]>>,
    /// Who the peer is, as far as the kernel knows: for connections over `ipc://`, from [`Event::Accepted`] or
    /// [`Event::Connected`] on, and for those that were refused, with [`Event::AcceptFailed`].
    pub credentials: Option<Credentials>,
}

impl EventRecord {
    /// A record of an event that belongs to no connection.
    pub fn bare(event: Event) -> Self {
        Self {
            event,
            side: Side::Bind,
            local: String::new(),
            remote: String::new(),
            peer: None,
            credentials: None,
        }
    }

    /// The one endpoint that libzmq's first version of the event message names.
    pub fn endpoint(&self) -> &str {
        match self.side {
            Side::Bind => &self.local,
            Side::Connect => &self.remote,
        }
    }
}
