//! What the handshake told about the peer.

use crate::metadata::Metadata;
use crate::socket_type::SocketType;

/// A peer whose handshake has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The type of its socket, which ours accepts.
    pub socket_type: SocketType,
    /// Its Identity property: 0 to 255 bytes that do not start with a zero byte.
    pub identity: Vec<u8>,
    /// All properties in the order of arrival, Socket-Type and Identity included.
    pub properties: Vec<(Vec<u8>, Vec<u8>)>,
    /// 2 or 3: the protocol that is spoken with it. Higher ones count as 3.
    pub major: u8,
    /// The minor of its version 3.x, and 0 for 2.0. Higher majors count as 3.1.
    pub minor: u8,
}

impl Peer {
    pub(crate) fn new(metadata: Metadata, minor: u8) -> Peer {
        Peer {
            socket_type: metadata.socket_type,
            identity: metadata.identity,
            properties: metadata.properties,
            major: 3,
            minor,
        }
    }

    /// A peer of ZMTP 2.0, which tells nothing else.
    pub(crate) fn of_zmtp2(socket_type: SocketType, identity: Vec<u8>) -> Peer {
        Peer {
            socket_type,
            identity,
            properties: Vec::new(),
            major: 2,
            minor: 0,
        }
    }

    /// The value of the first property of this name; names are case-insensitive (RFC 37).
    pub fn property(&self, name: &[u8]) -> Option<&[u8]> {
        self.properties
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Whether the peer sends and expects subscriptions as messages (`01 topic`, `00 topic`; RFC
    /// 15 and 23) rather than as commands (RFC 37).
    ///
    /// A publisher must nevertheless take both forms from every peer, as libzmq does: commands
    /// come as [`Event::Subscribe`](crate::Event::Subscribe) and
    /// [`Event::Cancel`](crate::Event::Cancel), messages as
    /// [`Event::Frames`](crate::Event::Frames) for the caller to interpret.
    pub fn subscribes_by_message(&self) -> bool {
        self.minor == 0
    }
}
