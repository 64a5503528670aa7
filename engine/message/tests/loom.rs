//! Every interleaving and every reordering that the memory model allows, of giving blocks back to the thread they belong to.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ringmq-message --release --test loom`.
#![cfg(loom)]

use std::process::Command;

use loom::{model::Builder, thread};
use ringmq_message::pool::model::{Loan, Owner, weaken};

/// Explores every execution with at most three preemptions.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn write(mut loan: Loan) -> Loan {
    assert!(loan.try_write(), "nobody else has it");
    loan
}

/// The owner allocates while another thread frees: it gets the block back, or a new one, and either is its own.
fn freed_elsewhere() {
    let mut owner = Owner::new();
    let loan = write(owner.alloc());
    let other = thread::spawn(move || {
        loan.read();
        drop(loan);
    });
    drop(write(owner.alloc()));
    other.join().unwrap();
    drop(write(owner.alloc()));
}

#[test]
fn a_block_freed_elsewhere_comes_back_whole() {
    explore(freed_elsewhere);
}

/// Without the publishing exchange the owner may use a block while the other thread still does. Loom has to see it.
///
/// The model runs in a process of its own: loom's panic meets destructors that panic again.
#[test]
fn a_push_that_publishes_nothing_is_found() {
    const MODEL: &str = "RINGMQ_FAILING_MODEL";
    if std::env::var_os(MODEL).is_some() {
        weaken();
        return explore(freed_elsewhere);
    }
    let outcome = Command::new(std::env::current_exe().unwrap())
        .args([
            "a_push_that_publishes_nothing_is_found",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(MODEL, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(!outcome.status.success(), "the model was expected to fail");
    assert!(
        said.contains("Causality violation"),
        "failed in another way: {said}"
    );
}

#[test]
fn blocks_freed_by_two_threads_both_come_back() {
    explore(|| {
        let mut owner = Owner::new();
        let loans = [write(owner.alloc()), write(owner.alloc())];
        let others = loans.map(|loan| thread::spawn(move || drop(loan)));
        drop(write(owner.alloc()));
        others.into_iter().for_each(|other| other.join().unwrap());
        let (first, second) = (write(owner.alloc()), write(owner.alloc()));
        assert_ne!(first.address(), second.address());
    });
}

#[test]
fn the_last_of_two_holders_frees_after_the_other_has_read() {
    explore(|| {
        let mut owner = Owner::new();
        let mut first = write(owner.alloc());
        let second = first.clone();
        let other = thread::spawn(move || {
            second.read();
            drop(second);
        });
        first.try_write();
        drop(first);
        drop(write(owner.alloc()));
        other.join().unwrap();
    });
}

#[test]
fn an_owner_that_goes_leaves_no_block_behind() {
    explore(|| {
        let mut owner = Owner::new();
        let loan = write(owner.alloc());
        let other = thread::spawn(move || drop(loan));
        drop(owner);
        other.join().unwrap();
    });
}
