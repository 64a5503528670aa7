//! One side is killed at a point of the protocol; the other sees exactly what was published, and that it is over.

use std::{
    os::unix::process::ExitStatusExt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{JoinHandle, spawn},
};

use super::{
    LEN,
    common::{Peer, Side, hear, meet, pattern, role, say},
};

/// The point that kills this process, and how often it may still be passed.
static DEATH: OnceLock<(String, AtomicU64)> = OnceLock::new();

/// Called wherever the code says `failpoint!`.
pub(crate) fn pass(name: &str) {
    let Some((point, left)) = DEATH.get() else { return };
    if point == name && left.fetch_sub(1, Relaxed) == 0 {
        // SAFETY: kill takes two integers. It does not return, as the signal is our own.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

/// Bodies of every kind, for a segment of 64 KiB: in the ring, in a chunk, in pieces.
fn body(number: u64) -> Vec<u8> {
    let lens = [8, 64, 0, 1000, 2048, 3000, 700, 20_000, 5, 60_000];
    pattern(number, lens[number as usize % lens.len()])
}

/// In a child: notes what kills it, and meets the parent. The role is "sender/point/times" or the like.
fn be_doomed() -> Option<(String, Side, std::os::unix::net::UnixStream)> {
    let (role, stream) = role()?;
    let mut words = role.split('/');
    let mut word = || words.next().unwrap().to_owned();
    let (job, point, times) = (word(), word(), word());
    DEATH
        .set((point, AtomicU64::new(times.parse().unwrap())))
        .unwrap();
    let side = meet(&stream, LEN);
    Some((job, side, stream))
}

/// Sends for ever. Says a number before it is published and again afterwards.
fn send_until_killed(mut side: Side, stream: &std::os::unix::net::UnixStream) {
    for number in 0.. {
        say(stream, 2 * number);
        assert!(side.send(&body(number)), "the parent lives on");
        say(stream, 2 * number + 1);
    }
}

/// Receives for ever. Says how many messages it has.
fn receive_until_killed(mut side: Side, stream: &std::os::unix::net::UnixStream) {
    for number in 0.. {
        assert_eq!(side.receive().expect("the parent lives on"), body(number));
        say(stream, number + 1);
    }
}

/// Listens until the child is gone, so that it never has to wait for us, and returns the last it said.
fn last_word(peer: &Peer) -> JoinHandle<Option<u64>> {
    let stream = peer.stream.try_clone().unwrap();
    spawn(move || std::iter::from_fn(|| hear(&stream)).last())
}

fn assert_killed(mut peer: Peer, role: &str) {
    let status = peer.child.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL), "{role} was not reached");
}

const SENDERS: &str = "tests::deaths::a_sender_may_be_killed_anywhere";

#[test]
fn a_sender_may_be_killed_anywhere() {
    if let Some((_, side, stream)) = be_doomed() {
        return send_until_killed(side, &stream);
    }
    let points = [
        "header written",
        "record written",
        "chunk taken",
        "chunk written",
        "piece written",
        "marked",
        "padded",
        "before the tail",
        "after the tail",
        "before ringing for data",
        "after ringing for data",
        "asked",
    ];
    for (index, point) in points.into_iter().enumerate() {
        for times in [0, 2, 7 + 5 * index] {
            let role = format!("sender/{point}/{times}");
            let peer = Peer::start(SENDERS, &role);
            let mut side = meet(&peer.stream, LEN);
            let said = last_word(&peer);
            let mut received = 0;
            while let Some(message) = side.receive() {
                assert!(message == body(received), "message {received} of {role}");
                received += 1;
                side.receiver.release();
            }
            assert!(!side.receiver.peer_closed());
            // Begun, or done as well.
            let said = said.join().unwrap().unwrap();
            let (done, begun) = (said.div_ceil(2), said / 2 + 1);
            assert!(
                (done..=begun).contains(&received),
                "{received} of {done} to {begun}: {role}"
            );
            assert_killed(peer, &role);
        }
    }
}

const RECEIVERS: &str = "tests::deaths::a_receiver_may_be_killed_anywhere";

#[test]
fn a_receiver_may_be_killed_anywhere() {
    if let Some((_, side, stream)) = be_doomed() {
        return receive_until_killed(side, &stream);
    }
    let points = [
        "before the release",
        "half released",
        "after the release",
        "before ringing for room",
        "after ringing for room",
        "armed",
        "chunk held",
        "before a return",
        "after a return",
    ];
    for (index, point) in points.into_iter().enumerate() {
        for times in [0, 2, 7 + 5 * index] {
            let role = format!("receiver/{point}/{times}");
            let peer = Peer::start(RECEIVERS, &role);
            let mut side = meet(&peer.stream, LEN);
            let heard = last_word(&peer);
            let mut number = 0;
            while side.send(&body(number)) {
                number += 1;
            }
            let heard = heard.join().unwrap().unwrap_or(0);
            let taken = side.sender.taken().unwrap();
            assert!(
                taken <= heard + 1 && heard <= side.sender.written(),
                "{taken} of {heard}: {role}"
            );
            assert!(side.sender.has_room(0).is_ok());
            side.sender.rollback();
            assert_killed(peer, &role);
        }
    }
}
