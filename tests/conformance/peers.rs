//! Counters, the list of peers, and waiting for subscribers: what libzmq does not tell.

use std::thread;
use std::time::Duration;

use ringmq::monitor::{DropCause, Event};
use ringmq::{
    Context, Dealer, Dish, Error, Message, PeerInfo, Pub, Pull, Push, Radio, Router, SocketType, Sub,
    Traffic, XPub,
};

use crate::{MOMENT, PATIENCE, TRANSPORTS, Transport, eventually, join, receiver, sender, socket, texts};

fn traffic(messages: u64, bytes: u64) -> Traffic {
    Traffic { messages, bytes }
}

#[test]
fn what_passes_is_counted_on_both_sides_and_seen_from_any_thread() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        let counters = [push.counters(), pull.counters()];
        join(transport, &pull, &push);
        for _ in 0..100 {
            push.send("short").unwrap();
            push.send_multipart([vec![1; 10], vec![], vec![2; 40_000]])
                .unwrap();
        }
        let reading = thread::spawn(move || {
            for _ in 0..100 {
                assert_eq!(texts(&pull), ["short"]);
                assert_eq!(pull.recv_multipart().unwrap().len(), 3);
            }
            pull
        });
        let [sent, received] = counters.clone();
        // While the reader has it, and afterwards.
        eventually("all is received", || received.read().received.messages == 200);
        let expected = traffic(200, 100 * (5 + 10 + 40_000));
        assert_eq!(sent.read().sent, expected, "{transport:?}");
        assert_eq!(received.read().received, expected, "{transport:?}");
        assert_eq!(sent.read().received, Traffic::default());
        assert_eq!(received.read().sent, Traffic::default());
        assert_eq!((sent.peers(), received.peers()), (1, 1));
        drop((push, reading.join().unwrap()));
        assert_eq!(sent.read().sent, expected, "what has passed stays");
        assert_eq!((sent.peers(), received.peers()), (0, 0));
    }
}

#[test]
fn what_a_message_that_is_cut_would_have_had_does_not_count() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &push, &pull);
        eventually("it is there", || push.peer_count() == 1);
        let mut part = Message::from("part");
        part.set_more(true);
        push.send_part(part).unwrap();
        drop(pull);
        eventually("it is gone", || push.peer_count() == 0);
        push.send_part("of nothing".into()).unwrap();
        let statistics = push.counters().read();
        assert_eq!(statistics.sent, Traffic::default(), "{transport:?}");
        assert_eq!(statistics.dropped.by(DropCause::PeerGone), 1);
        assert_eq!(statistics.dropped.total(), 1);
    }
}

#[test]
fn drops_are_counted_by_cause_for_the_socket_and_for_each_peer() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: Pub = sender(&context);
        publisher.set_send_hwm(10);
        publisher.bind(&transport.endpoint()).unwrap();
        let [slow, fast]: [Sub; 2] = std::array::from_fn(|_| receiver(&context));
        for subscriber in [&slow, &fast] {
            subscriber.set_receive_hwm(10);
            subscriber.subscribe("").unwrap();
            subscriber.connect(&publisher.last_endpoint()).unwrap();
        }
        publisher.wait_for_subscribers(2, Some(PATIENCE)).unwrap();
        let body = vec![1; 50_000];
        for _ in 0..500 {
            publisher.send(body.as_slice()).unwrap();
            fast.recv().unwrap();
        }
        let lost = publisher.counters().read().dropped.by(DropCause::HighWaterMark);
        assert!(lost > 100, "{lost} over {transport:?}");
        let mut each: Vec<u64> = publisher
            .peers()
            .iter()
            .map(|peer| {
                // What was not dropped was queued.
                let statistics = &peer.statistics;
                let lost = statistics.dropped.by(DropCause::HighWaterMark);
                assert_eq!(statistics.sent.messages + lost, 500, "{peer:?}");
                lost
            })
            .collect();
        each.sort_unstable();
        assert_eq!((each[0], each[1]), (0, lost));
    }
}

