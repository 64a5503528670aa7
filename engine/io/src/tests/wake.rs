//! Waking a driver from other threads.

use super::{fixture::*, on_both_drivers};
use crate::{Completion, DriverChoice, Interest};
use std::{
    io::Write,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

on_both_drivers!(
    a_sleeping_driver_is_woken,
    a_wake_between_the_announcement_and_the_sleep_is_not_lost,
    a_wake_of_a_waking_driver_costs_no_kernel_entry,
    a_taken_back_announcement_leaves_no_trace,
    no_wake_is_lost_among_many,
    a_waker_survives_its_driver,
    wakes_and_operations_come_together,
);

fn a_sleeping_driver_is_woken(choice: DriverChoice) {
    let mut driver = driver(choice);
    let waker = driver.waker();
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    let thread = thread::spawn(move || {
        for _ in 0..100 {
            other.wait();
            waker.wake();
        }
    });
    let mut out = Vec::new();
    for _ in 0..100 {
        driver.prepare_sleep();
        barrier.wait();
        driver.wait(None, &mut out).expect("wait");
    }
    assert!(out.is_empty());
    thread.join().expect("waker");
}

fn a_wake_between_the_announcement_and_the_sleep_is_not_lost(choice: DriverChoice) {
    let mut driver = driver(choice);
    let waker = driver.waker();
    for _ in 0..10 {
        driver.prepare_sleep();
        waker.wake();
        waker.wake();
        driver.wait(None, &mut Vec::new()).expect("wait");
    }
}

fn a_wake_of_a_waking_driver_costs_no_kernel_entry(choice: DriverChoice) {
    let mut driver = driver(choice);
    glance(&mut driver);
    driver.waker().wake();
    // Had the bell been rung, this would return at once.
    let start = std::time::Instant::now();
    let timeout = Duration::from_millis(2);
    driver.wait(Some(timeout), &mut Vec::new()).expect("wait");
    assert!(start.elapsed() >= timeout);
}

fn a_taken_back_announcement_leaves_no_trace(choice: DriverChoice) {
    let mut driver = driver(choice);
    glance(&mut driver);
    driver.prepare_sleep();
    driver.cancel_sleep();
    driver.waker().wake();
    let start = std::time::Instant::now();
    let timeout = Duration::from_millis(2);
    driver.wait(Some(timeout), &mut Vec::new()).expect("wait");
    assert!(start.elapsed() >= timeout);
}

/// Several threads count up a mailbox and wake; the driver sleeps whenever it has seen all of it. A lost wake-up hangs.
fn no_wake_is_lost_among_many(choice: DriverChoice) {
    const THREADS: u64 = 3;
    const ROUNDS: u64 = 20_000;
    let mut driver = driver(choice);
    let mailbox = Arc::new(AtomicU64::new(0));
    let seen = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|id| {
            let (mailbox, seen) = (Arc::clone(&mailbox), Arc::clone(&seen));
            let waker = driver.waker();
            thread::spawn(move || {
                for round in 0..ROUNDS {
                    let mine = mailbox.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                    // One of them goes in step with the driver, so that it often is about to sleep.
                    while id == 0 && round % 2 == 0 && seen.load(Ordering::Relaxed) <= mine {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut count = 0;
    while count < THREADS * ROUNDS {
        driver.prepare_sleep();
        let now = mailbox.load(Ordering::Relaxed);
        if now == count {
            driver.wait(None, &mut Vec::new()).expect("wait");
        } else {
            driver.cancel_sleep();
        }
        count = mailbox.load(Ordering::Relaxed);
        seen.store(count, Ordering::Relaxed);
    }
    for thread in threads {
        thread.join().expect("waker");
    }
}

fn a_waker_survives_its_driver(choice: DriverChoice) {
    let mut driver = driver(choice);
    let waker = driver.waker();
    driver.prepare_sleep();
    drop(driver);
    waker.wake();
}

fn wakes_and_operations_come_together(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    let waker = driver.waker();
    driver.poll(1, &ours, Interest::Readable);
    driver.prepare_sleep();
    waker.wake();
    theirs.write_all(b"x").expect("write");
    assert!(matches!(next(&mut driver), Completion::Ready { token: 1 }));
}
