//! A process that is stopped holds nobody up beyond the high-water mark, costs nothing, and has lost nothing when it goes on.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;
use ringmq::{Context, Error, Push, Router};
use ringmq_tests::subject::Subject;
use ringmq_tests::watchdog::within;

use crate::{DRIVERS, LIMIT, NEIGHBOUR, PATIENCE, is_disconnected, is_shared, new, own_name, wait_for};

const STOPPED: Duration = Duration::from_millis(500);

fn signal(child: &Subject, signal: Signal) {
    kill(Pid::from_raw(child.pid() as i32), signal).unwrap();
}

/// Processor time of this thread, in milliseconds.
fn own_time() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds()
}

#[test]
fn a_receiver_that_is_stopped() {
    within(LIMIT, || {
        for driver in DRIVERS {
            for len in [8, 5000, 200_000] {
                let push: Push = new(&Context::new());
                push.set_send_hwm(50);
                let events = push.monitor();
                let endpoint = own_name();
                push.bind(&endpoint).unwrap();
                let count = 400;
                let child =
                    Subject::start(NEIGHBOUR, &["receive", "connect", &endpoint, "400"], Some(driver));
                wait_for(&events, is_shared);
                child.hear("ready");
                let send = |number: u64| {
                    let mut bytes = vec![number as u8; len];
                    bytes[..8].copy_from_slice(&number.to_le_bytes());
                    push.try_send(bytes)
                };
                let mut next = 0;
                while next < 20 {
                    next += u64::from(send(next).is_ok());
                }
                signal(&child, Signal::SIGSTOP);
                let before = next;
                while send(next).is_ok() {
                    next += 1;
                }
                // Some that were on their way before may not have been taken.
                assert!(
                    next - before <= 100 && next >= 80,
                    "{before} to {next}: the mark is twice 50"
                );
                let start = own_time();
                let refused = push.send_within("", STOPPED).unwrap_err();
                assert!(matches!(refused.error, Error::TimedOut));
                let used = own_time() - start;
                assert!(used < 100, "{used} ms of processor time to wait for {STOPPED:?}");
                signal(&child, Signal::SIGCONT);
                while next < count {
                    if send(next).is_ok() {
                        next += 1;
                    } else {
                        std::thread::yield_now();
                    }
                }
                assert_eq!(
                    child.hear("got"),
                    format!("0 {} 0", count - 1),
                    "{driver}, {len} bytes"
                );
                wait_for(&events, is_disconnected);
            }
        }
    });
}

#[test]
fn a_sender_that_is_stopped() {
    within(LIMIT, || {
        for driver in DRIVERS {
            for len in ["8", "5000", "200000"] {
                let router: Router = new(&Context::new());
                let events = router.monitor();
                let endpoint = own_name();
                router.bind(&endpoint).unwrap();
                let child = Subject::start(NEIGHBOUR, &["send", &endpoint, "1000000", len], Some(driver));
                wait_for(&events, is_shared);
                let hello = router.recv_multipart().unwrap();
                router.send_multipart(hello).unwrap();
                let mut next = 0_u64;
                let mut receive = |limit: Duration| -> Result<(), Error> {
                    router.recv_within(limit)?;
                    let came = router.recv().unwrap();
                    assert_eq!(came[..8], next.to_le_bytes(), "{driver}, {len} bytes");
                    next += 1;
                    Ok(())
                };
                for _ in 0..3 {
                    for _ in 0..50 {
                        receive(PATIENCE).unwrap();
                    }
                    signal(&child, Signal::SIGSTOP);
                    // What it had published is still there; then nothing comes, which costs nothing.
                    while receive(Duration::from_millis(100)).is_ok() {}
                    let start = own_time();
                    assert!(matches!(receive(STOPPED), Err(Error::TimedOut)));
                    let used = own_time() - start;
                    assert!(used < 100, "{used} ms of processor time to wait for {STOPPED:?}");
                    signal(&child, Signal::SIGCONT);
                }
                receive(PATIENCE).unwrap();
            }
        }
    });
}
