//! One face for the sockets of both engines, so that a test says once what both must do.

#![allow(
    dead_code,
    reason = "one interface for both engines, whichever calls the tests happen to use"
)]

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ringmq::monitor::{Event, MonitorReceiver};
use ringmq_stock::constants::{errno, event, flag, option, socket_type};

/// How long anything that must happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The parts of a message.
pub(crate) type Parts = Vec<Vec<u8>>;

/// Whose socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    RingMq,
    Stock,
}

/// Every pair of engines with RingMQ in it.
pub(crate) const ENGINES: [(Engine, Engine); 3] = [
    (Engine::RingMq, Engine::RingMq),
    (Engine::RingMq, Engine::Stock),
    (Engine::Stock, Engine::RingMq),
];

/// Which socket type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Push,
    Pull,
    Pub,
    Sub,
    XPub,
    XSub,
    Req,
    Rep,
    Dealer,
    Router,
    Pair,
}

/// What went wrong, as far as both engines say the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The time is up.
    Again,
    Unreachable,
    State,
    AddressInUse,
    Other(String),
}

/// What happened to a socket's connections, as far as both engines say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    Listening,
    Accepted,
    ConnectDelayed,
    ConnectRetried,
    Connected,
    Handshaken,
    HandshakeFailed,
    Disconnected,
    Closed,
    Stopped,
    Other,
}

/// A socket's events.
pub(crate) trait Watch {
    /// The next event, if it comes in time.
    fn next(&self, limit: Duration) -> Option<Happening>;

    /// Skips events until `wanted`.
    fn wait_for(&self, wanted: Happening) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(happening) = self.next(left) else {
                panic!("{wanted:?} has not happened")
            };
            if happening == wanted {
                return;
            }
        }
    }
}

/// A socket of either engine. A call that the type does not have panics.
pub(crate) trait Peer: Send {
    fn bind(&self, endpoint: &str) -> Result<String, Fault>;
    fn connect(&self, endpoint: &str);
    fn disconnect(&self, endpoint: &str);
    fn set_linger(&self, linger: Duration);
    fn set_reconnect_interval(&self, interval: Duration);
    fn set_heartbeats(&self, interval: Duration, timeout: Duration);
    fn watch(&self) -> Box<dyn Watch>;

    fn send_within(&self, _parts: &[Vec<u8>], _limit: Duration) -> Result<(), Fault> {
        panic!("this type does not send")
    }
    fn recv_within(&self, _limit: Duration) -> Result<Parts, Fault> {
        panic!("this type does not receive")
    }
    fn set_send_hwm(&self, _messages: u32) {}
    fn set_receive_hwm(&self, _messages: u32) {}
    fn set_routing_id(&self, _id: &[u8]) {}
    fn subscribe(&self, _prefix: &[u8]) {
        panic!("this type does not subscribe")
    }
    fn unsubscribe(&self, _prefix: &[u8]) {
        panic!("this type does not subscribe")
    }
    fn set_mandatory(&self) {
        panic!("only a ROUTER is mandatory")
    }

    /// Sends a message that must go.
    fn send(&self, parts: &[Vec<u8>]) {
        self.send_within(parts, PATIENCE)
            .expect("the message can be sent");
    }
    /// Receives a message that must come.
    fn recv(&self) -> Parts {
        self.recv_within(PATIENCE).expect("a message comes")
    }
    /// Binds to a port of the system's choice, or to one that a socket before has just let go.
    fn bind_patiently(&self, endpoint: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.bind(endpoint) {
                Err(Fault::AddressInUse) if Instant::now() < deadline => std::thread::yield_now(),
                bound => return bound.expect("the endpoint can be bound"),
            }
        }
    }
}

impl fmt::Debug for dyn Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peer")
    }
}

/// What lies between two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Tcp,
    /// A path that its binder makes up.
    Path,
    /// An abstract name.
    Name,
    /// A WebSocket.
    Web,
}

/// The wires on which sockets come and go: a name can be bound again by whoever comes next.
pub(crate) const LASTING: [Wire; 3] = [Wire::Tcp, Wire::Name, Wire::Web];

/// An endpoint that no other caller has. For tcp it is a wildcard on a loopback address of its own, so that nobody takes a
/// port between its closing and its binding again.
pub(crate) fn own_endpoint(wire: Wire) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    match wire {
        Wire::Tcp => format!("tcp://127.77.{}.{}:*", number / 250 % 250, number % 250 + 1),
        Wire::Web => format!("ws://127.78.{}.{}:*/", number / 250 % 250, number % 250 + 1),
        Wire::Path => "ipc://*".to_owned(),
        Wire::Name => format!("ipc://@ringmq-interop-{}-{number}", std::process::id()),
    }
}

/// A socket that lingers not at all and reconnects fast, in a context of its own.
pub(crate) fn new(engine: Engine, kind: Kind) -> Box<dyn Peer> {
    let peer = match engine {
        Engine::RingMq => ring(kind, &ring_context()),
        Engine::Stock => {
            let socket = ringmq_stock::Context::new().socket(stock_type(kind));
            Box::new(socket.expect("libzmq has the type"))
        }
    };
    peer.set_linger(Duration::ZERO);
    peer.set_reconnect_interval(Duration::from_millis(5));
    peer
}

