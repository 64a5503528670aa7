//! Processes that may not call `membarrier`: from the beginning, or from some moment on.
#![cfg(not(loom))]

mod common;

use common::{Peer, Side, meet, pair, role};
use ringmq_shm::heavy_fence;

const SEGMENT: usize = 64 << 10;
const ROUNDS: u64 = 5_000;

/// From now on `membarrier` is refused to this thread and to those that it starts.
fn forbid_membarrier() {
    let statement = |code: u32, k: u32, jt, jf| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut filter = [
        // The number of the call, which is the first word that the filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            libc::SYS_membarrier as u32,
            0,
            1,
        ),
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
            0,
            0,
        ),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program lives for the length of the calls, which copy it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}

fn echo(mut side: Side) {
    while let Some(message) = side.receive() {
        assert!(side.send(&message));
    }
}

/// Both sleep for each message.
fn ask(mut side: Side) {
    for number in 0..ROUNDS {
        assert!(side.send(&number.to_ne_bytes()));
        assert_eq!(side.receive().unwrap(), number.to_ne_bytes());
    }
    assert!(side.sleeps > ROUNDS / 10, "only {} sleeps", side.sleeps);
}

#[test]
fn a_process_without_membarrier_talks_to_one_with_it() {
    if let Some((_, stream)) = role() {
        forbid_membarrier();
        let side = meet(&stream, SEGMENT);
        heavy_fence().expect("a fence is always there");
        return echo(side);
    }
    let peer = Peer::start("a_process_without_membarrier_talks_to_one_with_it", "sandboxed");
    ask(meet(&peer.stream, SEGMENT));
    peer.finish();
}

#[test]
fn two_processes_without_membarrier_talk() {
    if let Some((role, stream)) = role() {
        forbid_membarrier();
        if role == "echo" {
            return echo(meet(&stream, SEGMENT));
        }
        let peer = Peer::start("two_processes_without_membarrier_talk", "echo");
        ask(meet(&peer.stream, SEGMENT));
        return peer.finish();
    }
    Peer::start("two_processes_without_membarrier_talk", "ask").finish();
}

/// Peers rely on the barrier by then, so that this has to be told, and not to be made up for.
#[test]
fn a_barrier_that_is_withdrawn_is_an_error() {
    if role().is_some() {
        let (mut a, mut b) = pair(SEGMENT);
        heavy_fence().expect("not forbidden yet");
        forbid_membarrier();
        assert!(heavy_fence().is_err());
        // What does not sleep goes on.
        assert!(a.send(&[1; 64]));
        assert_eq!(b.receive(), Some(vec![1; 64]));
        return;
    }
    Peer::start("a_barrier_that_is_withdrawn_is_an_error", "sandboxed").finish();
}
