//! Two processes that both sleep for every message, without a limit anywhere: a lost wake-up hangs this.
//!
//! `cargo run --release -p ringmq-shm --example soak -- [rounds] [body bytes]`

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
    time::Instant,
};

use common::{duplicate, meet, pattern};

const SEGMENT: usize = 64 << 10;

fn argument(index: usize, default: u64) -> u64 {
    std::env::args()
        .nth(index)
        .map_or(default, |text| text.parse().expect("a number"))
}

fn main() {
    let (rounds, len) = (argument(1, 1_000_000), argument(2, 64) as usize);
    if std::env::args().nth(3).is_some() {
        let stream = UnixStream::from(duplicate(std::io::stdin().as_fd()));
        let mut side = meet(&stream, SEGMENT);
        while let Some(message) = side.receive() {
            assert!(side.send(&message));
        }
        return;
    }
    let (stream, theirs) = UnixStream::pair().expect("a socket pair");
    let mut child = Command::new(std::env::current_exe().expect("our path"))
        .args([rounds.to_string(), len.to_string(), "echo".into()])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("a child");
    let mut side = meet(&stream, SEGMENT);
    let begin = Instant::now();
    for round in 0..rounds {
        let body = pattern(round, len);
        assert!(side.send(&body));
        assert!(side.receive().expect("an echo") == body);
    }
    let micros = begin.elapsed().as_secs_f64() * 1e6 / rounds as f64;
    println!(
        "{rounds} round trips of {len} B, {} sleeps, {micros:.1} µs each",
        side.sleeps
    );
    drop(side);
    assert!(child.wait().expect("the child").success());
}
