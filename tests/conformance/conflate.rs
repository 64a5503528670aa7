//! ZMQ_CONFLATE: the newest message, and no other.

use ringmq::{Context, Dealer, Error, Pub, Pull, Push, Sub};

use crate::{
    PATIENCE, TRANSPORTS, Transport, assert_silent, eventually, join, receiver, sender, socket, texts,
};

#[test]
fn a_connection_to_be_carries_the_newest_message_only() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let push: Push = sender(&context);
        push.set_conflate(true);
        let pull: Pull = receiver(&context);
        let endpoint = free_endpoint(transport, &context);
        push.connect(&endpoint).unwrap();
        for number in 0..20 {
            push.send(format!("{number}")).unwrap();
        }
        pull.bind(&endpoint).unwrap();
        assert_eq!(texts(&pull), ["19"]);
        assert_silent(&pull);
        push.send("next").unwrap();
        assert_eq!(texts(&pull), ["next"]);
    }
}

/// An endpoint that nobody is bound to, but somebody may be.
fn free_endpoint(transport: Transport, context: &Context) -> String {
    if transport == Transport::Inproc {
        return transport.endpoint();
    }
    let probe: Pull = receiver(context);
    probe.bind(&transport.endpoint()).unwrap();
    let endpoint = probe.last_endpoint();
    probe.unbind(&endpoint).unwrap();
    endpoint
}

#[test]
fn a_receiver_that_was_away_finds_the_newest_message() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
        subscriber.set_conflate(true);
        subscriber.subscribe("").unwrap();
        join(transport, &publisher, &subscriber);
        eventually("the subscription is known", || {
            publisher.topics_count().unwrap() == 1
        });
        publisher.set_send_hwm(0);
        // Far more than every queue on the way holds.
        let body = vec![b'x'; 10_000];
        for _ in 0..2_000 {
            publisher.send(body.as_slice()).unwrap();
        }
        publisher.send("the newest").unwrap();
        // It is there as soon as it has come; what was before it may be seen until then.
        let mut seen = 0;
        while &*subscriber.recv_within(PATIENCE).unwrap() != b"the newest" {
            seen += 1;
        }
        assert!(seen < 2_000, "nothing was replaced");
        assert_silent(&subscriber);
    }
}

#[test]
fn a_sender_is_never_held_up() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_conflate(true);
        push.set_send_hwm(1);
        pull.set_receive_hwm(1);
        join(transport, &pull, &push);
        let body = vec![1; 50_000];
        for _ in 0..2_000 {
            push.try_send(body.as_slice()).unwrap();
        }
        push.try_send("the newest").unwrap();
        while pull.recv().unwrap() != "the newest" {}
        assert_silent(&pull);
    }
}

#[test]
fn the_newest_message_may_have_parts_but_is_sent_without() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [conflating, plain]: [Dealer; 2] = std::array::from_fn(|_| socket(&context));
        conflating.set_conflate(true);
        let failed = conflating.send_multipart(["two", "parts"]).unwrap_err();
        assert!(matches!(failed.error, Error::InvalidArgument { .. }));
        assert_eq!(failed.parts.len(), 2);
        join(transport, &plain, &conflating);
        conflating.send("hello").unwrap();
        assert_eq!(texts(&plain), ["hello"]);
        if transport == Transport::Inproc {
            continue;
        }
        plain.send_multipart(["first", "message"]).unwrap();
        plain.send_multipart(["second", "message"]).unwrap();
        let mut last = texts(&conflating);
        while last[0] == "first" {
            last = texts(&conflating);
        }
        assert_eq!(last, ["second", "message"]);
    }
}

#[test]
fn what_was_sent_last_arrives_after_the_sender_is_gone() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        pull.bind(&transport.endpoint()).unwrap();
        let push: Push = sender(&context);
        push.set_conflate(true);
        push.connect(&pull.last_endpoint()).unwrap();
        for _ in 0..100 {
            push.send("old").unwrap();
        }
        push.send("new").unwrap();
        drop(push);
        let mut last = String::new();
        while last != "new" {
            last = texts(&pull).remove(0);
        }
        assert_silent(&pull);
    }
}
