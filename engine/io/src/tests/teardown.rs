//! What becomes of operations in flight, their buffers and their descriptors.

use super::{fixture::*, on_both_drivers};
use crate::{DriverChoice, Interest, sys};
use std::{os::fd::AsRawFd, sync::Arc};

on_both_drivers!(
    a_dropped_driver_frees_what_was_in_flight,
    a_driver_dropped_with_operations_never_submitted_frees_them,
    a_descriptor_in_flight_is_not_reused,
    a_reused_descriptor_number_is_a_new_descriptor,
);

fn a_dropped_driver_frees_what_was_in_flight(choice: DriverChoice) {
    let census = Census::default();
    let mut driver = driver(choice);
    let mut pairs: Vec<_> = (0..20).map(|_| unix_pair()).collect();
    for (token, (ours, _)) in pairs.iter().enumerate() {
        let token = token as u64;
        let big = || Bytes::counted(vec![5; 4 << 20], &census);
        let batch = if token.is_multiple_of(2) {
            vec![big()]
        } else {
            vec![big(), big()]
        };
        driver.send(token, ours, batch);
        driver.poll(1000 + token, ours, Interest::Readable);
    }
    assert!(glance(&mut driver).is_empty());
    assert_eq!(census.alive(), 30);
    drop(driver);
    assert_eq!(census.alive(), 0);
    let (ours, mut theirs) = pairs.pop().expect("a pair");
    assert_eq!(Arc::strong_count(&ours), 1);
    drop(ours);
    let mut got = Vec::new();
    assert!(read_available(&mut theirs, &mut got), "the end");
    assert!(got.iter().all(|&byte| byte == 5), "no freed memory was sent");
}

fn a_driver_dropped_with_operations_never_submitted_frees_them(choice: DriverChoice) {
    let census = Census::default();
    let mut driver = driver(choice);
    let (ours, _theirs) = unix_pair();
    let batch = vec![Bytes::counted(vec![5; 4 << 20], &census)];
    driver.send(1, &ours, batch);
    driver.poll(2, &ours, Interest::Readable);
    driver.recv(3, &ours, Room::new(10));
    drop(driver);
    assert_eq!(census.alive(), 0);
    assert_eq!(Arc::strong_count(&ours), 1);
}

fn a_descriptor_in_flight_is_not_reused(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, _theirs) = unix_pair();
    let number = ours.as_raw_fd();
    driver.poll(1, &ours, Interest::Readable);
    assert!(glance(&mut driver).is_empty());
    drop(ours);
    let others: Vec<_> = (0..10).map(|_| sys::eventfd().expect("eventfd")).collect();
    assert!(others.iter().all(|other| other.as_raw_fd() != number));
    driver.cancel(1);
    assert_eq!(next(&mut driver).token(), 1);
}

fn a_reused_descriptor_number_is_a_new_descriptor(choice: DriverChoice) {
    let mut driver = driver(choice);
    // Other tests open descriptors too, so a number may not come back; with this many attempts some do.
    let mut numbers = std::collections::HashMap::<i32, u32>::new();
    for round in 0..200 {
        let bell = shared(sys::eventfd().expect("eventfd"));
        *numbers.entry(bell.as_raw_fd()).or_default() += 1;
        driver.poll(1, &bell, Interest::Readable);
        assert!(glance(&mut driver).is_empty());
        match round % 3 {
            0 => driver.cancel(1),
            1 => sys::ring_eventfd(&*bell),
            _ => {
                driver.poll(2, &bell, Interest::Writable);
                assert_eq!(next(&mut driver).token(), 2);
                driver.cancel(1);
            }
        }
        assert_eq!(next(&mut driver).token(), 1);
    }
    assert!(numbers.values().any(|&uses| uses > 1));
}
