//! Endpoints and options: what may be bound and connected, taken back, and what is said about it.

use std::time::Duration;

use ringmq::monitor::{DisconnectReason, Event};
use ringmq::{Context, EndpointFault, Error, Pull, Push};

use crate::{PATIENCE, TRANSPORTS, assert_silent, eventually, join, receiver, sender, texts};

#[test]
fn wrong_endpoints_are_named() {
    let push = Push::new(&Context::new()).unwrap();
    for (endpoint, fault) in [
        ("tcp:/127.0.0.1:5", EndpointFault::NoScheme),
        ("tcp://", EndpointFault::NoAddress),
        ("tcp://127.0.0.1", EndpointFault::NoPort),
        ("tcp://127.0.0.1:65536", EndpointFault::InvalidPort),
    ] {
        for outcome in [push.bind(endpoint), push.connect(endpoint)] {
            match outcome {
                Err(Error::InvalidEndpoint { endpoint: named, why }) => {
                    assert_eq!((named.as_str(), why), (endpoint, fault));
                }
                other => panic!("{endpoint}: {other:?}"),
            }
        }
    }
    assert!(
        matches!(push.connect("pgm://eth0;1.2.3.4:5"), Err(Error::UnsupportedTransport { scheme }) if scheme == "pgm")
    );
    assert!(matches!(
        push.bind("tcp://192.0.2.1:5"),
        Err(Error::AddressNotAvailable { .. })
    ));
    assert!(matches!(
        push.bind("tcp://no-such-interface:5"),
        Err(Error::NoDevice { .. })
    ));
}

#[test]
fn the_last_endpoint_is_literal() {
    let context = Context::new();
    let pull = Pull::new(&context).unwrap();
    assert_eq!(pull.last_endpoint(), "");
    pull.bind("tcp://*:*").unwrap();
    let bound = pull.last_endpoint();
    assert!(
        bound.starts_with("tcp://0.0.0.0:") && !bound.ends_with(":0"),
        "{bound}"
    );
    pull.connect("tcp://localhost:1").unwrap();
    assert_eq!(pull.last_endpoint(), "tcp://localhost:1");
    assert!(matches!(pull.bind(&bound), Err(Error::AddressInUse { endpoint }) if endpoint == bound));
}

#[test]
fn names_and_ipv6_lead_to_the_peer() {
    let (v4, both) = (Context::new(), Context::builder().ipv6(true).build());
    let rows = [
        (&both, "tcp://[::1]:*", "tcp://[::1]:"),
        (&both, "tcp://*:*", "tcp://localhost:"),
        (&v4, "tcp://lo:*", "tcp://localhost:"),
    ];
    for (context, bind, connect) in rows {
        let (push, pull): (Push, Pull) = (sender(context), receiver(context));
        pull.bind(bind).unwrap();
        let bound = pull.last_endpoint();
        let port = bound.rsplit(':').next().unwrap();
        push.connect(&format!("{connect}{port}")).unwrap();
        push.send(bind).unwrap();
        assert_eq!(texts(&pull), [bind]);
    }
}

#[test]
fn an_endpoint_taken_back_is_free() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        push.send("before").unwrap();
        assert_eq!(texts(&pull), ["before"]);
        let endpoint = pull.last_endpoint();
        pull.unbind(&endpoint).unwrap();
        assert!(matches!(
            pull.unbind(&endpoint),
            Err(Error::NoSuchEndpoint { .. })
        ));
        assert_eq!(pull.peer_count(), 0);
        let other: Pull = receiver(&context);
        other.bind(&endpoint).unwrap();
        let again: Push = sender(&context);
        again.connect(&endpoint).unwrap();
        again.send("after").unwrap();
        assert_eq!(texts(&other), ["after"]);
    }
}

#[test]
fn a_disconnected_peer_gets_what_was_sent_before() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        for number in 0..100 {
            push.send(format!("{number}")).unwrap();
        }
        let endpoint = pull.last_endpoint();
        push.disconnect(&endpoint).unwrap();
        assert!(matches!(
            push.disconnect(&endpoint),
            Err(Error::NoSuchEndpoint { .. })
        ));
        assert!(matches!(push.try_send("").unwrap_err().error, Error::WouldBlock));
        for number in 0..100 {
            assert_eq!(texts(&pull), [format!("{number}")]);
        }
        assert_silent(&pull);
        eventually("the peer is gone", || pull.peer_count() == 0);
    }
}

#[test]
fn a_monitor_tells_the_life_of_a_connection() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    let (binding, connecting) = (pull.monitor(), push.monitor());
    join(crate::Transport::Tcp, &pull, &push);
    push.send("hello").unwrap();
    assert_eq!(texts(&pull), ["hello"]);
    let next = |monitor: &ringmq::monitor::MonitorReceiver| monitor.recv_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(next(&binding).event, Event::Listening { .. }));
    assert!(matches!(next(&binding).event, Event::Accepted { .. }));
    assert!(matches!(next(&binding).event, Event::Handshaken));
    let delayed = next(&connecting);
    assert!(matches!(delayed.event, Event::ConnectDelayed { .. }));
    assert_eq!(delayed.remote, pull.last_endpoint());
    assert!(matches!(next(&connecting).event, Event::Connected { .. }));
    assert!(matches!(next(&connecting).event, Event::Handshaken));
    drop(pull);
    assert!(matches!(
        next(&connecting).event,
        Event::Disconnected {
            reason: DisconnectReason::PeerClosed,
            ..
        }
    ));
    assert!(matches!(next(&connecting).event, Event::ConnectRetried { .. }));
}

#[test]
fn a_monitor_that_nobody_reads_holds_nothing_up() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let unread = pull.monitor();
    for round in 0..1500 {
        let push: Push = sender(&context);
        push.connect(&pull.last_endpoint()).unwrap();
        push.send(format!("{round}")).unwrap();
        assert_eq!(texts(&pull), [format!("{round}")]);
    }
    let mut lost = 0;
    while let Ok(record) = unread.try_recv() {
        if let Event::Lost { count } = record.event {
            lost += count;
        }
    }
    assert!(lost > 0);
}

#[test]
fn options_are_kept_and_checked() {
    let context = Context::new();
    let push = Push::new(&context).unwrap();
    assert_eq!(
        (push.send_hwm(), push.linger()),
        (1000, Some(Duration::from_secs(30)))
    );
    push.set_send_hwm(7);
    push.set_tcp_keepalive(Some(true));
    assert_eq!((push.send_hwm(), push.tcp_keepalive()), (7, Some(true)));
    assert!(matches!(
        push.add_metadata("no-prefix", "value"),
        Err(Error::InvalidOption { .. })
    ));
    push.add_metadata("X-origin", "here").unwrap();
    let dealer = ringmq::Dealer::new(&context).unwrap();
    assert!(matches!(
        dealer.set_routing_id(""),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        dealer.set_routing_id([1; 256]),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn a_part_beyond_the_limit_ends_the_connection() {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
    pull.set_max_message_size(Some(1000));
    let monitor = pull.monitor();
    join(crate::Transport::Tcp, &pull, &push);
    push.send(vec![0; 1000]).unwrap();
    assert_eq!(pull.recv().unwrap().len(), 1000);
    push.send(vec![0; 1001]).unwrap();
    eventually("the limit is enforced", || {
        let record = monitor.recv_timeout(Some(PATIENCE)).unwrap();
        matches!(
            record.event,
            Event::Disconnected {
                reason: DisconnectReason::LimitExceeded,
                ..
            }
        )
    });
}
