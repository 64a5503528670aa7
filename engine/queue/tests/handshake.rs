//! Real threads that really sleep, without any deadline: a lost wake-up hangs here.
#![cfg(not(loom))]

use std::{
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use ringmq_queue::{
    barrier,
    mailbox::Mailbox,
    spsc::{self, Consumer, Full, Producer},
    wake::{ParkOn, Parker},
};

/// Round trips of the ping-pong; each is two sleeps and two wake-ups.
const ROUND_TRIPS: u64 = if cfg!(miri) { 20 } else { 100_000 };

fn sleep(parker: &Parker, how: ParkOn) {
    match how {
        ParkOn::Futex => {
            parker.park(None);
        }
        ParkOn::Fd => {
            let mut poll = libc::pollfd {
                fd: parker.fd().unwrap().as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: one valid entry, for the length of the call.
            unsafe { libc::poll(&mut poll, 1, -1) };
            parker.disarm();
        }
    }
}

fn sleep_unless(parker: &Parker, how: ParkOn, ready: impl FnOnce() -> bool) {
    parker.arm(how);
    if ready() {
        parker.disarm();
    } else {
        sleep(parker, how);
    }
}

fn receive<T>(from: &mut Consumer<T>, parker: &Parker, how: ParkOn) -> T {
    loop {
        if let Some(value) = from.pop() {
            return value;
        }
        sleep_unless(parker, how, || !from.is_empty());
    }
}

fn send<T>(into: &mut Producer<T>, mut value: T, own: &Parker, peer: &Parker) {
    while let Err(Full(back)) = into.try_push(value) {
        value = back;
        sleep_unless(own, ParkOn::Futex, || into.free() > 0);
    }
    peer.wake();
}

fn ping_pong(how: ParkOn) {
    barrier::register();
    let parkers = [Arc::new(Parker::new()), Arc::new(Parker::new())];
    if how == ParkOn::Fd {
        assert!(parkers.iter().all(|parker| parker.fd().is_ok()));
    }
    let (mut to, mut at_peer) = spsc::ring(2);
    let (mut back, mut from) = spsc::ring(2);
    let [mine, theirs] = parkers.clone();
    let echo = thread::spawn(move || {
        for _ in 0..ROUND_TRIPS {
            let value: u64 = receive(&mut at_peer, &theirs, how);
            back.try_push(value + 1).unwrap();
            mine.wake();
        }
    });
    for round in 0..ROUND_TRIPS {
        to.try_push(round).unwrap();
        parkers[1].wake();
        assert_eq!(receive(&mut from, &parkers[0], how), round + 1);
    }
    echo.join().unwrap();
    let sleeps = parkers[0].wakes() + parkers[1].wakes();
    assert!(sleeps <= 2 * ROUND_TRIPS, "more wake-ups than messages");
}

#[test]
fn ping_pong_on_futexes() {
    ping_pong(ParkOn::Futex);
}

#[test]
#[cfg(not(miri))] // Miri has no poll.
fn ping_pong_on_descriptors() {
    ping_pong(ParkOn::Fd);
}

/// Both sides sleep here: the consumer for values, the producer for room.
#[test]
fn a_small_ring_moves_many_values_both_ways_asleep() {
    let count = if cfg!(miri) { 50 } else { 300_000u64 };
    let (mut producer, mut consumer) = spsc::ring(4);
    let consuming = Arc::new(Parker::new());
    let producing = Arc::new(Parker::new());
    let (peer, own) = (Arc::clone(&consuming), Arc::clone(&producing));
    let pushing = thread::spawn(move || {
        for value in 0..count {
            send(&mut producer, value, &own, &peer);
        }
    });
    for expected in 0..count {
        let value = loop {
            let value = consumer.pop();
            if consumer.take_released() {
                producing.wake();
            }
            match value {
                Some(value) => break value,
                None => sleep_unless(&consuming, ParkOn::Futex, || !consumer.is_empty()),
            }
        };
        assert_eq!(value, expected);
    }
    pushing.join().unwrap();
}

#[test]
fn many_senders_wake_one_owner_of_a_mailbox() {
    let each = if cfg!(miri) { 20 } else { 20_000usize };
    let shared = Arc::new((Mailbox::new(), Parker::new()));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for value in 0..each {
                    shared.0.push(value);
                    shared.1.wake();
                }
            })
        })
        .collect();
    let (mut received, mut batch) = (0, Vec::new());
    while received < 3 * each {
        shared.0.drain(&mut batch);
        received += batch.drain(..).count();
        if received < 3 * each {
            sleep_unless(&shared.1, ParkOn::Futex, || !shared.0.is_empty());
        }
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    assert!(shared.0.is_empty());
}

#[test]
fn a_consumer_that_never_sleeps_is_never_woken() {
    let (mut producer, mut consumer) = spsc::ring(128);
    let parker = Arc::new(Parker::new());
    let done = Arc::new(AtomicBool::new(false));
    let (waker, stop) = (Arc::clone(&parker), Arc::clone(&done));
    let pushing = thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let _ = producer.try_push(0u64);
            waker.wake();
        }
    });
    let mut received = 0;
    while received < if cfg!(miri) { 20 } else { 100_000 } {
        received += usize::from(consumer.pop().is_some());
    }
    done.store(true, Ordering::Relaxed);
    pushing.join().unwrap();
    assert_eq!(parker.wakes(), 0);
}