#[test]
fn what_lies_unread_when_the_socket_closes_is_told() {
    for transport in [Transport::Tcp, Transport::Inproc] {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        for _ in 0..10 {
            push.send("never read").unwrap();
        }
        eventually("they are there", || {
            pull.peers().first().and_then(|peer| peer.waiting_to_receive) == Some(10)
        });
        pull.recv().unwrap();
        assert_eq!(pull.peers()[0].waiting_to_receive, Some(9));
        let (monitor, counters) = (pull.monitor(), pull.counters());
        drop(pull);
        let told = std::iter::from_fn(|| monitor.try_recv().ok()).find_map(|record| match record.event {
            Event::Dropped {
                cause: DropCause::Closed,
                count,
            } => Some(count),
            _ => None,
        });
        assert_eq!(told, Some(9), "{transport:?}");
        assert_eq!(counters.read().dropped.by(DropCause::Closed), 9);
    }
}

#[test]
fn every_peer_is_listed_with_what_is_known_of_it() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let router: Router = socket(&context);
        router.bind(&transport.endpoint()).unwrap();
        let [named, nameless]: [Dealer; 2] = std::array::from_fn(|_| socket(&context));
        named.set_routing_id("named").unwrap();
        for dealer in [&named, &nameless] {
            dealer.connect(&router.last_endpoint()).unwrap();
            dealer.send("here").unwrap();
            let parts = router.recv_multipart().unwrap();
            router.send_multipart(parts).unwrap();
            dealer.recv().unwrap();
        }
        // Memory is shared from the first message on or a little later, and what the kernel has taken is told by the worker.
        let shares = transport == Transport::Ipc;
        eventually("all is told", || {
            // A peer that shares memory does not tell at once what it has taken.
            let is_told = |peer: &PeerInfo| {
                peer.is_shared_memory == shares && peer.waiting_to_send <= u64::from(shares)
            };
            router.events().unwrap();
            router.peers().iter().all(is_told)
        });
        let peers = router.peers();
        assert_eq!(peers.len(), 2);
        let scheme = format!("{transport:?}").to_lowercase();
        for peer in &peers {
            assert!(peer.is_connected, "{peer:?}");
            assert_eq!(peer.socket_type, Some(SocketType::Dealer));
            assert_eq!(peer.transport(), scheme);
            assert_eq!(peer.credentials.is_some(), transport == Transport::Ipc);
            assert_eq!(
                (peer.statistics.received, peer.statistics.sent),
                (traffic(1, 4), traffic(1, 4))
            );
        }
        assert!(peers.iter().any(|peer| peer.routing_id == b"named"));
        assert!(
            peers
                .iter()
                .any(|peer| peer.routing_id.len() == 5 && peer.routing_id[0] == 0)
        );
        let seen = named.peers();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].socket_type, Some(SocketType::Router));
        assert_eq!(seen[0].address, router.last_endpoint());
    }
}

#[test]
fn what_waits_for_a_peer_that_is_not_there_is_listed() {
    let context = Context::new();
    let push: Push = sender(&context);
    push.set_linger(Some(Duration::ZERO));
    // Nobody listens on a port that was bound and is not any more.
    let pull: Pull = receiver(&context);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = pull.last_endpoint();
    pull.unbind(&endpoint).unwrap();
    push.connect(&endpoint).unwrap();
    for _ in 0..7 {
        push.send("later").unwrap();
    }
    let peers = push.peers();
    assert_eq!(peers.len(), 1);
    assert!(!peers[0].is_connected);
    assert_eq!((peers[0].waiting_to_send, peers[0].socket_type), (7, None));
    assert_eq!(peers[0].address, endpoint);
}

#[test]
fn a_closed_peer_is_gone_and_the_others_stay() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        pull.bind(&transport.endpoint()).unwrap();
        let [good, bad]: [Push; 2] = std::array::from_fn(|_| sender(&context));
        for (push, text) in [(&good, "good"), (&bad, "bad")] {
            push.set_reconnect_interval(None);
            push.connect(&pull.last_endpoint()).unwrap();
            push.send(text).unwrap();
            assert_eq!(texts(&pull), [text]);
        }
        let unwanted = pull
            .peers()
            .into_iter()
            .find(|peer| peer.statistics.received.bytes == 3)
            .unwrap()
            .id;
        pull.close_peer(unwanted).unwrap();
        assert_eq!(pull.peers().len(), 1);
        assert!(matches!(pull.close_peer(unwanted), Err(Error::HostUnreachable)));
        eventually("the other side has noticed", || {
            bad.peers().iter().all(|peer| !peer.is_connected)
        });
        good.send("still here").unwrap();
        assert_eq!(texts(&pull), ["still here"]);
        assert_eq!(pull.counters().read().received, traffic(3, 4 + 3 + 10));
    }
}

