//! Pipes in shared memory, which no worker watches for the socket: it looks at them itself, and sleeps on their bells.

use std::{
    io,
    time::{Duration, Instant},
};

use ringmq_io::WaitSet;
use ringmq_message::Buffer;
use ringmq_queue::wake::ParkOn;

use super::Socket;
use crate::{
    error::Error,
    limits,
    monitor::{DropCause, Event, EventRecord, Side},
    pipe::{Loan, Rings},
    route::PipeKey,
    worker::Command,
};

/// The pipes to look at, and what to sleep on for them.
#[derive(Default)]
pub(super) struct SharedPipes {
    keys: Vec<PipeKey>,
    /// Made with the first bell, and kept.
    bells: Option<WaitSet>,
}

impl SharedPipes {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What to sleep on instead of the parking place alone.
    pub(super) fn bells(&self) -> Option<&WaitSet> {
        self.bells.as_ref().filter(|_| !self.keys.is_empty())
    }

    pub(super) fn remove(&mut self, key: PipeKey) {
        self.keys.retain(|&k| k != key);
    }
}

impl Socket {
    /// A connection shares memory from now on.
    pub(super) fn upgraded(&mut self, key: PipeKey, rings: Rings) {
        let Some(pipe) = self.pipes.get(key) else { return };
        pipe.upgrade(rings);
        self.watch_rings(key);
        // What came by the connection before may end with the turn of the ring.
        self.pattern.behaviour().readable(&mut self.pipes, key);
        self.pattern.behaviour().writable(&mut self.pipes, key);
    }

    /// Takes the pipe among those that are looked at, if it has rings.
    pub(super) fn watch_rings(&mut self, key: PipeKey) {
        let Some(bell) = self.pipes.get(key).and_then(|pipe| pipe.shm()?.shared_bell()) else {
            return;
        };
        // Reading the connection is of no use any more: what matters does not come by it.
        self.give_back();
        let added = self
            .make_wait_set()
            .and_then(|set| Ok(set.add_edges(&bell.fd())?));
        if !self.shared_pipes.keys.contains(&key) {
            self.shared_pipes.keys.push(key);
        }
        if added.is_err()
            && let Some(link) = self.pipes.get(key).and_then(|pipe| pipe.link())
        {
            // The process has no descriptor left to sleep on. Whoever cannot be woken must not have this connection.
            link.worker.push(Command::Violated(link.clone()));
        }
    }

    /// What rings for the socket and its peers both, made when it is first needed.
    pub(super) fn make_wait_set(&mut self) -> Result<&WaitSet, Error> {
        if self.shared_pipes.bells.is_none() {
            let set = WaitSet::new()?;
            set.add(&self.shared.parker.fd()?)?;
            self.shared_pipes.bells = Some(set);
        }
        self.shared_pipes.bells.as_ref().ok_or(Error::NotSupported)
    }

    /// A connection and its rings are gone; the pipe goes on with the next.
    pub(super) fn severed(&mut self, key: PipeKey) {
        let Some(pipe) = self.pipes.get(key) else { return };
        let cut = pipe.rollback();
        if let Some(shm) = pipe.shm().filter(|_| cut) {
            shm.skip_rest();
        }
        self.cut_rings(key);
        if cut {
            self.pipes.note_drop(key, DropCause::FateUnknown, 1);
            self.report_drops();
        }
        // What was not read yet still is; the wire takes the rest.
        self.pattern.behaviour().readable(&mut self.pipes, key);
        self.pattern.behaviour().writable(&mut self.pipes, key);
    }

    /// Gives up the pipe's way to a peer that is gone, and reports how many messages lay in that peer's memory.
    pub(super) fn cut_rings(&mut self, key: PipeKey) {
        let Some((pipe, pace)) = self.pipes.paced(key) else {
            return;
        };
        let (endpoint, tally) = (pipe.endpoint, pipe.tally.clone());
        let count = pipe.shm().map_or(0, |shm| shm.cut(pace));
        if count == 0 {
            return;
        }
        tally.dropped(DropCause::FateUnknown, count);
        self.shared.dropped.add(DropCause::FateUnknown, count);
        self.shared.emit(EventRecord {
            side: Side::Connect,
            remote: self.endpoints.name(endpoint).to_owned(),
            ..EventRecord::bare(Event::Dropped {
                cause: DropCause::FateUnknown,
                count,
            })
        });
    }

