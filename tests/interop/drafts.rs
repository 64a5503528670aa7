//! The types with messages of one part, between the engines, whoever binds.

use std::time::{Duration, Instant};

use ringmq_stock::constants::{flag, socket_type};
use ringmq_tests::watchdog::within;

use crate::meet::{BINDS, Binds, pattern};
use crate::peer::{ENGINES, Engine, LASTING, PATIENCE, Wire, own_endpoint, ring_context};

/// How long one pair may take, with all engines and both ways to meet.
const LIMIT: Duration = Duration::from_secs(300);

/// Lengths of bodies on both sides of what the engines treat differently.
const LENGTHS: [usize; 8] = [0, 1, 33, 57, 255, 256, 40_000, 100_000];

/// A message with what goes beside its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parcel {
    body: Vec<u8>,
    number: u32,
    group: String,
}

/// A socket of either engine.
trait End {
    fn bind(&self, wire: Wire) -> String;
    fn connect(&self, endpoint: &str);
    /// PEER.
    fn connect_peer(&self, _endpoint: &str) -> u32 {
        panic!("only a PEER knows whom it connects to")
    }
    /// DISH.
    fn join(&self, _group: &str) {
        panic!("only a DISH joins")
    }
    fn send(&self, _parcel: &Parcel) {
        panic!("this type does not send")
    }
    fn recv_within(&self, _limit: Duration) -> Option<Parcel> {
        panic!("this type does not receive")
    }
    fn recv(&self) -> Parcel {
        self.recv_within(PATIENCE).expect("a message comes")
    }
}

macro_rules! can {
    (sends) => {
        fn send(&self, parcel: &Parcel) {
            let mut message = ringmq::Message::from(parcel.body.as_slice());
            message.set_routing_id(parcel.number);
            message.set_group(parcel.group.as_bytes()).unwrap();
            self.send(message).unwrap();
        }
    };
    (receives) => {
        fn recv_within(&self, limit: Duration) -> Option<Parcel> {
            let message = self.recv_within(limit).ok()?;
            Some(Parcel {
                body: message.to_vec(),
                number: message.routing_id(),
                group: String::from_utf8(message.group().to_vec()).unwrap(),
            })
        }
    };
    (peers) => {
        fn connect_peer(&self, endpoint: &str) -> u32 {
            self.connect_peer(endpoint).unwrap()
        }
    };
    (joins) => {
        fn join(&self, group: &str) {
            self.join(group).unwrap();
        }
    };
}

macro_rules! ends {
    ($($kind:ident $stock:ident: $($can:ident)*;)*) => {
        $(impl End for ringmq::$kind {
            fn bind(&self, wire: Wire) -> String {
                self.bind(&own_endpoint(wire)).unwrap();
                self.last_endpoint()
            }
            fn connect(&self, endpoint: &str) {
                self.connect(endpoint).unwrap();
            }
            $(can!($can);)*
        })*

        #[derive(Debug, Clone, Copy)]
        enum Kind { $($kind),* }

        fn end(engine: Engine, kind: Kind) -> Box<dyn End> {
            match (engine, kind) {
                $((Engine::RingMq, Kind::$kind) => Box::new(ringmq::$kind::new(&ring_context()).unwrap()),)*
                $((Engine::Stock, Kind::$kind) => {
                    Box::new(ringmq_stock::Context::new().socket(socket_type::$stock).unwrap())
                })*
            }
        }
    };
}

ends! {
    Client CLIENT: sends receives;
    Server SERVER: sends receives;
    Radio RADIO: sends;
    Dish DISH: receives joins;
    Scatter SCATTER: sends;
    Gather GATHER: receives;
    Peer PEER: sends receives peers;
    Channel CHANNEL: sends receives;
}

