//! The proxy does to a connection between two stock sockets what its plan says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ringmq_stock::constants::{errno, event, option, socket_type};
use ringmq_stock::{Context, Socket};
use ringmq_tests::endpoint;
use ringmq_tests::proxy::{Course, Fault, Plan, Proxy, Segments};
use ringmq_tests::raw_peer::{Ending, PATIENCE, RawPeer};

/// A PULL behind a proxy, and a PUSH connected to the proxy.
fn push_proxy_pull(plan: impl Fn(usize) -> Plan + Send + 'static) -> (Socket, Proxy, Socket) {
    let context = Context::new();
    let pull = context.socket(socket_type::PULL).unwrap();
    let push = context.socket(socket_type::PUSH).unwrap();
    for socket in [&push, &pull] {
        socket.set_int(option::LINGER, 0).unwrap();
    }
    push.set_int(option::RECONNECT_IVL, 1).unwrap();
    let target = endpoint::address(&pull.bind("tcp://127.0.0.1:*").unwrap());
    let proxy = Proxy::start(target, plan).unwrap();
    (push, proxy, pull)
}

fn both(segments: Segments) -> Plan {
    let course = Course {
        segments,
        fault: None,
    };
    Plan {
        upstream: course.clone(),
        downstream: course,
    }
}

fn fault_upstream(after: u64, fault: Fault) -> Plan {
    Plan {
        upstream: Course {
            fault: Some((after, fault)),
            ..Course::default()
        },
        ..Plan::default()
    }
}

#[test]
fn messages_survive_any_segmentation() {
    for segments in [
        Segments::AsRead,
        Segments::OneByte,
        Segments::Random { seed: 1, highest: 7 },
        Segments::Random {
            seed: 2,
            highest: 3000,
        },
    ] {
        let plan = both(segments.clone());
        let (push, proxy, pull) = push_proxy_pull(move |_| plan.clone());
        push.connect(&endpoint::tcp(proxy.address())).unwrap();
        for length in [0, 1, 63, 64, 255, 256, 8191, 20_000] {
            let parts = [vec![length as u8; length], vec![], vec![1; 3]];
            push.send_multipart(&parts, 0).unwrap();
            assert_eq!(
                pull.recv_multipart(0).unwrap(),
                parts,
                "{segments:?}, {length} bytes"
            );
        }
    }
}

#[test]
fn a_cut_connection_is_made_again_and_the_next_messages_arrive() {
    for fault in [Fault::Fin, Fault::Rst] {
        // Inside the greeting, inside READY, and inside the first message.
        for after in [0, 1, 11, 63, 64, 70, 92, 95] {
            let (push, proxy, pull) = push_proxy_pull(move |connection| match connection {
                0 => fault_upstream(after, fault),
                _ => Plan::default(),
            });
            let monitor = push.monitor(event::DISCONNECTED | event::CLOSED).unwrap();
            push.connect(&endpoint::tcp(proxy.address())).unwrap();
            // With the default IMMEDIATE a message waits for a connection; one that was cut is lost.
            push.send(b"first", 0).unwrap();
            assert!(proxy.wait_for_faults(1, PATIENCE), "{fault:?} after {after}");
            monitor.recv().unwrap();
            push.send(b"second", 0).unwrap();
            let mut got = pull.recv(0).unwrap();
            if got == b"first" {
                got = pull.recv(0).unwrap();
            }
            assert_eq!(got, b"second", "{fault:?} after {after}");
            assert!(proxy.connections() >= 2);
        }
    }
}

#[test]
fn a_frozen_peer_makes_the_sender_wait_until_it_thaws() {
    let (push, proxy, pull) = push_proxy_pull(|_| fault_upstream(100, Fault::Freeze));
    push.set_int(option::SNDHWM, 1).unwrap();
    push.set_int(option::SNDBUF, 4096).unwrap();
    push.connect(&endpoint::tcp(proxy.address())).unwrap();
    push.set_int(option::SNDTIMEO, 200).unwrap();

    let body = vec![7; 1 << 20];
    let mut sent = 0;
    let error = loop {
        match push.send(&body, 0) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 100, "somebody swallows the messages");
    };
    assert_eq!(error.errno(), errno::EAGAIN);
    assert!(proxy.wait_for_faults(1, PATIENCE));
    assert!(!pull.poll_in(0).unwrap(), "not even one message has passed");

    proxy.thaw();
    for _ in 0..sent {
        assert_eq!(pull.recv(0).unwrap(), body);
    }
}

/// Two bare TCP ends around a proxy.
fn bare_ends(plan: Plan) -> (RawPeer, Proxy, RawPeer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap(), move |_| plan.clone()).unwrap();
    let client = RawPeer::connect(proxy.address()).unwrap();
    let server = RawPeer::accept(&listener).unwrap();
    (client, proxy, server)
}

#[test]
fn cuts_fall_behind_the_byte_they_are_told_and_reach_both_ends() {
    for (fault, ending) in [(Fault::Fin, Ending::Closed), (Fault::Rst, Ending::Reset)] {
        let (mut client, proxy, mut server) = bare_ends(fault_upstream(5, fault));
        client.send(b"123456789").unwrap();
        assert!(proxy.wait_for_faults(1, PATIENCE));
        assert_eq!(client.read_to_ending(PATIENCE).unwrap(), ending);
        assert_eq!(server.read_to_ending(PATIENCE).unwrap(), ending);
        // An abort may overtake the bytes before it.
        assert!(b"12345".starts_with(server.received()), "{:?}", server.received());
        assert!(fault == Fault::Rst || server.received() == b"12345");
    }
}

#[test]
fn no_byte_passes_behind_a_cut() {
    let (mut client, _proxy, mut server) = bare_ends(fault_upstream(5, Fault::HalfClose));
    client.send(b"123456789").unwrap();
    assert_eq!(server.read_to_ending(PATIENCE).unwrap(), Ending::Closed);
    assert_eq!(server.received(), b"12345");
    server.send(b"still here").unwrap();
    assert_eq!(client.read_exact(10).unwrap(), b"still here");
}

#[test]
fn an_orderly_end_passes_through() {
    let (mut client, _proxy, mut server) = bare_ends(Plan::default());
    client.send(b"bye").unwrap();
    client.finish_sending().unwrap();
    assert_eq!(server.read_to_ending(PATIENCE).unwrap(), Ending::Closed);
    assert_eq!(server.received(), b"bye");
    server.send(b"bye").unwrap();
    drop(server);
    assert_eq!(client.read_to_ending(PATIENCE).unwrap(), Ending::Closed);
    assert_eq!(client.received(), b"bye");
}

#[test]
fn a_peer_that_never_reads_fills_the_senders_buffers() {
    let (client, _proxy, server) = bare_ends(fault_upstream(0, Fault::Freeze));
    let mut stream: &TcpStream = client.stream();
    stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let block = [0; 64 << 10];
    let mut written = 0;
    while let Ok(count) = stream.write(&block) {
        written += count;
        assert!(written < 1 << 30, "somebody reads");
    }
    server.stream().set_nonblocking(true).unwrap();
    assert!(server.stream().read(&mut [0]).is_err());
}
