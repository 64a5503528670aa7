//! PUB, SUB, XPUB and XSUB (RFC 29).

use std::time::Duration;

use ringmq::{Context, Error, Message, Pub, Sub, XPub, XSub, XpubManual, XpubVerbosity};

use crate::{
    MOMENT, TRANSPORTS, Transport, assert_silent, eventually, join, next_number, receiver, sender, socket,
    texts,
};

/// Publishes until the subscriber, which wants it, has got what was published last: from then on its subscriptions are known,
/// and it has read all that came before.
fn publish_until_heard(publisher: &Pub, subscriber: &Sub, topic: &str) {
    let mut number = 0;
    eventually("the subscription arrives", || {
        number = next_number();
        publisher
            .send_multipart([topic.as_bytes(), &number.to_le_bytes()])
            .unwrap();
        subscriber.recv_within(Duration::from_millis(1)).is_ok()
    });
    // The one that was heard may have been an earlier one.
    while subscriber.recv().unwrap() != number.to_le_bytes() {}
}

#[test]
fn a_subscriber_gets_what_it_wants() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
        subscriber.subscribe("a.").unwrap();
        subscriber.subscribe("b.c").unwrap();
        join(transport, &publisher, &subscriber);
        publish_until_heard(&publisher, &subscriber, "b.c");
        for topic in ["a", "a.", "a.x", "b.", "b.cd", "c", ""] {
            publisher.send_multipart([topic, "body"]).unwrap();
        }
        for topic in ["a.", "a.x", "b.cd"] {
            assert_eq!(texts(&subscriber), [topic, "body"]);
        }
        assert_silent(&subscriber);
    }
}

#[test]
fn subscriptions_are_counted_at_the_subscriber() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, Sub) = (socket(&context), receiver(&context));
        subscriber.subscribe("twice").unwrap();
        subscriber.subscribe("twice").unwrap();
        join(transport, &publisher, &subscriber);
        assert_eq!(texts(&publisher), ["\u{1}twice"]);
        subscriber.unsubscribe("twice").unwrap();
        assert_silent(&publisher);
        subscriber.unsubscribe("never subscribed").unwrap();
        subscriber.unsubscribe("twice").unwrap();
        assert_eq!(texts(&publisher), ["\0twice"]);
    }
}

/// Publishers that come while a bound subscriber subscribes learn of what is subscribed to before, meanwhile and after that.
#[test]
fn a_publisher_that_comes_between_two_subscriptions_misses_none() {
    const TOPICS: usize = 900;
    const PUBLISHERS: usize = 30;
    for transport in TRANSPORTS {
        let context = Context::new();
        let subscriber: Sub = receiver(&context);
        subscriber.bind(&transport.endpoint()).unwrap();
        let publishers: Vec<Pub> = (0..PUBLISHERS).map(|_| sender(&context)).collect();
        for topic in 0..TOPICS {
            if topic % (TOPICS / PUBLISHERS) == 0 {
                let publisher = &publishers[topic / (TOPICS / PUBLISHERS)];
                publisher.connect(&subscriber.last_endpoint()).unwrap();
            }
            subscriber.subscribe(topic.to_string()).unwrap();
            subscriber.subscribe("for a moment").unwrap();
            subscriber.unsubscribe("for a moment").unwrap();
        }
        for (index, publisher) in publishers.iter().enumerate() {
            eventually("all topics are known", || {
                // A subscriber that never looks does not see who has come.
                subscriber.try_recv().unwrap_err();
                let known = publisher.topics_count().unwrap();
                assert!(
                    known <= TOPICS + 1,
                    "{transport:?}, publisher {index} knows {known}"
                );
                known == TOPICS
            });
        }
    }
}

