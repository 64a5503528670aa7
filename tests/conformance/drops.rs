//! What is dropped is counted, and told by the monitor in few words.

use ringmq::monitor::{DropCause, Event, MonitorReceiver};
use ringmq::{Context, Counters, Dealer, Message, Pub, Router, Sub};

use crate::{MOMENT, TRANSPORTS, Transport, eventually, join, receiver, sender, socket};

/// How many messages the monitor says were dropped for want of room, in how many reports.
fn dropped(monitor: &MonitorReceiver) -> (u64, usize) {
    let mut total = (0, 0);
    while let Ok(record) = monitor.recv_timeout(Some(MOMENT)) {
        if let Event::Dropped {
            cause: DropCause::HighWaterMark,
            count,
        } = record.event
        {
            total.0 += count;
            total.1 += 1;
        }
    }
    total
}

/// The same as the socket counts it, at once.
fn lost_at_the_mark(counters: Counters) -> u64 {
    counters.read().dropped.by(DropCause::HighWaterMark)
}

#[test]
fn a_publisher_counts_what_a_slow_subscriber_misses() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
        let monitor = publisher.monitor();
        publisher.set_send_hwm(10);
        subscriber.set_receive_hwm(10);
        subscriber.subscribe("").unwrap();
        join(transport, &publisher, &subscriber);
        eventually("the subscription is known", || {
            publisher.topics_count().unwrap() == 1
        });
        let sent = 3_000;
        // More than all buffers of the system hold.
        let body = vec![1; 20_000];
        for _ in 0..sent {
            publisher.send(body.as_slice()).unwrap();
        }
        let mut received = 0;
        while received + lost_at_the_mark(publisher.counters()) < sent {
            subscriber.recv().unwrap();
            received += 1;
        }
        // A message that finds room ends the run, and with it comes the rest of the count.
        publisher.send("end").unwrap();
        assert_eq!(&*subscriber.recv().unwrap(), b"end");
        let (lost, reports) = dropped(&monitor);
        assert_eq!(lost + received, sent, "over {transport:?}");
        if transport == Transport::Inproc {
            assert_eq!((received, reports), (20, 2 + 11), "the sum of both marks came");
        }
        assert!(reports < 200, "{reports} reports");
    }
}

#[test]
fn what_is_lost_when_the_peer_goes_is_told() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
        publisher.set_send_hwm(1);
        subscriber.set_receive_hwm(1);
        subscriber.subscribe("").unwrap();
        join(transport, &publisher, &subscriber);
        eventually("the subscription is known", || {
            publisher.topics_count().unwrap() == 1
        });
        let monitor = publisher.monitor();
        let body = vec![1; 50_000];
        for _ in 0..1_000 {
            publisher.send(body.as_slice()).unwrap();
        }
        drop(subscriber);
        eventually("it is gone", || publisher.peer_count() == 0);
        let (lost, _) = dropped(&monitor);
        assert!((500..1_000).contains(&lost), "{lost} over {transport:?}");
    }
}

#[test]
fn a_router_counts_what_it_drops() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        router.set_send_hwm(5);
        dealer.set_receive_hwm(5);
        dealer.set_routing_id("slow").unwrap();
        join(transport, &router, &dealer);
        dealer.send("here").unwrap();
        assert_eq!(&*router.recv_multipart().unwrap()[0], b"slow");
        let monitor = router.monitor();
        let body = vec![1; 50_000];
        for _ in 0..1_000 {
            router
                .send_multipart([Message::from("slow"), Message::from(body.as_slice())])
                .unwrap();
        }
        let mut received = 0;
        while received + lost_at_the_mark(router.counters()) < 1_000 {
            dealer.recv().unwrap();
            received += 1;
        }
        router.send_multipart(["slow", "end"]).unwrap();
        assert_eq!(&*dealer.recv().unwrap(), b"end");
        assert_eq!(dropped(&monitor).0 + received, 1_000, "over {transport:?}");
    }
}

#[test]
fn a_message_whose_receiver_goes_in_the_middle_of_it_is_lost_as_a_whole() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let push: ringmq::Push = sender(&context);
        let pull: ringmq::Pull = receiver(&context);
        push.bind(&transport.endpoint()).unwrap();
        pull.connect(&push.last_endpoint()).unwrap();
        eventually("it is there", || push.peer_count() == 1);
        let monitor = push.monitor();
        let part = |text: &str| {
            let mut part = Message::from(text);
            part.set_more(true);
            part
        };
        push.send_part(part("one")).unwrap();
        push.send_part(part("two")).unwrap();
        drop(pull);
        eventually("it is gone", || push.peer_count() == 0);
        let other: ringmq::Pull = receiver(&context);
        other.connect(&push.last_endpoint()).unwrap();
        eventually("the other is there", || push.peer_count() == 1);
        push.send_part(part("three")).unwrap();
        push.send_part("four".into()).unwrap();
        push.send("whole").unwrap();
        assert_eq!(&*other.recv().unwrap(), b"whole");
        let mut told = 0;
        while let Ok(record) = monitor.recv_timeout(Some(MOMENT)) {
            if let Event::Dropped {
                cause: DropCause::PeerGone,
                count,
            } = record.event
            {
                told += count;
            }
        }
        assert_eq!(told, 1);
    }
}
