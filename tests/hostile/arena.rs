//! A bound socket with a good peer that talks to it all the time, and everything that happens to it on record.

use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringmq::kind::{self, HasParts, Kind, Receives, Sends};
use ringmq::monitor::{DisconnectReason, Event, EventRecord, HandshakeFault, MonitorReceiver, ProtocolFault};
use ringmq::{Context, Socket};
use ringmq_tests::endpoint;
use ringmq_tests::raw_peer::{Ending, PATIENCE, RawPeer};
use ringmq_tests::recipe;

/// The pause of the good peer between two messages.
const PACE: Duration = Duration::from_millis(1);
/// How long the good peer's messages may take. Generous, for machines that are busy with other tests.
const GOOD_PATIENCE: Duration = Duration::from_secs(60);

/// One message.
pub(crate) type Parts = Vec<Vec<u8>>;

/// See the module.
pub(crate) struct Arena {
    pub(crate) address: SocketAddr,
    events: MonitorReceiver,
    record: Vec<EventRecord>,
    stop: mpsc::Sender<()>,
    good: JoinHandle<u64>,
    application: JoinHandle<(u64, Vec<Parts>)>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Before its handshake was complete.
    Refused(HandshakeFault, DisconnectReason),
    /// After that.
    Ended(DisconnectReason),
}

/// The fate of a peer that breaks the protocol in the handshake.
pub(crate) const fn refused(fault: ProtocolFault) -> Fate {
    Fate::Refused(HandshakeFault::Protocol(fault), DisconnectReason::Protocol(fault))
}

/// The fate of a peer that breaks the protocol later.
pub(crate) const fn ended(fault: ProtocolFault) -> Fate {
    Fate::Ended(DisconnectReason::Protocol(fault))
}

/// The fate of a peer that follows the grammar and goes too far.
pub(crate) const TOO_MUCH: Fate = Fate::Ended(DisconnectReason::LimitExceeded);

/// A PULL with a good PUSH.
pub(crate) fn pull(tweak: impl FnOnce(&Socket<kind::Pull>)) -> Arena {
    Arena::start::<kind::Pull, kind::Push>(tweak)
}

/// A ROUTER with a good DEALER.
pub(crate) fn router(tweak: impl FnOnce(&Socket<kind::Router>)) -> Arena {
    Arena::start::<kind::Router, kind::Dealer>(tweak)
}

impl Arena {
    /// A socket of kind `K` with a good peer of kind `G`.
    fn start<K: Receives + HasParts + 'static, G: Sends + 'static>(tweak: impl FnOnce(&Socket<K>)) -> Arena {
        let context = Context::new();
        let socket = Socket::<K>::new(&context).unwrap();
        socket.set_receive_timeout(Some(GOOD_PATIENCE));
        tweak(&socket);
        let events = socket.monitor();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        let bound = socket.last_endpoint();
        let (stop, stopped) = mpsc::channel();
        let good = {
            let bound = bound.clone();
            thread::spawn(move || send_good::<G>(&bound, &stopped))
        };
        let (begun, beginning) = mpsc::channel();
        let application = thread::spawn(move || receive_good(&socket, &begun));
        beginning
            .recv()
            .expect("the good traffic flows before the bad begins");
        Arena {
            address: endpoint::address(&bound),
            events,
            record: Vec::new(),
            stop,
            good,
            application,
        }
    }

    /// A connection that has said nothing yet.
    pub(crate) fn connect(&self) -> RawPeer {
        RawPeer::connect(self.address).unwrap()
    }

    /// A connection of a peer of type `socket_type` that has shaken hands.
    pub(crate) fn establish(&self, socket_type: &str) -> RawPeer {
        let mut peer = self.connect();
        peer.handshake(1, socket_type, None).unwrap();
        peer
    }

    /// Connects, sends `bytes`, and expects to be sent away for it.
    pub(crate) fn expect_refusal(&mut self, bytes: &[u8], fate: Fate) {
        let mut peer = self.connect();
        send_into_the_wind(&mut peer, bytes);
        self.expect(&mut peer, fate, bytes);
    }

    /// Shakes hands as a `socket_type`, sends `bytes`, and expects to be sent away for it.
    pub(crate) fn expect_end(&mut self, socket_type: &str, bytes: &[u8], fate: Fate) {
        let mut peer = self.establish(socket_type);
        send_into_the_wind(&mut peer, bytes);
        self.expect(&mut peer, fate, bytes);
    }

    /// Expects `peer` to be sent away; `why` is for the message that says it was not.
    pub(crate) fn expect(&mut self, peer: &mut RawPeer, fate: Fate, why: &[u8]) {
        let why = why[..why.len().min(80)].escape_ascii();
        let ending = peer.read_to_ending(PATIENCE).unwrap();
        assert_ne!(ending, Ending::StillOpen, "not sent away: {why}");
        assert_eq!(self.fate(peer), fate, "{why}");
    }