/// Whole sockets on a thread with a small stack: what is subscribed to is cancelled, and what is left goes with its socket.
#[test]
fn a_hundred_thousand_subscriptions_come_and_go_on_a_small_stack() {
    const TOPICS: usize = 100_000;
    const DEPTH: usize = 1_000;
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    let come_and_go = || {
        let context = Context::new();
        let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
        join(Transport::Inproc, &publisher, &subscriber);
        let nest = "n".repeat(DEPTH);
        let topics: Vec<String> = (0..TOPICS)
            .map(|number| format!("topic {number}"))
            .chain((1..=DEPTH).map(|length| nest[..length].to_owned()))
            .collect();
        for topic in &topics {
            subscriber.subscribe(topic).unwrap();
        }
        assert_eq!(publisher.topics_count().unwrap(), TOPICS + DEPTH);
        for topic in &topics {
            subscriber.unsubscribe(topic).unwrap();
        }
        assert_eq!(publisher.topics_count().unwrap(), 0);
        for topic in &topics {
            subscriber.subscribe(topic).unwrap();
        }
        assert_eq!(publisher.topics_count().unwrap(), TOPICS + DEPTH);
        drop(publisher);
        drop(subscriber);
    };
    small.spawn(come_and_go).unwrap().join().unwrap();
}

#[test]
fn a_publisher_learns_of_changes_or_of_everything() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: XPub = socket(&context);
        publisher.bind(&transport.endpoint()).unwrap();
        let [first, second]: [Sub; 2] = std::array::from_fn(|_| receiver(&context));
        for subscriber in [&first, &second] {
            subscriber.connect(&publisher.last_endpoint()).unwrap();
        }
        first.subscribe("t").unwrap();
        assert_eq!(texts(&publisher), ["\u{1}t"]);
        second.subscribe("t").unwrap();
        assert_silent(&publisher);
        first.unsubscribe("t").unwrap();
        assert_silent(&publisher);
        publisher.set_xpub_verbosity(XpubVerbosity::All);
        first.subscribe("t").unwrap();
        assert_eq!(texts(&publisher), ["\u{1}t"]);
        first.unsubscribe("t").unwrap();
        assert_eq!(texts(&publisher), ["\0t"]);
        publisher.set_xpub_verbosity(XpubVerbosity::Changes);
        drop(second);
        assert_eq!(texts(&publisher), ["\0t"], "the last holder is gone");
    }
}

#[test]
fn an_xsub_subscribes_by_sending_and_does_not_filter() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, XSub) = (socket(&context), socket(&context));
        join(transport, &publisher, &subscriber);
        subscriber.send("\u{1}topic").unwrap();
        assert_eq!(texts(&publisher), ["\u{1}topic"]);
        subscriber.send("upstream").unwrap();
        assert_eq!(texts(&publisher), ["upstream"]);
        publisher.send("topic is this").unwrap();
        assert_eq!(texts(&subscriber), ["topic is this"]);
        subscriber.send("\0topic").unwrap();
        assert_eq!(texts(&publisher), ["\0topic"]);
        publisher.send("topic nobody wants").unwrap();
        assert_silent(&subscriber);
    }
}

#[test]
fn a_slow_subscriber_misses_messages_and_costs_the_others_nothing() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: Pub = sender(&context);
        publisher.set_send_hwm(1000);
        publisher.bind(&transport.endpoint()).unwrap();
        let [quick, slow]: [Sub; 2] = std::array::from_fn(|_| receiver(&context));
        for subscriber in [&quick, &slow] {
            subscriber.set_receive_hwm(5);
            subscriber.subscribe("").unwrap();
            subscriber.connect(&publisher.last_endpoint()).unwrap();
            publish_until_heard(&publisher, subscriber, "go");
        }
        publish_until_heard(&publisher, &quick, "go");
        // Far more than all buffers on the way to the slow one hold.
        let body = vec![1; 50_000];
        for number in 0..2_000_u32 {
            publisher
                .send_multipart([&number.to_le_bytes()[..], &body])
                .unwrap();
            let parts = quick.recv_multipart().unwrap();
            assert_eq!(*parts[0], number.to_le_bytes());
        }
        // What the slow one gets is whole and in order.
        let queued = publisher
            .peers()
            .iter()
            .map(|peer| peer.statistics.sent.messages)
            .min();
        let mut last = None;
        let mut count = 0;
        while slow.counters().read().received.messages < queued.unwrap() {
            let parts = slow.recv_multipart().unwrap();
            if *parts[0] == *b"go" {
                continue;
            }
            let number = u32::from_le_bytes((*parts[0]).try_into().unwrap());
            assert!(last < Some(number));
            last = Some(number);
            assert_eq!(parts[1].len(), body.len());
            count += 1;
        }
        assert_silent(&slow);
        assert!((1..2_000).contains(&count), "{count} came");
    }
}

