//! PUB, SUB, XPUB and XSUB (RFC 29).

use std::time::Duration;

use ringmq::{Context, Error, Pub, Sub, XPub, XSub, XpubVerbosity};

use crate::{MOMENT, TRANSPORTS, assert_silent, eventually, join, receiver, sender, socket, texts};

/// Publishes until the subscriber, which wants it, has got one: from then on its subscriptions are known.
fn publish_until_heard(publisher: &Pub, subscriber: &Sub, topic: &str) {
    eventually("the subscription arrives", || {
        publisher.send(topic).unwrap();
        subscriber.recv_within(Duration::from_millis(1)).is_ok()
    });
    while subscriber.recv_within(MOMENT).is_ok() {}
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
        while quick.recv_within(MOMENT).is_ok() {}
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
        let mut last = None;
        let mut count = 0;
        while let Ok(first) = slow.recv_within(MOMENT) {
            if &*first == b"go" {
                continue;
            }
            let number = u32::from_le_bytes((*first).try_into().unwrap());
            assert!(last < Some(number));
            last = Some(number);
            assert_eq!(slow.recv().unwrap().len(), body.len());
            count += 1;
        }
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
