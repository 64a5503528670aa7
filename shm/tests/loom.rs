//! Every interleaving and every reordering that the memory model allows, on the production code.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ringmq-shm --release --test loom`. The memory of a ring is made of cells
//! whose accesses loom checks, and a sleep ends by a ring of the bell only: a lost wake-up is a deadlock. The tests that
//! must fail show that both are noticed.
#![cfg(loom)]

use std::{mem::MaybeUninit, process::Command};

use loom::{model::Builder, thread};
use ringmq_shm::{
    Body, Receiver, Sender, heavy_fence,
    model::{Bell, Fences, Side, pair},
};

/// Explores every execution with at most this many preemptions; the known bugs of this kind need two.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Runs a model that has to fail in a process of its own: loom's panic meets destructors that panic again.
///
/// `test` is the name of the calling test, which this runs a second time with the variable set; `how` is what loom says.
fn must_fail(test: &str, how: &str, model: impl Fn() + Send + Sync + 'static) {
    const MODEL: &str = "RINGMQ_FAILING_MODEL";
    if std::env::var_os(MODEL).is_some() {
        return explore(4, model);
    }
    let outcome = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MODEL, test)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(!outcome.status.success(), "the model was expected to fail");
    assert!(said.contains(how), "failed in another way: {said}");
}

const LOST: &str = "deadlock; threads";
const RACE: &str = "Causality violation";

/// What the sleeper runs between its announcement and its second look.
type Heavy = fn();

fn full() {
    heavy_fence().unwrap();
}

fn none() {}

/// Copies the body of the next record, which has to be there.
fn take(receiver: &mut Receiver) -> u64 {
    let record = receiver.next().unwrap().expect("a record");
    let mut word = [MaybeUninit::uninit(); 8];
    match record.body {
        Body::Bytes(bytes) => u64::from_ne_bytes(bytes.copy_to(&mut word).try_into().unwrap()),
        _ => unreachable!("all bodies are words"),
    }
}

fn put(sender: &mut Sender, value: u64) {
    assert!(sender.write(&value.to_ne_bytes(), false));
    sender.publish();
}

fn wait_for_data(receiver: &mut Receiver, bell: &Bell, heavy: Heavy) {
    while !receiver.has_data() {
        receiver.release();
        receiver.arm();
        heavy();
        if !receiver.has_data() {
            bell.sleep();
        }
        receiver.disarm();
    }
}

fn wait_for_room(sender: &mut Sender, bell: &Bell, taken: u64, len: usize, heavy: Heavy) {
    let has_room = |sender: &mut Sender| sender.taken().unwrap() >= taken && sender.has_room(len).unwrap();
    while !has_room(sender) {
        sender.ask_for_room(taken, len).unwrap();
        heavy();
        if !has_room(sender) {
            bell.sleep();
        }
        sender.stop_asking();
    }
}

/// A producer publishes messages, a consumer sleeps for each.
fn data_wakes_the_receiver(count: u64, fences: Fences, heavy: Heavy) {
    let (mut a, mut b) = pair(64, 1, fences);
    let producing = thread::spawn(move || {
        for value in 0..count {
            put(&mut a.sender, value);
        }
        a
    });
    for expected in 0..count {
        wait_for_data(&mut b.receiver, &b.bell, heavy);
        assert_eq!(take(&mut b.receiver), expected);
    }
    producing.join().unwrap();
}

#[test]
fn no_data_is_slept_through() {
    explore(5, || data_wakes_the_receiver(2, Fences::Full, full));
}

#[test]
fn without_the_senders_fence_data_is_slept_through() {
    must_fail("without_the_senders_fence_data_is_slept_through", LOST, || {
        data_wakes_the_receiver(1, Fences::Missing, full)
    });
}

#[test]
fn without_the_receivers_fence_data_is_slept_through() {
    must_fail("without_the_receivers_fence_data_is_slept_through", LOST, || {
        data_wakes_the_receiver(1, Fences::Full, none)
    });
}

