//! Peers of ZMTP 2.0 (RFC 15), where they are welcome.

use std::time::{Duration, Instant};

use super::drain;
use crate::SocketType::{Dealer, Pub, Push, Radio, Router, Sub};
use crate::fuzz::wire;
use crate::{Config, Connection, Event, Failure, Heartbeat, MetadataFault, SocketType, Violation};

const SIGNATURE: &[u8] = b"\xFF\0\0\0\0\0\0\0\x01\x7F";

fn welcoming(socket_type: SocketType) -> Config {
    Config {
        zmtp2_peers: true,
        identity: b"us".to_vec(),
        heartbeat: Heartbeat {
            interval: Some(Duration::from_secs(1)),
            ..Heartbeat::OFF
        },
        ..Config::new(socket_type)
    }
}

/// Feeds all of `input`, and returns the events; the last step that fails ends it.
fn feed(connection: &mut Connection, input: &[u8], now: Instant) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    let mut at = 0;
    loop {
        let progress = connection.receive(&input[at..], now)?;
        if progress.consumed == 0 && progress.event.is_none() {
            return Ok(events);
        }
        at += progress.consumed;
        events.extend(progress.event);
    }
}

/// What a driver may hold back is our part of the handshake, and nothing of the greeting, which the peer needs for its own.
#[test]
fn the_answer_is_what_lets_the_peer_send() {
    let now = Instant::now();
    for (greeting, last) in [
        (wire::greeting(1, b"NULL"), wire::ready(SocketType::Router)),
        ([SIGNATURE, b"\x01"].concat(), b"\x06\0\x05alice".to_vec()),
    ] {
        let mut connection = Connection::new(welcoming(Dealer), now);
        assert_eq!(connection.answer_len(), 0);
        feed(&mut connection, &greeting, now).unwrap();
        let before = connection.transmit().len() - connection.answer_len();
        let is_zmtp2 = greeting.len() < 64;
        assert_eq!(before, if is_zmtp2 { 11 } else { 64 });
        connection.transmitted(before);
        assert_eq!(connection.answer_len(), connection.transmit().len());
        assert!(connection.answer_len() > 0);
        assert_eq!(feed(&mut connection, &last, now).unwrap(), [Event::Handshaken]);
        assert_eq!(connection.answer_len(), 0, "it is due now");
        assert!(!connection.transmit().is_empty());
    }
}

#[test]
fn the_greeting_waits_for_the_version() {
    let now = Instant::now();
    let mut connection = Connection::new(welcoming(Dealer), now);
    let first = drain(&mut connection);
    assert_eq!(first, b"\xFF\0\0\0\0\0\0\0\x03\x7F\x03");
    let events = feed(
        &mut connection,
        &[SIGNATURE, b"\x01\x06\0\x05alice"].concat(),
        now,
    );
    assert_eq!(events.unwrap(), [Event::Handshaken]);
    assert_eq!(drain(&mut connection), b"\x05\0\x02us");
    let peer = connection.peer().unwrap();
    assert_eq!((peer.socket_type, &peer.identity[..]), (Router, &b"alice"[..]));
    assert_eq!((peer.major, peer.subscribes_by_message()), (2, true));
    // There are no heartbeats.
    assert_eq!(connection.deadline(), None);
}

#[test]
fn a_peer_of_zmtp_3_gets_the_rest_of_the_greeting() {
    let now = Instant::now();
    let mut connection = Connection::new(welcoming(Push), now);
    let first = drain(&mut connection);
    let mut input = wire::greeting(1, b"NULL");
    input.extend(wire::ready(SocketType::Pull));
    assert_eq!(feed(&mut connection, &input[..11], now).unwrap(), []);
    let rest = drain(&mut connection);
    let mut whole = Connection::new(
        Config {
            identity: b"us".to_vec(),
            ..Config::new(Push)
        },
        now,
    );
    assert_eq!([first, rest].concat(), drain(&mut whole));
    assert_eq!(feed(&mut connection, &input, now).unwrap(), [Event::Handshaken]);
    assert_eq!(connection.peer().unwrap().major, 3);
}

#[test]
fn every_cut_is_waited_for() {
    let input = [SIGNATURE, b"\x01\x06\0\x05alice"].concat();
    for cut in 0..input.len() {
        let now = Instant::now();
        let mut connection = Connection::new(welcoming(Dealer), now);
        assert_eq!(feed(&mut connection, &input[..cut], now), Ok(vec![]), "{cut}");
        assert!(connection.deadline().is_some());
    }
}

#[test]
fn subscriptions_are_messages() {
    let now = Instant::now();
    let mut connection = Connection::new(welcoming(Sub), now);
    drain(&mut connection);
    feed(&mut connection, &[SIGNATURE, b"\x01\x01\0\0"].concat(), now).unwrap();
    drain(&mut connection);
    connection.queue_subscribe(b"topic");
    assert_eq!(drain(&mut connection), b"\0\x06\x01topic");
}

#[test]
fn what_zmtp_2_does_not_have_is_a_violation() {
    let fails = |socket_type, rest: &[u8]| {
        let now = Instant::now();
        let mut connection = Connection::new(welcoming(socket_type), now);
        feed(&mut connection, &[SIGNATURE, rest].concat(), now).unwrap_err()
    };
    let metadata = |fault| Failure::Violation(Violation::InvalidMetadata(fault));
    assert_eq!(
        fails(Dealer, b"\x01\x63\0\0"),
        metadata(MetadataFault::SocketTypeUnknown)
    );
    assert_eq!(
        fails(Radio, b"\x01\x0F\0\0"),
        metadata(MetadataFault::SocketTypeUnknown)
    );
    assert_eq!(
        fails(Dealer, b"\x01\x06\x02\0\0\0\0\0\0\x01\0"),
        metadata(MetadataFault::IdentityTooLong)
    );
    assert_eq!(
        fails(Dealer, b"\x01\x06\0\x01\0"),
        metadata(MetadataFault::IdentityReserved)
    );
    assert_eq!(
        fails(Dealer, b"\x01\x01\0\0"),
        Failure::Incompatible { peer: Pub }
    );
    let command = Violation::ReservedFlags { flags: 4 };
    assert_eq!(
        fails(Dealer, b"\x01\x06\0\0\x04\x05\x04PING"),
        Failure::Violation(command)
    );
    // Older ones are refused as ever.
    let older = Violation::UnsupportedVersion { major: 1 };
    assert_eq!(fails(Dealer, b"\0\x06\0\0"), Failure::Violation(older));
}
