//! What only in-process connections promise.

use std::thread;

use ringmq::{Context, Dealer, Error, Pair, Pub, Pull, Push, Router, Sub, XPub};

use crate::{PATIENCE, receiver, sender, socket, texts};

#[test]
fn what_is_sent_is_there_at_once() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    pull.bind("inproc://at once").unwrap();
    push.connect("inproc://at once").unwrap();
    for number in 0..100_u32 {
        push.try_send(&number.to_le_bytes()).unwrap();
        assert_eq!(*pull.try_recv().unwrap(), number.to_le_bytes());
    }
}

#[test]
fn a_subscription_is_known_at_once() {
    let context = Context::new();
    let publisher: XPub = socket(&context);
    publisher.bind("inproc://known at once").unwrap();
    let subscriber: Sub = receiver(&context);
    subscriber.connect("inproc://known at once").unwrap();
    subscriber.subscribe("topic").unwrap();
    assert_eq!(*publisher.try_recv().unwrap(), *b"\x01topic");
    publisher.try_send("topic one").unwrap();
    assert_eq!(*subscriber.try_recv().unwrap(), *b"topic one");
}

#[test]
fn who_connects_first_is_served_later() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    push.connect("inproc://later").unwrap();
    for number in 0..10 {
        push.send(format!("{number}")).unwrap();
    }
    let gone: Push = sender(&context);
    gone.connect("inproc://later").unwrap();
    gone.send("from one that is gone").unwrap();
    drop(gone);
    pull.bind("inproc://later").unwrap();
    let mut received: Vec<String> = (0..11).map(|_| texts(&pull).remove(0)).collect();
    received.sort();
    assert_eq!(received[10], "from one that is gone");
    assert_eq!(received[0], "0");
}

#[test]
fn the_marks_of_both_sides_add_up() {
    for (send, receive, room) in [(1000, 1000, 2000), (2, 3, 5), (1, 1, 2)] {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_send_hwm(send);
        pull.set_receive_hwm(receive);
        pull.bind("inproc://sum").unwrap();
        push.connect("inproc://sum").unwrap();
        for _ in 0..room {
            push.try_send_multipart(["one", "message"]).unwrap();
        }
        assert!(matches!(push.try_send("").unwrap_err().error, Error::WouldBlock));
        for _ in 0..room {
            assert_eq!(texts(&pull), ["one", "message"]);
        }
        push.try_send("room again").unwrap();
    }
}

#[test]
fn a_mark_that_changes_counts_what_lies_there_already() {
    for (mark, room) in [(1, 6), (4, 9), (20, 25), (0, 100)] {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_send_hwm(5);
        pull.set_receive_hwm(5);
        pull.bind("inproc://changed").unwrap();
        push.connect("inproc://changed").unwrap();
        push.try_send("").unwrap();
        push.try_send("").unwrap();
        push.set_send_hwm(mark);
        let sent = (2..100).take_while(|_| push.try_send("").is_ok()).count();
        assert_eq!(2 + sent, room, "mark of {mark}");
    }
}

#[test]
fn no_mark_on_either_side_is_no_limit() {
    for (send, receive) in [(0, 10), (10, 0), (0, 0)] {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_send_hwm(send);
        pull.set_receive_hwm(receive);
        pull.bind("inproc://unlimited").unwrap();
        push.connect("inproc://unlimited").unwrap();
        for number in 0..20_000_u32 {
            push.try_send(&number.to_le_bytes()).unwrap();
        }
        for number in 0..20_000_u32 {
            assert_eq!(*pull.try_recv().unwrap(), number.to_le_bytes());
        }
    }
}

#[test]
fn credit_comes_back_by_the_half() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    push.set_send_hwm(5);
    pull.set_receive_hwm(5);
    pull.bind("inproc://half").unwrap();
    push.connect("inproc://half").unwrap();
    while push.try_send("").is_ok() {}
    for taken in 1..5 {
        pull.try_recv().unwrap();
        assert!(push.try_send("").is_err(), "{taken} taken");
    }
    pull.try_recv().unwrap();
    push.try_send("").unwrap();
}

