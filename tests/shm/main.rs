//! `ipc://` between RingMQ sockets: messages go by shared memory, whatever their size, and whatever the peer does.
//!
//! With a number as `RINGMQ_SOAK` in the environment, what is repeated is repeated so many times as often: 100 for a million
//! round trips, and 34 for ten thousand connections, each with both drivers.

#![forbid(unsafe_code)]

mod crowds;
mod deaths;
mod fallback;
mod hostile;
mod loans;
mod pressure;
mod raw;
mod reconnects;
mod sizes;
mod stops;
mod wakes;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ringmq::kind::Kind;
use ringmq::monitor::{Event, EventRecord, MonitorReceiver};
use ringmq::{Context, Socket};

/// The program that plays the other process.
pub(crate) const NEIGHBOUR: &str = env!("CARGO_BIN_EXE_neighbour");
pub(crate) const DRIVERS: [&str; 2] = ["uring", "epoll"];

/// Longer than anything takes that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// How often, in a run that somebody waits for.
pub(crate) fn often(times: usize) -> usize {
    let factor = std::env::var("RINGMQ_SOAK").ok();
    times * factor.map_or(1, |factor| factor.parse().expect("RINGMQ_SOAK is a number"))
}

/// A name that nobody else has.
pub(crate) fn own_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!(
        "ipc://@ringmq-shm-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Relaxed)
    )
}

pub(crate) fn new<K: Kind>(context: &Context) -> Socket<K> {
    Socket::new(context).unwrap()
}

/// The next event that is wanted.
pub(crate) fn wait_for(events: &MonitorReceiver, wanted: impl Fn(&Event) -> bool) -> EventRecord {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let record = events.recv_timeout(Some(left)).expect("the event happens");
        if wanted(&record.event) {
            return record;
        }
    }
}

pub(crate) fn is_shared(event: &Event) -> bool {
    matches!(event, Event::SharedMemory)
}

pub(crate) fn is_disconnected(event: &Event) -> bool {
    matches!(event, Event::Disconnected { .. })
}

/// Binds one socket and connects the other to it, and waits until both say that messages go by shared memory.
pub(crate) fn share<A: Kind, B: Kind>(bound: &Socket<A>, connected: &Socket<B>) -> [MonitorReceiver; 2] {
    let events = [bound.monitor(), connected.monitor()];
    bound.bind(&own_name()).unwrap();
    connected.connect(&bound.last_endpoint()).unwrap();
    for events in &events {
        wait_for(events, is_shared);
    }
    events
}

/// Bytes that tell their place and who wrote them.
pub(crate) fn body(len: usize, seed: usize) -> Vec<u8> {
    // A prime, so that no block looks like the next.
    let pattern: [u8; 251] = std::array::from_fn(|place| (place * 7 + seed) as u8);
    let mut bytes = pattern.repeat(len / pattern.len() + 1);
    bytes.truncate(len);
    bytes
}
