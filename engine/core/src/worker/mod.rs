//! The worker: one thread that moves bytes between rings and the kernel for many sessions.
//!
//! Its loop takes commands, starts sends, enters the kernel once, handles what completed, and looks at its timers. It
//! blocks in one place only.

mod commands;
mod connect;
mod datagrams;
mod ending;
mod half_open;
mod listener;
mod news;
mod opening;
mod pool;
mod reading;
mod sending;
mod session;
mod slots;
mod timers;
mod upgrade;
mod watch;

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use ringmq_io::{Completion, Driver, DriverChoice, Waker};
use ringmq_message::{Slab, wire::WireSlice};
use ringmq_queue::{
    mailbox::Mailbox,
    sync::{AtomicUsize, Ordering},
};

use crate::{limits, transmit::Right};

pub(crate) use commands::Command;
pub(crate) use connect::{Dial, Resolved};
pub(crate) use datagrams::DatagramCommand;
pub(crate) use listener::NewListener;
pub(crate) use pool::WorkerPool;
pub(crate) use session::NewSession;
pub(crate) use upgrade::{Permit, UPGRADE_COMMAND};

use datagrams::DatagramSession;
use half_open::HalfOpen;
use listener::Listener;
use session::Session;
use slots::Slots;
use timers::Timers;
use watch::Watch;

/// What other threads see of a worker.
pub(crate) struct WorkerShared {
    mailbox: Mailbox<Command>,
    waker: Waker,
    /// Connections and listeners served, for choosing the least loaded.
    load: AtomicUsize,
    index: usize,
}

impl WorkerShared {
    /// Asks for something and wakes the worker if it sleeps.
    pub(crate) fn push(&self, command: Command) {
        self.mailbox.push(command);
        self.waker.wake();
    }

    fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// What is seen of a worker that does nothing.
    #[cfg(test)]
    pub(crate) fn idle() -> Arc<Self> {
        let driver: Driver<WireSlice, Slab> = Driver::new(DriverChoice::Epoll).unwrap();
        Arc::new(Self {
            mailbox: Mailbox::new(),
            waker: driver.waker(),
            load: AtomicUsize::new(0),
            index: 0,
        })
    }
}

/// What a token's lower bits say about the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    /// Readiness to read, or a receive: never both at a time.
    Read = 0,
    Send = 1,
    Connect = 2,
    Accept = 3,
    /// The bell of a shared ring.
    Bell = 4,
    /// Readiness to read datagrams.
    Datagram = 5,
    /// Room to send datagrams.
    Room = 6,
}

const OP_BITS: u32 = 3;
const OP_MASK: u64 = (1 << OP_BITS) - 1;

fn token(slot: u32, op: Op) -> u64 {
    u64::from(slot) << OP_BITS | op as u64
}

struct Worker {
    shared: Arc<WorkerShared>,
    pool: Arc<WorkerPool>,
    driver: Driver<WireSlice, Slab>,
    sessions: Slots<Session>,
    listeners: Slots<Listener>,
    datagrams: Slots<DatagramSession>,
    /// Where datagrams are received, once there are any.
    datagram_buffer: Vec<u8>,
    /// Sessions that hold the right to send and may have something to send.
    sending: Vec<u32>,
    /// Sessions whose right to send was let go of, and whose it was; empty between turns.
    letting_go: Vec<(u32, Right)>,
    watch: Watch,
    timers: Timers,
    half_open: HalfOpen,
    commands: Vec<Command>,
    completions: Vec<Completion<WireSlice, Slab>>,
    stopping: bool,
    serial: u64,
    /// Rounds without work since the last work, and how many of them are worth spending before sleep.
    idle_rounds: u32,
    patience: u32,
}

