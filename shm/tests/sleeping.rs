//! Two processes that sleep whenever they can, without a limit: a lost wake-up hangs the test. Longer runs are in
//! `examples/soak.rs`.
#![cfg(not(loom))]

mod common;

use common::{Peer, meet, pattern, role};

const SEGMENT: usize = 64 << 10;

#[test]
fn both_sides_sleep_for_each_other() {
    const ROUNDS: u64 = 20_000;
    if let Some((_, stream)) = role() {
        let mut side = meet(&stream, SEGMENT);
        while let Some(message) = side.receive() {
            assert!(side.send(&message));
        }
        return;
    }
    let peer = Peer::start("both_sides_sleep_for_each_other", "echo");
    let mut side = meet(&peer.stream, SEGMENT);
    for number in 0..ROUNDS {
        assert!(side.send(&number.to_ne_bytes()));
        assert_eq!(side.receive().unwrap(), number.to_ne_bytes());
    }
    assert!(side.sleeps > ROUNDS / 2, "only {} sleeps", side.sleeps);
    drop(side);
    peer.finish();
}

#[test]
fn a_sender_sleeps_for_room_of_every_kind() {
    const COUNT: u64 = 5_000;
    // In the ring, in chunks of which the pool holds two, in pieces.
    let lens = [2000, 2000, 2000, 20_000, 20_000, 20_000, 60_000];
    let body = move |number: u64| pattern(number, lens[number as usize % lens.len()]);
    if let Some((_, stream)) = role() {
        let mut side = meet(&stream, SEGMENT);
        for number in 0..COUNT {
            assert!(side.receive().unwrap() == body(number));
        }
        side.receiver.release();
        assert!(side.send(b"done"));
        side.wait_for_data();
        return;
    }
    let peer = Peer::start("a_sender_sleeps_for_room_of_every_kind", "receive");
    let mut side = meet(&peer.stream, SEGMENT);
    for number in 0..COUNT {
        assert!(side.send(&body(number)));
    }
    assert!(side.sleeps > COUNT / 20, "only {} sleeps", side.sleeps);
    assert_eq!(side.receive().unwrap(), b"done");
    assert_eq!(side.sender.is_drained(), Ok(true));
    drop(side);
    peer.finish();
}

#[test]
fn a_sender_sleeps_until_enough_is_taken() {
    const COUNT: u64 = 5_000;
    const MARK: u64 = 10;
    if let Some((_, stream)) = role() {
        let mut side = meet(&stream, SEGMENT);
        while let Some(message) = side.receive() {
            assert_eq!(message.len(), 8);
        }
        assert!(side.receiver.peer_closed());
        return;
    }
    let peer = Peer::start("a_sender_sleeps_until_enough_is_taken", "receive");
    let mut side = meet(&peer.stream, SEGMENT);
    for number in 0..COUNT {
        let taken_at = (number + 1).saturating_sub(MARK);
        assert!(side.wait_until_taken(taken_at));
        assert!(side.send(&number.to_ne_bytes()));
    }
    assert!(side.wait_until_taken(COUNT));
    assert!(side.sleeps > 0);
    side.sender.close();
    drop(side);
    peer.finish();
}
