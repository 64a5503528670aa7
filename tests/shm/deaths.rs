//! Either process is killed, at any point of its work: the other has what was published, hears of the end, and goes on with
//! the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringmq::monitor::{DisconnectReason, Event};
use ringmq::{Context, Push, Router};
use ringmq_tests::random::Random;
use ringmq_tests::subject::Subject;
use ringmq_tests::watchdog::within;

use crate::{
    DRIVERS, LIMIT, NEIGHBOUR, PATIENCE, is_disconnected, is_shared, new, often, own_name, wait_for,
};

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().unwrap())
}

#[test]
fn what_the_dead_had_published_arrives() {
    within(LIMIT, || {
        let router: Router = new(&Context::new());
        router.set_receive_timeout(Some(PATIENCE));
        let events = router.monitor();
        let endpoint = own_name();
        router.bind(&endpoint).unwrap();
        let mut random = Random::new(5);
        for round in 0..often(12) {
            let driver = DRIVERS[round % 2];
            // What fits into the ring is published by the call that sends it.
            let (count, len) = if round % 3 == 0 {
                (random.up_to(100), 2000)
            } else {
                (random.up_to(3000), 64)
            };
            println!("round {round}: {count} messages");
            let (count_text, len_text) = (count.to_string(), len.to_string());
            let child = Subject::start(
                NEIGHBOUR,
                &["send", &endpoint, &count_text, &len_text],
                Some(driver),
            );
            wait_for(&events, is_shared);
            let hello = router.recv_multipart().unwrap();
            assert_eq!(*hello[1], *b"hello");
            router.send_multipart(hello).unwrap();
            let is_late = round % 2 == 0;
            if is_late {
                // Nobody reads until it is dead.
                wait_for(&events, is_disconnected);
            }
            for wanted in 0..count as u64 {
                let came = router.recv_multipart().unwrap();
                assert_eq!(came[1].len(), len);
                assert_eq!(number(&came[1]), wanted, "round {round}, {count} messages");
            }
            if !is_late {
                let ended = wait_for(&events, is_disconnected);
                assert!(matches!(
                    ended.event,
                    Event::Disconnected {
                        reason: DisconnectReason::PeerClosed | DisconnectReason::Io(_),
                        ..
                    }
                ));
            }
            assert!(router.try_recv().is_err());
            drop(child);
        }
    });
}

#[test]
fn of_a_sender_that_is_killed_anywhere_a_beginning_arrives() {
    within(LIMIT, || {
        let router: Router = new(&Context::new());
        let events = router.monitor();
        let endpoint = own_name();
        router.bind(&endpoint).unwrap();
        let mut random = Random::new(6);
        for round in 0..often(8) {
            // Longer than the ring, in the pool, in pieces.
            let len = [64, 4000, 100_000, 2_000_000][round % 4];
            let len_text = len.to_string();
            let child = Subject::start(
                NEIGHBOUR,
                &["send", &endpoint, "1000000", &len_text],
                Some(DRIVERS[round % 2]),
            );
            wait_for(&events, is_shared);
            let hello = router.recv_multipart().unwrap();
            router.send_multipart(hello).unwrap();
            let enough = random.up_to(if len > 50_000 { 20 } else { 5000 }) as u64;
            let (mut next, mut is_dead) = (0, false);
            loop {
                match router.recv_within_multipart() {
                    Some(came) => {
                        assert_eq!((number(&came), came.len()), (next, len), "round {round}");
                        next += 1;
                    }
                    None if is_dead => break,
                    None => {}
                }
                if next >= enough && !is_dead {
                    kill(Pid::from_raw(child.pid() as i32), Signal::SIGKILL).unwrap();
                    wait_for(&events, is_disconnected);
                    is_dead = true;
                }
            }
            assert!(next >= enough);
        }
    });
}

/// The body of the next message, if there is one now.
trait Next {
    fn recv_within_multipart(&self) -> Option<ringmq::Message>;
}

impl Next for Router {
    fn recv_within_multipart(&self) -> Option<ringmq::Message> {
        let parts = self.try_recv_multipart().ok()?;
        parts.into_iter().nth(1)
    }
}

/// A sender goes on while one receiver after the other is killed. All get messages in order, none gets what another had, and
/// what nobody got is told.
fn receivers_die(sender_binds: bool) {
    let push: Push = new(&Context::new());
    push.set_linger(Some(Duration::ZERO));
    push.set_send_hwm(100);
    push.set_reconnect_interval(Some(Duration::from_millis(5)));
    push.set_send_timeout(Some(Duration::from_millis(20)));
    let events = push.monitor();
    let endpoint = own_name();
    if sender_binds {
        push.bind(&endpoint).unwrap();
    } else {
        push.connect(&endpoint).unwrap();
    }
    let how = if sender_binds { "connect" } else { "bind" };
    let is_over = Arc::new(AtomicBool::new(false));
    let sending = thread::spawn({
        let is_over = is_over.clone();
        move || {
            let mut next = 0_u64;
            while !is_over.load(Relaxed) {
                let mut bytes = vec![next as u8; [8, 64, 5000, 300_000][(next % 4) as usize]];
                bytes[..8].copy_from_slice(&next.to_le_bytes());
                next += u64::from(push.send(bytes).is_ok());
            }
            push
        }
    });
    let mut random = Random::new(8);
    let (mut expected, mut skipped, mut lost) = (0, 0, 0);
    for round in 0..often(8) {
        let count = random.up_to(600).to_string();
        let child = Subject::start(
            NEIGHBOUR,
            &["receive", how, &endpoint, &count],
            Some(DRIVERS[round % 2]),
        );
        let got = child.hear("got");
        let numbers: Vec<u64> = got.split(' ').map(|number| number.parse().unwrap()).collect();
        let [first, last, missing] = numbers[..] else {
            panic!("{got}")
        };
        assert!(first >= expected, "round {round}: {first} came again");
        // What a ring took with it lies between what waited behind the stream and what came after the ring.
        skipped += first - expected + missing;
        expected = last + 1;
        loop {
            let record = wait_for(&events, |event| {
                is_disconnected(event) || matches!(event, Event::Dropped { .. })
            });
            match record.event {
                Event::Dropped { count, .. } => lost += count,
                _ => break,
            }
        }
    }
    is_over.store(true, Relaxed);
    let push = sending.join().unwrap();
    drop(push);
    while let Ok(record) = events.recv_timeout(Some(Duration::ZERO)) {
        if let Event::Dropped { count, .. } = record.event {
            lost += count;
        }
    }
    assert!(
        skipped <= lost,
        "{skipped} messages are missing, {lost} were reported"
    );
}

#[test]
fn a_sender_that_binds_survives_its_receivers() {
    within(LIMIT, || receivers_die(true));
}

#[test]
fn a_sender_that_connects_survives_its_receivers() {
    within(LIMIT, || receivers_die(false));
}
