//! STREAM of one engine against STREAM of the other, which see each other as any program that speaks TCP.

use std::time::Duration;

use ringmq::{Context, Message, Stream};
use ringmq_stock::constants::{flag, option, socket_type};
use ringmq_tests::watchdog::within;

use crate::meet::pattern;
use crate::peer::{Engine, PATIENCE, Wire, own_endpoint};

/// A STREAM of either engine: whom it talks to, and what is said.
trait Raw {
    fn bind(&self) -> String;
    fn connect(&self, endpoint: &str);
    fn send(&self, peer: &[u8], bytes: &[u8]);
    fn recv(&self) -> (Vec<u8>, Vec<u8>);
    /// libzmq takes a connection down only while its owner calls it.
    fn poke(&self) {}
}

impl Raw for Stream {
    fn bind(&self) -> String {
        self.set_receive_timeout(Some(PATIENCE));
        self.bind(&own_endpoint(Wire::Tcp)).unwrap();
        self.last_endpoint()
    }
    fn connect(&self, endpoint: &str) {
        self.set_receive_timeout(Some(PATIENCE));
        self.connect(endpoint).unwrap();
    }
    fn send(&self, peer: &[u8], bytes: &[u8]) {
        self.send_multipart([Message::from(peer), Message::from(bytes)])
            .unwrap();
    }
    fn recv(&self) -> (Vec<u8>, Vec<u8>) {
        let parts = self.recv_multipart().unwrap();
        assert_eq!(parts.len(), 2);
        (parts[0].to_vec(), parts[1].to_vec())
    }
}

impl Raw for ringmq_stock::Socket {
    fn bind(&self) -> String {
        self.bind(&own_endpoint(Wire::Tcp)).unwrap()
    }
    fn connect(&self, endpoint: &str) {
        self.connect(endpoint).unwrap();
    }
    fn send(&self, peer: &[u8], bytes: &[u8]) {
        self.send(peer, flag::SNDMORE).unwrap();
        self.send(bytes, 0).unwrap();
    }
    fn recv(&self) -> (Vec<u8>, Vec<u8>) {
        let mut parts = self.recv_multipart(0).unwrap();
        assert_eq!(parts.len(), 2);
        let bytes = parts.pop().unwrap();
        (parts.pop().unwrap(), bytes)
    }
    fn poke(&self) {
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(2));
            self.get_int(option::EVENTS).unwrap();
        }
    }
}

fn raw(engine: Engine) -> Box<dyn Raw> {
    match engine {
        Engine::RingMq => Box::new(Stream::new(&Context::new()).unwrap()),
        Engine::Stock => {
            let socket = ringmq_stock::Context::new().socket(socket_type::STREAM).unwrap();
            assert_eq!(socket.get_int(option::TYPE).unwrap(), socket_type::STREAM);
            Box::new(socket)
        }
    }
}

/// Receives `length` bytes from a peer, in whatever pieces they come.
fn collect(from: &dyn Raw, peer: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let (sender, piece) = from.recv();
        assert_eq!(sender, peer);
        assert!(!piece.is_empty(), "the connection ends early");
        bytes.extend(piece);
    }
    bytes
}

#[test]
fn streams_see_the_same_of_each_other() {
    within(Duration::from_secs(300), || {
        for (left, right) in [
            (Engine::RingMq, Engine::RingMq),
            (Engine::RingMq, Engine::Stock),
            (Engine::Stock, Engine::RingMq),
        ] {
            let (bound, connected) = (raw(left), raw(right));
            connected.connect(&bound.bind());
            let (client, begins) = bound.recv();
            assert_eq!((client.len(), client[0], begins.len()), (5, 0, 0));
            let (server, begins) = connected.recv();
            assert_eq!((server.len(), server[0], begins.len()), (5, 0, 0));
            for length in [1, 5_000, 8_192, 8_193, 200_000] {
                let bytes = pattern(length, length);
                connected.send(&server, &bytes);
                assert!(collect(&*bound, &client, length) == bytes);
                bound.send(&client, &bytes);
                assert!(collect(&*connected, &server, length) == bytes);
            }
            // The connecting one closes, and the bound one sees it.
            connected.send(&server, b"");
            connected.poke();
            assert_eq!(bound.recv(), (client, Vec::new()));
        }
    });
}