/// A context whose sockets do not linger.
pub(crate) fn ring_context() -> ringmq::Context {
    ringmq::Context::builder().linger(Some(Duration::ZERO)).build()
}

macro_rules! ability {
    (sends) => {
        fn send_within(&self, parts: &[Vec<u8>], limit: Duration) -> Result<(), Fault> {
            self.set_send_timeout(Some(limit));
            let parts = parts
                .iter()
                .map(|part| ringmq::Message::from(part.as_slice()));
            self.send_multipart(parts)
                .map_err(|failed| failed.error.into())
        }
        fn set_send_hwm(&self, messages: u32) {
            self.set_send_hwm(messages);
        }
    };
    (receives) => {
        fn recv_within(&self, limit: Duration) -> Result<Parts, Fault> {
            self.set_receive_timeout(Some(limit));
            let parts = self.recv_multipart()?;
            Ok(parts.into_iter().map(|part| part.to_vec()).collect())
        }
        fn set_receive_hwm(&self, messages: u32) {
            self.set_receive_hwm(messages);
        }
    };
    (named) => {
        fn set_routing_id(&self, id: &[u8]) {
            self.set_routing_id(id).expect("the id is valid");
        }
    };
    (subscribes) => {
        fn subscribe(&self, prefix: &[u8]) {
            self.subscribe(prefix).expect("the context lives");
        }
        fn unsubscribe(&self, prefix: &[u8]) {
            self.unsubscribe(prefix).expect("the context lives");
        }
    };
    (routes) => {
        fn set_mandatory(&self) {
            self.set_router_mandatory(true);
        }
    };
}

macro_rules! ring_peers {
    ($($kind:ident: $($ability:ident)*;)*) => {
        $(
            impl Peer for ringmq::$kind {
                fn bind(&self, endpoint: &str) -> Result<String, Fault> {
                    self.bind(endpoint)?;
                    Ok(self.last_endpoint())
                }
                fn connect(&self, endpoint: &str) {
                    self.connect(endpoint).expect("the endpoint is valid");
                }
                fn disconnect(&self, endpoint: &str) {
                    self.disconnect(endpoint).expect("the endpoint is connected");
                }
                fn set_linger(&self, linger: Duration) {
                    self.set_linger(Some(linger));
                }
                fn set_reconnect_interval(&self, interval: Duration) {
                    self.set_reconnect_interval(Some(interval));
                }
                fn set_heartbeats(&self, interval: Duration, timeout: Duration) {
                    self.set_heartbeat_interval(Some(interval));
                    self.set_heartbeat_timeout(Some(timeout));
                }
                fn watch(&self) -> Box<dyn Watch> {
                    Box::new(self.monitor())
                }
                $(ability!($ability);)*
            }
        )*

        /// A RingMQ socket with RingMQ's defaults.
        pub(crate) fn ring(kind: Kind, context: &ringmq::Context) -> Box<dyn Peer> {
            match kind {
                $(Kind::$kind => Box::new(ringmq::$kind::new(context).expect("there is room for a socket")),)*
            }
        }

        fn stock_type(kind: Kind) -> i32 {
            match kind {
                Kind::Push => socket_type::PUSH,
                Kind::Pull => socket_type::PULL,
                Kind::Pub => socket_type::PUB,
                Kind::Sub => socket_type::SUB,
                Kind::XPub => socket_type::XPUB,
                Kind::XSub => socket_type::XSUB,
                Kind::Req => socket_type::REQ,
                Kind::Rep => socket_type::REP,
                Kind::Dealer => socket_type::DEALER,
                Kind::Router => socket_type::ROUTER,
                Kind::Pair => socket_type::PAIR,
            }
        }
    };
}

ring_peers! {
    Push: sends;
    Pull: receives;
    Pub: sends;
    Sub: receives subscribes;
    XPub: sends receives;
    XSub: sends receives subscribes;
    Req: sends receives named;
    Rep: sends receives;
    Dealer: sends receives named;
    Router: sends receives named routes;
    Pair: sends receives;
}

impl From<ringmq::Error> for Fault {
    fn from(error: ringmq::Error) -> Fault {
        match error {
            ringmq::Error::TimedOut | ringmq::Error::WouldBlock => Fault::Again,
            ringmq::Error::HostUnreachable => Fault::Unreachable,
            ringmq::Error::State => Fault::State,
            ringmq::Error::AddressInUse { .. } => Fault::AddressInUse,
            other => Fault::Other(other.to_string()),
        }
    }
}

impl From<ringmq_stock::Error> for Fault {
    fn from(error: ringmq_stock::Error) -> Fault {
        match error.errno() {
            errno::EAGAIN => Fault::Again,
            errno::EHOSTUNREACH => Fault::Unreachable,
            errno::EFSM => Fault::State,
            errno::EADDRINUSE => Fault::AddressInUse,
            _ => Fault::Other(error.to_string()),
        }
    }
}

