//! What a connection is told at its start.

use std::time::Duration;

use crate::frame::LONG_HEADER_LEN;
use crate::heartbeat::Heartbeat;
use crate::socket_type::SocketType;

/// The least [`Config::slab_len`]: every frame with a one-byte length fits with room to spare.
pub const SLAB_LEN_MIN: usize = 1024;

/// The settings of one connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// The type of the socket that the connection belongs to.
    pub socket_type: SocketType,
    /// Our routing id, at most 255 bytes. Sent by the types for which
    /// [`SocketType::sends_identity`] holds; the greeting tells its length for all types.
    pub identity: Vec<u8>,
    /// Further metadata for READY, name and value; names of 1 to 255 bytes that start with `X-`.
    pub properties: Vec<(Vec<u8>, Vec<u8>)>,
    /// The longest permitted body of one message frame in bytes; None is unlimited.
    pub frame_size_max: Option<u64>,
    /// The most bytes that the bodies of one message may add up to.
    pub message_size_max: u64,
    /// The most frames that one message may have.
    pub message_parts_max: u32,
    /// Frames of which header and body together exceed this many bytes are reported as
    /// [`Event::Large`](crate::Event::Large); all others are expected whole in one slice. Commands
    /// must fit too. At least [`SLAB_LEN_MIN`].
    pub slab_len: usize,
    /// How long the handshake may take from the start, whatever progress it makes; None is
    /// unlimited.
    pub handshake_timeout: Option<Duration>,
    /// Our heartbeats. Those of the peer are answered whatever is set here.
    pub heartbeat: Heartbeat,
    /// Whether subscriptions go out as commands to peers that understand these (ZMTP 3.1). If
    /// not, all peers get them as messages, as 3.0 peers do.
    pub subscriptions_as_commands: bool,
    /// Whether commands with names that begin with `X-` are reported as
    /// [`Event::Extension`](crate::Event::Extension). If not, they are ignored as RFC 37 asks.
    pub extensions: bool,
    /// Whether peers of ZMTP 2.0 (RFC 15) are spoken to, too. Then our greeting goes out in two pieces, the second when the
    /// peer's version is known.
    pub zmtp2_peers: bool,
}

impl Config {
    /// Bounded settings: frames of 64 MiB, messages of 256 MiB and 8192 parts, slabs of 64 KiB,
    /// 10 s for the handshake, no heartbeats, no identity.
    pub fn new(socket_type: SocketType) -> Config {
        Config {
            socket_type,
            identity: Vec::new(),
            properties: Vec::new(),
            frame_size_max: Some(64 << 20),
            message_size_max: 256 << 20,
            message_parts_max: 8192,
            slab_len: 64 << 10,
            handshake_timeout: Some(Duration::from_secs(10)),
            heartbeat: Heartbeat::OFF,
            subscriptions_as_commands: true,
            extensions: false,
            zmtp2_peers: false,
        }
    }

    /// Asserts what the option table of the caller has to guarantee.
    pub(crate) fn assert_valid(&self) {
        assert!(self.identity.len() <= 255, "routing id too long");
        assert!(self.slab_len >= SLAB_LEN_MIN, "slab too small");
        for (name, value) in &self.properties {
            assert!((1..=255).contains(&name.len()), "property name length");
            assert!(u32::try_from(value.len()).is_ok(), "property too long");
        }
    }

    /// The longest command body that fits into a slab with its header.
    pub(crate) fn command_max(&self) -> u64 {
        (self.slab_len - LONG_HEADER_LEN) as u64
    }
}