#[test]
fn a_subscriber_that_reads_nothing_gets_what_both_marks_hold() {
    let context = Context::new();
    let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
    publisher.bind("inproc://drops").unwrap();
    subscriber.subscribe("").unwrap();
    subscriber.connect("inproc://drops").unwrap();
    for number in 0..3000_u32 {
        publisher.send(&number.to_le_bytes()).unwrap();
    }
    for number in 0..2000_u32 {
        assert_eq!(*subscriber.try_recv().unwrap(), number.to_le_bytes());
    }
    assert!(subscriber.try_recv().is_err());
}

#[test]
fn names_belong_to_a_context_and_to_one_socket() {
    let (one, other) = (Context::new(), Context::new());
    let [first, second, third]: [Pull; 3] = [receiver(&one), receiver(&one), receiver(&other)];
    first.bind("inproc://name").unwrap();
    assert!(matches!(
        second.bind("inproc://name"),
        Err(Error::AddressInUse { .. })
    ));
    third.bind("inproc://name").unwrap();
    first.unbind("inproc://name").unwrap();
    second.bind("inproc://name").unwrap();
    drop(second);
    first.bind("inproc://name").unwrap();
    assert_eq!(first.last_endpoint(), "inproc://name");
}

#[test]
fn bodies_pass_by_pointer() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    pull.bind("inproc://pointer").unwrap();
    push.connect("inproc://pointer").unwrap();
    let body = vec![1; 1000];
    let address = body.as_ptr();
    push.send(body).unwrap();
    assert_eq!(pull.recv().unwrap().as_ptr(), address);
}

#[test]
fn a_context_without_workers_has_in_process_connections() {
    let context = Context::builder().workers(0).build();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    assert!(matches!(pull.bind("tcp://127.0.0.1:*"), Err(Error::NoWorker)));
    pull.bind("inproc://alone").unwrap();
    push.connect("inproc://alone").unwrap();
    push.send("hello").unwrap();
    assert_eq!(texts(&pull), ["hello"]);
}

#[test]
fn a_router_knows_both_sides_by_name_whoever_comes_first() {
    for bound_first in [true, false] {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        dealer.set_routing_id("binder").unwrap();
        if bound_first {
            dealer.bind("inproc://names").unwrap();
            router.connect("inproc://names").unwrap();
        } else {
            router.connect("inproc://names").unwrap();
            dealer.bind("inproc://names").unwrap();
        }
        router.set_router_mandatory(true);
        router.send_multipart(["binder", "hello"]).unwrap();
        assert_eq!(texts(&dealer), ["hello"]);
        dealer.send("answer").unwrap();
        assert_eq!(texts(&router), ["binder", "answer"]);
    }
}

#[test]
fn no_wake_up_is_lost_between_two_threads_that_sleep() {
    let context = Context::new();
    let (left, right): (Pair, Pair) = (socket(&context), socket(&context));
    left.bind("inproc://sleep").unwrap();
    right.connect("inproc://sleep").unwrap();
    left.set_receive_timeout(None);
    right.set_receive_timeout(None);
    const ROUNDS: u32 = 100_000;
    let echo = thread::spawn(move || {
        for _ in 0..ROUNDS {
            right.send(right.recv().unwrap()).unwrap();
        }
    });
    for round in 0..ROUNDS {
        left.send(&round.to_le_bytes()).unwrap();
        assert_eq!(*left.recv().unwrap(), round.to_le_bytes());
    }
    echo.join().unwrap();
}

#[test]
fn many_threads_send_to_one() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.bind("inproc://many").unwrap();
    pull.set_receive_timeout(Some(PATIENCE));
    let threads: Vec<_> = (0..8_u32)
        .map(|name| {
            let context = context.clone();
            thread::spawn(move || {
                let push: Push = sender(&context);
                push.connect("inproc://many").unwrap();
                for number in 0..10_000_u32 {
                    push.send((u64::from(name) << 32 | u64::from(number)).to_le_bytes().to_vec())
                        .unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 8];
    for _ in 0..80_000 {
        let value = u64::from_le_bytes((*pull.recv().unwrap()).try_into().unwrap());
        let (name, number) = ((value >> 32) as usize, value as u32);
        assert_eq!(number, next[name]);
        next[name] += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
}