#[test]
fn a_publisher_that_drops_nothing_waits() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, Sub) = (socket(&context), receiver(&context));
        publisher.set_xpub_nodrop(true);
        publisher.set_send_hwm(5);
        subscriber.set_receive_hwm(5);
        subscriber.subscribe("").unwrap();
        join(transport, &publisher, &subscriber);
        texts(&publisher);
        let body = vec![1; 100_000];
        let mut sent = 0;
        let refused = loop {
            match publisher.send_within(body.as_slice(), MOMENT) {
                Ok(()) => sent += 1,
                Err(failed) => break failed.error,
            }
        };
        assert!(matches!(refused, Error::TimedOut));
        for _ in 0..sent {
            assert_eq!(subscriber.recv().unwrap().len(), body.len());
        }
        publisher.send("room again").unwrap();
        assert_eq!(texts(&subscriber), ["room again"]);
    }
}

#[test]
fn an_inverted_subscription_excludes() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, Sub) = (socket(&context), receiver(&context));
        publisher.set_invert_matching(true);
        subscriber.set_invert_matching(true);
        subscriber.subscribe("not this").unwrap();
        join(transport, &publisher, &subscriber);
        texts(&publisher);
        publisher.send("not this one").unwrap();
        publisher.send("but this").unwrap();
        assert_eq!(texts(&subscriber), ["but this"]);
    }
}

#[test]
fn xpub_manual_leaves_the_decision_to_the_owner() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, Sub) = (socket(&context), receiver(&context));
        let refused = publisher.subscribe_requester("A").unwrap_err();
        assert!(matches!(refused, Error::NotSupported));
        publisher.set_xpub_manual(XpubManual::On);
        // Nobody has asked yet.
        publisher.subscribe_requester("A").unwrap();
        join(transport, &publisher, &subscriber);
        subscriber.subscribe("A").unwrap();
        subscriber.subscribe("XA").unwrap();
        assert_eq!(texts(&publisher), ["\u{1}A"]);
        assert_eq!(publisher.topics_count().unwrap(), 0);
        publisher.subscribe_requester("XA").unwrap();
        assert_eq!(publisher.topics_count().unwrap(), 1);
        assert_eq!(texts(&publisher), ["\u{1}XA"]);
        publisher.send("A").unwrap();
        publisher.send("XA").unwrap();
        assert_eq!(texts(&subscriber), ["XA"]);
        subscriber.unsubscribe("A").unwrap();
        assert_eq!(texts(&publisher), ["\0A"]);
        publisher.unsubscribe_requester("XA").unwrap();
        publisher.send("XA").unwrap();
        assert_silent(&subscriber);
        // The peer goes: what it had asked for and not taken back is cancelled.
        drop(subscriber);
        assert_eq!(texts(&publisher), ["\0XA"]);
        publisher.subscribe_requester("A").unwrap();
        assert_eq!(publisher.topics_count().unwrap(), 0);
        assert_silent(&publisher);
    }
}

#[test]
fn xpub_manual_last_value_answers_the_requester_alone() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: XPub = socket(&context);
        publisher.set_xpub_manual(XpubManual::LastValue);
        publisher.bind(&transport.endpoint()).unwrap();
        let [first, second]: [Sub; 2] = std::array::from_fn(|_| receiver(&context));
        for subscriber in [&first, &second] {
            subscriber.connect(&publisher.last_endpoint()).unwrap();
            subscriber.subscribe("t").unwrap();
            assert_eq!(texts(&publisher), ["\u{1}t"]);
            publisher.subscribe_requester("t").unwrap();
            publisher.send("t, the last value").unwrap();
            assert_eq!(texts(subscriber), ["t, the last value"]);
        }
        publisher.send("t, for all").unwrap();
        for subscriber in [&first, &second] {
            assert_eq!(texts(subscriber), ["t, for all"]);
        }
    }
}