/// A ring full of messages, each of a quarter of the ring.
fn full_ring(fences: Fences) -> (Side, Side) {
    let (mut a, b) = pair(64, 1, fences);
    for value in 0..4 {
        put(&mut a.sender, value);
    }
    assert_eq!(a.sender.has_room(8), Ok(false));
    (a, b)
}

/// The producer waits until the consumer has given room back; the message that it then writes goes over an old one.
fn room_wakes_the_sender(fences: Fences, heavy: Heavy) {
    let (mut a, mut b) = full_ring(fences);
    let producing = thread::spawn(move || {
        wait_for_room(&mut a.sender, &a.bell, 0, 8, heavy);
        put(&mut a.sender, 4);
        a
    });
    assert_eq!(take(&mut b.receiver), 0);
    b.receiver.release();
    let a = producing.join().unwrap();
    for expected in 1..5 {
        assert_eq!(take(&mut b.receiver), expected);
    }
    drop(a);
}

#[test]
fn no_room_is_slept_through() {
    explore(5, || room_wakes_the_sender(Fences::Full, full));
}

#[test]
fn without_the_receivers_fence_room_is_slept_through() {
    must_fail("without_the_receivers_fence_room_is_slept_through", LOST, || {
        room_wakes_the_sender(Fences::Missing, full)
    });
}

#[test]
fn without_the_senders_fence_room_is_slept_through() {
    must_fail("without_the_senders_fence_room_is_slept_through", LOST, || {
        room_wakes_the_sender(Fences::Full, none)
    });
}

/// The producer has room, but waits until enough messages are taken.
fn taking_wakes_the_sender(fences: Fences, heavy: Heavy) {
    let (mut a, mut b) = pair(64, 1, fences);
    put(&mut a.sender, 0);
    put(&mut a.sender, 1);
    let producing = thread::spawn(move || {
        wait_for_room(&mut a.sender, &a.bell, 2, 8, heavy);
        a
    });
    for expected in 0..2 {
        assert_eq!(take(&mut b.receiver), expected);
        b.receiver.release();
    }
    producing.join().unwrap();
}

#[test]
fn no_taking_is_slept_through() {
    explore(5, || taking_wakes_the_sender(Fences::Full, full));
}

#[test]
fn without_the_receivers_fence_taking_is_slept_through() {
    must_fail(
        "without_the_receivers_fence_taking_is_slept_through",
        LOST,
        || taking_wakes_the_sender(Fences::Missing, full),
    );
}

#[test]
fn without_the_senders_fence_taking_is_slept_through() {
    must_fail("without_the_senders_fence_taking_is_slept_through", LOST, || {
        taking_wakes_the_sender(Fences::Full, none)
    });
}

/// A body that takes the whole pool of two blocks.
const LONG: usize = 24;

/// The producer waits for the pool, which any thread of the peer gives back, and writes over it. The ring is more than
/// half full, so that pieces would not do either.
fn returns_wake_the_sender(fences: Fences, heavy: Heavy) {
    let (mut a, mut b) = pair(128, 2, fences);
    assert!(a.sender.write(&[1; LONG], false));
    a.sender.publish();
    let Body::Lent(lent) = b.receiver.next().unwrap().unwrap().body else {
        unreachable!("the body is too long for the ring");
    };
    for value in 0..4 {
        put(&mut a.sender, value);
    }
    let returning = thread::spawn(move || {
        let mut copy = [MaybeUninit::uninit(); LONG];
        assert_eq!(lent.copy_to(&mut copy), [1; LONG]);
    });
    wait_for_room(&mut a.sender, &a.bell, 0, LONG, heavy);
    assert!(a.sender.write(&[2; LONG], false));
    returning.join().unwrap();
    drop(b);
}

#[test]
fn no_return_is_slept_through() {
    explore(5, || returns_wake_the_sender(Fences::Full, full));
}

