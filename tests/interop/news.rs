//! Options by which sockets tell of connections and subscriptions, with libzmq at the other end.

use std::time::Duration;

use ringmq::{Context, Dealer, Router, RouterNotify, Sub, XPub, XpubManual};
use ringmq_stock::constants::{option, socket_type};
use ringmq_stock::{Context as StockContext, Socket as StockSocket};
use ringmq_tests::watchdog::within;

use crate::peer::{PATIENCE, Wire, own_endpoint, ring_context};

const LIMIT: Duration = Duration::from_secs(300);

fn stock(kind: i32) -> StockSocket {
    let socket = StockContext::new().socket(kind).unwrap();
    socket.set_int(option::LINGER, 0).unwrap();
    socket
}

fn dealer(context: &Context) -> Dealer {
    let dealer = Dealer::new(context).unwrap();
    dealer.set_receive_timeout(Some(PATIENCE));
    dealer
}

fn router(context: &Context) -> Router {
    let router = Router::new(context).unwrap();
    router.set_receive_timeout(Some(PATIENCE));
    router
}

/// The parts of the next message.
fn parts(socket: &Router) -> Vec<Vec<u8>> {
    let parts = socket.recv_multipart().unwrap();
    parts.iter().map(|part| part.to_vec()).collect()
}

#[test]
fn each_engine_greets_the_other() {
    within(LIMIT, || {
        let context = ring_context();
        let (router, other) = (router(&context), stock(socket_type::DEALER));
        router.set_hello_message("hello from RingMQ");
        other.set_bytes(option::HELLO_MSG, b"hello from libzmq").unwrap();
        other.set_bytes(option::ROUTING_ID, b"other").unwrap();
        router.bind(&own_endpoint(Wire::Tcp)).unwrap();
        other.connect(&router.last_endpoint()).unwrap();
        assert_eq!(parts(&router), [&b"other"[..], b"hello from libzmq"]);
        assert_eq!(other.recv(0).unwrap(), b"hello from RingMQ");
    });
}

#[test]
fn each_engine_tells_of_a_peer_that_is_gone() {
    within(LIMIT, || {
        let context = ring_context();
        // libzmq's DEALER goes.
        let (here, there) = (router(&context), stock(socket_type::DEALER));
        here.set_disconnect_message("gone");
        there.set_bytes(option::ROUTING_ID, b"peer").unwrap();
        here.bind(&own_endpoint(Wire::Tcp)).unwrap();
        there.connect(&here.last_endpoint()).unwrap();
        there.send(b"here", 0).unwrap();
        assert_eq!(parts(&here), [&b"peer"[..], b"here"]);
        drop(there);
        assert_eq!(parts(&here), [&b"peer"[..], b"gone"]);
        // Ours goes, and libzmq sees the same.
        let (there, here) = (stock(socket_type::ROUTER), dealer(&context));
        there.set_bytes(option::DISCONNECT_MSG, b"gone").unwrap();
        here.set_routing_id("peer").unwrap();
        let endpoint = there.bind(&own_endpoint(Wire::Tcp)).unwrap();
        here.connect(&endpoint).unwrap();
        here.send("here").unwrap();
        assert_eq!(there.recv_multipart(0).unwrap(), [&b"peer"[..], b"here"]);
        drop(here);
        assert_eq!(there.recv_multipart(0).unwrap(), [&b"peer"[..], b"gone"]);
    });
}

#[test]
fn a_router_is_notified_of_libzmqs_connections() {
    within(LIMIT, || {
        let context = ring_context();
        let (here, there) = (router(&context), stock(socket_type::DEALER));
        here.set_router_notify(RouterNotify {
            connects: true,
            disconnects: true,
        });
        there.set_bytes(option::ROUTING_ID, b"peer").unwrap();
        here.bind(&own_endpoint(Wire::Tcp)).unwrap();
        there.connect(&here.last_endpoint()).unwrap();
        assert_eq!(parts(&here), [&b"peer"[..], b""]);
        there.send(b"here", 0).unwrap();
        assert_eq!(parts(&here), [&b"peer"[..], b"here"]);
        drop(there);
        assert_eq!(parts(&here), [&b"peer"[..], b""]);
    });
}

