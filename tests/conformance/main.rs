//! The rules of the pattern RFCs and of libzmq's manual, between RingMQ sockets, over every transport.

mod conflate;
mod contexts;
mod drafts;
mod drops;
mod endpoints;
mod ends;
mod exchange;
mod inproc;
mod inspect;
mod ipc;
mod limits;
mod matrix;
mod metadata;
mod news;
mod options;
mod peers;
mod pipeline;
mod proxies;
mod publish;
mod router;
mod socks;
mod stream;
mod threads;
mod udp;
mod vsock;
mod waiting;
mod ws;
mod zmtp2;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ringmq::kind::{HasParts, Kind, Receives, Sends};
use ringmq::{Context, Error, Socket};

/// Longer than anything here takes, on a machine that is busy with other things as well; what takes longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for what must not come to come if it did.
pub(crate) const MOMENT: Duration = Duration::from_millis(50);

/// A transport on which the rules are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
    Inproc,
    Ws,
}

pub(crate) const TRANSPORTS: [Transport; 4] =
    [Transport::Tcp, Transport::Ipc, Transport::Inproc, Transport::Ws];

impl Transport {
    /// An endpoint to bind that nobody else uses.
    pub(crate) fn endpoint(self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        match self {
            Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
            Transport::Ipc => format!("ipc://@ringmq-{}-{number}", std::process::id()),
            Transport::Inproc => format!("inproc://{number}"),
            Transport::Ws => "ws://127.0.0.1:*/zeromq".to_owned(),
        }
    }
}

/// A socket that gives up in time.
pub(crate) fn socket<K: Kind + Sends + Receives>(context: &Context) -> Socket<K> {
    let socket = Socket::new(context).unwrap();
    socket.set_send_timeout(Some(PATIENCE));
    socket.set_receive_timeout(Some(PATIENCE));
    socket
}

/// A socket that only receives.
pub(crate) fn receiver<K: Kind + Receives>(context: &Context) -> Socket<K> {
    let socket = Socket::new(context).unwrap();
    socket.set_receive_timeout(Some(PATIENCE));
    socket
}

/// A socket that only sends.
pub(crate) fn sender<K: Kind + Sends>(context: &Context) -> Socket<K> {
    let socket = Socket::new(context).unwrap();
    socket.set_send_timeout(Some(PATIENCE));
    socket
}

/// Binds one socket and connects the other to it.
pub(crate) fn join<A: Kind, B: Kind>(transport: Transport, bound: &Socket<A>, connected: &Socket<B>) {
    bound.bind(&transport.endpoint()).unwrap();
    connected.connect(&bound.last_endpoint()).unwrap();
}

/// Waits until something is true.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// The parts of the next message as text.
pub(crate) fn texts<K: Receives + HasParts>(socket: &Socket<K>) -> Vec<String> {
    let parts = socket.recv_multipart().unwrap();
    parts
        .iter()
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// A number that is not given twice, by which a test knows what it has just sent.
pub(crate) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Relaxed)
}

/// Nothing comes.
pub(crate) fn assert_silent<K: Receives>(socket: &Socket<K>) {
    let found = socket.recv_within(MOMENT);
    assert!(matches!(found, Err(Error::TimedOut)), "{found:?}");
}