#[test]
fn without_the_receivers_fence_a_return_is_slept_through() {
    must_fail(
        "without_the_receivers_fence_a_return_is_slept_through",
        LOST,
        || returns_wake_the_sender(Fences::Missing, full),
    );
}

#[test]
fn without_the_senders_fence_a_return_is_slept_through() {
    must_fail(
        "without_the_senders_fence_a_return_is_slept_through",
        LOST,
        || returns_wake_the_sender(Fences::Full, none),
    );
}

/// More messages than the ring holds, both sides asleep whenever they can.
#[test]
fn both_sides_sleep_over_the_seam() {
    explore(2, || {
        let (mut a, mut b) = full_ring(Fences::Full);
        let producing = thread::spawn(move || {
            for value in 4..6 {
                wait_for_room(&mut a.sender, &a.bell, 0, 8, full);
                put(&mut a.sender, value);
            }
            a
        });
        for expected in 0..6 {
            wait_for_data(&mut b.receiver, &b.bell, full);
            assert_eq!(take(&mut b.receiver), expected);
        }
        producing.join().unwrap();
    });
}

/// A question and an answer, in both rings.
#[test]
fn both_sides_sleep_for_each_other() {
    explore(3, || {
        let (mut a, mut b) = pair(64, 1, Fences::Full);
        let answering = thread::spawn(move || {
            wait_for_data(&mut b.receiver, &b.bell, full);
            let question = take(&mut b.receiver);
            put(&mut b.sender, question + 1);
            b
        });
        put(&mut a.sender, 7);
        wait_for_data(&mut a.receiver, &a.bell, full);
        assert_eq!(take(&mut a.receiver), 8);
        answering.join().unwrap();
    });
}

/// Whatever part of a message is seen, the whole of an ordinary one is, and a streamed one says so.
#[test]
fn parts_are_published_together_or_marked() {
    explore(4, || {
        let (mut a, mut b) = pair(64, 1, Fences::Full);
        let producing = thread::spawn(move || {
            assert!(a.sender.write(&1u64.to_ne_bytes(), true));
            assert!(a.sender.write(&2u64.to_ne_bytes(), false));
            a.sender.publish();
            assert!(a.sender.write(&3u64.to_ne_bytes(), true));
            a.sender.stream();
            a.sender.rollback();
            a
        });
        wait_for_data(&mut b.receiver, &b.bell, full);
        let first = b.receiver.next().unwrap().unwrap();
        assert!(first.more && !first.streamed);
        assert_eq!(take(&mut b.receiver), 2);
        wait_for_data(&mut b.receiver, &b.bell, full);
        let third = b.receiver.next().unwrap().unwrap();
        assert!(third.more && third.streamed);
        wait_for_data(&mut b.receiver, &b.bell, full);
        let last = b.receiver.next().unwrap().unwrap();
        assert!(matches!(last.body, Body::Abort));
        producing.join().unwrap();
    });
}

#[test]
fn publishing_before_writing_is_noticed() {
    must_fail("publishing_before_writing_is_noticed", RACE, || {
        let (mut a, mut b) = pair(64, 1, Fences::Full);
        let producing = thread::spawn(move || {
            a.sender.publish_before_writing(&7u64.to_ne_bytes());
            a
        });
        wait_for_data(&mut b.receiver, &b.bell, full);
        assert_eq!(take(&mut b.receiver), 7);
        producing.join().unwrap();
    });
}

#[test]
fn copying_after_releasing_is_noticed() {
    must_fail("copying_after_releasing_is_noticed", RACE, || {
        let (mut a, mut b) = full_ring(Fences::Full);
        let producing = thread::spawn(move || {
            wait_for_room(&mut a.sender, &a.bell, 0, 8, full);
            put(&mut a.sender, 4);
            a
        });
        b.receiver.copy_after_releasing(&mut [MaybeUninit::uninit(); 8]);
        producing.join().unwrap();
    });
}
