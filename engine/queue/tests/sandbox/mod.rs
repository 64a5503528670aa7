//! A seccomp filter like those of containers, and a handshake that hangs if the fences do not order any more.

use std::{io, sync::Arc, thread};

use ringmq_queue::{
    spsc::{self, Consumer},
    wake::{ParkOn, Parker},
};

/// Makes `membarrier(2)` fail with ENOSYS in this thread and those it starts later, for good.
pub(crate) fn refuse_membarrier() {
    let statement = |code: u32, jump_if_not: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: jump_if_not,
        k,
    };
    // The number of the system call is the first word that the filter is shown.
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        statement(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            libc::SYS_membarrier as u32,
        ),
        statement(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
        ),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes integers.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(unprivileged, 0, "{}", io::Error::last_os_error());
    // SAFETY: the program and its filter outlive the call, which copies them.
    let installed = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    assert_eq!(installed, 0, "{}", io::Error::last_os_error());
}

fn receive(from: &mut Consumer<u64>, parker: &Parker) -> u64 {
    loop {
        if let Some(value) = from.pop() {
            return value;
        }
        parker.arm(ParkOn::Futex);
        if from.is_empty() {
            parker.park(None);
        } else {
            parker.disarm();
        }
    }
}

/// Sends values to and fro between this thread and another, each sleeping for each; `midway` runs here after half.
pub(crate) fn ping_pong(round_trips: u64, midway: impl FnOnce()) {
    let parkers = Arc::new([Parker::new(), Parker::new()]);
    let (mut to, mut at_peer) = spsc::ring(1);
    let (mut back, mut from) = spsc::ring(1);
    let shared = Arc::clone(&parkers);
    let echo = thread::spawn(move || {
        for _ in 0..round_trips {
            let value = receive(&mut at_peer, &shared[1]);
            back.try_push(value).unwrap();
            shared[0].wake();
        }
    });
    let mut midway = Some(midway);
    for round in 0..round_trips {
        if let Some(midway) = midway.take_if(|_| round == round_trips / 2) {
            midway();
        }
        to.try_push(round).unwrap();
        parkers[1].wake();
        assert_eq!(receive(&mut from, &parkers[0]), round);
    }
    echo.join().unwrap();
}
