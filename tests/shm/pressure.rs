//! High-water marks, and messages for which the ring has no room.

use std::thread;
use std::time::Duration;

use ringmq::{Context, Error, Pull, Push};
use ringmq_tests::watchdog::within;

use crate::{LIMIT, body, is_shared, new, own_name, share, wait_for};

/// Long enough for what must not come to come if it did.
const MOMENT: Duration = Duration::from_millis(50);

fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = body(len.max(8), number as usize);
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().unwrap())
}

/// Receives messages with the numbers of the range, whole and in order.
fn expect(pull: &Pull, numbers: std::ops::Range<u64>, len: usize) {
    for wanted in numbers {
        let came = pull.recv().unwrap();
        assert!(
            *came == *numbered(wanted, len),
            "{} instead of {wanted}",
            number(&came)
        );
    }
}

fn fill(push: &Push, from: u64, len: usize) -> u64 {
    let mut next = from;
    loop {
        match push.try_send(numbered(next, len)) {
            Ok(()) => next += 1,
            Err(refused) => {
                assert!(matches!(refused.error, Error::WouldBlock));
                assert_eq!(number(&refused.message), next, "the message comes back");
                return next;
            }
        }
    }
}

#[test]
fn a_sender_stops_at_the_mark_of_both() {
    within(LIMIT, || {
        for (send, receive, mark) in [
            (10, 10, 20),
            (100, 20, 120),
            (10, 1000, 20),
            (1, 1, 2),
            (7, 0, 14),
        ] {
            // Small ones, some that go by the pool, and some that have to wait outside the ring.
            for len in [8, 3000, 100_000] {
                let context = Context::new();
                let (push, pull): (Push, Pull) = (new(&context), new(&context));
                push.set_send_hwm(send);
                pull.set_receive_hwm(receive);
                push.set_shm_segment_len(65536);
                share(&pull, &push);
                let sent = fill(&push, 0, len);
                assert_eq!(sent, mark, "{send} and {receive}, {len} bytes");
                assert_eq!(fill(&push, sent, len), sent, "and stays there");
                let refused = push.send_within("", MOMENT).unwrap_err();
                assert!(matches!(refused.error, Error::TimedOut));
                // All are taken, so as many again have room.
                expect(&pull, 0..sent, len);
                assert!(matches!(pull.try_recv(), Err(Error::WouldBlock)));
                push.send(numbered(sent, len)).unwrap();
                let more = fill(&push, sent + 1, len);
                assert_eq!(more, sent + mark, "{send} and {receive}, {len} bytes");
                expect(&pull, sent..more, len);
            }
        }
    });
}

#[test]
fn a_blocked_sender_goes_on_when_there_is_room() {
    within(LIMIT, || {
        for len in [8, 5000, 200_000] {
            let context = Context::new();
            let (push, pull): (Push, Pull) = (new(&context), new(&context));
            push.set_send_hwm(5);
            pull.set_receive_hwm(5);
            push.set_shm_segment_len(65536);
            share(&pull, &push);
            let count = 300;
            let sending = thread::spawn(move || {
                for next in 0..count {
                    push.send(numbered(next, len)).unwrap();
                }
                push
            });
            expect(&pull, 0..count, len);
            sending.join().unwrap();
        }
    });
}

#[test]
fn what_the_ring_cannot_hold_arrives_while_the_sender_rests() {
    within(LIMIT, || {
        for len in [8, 1000, 70_000] {
            let context = Context::new();
            let (push, pull): (Push, Pull) = (new(&context), new(&context));
            push.set_send_hwm(0);
            push.set_shm_segment_len(65536);
            share(&push, &pull);
            let count = (4 << 20) / (len as u64 + 40);
            for next in 0..count {
                push.try_send(numbered(next, len)).unwrap();
            }
            // The sender does nothing any more: its worker moves what is left.
            expect(&pull, 0..count, len);
            push.send("after that").unwrap();
            assert_eq!(*pull.recv().unwrap(), *b"after that");
        }
    });
}

#[test]
fn what_waits_outside_the_ring_arrives_after_its_sender() {
    within(LIMIT, || {
        for len in [8, 1000, 70_000] {
            let (context, other) = (Context::new(), Context::new());
            let (push, pull): (Push, Pull) = (new(&other), new(&context));
            push.set_send_hwm(0);
            push.set_linger(None);
            push.set_shm_segment_len(65536);
            share(&pull, &push);
            let count = (4 << 20) / (len as u64 + 40);
            for next in 0..count {
                push.try_send(numbered(next, len)).unwrap();
            }
            let ending = thread::spawn(move || drop((push, other)));
            expect(&pull, 0..count, len);
            ending.join().unwrap();
        }
    });
}

#[test]
fn without_linger_a_beginning_arrives_at_most() {
    within(LIMIT, || {
        for round in 0..20 {
            let (context, other) = (Context::new(), Context::new());
            let (push, pull): (Push, Pull) = (new(&other), new(&context));
            push.set_send_hwm(0);
            push.set_linger(Some(Duration::ZERO));
            push.set_shm_segment_len(65536);
            let [events, _] = share(&pull, &push);
            for next in 0..1000 {
                push.try_send(numbered(next, 1000)).unwrap();
            }
            // Does not wait for anybody.
            drop((push, other));
            wait_for(&events, crate::is_disconnected);
            let mut next = 0;
            while let Ok(came) = pull.try_recv() {
                assert!(*came == *numbered(next, 1000), "round {round}");
                next += 1;
            }
            assert!(next < 1000, "round {round}: nothing waited outside the ring");
        }
    });
}

