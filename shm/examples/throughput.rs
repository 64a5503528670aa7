//! How fast two processes stream: each message is published by itself, and both sides really sleep.
//!
//! `cargo run --release -p ringmq-shm --example throughput -- [body bytes] [messages]`

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    hint::{black_box, spin_loop},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::Instant,
};

use common::{Side, duplicate, meet};
use ringmq_shm::Body;
use std::os::fd::AsFd;

const SEGMENT: usize = 1 << 20;
/// How many pauses to wait before sleeping.
const SPIN: u32 = 100;

fn argument(index: usize, default: u64) -> u64 {
    std::env::args()
        .nth(index)
        .map_or(default, |text| text.parse().expect("a number"))
}

fn main() {
    let (len, count) = (argument(1, 64) as usize, argument(2, 20_000_000));
    if std::env::args().nth(3).is_some() {
        let stream = UnixStream::from(duplicate(std::io::stdin().as_fd()));
        return produce(meet(&stream, SEGMENT), len, count);
    }
    let (stream, theirs) = UnixStream::pair().expect("a socket pair");
    let mut child = Command::new(std::env::current_exe().expect("our path"))
        .args([len.to_string(), count.to_string(), "produce".into()])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("a child");
    let mut side = meet(&stream, SEGMENT);
    wait(&mut side);
    let begin = Instant::now();
    consume(&mut side, len, count);
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{len} B: {:.1} M msg/s, {:.2} GB/s, {} sleeps",
        count as f64 / seconds / 1e6,
        (count as usize * len) as f64 / seconds / 1e9,
        side.sleeps
    );
    child.wait().expect("the child");
}

fn produce(mut side: Side, len: usize, count: u64) {
    let body = vec![3; len];
    for _ in 0..count {
        while !side.sender.write(&body, false) {
            for _ in 0..SPIN {
                if side.sender.has_room(len).expect("an honest peer") {
                    break;
                }
                spin_loop();
            }
            side.wait_for_room(len);
        }
        side.sender.publish();
    }
    while !side.sender.is_drained().expect("an honest peer") {
        std::thread::yield_now();
    }
}

fn consume(side: &mut Side, len: usize, count: u64) {
    let mut message = vec![MaybeUninit::uninit(); len];
    let mut left = count;
    while left > 0 {
        match side.receiver.next().expect("an honest peer") {
            Some(record) => {
                match record.body {
                    Body::Bytes(bytes) => black_box(bytes.copy_to(&mut message[..bytes.len()])),
                    Body::Lent(lent) => black_box(lent.copy_to(&mut message[..lent.len()])),
                    Body::Piece { .. } | Body::Abort => unreachable!("chunks suffice"),
                };
                left -= 1;
            }
            None => wait(side),
        }
    }
    side.receiver.release();
}

fn wait(side: &mut Side) {
    side.receiver.release();
    let mut pauses = 1;
    let mut spun = 0;
    while spun < SPIN && !side.receiver.has_data() {
        (0..pauses).for_each(|_| spin_loop());
        spun += pauses;
        pauses = (pauses * 2).min(64);
    }
    side.wait_for_data();
}
