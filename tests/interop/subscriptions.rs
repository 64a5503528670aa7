//! Subscriptions: over restarts, in thousands, and taken back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ringmq_tests::watchdog::within;

use crate::meet::{BINDS, next_subscription, tune_in, two};
use crate::peer::{self, ENGINES, Fault, Kind, PATIENCE, Parts, Peer, Wire};

const LIMIT: Duration = Duration::from_secs(300);

fn text(text: &str) -> Parts {
    vec![text.as_bytes().to_vec()]
}

/// Publishes `topic` until the subscriber has it.
fn publish_until_heard(publisher: &dyn Peer, subscriber: &dyn Peer, topic: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        publisher.send(&text(topic));
        match subscriber.recv_within(Duration::from_millis(5)) {
            Ok(parts) => return assert_eq!(parts, text(topic)),
            Err(fault) => assert_eq!(fault, Fault::Again),
        }
        assert!(Instant::now() < deadline, "{topic} is not heard");
    }
}

/// Takes what is on its way, up to and with `last`.
fn drain_to(subscriber: &dyn Peer, last: &str) {
    while subscriber.recv() != text(last) {}
}

#[test]
fn only_what_was_subscribed_to_arrives() {
    for engines in ENGINES {
        let ways = BINDS
            .into_iter()
            .flat_map(|binds| [(binds, Wire::Tcp), (binds, Wire::Web)]);
        for (binds, wire) in ways {
            within(LIMIT, move || {
                println!("{engines:?} {wire:?}");
                let (publisher, subscriber, _) = two(wire, engines, (Kind::Pub, Kind::Sub), binds);
                for topic in ["a", "bc", "control"] {
                    subscriber.subscribe(topic.as_bytes());
                }
                publish_until_heard(&*publisher, &*subscriber, "control");
                publisher.send(&text("control end"));
                drain_to(&*subscriber, "control end");
                for topic in ["", "b", "b c", "bb", "B", "bc", "bcd", "a", "ab", "c"] {
                    publisher.send(&text(topic));
                }
                // Matched by its first part alone.
                publisher.send(&[b"x".to_vec(), b"a".to_vec()]);
                publisher.send(&[b"a".to_vec(), b"x".to_vec()]);
                for topic in ["bc", "bcd", "a", "ab"] {
                    assert_eq!(subscriber.recv(), text(topic));
                }
                assert_eq!(subscriber.recv(), [b"a", b"x"]);
            });
        }
    }
}

#[test]
fn a_subscription_that_was_taken_back_ends() {
    for engines in ENGINES {
        within(LIMIT, move || {
            println!("{engines:?}");
            let (publisher, subscriber, _) = two(Wire::Tcp, engines, (Kind::XPub, Kind::Sub), BINDS[0]);
            let (publisher, subscriber) = (&*publisher, &*subscriber);
            for topic in ["a", "a", "b"] {
                subscriber.subscribe(topic.as_bytes());
            }
            assert_eq!(next_subscription(publisher, subscriber), text("\x01a"));
            assert_eq!(
                next_subscription(publisher, subscriber),
                text("\x01b"),
                "a topic is shown once"
            );
            // The first of two instances leaves the other.
            subscriber.unsubscribe(b"a");
            subscriber.unsubscribe(b"b");
            assert_eq!(next_subscription(publisher, subscriber), text("\x00b"));
            subscriber.unsubscribe(b"never");
            publisher.send(&text("b"));
            publisher.send(&text("a"));
            assert_eq!(subscriber.recv(), text("a"));
            subscriber.unsubscribe(b"a");
            assert_eq!(next_subscription(publisher, subscriber), text("\x00a"));
        });
    }
}

#[test]
fn an_xpub_learns_that_a_subscriber_has_gone() {
    for engines in ENGINES {
        within(LIMIT, move || {
            println!("{engines:?}");
            let (publisher, subscriber, endpoint) =
                two(Wire::Tcp, engines, (Kind::XPub, Kind::Sub), BINDS[0]);
            subscriber.subscribe(b"x");
            assert_eq!(publisher.recv(), text("\x01x"));
            let other = peer::new(engines.1, Kind::Sub);
            other.subscribe(b"x");
            other.subscribe(b"y");
            other.connect(&endpoint);
            assert_eq!(publisher.recv(), text("\x01y"));
            drop(subscriber);
            drop(other);
            let last: BTreeSet<Parts> = [publisher.recv(), publisher.recv()].into();
            assert_eq!(last, [text("\x00x"), text("\x00y")].into());
        });
    }
}