#[test]
fn a_hiccup_is_told_when_libzmq_goes_and_comes_back() {
    within(LIMIT, || {
        let context = ring_context();
        let here = dealer(&context);
        here.set_hiccup_message("hiccup");
        here.set_reconnect_interval(Some(Duration::from_millis(5)));
        let there = stock(socket_type::ROUTER);
        there.set_bytes(option::HELLO_MSG, b"hello").unwrap();
        let endpoint = there.bind(&own_endpoint(Wire::Tcp)).unwrap();
        here.connect(&endpoint).unwrap();
        assert_eq!(&*here.recv().unwrap(), b"hello");
        drop(there);
        assert_eq!(&*here.recv().unwrap(), b"hiccup");
        let again = stock(socket_type::ROUTER);
        again.set_bytes(option::HELLO_MSG, b"hello again").unwrap();
        while again.bind(&endpoint).is_err() {
            std::thread::yield_now();
        }
        assert_eq!(&*here.recv().unwrap(), b"hello again");
    });
}

#[test]
fn an_owner_decides_about_libzmqs_subscriptions() {
    within(LIMIT, || {
        let context = ring_context();
        let here = XPub::new(&context).unwrap();
        here.set_receive_timeout(Some(PATIENCE));
        here.set_xpub_manual(XpubManual::LastValue);
        here.set_xpub_welcome("welcome");
        here.bind(&own_endpoint(Wire::Tcp)).unwrap();
        let there = stock(socket_type::SUB);
        there.subscribe(b"welcome").unwrap();
        there.connect(&here.last_endpoint()).unwrap();
        assert_eq!(&*here.recv().unwrap(), b"\x01welcome");
        assert_eq!(there.recv(0).unwrap(), b"welcome");
        there.subscribe(b"A").unwrap();
        assert_eq!(&*here.recv().unwrap(), b"\x01A");
        here.subscribe_requester("A").unwrap();
        here.send("A, the last value").unwrap();
        assert_eq!(there.recv(0).unwrap(), b"A, the last value");
        drop(there);
        for _ in 0..2 {
            assert_eq!(here.recv().unwrap()[0], 0, "what it had asked for is cancelled");
        }
    });
}

#[test]
fn libzmqs_owner_decides_about_ours() {
    within(LIMIT, || {
        let context = ring_context();
        let there = stock(socket_type::XPUB);
        there.set_int(option::XPUB_MANUAL, 1).unwrap();
        there.set_bytes(option::XPUB_WELCOME_MSG, b"welcome").unwrap();
        let endpoint = there.bind(&own_endpoint(Wire::Tcp)).unwrap();
        let here = Sub::new(&context).unwrap();
        here.set_receive_timeout(Some(PATIENCE));
        here.subscribe("welcome").unwrap();
        here.subscribe("XA").unwrap();
        here.connect(&endpoint).unwrap();
        for _ in 0..2 {
            assert_eq!(there.recv(0).unwrap()[0], 1);
        }
        assert_eq!(&*here.recv().unwrap(), b"welcome");
        there.subscribe(b"XA").unwrap();
        there.send(b"A", 0).unwrap();
        there.send(b"XA", 0).unwrap();
        assert_eq!(&*here.recv().unwrap(), b"XA");
    });
}

/// Peers of ZMTP 2.0 are welcome, which changes the order of our greeting, and nothing for libzmq's.
#[test]
fn welcoming_old_peers_does_not_disturb_libzmq() {
    within(LIMIT, || {
        for stock_binds in [true, false] {
            let router = ringmq::Router::new(&ring_context()).unwrap();
            router.set_receive_timeout(Some(PATIENCE));
            router.set_zmtp2_peers(true);
            let dealer = ringmq_stock::Context::new().socket(socket_type::DEALER).unwrap();
            dealer.set_bytes(option::ROUTING_ID, b"stock").unwrap();
            if stock_binds {
                router
                    .connect(&dealer.bind("tcp://127.0.0.1:*").unwrap())
                    .unwrap();
            } else {
                router.bind("tcp://127.0.0.1:*").unwrap();
                dealer.connect(&router.last_endpoint()).unwrap();
            }
            dealer.send(b"hello", 0).unwrap();
            let parts = router.recv_multipart().unwrap();
            assert_eq!((&*parts[0], &*parts[1]), (&b"stock"[..], &b"hello"[..]));
            router.send_multipart(["stock", "hello yourself"]).unwrap();
            assert_eq!(dealer.recv(0).unwrap(), b"hello yourself");
        }
    });
}