#[test]
fn a_connection_that_its_maker_closes_is_not_made_again() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_reconnect_interval(Some(Duration::from_millis(1)));
        join(transport, &pull, &push);
        push.send("one").unwrap();
        assert_eq!(texts(&pull), ["one"]);
        let endpoint = pull.last_endpoint();
        push.close_peer(push.peers()[0].id).unwrap();
        eventually("the other side has noticed", || pull.peers().is_empty());
        assert!(matches!(
            push.try_send("two").unwrap_err().error,
            Error::WouldBlock
        ));
        assert!(matches!(
            push.disconnect(&endpoint),
            Err(Error::NoSuchEndpoint { .. })
        ));
        push.connect(&endpoint).unwrap();
        push.send("three").unwrap();
        assert_eq!(texts(&pull), ["three"]);
    }
}

#[test]
fn rfc29_a_publisher_waits_until_enough_have_subscribed() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: Pub = sender(&context);
        publisher.bind(&transport.endpoint()).unwrap();
        assert!(matches!(
            publisher.wait_for_subscribers(1, Some(Duration::ZERO)),
            Err(Error::WouldBlock)
        ));
        assert!(matches!(
            publisher.wait_for_subscribers(1, Some(MOMENT)),
            Err(Error::TimedOut)
        ));
        publisher.wait_for_subscribers(0, Some(Duration::ZERO)).unwrap();
        let endpoint = publisher.last_endpoint();
        let subscribers: Vec<Sub> = (0..5)
            .map(|number| {
                let subscriber: Sub = receiver(&context);
                subscriber.subscribe(format!("topic {}", number % 2)).unwrap();
                // A second subscription makes no second subscriber.
                subscriber
                    .subscribe(format!("topic {}.more", number % 2))
                    .unwrap();
                subscriber.connect(&endpoint).unwrap();
                subscriber
            })
            .collect();
        publisher.wait_for_subscribers(5, Some(PATIENCE)).unwrap();
        publisher
            .wait_for_subscribers_of("topic 0.more", 3, Some(PATIENCE))
            .unwrap();
        publisher
            .wait_for_subscribers_of("topic 1.more", 2, Some(PATIENCE))
            .unwrap();
        assert_eq!(publisher.subscriber_count().unwrap(), 5);
        assert_eq!(publisher.subscriber_count_of("topic 0.mo").unwrap(), 3);
        assert_eq!(publisher.subscriber_count_of("topic 2").unwrap(), 0);
        publisher.send("topic 1.more of it").unwrap();
        assert_eq!(texts(&subscribers[1]), ["topic 1.more of it"]);
        assert_eq!(texts(&subscribers[3]), ["topic 1.more of it"]);
        drop(subscribers);
        eventually("they are gone", || publisher.subscriber_count().unwrap() == 0);
    }
}

#[test]
fn rfc29_the_subscriptions_that_were_waited_for_are_still_shown() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let publisher: XPub = socket(&context);
        publisher.bind(&transport.endpoint()).unwrap();
        let endpoint = publisher.last_endpoint();
        let subscriber: Sub = receiver(&context);
        let late = thread::spawn(move || {
            subscriber.connect(&endpoint).unwrap();
            subscriber.subscribe("late").unwrap();
            subscriber
        });
        publisher
            .wait_for_subscribers_of("latest news", 1, Some(PATIENCE))
            .unwrap();
        assert_eq!(publisher.recv().unwrap(), b"\x01late");
        drop(late.join().unwrap());
    }
}

#[test]
fn rfc48_a_radio_waits_for_a_group_while_others_send() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (radio, dish): (Radio, Dish) = (sender(&context), receiver(&context));
        join(transport, &radio, &dish);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| radio.wait_for_subscribers_of("group", 1, Some(PATIENCE)));
            radio.send_to_group("group", "nobody may be there yet").unwrap();
            dish.join("other").unwrap();
            dish.join("group").unwrap();
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(radio.subscriber_count().unwrap(), 1);
        radio.send_to_group("group", "end").unwrap();
        while dish.recv().unwrap() != "end" {}
    }
}
