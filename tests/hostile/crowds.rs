//! Connections that do nothing, in numbers.

use ringmq::monitor::{DisconnectReason, Event};
use ringmq::{Context, Pull, Push};
use ringmq_tests::raw_peer::{PATIENCE, RawPeer};
use ringmq_tests::{endpoint, recipe};

use crate::arena;

/// More than the half-open connections that a listener keeps (1024).
const CROWD: usize = 2000;
/// The bound itself.
const HALF_OPEN_MAX: usize = 1024;
/// How many beside them have our READY and not said theirs.
const ANSWERED_MAX: usize = 512;

#[test]
fn a_silent_crowd_is_bounded_and_good_peers_get_in() {
    let mut arena = arena::pull(|_| {});
    let mut crowd: Vec<RawPeer> = Vec::new();
    for number in 0..CROWD {
        crowd.push(arena.connect());
        if number % 100 == 0 {
            arena.expect_alive(&mut arena.establish("PUSH"));
            // The monitor keeps about a thousand events.
            arena.ends();
        }
    }
    arena.expect_alive(&mut arena.establish("PUSH"));
    // The oldest ones have been sent away, each with its one reason.
    for peer in &mut crowd[..CROWD - HALF_OPEN_MAX] {
        let fate = arena.fate(peer);
        assert!(
            matches!(fate, arena::Fate::Refused(_, DisconnectReason::LimitExceeded)),
            "the oldest make room for others: {fate:?}"
        );
    }
    // The youngest are still there and may yet shake hands.
    for peer in crowd[CROWD - HALF_OPEN_MAX + 1..].iter_mut().step_by(100) {
        peer.handshake(1, "PUSH", None).unwrap();
        arena.expect_alive(peer);
    }
    assert!(arena.finish().is_empty());
}

/// Whoever has our READY may send messages, which would be lost if it were sent away then. So those keep their places, the
/// others hear it later, and nobody is locked out by either.
#[test]
fn who_has_been_answered_is_not_sent_away() {
    let mut arena = arena::pull(|_| {});
    let mut crowd: Vec<RawPeer> = Vec::new();
    for number in 0..CROWD {
        let mut peer = arena.connect();
        peer.send(&recipe::greeting(1)).unwrap();
        peer.read_exact(64).unwrap();
        if number < ANSWERED_MAX {
            assert_eq!(peer.read_frame().unwrap().body[1..6], *b"READY");
        }
        crowd.push(peer);
        if number % 100 == 0 {
            arena.expect_alive(&mut arena.establish("PUSH"));
            // The monitor keeps about a thousand events.
            arena.ends();
        }
    }
    arena.expect_alive(&mut arena.establish("PUSH"));
    let (answered, others) = crowd.split_at_mut(ANSWERED_MAX);
    let (gone, held) = others.split_at_mut(CROWD - ANSWERED_MAX - HALF_OPEN_MAX);
    for peer in gone {
        let fate = arena.fate(peer);
        assert!(
            matches!(fate, arena::Fate::Refused(_, DisconnectReason::LimitExceeded)),
            "the oldest make room for others: {fate:?}"
        );
        assert_eq!(peer.received().len(), 64, "one was sent away after our READY");
    }
    // A held one that does not wait for us is answered then, and one that does when the place of another is free.
    let (first, rest) = held[1..].split_first_mut().unwrap();
    first.send(&recipe::ready("PUSH", None)).unwrap();
    first.read_frame().unwrap();
    arena.expect_alive(first);
    for peer in answered {
        peer.send(&recipe::ready("PUSH", None)).unwrap();
        arena.expect_alive(peer);
    }
    for peer in &mut rest[..ANSWERED_MAX] {
        peer.read_frame().unwrap();
    }
    assert!(arena.finish().is_empty());
}

/// libzmq once gave messages to connections that had not shaken hands (CVE-2020-15166).
#[test]
fn a_silent_crowd_gets_no_messages() {
    let context = Context::new();
    let push = Push::new(&context).unwrap();
    push.bind("tcp://127.0.0.1:*").unwrap();
    push.set_send_timeout(Some(PATIENCE));
    let events = push.monitor();
    let address = endpoint::address(&push.last_endpoint());
    let mut crowd: Vec<RawPeer> = Vec::new();
    for number in 0..CROWD {
        let mut peer = RawPeer::connect(address).unwrap();
        match number % 3 {
            0 => {}
            1 => peer.send(&recipe::greeting(1)[..11]).unwrap(),
            _ => peer.send(&recipe::greeting(1)).unwrap(),
        }
        crowd.push(peer);
    }
    let pull = Pull::new(&context).unwrap();
    pull.set_receive_timeout(Some(PATIENCE));
    pull.connect(&push.last_endpoint()).unwrap();
    for number in 0..10_000_u32 {
        push.send(number.to_be_bytes().as_slice()).unwrap();
        if number % 100 == 99 {
            for expected in number - 99..=number {
                assert_eq!(pull.recv().unwrap()[..], expected.to_be_bytes());
            }
        }
    }
    assert_eq!(push.peer_count(), 1);
    let mut handshakes = 0;
    while let Ok(record) = events.try_recv() {
        handshakes += usize::from(record.event == Event::Handshaken);
    }
    assert!(handshakes <= 1, "somebody else has shaken hands");
}
