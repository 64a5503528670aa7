//! Peers of ZMTP 2.0 (RFC 15), where they are welcome.

use std::net::TcpListener;

use ringmq::{Context, Dealer, Error, Pub, Router, Sub};
use ringmq_tests::raw_peer::{Ending, RawPeer};

use crate::{MOMENT, PATIENCE, receiver, sender, socket, texts};

const SIGNATURE: &[u8] = b"\xFF\0\0\0\0\0\0\0\x01\x7F";

/// What such a peer says first, up to its routing id.
fn greeting(socket_type: u8, identity: &[u8]) -> Vec<u8> {
    let rest = [1, socket_type, 0, identity.len() as u8];
    [SIGNATURE, &rest, identity].concat()
}

fn connect(endpoint: &str) -> RawPeer {
    RawPeer::connect(endpoint.strip_prefix("tcp://").unwrap().parse().unwrap()).unwrap()
}

#[test]
pub(crate) fn peers_of_zmtp_2_talk_to_who_wants_them() {
    let context = Context::new();
    let router: Router = socket(&context);
    router.set_zmtp2_peers(true);
    router.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = connect(&router.last_endpoint());
    peer.send(&greeting(5, b"old")).unwrap();
    // Our signature and version, our type, and an empty routing id.
    assert_eq!(
        peer.read_exact(14).unwrap(),
        [SIGNATURE, b"\x03\x06\0\0"].concat()
    );
    peer.send(b"\x01\x02hi\0\x05there").unwrap();
    assert_eq!(texts(&router), ["old", "hi", "there"]);
    router.send_multipart(["old", "", "yourself"]).unwrap();
    assert_eq!(peer.read_exact(12).unwrap(), b"\x01\0\0\x08yourself");
    // Others are served as before, by the same socket.
    let dealer: Dealer = socket(&context);
    dealer.set_routing_id("new").unwrap();
    dealer.connect(&router.last_endpoint()).unwrap();
    dealer.send("hello").unwrap();
    assert_eq!(texts(&router), ["new", "hello"]);
}

#[test]
fn publishers_and_subscribers_of_zmtp_2_agree_by_messages() {
    let context = Context::new();
    let publisher: Pub = sender(&context);
    publisher.set_zmtp2_peers(true);
    publisher.bind("tcp://127.0.0.1:*").unwrap();
    let mut old = connect(&publisher.last_endpoint());
    old.send(&greeting(2, b"")).unwrap();
    old.send(b"\0\x02\x01a").unwrap();
    old.read_exact(14).unwrap();
    publisher.wait_for_subscribers(1, Some(PATIENCE)).unwrap();
    publisher.send("b not this").unwrap();
    publisher.send("a this").unwrap();
    assert_eq!(old.read_frame().unwrap().body, b"a this");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let subscriber: Sub = receiver(&context);
    subscriber.set_zmtp2_peers(true);
    subscriber.subscribe("a").unwrap();
    subscriber
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    let mut old = RawPeer::accept(&listener).unwrap();
    old.send(&greeting(1, b"")).unwrap();
    old.read_exact(14).unwrap();
    assert_eq!(old.read_frame().unwrap().body, b"\x01a");
    old.send(b"\0\x06a this\0\x01b").unwrap();
    assert_eq!(&*subscriber.recv().unwrap(), b"a this");
    assert!(matches!(subscriber.recv_within(MOMENT), Err(Error::TimedOut)));
}

#[test]
fn nobody_talks_to_them_unless_told() {
    let router: Router = socket(&Context::new());
    router.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = connect(&router.last_endpoint());
    peer.send(&greeting(5, b"old")).unwrap();
    assert_ne!(peer.read_to_ending(PATIENCE).unwrap(), Ending::StillOpen);
}
