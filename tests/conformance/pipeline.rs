//! PUSH, PULL and PAIR (RFC 30, RFC 31), and the high-water marks.

use ringmq::{Context, Error, Pair, Pull, Push};

use crate::{MOMENT, TRANSPORTS, assert_silent, eventually, join, receiver, sender, socket, texts};

#[test]
fn whole_messages_go_round() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let push: Push = sender(&context);
        push.bind(&transport.endpoint()).unwrap();
        let pulls: [Pull; 3] = std::array::from_fn(|_| receiver(&context));
        for pull in &pulls {
            pull.connect(&push.last_endpoint()).unwrap();
        }
        eventually("three peers", || push.peer_count() == 3);
        for number in 0..30 {
            push.send_multipart([format!("{number}"), "tail".to_owned()])
                .unwrap();
        }
        let mut seen = Vec::new();
        for pull in &pulls {
            for _ in 0..10 {
                let parts = texts(pull);
                assert_eq!(parts[1], "tail");
                seen.push(parts[0].parse::<u32>().unwrap());
            }
            assert_silent(pull);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..30).collect::<Vec<_>>());
    }
}

#[test]
fn a_receiver_hears_its_senders_in_turn() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        pull.bind(&transport.endpoint()).unwrap();
        let pushes: [Push; 4] = std::array::from_fn(|_| sender(&context));
        for (name, push) in pushes.iter().enumerate() {
            push.connect(&pull.last_endpoint()).unwrap();
            for _ in 0..100 {
                push.send(format!("{name}")).unwrap();
            }
        }
        eventually("four peers", || pull.peer_count() == 4);
        let mut counts = [0; 4];
        for _ in 0..400 {
            counts[texts(&pull)[0].parse::<usize>().unwrap()] += 1;
        }
        assert_eq!(counts, [100; 4]);
    }
}

#[test]
fn without_a_peer_nothing_can_be_sent() {
    let context = Context::new();
    let push = Push::new(&context).unwrap();
    push.bind("tcp://127.0.0.1:*").unwrap();
    let failed = push.try_send("a bound PUSH has nobody yet").unwrap_err();
    assert!(matches!(failed.error, Error::WouldBlock));
    assert_eq!(&*failed.message, b"a bound PUSH has nobody yet");
    assert!(matches!(
        push.send_within("", MOMENT).unwrap_err().error,
        Error::TimedOut
    ));
}

#[test]
fn a_connection_to_be_takes_as_many_as_the_mark_says() {
    let context = Context::builder().linger(Some(std::time::Duration::ZERO)).build();
    for hwm in [1, 2, 10, 1000] {
        let push = Push::new(&context).unwrap();
        push.set_send_hwm(hwm);
        // Nobody listens on the port of the multiplexer.
        push.connect("tcp://127.0.0.1:1").unwrap();
        for number in 0..hwm {
            push.try_send_multipart([format!("{number}"), "second part".to_owned()])
                .unwrap();
        }
        let failed = push.try_send("one more").unwrap_err();
        assert!(matches!(failed.error, Error::WouldBlock), "at {hwm}");
    }
}

#[test]
fn an_immediate_socket_queues_for_connections_only() {
    let context = Context::new();
    let push: Push = sender(&context);
    push.set_immediate(true);
    push.connect("tcp://127.0.0.1:1").unwrap();
    assert!(matches!(push.try_send("").unwrap_err().error, Error::WouldBlock));
    let pull: Pull = receiver(&context);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    push.send("to the one that is there").unwrap();
    assert_eq!(texts(&pull), ["to the one that is there"]);
}

#[test]
fn a_sender_at_the_mark_goes_on_when_half_is_gone() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        push.set_send_hwm(10);
        pull.set_receive_hwm(10);
        join(transport, &pull, &push);
        // More than all buffers of the system hold.
        let body = vec![7; 100_000];
        let mut sent = 0;
        while push.try_send(body.as_slice()).is_ok() || push.send_within(body.as_slice(), MOMENT).is_ok() {
            sent += 1;
        }
        for _ in 0..sent {
            assert_eq!(pull.recv().unwrap().len(), body.len());
        }
        push.send("room again").unwrap();
        assert_eq!(texts(&pull), ["room again"]);
    }
}

#[test]
fn a_pair_has_one_peer() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [bound, first, second]: [Pair; 3] = std::array::from_fn(|_| socket(&context));
        join(transport, &bound, &first);
        first.send("first").unwrap();
        assert_eq!(texts(&bound), ["first"]);
        second.set_linger(Some(MOMENT));
        second.connect(&bound.last_endpoint()).unwrap();
        let _ = second.try_send("second");
        assert_silent(&bound);
        bound.send("back").unwrap();
        assert_eq!(texts(&first), ["back"]);
    }
}

#[test]
fn what_is_sent_arrives_after_the_sender_is_gone() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        pull.bind(&transport.endpoint()).unwrap();
        let endpoint = pull.last_endpoint();
        let other = if transport == crate::Transport::Inproc {
            context.clone()
        } else {
            Context::new()
        };
        let thread = std::thread::spawn(move || {
            let push: Push = sender(&other);
            push.connect(&endpoint).unwrap();
            for number in 0..10_000_u32 {
                push.send(&number.to_le_bytes()).unwrap();
            }
        });
        for number in 0..10_000_u32 {
            assert_eq!(*pull.recv().unwrap(), number.to_le_bytes());
        }
        thread.join().unwrap();
    }
}

#[test]
fn a_sender_may_go_before_its_connection_is_made() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        pull.bind(&transport.endpoint()).unwrap();
        for number in 0..100 {
            let push: Push = sender(&context);
            push.connect(&pull.last_endpoint()).unwrap();
            push.send(format!("{number}")).unwrap();
            drop(push);
            assert_eq!(texts(&pull), [format!("{number}")]);
        }
    }
}
