//! A worker that is turned by hand.

use std::{
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use ringmq_io::{Fd, Interest};

use super::{timers::Due, *};
use crate::context::{ContextOptions, ThreadSettings};

fn worker() -> Worker {
    let threads = ThreadSettings::of(&ContextOptions::default());
    let driver = Driver::new(DriverChoice::Epoll).unwrap();
    Worker::new(0, WorkerPool::new(1, threads), driver)
}

#[test]
fn a_crowd_of_deadlines_does_not_keep_a_worker_from_its_connections() {
    let mut worker = worker();
    let turns = 3;
    let now = Instant::now();
    for slot in 0..limits::TIMERS_PER_TURN * turns {
        worker.timers.add(now, Due::Listener(slot as u32));
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = Arc::new(Fd::from(OwnedFd::from(ours)));
    theirs.write_all(b"x").unwrap();
    let mut served = 0;
    while !worker.timers.is_empty() {
        worker.driver.poll(token(0, Op::Read), &ours, Interest::Readable);
        worker.turn();
        served += 1 - worker.driver.in_flight();
    }
    assert_eq!(served, turns, "between the deadlines of each turn");
}

#[test]
fn a_worker_with_deadlines_left_does_not_sleep() {
    let mut worker = worker();
    worker.patience = 0;
    for slot in 0..limits::TIMERS_PER_TURN + 1 {
        worker.timers.add(Instant::now(), Due::Listener(slot as u32));
    }
    worker.turn();
    assert!(!worker.timers.is_empty());
    assert_eq!(worker.until_next(), Some(Duration::ZERO));
}
