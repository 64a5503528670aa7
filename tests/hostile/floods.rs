//! More than anybody asked for: memory stays within what was received, and the peer is stopped where there is a limit.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use ringmq::{Context, Pub, Sub};
use ringmq_tests::process::{self, resident_kib};
use ringmq_tests::raw_peer::{Ending, PATIENCE, RawPeer};
use ringmq_tests::recipe::{self, MORE};
use ringmq_tests::subject::Subject;
use ringmq_tests::{endpoint, watchdog};

use crate::arena;
use crate::greetings::reset;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
/// What a test may leave behind in a process, beside what it names itself: pools, allocator caches.
const SLACK_KIB: usize = 16 << 10;

/// A socket in a process of its own.
fn subject(kind: &str) -> (Subject, SocketAddr) {
    let subject = Subject::start(SUBJECT, &[kind], None);
    let address = endpoint::address(&subject.hear("listening"));
    (subject, address)
}

fn establish(address: SocketAddr, socket_type: &str) -> RawPeer {
    let mut peer = RawPeer::connect(address).unwrap();
    peer.handshake(1, socket_type, None).unwrap();
    peer
}

/// PING and PONG: all that was sent before has been read.
fn expect_alive(peer: &mut RawPeer) {
    peer.send(&recipe::ping(0, b"alive")).unwrap();
    while peer.read_frame().unwrap().command() != Some((b"PONG", b"alive")) {}
}

/// The socket still serves a good peer, and there is no sign of a panic.
fn expect_service(subject: &Subject, address: SocketAddr) {
    let mut good = establish(address, "PUSH");
    good.send(&recipe::frame(0, b"good")).unwrap();
    assert_eq!(subject.hear("message"), "4 good");
}

fn growth_kib(subject: &Subject, before: usize) -> usize {
    resident_kib(subject.pid()).saturating_sub(before)
}

#[test]
fn announced_gigabytes_cost_what_was_received() {
    let (subject, address) = subject("pull");
    expect_service(&subject, address);
    let before = resident_kib(subject.pid());
    let mut peers = Vec::new();
    for _ in 0..200 {
        let mut peer = establish(address, "PUSH");
        // A large frame begins where a slab ends, so some of its body makes it real.
        peer.send(&[recipe::long_header(0, 1 << 30), vec![b'x'; 4096]].concat())
            .unwrap();
        peers.push(peer);
    }
    expect_service(&subject, address);
    // 200 connections, of each of which a page of body has come.
    let growth = process::poll_until(PATIENCE, || growth_kib(&subject, before), |&kib| kib > 200 * 4);
    println!("200 frames of 1 GiB, 4 KiB of each received: {growth} KiB");
    assert!(growth < SLACK_KIB, "{growth} KiB");
    drop(peers);
    expect_service(&subject, address);
    subject.end();
}

#[test]
fn endless_parts_end_at_the_limit() {
    let mut arena = arena::pull(|_| {});
    let mut peer = arena.establish("PUSH");
    let parts: Vec<u8> = recipe::frame(MORE, b"").repeat(100_000);
    let mut sent = 0;
    while peer.send(&parts).is_ok() {
        sent += 100_000;
        assert!(sent < 100_000_000, "a message without an end");
    }
    arena.expect(&mut peer, arena::TOO_MUCH, b"endless parts");
    assert!(arena.finish().is_empty());
}

#[test]
fn parts_that_drip_in_cost_what_was_received() {
    let (subject, address) = subject("pull");
    expect_service(&subject, address);
    let before = resident_kib(subject.pid());
    let mut peer = establish(address, "PUSH");
    for _ in 0..10_000 {
        // The answer makes each part arrive, and be read, on its own.
        peer.send(&recipe::frame(MORE, b"x")).unwrap();
        expect_alive(&mut peer);
    }
    let growth = growth_kib(&subject, before);
    println!("10,000 parts of one byte, each on its own: {growth} KiB");
    // Generous: 256 bytes per part, and what a pool keeps.
    assert!(growth < 10_000 / 4 + 2048, "{growth} KiB");
    peer.send(&recipe::frame(0, b"end")).unwrap();
    assert_eq!(subject.hear("message"), "1 x");
    subject.end();
}

#[test]
fn halves_of_messages_leave_nothing_behind() {
    let (subject, address) = subject("pull");
    expect_service(&subject, address);
    let half = [
        recipe::frame(MORE, b"part"),
        recipe::long_header(0, 1 << 20),
        vec![b'x'; 100 << 10],
    ]
    .concat();
    let burst = |count| {
        for _ in 0..count {
            let mut peer = establish(address, "PUSH");
            peer.send(&half).unwrap();
            reset(peer);
        }
        expect_service(&subject, address);
    };
    burst(100);
    let before = resident_kib(subject.pid());
    burst(1000);
    let growth = process::poll_until(PATIENCE, || growth_kib(&subject, before), |&kib| kib < 2048);
    println!("1000 halves of 100 KiB: {growth} KiB");
    assert!(growth < SLACK_KIB, "{growth} KiB");
    let said = subject.end();
    assert!(
        !said.iter().any(|line| line.starts_with("message 4 part")),
        "half a message came through"
    );
}

