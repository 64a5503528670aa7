use std::{
    os::fd::AsRawFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::*;

fn is_readable(parker: &Parker) -> bool {
    let mut poll = libc::pollfd {
        fd: parker.fd().unwrap().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid entry, for the length of the call.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}

#[test]
fn nobody_asleep_costs_no_system_call() {
    let parker = Parker::new();
    (0..1000).for_each(|_| parker.wake());
    assert_eq!(parker.wakes(), 0);
    parker.arm(ParkOn::Futex);
    assert!(!parker.disarm());
    parker.wake();
    assert_eq!(parker.wakes(), 0);
}

#[test]
fn a_wake_between_arm_and_park_sticks_and_is_one_system_call() {
    let parker = Parker::new();
    parker.arm(ParkOn::Futex);
    (0..10).for_each(|_| parker.wake());
    assert!(parker.park(None));
    assert_eq!(parker.wakes(), 1);
    parker.arm(ParkOn::Futex);
    assert!(!parker.disarm());
}

#[test]
fn disarm_tells_of_a_wake() {
    let parker = Parker::new();
    parker.arm(ParkOn::Futex);
    parker.wake();
    assert!(parker.disarm());
    assert!(!parker.disarm());
}

#[test]
fn a_deadline_ends_the_sleep_and_leaves_the_parker_disarmed() {
    let parker = Parker::new();
    let deadline = Instant::now() + Duration::from_millis(3);
    parker.arm(ParkOn::Futex);
    assert_eq!(parker.park_until(Some(deadline)), ParkEnd::DeadlinePassed);
    assert!(Instant::now() >= deadline);
    parker.wake();
    assert_eq!(parker.wakes(), 0);
    parker.arm(ParkOn::Futex);
    assert!(!parker.park(Some(deadline)), "a deadline in the past");
}

#[test]
fn a_wake_beats_a_deadline_that_has_passed() {
    let parker = Parker::new();
    parker.arm(ParkOn::Futex);
    parker.wake();
    assert!(parker.park(Some(Instant::now())));
}

#[test]
fn a_distant_deadline_is_no_error() {
    let parker = Arc::new(Parker::new());
    parker.arm(ParkOn::Futex);
    let waker = Arc::clone(&parker);
    let waking = thread::spawn(move || {
        while waker.wakes() == 0 {
            waker.wake();
        }
    });
    let century = Duration::from_secs(100 * 365 * 86_400);
    assert_eq!(parker.park_until(Some(Instant::now() + century)), ParkEnd::Woken);
    waking.join().unwrap();
}

#[test]
fn park_without_arm_returns() {
    assert_eq!(Parker::new().park_until(None), ParkEnd::Interrupted);
}

#[test]
fn a_wake_makes_the_descriptor_readable_until_disarm() {
    let parker = Parker::new();
    parker.fd().unwrap();
    parker.wake();
    assert!(!is_readable(&parker), "the owner is awake");
    parker.arm(ParkOn::Fd);
    assert!(!is_readable(&parker));
    parker.wake();
    parker.wake();
    assert!(is_readable(&parker));
    assert_eq!(parker.wakes(), 1);
    assert!(parker.disarm());
    assert!(!is_readable(&parker));
}

#[test]
fn the_way_of_sleeping_may_change_from_sleep_to_sleep() {
    let parker = Parker::new();
    parker.fd().unwrap();
    for how in [ParkOn::Futex, ParkOn::Fd, ParkOn::Futex] {
        parker.arm(how);
        parker.wake();
        assert_eq!(is_readable(&parker), how == ParkOn::Fd);
        assert!(parker.disarm());
    }
}

#[test]
fn two_first_askers_get_the_same_descriptor() {
    let parker = Parker::new();
    let ask = || parker.fd().unwrap().as_raw_fd();
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(ask);
        (ask(), one.join().unwrap())
    });
    assert_eq!(one, other);
}

#[test]
#[should_panic(expected = "arm(Fd) before fd()")]
fn a_missing_descriptor_is_noticed() {
    Parker::new().arm(ParkOn::Fd);
}

#[test]
#[should_panic(expected = "armed twice")]
fn arming_twice_is_noticed() {
    let parker = Parker::new();
    parker.arm(ParkOn::Futex);
    parker.arm(ParkOn::Futex);
}

#[test]
fn a_parker_is_one_line() {
    assert_eq!(size_of::<Parker>(), 64);
}

#[test]
fn a_watched_descriptor_is_readable_from_a_wake_to_the_next_settle() {
    let parker = Parker::new();
    parker.fd().unwrap();
    parker.arm(ParkOn::Fd);
    assert!(!is_readable(&parker));
    for _ in 0..3 {
        parker.wake();
        parker.wake();
        assert!(is_readable(&parker));
        parker.settle();
        assert!(!is_readable(&parker));
    }
    assert_eq!(parker.wakes(), 3);
}

/// The owner sleeps on the descriptor alone and never disarms it: every value must make it readable.
#[test]
fn no_value_is_missed_by_an_owner_that_only_settles() {
    const COUNT: u32 = 20_000;
    let parker = Arc::new(Parker::new());
    let mailbox = Arc::new(crate::mailbox::Mailbox::new());
    parker.fd().unwrap();
    parker.arm(ParkOn::Fd);
    let (waker, sender) = (Arc::clone(&parker), Arc::clone(&mailbox));
    let pushing = thread::spawn(move || {
        for value in 0..COUNT {
            sender.push(value);
            waker.wake();
            if value % 16 == 0 {
                thread::yield_now();
            }
        }
    });
    let mut taken = Vec::new();
    while taken.len() < COUNT as usize {
        let mut poll = libc::pollfd {
            fd: parker.fd().unwrap().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // No timeout: a lost wake-up hangs the test.
        // SAFETY: one valid entry, for the length of the call.
        unsafe { libc::poll(&mut poll, 1, -1) };
        parker.settle();
        while !mailbox.is_empty() {
            mailbox.drain(&mut taken);
            parker.settle();
        }
    }
    pushing.join().unwrap();
    assert!(taken.into_iter().eq(0..COUNT));
}
