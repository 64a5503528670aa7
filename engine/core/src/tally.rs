//! What has passed a connection, counted where it passes and readable from anywhere.
//!
//! A pipe's counts have one writer, the thread that uses its socket, so that counting is a load, an addition and a store
//! on a line that nobody else writes: no locked instruction, no fence. Who reads them from another thread sees each of
//! them as it was a moment ago. What is dropped is counted by whoever drops it, workers included, which is rare.

use ringmq_queue::sync::{AtomicU64, Ordering};

use crate::{monitor::DropCause, route::PipeKey};

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Whole messages.
    pub messages: u64,
    /// Bytes of their parts, without the protocol's framing.
    pub bytes: u64,
}

/// Messages that were dropped, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    counts: [u64; DropCause::ALL.len()],
}

impl Drops {
    /// How many were dropped for that cause.
    pub fn by(&self, cause: DropCause) -> u64 {
        self.counts[cause as usize]
    }

    /// How many were dropped for whatever cause.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What has passed a connection, or all those of a socket, since they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Written to queues towards peers; a publication counts once for each peer that it goes to.
    pub sent: Traffic,
    /// Taken by the application. A routing id that a ROUTER puts in front, or an envelope that a REP keeps, counts as it
    /// came over the connection.
    pub received: Traffic,
    /// Given up on the way out, or when the socket was closed before the application had received them.
    pub dropped: Drops,
}

/// The counts of one pipe.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Tally {
    sent: Lane,
    received: Lane,
    dropped: DropTally,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Lane {
    /// To be called by one thread only.
    #[inline]
    fn add(&self, bytes: u64) {
        // Relaxed, and no exchange: nobody else writes, and nothing is read under these counts.
        let messages = self.messages.load(Ordering::Relaxed);
        self.messages.store(messages + 1, Ordering::Relaxed);
        let before = self.bytes.load(Ordering::Relaxed);
        self.bytes.store(before + bytes, Ordering::Relaxed);
    }

    fn read(&self) -> Traffic {
        Traffic {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Drops by cause; any thread adds.
#[derive(Debug, Default)]
pub(crate) struct DropTally([AtomicU64; DropCause::ALL.len()]);

impl DropTally {
    pub(crate) fn add(&self, cause: DropCause, count: u64) {
        self.0[cause as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// One more for want of room, which only the thread that uses the socket counts.
    pub(crate) fn add_lost(&self) {
        let count = &self.0[DropCause::HighWaterMark as usize];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn read(&self) -> Drops {
        let mut drops = Drops::default();
        for (count, tally) in drops.counts.iter_mut().zip(&self.0) {
            *count = tally.load(Ordering::Relaxed);
        }
        drops
    }
}

impl Tally {
    /// A whole message was written.
    #[inline]
    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.add(bytes);
    }

    /// A whole message was read.
    #[inline]
    pub(crate) fn received(&self, bytes: u64) {
        self.received.add(bytes);
    }

    pub(crate) fn dropped(&self, cause: DropCause, count: u64) {
        self.dropped.add(cause, count);
    }

    /// A message was dropped for want of room.
    pub(crate) fn lost(&self) {
        self.dropped.add_lost();
    }

    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            sent: self.sent.read(),
            received: self.received.read(),
            dropped: self.dropped.read(),
        }
    }
}

/// The counts of a socket: those of its pipes, and what is left of pipes that are gone.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By the pipe's place; its key tells it from a later one there.
    live: Vec<Option<(PipeKey, std::sync::Arc<Tally>)>>,
    peers: usize,
    past: (Traffic, Traffic),
}

impl Ledger {
    pub(crate) fn enter(&mut self, key: PipeKey, tally: &std::sync::Arc<Tally>) {
        let place = crate::route::place(key);
        if self.live.len() <= place {
            self.live.resize(place + 1, None);
        }
        self.leave(key);
        self.live[place] = Some((key, tally.clone()));
        self.peers += 1;
    }

    pub(crate) fn leave(&mut self, key: PipeKey) {
        let Some(entry) = self.live.get_mut(crate::route::place(key)) else {
            return;
        };
        if let Some((_, tally)) = entry.take() {
            self.peers -= 1;
            let last = tally.read();
            add(&mut self.past.0, last.sent);
            add(&mut self.past.1, last.received);
        }
    }

    pub(crate) fn leave_all(&mut self) {
        for place in 0..self.live.len() {
            self.leave(place as PipeKey);
        }
    }

    /// How many pipes there are, and the sum of all; drops are counted by the socket.
    pub(crate) fn read(&self, dropped: &DropTally) -> (usize, Statistics) {
        let mut sum = Statistics {
            sent: self.past.0,
            received: self.past.1,
            dropped: dropped.read(),
        };
        for (_, tally) in self.live.iter().flatten() {
            let now = tally.read();
            add(&mut sum.sent, now.sent);
            add(&mut sum.received, now.received);
        }
        (self.peers, sum)
    }
}

fn add(sum: &mut Traffic, more: Traffic) {
    sum.messages += more.messages;
    sum.bytes += more.bytes;
}
