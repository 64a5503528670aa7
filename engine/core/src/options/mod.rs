//! The options of a socket: typed fields for the engine, numbers and bytes for the C interface.
//!
//! The table has one row per option; the fields, their defaults, both conversions, the ranges and the
//! documentation follow from it. What is computed rather than stored (TYPE, EVENTS, FD, RCVMORE, LAST_ENDPOINT,
//! THREAD_SAFE, TOPICS_COUNT) and what is an action (SUBSCRIBE, UNSUBSCRIBE) belongs to the socket and has no row.

mod codec;
mod table;
#[cfg(test)]
mod tests;

pub use table::{Options, number};

use crate::{
    error::{Error, OptionFault},
    layer::OFFERS_TLS,
};
use ringmq_zmtp::SocketType;
use std::{ops::RangeInclusive, time::Duration};

/// Numbers of options that libzmq does not have: "RM" and two digits, where libzmq will hardly come.
pub const OWN_NUMBERS: RangeInclusive<i32> = 0x0052_4d00..=0x0052_4dff;

/// What the table says about one option.
#[derive(Debug)]
pub struct Row {
    /// libzmq's number, or one of [`OWN_NUMBERS`].
    pub number: i32,
    /// libzmq's name without `ZMQ_`.
    pub name: &'static str,
    /// The form of the value in the C interface.
    pub raw_type: RawType,
    /// Numbers that may be set; for bytes and text, the lengths that may be set.
    pub range: RangeInclusive<i64>,
    /// The default, as it stands in the table.
    pub default: &'static str,
    /// When a change takes effect.
    pub scope: Scope,
    /// Whether it can be written, or also read back.
    pub access: Access,
    /// The socket types that have the option.
    pub sockets: SocketTypes,
    /// What it is for.
    pub doc: &'static str,
}

/// The form of an option's value in the C interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawType {
    /// A C `int` of four bytes.
    Int,
    /// As `Int`, added to what was set before; no bytes at all clear that.
    Ids,
    /// A signed number of eight bytes.
    I64,
    /// An unsigned number of eight bytes.
    U64,
    /// Any bytes, of a length that the range bounds.
    Bytes,
    /// Text; a terminating zero byte is optional on the way in, and always there on the way out.
    Text,
}

/// When the change of an option takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// At once, for what exists as well.
    Live,
    /// For endpoints that are bound or connected afterwards.
    NextEndpoint,
}

/// Which way an option's value can travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can be set and read back.
    ReadWrite,
    /// It can be set only.
    WriteOnly,
}

/// A set of socket types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketTypes(u32);

impl SocketTypes {
    const ALL: Self = Self(u32::MAX);
    const PUB: Self = Self(1 << SocketType::Pub as u32);
    const SUB: Self = Self(1 << SocketType::Sub as u32);
    const PUSH: Self = Self(1 << SocketType::Push as u32);
    const PULL: Self = Self(1 << SocketType::Pull as u32);
    const REQ: Self = Self(1 << SocketType::Req as u32);
    const REP: Self = Self(1 << SocketType::Rep as u32);
    const DEALER: Self = Self(1 << SocketType::Dealer as u32);
    const ROUTER: Self = Self(1 << SocketType::Router as u32);
    const XPUB: Self = Self(1 << SocketType::XPub as u32);
    const XSUB: Self = Self(1 << SocketType::XSub as u32);
    const RADIO: Self = Self(1 << SocketType::Radio as u32);
    const STREAM: Self = Self(1 << SocketType::Stream as u32);
    const SERVER: Self = Self(1 << SocketType::Server as u32);
    const CLIENT: Self = Self(1 << SocketType::Client as u32);
    const PEER: Self = Self(1 << SocketType::Peer as u32);

    /// Whether the set has that type.
    pub fn contains(self, socket_type: SocketType) -> bool {
        self.0 & (1 << socket_type as u32) != 0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Which subscription commands an XPUB shows to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XpubVerbosity {
    /// The first subscription of a topic and its last cancellation.
    #[default]
    Changes,
    /// Every subscription, but only the last cancellation.
    Subscriptions,
    /// Every subscription and every cancellation.
    All,
}

/// Who decides about the subscriptions that an XPUB's peers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XpubManual {
    /// The peers: what they ask for is in force at once.
    #[default]
    Off,
    /// The owner, who is shown every request and answers it with subscriptions of his own.
    On,
    /// The owner, and the next message after a request goes to nobody but the peer that made it, if it matches.
    LastValue,
}

/// What becomes of a message for a subscriber whose queue is full, or of that subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The new message is dropped for that subscriber.
    #[default]
    DropNewest,
    /// The oldest messages in its queue make room.
    DropOldest,
    /// The subscriber is disconnected.
    Disconnect,
}

