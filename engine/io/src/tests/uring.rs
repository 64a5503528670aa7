//! What only io_uring can get wrong.

use super::{contract::send_to_slow_reader, fallback::forbid, fixture::*};
use crate::{Completion, DriverChoice, Interest};
use std::io::Write;

#[test]
fn a_kernel_that_does_not_wait_for_room_is_waited_for() {
    let all = pattern(16 << 20);
    for batch in [
        vec![Bytes::new(&all[..])],
        all.chunks(9973).map(Bytes::new).collect(),
    ] {
        let mut driver = driver(DriverChoice::Uring);
        driver.set_extra_send_flags(libc::MSG_DONTWAIT);
        assert!(send_to_slow_reader(&mut driver, batch, all.len()) == all);
    }
}

#[test]
fn a_send_that_waits_for_room_by_poll_can_be_cancelled() {
    let mut driver = driver(DriverChoice::Uring);
    driver.set_extra_send_flags(libc::MSG_DONTWAIT);
    let (ours, mut theirs) = unix_pair();
    driver.send(1, &ours, vec![Bytes::new(pattern(4 << 20))]);
    while glance(&mut driver).is_empty() && driver.enters() < 20 {
        driver.poll(2, &ours, Interest::Readable);
        driver.cancel(2);
        assert!(matches!(next(&mut driver), Completion::Cancelled { token: 2 }));
    }
    driver.cancel(1);
    let count = sent(next(&mut driver)).2.expect("some bytes are gone");
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert_eq!(got.len(), count);
}

#[test]
fn operations_of_one_round_cost_one_kernel_entry() {
    let mut driver = driver(DriverChoice::Uring);
    let mut pairs: Vec<_> = (0..64).map(|_| unix_pair()).collect();
    glance(&mut driver);
    for round in 0..10 {
        let before = driver.enters();
        for (token, (ours, theirs)) in pairs.iter_mut().enumerate() {
            theirs.write_all(b"x").expect("write");
            driver.recv(token as u64, ours, Room::new(16));
            driver.send(1000 + token as u64, ours, vec![Bytes::new(*b"y")]);
        }
        take(&mut driver, 128);
        assert_eq!(driver.enters() - before, 1, "round {round}");
    }
}

#[test]
fn buffers_that_the_kernel_does_not_let_go_of_are_leaked() {
    let census = Census::default();
    let theirs = census.clone();
    let thread = std::thread::spawn(move || {
        let mut driver = driver(DriverChoice::Uring);
        let (ours, _theirs) = unix_pair();
        driver.send(1, &ours, vec![Bytes::counted(vec![5; 4 << 20], &theirs)]);
        assert!(glance(&mut driver).is_empty());
        forbid(libc::SYS_io_uring_enter);
        driver.cancel(1);
        let refused = driver.wait(None, &mut Vec::new()).expect_err("forbidden");
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    });
    thread.join().expect("no panic");
    assert_eq!(census.alive(), 1);
}
