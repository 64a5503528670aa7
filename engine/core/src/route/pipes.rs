//! A socket's pipes by key.

use std::sync::Arc;

use crate::{
    monitor::DropCause,
    pace::{Dwell, Pace},
    pipe::{Dismissal, Peer, Pipe},
    tally::DropTally,
};

/// Names a pipe at its socket: place and generation, so that a late report about a pipe that is gone is recognised.
pub(crate) type PipeKey = u64;

/// All pipes of a socket.
#[derive(Default)]
pub(crate) struct Pipes {
    slots: Vec<Slot>,
    free: Vec<u32>,
    len: usize,
    /// Pipes whose queue ended while they were read; the socket takes them out of the pattern.
    pub(crate) ended: Vec<PipeKey>,
    /// Messages that were dropped, and of which the socket has not told its monitor yet.
    pub(crate) drops: Vec<Dropped>,
    /// All that the socket has dropped, for whoever reads its counters.
    dropped: Arc<DropTally>,
    /// How the socket sends, by which its pipes tell an exchange from a stream.
    pub(crate) pace: Pace,
    /// The receive in progress may wait.
    pub(crate) may_wait: bool,
    /// What a receive that may wait does before it finds nothing: who polls busily does not leave the core to others.
    pub(crate) patience: Dwell,
}

/// Messages for one peer that were dropped.
pub(crate) struct Dropped {
    pub(crate) endpoint: u64,
    pub(crate) peer: Peer,
    pub(crate) cause: DropCause,
    pub(crate) count: u64,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    pipe: Option<Box<Pipe>>,
}

/// Where the pipe lies, or lay.
pub(crate) fn place(key: PipeKey) -> usize {
    key as u32 as usize
}

impl Pipes {
    /// No pipes, and what they drop is counted there.
    pub(crate) fn counting(dropped: Arc<DropTally>, patience: Dwell) -> Self {
        Self {
            dropped,
            patience,
            ..Self::default()
        }
    }

    pub(crate) fn insert(&mut self, pipe: Pipe) -> PipeKey {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[place as usize];
        slot.pipe = Some(Box::new(pipe));
        self.len += 1;
        u64::from(slot.generation) << 32 | u64::from(place)
    }

    #[inline]
    pub(crate) fn get(&mut self, key: PipeKey) -> Option<&mut Pipe> {
        let slot = self.slots.get_mut(place(key))?;
        if u64::from(slot.generation) != key >> 32 {
            return None;
        }
        slot.pipe.as_deref_mut()
    }

    /// The pipe, and what it needs to know for writing.
    #[inline]
    pub(crate) fn paced(&mut self, key: PipeKey) -> Option<(&mut Pipe, &mut Pace)> {
        let slot = self.slots.get_mut(place(key))?;
        if u64::from(slot.generation) != key >> 32 {
            return None;
        }
        Some((slot.pipe.as_deref_mut()?, &mut self.pace))
    }

    /// What the receive in progress does before it finds nothing.
    #[inline]
    pub(crate) fn dwell(&self) -> Dwell {
        if self.may_wait {
            self.patience
        } else {
            Dwell::Pauses
        }
    }

    pub(crate) fn remove(&mut self, key: PipeKey) -> Option<Box<Pipe>> {
        let slot = self.slots.get_mut(place(key))?;
        if u64::from(slot.generation) != key >> 32 {
            return None;
        }
        let pipe = slot.pipe.take()?;
        // The top generation is never used up: it would make a key equal to the mark of an unattached link.
        slot.generation = (slot.generation + 1) % u32::MAX;
        self.free.push(place(key) as u32);
        self.len -= 1;
        self.pace.forget(key);
        Some(pipe)
    }

    /// A message for the peer is dropped because its queue is full.
    #[cold]
    pub(crate) fn lose(&mut self, key: PipeKey) {
        let Some(pipe) = self.get(key) else { return };
        pipe.tally.lost();
        let report = pipe.losses.add();
        self.dropped.add_lost();
        if let Some(count) = report {
            self.report(key, DropCause::HighWaterMark, count);
        }
    }

    /// The peer's queue takes messages again, or is about to go.
    #[inline]
    pub(crate) fn regain(&mut self, key: PipeKey) {
        if let Some(count) = self.get(key).and_then(|pipe| pipe.losses.end_run()) {
            self.report(key, DropCause::HighWaterMark, count);
        }
    }

    /// The socket does not want the peer any more.
    pub(crate) fn dismiss(&mut self, key: PipeKey, why: Dismissal) {
        if let Some(pipe) = self.get(key) {
            pipe.dismissal = why;
            self.ended.push(key);
        }
    }

    /// Counts messages that were dropped, for the socket to report.
    #[cold]
    pub(crate) fn note_drop(&mut self, key: PipeKey, cause: DropCause, count: u64) {
        if count > 0
            && let Some(pipe) = self.get(key)
        {
            pipe.tally.dropped(cause, count);
            self.dropped.add(cause, count);
            self.report(key, cause, count);
        }
    }

    fn report(&mut self, key: PipeKey, cause: DropCause, count: u64) {
        if let Some(pipe) = self.get(key) {
            let (endpoint, peer) = (pipe.endpoint, pipe.peer.clone());
            self.drops.push(Dropped {
                endpoint,
                peer,
                cause,
                count,
            });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The key of the only pipe.
    pub(crate) fn only_key(&self) -> Option<PipeKey> {
        if self.len == 1 {
            self.keys().first().copied()
        } else {
            None
        }
    }

    pub(crate) fn keys(&self) -> Vec<PipeKey> {
        let live = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.pipe.is_some());
        live.map(|(place, slot)| u64::from(slot.generation) << 32 | place as u64)
            .collect()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pipe> {
        self.slots.iter_mut().filter_map(|slot| slot.pipe.as_deref_mut())
    }
}