#[test]
fn xpub_welcomes_every_subscriber() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, Sub) = (socket(&context), receiver(&context));
        publisher.set_xpub_welcome("W");
        subscriber.subscribe("W").unwrap();
        join(transport, &publisher, &subscriber);
        assert_eq!(texts(&publisher), ["\u{1}W"]);
        assert_eq!(texts(&subscriber), ["W"]);
        let other: Sub = receiver(&context);
        other.subscribe("topic").unwrap();
        other.connect(&publisher.last_endpoint()).unwrap();
        assert_eq!(texts(&publisher), ["\u{1}topic"]);
        publisher.send("topic").unwrap();
        assert_eq!(
            texts(&other),
            ["topic"],
            "a welcome that it has not subscribed to is filtered"
        );
    }
}

#[test]
fn xpub_shows_what_its_verbosity_says() {
    for transport in TRANSPORTS {
        for (verbosity, shown) in [
            (XpubVerbosity::Changes, &["\u{1}t", "\0t"][..]),
            (XpubVerbosity::Subscriptions, &["\u{1}t", "\u{1}t", "\0t"]),
            (XpubVerbosity::All, &["\u{1}t", "\u{1}t", "\0t", "\0t"]),
        ] {
            let context = Context::new();
            let publisher: XPub = socket(&context);
            publisher.set_xpub_verbosity(verbosity);
            publisher.bind(&transport.endpoint()).unwrap();
            let subscribers: [XSub; 2] = std::array::from_fn(|_| socket(&context));
            for subscriber in &subscribers {
                subscriber.connect(&publisher.last_endpoint()).unwrap();
            }
            let mut seen = Vec::new();
            for (number, request) in ["\u{1}t", "\0t"].into_iter().enumerate() {
                for (subscriber, name) in subscribers.iter().zip(["one", "other"]) {
                    subscriber.send(request).unwrap();
                    // A request behind it says when it has been dealt with.
                    let last = format!("\u{1}{name} {number}");
                    subscriber.send(last.as_str()).unwrap();
                    loop {
                        match texts(&publisher).remove(0) {
                            text if text == last => break,
                            text => seen.push(text),
                        }
                    }
                }
            }
            assert_eq!(seen, shown, "{verbosity:?} over {transport:?}");
        }
    }
}

#[test]
fn any_part_may_subscribe_or_only_the_first() {
    for transport in TRANSPORTS {
        for only_first in [false, true] {
            let context = Context::new();
            let (publisher, subscriber): (XPub, XSub) = (socket(&context), socket(&context));
            publisher.set_only_first_subscribe(only_first);
            subscriber.set_only_first_subscribe(only_first);
            join(transport, &publisher, &subscriber);
            subscriber.send_multipart(["for you", "\u{1}A"]).unwrap();
            subscriber.send_multipart(["\u{1}B", "\u{1}C"]).unwrap();
            // Subscriptions and messages of an XSUB do not wait for each other.
            let mut parts = Vec::new();
            while parts.len() < 4 {
                parts.extend(texts(&publisher));
            }
            parts.sort();
            assert_eq!(parts, ["\u{1}A", "\u{1}B", "\u{1}C", "for you"]);
            let topics = if only_first { 2 } else { 3 };
            assert_eq!(
                publisher.topics_count().unwrap(),
                topics,
                "only first: {only_first}"
            );
            assert_eq!(subscriber.topics_count().unwrap(), topics);
        }
    }
}

