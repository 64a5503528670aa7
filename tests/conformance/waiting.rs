//! Timeouts, polling and the end of a context.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use ringmq::{Context, Error, Interest, Poller, Pull, Push};
use ringmq_tests::watchdog::within;

use crate::{MOMENT, PATIENCE, TRANSPORTS, join, receiver, sender, texts};

#[test]
fn nothing_waits_longer_than_it_was_told() {
    let context = Context::new();
    let pull = Pull::new(&context).unwrap();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    assert!(matches!(pull.try_recv(), Err(Error::WouldBlock)));
    let start = Instant::now();
    assert!(matches!(pull.recv_within(MOMENT), Err(Error::TimedOut)));
    assert!(start.elapsed() >= MOMENT);
    pull.set_receive_timeout(Some(Duration::ZERO));
    assert!(matches!(pull.recv(), Err(Error::WouldBlock)));
    let mut poller = Poller::new();
    poller.add(&pull, Interest::Readable);
    assert_eq!(poller.wait(Some(MOMENT)).unwrap(), []);
}

#[test]
fn a_poller_sees_sockets_and_descriptors() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut poller = Poller::new();
        let socket = poller.add(&pull, Interest::Readable);
        let descriptor = poller.add_fd(&far, Interest::Readable);
        assert_eq!(poller.add(&pull, Interest::Readable), socket);

        near.write_all(b"!").unwrap();
        let ready = poller.wait(None).unwrap();
        assert!(
            ready
                .iter()
                .all(|event| event.item == descriptor && event.readable && !event.writable)
        );

        let mut far_read = &far;
        std::io::Read::read_exact(&mut far_read, &mut [0]).unwrap();
        let sender = thread::spawn(move || {
            push.send("wake up").unwrap();
            push
        });
        let ready = poller.wait(None).unwrap();
        assert_eq!(ready.len(), 1);
        assert!(ready[0].item == socket && ready[0].readable);
        assert_eq!(texts(&pull), ["wake up"]);
        sender.join().unwrap();
    }
}

#[test]
fn a_shutdown_ends_every_wait() {
    let context = Context::new();
    let pull = Pull::new(&context).unwrap();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = Push::new(&context).unwrap();
    push.bind("tcp://127.0.0.1:*").unwrap();
    let receiving = thread::spawn(move || pull.recv().map(drop));
    let sending = thread::spawn(move || push.send("to nobody").map_err(Error::from));
    context.shutdown();
    assert!(matches!(receiving.join().unwrap(), Err(Error::Terminated)));
    assert!(matches!(sending.join().unwrap(), Err(Error::Terminated)));
    assert!(matches!(Pull::new(&context), Err(Error::Terminated)));
}

#[test]
fn a_context_without_linger_ends_at_once() {
    let start = Instant::now();
    let context = Context::builder().linger(Some(Duration::ZERO)).build();
    let push = Push::new(&context).unwrap();
    push.connect("tcp://127.0.0.1:1").unwrap();
    push.send("for nobody").unwrap();
    drop(push);
    drop(context);
    // By default it would wait for thirty seconds.
    assert!(start.elapsed() < Duration::from_secs(25));
}

#[test]
fn sockets_are_limited_in_number() {
    let context = Context::builder().sockets(3).build();
    let sockets: Vec<_> = (0..3).map(|_| Pull::new(&context).unwrap()).collect();
    assert!(matches!(Pull::new(&context), Err(Error::TooManySockets)));
    drop(sockets);
    Pull::new(&context).unwrap();
}

#[test]
fn many_sockets_come_and_go_while_messages_flow() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        let flood = thread::spawn(move || {
            for number in 0..200_000_u32 {
                push.send(&number.to_le_bytes()).unwrap();
            }
        });
        let churn = {
            let context = context.clone();
            thread::spawn(move || {
                for _ in 0..100 {
                    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
                    join(transport, &pull, &push);
                    push.send("through").unwrap();
                    assert_eq!(texts(&pull), ["through"]);
                }
            })
        };
        for number in 0..200_000_u32 {
            assert_eq!(*pull.recv().unwrap(), number.to_le_bytes());
        }
        flood.join().unwrap();
        churn.join().unwrap();
    }
}

/// A receive that brings more entries than the queue holds does not leave the rest lying for want of another event.
#[test]
fn messages_between_commands_come_without_a_gap() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let address = pull.last_endpoint();
    let mut peer = std::net::TcpStream::connect(address.trim_start_matches("tcp://")).unwrap();
    let mut hello = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL".to_vec();
    hello.resize(64, 0);
    hello.extend(b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH\0\x01x");
    peer.write_all(&hello).unwrap();
    assert_eq!(texts(&pull), ["x"]);
    // This wait makes the socket read the connection itself.
    let mut burst = Vec::new();
    for _ in 0..40 {
        burst.extend(b"\0\x01m\x04\x07\x04PING\0\0");
    }
    for _ in 0..3 {
        let sending = thread::spawn({
            let (mut peer, burst) = (peer.try_clone().unwrap(), burst.clone());
            move || peer.write_all(&burst).unwrap()
        });
        assert_eq!(texts(&pull), ["m"]);
        sending.join().unwrap();
        for _ in 1..40 {
            assert_eq!(texts(&pull), ["m"]);
        }
    }
}

/// Also those that would not have to wait.
#[test]
fn every_call_after_the_shutdown_says_so() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        push.send("one").unwrap();
        push.send("two").unwrap();
        assert_eq!(&*pull.recv().unwrap(), b"one");
        context.shutdown();
        assert!(matches!(push.send("three").unwrap_err().error, Error::Terminated));
        assert!(matches!(
            push.try_send("four").unwrap_err().error,
            Error::Terminated
        ));
        assert!(matches!(pull.recv(), Err(Error::Terminated)));
        assert!(matches!(pull.try_recv(), Err(Error::Terminated)));
        assert!(matches!(pull.events(), Err(Error::Terminated)));
    }
}

/// A worker that has slept for long takes the end of everything and the command to stop in one go.
#[test]
fn a_context_ends_after_its_last_endpoint() {
    within(PATIENCE, || {
        for _ in 0..200 {
            let context = Context::new();
            let pull = Pull::new(&context).unwrap();
            pull.bind("tcp://127.0.0.1:*").unwrap();
            pull.unbind(&pull.last_endpoint()).unwrap();
            assert!(matches!(
                pull.recv_within(Duration::from_millis(1)),
                Err(Error::TimedOut)
            ));
        }
    });
}
