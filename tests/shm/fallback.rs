//! Connections that stay streams, because one side does not share memory.

use std::time::Duration;

use ringmq::monitor::{DisconnectReason, Event};
use ringmq::{Context, Pair, Pull};
use ringmq_stock::constants::socket_type;
use ringmq_tests::watchdog::within;

use crate::raw::{self, Raw};
use crate::{LIMIT, body, is_disconnected, is_shared, new, own_name, wait_for};

/// Messages go both ways, and by the stream.
fn assert_streams(one: &Pair, other: &Pair) {
    let events = [one.monitor(), other.monitor()];
    one.bind(&own_name()).unwrap();
    other.connect(&one.last_endpoint()).unwrap();
    for (seed, len) in [0, 1, 40_000, 3_000_000].into_iter().enumerate() {
        one.send(body(len, seed)).unwrap();
        other.send(body(len, seed)).unwrap();
        assert!(*other.recv().unwrap() == *body(len, seed));
        assert!(*one.recv().unwrap() == *body(len, seed));
    }
    for events in events {
        wait_for(&events, |event| matches!(event, Event::Handshaken));
        let next = events.recv_timeout(Some(Duration::ZERO));
        assert!(next.is_err(), "{next:?}");
    }
}

#[test]
fn either_side_may_want_none() {
    within(LIMIT, || {
        for (segment, other_segment) in [(0, 1 << 20), (1 << 20, 0), (0, 0)] {
            let context = Context::new();
            let (one, other): (Pair, Pair) = (new(&context), new(&context));
            one.set_shm_segment_len(segment);
            other.set_shm_segment_len(other_segment);
            assert_streams(&one, &other);
        }
    });
}

#[test]
fn stock_libzmq_is_served_by_the_stream() {
    within(LIMIT, || {
        let (context, stock_context) = (Context::new(), ringmq_stock::Context::new());
        for ring_binds in [true, false] {
            let ring: Pair = new(&context);
            let stock = stock_context.socket(socket_type::PAIR).unwrap();
            let events = ring.monitor();
            let endpoint = own_name();
            if ring_binds {
                ring.bind(&endpoint).unwrap();
                stock.connect(&endpoint).unwrap();
            } else {
                stock.bind(&endpoint).unwrap();
                ring.connect(&endpoint).unwrap();
            }
            for (seed, len) in [0, 1, 40_000, 3_000_000].into_iter().enumerate() {
                let sent = body(len, seed);
                ring.send(sent.as_slice()).unwrap();
                assert!(stock.recv(0).unwrap() == sent);
                stock.send(&sent, 0).unwrap();
                assert!(*ring.recv().unwrap() == *sent);
            }
            let mut seen = Vec::new();
            while let Ok(record) = events.recv_timeout(Some(Duration::ZERO)) {
                seen.push(record.event);
            }
            assert!(seen.contains(&Event::Handshaken));
            assert!(!seen.iter().any(is_shared), "{seen:?}");
        }
    });
}

#[test]
fn a_peer_that_never_answers_is_given_up() {
    within(LIMIT, || {
        let context = Context::new();
        let pull: Pull = new(&context);
        pull.set_handshake_interval(Some(Duration::from_millis(100)));
        let events = pull.monitor();
        pull.bind(&own_name()).unwrap();
        let endpoint = pull.last_endpoint();
        // Nothing at all, an offer without an answer, an answer without an offer.
        for said in [&[][..], &[raw::nothing_to_offer()], &[vec![raw::MAPPED]]] {
            let mut peer = Raw::connect(&endpoint);
            peer.greet("PUSH");
            for step in said {
                peer.say(step, &[]);
            }
            let ended = wait_for(&events, is_disconnected);
            assert!(
                matches!(
                    ended.event,
                    Event::Disconnected {
                        reason: DisconnectReason::HandshakeTimeout,
                        ..
                    }
                ),
                "{said:?}: {ended:?}"
            );
            assert!(peer.read_to_end());
        }
        assert!(pull.try_recv().is_err());
    });
}
