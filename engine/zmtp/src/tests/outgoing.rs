//! What a connection sends, byte by byte.

use std::time::Instant;

use super::{drain, established};
use crate::frame::FrameCursor;
use crate::fuzz::wire;
use crate::{Config, Connection, Event, SocketType};

#[test]
fn an_anonymous_dealer_sends_the_bytes_of_libzmq() {
    let now = Instant::now();
    let mut connection = Connection::new(Config::new(SocketType::Dealer), now);
    let greeting = wire::greeting(1, b"NULL");
    assert_eq!(drain(&mut connection), greeting);
    let progress = connection.receive(&greeting, now).unwrap();
    assert_eq!(progress.consumed, 64);
    let ready = b"\x04\x29\x05READY\x0BSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0";
    assert_eq!(ready.len(), 43);
    assert_eq!(drain(&mut connection), ready);
}

#[test]
fn metadata_follows_type_and_identity() {
    let now = Instant::now();
    let config = Config {
        identity: b"me".to_vec(),
        properties: vec![(b"X-Shm".to_vec(), b"1".to_vec())],
        ..Config::new(SocketType::Push)
    };
    let mut connection = Connection::new(config, now);
    let greeting = drain(&mut connection);
    // Every type tells the length of its id in the signature, few tell the id.
    assert_eq!(greeting[..10], *b"\xFF\0\0\0\0\0\0\0\x03\x7F");
    assert!(connection.receive(&wire::greeting(0, b"NULL"), now).is_ok());
    let ready = b"\x04\x25\x05READY\x0BSocket-Type\0\0\0\x04PUSH\x05X-Shm\0\0\0\x011";
    assert_eq!(drain(&mut connection), ready);
}

#[test]
fn what_the_peer_told_is_kept() {
    let now = Instant::now();
    let mut connection = Connection::new(Config::new(SocketType::Router), now);
    let metadata = [
        wire::property(b"socket-type", b"REQ"),
        wire::property(b"IDENTITY", b"me"),
        wire::property(b"X-Colour", b"blue"),
    ];
    let mut input = wire::greeting(1, b"NULL");
    input[10] = 4;
    input[11] = 0;
    input.extend(wire::command(b"READY", &metadata.concat()));
    let consumed = connection.receive(&input, now).unwrap().consumed;
    assert!(connection.peer().is_none());
    assert!(connection.receive(&input[consumed..], now).is_ok());
    let peer = connection.peer().unwrap();
    assert_eq!(peer.socket_type, SocketType::Req);
    assert_eq!(peer.identity, b"me");
    assert_eq!(peer.properties.len(), 3);
    assert_eq!(peer.property(b"x-colour"), Some(&b"blue"[..]));
    assert_eq!(peer.property(b"x-color"), None);
    // A higher major counts as 3.1, whatever its minor is.
    assert_eq!(peer.minor, 1);
}

#[test]
fn subscriptions_take_the_form_of_the_peers_version() {
    let now = Instant::now();
    let topics: Vec<Vec<u8>> = [0, 1, 245, 246, 254, 255, 256, 16_384, 16_385, 70_000]
        .map(|len| vec![b't'; len])
        .into();
    for (minor, as_commands) in [(0, true), (1, true), (1, false)] {
        let config = Config {
            subscriptions_as_commands: as_commands,
            ..Config::new(SocketType::Sub)
        };
        let mut connection = established(config, SocketType::Pub, minor, now);
        for topic in &topics {
            connection.queue_subscribe(topic);
            connection.queue_cancel(topic);
            let sent = drain(&mut connection);
            let expected = if minor == 0 || !as_commands || topic.len() > 16_384 {
                [
                    wire::frame(0, &[&[1], &topic[..]].concat()),
                    wire::frame(0, &[&[0], &topic[..]].concat()),
                ]
            } else {
                [
                    wire::command(b"SUBSCRIBE", topic),
                    wire::command(b"CANCEL", topic),
                ]
            };
            assert_eq!(sent, expected.concat(), "{minor} {}", topic.len());
            assert_eq!(FrameCursor::new(&sent).count(), 2);
        }
    }
}

#[test]
fn groups_and_errors_are_commands() {
    let now = Instant::now();
    let mut connection = established(Config::new(SocketType::Dish), SocketType::Radio, 0, now);
    connection.queue_join(b"g");
    connection.queue_leave(b"g");
    let expected = [wire::command(b"JOIN", b"g"), wire::command(b"LEAVE", b"g")];
    assert_eq!(drain(&mut connection), expected.concat());
    connection.queue_error(b"400");
    assert_eq!(drain(&mut connection), wire::command(b"ERROR", b"\x03400"));
    connection.queue_error(&[b'e'; 300]);
    let cut = [&[255][..], &[b'e'; 255]].concat();
    assert_eq!(drain(&mut connection), wire::command(b"ERROR", &cut));
}

#[test]
fn a_failed_connection_queues_no_subscriptions() {
    let now = Instant::now();
    let mut connection = established(Config::new(SocketType::Sub), SocketType::Pub, 1, now);
    assert!(connection.receive(&[0xFF], now).is_err());
    connection.queue_subscribe(b"t");
    assert!(connection.transmit().is_empty());
    assert!(connection.peer().is_some());
}

#[test]
fn extensions_reach_a_caller_that_asks_for_them() {
    let now = Instant::now();
    let command = wire::command(b"X-Colour", b"blue");
    for asked in [false, true] {
        let config = Config {
            extensions: asked,
            ..Config::new(SocketType::Pull)
        };
        let mut connection = established(config, SocketType::Push, 1, now);
        let progress = connection.receive(&command, now).unwrap();
        assert_eq!(progress.consumed, command.len());
        let told = progress.event.map(|event| match event {
            Event::Extension { name, data } => (&command[name], &command[data]),
            other => panic!("{other:?}"),
        });
        assert_eq!(told, asked.then_some((&b"X-Colour"[..], &b"blue"[..])));
        connection.queue_extension(b"X-Colour", b"blue");
        assert_eq!(drain(&mut connection), command);
    }
}