#[test]
fn a_receiver_may_go_while_messages_wait_for_it() {
    within(LIMIT, || {
        let (context, other) = (Context::new(), Context::new());
        let push: Push = new(&context);
        push.set_send_hwm(0);
        push.set_shm_segment_len(65536);
        push.set_reconnect_interval(Some(Duration::from_millis(10)));
        let pull: Pull = new(&other);
        let [_, events] = share(&pull, &push);
        let endpoint = pull.last_endpoint();
        for next in 0..1000 {
            push.try_send(numbered(next, 1000)).unwrap();
        }
        drop((pull, other));
        wait_for(&events, crate::is_disconnected);
        push.try_send(numbered(1000, 1000)).unwrap();
        // What lay in the ring is lost, and what waited outside goes to the next: each once, and in order.
        let pull: Pull = new(&context);
        pull.bind(&endpoint).unwrap();
        let first = number(&pull.recv().unwrap());
        assert!((1..1000).contains(&first), "the first is {first}");
        expect(&pull, first + 1..1001, 1000);
        wait_for(&events, is_shared);
    });
}

#[test]
fn order_is_kept_from_queue_to_stream_to_ring() {
    within(LIMIT, || {
        for round in 0..20 {
            let context = Context::new();
            let (push, pull): (Push, Pull) = (new(&context), new(&context));
            push.set_send_hwm(0);
            let events = push.monitor();
            let endpoint = own_name();
            push.connect(&endpoint).unwrap();
            // Longer than what the kernel takes at once.
            let (queued, len) = (100, if round % 2 == 0 { 20_000 } else { 8 });
            for next in 0..queued {
                push.send(numbered(next, len)).unwrap();
            }
            pull.bind(&endpoint).unwrap();
            let sending = thread::spawn(move || {
                for next in queued..3000 {
                    push.send(numbered(next, len)).unwrap();
                }
                push
            });
            expect(&pull, 0..3000, len);
            wait_for(&events, is_shared);
            sending.join().unwrap();
        }
    });
}

#[test]
fn room_that_comes_by_the_stream_counts_as_well() {
    within(LIMIT, || {
        for len in [8, 100_000] {
            let context = Context::new();
            let (push, pull): (Push, Pull) = (new(&context), new(&context));
            push.set_send_hwm(20);
            pull.set_receive_hwm(1);
            let events = push.monitor();
            let endpoint = own_name();
            push.connect(&endpoint).unwrap();
            // More than half of the mark stays in the queue of the connection: the kernel does not take that much.
            let queued = 20;
            for next in 0..queued {
                push.try_send(numbered(next, len)).unwrap();
            }
            pull.bind(&endpoint).unwrap();
            wait_for(&events, is_shared);
            let sent = fill(&push, queued, len);
            expect(&pull, 0..sent, len);
            push.send(numbered(sent, len)).unwrap();
            expect(&pull, sent..sent + 1, len);
        }
    });
}

/// A socket that learns of its upgrade, or of its peer's end, in the middle of a message.
#[test]
fn a_message_in_progress_stays_whole_when_the_way_changes() {
    within(LIMIT, || {
        for len in [8, 30_000] {
            let context = Context::new();
            let (push, pull): (Push, Pull) = (new(&context), new(&context));
            push.set_reconnect_interval(Some(Duration::from_millis(10)));
            let events = push.monitor();
            let endpoint = own_name();
            push.connect(&endpoint).unwrap();
            let part = |number: u64, more: bool| {
                let mut part = ringmq::Message::from(&*numbered(number, len));
                part.set_more(more);
                part
            };
            push.send_part(part(0, true)).unwrap();
            pull.bind(&endpoint).unwrap();
            // The upgrade is complete on both sides, and known to the sender.
            while !events.try_recv().is_ok_and(|record| is_shared(&record.event)) {
                push.events().unwrap();
            }
            push.send_part(part(1, false)).unwrap();
            push.send(numbered(2, len)).unwrap();
            let came = pull.recv_multipart().unwrap();
            assert_eq!((came.len(), number(&came[0]), number(&came[1])), (2, 0, 1));
            assert_eq!(number(&pull.recv().unwrap()), 2);

            // The rest of a message whose beginning went with the ring goes as well, and what follows does not.
            push.send_part(part(3, true)).unwrap();
            drop(pull);
            wait_for(&events, crate::is_disconnected);
            push.events().unwrap();
            push.send_part(part(4, false)).unwrap();
            push.send(numbered(5, len)).unwrap();
            let pull: Pull = new(&context);
            pull.bind(&endpoint).unwrap();
            assert_eq!(number(&pull.recv().unwrap()), 5);
        }
    });
}

#[test]
fn a_slow_peer_does_not_hold_up_the_others() {
    within(LIMIT, || {
        let context = Context::new();
        let push: Push = new(&context);
        push.set_send_hwm(2);
        push.set_shm_segment_len(65536);
        let (slow, fast): (Pull, Pull) = (new(&context), new(&context));
        let events = push.monitor();
        push.bind(&own_name()).unwrap();
        for pull in [&slow, &fast] {
            pull.set_receive_hwm(2);
            pull.connect(&push.last_endpoint()).unwrap();
            wait_for(&events, is_shared);
        }
        let count = 500;
        let receiving = thread::spawn(move || {
            for _ in 0..count - 4 {
                fast.recv().unwrap();
            }
            fast
        });
        for next in 0..count {
            push.send(numbered(next, 4000)).unwrap();
        }
        receiving.join().unwrap();
        for _ in 0..4 {
            slow.recv().unwrap();
        }
    });
}