/// Of which changes of its connections a ROUTER is told by an empty message from the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouterNotify {
    /// A peer has connected.
    pub connects: bool,
    /// A peer's connection is lost.
    pub disconnects: bool,
}

/// The causes after which an endpoint is not connected again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReconnectStop(i32);

impl ReconnectStop {
    /// From libzmq's bits: 1 refused, 2 handshake failed, 4 disconnected by the owner. Other bits have no effect.
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits)
    }

    /// The bits as they were given.
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// Stop when the peer's machine refuses the connection.
    pub const fn on_refused(self) -> bool {
        self.0 & 1 != 0
    }

    /// Stop when the handshake fails.
    pub const fn on_handshake_failed(self) -> bool {
        self.0 & 2 != 0
    }

    /// Stop after the owner asked for the endpoint to be disconnected, as this engine always does.
    pub const fn after_disconnect(self) -> bool {
        self.0 & 4 != 0
    }
}

impl Options {
    /// The options of a new socket. SUB, XSUB and DISH do not linger, for they have
    /// nothing but subscriptions to send.
    pub fn for_socket(socket_type: SocketType) -> Self {
        let mut options = Self::default();
        if matches!(socket_type, SocketType::Sub | SocketType::XSub | SocketType::Dish) {
            options.linger = Some(Duration::ZERO);
        }
        options
    }
}

/// The rows of the table, in the order of the source.
pub fn rows() -> &'static [Row] {
    table::ROWS
}

/// libzmq's options of what is not offered: mechanisms that are still to come, and transports that will not be. They are refused
/// by name.
const NOT_OFFERED: &[(i32, &str)] = &[
    (8, "RATE"),
    (9, "RECOVERY_IVL"),
    (44, "PLAIN_SERVER"),
    (45, "PLAIN_USERNAME"),
    (46, "PLAIN_PASSWORD"),
    (47, "CURVE_SERVER"),
    (48, "CURVE_PUBLICKEY"),
    (49, "CURVE_SECRETKEY"),
    (50, "CURVE_SERVERKEY"),
    (55, "ZAP_DOMAIN"),
    (62, "GSSAPI_SERVER"),
    (63, "GSSAPI_PRINCIPAL"),
    (64, "GSSAPI_SERVICE_PRINCIPAL"),
    (65, "GSSAPI_PLAINTEXT"),
    (84, "MULTICAST_MAXTPDU"),
    (85, "VMCI_BUFFER_SIZE"),
    (86, "VMCI_BUFFER_MIN_SIZE"),
    (87, "VMCI_BUFFER_MAX_SIZE"),
    (88, "VMCI_CONNECT_TIMEOUT"),
    (90, "GSSAPI_PRINCIPAL_NAMETYPE"),
    (91, "GSSAPI_SERVICE_PRINCIPAL_NAMETYPE"),
    (93, "ZAP_ENFORCE_DOMAIN"),
    (94, "LOOPBACK_FASTPATH"),
    (117, "NORM_MODE"),
    (118, "NORM_UNICAST_NACK"),
    (119, "NORM_BUFFER_SIZE"),
    (120, "NORM_SEGMENT_SIZE"),
    (121, "NORM_BLOCK_SIZE"),
    (122, "NORM_NUM_PARITY"),
    (123, "NORM_NUM_AUTOPARITY"),
    (124, "NORM_PUSH"),
];

/// Why there is no row.
fn refuse_unknown(number: i32) -> Error {
    let known = NOT_OFFERED.iter().find(|(other, _)| *other == number);
    let (name, why) = match known {
        Some((_, name)) => (*name, OptionFault::NotOffered),
        None => ("unknown option", OptionFault::Unknown),
    };
    Error::InvalidOption { number, name, why }
}

/// The row of an option that the socket type has.
fn row_of(number: i32, socket_type: SocketType) -> Result<&'static Row, Error> {
    let row = rows()
        .iter()
        .find(|row| row.number == number)
        .ok_or_else(|| refuse_unknown(number))?;
    if !row.is_offered() {
        return Err(row.refuse(OptionFault::NotOffered));
    }
    if row.sockets.contains(socket_type) {
        Ok(row)
    } else {
        Err(row.refuse(OptionFault::NotForThisSocket))
    }
}

impl Row {
    /// Whether this library was built with what the option is for.
    fn is_offered(&self) -> bool {
        OFFERS_TLS || !self.name.starts_with("WSS_")
    }

    fn refuse(&self, why: OptionFault) -> Error {
        Error::InvalidOption {
            number: self.number,
            name: self.name,
            why,
        }
    }
}
