//! The socket types: one table with their numbers, wire names and permitted peers.

/// A ZeroMQ socket type. The discriminant is the number that libzmq gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // The names are those of RFC 28 to 31, 41, 48, 49, 51 and 52.
pub enum SocketType {
    Pair = 0,
    Pub = 1,
    Sub = 2,
    Req = 3,
    Rep = 4,
    Dealer = 5,
    Router = 6,
    Pull = 7,
    Push = 8,
    XPub = 9,
    XSub = 10,
    Stream = 11,
    Server = 12,
    Client = 13,
    Radio = 14,
    Dish = 15,
    Gather = 16,
    Scatter = 17,
    Dgram = 18,
    Peer = 19,
    Channel = 20,
}

/// What the engine knows about one socket type.
struct Row {
    socket_type: SocketType,
    wire_name: &'static str,
    /// Peers that may be at the other end of a connection; empty for types that do not speak ZMTP.
    peers: &'static [SocketType],
    /// Whether READY carries an Identity property.
    sends_identity: bool,
    /// Whether SUBSCRIBE and CANCEL commands are meant for this type.
    takes_subscriptions: bool,
    /// Whether JOIN and LEAVE commands are meant for this type.
    takes_groups: bool,
}

const fn row(socket_type: SocketType, wire_name: &'static str, peers: &'static [SocketType]) -> Row {
    Row {
        socket_type,
        wire_name,
        peers,
        sends_identity: false,
        takes_subscriptions: false,
        takes_groups: false,
    }
}

const fn with_identity(row: Row) -> Row {
    Row {
        sends_identity: true,
        ..row
    }
}

const fn with_subscriptions(row: Row) -> Row {
    Row {
        takes_subscriptions: true,
        ..row
    }
}

const fn with_groups(row: Row) -> Row {
    Row {
        takes_groups: true,
        ..row
    }
}

use SocketType::{
    Channel, Client, Dealer, Dgram, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router,
    Scatter, Server, Stream, Sub, XPub, XSub,
};

/// Indexed by the number of the type.
static TABLE: [Row; 21] = [
    row(Pair, "PAIR", &[Pair]),
    with_subscriptions(row(Pub, "PUB", &[Sub, XSub])),
    row(Sub, "SUB", &[Pub, XPub]),
    with_identity(row(Req, "REQ", &[Rep, Router])),
    row(Rep, "REP", &[Req, Dealer]),
    with_identity(row(Dealer, "DEALER", &[Rep, Dealer, Router])),
    with_identity(row(Router, "ROUTER", &[Req, Dealer, Router])),
    row(Pull, "PULL", &[Push]),
    row(Push, "PUSH", &[Pull]),
    with_subscriptions(row(XPub, "XPUB", &[Sub, XSub])),
    row(XSub, "XSUB", &[Pub, XPub]),
    row(Stream, "STREAM", &[]),
    row(Server, "SERVER", &[Client]),
    row(Client, "CLIENT", &[Server]),
    with_groups(row(Radio, "RADIO", &[Dish])),
    row(Dish, "DISH", &[Radio]),
    row(Gather, "GATHER", &[Scatter]),
    row(Scatter, "SCATTER", &[Gather]),
    row(Dgram, "DGRAM", &[]),
    row(Peer, "PEER", &[Peer]),
    row(Channel, "CHANNEL", &[Channel]),
];

impl SocketType {
    /// All types, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = SocketType> {
        TABLE.iter().map(|row| row.socket_type)
    }

    /// The type with this libzmq number, or None if there is none.
    pub fn from_number(number: u8) -> Option<SocketType> {
        TABLE.get(usize::from(number)).map(|row| row.socket_type)
    }

    /// The type that a Socket-Type property names, or None. Names are compared exactly.
    pub fn from_wire(name: &[u8]) -> Option<SocketType> {
        TABLE
            .iter()
            .find(|row| row.wire_name.as_bytes() == name)
            .map(|row| row.socket_type)
    }

    /// The number that libzmq gives this type.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name in the Socket-Type property.
    pub fn wire_name(self) -> &'static str {
        self.row().wire_name
    }

    /// Whether a peer of this type may be at the other end of a connection.
    pub fn accepts(self, peer: SocketType) -> bool {
        self.row().peers.contains(&peer)
    }

    /// The types that [`accepts`](Self::accepts) permits; empty for STREAM and DGRAM, which do
    /// not speak ZMTP.
    pub fn peers(self) -> &'static [SocketType] {
        self.row().peers
    }

    /// Whether READY carries an Identity property, be it empty (libzmq adds ROUTER to RFC 37's
    /// REQ and DEALER).
    pub fn sends_identity(self) -> bool {
        self.row().sends_identity
    }

    /// Whether SUBSCRIBE and CANCEL commands are meant for this type (PUB, XPUB).
    pub fn takes_subscriptions(self) -> bool {
        self.row().takes_subscriptions
    }

    /// Whether JOIN and LEAVE commands are meant for this type (RADIO).
    pub fn takes_groups(self) -> bool {
        self.row().takes_groups
    }

    fn row(self) -> &'static Row {
        &TABLE[usize::from(self as u8)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_at_the_index_of_their_number() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(row.socket_type.number()), index);
            assert_eq!(SocketType::from_number(index as u8), Some(row.socket_type));
            assert_eq!(
                SocketType::from_wire(row.wire_name.as_bytes()),
                Some(row.socket_type)
            );
        }
        assert_eq!(SocketType::from_number(21), None);
        assert_eq!(SocketType::from_wire(b"dealer"), None);
        assert_eq!(SocketType::from_wire(b""), None);
    }

    #[test]
    fn compatibility_is_symmetric() {
        for one in SocketType::all() {
            for other in SocketType::all() {
                assert_eq!(one.accepts(other), other.accepts(one), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn identity_is_sent_by_three_types() {
        let senders: Vec<_> = SocketType::all().filter(|t| t.sends_identity()).collect();
        assert_eq!(senders, [Req, Dealer, Router]);
    }
}
