use ringmq_zmtp::frame::{COMMAND, MORE};

use super::*;
use SocketType::{Dealer, Router};

fn client() -> Zws {
    let (host, path) = ("example.org:80".to_owned(), "/".to_owned());
    Zws::new(Role::Client { host, path }, Dealer)
}

/// What an end says.
fn said(zws: &mut Zws, plain: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    zws.wrap(plain, &mut wire);
    assert!(!zws.has_output());
    wire
}

/// What an end hears, in pieces of that length.
fn heard(zws: &mut Zws, wire: &[u8], piece: usize) -> Result<Vec<u8>, LayerFault> {
    let mut plain = Vec::new();
    for piece in wire.chunks(piece.max(1)) {
        zws.unwrap(piece, &mut plain)?;
    }
    Ok(plain)
}

fn our_greeting() -> Vec<u8> {
    vec![0xFF; GREETING_LEN]
}

/// Two ends that are open and have said their greetings.
fn open() -> (Zws, Zws) {
    let (mut client, mut server) = (client(), Zws::new(Role::Server, Router));
    let request = said(&mut client, &our_greeting());
    assert_eq!(heard(&mut server, &request, 7).unwrap(), peer_greeting());
    let answer = said(&mut server, &our_greeting());
    assert_eq!(heard(&mut client, &answer, 7).unwrap(), peer_greeting());
    (client, server)
}

fn zmtp(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(flags, body, &mut out);
    out
}

#[test]
fn frames_pass_both_ways_however_they_are_cut() {
    let frames: Vec<u8> = [0, 1, 124, 125, 126, 255, 256, 65_534, 65_535, 70_000]
        .into_iter()
        .flat_map(|len| zmtp(if len % 2 == 0 { MORE } else { 0 }, &vec![len as u8; len]))
        .chain(zmtp(COMMAND, b"\x09SUBSCRIBEtopic"))
        .collect();
    for piece in [1, 2, 3, 1000, usize::MAX] {
        let (client, server) = open();
        let (second_client, second_server) = open();
        for (mut from, mut to) in [(client, server), (second_server, second_client)] {
            let mut wire = Vec::new();
            frames
                .chunks(piece.min(frames.len()))
                .for_each(|bytes| from.wrap(bytes, &mut wire));
            assert_eq!(heard(&mut to, &wire, piece).unwrap(), frames, "{piece}");
        }
    }
}

#[test]
fn the_wire_is_as_the_rfcs_say() {
    let (mut client, mut server) = open();
    assert_eq!(said(&mut server, &zmtp(MORE, b"ab")), b"\x82\x03\x01ab");
    assert_eq!(
        said(&mut server, &zmtp(COMMAND, b"\x04JOINx")),
        b"\x82\x07\x02\x04JOINx"
    );
    assert_eq!(said(&mut server, &zmtp(COMMAND, b"\x04PING\0\0")), b"\x89\0");
    let masked = said(&mut client, &zmtp(0, b"ab"));
    assert_eq!((masked.len(), &masked[..2]), (9, &b"\x82\x83"[..]));
    let key = &masked[2..6];
    let body: Vec<u8> = masked[6..]
        .iter()
        .zip(key)
        .map(|(byte, key)| byte ^ key)
        .collect();
    assert_eq!(body, b"\0ab");
}

#[test]
fn pings_are_answered_by_the_websocket_and_told_as_signs_of_life() {
    let (mut client, mut server) = open();
    assert_eq!(
        heard(&mut client, b"\x89\x02hi", 1).unwrap(),
        b"",
        "not before READY"
    );
    assert!(client.has_output());
    let pong = said(&mut client, &[]);
    let plain = heard(&mut server, &pong, 1).unwrap();
    assert_eq!(plain, b"", "the pong was {pong:?}");
    let ready = said(&mut server, &zmtp(COMMAND, b"\x05READY"));
    heard(&mut client, &ready, 9).unwrap();
    assert_eq!(
        heard(&mut client, b"\x8A\0", 1).unwrap(),
        zmtp(COMMAND, b"\x04PONG")
    );
    // One answer at a time, whatever the peer provokes.
    for _ in 0..1000 {
        heard(&mut client, b"\x89\0", 2).unwrap();
    }
    assert_eq!(said(&mut client, &[]).len(), 6);
    // Not inside a message.
    let message = zmtp(0, &[7; 1000]);
    let first = said(&mut client, &message[..500]);
    heard(&mut client, b"\x89\0", 2).unwrap();
    assert!(!client.has_output());
    let mut wire = first;
    client.wrap(&message[500..], &mut wire);
    wire.extend(said(&mut client, &[]));
    let expected = [message, zmtp(COMMAND, b"\x04PONG")].concat();
    assert!(heard(&mut server, &wire, 13).unwrap() == expected);
}

