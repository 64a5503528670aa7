//! Every interleaving and every reordering that the memory model allows, on the production code.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ringmq-queue --release --test loom`. Nothing in a model ends by itself: a
//! lost wake-up leaves a thread asleep, which loom reports as a deadlock. The tests that must fail show that it does.
#![cfg(loom)]

mod models;

use loom::thread;
use models::{explore, must_fail};
use ringmq_queue::{
    barrier::{heavy_fence, light_fence},
    biased::BiasedLock,
    mailbox::Mailbox,
    spsc::{self, Consumer, Full},
    sync::{Arc, UnsafeCell},
    wake::{ParkOn, Parker},
};

/// Runs a model that has to deadlock; see [`must_fail`].
fn must_deadlock(test: &str, preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    must_fail(test, "deadlock; threads", preemptions, model);
}

fn nothing() {}

/// The two fences of the handshake, so that a model can leave one out.
#[derive(Clone, Copy)]
struct Fences {
    busy: fn(),
    sleeper: fn(),
}

const BOTH: Fences = Fences {
    busy: light_fence,
    sleeper: heavy_fence,
};
const NONE_ON_THE_BUSY_SIDE: Fences = Fences {
    busy: nothing,
    ..BOTH
};
const NONE_ON_THE_SLEEPING_SIDE: Fences = Fences {
    sleeper: nothing,
    ..BOTH
};

impl Fences {
    fn wake(self, parker: &Parker) {
        (self.busy)();
        parker.wake_fenced();
    }

    fn sleep_unless(self, parker: &Parker, how: ParkOn, ready: impl FnOnce() -> bool) {
        parker.arm_unfenced(how);
        (self.sleeper)();
        if ready() {
            parker.disarm();
        } else if how == ParkOn::Futex {
            parker.park(None);
        } else {
            parker.poll_fd();
            parker.disarm();
        }
    }
}

fn receive<T>(from: &mut Consumer<T>, parker: &Parker, how: ParkOn, fences: Fences) -> T {
    loop {
        if let Some(value) = from.pop() {
            return value;
        }
        fences.sleep_unless(parker, how, || !from.is_empty());
    }
}

/// A producer publishes `count` values, a consumer sleeps for each.
fn values_wake_the_consumer(count: u32, how: ParkOn, fences: Fences) {
    let (mut producer, mut consumer) = spsc::ring(2);
    let parker = Arc::new(Parker::new());
    let waker = Arc::clone(&parker);
    let pushing = thread::spawn(move || {
        for value in 0..count {
            producer.try_push(value).unwrap();
            fences.wake(&waker);
        }
    });
    for expected in 0..count {
        assert_eq!(receive(&mut consumer, &parker, how, fences), expected);
    }
    pushing.join().unwrap();
}

#[test]
fn no_wake_up_is_lost_on_a_futex() {
    explore(6, || values_wake_the_consumer(2, ParkOn::Futex, BOTH));
}

#[test]
fn no_wake_up_is_lost_on_a_descriptor() {
    explore(6, || values_wake_the_consumer(2, ParkOn::Fd, BOTH));
}

/// An event loop's descriptor: announced once, settled after each poll, never disarmed by its owner. `looks_again` is the
/// look at the ring after settling.
fn values_ring_a_watched_descriptor(looks_again: bool) {
    let (mut producer, mut consumer) = spsc::ring(2);
    let parker = Arc::new(Parker::new());
    let waker = Arc::clone(&parker);
    parker.arm(ParkOn::Fd);
    let pushing = thread::spawn(move || {
        for value in 0..2 {
            producer.try_push(value).unwrap();
            waker.wake();
        }
    });
    let mut expected = 0;
    while expected < 2 {
        parker.poll_fd();
        if looks_again {
            parker.settle();
        }
        while let Some(value) = consumer.pop() {
            assert_eq!(value, expected);
            expected += 1;
            if looks_again {
                parker.settle();
            }
        }
        if !looks_again {
            parker.settle();
        }
    }
    pushing.join().unwrap();
}

#[test]
fn no_value_is_missed_by_a_watched_descriptor() {
    explore(4, || values_ring_a_watched_descriptor(true));
}

#[test]
fn without_a_look_after_settling_a_watched_descriptor_stays_silent() {
    must_deadlock(
        "without_a_look_after_settling_a_watched_descriptor_stays_silent",
        4,
        || values_ring_a_watched_descriptor(false),
    );
}

#[test]
fn without_the_fence_of_the_busy_side_a_wake_up_is_lost() {
    must_deadlock("without_the_fence_of_the_busy_side_a_wake_up_is_lost", 4, || {
        values_wake_the_consumer(1, ParkOn::Futex, NONE_ON_THE_BUSY_SIDE)
    });
}