    /// Looks at all rings. True when something has come, or room that was waited for.
    #[inline]
    pub(super) fn look_at_rings(&mut self) -> bool {
        let mut found = false;
        let mut place = 0;
        while let Some(&key) = self.shared_pipes.keys.get(place) {
            place += 1;
            let Some(pipe) = self.pipes.get(key) else { continue };
            let is_active = pipe.in_fair_queue;
            let Some(shm) = pipe.shm() else { continue };
            let (arrived, room) = (!is_active && shm.arrived(), shm.room_came());
            if arrived {
                self.pattern.behaviour().readable(&mut self.pipes, key);
            }
            if room {
                self.pattern.behaviour().writable(&mut self.pipes, key);
            }
            found |= arrived || room;
        }
        found
    }

    /// Rings that were full for as long as it is worth waiting take no more part: messages for them are kept here, up to
    /// the high-water mark. True if that changes anything.
    pub(super) fn let_spill(&mut self) -> bool {
        let mut changed = false;
        let mut place = 0;
        while let Some(&key) = self.shared_pipes.keys.get(place) {
            place += 1;
            let Some(pipe) = self.pipes.get(key) else { continue };
            if pipe.shm().is_some_and(|shm| shm.let_spill()) && !pipe.is_full() {
                changed = true;
                self.pattern.behaviour().writable(&mut self.pipes, key);
            }
        }
        changed
    }

    /// Memory of `len` bytes to fill and then send.
    ///
    /// If the message will go by shared memory, this is memory that the peer reads, so that sending copies nothing; it
    /// holds whatever was sent in it last. Otherwise it is zeroed memory of the pool. Waits for the peer to give memory back
    /// for about as long as a copy takes, and not for anything else.
    pub fn loan(&mut self, len: usize) -> Buffer {
        let started = Instant::now();
        loop {
            if self.process_commands().is_err() {
                // The call that sends will say so.
                return Buffer::with_len(len);
            }
            match self.lend(len) {
                Loan::Lent(buffer) => return buffer,
                Loan::NotNow if started.elapsed() < Duration::from_micros(limits::SPIN_WAIT_US) => {
                    std::thread::yield_now();
                }
                Loan::NotNow | Loan::Never => return Buffer::with_len(len),
            }
        }
    }

    fn lend(&mut self, len: usize) -> Loan {
        self.look_at_rings();
        let Some(key) = self.pattern.behaviour().next_pipe(&mut self.pipes) else {
            return if self.shared_pipes.is_empty() {
                Loan::Never
            } else {
                Loan::NotNow
            };
        };
        let pipe = self.pipes.get(key).and_then(|pipe| pipe.shm());
        pipe.map_or(Loan::Never, |shm| shm.loan(len))
    }

    /// Announces the sleep to peers and workers. False if there is something to do first.
    pub(super) fn arm_rings(&mut self) -> Result<bool, Error> {
        if !self.watched {
            self.shared.parker.arm(ParkOn::Fd);
        }
        if self.shared_pipes.is_empty() {
            return Ok(self.shared.is_quiet() && !self.shared.is_terminated());
        }
        let mut place = 0;
        while let Some(&key) = self.shared_pipes.keys.get(place) {
            place += 1;
            if let Some(shm) = self.pipes.get(key).and_then(|pipe| pipe.shm()) {
                shm.arm();
            }
        }
        if let Err(error) = ringmq_shm::heavy_fence() {
            self.disarm_rings();
            return Err(error.into());
        }
        Ok(self.shared.is_quiet() && !self.shared.is_terminated() && !self.have_news())
    }

    /// Whether a peer has done something since the rings were armed. Takes nothing: what is taken now is not rung for.
    fn have_news(&mut self) -> bool {
        let Self {
            shared_pipes, pipes, ..
        } = self;
        shared_pipes.keys.iter().any(|&key| {
            pipes
                .get(key)
                .and_then(|pipe| pipe.shm())
                .is_some_and(|shm| shm.has_news())
        })
    }

    /// Takes the announcement back, after a sleep or without one.
    pub(super) fn disarm_rings(&mut self) {
        if self.watched {
            // Peers go on ringing for whoever watches the descriptor.
            self.settle();
            return;
        }
        let mut place = 0;
        while let Some(&key) = self.shared_pipes.keys.get(place) {
            place += 1;
            if let Some(shm) = self.pipes.get(key).and_then(|pipe| pipe.shm()) {
                shm.disarm();
            }
        }
        self.shared.parker.disarm();
    }

    /// Forgets the bells that have rung: their owner is about to look at everything.
    pub(super) fn clear_bells(&self) {
        if let Some(bells) = &self.shared_pipes.bells {
            // Nothing but a closed descriptor could go wrong, and this one is open.
            let _ = bells.wait(Some(Duration::ZERO));
        }
    }

    /// Sleeps until a peer or a worker rings. The caller has armed the rings.
    pub(super) fn sleep_on_bells(&self, limit: Option<Duration>) -> io::Result<bool> {
        match self.shared_pipes.bells() {
            Some(bells) => bells.wait(limit),
            None => Ok(true),
        }
    }
}