impl Watch for MonitorReceiver {
    fn next(&self, limit: Duration) -> Option<Happening> {
        let record = self.recv_timeout(Some(limit)).ok()?;
        Some(match record.event {
            Event::Listening { .. } => Happening::Listening,
            Event::Accepted { .. } => Happening::Accepted,
            Event::ConnectDelayed { .. } => Happening::ConnectDelayed,
            Event::ConnectRetried { .. } => Happening::ConnectRetried,
            Event::Connected { .. } => Happening::Connected,
            Event::Handshaken => Happening::Handshaken,
            Event::HandshakeFailed { .. } => Happening::HandshakeFailed,
            Event::Disconnected { .. } => Happening::Disconnected,
            Event::Closed { .. } => Happening::Closed,
            Event::MonitorStopped => Happening::Stopped,
            _ => Happening::Other,
        })
    }
}

fn milliseconds(limit: Duration) -> i32 {
    i32::try_from(limit.as_millis()).expect("tests do not wait for weeks")
}

impl Watch for ringmq_stock::Monitor {
    fn next(&self, limit: Duration) -> Option<Happening> {
        let event = self.poll(milliseconds(limit).into()).ok()??;
        Some(match event.event {
            event::LISTENING => Happening::Listening,
            event::ACCEPTED => Happening::Accepted,
            event::CONNECT_DELAYED => Happening::ConnectDelayed,
            event::CONNECT_RETRIED => Happening::ConnectRetried,
            event::CONNECTED => Happening::Connected,
            event::HANDSHAKE_SUCCEEDED => Happening::Handshaken,
            event::HANDSHAKE_FAILED_NO_DETAIL | event::HANDSHAKE_FAILED_PROTOCOL => {
                Happening::HandshakeFailed
            }
            event::DISCONNECTED => Happening::Disconnected,
            event::CLOSED => Happening::Closed,
            event::MONITOR_STOPPED => Happening::Stopped,
            _ => Happening::Other,
        })
    }
}

impl Peer for ringmq_stock::Socket {
    fn bind(&self, endpoint: &str) -> Result<String, Fault> {
        Ok(self.bind(endpoint)?)
    }
    fn connect(&self, endpoint: &str) {
        self.connect(endpoint).expect("the endpoint is valid");
    }
    fn disconnect(&self, endpoint: &str) {
        self.disconnect(endpoint).expect("the endpoint is connected");
    }
    fn set_linger(&self, linger: Duration) {
        self.set(option::LINGER, milliseconds(linger));
    }
    fn set_reconnect_interval(&self, interval: Duration) {
        self.set(option::RECONNECT_IVL, milliseconds(interval));
    }
    fn set_heartbeats(&self, interval: Duration, timeout: Duration) {
        self.set(option::HEARTBEAT_IVL, milliseconds(interval));
        self.set(option::HEARTBEAT_TIMEOUT, milliseconds(timeout));
    }
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(self.monitor(event::ALL).expect("the socket can be monitored"))
    }
    fn send_within(&self, parts: &[Vec<u8>], limit: Duration) -> Result<(), Fault> {
        self.set(option::SNDTIMEO, milliseconds(limit));
        Ok(self.send_multipart(parts, 0)?)
    }
    fn recv_within(&self, limit: Duration) -> Result<Parts, Fault> {
        self.set(option::RCVTIMEO, milliseconds(limit));
        Ok(self.recv_multipart(0)?)
    }
    fn set_send_hwm(&self, messages: u32) {
        self.set(option::SNDHWM, messages.cast_signed());
    }
    fn set_receive_hwm(&self, messages: u32) {
        self.set(option::RCVHWM, messages.cast_signed());
    }
    fn set_routing_id(&self, id: &[u8]) {
        self.set_bytes(option::ROUTING_ID, id).expect("the id is valid");
    }
    /// An XSUB subscribes by a message.
    fn subscribe(&self, prefix: &[u8]) {
        match self.get_int(option::TYPE) {
            Ok(socket_type::XSUB) => self.send(&[&[1], prefix].concat(), flag::DONTWAIT),
            _ => self.subscribe(prefix),
        }
        .expect("the prefix is valid");
    }
    fn unsubscribe(&self, prefix: &[u8]) {
        match self.get_int(option::TYPE) {
            Ok(socket_type::XSUB) => self.send(&[&[0], prefix].concat(), flag::DONTWAIT),
            _ => self.unsubscribe(prefix),
        }
        .expect("the prefix is valid");
    }
    fn set_mandatory(&self) {
        self.set(option::ROUTER_MANDATORY, 1);
    }
}

/// Options that cannot fail here.
trait Set {
    fn set(&self, option: i32, value: i32);
}

impl Set for ringmq_stock::Socket {
    fn set(&self, option: i32, value: i32) {
        self.set_int(option, value).expect("the option takes the value");
    }
}