#[test]
fn without_the_fence_of_the_sleeper_a_wake_up_is_lost() {
    must_deadlock("without_the_fence_of_the_sleeper_a_wake_up_is_lost", 4, || {
        values_wake_the_consumer(1, ParkOn::Futex, NONE_ON_THE_SLEEPING_SIDE)
    });
}

#[test]
fn without_the_fence_of_the_busy_side_a_descriptor_stays_silent() {
    must_deadlock(
        "without_the_fence_of_the_busy_side_a_descriptor_stays_silent",
        3,
        || values_wake_the_consumer(1, ParkOn::Fd, NONE_ON_THE_BUSY_SIDE),
    );
}

/// `Parker::arm` and `Parker::wake` as users call them, with their fences inside.
#[test]
fn the_fences_are_inside_arm_and_wake() {
    explore(6, || {
        let (mut producer, mut consumer) = spsc::ring(1);
        let parker = Arc::new(Parker::new());
        let waker = Arc::clone(&parker);
        let pushing = thread::spawn(move || {
            producer.try_push(7).unwrap();
            waker.wake();
        });
        let value = loop {
            if let Some(value) = consumer.pop() {
                break value;
            }
            parker.arm(ParkOn::Futex);
            if consumer.is_empty() {
                parker.park(None);
            } else {
                parker.disarm();
            }
        };
        assert_eq!(value, 7);
        pushing.join().unwrap();
    });
}

#[test]
fn without_the_second_look_a_wake_up_is_lost() {
    must_deadlock("without_the_second_look_a_wake_up_is_lost", 4, || {
        let (mut producer, mut consumer) = spsc::ring(1);
        let parker = Arc::new(Parker::new());
        let waker = Arc::clone(&parker);
        let pushing = thread::spawn(move || {
            producer.try_push(7).unwrap();
            waker.wake();
        });
        while consumer.pop().is_none() {
            parker.arm(ParkOn::Futex);
            parker.park(None);
        }
        pushing.join().unwrap();
    });
}

/// A ring of one slot: the producer sleeps for room and the consumer for values.
fn room_wakes_the_producer(fences: Fences) {
    let (mut producer, mut consumer) = spsc::ring(1);
    let parkers = Arc::new([Parker::new(), Parker::new()]);
    let shared = Arc::clone(&parkers);
    let pushing = thread::spawn(move || {
        let [producing, consuming] = &*shared;
        for mut value in 0..2 {
            while let Err(Full(back)) = producer.try_push(value) {
                value = back;
                fences.sleep_unless(producing, ParkOn::Futex, || producer.free() > 0);
            }
            BOTH.wake(consuming);
        }
    });
    let [producing, consuming] = &*parkers;
    for expected in 0..2 {
        assert_eq!(receive(&mut consumer, consuming, ParkOn::Futex, BOTH), expected);
        if consumer.take_released() {
            fences.wake(producing);
        }
    }
    pushing.join().unwrap();
}

#[test]
fn no_wake_up_for_room_is_lost() {
    explore(4, || room_wakes_the_producer(BOTH));
}

#[test]
fn without_the_fence_of_the_busy_side_room_goes_unnoticed() {
    must_deadlock(
        "without_the_fence_of_the_busy_side_room_goes_unnoticed",
        2,
        || room_wakes_the_producer(NONE_ON_THE_BUSY_SIDE),
    );
}

/// The consumer takes one of two values and sleeps elsewhere; the producer needs the slot.
fn slots_are_released_before_sleeping(release: bool) {
    let (mut producer, mut consumer) = spsc::ring(4);
    (0..4).for_each(|value| producer.try_push(value).unwrap());
    let parkers = Arc::new([Parker::new(), Parker::new()]);
    let shared = Arc::clone(&parkers);
    let pushing = thread::spawn(move || {
        let [producing, consuming] = &*shared;
        while producer.try_push(4).is_err() {
            BOTH.sleep_unless(producing, ParkOn::Futex, || producer.free() > 0);
        }
        BOTH.wake(consuming);
    });
    let [producing, consuming] = &*parkers;
    assert_eq!(consumer.pop(), Some(0));
    if release && consumer.release() {
        BOTH.wake(producing);
    }
    while consumer.len() < 4 {
        BOTH.sleep_unless(consuming, ParkOn::Futex, || consumer.len() == 4);
    }
    pushing.join().unwrap();
}

#[test]
fn released_slots_reach_a_sleeping_producer() {
    explore(6, || slots_are_released_before_sleeping(true));
}

#[test]
fn slots_kept_while_sleeping_stop_both_sides() {
    must_deadlock("slots_kept_while_sleeping_stop_both_sides", 4, || {
        slots_are_released_before_sleeping(false)
    });
}

#[test]
fn two_wakers_make_at_most_one_system_call_per_sleep() {
    explore(4, || {
        let parker = Arc::new(Parker::new());
        let wakers: Vec<_> = (0..2)
            .map(|_| {
                let parker = Arc::clone(&parker);
                thread::spawn(move || parker.wake())
            })
            .collect();
        parker.arm(ParkOn::Futex);
        parker.disarm();
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
        assert!(parker.wakes() <= 1);
    });
}

