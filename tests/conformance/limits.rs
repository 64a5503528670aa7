//! Limits in bytes, and what becomes of a subscriber that is too slow.

use std::time::Duration;

use ringmq::monitor::{DisconnectReason, DropCause, Event};
use ringmq::{Context, Error, Message, Overflow, Pub, Pull, Push, Sub};

use crate::{PATIENCE, TRANSPORTS, Transport, assert_silent, eventually, join, receiver, sender, texts};

/// How many messages of `len` bytes a PUSH takes while nobody is there to receive them.
fn taken_alone(len: usize, prepare: impl Fn(&Push)) -> usize {
    let context = Context::new();
    let push: Push = sender(&context);
    push.set_linger(Some(Duration::ZERO));
    prepare(&push);
    push.connect("tcp://127.0.0.1:1").unwrap();
    let body = vec![1; len];
    let mut taken = 0;
    while push.try_send(body.as_slice()).is_ok() {
        taken += 1;
    }
    taken
}

#[test]
fn bytes_are_bounded_beside_messages() {
    let bounded = |push: &Push| push.set_send_bytes_max(Some(10_000));
    assert_eq!(taken_alone(1_000, bounded), 10);
    assert_eq!(taken_alone(1_001, bounded), 10, "the last one may exceed it");
    assert_eq!(taken_alone(100_000, bounded), 1, "one message always has room");
    assert_eq!(
        taken_alone(1, bounded),
        1_000,
        "the mark for messages is still there"
    );
    let only_bytes = |push: &Push| {
        push.set_send_hwm(0);
        push.set_send_bytes_max(Some(10_000));
    };
    assert_eq!(taken_alone(1, only_bytes), 10_000);
    let changed = |push: &Push| {
        push.set_send_bytes_max(Some(5));
        push.set_send_bytes_max(None);
    };
    assert_eq!(taken_alone(1_000, changed), 1_000);
}

/// Over inproc a send succeeds as soon as what was in its way has been received, whether or not the receiver calls again.
#[test]
fn what_was_received_is_out_of_the_way_at_once() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    push.set_send_bytes_max(Some(10_000));
    pull.bind("inproc://bytes").unwrap();
    push.connect("inproc://bytes").unwrap();
    for _ in 0..20 {
        let mut sent = 0;
        while push.try_send(&[1; 2_500]).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, 4);
        for _ in 0..sent {
            assert_eq!(pull.try_recv().unwrap().len(), 2_500);
        }
    }
}

#[test]
fn whoever_waits_for_bytes_goes_on_when_they_are_gone() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_send_hwm(0);
        pull.set_receive_hwm(0);
        push.set_send_bytes_max(Some(100_000));
        pull.set_receive_bytes_max(Some(100_000));
        join(transport, &pull, &push);
        let sending = std::thread::spawn(move || {
            for number in 0..2_000_u32 {
                let mut body = vec![0; (number as usize * 37) % 30_000 + 4];
                body[..4].copy_from_slice(&number.to_le_bytes());
                push.send(body).unwrap();
            }
            push
        });
        for number in 0..2_000_u32 {
            let message = pull.recv().unwrap();
            assert_eq!(message[..4], number.to_le_bytes(), "over {transport:?}");
            assert_eq!(message.len(), (number as usize * 37) % 30_000 + 4);
        }
        drop(sending.join().unwrap());
    }
}

#[test]
fn within_a_process_the_allowances_add_up() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    push.set_send_bytes_max(Some(10_000));
    pull.set_receive_bytes_max(Some(5_000));
    join(Transport::Inproc, &pull, &push);
    let mut taken = 0;
    while push.try_send([0; 1_000].as_slice()).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 15);
    for _ in 0..7 {
        pull.recv().unwrap();
    }
    assert!(matches!(
        push.try_send([0; 1_000].as_slice()).unwrap_err().error,
        Error::WouldBlock
    ));
    // At half of what may wait there is room again.
    pull.recv().unwrap();
    push.try_send([0; 1_000].as_slice()).unwrap();
}

#[test]
fn a_receiver_that_does_not_read_holds_what_it_allows() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    push.set_linger(Some(Duration::ZERO));
    push.set_send_hwm(1);
    // Without a limit eight bodies of this length would lie in the queue, and as many as the marks allow behind it.
    pull.set_receive_bytes_max(Some(1_500_000));
    let body = vec![1; 1_000_000];
    join(Transport::Tcp, &pull, &push);
    let mut waiting = 0;
    while push
        .send_within(body.as_slice(), Duration::from_millis(200))
        .is_ok()
        || waiting < 2
    {
        waiting = pull
            .peers()
            .first()
            .and_then(|peer| peer.waiting_to_receive)
            .unwrap_or(0);
    }
    assert_eq!(waiting, 2, "the second one exceeds it");
    for _ in 0..waiting {
        pull.recv().unwrap();
    }
    pull.recv().unwrap();
}

/// A publisher with a mark of ten and a subscriber, in step.
fn published(transport: Transport, overflow: Overflow) -> (Context, Pub, Sub) {
    let context = Context::new();
    let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
    publisher.set_overflow(overflow);
    publisher.set_send_hwm(10);
    subscriber.set_receive_hwm(10);
    subscriber.set_reconnect_interval(None);
    subscriber.subscribe("").unwrap();
    join(transport, &publisher, &subscriber);
    publisher.wait_for_subscribers(1, Some(PATIENCE)).unwrap();
    (context, publisher, subscriber)
}

