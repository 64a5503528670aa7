//! Two sides exchange messages: in two threads, and in two processes.
#![cfg(not(loom))]

mod common;

use std::thread;

use common::{Peer, meet, pair, pattern, role};

const SEGMENT: usize = 64 << 10;

/// Lengths around everything that has a limit, for a segment of 64 KiB with a ring of 16 KiB.
fn lengths() -> Vec<usize> {
    let ring = SEGMENT / 4;
    let pool = 11 * 4096;
    let mut lengths = Vec::new();
    for limit in [8, 64, 128, ring / 8, 4096, ring, pool] {
        lengths.extend([limit - 1, limit, limit + 1]);
    }
    lengths.extend([0, 1, 2, 10 * ring, 10 * pool]);
    lengths
}

#[test]
fn two_threads_exchange_every_length() {
    let (mut a, mut b) = pair(SEGMENT);
    let rounds = 20;
    let echo = thread::spawn(move || {
        for _ in 0..rounds * lengths().len() {
            let message = b.receive().unwrap();
            assert!(b.send(&message));
        }
    });
    for round in 0..rounds {
        for (number, len) in lengths().into_iter().enumerate() {
            let body = pattern((round * 100 + number) as u64, len);
            assert!(a.send(&body));
            assert!(a.receive().unwrap() == body, "length {len}");
        }
    }
    echo.join().unwrap();
}

#[test]
fn two_processes_stream_small_messages() {
    const COUNT: u64 = 200_000;
    if let Some((_, stream)) = role() {
        let mut side = meet(&stream, 1 << 20);
        for number in 0..COUNT {
            assert_eq!(side.receive().unwrap(), pattern(number, 64));
        }
        side.receiver.release();
        assert!(side.send(b"done"));
        return;
    }
    let peer = Peer::start("two_processes_stream_small_messages", "receive");
    let mut side = meet(&peer.stream, 1 << 20);
    for number in 0..COUNT {
        assert!(side.send(&pattern(number, 64)));
    }
    assert_eq!(side.receive().unwrap(), b"done");
    assert_eq!(side.sender.written(), COUNT);
    assert_eq!(side.sender.taken(), Ok(COUNT));
    assert_eq!(side.sender.is_drained(), Ok(true));
    peer.finish();
}
