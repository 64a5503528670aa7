//! Both sides sleep for every message, and nobody has a timeout: a wake-up that is lost hangs the test.

use std::time::Duration;

use ringmq::{Context, Interest, Message, Pair, Poller};
use ringmq_core::{Error, SocketType, Wait};
use ringmq_io::{PollFd, wait_fds};
use ringmq_tests::process::{self, voluntary_switches};
use ringmq_tests::subject::Subject;
use ringmq_tests::watchdog::within;

use crate::{DRIVERS, NEIGHBOUR, PATIENCE, is_shared, new, often, own_name, wait_for};

const LONG: Duration = Duration::from_secs(600);

/// How often the main thread of a process has gone to sleep.
fn sleeps(pid: u32) -> u64 {
    let of_all = voluntary_switches(pid);
    let main = of_all.into_iter().find(|(task, _)| *task == pid.to_string());
    main.expect("a process has a main thread").1
}

fn sleepless_pair(endpoint: &str, driver: &str) -> (Pair, Subject) {
    let pair: Pair = new(&Context::new());
    pair.set_busy_poll(Some(Duration::ZERO));
    let events = pair.monitor();
    pair.bind(endpoint).unwrap();
    let child = Subject::start(NEIGHBOUR, &["echo", endpoint], Some(driver));
    wait_for(&events, is_shared);
    child.hear("ready");
    (pair, child)
}

#[test]
fn every_round_trip_wakes_both_sides() {
    for driver in DRIVERS {
        within(LONG, move || {
            let (pair, child) = sleepless_pair(&own_name(), driver);
            let rounds = often(10_000) as u64;
            let before = sleeps(child.pid());
            let mut message = Message::new();
            for round in 0..rounds {
                pair.send(&round.to_le_bytes()).unwrap();
                pair.recv_into(&mut message).unwrap();
                assert_eq!(*message, round.to_le_bytes());
            }
            let slept = sleeps(child.pid()) - before;
            println!("{driver}: {slept} sleeps in {rounds} round trips");
            // How many depends on the machine: an answer that comes within the first look spares both a sleep.
            assert!(slept > 0, "nobody has slept in {rounds} round trips");
        });
    }
}

#[test]
fn a_poller_is_always_woken() {
    for driver in DRIVERS {
        within(LONG, move || {
            let (one, _one) = sleepless_pair(&own_name(), driver);
            let (other, _other) = sleepless_pair(&own_name(), driver);
            let pairs = [&one, &other];
            let mut poller = Poller::new();
            for pair in pairs {
                poller.add(pair, Interest::Readable);
            }
            for round in 0..often(2000) as u64 {
                for pair in pairs {
                    pair.send(&round.to_le_bytes()).unwrap();
                }
                let mut missing = 2;
                while missing > 0 {
                    for event in poller.wait(None).unwrap() {
                        assert_eq!(*pairs[event.item].try_recv().unwrap(), round.to_le_bytes());
                        missing -= 1;
                    }
                }
            }
        });
    }
}

#[test]
fn whoever_watches_the_descriptor_is_always_woken() {
    for driver in DRIVERS {
        within(LONG, move || {
            let context = ringmq_core::Context::new(ringmq_core::ContextOptions::default());
            let mut pair = ringmq_core::Socket::new(&context, SocketType::Pair).unwrap();
            let events = pair.monitor(ringmq_core::monitor::EventMask::ALL);
            let endpoint = own_name();
            pair.bind(&endpoint).unwrap();
            let child = Subject::start(NEIGHBOUR, &["echo", &endpoint], Some(driver));
            wait_for(&events, is_shared);
            child.hear("ready");
            let mut message = ringmq_message::Message::new();
            let mut waits = 0;
            let rounds = often(10_000) as u64;
            for round in 0..rounds {
                pair.send_bytes(&round.to_le_bytes(), Wait::Forever).unwrap();
                loop {
                    match pair.recv(&mut message, Wait::No) {
                        Ok(()) => break,
                        Err(Error::WouldBlock) => {}
                        Err(error) => panic!("{error}"),
                    }
                    if pair.events().unwrap().readable {
                        continue;
                    }
                    let fd = pair.event_fd().unwrap();
                    wait_fds(&mut [PollFd::borrowed(fd, true, false)], None).unwrap();
                    waits += 1;
                }
                assert_eq!(*message, round.to_le_bytes());
            }
            assert!(waits > 0, "nobody has waited in {rounds} rounds");
        });
    }
}

#[test]
fn a_descriptor_tells_of_what_came_before_it_was_asked_for_and_after() {
    for before in [true, false] {
        within(LONG, move || {
            let context = ringmq_core::Context::new(ringmq_core::ContextOptions::default());
            let mut watched = ringmq_core::Socket::new(&context, SocketType::Pair).unwrap();
            let events = watched.monitor(ringmq_core::monitor::EventMask::ALL);
            let endpoint = own_name();
            watched.bind(&endpoint).unwrap();
            let peer: Pair = new(&Context::new());
            peer.connect(&endpoint).unwrap();
            wait_for(&events, is_shared);
            // With this everything that came by the connection has been looked at, and the ring is empty.
            peer.send("first").unwrap();
            let mut message = ringmq_message::Message::new();
            watched.recv(&mut message, Wait::Forever).unwrap();
            assert!(!watched.events().unwrap().readable);
            if before {
                peer.send("news").unwrap();
            }
            let fd = watched.event_fd().unwrap();
            if !before {
                peer.send("news").unwrap();
            }
            wait_fds(&mut [PollFd::borrowed(fd, true, false)], None).unwrap();
            // It may speak of other things first.
            while !watched.events().unwrap().readable {
                let fd = watched.event_fd().unwrap();
                wait_fds(&mut [PollFd::borrowed(fd, true, false)], None).unwrap();
            }
        });
    }
}

#[test]
fn at_rest_nobody_is_woken() {
    for driver in DRIVERS {
        within(LONG, move || {
            let (pair, child) = sleepless_pair(&own_name(), driver);
            pair.send("one").unwrap();
            assert_eq!(*pair.recv().unwrap(), *b"one");
            assert!(
                process::comes_to_rest(child.pid(), PATIENCE),
                "{driver}: threads wake up"
            );
            pair.send("two").unwrap();
            assert_eq!(*pair.recv().unwrap(), *b"two");
        });
    }
}