#[test]
fn a_peer_without_a_mechanism_greets_by_its_routing_id() {
    let mut server = Zws::new(Role::Server, Router);
    let request =
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0\r\n\r\n";
    assert_eq!(heard(&mut server, request, 100).unwrap(), peer_greeting());
    let ready = b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\x02us";
    let ours = said(&mut server, &[our_greeting(), zmtp(COMMAND, ready)].concat());
    assert!(ours.ends_with(b"\r\n\r\n\x82\x03\0us"));
    let mut peer = vec![0x82, 0x86, 0, 0, 0, 0, 0];
    peer.extend_from_slice(b"alice");
    let plain = heard(&mut server, &peer, 3).unwrap();
    let expected = b"\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\x05alice";
    assert_eq!(plain, zmtp(COMMAND, expected));
    peer[6] = ZWS_MORE;
    assert_eq!(
        heard(&mut server, &peer, 3).unwrap(),
        zmtp(MORE, b"alice"),
        "the next is a message"
    );
}

#[test]
fn both_ends_say_goodbye() {
    let (mut client, mut server) = open();
    client.finish();
    let close = said(&mut client, &[]);
    assert_eq!(heard(&mut server, &close, 2), Err(LayerFault::Closed));
    let reply = said(&mut server, &[]);
    assert_eq!(reply, b"\x88\x02\x03\xe8");
    assert_eq!(heard(&mut client, &reply, 1), Err(LayerFault::Closed));
    assert!(!client.has_output());
    client.finish();
    assert!(!client.has_output(), "once");
}

#[test]
fn what_breaks_the_rules_is_a_fault() {
    let wrong: [(&str, &[u8]); 11] = [
        ("masked by a server", b"\x82\x81\x01\x02\x03\x04\x01"),
        ("a piece of a message", b"\x02\x01\0"),
        ("a continuation", b"\x80\x01\0"),
        ("text", b"\x81\x01\0"),
        ("a reserved opcode", b"\x83\x01\0"),
        ("a reserved control opcode", b"\x8B\0"),
        ("a reserved bit", b"\xC2\x01\0"),
        ("no flags", b"\x82\0"),
        ("reserved flags", b"\x82\x01\x04"),
        ("a long ping", b"\x89\x7E\0\x7E"),
        ("a ping in pieces", b"\x09\0"),
    ];
    for (what, bytes) in wrong {
        let (mut client, _) = open();
        assert_eq!(heard(&mut client, bytes, 1), Err(LayerFault::WebSocket), "{what}");
    }
    let (_, mut server) = open();
    assert_eq!(
        heard(&mut server, b"\x82\x01\0", 1),
        Err(LayerFault::WebSocket),
        "not masked"
    );
}

#[test]
fn a_head_without_end_and_one_that_is_wrong_are_faults() {
    let mut server = Zws::new(Role::Server, Router);
    let endless = [
        b"GET / HTTP/1.1\r\nX: ".as_slice(),
        &[b'x'; limits::HTTP_HEAD_MAX],
    ]
    .concat();
    assert_eq!(heard(&mut server, &endless, 100), Err(LayerFault::WebSocket));
    let mut server = Zws::new(Role::Server, Router);
    assert_eq!(
        heard(&mut server, b"GET / HTTP/1.1\r\n\r\n", 100),
        Err(LayerFault::WebSocket)
    );
    assert_eq!(said(&mut server, &[]), http::BAD_REQUEST);
    let mut client = client();
    assert_eq!(
        heard(&mut client, b"HTTP/1.1 404 Not Found\r\n\r\n", 100),
        Err(LayerFault::WebSocket)
    );
}

#[test]
fn an_announced_length_costs_nothing() {
    let (mut client, _) = open();
    let announced = b"\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0";
    let plain = heard(&mut client, announced, 100).unwrap();
    assert_eq!(plain, b"\x02\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE");
}