/// The boxes make loom check every access to a slot and report what is not freed.
#[test]
fn values_cross_a_full_ring() {
    explore(6, || {
        let (mut producer, mut consumer) = spsc::ring(2);
        let pushing = thread::spawn(move || {
            for value in 0..3 {
                let mut value = Box::new(value);
                while let Err(Full(back)) = producer.try_push(value) {
                    value = back;
                    thread::yield_now();
                }
            }
        });
        for expected in 0..3 {
            let value = loop {
                match consumer.pop() {
                    Some(value) => break value,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(*value, expected);
        }
        pushing.join().unwrap();
    });
}

#[test]
fn a_batch_is_seen_whole_or_not_at_all() {
    explore(6, || {
        let (mut producer, mut consumer) = spsc::ring(4);
        let pushing = thread::spawn(move || {
            producer.stage(1).unwrap();
            producer.stage(2).unwrap();
            producer.publish();
            producer.stage(3).unwrap();
        });
        if let Some(first) = consumer.pop() {
            assert_eq!((first, consumer.pop()), (1, Some(2)));
        }
        pushing.join().unwrap();
        while let Some(value) = consumer.pop() {
            assert_ne!(value, 3, "never published");
        }
    });
}

#[test]
fn what_was_published_is_visible_once_the_producer_is_gone() {
    explore(6, || {
        let (mut producer, mut consumer) = spsc::ring(2);
        let pushing = thread::spawn(move || producer.try_push(1).unwrap());
        if consumer.is_abandoned() {
            assert_eq!(consumer.pop(), Some(1));
        }
        pushing.join().unwrap();
    });
}

#[test]
fn every_value_is_dropped_once_whoever_goes_first() {
    explore(6, || {
        let token = Arc::new(());
        let (mut producer, mut consumer) = spsc::ring(4);
        let copy = Arc::clone(&token);
        let pushing = thread::spawn(move || {
            producer.try_push(Arc::clone(&copy)).unwrap();
            producer.try_push(Arc::clone(&copy)).unwrap();
            producer.stage(copy).unwrap();
        });
        drop(consumer.pop());
        drop(consumer);
        pushing.join().unwrap();
        assert_eq!(Arc::strong_count(&token), 1);
    });
}

/// Two senders and an owner that sleeps until it has both commands.
fn mailbox_wakes_its_owner(fences: Fences) {
    let shared = Arc::new((Mailbox::new(), Parker::new()));
    let senders: Vec<_> = (0..2)
        .map(|sender| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.push(sender);
                fences.wake(&shared.1);
            })
        })
        .collect();
    let mut commands = Vec::new();
    while commands.len() < 2 {
        fences.sleep_unless(&shared.1, ParkOn::Futex, || !shared.0.is_empty());
        shared.0.drain(&mut commands);
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    commands.sort_unstable();
    assert_eq!(commands, [0, 1]);
}

#[test]
fn a_mailbox_wakes_its_owner() {
    explore(3, || mailbox_wakes_its_owner(BOTH));
}

#[test]
fn without_the_fence_of_the_sender_a_command_is_forgotten() {
    must_deadlock(
        "without_the_fence_of_the_sender_a_command_is_forgotten",
        2,
        || mailbox_wakes_its_owner(NONE_ON_THE_BUSY_SIDE),
    );
}

/// A thread with the habit and one without add to a number under the lock. Both sleep where they have to wait.
fn holders_exclude_each_other(fence: fn(), gives_back: bool) {
    let shared = Arc::new((BiasedLock::new(), UnsafeCell::new(0)));
    let add = move |shared: &(BiasedLock, UnsafeCell<u32>), me| {
        let held = shared.0.enter_with(me, || false, fence);
        // SAFETY: this thread has the lock, which is what the model checks.
        shared.1.with_mut(|number| unsafe { *number += 1 });
        drop(held);
    };
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || add(&shared, 2))
    };
    add(&shared, 1);
    if gives_back {
        drop(shared.0.enter_last(1, || false));
    }
    add(&shared, 1);
    other.join().unwrap();
    // SAFETY: the other thread has ended.
    assert_eq!(shared.1.with(|number| unsafe { *number }), 3);
}

#[test]
fn a_biased_lock_excludes() {
    explore(3, || holders_exclude_each_other(light_fence, false));
}

#[test]
fn a_biased_lock_excludes_when_the_privilege_is_given_back() {
    explore(3, || holders_exclude_each_other(light_fence, true));
}

#[test]
fn without_the_fence_of_the_privileged_two_are_inside() {
    must_fail(
        "without_the_fence_of_the_privileged_two_are_inside",
        "Causality violation",
        2,
        || holders_exclude_each_other(nothing, false),
    );
}
