//! The raw peer and its recipes are understood by stock libzmq, and its readings agree with what libzmq sends.

use std::net::TcpListener;
use std::time::Duration;

use ringmq_stock::constants::{event, option, socket_type};
use ringmq_stock::{Context, Socket};
use ringmq_tests::endpoint;
use ringmq_tests::raw_peer::{Ending, Frame, PATIENCE, RawPeer};
use ringmq_tests::recipe::{self, MORE};

fn bound(kind: i32) -> (Socket, RawPeer) {
    let socket = Context::new().socket(kind).unwrap();
    let address = endpoint::address(&socket.bind("tcp://127.0.0.1:*").unwrap());
    (socket, RawPeer::connect(address).unwrap())
}

fn message(body: &[u8]) -> Frame {
    Frame {
        flags: 0,
        body: body.to_vec(),
    }
}

#[test]
fn a_raw_push_reaches_a_pull() {
    for minor in [0, 1] {
        let (pull, mut peer) = bound(socket_type::PULL);
        let ready = peer.handshake(minor, "PUSH", None).unwrap();
        let (name, properties) = ready.command().unwrap();
        assert_eq!(name, b"READY");
        assert_eq!(properties, recipe::property(b"Socket-Type", b"PULL"));
        assert_eq!(peer.received()[..64], recipe::greeting(1));

        peer.send(&recipe::frame(MORE, b"head")).unwrap();
        peer.send(&recipe::long_frame(0, b"short body in a long frame"))
            .unwrap();
        assert_eq!(
            pull.recv_multipart(0).unwrap(),
            [b"head".to_vec(), b"short body in a long frame".to_vec()]
        );
    }
}

#[test]
fn a_raw_dealer_is_addressed_by_its_identity() {
    let (router, mut peer) = bound(socket_type::ROUTER);
    peer.handshake(1, "DEALER", Some(b"me")).unwrap();
    peer.send(&recipe::frame(0, b"question")).unwrap();
    assert_eq!(router.recv_multipart(0).unwrap(), [b"me", b"question".as_slice()]);
    router
        .send_multipart(&[b"me".as_slice(), b"answer".as_slice()], 0)
        .unwrap();
    assert_eq!(peer.read_message_frame().unwrap(), message(b"answer"));
}

#[test]
fn a_raw_sub_subscribes_in_both_versions() {
    for (minor, subscribe, cancel) in [
        (0, recipe::subscribe_v30(b"a"), recipe::cancel_v30(b"a")),
        (1, recipe::subscribe(b"a"), recipe::cancel(b"a")),
    ] {
        let (xpub, mut peer) = bound(socket_type::XPUB);
        peer.handshake(minor, "SUB", None).unwrap();
        peer.send(&subscribe).unwrap();
        assert_eq!(xpub.recv(0).unwrap(), b"\x01a");
        xpub.send(b"b filtered", 0).unwrap();
        xpub.send(b"a wanted", 0).unwrap();
        assert_eq!(peer.read_message_frame().unwrap(), message(b"a wanted"));
        peer.send(&cancel).unwrap();
        assert_eq!(xpub.recv(0).unwrap(), b"\x00a");
    }
}

#[test]
fn a_ping_is_answered_with_its_context() {
    let (_pull, mut peer) = bound(socket_type::PULL);
    peer.handshake(1, "PUSH", None).unwrap();
    peer.send(&recipe::ping(0, b"ctx")).unwrap();
    let pong = peer.read_frame().unwrap();
    assert_eq!(pong.command(), Some((b"PONG".as_slice(), b"ctx".as_slice())));
}

#[test]
fn libzmq_pings_are_the_recipes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let push = Context::new().socket(socket_type::PUSH).unwrap();
    push.set_int(option::HEARTBEAT_IVL, 20).unwrap();
    push.set_int(option::HEARTBEAT_TTL, 5000).unwrap();
    push.set_int(option::HEARTBEAT_TIMEOUT, 5000).unwrap();
    push.connect(&endpoint::tcp(listener.local_addr().unwrap()))
        .unwrap();
    let mut peer = RawPeer::accept(&listener).unwrap();
    peer.handshake(1, "PULL", None).unwrap();

    let ping = peer.read_frame().unwrap();
    let recipe = recipe::ping(50, b"");
    assert_eq!(ping.body, recipe[2..]);
    peer.send(&recipe::pong(b"")).unwrap();
    push.send(b"alive", 0).unwrap();
    assert_eq!(peer.read_message_frame().unwrap(), message(b"alive"));
}

#[test]
fn a_peer_of_the_wrong_type_is_sent_away() {
    let (pull, mut peer) = bound(socket_type::PULL);
    let monitor = pull.monitor(event::ALL & !event::ACCEPTED).unwrap();
    peer.send(&recipe::greeting(1)).unwrap();
    peer.send(&recipe::ready("PUB", None)).unwrap();
    assert_ne!(peer.read_to_ending(PATIENCE).unwrap(), Ending::StillOpen);
    // libzmq names a cause for PLAIN and CURVE only; under NULL the connection just ends.
    assert_eq!(monitor.recv().unwrap().event, event::DISCONNECTED);
}

#[test]
fn a_peer_of_zmtp_2_is_served() {
    let (pull, mut peer) = bound(socket_type::PULL);
    // PUSH is 8 in ZMTP 2.0; an empty identity follows as a frame.
    peer.send(&recipe::greeting_v2(8)).unwrap();
    peer.send(&recipe::frame(0, b"")).unwrap();
    peer.send(&recipe::frame(0, b"from the past")).unwrap();
    assert_eq!(pull.recv(0).unwrap(), b"from the past");
}

#[test]
fn silence_leaves_a_connection_open() {
    let (_pull, mut peer) = bound(socket_type::PULL);
    assert_eq!(
        peer.read_to_ending(Duration::from_millis(50)).unwrap(),
        Ending::StillOpen
    );
    // libzmq greets first and waits with the minor version until it knows the peer's.
    assert_eq!(peer.received()[..10], recipe::greeting(1)[..10]);
}