#[test]
fn a_subscriber_subscribes_again_when_the_publisher_restarts() {
    for engines in ENGINES {
        within(LIMIT, move || {
            println!("{engines:?}");
            let (mut publisher, subscriber, endpoint) =
                two(Wire::Tcp, engines, (Kind::Pub, Kind::Sub), BINDS[0]);
            for topic in ["one", "two", "gone"] {
                subscriber.subscribe(topic.as_bytes());
            }
            subscriber.unsubscribe(b"gone");
            for round in 0..4 {
                for topic in ["one", "two"] {
                    let last = format!("{topic} of round {round}");
                    publish_until_heard(&*publisher, &*subscriber, topic);
                    publisher.send(&text("gone"));
                    publisher.send(&text(&last));
                    drain_to(&*subscriber, &last);
                }
                drop(publisher);
                // Changes while nobody is there are part of what the next publisher is told.
                subscriber.subscribe(format!("late {round}").as_bytes());
                publisher = peer::new(engines.0, Kind::Pub);
                publisher.bind_patiently(&endpoint);
                let late = format!("late {round}");
                publish_until_heard(&*publisher, &*subscriber, &late);
                publisher.send(&text("one of all"));
                drain_to(&*subscriber, "one of all");
            }
        });
    }
}

/// The topics that an XPUB has been asked for once no more come.
fn all_requests(publisher: &dyn Peer, subscriber: &dyn Peer, count: usize) -> BTreeSet<Vec<u8>> {
    let mut topics = BTreeSet::new();
    while topics.len() < count {
        let request = next_subscription(publisher, subscriber).concat();
        let (&kind, topic) = request.split_first().expect("a request is not empty");
        assert_eq!(kind, 1, "nothing is cancelled");
        assert!(topics.insert(topic.to_vec()), "a topic is shown once");
    }
    assert_eq!(
        publisher.recv_within(Duration::from_millis(20)),
        Err(Fault::Again)
    );
    topics
}

#[test]
fn five_thousand_subscriptions_survive_restarts_of_the_publisher() {
    const COUNT: usize = 5000;
    for engines in ENGINES {
        within(LIMIT, move || {
            println!("{engines:?}");
            // Requests are messages to libzmq, and those beyond its high-water marks are dropped.
            let publisher = || {
                let publisher = peer::new(engines.0, Kind::XPub);
                publisher.set_receive_hwm(0);
                publisher
            };
            let mut xpub = publisher();
            let endpoint = xpub.bind_patiently(&peer::own_endpoint(Wire::Tcp));
            let subscriber = peer::new(engines.1, Kind::Sub);
            subscriber.set_send_hwm(0);
            subscriber.connect(&endpoint);
            let topics: BTreeSet<Vec<u8>> = (0..COUNT)
                .map(|number| format!("topic/{}/{number}", number % 17).into_bytes())
                .collect();
            for topic in &topics {
                subscriber.subscribe(topic);
            }
            for _ in 0..3 {
                assert!(all_requests(&*xpub, &*subscriber, COUNT) == topics);
                for number in [0, 1, COUNT / 2, COUNT - 1] {
                    let topic = format!("topic/{}/{number}", number % 17);
                    xpub.send(&text("topic/0/never"));
                    xpub.send(&text(&topic));
                    assert_eq!(subscriber.recv(), text(&topic));
                }
                drop(xpub);
                xpub = publisher();
                xpub.bind_patiently(&endpoint);
            }
        });
    }
}

#[test]
fn every_subscriber_gets_every_message_in_order() {
    const SUBSCRIBERS: usize = 8;
    for engines in ENGINES {
        within(LIMIT, move || {
            println!("{engines:?}");
            let publisher = peer::new(engines.0, Kind::Pub);
            publisher.set_send_hwm(0);
            let endpoint = publisher.bind_patiently(&peer::own_endpoint(Wire::Tcp));
            let subscribers: Vec<_> = (0..SUBSCRIBERS)
                .map(|_| {
                    let subscriber = peer::new(engines.1, Kind::Sub);
                    subscriber.subscribe(b"");
                    subscriber.connect(&endpoint);
                    tune_in(&*publisher, &*subscriber);
                    subscriber
                })
                .collect();
            for number in 0..2000_u32 {
                publisher.send(&[number.to_le_bytes().to_vec(), vec![7; number as usize % 500]]);
            }
            for subscriber in &subscribers {
                for number in 0..2000_u32 {
                    let parts = loop {
                        let parts = subscriber.recv();
                        // What brought the later subscribers in.
                        if parts.len() == 2 {
                            break parts;
                        }
                    };
                    assert_eq!(parts[0], number.to_le_bytes());
                    assert_eq!(parts[1], vec![7; number as usize % 500]);
                }
            }
        });
    }
}