#[test]
fn a_million_pings_without_a_look_at_the_answers() {
    let (subject, address) = subject("pull");
    expect_service(&subject, address);
    let before = resident_kib(subject.pid());
    let mut peer = establish(address, "PUSH");
    nix::sys::socket::setsockopt(peer.stream(), nix::sys::socket::sockopt::RcvBuf, &4096).unwrap();
    let pings = recipe::ping(0, b"0123456789abcdef").repeat(10_000);
    let mut sent = 0;
    while peer.send(&pings).is_ok() {
        sent += 10_000;
        assert!(sent < 10_000_000, "the answers are kept somewhere");
    }
    println!("sent away after {sent} PINGs");
    let end = subject.hear(&format!(
        "event tcp://{} Disconnected",
        peer.stream().local_addr().unwrap()
    ));
    assert!(end.contains("LimitExceeded"), "{end}");
    let growth = growth_kib(&subject, before);
    assert!(growth < SLACK_KIB, "{growth} KiB");
    expect_service(&subject, address);
    subject.end();
}

#[test]
fn data_for_a_publisher_is_not_kept() {
    let (mut subject, address) = subject("pub");
    let mut subscriber = establish(address, "SUB");
    subscriber.send(&recipe::subscribe(b"")).unwrap();
    expect_alive(&mut subscriber);
    let mut peer = establish(address, "XSUB");
    let frame = recipe::frame(0, &[b'd'; 20]);
    let some = frame.repeat(500);
    // In a thread: what is beyond the high-water mark waits in the peer until the publisher publishes.
    let sender = thread::spawn(move || {
        for _ in 0..2_000 {
            peer.send(&some).unwrap();
        }
        peer
    });
    let mut before = 0;
    while !sender.is_finished() {
        // The publisher takes in what its peers send when it publishes.
        subject.tell("tick");
        assert_eq!(subscriber.read_message_frame().unwrap().body, b"tick");
        if before == 0 {
            before = resident_kib(subject.pid());
        }
    }
    let mut peer = sender.join().unwrap();
    let growth = growth_kib(&subject, before);
    println!("10^6 messages for a publisher that publishes: {growth} KiB");
    assert!(growth < SLACK_KIB, "{growth} KiB");

    let data = frame.repeat(10_000);
    // One that does not publish stops reading, and keeps no more for that.
    peer.stream()
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let sent = (0..100).take_while(|_| peer.send(&data).is_ok()).count();
    let growth = growth_kib(&subject, before);
    println!("{sent} times 10,000 messages for a publisher that does not: {growth} KiB");
    assert!(growth < SLACK_KIB, "{growth} KiB");
    subject.tell("last");
    assert_eq!(subscriber.read_message_frame().unwrap().body, b"last");
    subject.end();
}

/// What a publisher is sent must not keep it from seeing that the sender has gone.
#[test]
fn a_publisher_that_is_flooded_serves_its_subscribers() {
    watchdog::within(Duration::from_secs(300), || {
        let context = Context::new();
        let publisher = Pub::new(&context).unwrap();
        publisher.bind("tcp://127.0.0.1:*").unwrap();
        let subscriber = Sub::new(&context).unwrap();
        subscriber.connect(&publisher.last_endpoint()).unwrap();
        subscriber.subscribe(b"").unwrap();
        subscriber.set_receive_timeout(Some(PATIENCE));
        while subscriber.recv_within(Duration::from_millis(1)).is_err() {
            publisher.send("hello").unwrap();
        }
        let address = endpoint::address(&publisher.last_endpoint());
        let flood = std::thread::spawn(move || {
            let mut peer = establish(address, "XSUB");
            let data = recipe::frame(0, &[b'd'; 60]).repeat(1000);
            for _ in 0..1000 {
                peer.send(&data).unwrap();
            }
            peer.finish_sending().unwrap();
            peer.read_to_ending(PATIENCE).unwrap()
        });
        let mut number = 0_u32;
        while !flood.is_finished() {
            publisher.send(number.to_be_bytes().as_slice()).unwrap();
            loop {
                let message = subscriber.recv().unwrap();
                if message[..] == number.to_be_bytes() {
                    break;
                }
                assert_eq!(&message[..], b"hello", "lost or out of order");
            }
            number += 1;
        }
        assert_ne!(
            flood.join().unwrap(),
            Ending::StillOpen,
            "the end of the flood is not seen"
        );
        println!("{number} messages went out meanwhile");
    });
}