impl End for ringmq_stock::Socket {
    fn bind(&self, wire: Wire) -> String {
        self.bind(&own_endpoint(wire)).unwrap()
    }
    fn connect(&self, endpoint: &str) {
        self.connect(endpoint).unwrap();
    }
    fn connect_peer(&self, endpoint: &str) -> u32 {
        self.connect_peer(endpoint).unwrap()
    }
    fn join(&self, group: &str) {
        self.join(group).unwrap();
    }
    fn send(&self, parcel: &Parcel) {
        let mut message = ringmq_stock::Message::from_bytes(&parcel.body).unwrap();
        if parcel.number != 0 {
            message.set_routing_id(parcel.number).unwrap();
        }
        message.set_group(&parcel.group).unwrap();
        self.msg_send(&mut message, 0).unwrap();
    }
    fn recv_within(&self, limit: Duration) -> Option<Parcel> {
        let deadline = Instant::now() + limit;
        let mut message = ringmq_stock::Message::new();
        while self.msg_recv(&mut message, flag::DONTWAIT).is_err() {
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Some(Parcel {
            body: message.as_slice().to_vec(),
            number: message.routing_id(),
            group: message.group(),
        })
    }
}

/// Runs a scenario with all engines, both ways to meet, and over tcp and ipc.
fn everywhere(left: Kind, right: Kind, scenario: fn(&dyn End, &dyn End)) {
    within(LIMIT, move || {
        for wire in LASTING {
            for (engines, binds) in ENGINES.into_iter().flat_map(|it| BINDS.map(|binds| (it, binds))) {
                let (one, other) = engines;
                println!("{left:?} of {one:?}, {right:?} of {other:?}, {binds:?} binds, {wire:?}");
                let (left, right) = (end(one, left), end(other, right));
                match binds {
                    Binds::Left => right.connect(&left.bind(wire)),
                    Binds::Right => left.connect(&right.bind(wire)),
                }
                scenario(&*left, &*right);
            }
        }
    });
}

fn parcel(body: Vec<u8>) -> Parcel {
    Parcel {
        body,
        ..Parcel::default()
    }
}

/// Sends bodies of all lengths one way.
fn pass(from: &dyn End, to: &dyn End) {
    for (seed, length) in LENGTHS.into_iter().enumerate() {
        let sent = parcel(pattern(seed, length));
        from.send(&sent);
        assert_eq!(to.recv(), sent, "{length} B");
    }
}

#[test]
fn scatter_and_gather() {
    everywhere(Kind::Scatter, Kind::Gather, pass);
}

#[test]
fn channel_and_channel() {
    everywhere(Kind::Channel, Kind::Channel, |left, right| {
        pass(left, right);
        pass(right, left);
    });
}

#[test]
fn client_and_server() {
    everywhere(Kind::Client, Kind::Server, |client, server| {
        for (seed, length) in LENGTHS.into_iter().enumerate() {
            let sent = parcel(pattern(seed, length));
            client.send(&sent);
            let request = server.recv();
            assert_ne!(request.number, 0);
            assert_eq!(request.body, sent.body);
            server.send(&request);
            let reply = client.recv();
            assert_eq!((reply.body, reply.number), (sent.body, 0));
        }
    });
}

#[test]
fn radio_and_dish() {
    everywhere(Kind::Radio, Kind::Dish, |radio, dish| {
        let to = |group: &str, body: Vec<u8>| Parcel {
            group: group.to_owned(),
            ..parcel(body)
        };
        for group in ["in", "also in"] {
            dish.join(group);
            let deadline = Instant::now() + PATIENCE;
            loop {
                radio.send(&to(group, b"anybody there?".to_vec()));
                // What was sent to the group before may still come.
                let heard = dish.recv_within(Duration::from_millis(5));
                if heard.is_some_and(|heard| heard.group == group) {
                    break;
                }
                assert!(Instant::now() < deadline, "the group is not joined");
            }
        }
        radio.send(&to("in", b"over".to_vec()));
        while dish.recv().body != b"over" {}
        for (seed, length) in LENGTHS.into_iter().enumerate() {
            for group in ["in", "out", "", "also in", "inn"] {
                radio.send(&to(group, pattern(seed, length)));
            }
            for group in ["in", "also in"] {
                assert_eq!(dish.recv(), to(group, pattern(seed, length)));
            }
        }
    });
}

#[test]
fn peer_and_peer() {
    within(LIMIT, || {
        for (engines, wire) in ENGINES.into_iter().flat_map(|it| LASTING.map(|wire| (it, wire))) {
            let (bound, connected) = (end(engines.0, Kind::Peer), end(engines.1, Kind::Peer));
            let number = connected.connect_peer(&bound.bind(wire));
            for (seed, length) in LENGTHS.into_iter().enumerate() {
                let mut sent = parcel(pattern(seed, length));
                sent.number = number;
                connected.send(&sent);
                let request = bound.recv();
                assert_ne!(request.number, 0);
                assert_eq!(request.body, sent.body);
                bound.send(&request);
                assert_eq!(connected.recv(), sent);
            }
        }
    });
}
