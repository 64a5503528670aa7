//! More than fits into the queues.

use super::{fixture::*, on_both_drivers};
use crate::{Completion, DriverChoice, Interest, sys};
use std::{
    collections::HashSet,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

on_both_drivers!(
    a_thousand_descriptors_are_polled,
    one_wait_brings_dozens,
    more_become_ready_at_once_than_the_completion_queue_holds,
    more_are_cancelled_at_once_than_the_queues_hold,
    many_streams_are_sent_and_received,
    nothing_to_do_costs_little,
);

fn a_thousand_descriptors_are_polled(choice: DriverChoice) {
    let mut driver = driver(choice);
    let bells: Vec<_> = (0..1000)
        .map(|_| shared(sys::eventfd().expect("eventfd")))
        .collect();
    for (token, bell) in bells.iter().enumerate() {
        driver.poll(token as u64, bell, Interest::Readable);
    }
    assert!(glance(&mut driver).is_empty());
    for token in [999, 0, 500] {
        sys::ring_eventfd(&*bells[token]);
        assert_eq!(next(&mut driver).token(), token as u64);
    }
    bells.iter().for_each(|bell| sys::ring_eventfd(&**bell));
    let tokens: HashSet<_> = take(&mut driver, 997).iter().map(Completion::token).collect();
    assert_eq!(tokens.len(), 997);
}

/// Whoever does a piece of other work between two waits must not fall behind because each brings a few of many.
fn one_wait_brings_dozens(choice: DriverChoice) {
    let mut driver = driver(choice);
    let bells: Vec<_> = (0..400)
        .map(|_| shared(sys::eventfd().expect("eventfd")))
        .collect();
    for (token, bell) in bells.iter().enumerate() {
        driver.poll(token as u64, bell, Interest::Readable);
    }
    assert!(glance(&mut driver).is_empty());
    bells.iter().for_each(|bell| sys::ring_eventfd(&**bell));
    let brought = glance(&mut driver).len();
    assert!(brought >= 64, "{brought} of 400");
}

const MANY: u64 = 10_000;

fn more_become_ready_at_once_than_the_completion_queue_holds(choice: DriverChoice) {
    let mut driver = driver(choice);
    let waker = driver.waker();
    let bell = shared(sys::eventfd().expect("eventfd"));
    for round in 0..2 {
        for token in 0..MANY {
            driver.poll(token, &bell, Interest::Readable);
        }
        if round == 0 {
            assert!(glance(&mut driver).is_empty());
            sys::ring_eventfd(&*bell);
        } else {
            // Submitting these has filled the completion queue, so that there is no room for the bell of the waker,
            // which is to be heard afterwards nevertheless.
            driver.prepare_sleep();
            waker.wake();
        }
        let tokens: HashSet<_> = take(&mut driver, MANY as usize)
            .iter()
            .map(Completion::token)
            .collect();
        assert_eq!(tokens.len(), MANY as usize);
        assert_eq!(driver.in_flight(), 0);
    }
    // A sleep that began before the wake-up ends only by the bell itself.
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                waker.wake();
                thread::yield_now();
            }
        });
        for _ in 0..3 {
            let start = Instant::now();
            driver.wait(Some(PATIENCE), &mut Vec::new()).expect("wait");
            let in_time = start.elapsed() < PATIENCE;
            done.fetch_or(!in_time, Ordering::Relaxed);
            assert!(in_time, "nobody heard the bell");
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn more_are_cancelled_at_once_than_the_queues_hold(choice: DriverChoice) {
    let mut driver = driver(choice);
    let bell = shared(sys::eventfd().expect("eventfd"));
    for token in 0..MANY {
        driver.poll(token, &bell, Interest::Readable);
    }
    for token in (0..MANY).rev() {
        driver.cancel(token);
    }
    let all = take(&mut driver, MANY as usize);
    assert!(all.iter().all(|one| matches!(one, Completion::Cancelled { .. })));
}

fn many_streams_are_sent_and_received(choice: DriverChoice) {
    let mut driver = driver(choice);
    let pairs: Vec<_> = (0..300).map(|_| unix_pair()).collect();
    for (token, (ours, _)) in pairs.iter().enumerate() {
        let text = format!("this is {token}");
        driver.send(token as u64, ours, vec![Bytes::new(text.into_bytes())]);
    }
    for completion in take(&mut driver, pairs.len()) {
        sent(completion).2.expect("sent");
    }
    for (token, (ours, theirs)) in pairs.iter().enumerate() {
        let mut got = Vec::new();
        read_available(&mut &*theirs, &mut got);
        assert_eq!(got, format!("this is {token}").as_bytes());
        (&mut &*theirs).write_all(&got).expect("write");
        driver.recv(token as u64, ours, Room::new(100));
    }
    for completion in take(&mut driver, pairs.len()) {
        let (token, room, _, _) = received(completion);
        assert_eq!(room.filled(), format!("this is {token}").as_bytes());
    }
}

/// What is done per wait is submitted together, and a look at nothing is free on io_uring.
fn nothing_to_do_costs_little(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    glance(&mut driver);
    driver.poll(1, &ours, Interest::Readable);
    glance(&mut driver);
    let before = driver.enters();
    for _ in 0..100 {
        driver.wait(Some(Duration::ZERO), &mut Vec::new()).expect("wait");
    }
    let looks = driver.enters() - before;
    theirs.write_all(b"x").expect("write");
    assert_eq!(next(&mut driver).token(), 1);
    match choice {
        DriverChoice::Uring => assert_eq!(looks, 0),
        _ => assert_eq!(looks, 100),
    }
}