/// Publishes messages of two parts, a number and more than the system's buffers can hold of many.
fn publish(publisher: &Pub, numbers: std::ops::Range<u32>) {
    let body = vec![1; 50_000];
    for number in numbers {
        let number = Message::from(&number.to_le_bytes());
        publisher
            .send_multipart([number, Message::from(body.as_slice())])
            .unwrap();
    }
}

/// The numbers of those of `count` messages that have come: all but the lost ones.
fn numbers(publisher: &Pub, subscriber: &Sub, count: u64) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() as u64 + lost(publisher) < count {
        let first = subscriber.recv().unwrap();
        assert_eq!(subscriber.recv().unwrap().len(), 50_000);
        numbers.push(u32::from_le_bytes(first[..].try_into().unwrap()));
    }
    assert_silent(subscriber);
    assert_eq!(numbers.len() as u64 + lost(publisher), count);
    numbers
}

fn lost(publisher: &Pub) -> u64 {
    publisher.counters().read().dropped.by(DropCause::HighWaterMark)
}

#[test]
fn the_newest_or_the_oldest_messages_are_lost() {
    for transport in TRANSPORTS {
        let (_context, publisher, subscriber) = published(transport, Overflow::DropNewest);
        let mut count = 500;
        publish(&publisher, 0..count);
        eventually("nothing on the way has room any more", || {
            let before = lost(&publisher);
            publish(&publisher, count..count + 10);
            count += 10;
            lost(&publisher) == before + 10
        });
        let came = numbers(&publisher, &subscriber, count.into());
        assert!(came.len() < 490 && came.is_sorted(), "{came:?}");
        assert!(*came.last().unwrap() < count - 10, "the last were lost: {came:?}");

        let (_context, publisher, subscriber) = published(transport, Overflow::DropOldest);
        publish(&publisher, 0..500);
        let came = numbers(&publisher, &subscriber, 500);
        assert!(came.len() < 490 && came.is_sorted(), "{came:?}");
        let last: Vec<u32> = (490..500).collect();
        assert_eq!(
            came[came.len() - 10..],
            last,
            "the last ten came over {transport:?}"
        );
        publisher.send("again").unwrap();
        assert_eq!(texts(&subscriber), ["again"]);
    }
}

#[test]
fn bytes_make_room_as_well() {
    for transport in TRANSPORTS {
        let (_context, publisher, subscriber) = published(transport, Overflow::DropOldest);
        publisher.set_send_hwm(0);
        subscriber.set_receive_hwm(0);
        publisher.set_send_bytes_max(Some(500_000));
        publish(&publisher, 0..500);
        let came = numbers(&publisher, &subscriber, 500);
        assert!(came.len() < 490 && came.is_sorted());
        let last: Vec<u32> = (491..500).collect();
        assert_eq!(came[came.len() - 9..], last, "over {transport:?}");
    }
}

#[test]
fn what_is_kept_arrives_in_order_and_whole() {
    for transport in TRANSPORTS {
        let (_context, publisher, subscriber) = published(transport, Overflow::DropOldest);
        publisher.set_send_hwm(0);
        subscriber.set_receive_hwm(0);
        let sending = std::thread::spawn(move || {
            for number in 0..20_000_u32 {
                let mut parts = vec![Message::from(&number.to_le_bytes())];
                for part in 0..number % 4 {
                    parts.push(Message::from(vec![part as u8; (number % 7 * 5_000) as usize]));
                }
                publisher.send_multipart(parts).unwrap();
            }
            publisher
        });
        for number in 0..20_000_u32 {
            let parts = subscriber.recv_multipart().unwrap();
            assert_eq!(*parts[0], number.to_le_bytes());
            assert_eq!(parts.len(), 1 + (number % 4) as usize);
            for (place, part) in parts.iter().skip(1).enumerate() {
                assert_eq!(part.len(), (number % 7 * 5_000) as usize);
                assert!(part.iter().all(|&byte| byte == place as u8));
            }
        }
        drop(sending.join().unwrap());
    }
}

#[test]
fn a_slow_subscriber_is_disconnected_and_the_others_go_on() {
    for transport in TRANSPORTS {
        let (context, publisher, slow) = published(transport, Overflow::Disconnect);
        let fast: Sub = receiver(&context);
        fast.subscribe("").unwrap();
        fast.connect(&publisher.last_endpoint()).unwrap();
        publisher.wait_for_subscribers(2, Some(PATIENCE)).unwrap();
        let monitor = publisher.monitor();
        let body = vec![1; 50_000];
        for _ in 0..500 {
            publisher.send(body.as_slice()).unwrap();
            fast.recv().unwrap();
        }
        assert_eq!(publisher.peers().len(), 1);
        let reason = loop {
            let record = monitor.recv_timeout(Some(PATIENCE)).expect("the end is told");
            if let Event::Disconnected { reason, .. } = record.event {
                break reason;
            }
        };
        assert_eq!(reason, DisconnectReason::TooSlow, "over {transport:?}");
        // It sees the end behind what it has not read.
        eventually("it has noticed", || {
            while slow.try_recv().is_ok() {}
            slow.peers().iter().all(|peer| !peer.is_connected)
        });
    }
}
