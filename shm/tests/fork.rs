//! A child that is forked has none of the memory, and leaves the parent's alone.
#![cfg(not(loom))]

mod common;

use common::{Side, pair};
use nix::{
    sys::{
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, fork},
};
use ringmq_shm::{Body, Chunk, Lent};

const SEGMENT: usize = 64 << 10;

/// What a process has of a connection.
struct Belongings {
    a: Side,
    b: Side,
    lent: Lent,
    loan: Chunk,
}

fn belongings() -> Belongings {
    let (mut a, mut b) = pair(SEGMENT);
    assert!(a.send(&[1; 5000]) && a.send(&[2; 64]));
    let Some(Body::Lent(lent)) = b.receiver.next().unwrap().map(|record| record.body) else {
        unreachable!("the body is longer than the ring takes");
    };
    let loan = a.sender.loan(100).unwrap();
    Belongings { a, b, lent, loan }
}

/// Runs `action` in a child and says how that ended.
fn in_child(action: impl FnOnce()) -> WaitStatus {
    // SAFETY: the child calls `action`, which only touches what this test has made and the allocator, which survives a
    // fork, and then exits without running anything else.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            action();
            // SAFETY: takes an integer and does not return.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => waitpid(child, None).unwrap(),
    }
}

#[test]
fn a_child_may_drop_what_it_got() {
    let mut own = belongings();
    let status = in_child(|| {
        // SAFETY: the child has a copy of everything, of which this is the only drop.
        drop(unsafe { std::ptr::read(&own) });
    });
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    // The parent has noticed nothing: the body is still lent, and the loan still taken.
    let mut copy = [std::mem::MaybeUninit::uninit(); 5000];
    assert_eq!(own.lent.copy_to(&mut copy), [1; 5000]);
    own.loan.fill(3);
    let blocks = own.a.sender.chunk_max() / 4096;
    let free: Vec<_> = std::iter::from_fn(|| own.a.sender.loan(4096)).collect();
    assert_eq!(free.len(), blocks - 2 - 1);
    drop(own.lent);
    assert!(own.a.sender.loan(8192).is_some());
    assert_eq!(own.b.receive(), Some(vec![2; 64]));
}

#[test]
fn a_child_that_goes_on_faults_and_harms_nobody() {
    let mut own = belongings();
    let uses: [fn(&mut Belongings); 4] = [
        |own| {
            own.a.sender.write(&[7; 64], false);
        },
        |own| {
            own.b.receiver.has_data();
            own.b.receiver.next().unwrap();
        },
        |own| own.loan.fill(7),
        |own| own.a.sender.publish(),
    ];
    for action in uses {
        let status = in_child(|| action(&mut own));
        assert!(
            matches!(status, WaitStatus::Signaled(_, Signal::SIGSEGV, _)),
            "{status:?}"
        );
    }
    assert_eq!(own.b.receive(), Some(vec![2; 64]));
    assert!(own.a.send(&[4; 64]));
    assert_eq!(own.b.receive(), Some(vec![4; 64]));
}
