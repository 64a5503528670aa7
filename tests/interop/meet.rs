//! How two sockets come together, and what they say to each other.

use std::time::{Duration, Instant};

use crate::peer::{self, Engine, Fault, Kind, PATIENCE, Parts, Peer, Wire};

/// Who binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binds {
    Left,
    Right,
}

/// Both ways to meet.
pub(crate) const BINDS: [Binds; 2] = [Binds::Left, Binds::Right];

/// Two sockets that are connected, or soon will be. Returns the endpoint as well.
pub(crate) fn two(
    wire: Wire,
    engines: (Engine, Engine),
    kinds: (Kind, Kind),
    binds: Binds,
) -> (Box<dyn Peer>, Box<dyn Peer>, String) {
    let left = peer::new(engines.0, kinds.0);
    let right = peer::new(engines.1, kinds.1);
    let endpoint = join(wire, &*left, &*right, binds);
    (left, right, endpoint)
}

/// Binds one of two sockets and connects the other to it.
pub(crate) fn join(wire: Wire, left: &dyn Peer, right: &dyn Peer, binds: Binds) -> String {
    let (binder, connector) = match binds {
        Binds::Left => (left, right),
        Binds::Right => (right, left),
    };
    let endpoint = binder.bind_patiently(&peer::own_endpoint(wire));
    connector.connect(&endpoint);
    endpoint
}

/// Publishes until the subscriber, which must have subscribed to everything, hears of it, and then until both agree on
/// what comes next.
pub(crate) fn tune_in(publisher: &dyn Peer, subscriber: &dyn Peer) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        publisher.send(&[b"anybody there?".to_vec()]);
        match subscriber.recv_within(Duration::from_millis(5)) {
            Ok(_) => break,
            Err(Fault::Again) => assert!(Instant::now() < deadline, "the subscription does not arrive"),
            Err(fault) => panic!("{fault:?}"),
        }
    }
    publisher.send(&[b"over".to_vec()]);
    while subscriber.recv() != [b"over".to_vec()] {}
}

/// What an XPUB is asked for next. A stock subscriber that binds asks only when its owner calls it, so it is called.
pub(crate) fn next_subscription(xpub: &dyn Peer, subscriber: &dyn Peer) -> Parts {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match xpub.recv_within(Duration::from_millis(5)) {
            Ok(request) => return request,
            Err(fault) => assert_eq!(fault, Fault::Again),
        }
        assert!(Instant::now() < deadline, "the subscription does not arrive");
        assert_eq!(
            subscriber.recv_within(Duration::from_millis(1)),
            Err(Fault::Again),
            "nothing was published"
        );
    }
}

/// A ROUTER's first message to a peer waits for the peer's name.
pub(crate) fn send_when_reachable(router: &dyn Peer, parts: &[Vec<u8>]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match router.send_within(parts, PATIENCE) {
            Err(Fault::Unreachable) if Instant::now() < deadline => std::thread::yield_now(),
            sent => return sent.expect("the peer has come"),
        }
    }
}

/// `length` bytes with no period that is a power of two, different for every `seed`.
pub(crate) fn pattern(seed: usize, length: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..251_usize).map(|at| (at * 7 + seed * 31) as u8).collect();
    let mut bytes = block.repeat(length / block.len() + 1);
    bytes.truncate(length);
    bytes
}

/// A message that says which of a stream it is, in a body of `length` bytes (8 at least) and a second part.
pub(crate) fn numbered(number: u64, length: usize) -> Parts {
    let mut body = number.to_le_bytes().to_vec();
    body.extend(pattern(number as usize, length.saturating_sub(8)));
    vec![body, number.to_le_bytes().to_vec()]
}

/// The number of a message of [`numbered`], which must be whole.
pub(crate) fn number_of(parts: &[Vec<u8>]) -> u64 {
    let [body, tail] = parts else {
        panic!("{} parts instead of 2", parts.len())
    };
    let number: [u8; 8] = tail[..].try_into().expect("the last part is a number");
    let number = u64::from_le_bytes(number);
    assert!(
        *body == numbered(number, body.len())[0],
        "message {number} is damaged"
    );
    number
}

/// What a whole message looks like in a failed assertion: its lengths.
pub(crate) fn lengths(parts: &[Vec<u8>]) -> Vec<usize> {
    parts.iter().map(Vec::len).collect()
}