#[test]
fn an_empty_message_of_an_xsub_is_a_message() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, XSub) = (socket(&context), socket(&context));
        join(transport, &publisher, &subscriber);
        subscriber.send("").unwrap();
        assert_eq!(texts(&publisher), [""]);
    }
}

#[test]
fn xsub_forwards_the_last_cancellation_or_all() {
    for transport in TRANSPORTS {
        for verbose in [false, true] {
            let context = Context::new();
            let (publisher, subscriber): (XPub, XSub) = (socket(&context), socket(&context));
            publisher.set_xpub_verbosity(XpubVerbosity::All);
            subscriber.set_xsub_verbose_unsubscribe(verbose);
            join(transport, &publisher, &subscriber);
            for _ in 0..2 {
                subscriber.send("\u{1}t").unwrap();
                assert_eq!(texts(&publisher), ["\u{1}t"], "every subscription is forwarded");
            }
            subscriber.send("\0t").unwrap();
            if verbose {
                assert_eq!(texts(&publisher), ["\0t"]);
            } else {
                assert_silent(&publisher);
            }
            subscriber.send("\0t").unwrap();
            assert_eq!(texts(&publisher), ["\0t"]);
        }
    }
}

#[test]
fn topics_are_counted_once() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: Pub = sender(&context);
        publisher.bind(&transport.endpoint()).unwrap();
        let subscribers: [Sub; 2] = std::array::from_fn(|_| receiver(&context));
        for subscriber in &subscribers {
            subscriber.connect(&publisher.last_endpoint()).unwrap();
            for topic in ["A", "B", "B", "BC"] {
                subscriber.subscribe(topic).unwrap();
            }
            assert_eq!(subscriber.topics_count().unwrap(), 3);
        }
        eventually("three topics are known", || {
            publisher.topics_count().unwrap() == 3
        });
        for subscriber in &subscribers {
            subscriber.unsubscribe("A").unwrap();
            subscriber.unsubscribe("B").unwrap();
        }
        eventually("two are left", || publisher.topics_count().unwrap() == 2);
        drop(subscribers);
        eventually("none is left", || publisher.topics_count().unwrap() == 0);
    }
}

#[test]
fn topics_are_any_bytes_of_any_length() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (XPub, Sub) = (socket(&context), receiver(&context));
        join(transport, &publisher, &subscriber);
        for length in [1, 254, 255, 256, 20_000] {
            let topic = vec![0xFE; length];
            subscriber.subscribe(&topic).unwrap();
            let shown = publisher.recv().unwrap();
            assert_eq!((shown[0], &shown[1..]), (1, &topic[..]));
            publisher.send(topic.as_slice()).unwrap();
            assert_eq!(subscriber.recv().unwrap().len(), length);
            subscriber.unsubscribe(&topic).unwrap();
            assert_eq!(publisher.recv().unwrap()[0], 0);
        }
    }
}

#[test]
fn a_message_of_many_parts_goes_to_those_that_want_its_first() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: XPub = socket(&context);
        publisher.set_xpub_verbosity(XpubVerbosity::All);
        publisher.bind(&transport.endpoint()).unwrap();
        let [one, both]: [Sub; 2] = std::array::from_fn(|_| receiver(&context));
        for (subscriber, topics) in [(&one, &["a"][..]), (&both, &["a", "b"])] {
            subscriber.connect(&publisher.last_endpoint()).unwrap();
            for topic in topics {
                subscriber.subscribe(topic).unwrap();
            }
        }
        for _ in 0..3 {
            publisher.recv().unwrap();
        }
        let part = |text: &str, more| {
            let mut part = Message::from(text);
            part.set_more(more);
            part
        };
        publisher.send_part(part("b", true)).unwrap();
        // Subscriptions that come in the middle of a message count from the next one on.
        one.subscribe("b").unwrap();
        assert_eq!(texts(&publisher), ["\u{1}b"]);
        publisher.send_part(part("a", true)).unwrap();
        publisher.send_part(part("", false)).unwrap();
        assert_eq!(texts(&both), ["b", "a", ""]);
        assert_silent(&one);
    }
}