    /// Sends PING and expects PONG: the connection is up and everything before has been read.
    pub(crate) fn expect_alive(&self, peer: &mut RawPeer) {
        peer.send(&recipe::ping(0, b"alive")).unwrap();
        loop {
            let frame = peer.read_frame().unwrap();
            if frame.command() == Some((b"PONG", b"alive")) {
                return;
            }
        }
    }

    /// How the connection of `peer` ended, once it has.
    pub(crate) fn fate(&mut self, peer: &RawPeer) -> Fate {
        self.fate_of(peer.stream().local_addr().unwrap())
    }

    /// How the connection from `address` ended, once it has.
    pub(crate) fn fate_of(&mut self, address: SocketAddr) -> Fate {
        let remote = endpoint::tcp(address);
        self.take_events_until(|record| {
            record.remote == remote && matches!(record.event, Event::Disconnected { .. })
        });
        let of_peer = self.record.iter().filter(|record| record.remote == remote);
        let events: Vec<Event> = of_peer.map(|record| record.event).collect();
        match *events.as_slice() {
            [
                Event::HandshakeFailed { reason: fault },
                Event::Disconnected { reason, .. },
            ] => Fate::Refused(fault, reason),
            [Event::Handshaken, Event::Disconnected { reason, .. }] => Fate::Ended(reason),
            _ => panic!("the events of one connection are {events:?}"),
        }
    }

    /// Takes events until one is `wanted` that has not been taken before, or already has.
    fn take_events_until(&mut self, wanted: impl Fn(&EventRecord) -> bool) {
        if self.record.iter().any(&wanted) {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let record = self
                .events
                .recv_timeout(Some(left))
                .expect("the event comes in time");
            assert!(
                !matches!(record.event, Event::Lost { .. }),
                "the test did not keep up with the events"
            );
            let found = wanted(&record);
            self.record.push(record);
            if found {
                return;
            }
        }
    }

    /// How many connections have ended so far.
    pub(crate) fn ends(&mut self) -> usize {
        while let Ok(record) = self.events.try_recv() {
            self.record.push(record);
        }
        self.record
            .iter()
            .filter(|record| matches!(record.event, Event::Disconnected { .. }))
            .count()
    }

    /// Ends the good traffic. All of it must have arrived in order, and no event may have been told twice.
    /// Returns the other messages that the application got.
    pub(crate) fn finish(mut self) -> Vec<Parts> {
        // An error means that the good peer has ended already, which its join reports.
        let _ = self.stop.send(());
        let sent = self.good.join().expect("the good peer can send");
        let (received, others) = self
            .application
            .join()
            .expect("the application gets all good messages in order");
        assert_eq!(received, sent, "good messages got lost");
        while let Ok(record) = self.events.try_recv() {
            self.record.push(record);
        }
        let ends = self.record.iter().filter(|record| {
            matches!(
                record.event,
                Event::Disconnected { .. } | Event::HandshakeFailed { .. }
            )
        });
        let mut ends: Vec<_> = ends
            .map(|record| (&record.remote, record.event.number()))
            .collect();
        let count = ends.len();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), count, "an end was told twice");
        others
    }
}

/// Sends as long as the other side takes it: it may close in the middle.
pub(crate) fn send_into_the_wind(peer: &mut RawPeer, bytes: &[u8]) {
    // An error is the close that the test waits for, and looks at, next.
    let _ = peer.send(bytes);
}

/// Sends numbered messages until told to stop, and then a last one. Returns how many that were.
fn send_good<G: Kind + Sends>(bound: &str, stopped: &mpsc::Receiver<()>) -> u64 {
    let context = Context::new();
    let socket = Socket::<G>::new(&context).unwrap();
    socket.set_send_timeout(Some(GOOD_PATIENCE));
    socket.connect(bound).unwrap();
    let mut sent = 0;
    loop {
        socket.send(format!("good {sent}")).unwrap();
        sent += 1;
        if stopped.recv_timeout(PACE) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    socket.send("good end").unwrap();
    sent
}

/// Receives until the last good message. Returns how many good ones that were, and the others.
fn receive_good<K: Kind + Receives + HasParts>(
    socket: &Socket<K>,
    begun: &mpsc::Sender<()>,
) -> (u64, Vec<Parts>) {
    let mut received = 0;
    let mut others = Vec::new();
    loop {
        let parts: Parts = socket
            .recv_multipart()
            .unwrap()
            .iter()
            .map(|part| part.to_vec())
            .collect();
        let Some(text) = parts.last().and_then(|part| part.strip_prefix(b"good ")) else {
            others.push(parts);
            continue;
        };
        if text == b"end" {
            return (received, others);
        }
        assert_eq!(text, received.to_string().as_bytes(), "out of order");
        received += 1;
        // Only the first time somebody listens.
        let _ = begun.send(());
    }
}