impl Worker {
    /// Runs a worker on the calling thread. The driver is made here because a ring belongs to the thread that made it.
    fn run(index: usize, pool: Arc<WorkerPool>, started: &mpsc::Sender<std::io::Result<Arc<WorkerShared>>>) {
        let driver = match Driver::new(DriverChoice::Auto) {
            Ok(driver) => driver,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        if let Some(reason) = driver.why_epoll() {
            pool.announce_epoll(reason);
        }
        pool.started_with(driver.kind());
        let mut worker = Self::new(index, pool, driver);
        if started.send(Ok(worker.shared.clone())).is_err() {
            return;
        }
        while !worker.is_done() {
            worker.turn();
        }
    }

    fn new(index: usize, pool: Arc<WorkerPool>, driver: Driver<WireSlice, Slab>) -> Self {
        let shared = Arc::new(WorkerShared {
            mailbox: Mailbox::new(),
            waker: driver.waker(),
            load: AtomicUsize::new(0),
            index,
        });
        Self {
            shared,
            pool,
            driver,
            sessions: Slots::default(),
            listeners: Slots::default(),
            datagrams: Slots::default(),
            datagram_buffer: Vec::new(),
            sending: Vec::new(),
            letting_go: Vec::new(),
            watch: Watch::default(),
            timers: Timers::default(),
            half_open: HalfOpen::default(),
            commands: Vec::new(),
            completions: Vec::new(),
            stopping: false,
            serial: 0,
            idle_rounds: 0,
            patience: limits::WORKER_IDLE_ROUNDS,
        }
    }

    fn is_done(&self) -> bool {
        self.stopping
            && self.sessions.is_empty()
            && self.listeners.is_empty()
            && self.datagrams.is_empty()
            && self.driver.in_flight() == 0
    }

    fn turn(&mut self) {
        self.take_commands();
        self.start_sends();
        self.enter_kernel();
        self.handle_completions();
        self.fire_timers();
        self.tick_watch();
    }

    /// The one place where the worker sleeps. With sends about to start it only looks; without work it first yields a
    /// few rounds, because what comes next often comes from a thread that waits for this core.
    fn enter_kernel(&mut self) {
        // A worker whose last command was to stop has nothing that would wake it.
        let busy = !self.sending.is_empty() || self.idle_rounds < self.patience || self.is_done();
        let timeout = if busy {
            Some(Duration::ZERO)
        } else {
            self.until_next()
        };
        if !busy {
            self.driver.prepare_sleep();
            if !self.shared.mailbox.is_empty() {
                self.driver.cancel_sleep();
                return;
            }
        }
        let asleep_since = (!busy).then(Instant::now);
        let waited = self.driver.wait(timeout, &mut self.completions);
        if let Err(error) = waited {
            self.pool.report_driver_error(&error);
        }
        match asleep_since {
            Some(since) => self.learn(since.elapsed()),
            None if self.completions.is_empty() => {
                self.idle_rounds += 1;
                std::thread::yield_now();
            }
            None => {}
        }
        if !self.completions.is_empty() {
            self.idle_rounds = 0;
        }
    }

    fn until_next(&self) -> Option<Duration> {
        let now = Instant::now();
        let timer = self.timers.until_next(now);
        let tick = self.watch.until_next(now);
        [timer, tick].into_iter().flatten().min()
    }

    /// A long sleep means that yielding before the next one would be wasted.
    fn learn(&mut self, slept: Duration) {
        let short = slept < Duration::from_micros(limits::LONG_WAIT_US);
        self.patience = if short { limits::WORKER_IDLE_ROUNDS } else { 0 };
        self.idle_rounds = 0;
    }

    fn handle_completions(&mut self) {
        let mut completions = std::mem::take(&mut self.completions);
        for completion in completions.drain(..) {
            self.complete(completion);
        }
        self.completions = completions;
    }

    fn complete(&mut self, completion: Completion<WireSlice, Slab>) {
        let token = completion.token();
        let (slot, op) = ((token >> OP_BITS) as u32, token & OP_MASK);
        match op {
            _ if op == Op::Accept as u64 => return self.listener_ready(slot),
            _ if op == Op::Datagram as u64 => return self.datagrams_ready(slot),
            _ if op == Op::Room as u64 => return self.room_ready(slot),
            _ => {}
        }
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.ops -= 1;
        match completion {
            Completion::Received {
                buffer,
                result,
                more_likely,
                ..
            } => {
                self.received(slot, buffer, result, more_likely);
            }
            Completion::Sent { batch, result, .. } => self.sent(slot, batch, result),
            _ if op == Op::Bell as u64 => self.bell_rang(slot),
            Completion::Ready { .. } if op == Op::Connect as u64 => self.connect_ready(slot),
            Completion::Ready { .. } => self.read_ready(slot),
            Completion::Cancelled { .. } => self.read_cancelled(slot),
        }
        self.settle(slot);
    }

    /// Numbers sessions, so that those in the same place are told apart.
    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

#[cfg(test)]
mod tests;
