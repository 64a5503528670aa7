//! Tests of whole connections.

mod cases;
mod corpus;
mod heartbeat;
mod malformed;
mod outgoing;
mod pieces;
mod raw;
mod transitions;
mod zmtp2;

use std::time::Instant;

use crate::fuzz::wire;
use crate::{Config, Connection, Event, SocketType};

/// A connection that has just received everything up to and including the peer's READY, and has
/// sent its own share.
fn established(config: Config, peer: SocketType, minor: u8, now: Instant) -> Connection {
    let mut connection = Connection::new(config, now);
    let mut input = wire::greeting(minor, b"NULL");
    input.extend(wire::ready(peer));
    let greeting = connection.receive(&input, now).unwrap();
    assert_eq!((greeting.consumed, greeting.event), (64, None));
    let ready = connection.receive(&input[64..], now).unwrap();
    assert_eq!(ready.event, Some(Event::Handshaken));
    assert_eq!(ready.consumed, input.len() - 64);
    drain(&mut connection);
    connection
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let bytes = connection.transmit().to_vec();
    connection.transmitted(bytes.len());
    bytes
}
