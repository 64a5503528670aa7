//! Where a pipe (application thread) and a session (worker) meet.

use std::{sync::Arc, time::Instant};

use ringmq_queue::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};

use crate::{
    receive::{Pumped, Receive},
    socket::{SocketCommand, SocketShared},
    spill::SpillPlace,
    tally::Tally,
    transmit::{Inline, Transmit},
    worker::{Command, WorkerShared},
};

/// Locks without a panic: a thread that panicked while holding one of our locks has left data that is still whole,
/// because no critical section here can be cut in the middle by anything but our own broken assertion.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The pipe has no name yet: its socket has not taken it in.
pub(crate) const UNATTACHED: u64 = u64::MAX;

/// The key of a pipe at its socket, for those who push to it.
pub(crate) struct Name(AtomicU64);

impl Name {
    pub(crate) const fn none() -> Self {
        Self(AtomicU64::new(UNATTACHED))
    }

    /// The socket has given the pipe its key. Whatever was pushed before is found by the first read, which the socket
    /// makes after this.
    pub(crate) fn set(&self, key: u64) {
        // SeqCst: orders the key before the pipe's first look into its queue; partner of `get` after a push.
        self.0.store(key, Ordering::SeqCst);
    }

    /// The key. A pipe without one is looked at when it gets it.
    pub(crate) fn get(&self) -> Option<u64> {
        // SeqCst: partner of `set`.
        Some(self.0.load(Ordering::SeqCst)).filter(|&key| key != UNATTACHED)
    }
}

/// One connection's meeting place, alive as long as either side.
pub(crate) struct Link {
    key: Name,
    /// The session's place in its worker.
    slot: AtomicU32,
    /// Set once, when nothing will be pushed to the pipe any more.
    closed: AtomicBool,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) socket: Arc<SocketShared>,
    pub(crate) transmit: Transmit,
    pub(crate) receive: Receive,
    /// Messages that found no room in a shared ring.
    pub(crate) spill: SpillPlace,
    /// What has passed; the pipe's counts.
    pub(crate) tally: Arc<Tally>,
}

impl Link {
    pub(crate) fn new(
        worker: Arc<WorkerShared>,
        socket: Arc<SocketShared>,
        transmit: Transmit,
        receive: Receive,
    ) -> Arc<Self> {
        Arc::new(Self {
            key: Name::none(),
            slot: AtomicU32::new(u32::MAX),
            closed: AtomicBool::new(false),
            worker,
            socket,
            transmit,
            receive,
            spill: SpillPlace::default(),
            tally: Arc::default(),
        })
    }

    /// The socket has given the pipe its key.
    pub(crate) fn attach(&self, key: u64) {
        self.key.set(key);
    }

    /// The key of the pipe, once it has one.
    pub(crate) fn key(&self) -> Option<u64> {
        self.key.get()
    }

    /// Written and read by the worker only, apart from debugging.
    pub(crate) fn set_slot(&self, slot: u32) {
        self.slot.store(slot, Ordering::Relaxed);
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot.load(Ordering::Relaxed)
    }

    /// Sends what is queued on this thread, as far as the socket takes it; the rest becomes the worker's.
    pub(crate) fn send_inline(self: &Arc<Self>) {
        if self.transmit.send_inline() == Inline::HandOver {
            self.worker.push(Command::Transmit(self.clone()));
        }
    }

    /// Begins to gather messages; the worker watches that they do not lie for long.
    pub(crate) fn watch(self: &Arc<Self>) {
        if self.transmit.watch() {
            self.worker.push(Command::Watch(self.clone()));
        }
    }

    /// Reads the connection on the application's thread, if that has the right. True when something may have come.
    pub(crate) fn pump(self: &Arc<Self>) -> bool {
        let pumped = self.receive.pump(Instant::now());
        match pumped {
            Pumped::Arrived { control: true } => self.worker.push(Command::Control(self.clone())),
            Pumped::Over => self.return_right(),
            _ => {}
        }
        matches!(pumped, Pumped::Arrived { .. })
    }

    /// Gives the right to read back to the worker.
    pub(crate) fn return_right(self: &Arc<Self>) {
        if self.receive.take_back() {
            self.worker.push(Command::Returned(self.clone()));
        }
    }

    /// The worker pushed something for a pipe that had found its queue empty.
    pub(crate) fn notify_readable(&self) {
        self.notify(SocketCommand::Readable);
    }

    /// The worker made the room that the pipe had asked for.
    pub(crate) fn notify_writable(&self) {
        self.notify(SocketCommand::Writable);
    }

    /// Nothing will be pushed to the pipe any more; what is queued may still be read.
    pub(crate) fn close(&self) {
        // SeqCst: after the last push, before the notification; partner of `is_closed`.
        self.closed.store(true, Ordering::SeqCst);
        self.notify(SocketCommand::Closed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Tells the socket something about this pipe. A pipe without a key is looked at when it gets one.
    pub(crate) fn notify(&self, command: impl FnOnce(u64) -> SocketCommand) {
        if let Some(key) = self.key.get() {
            self.socket.push(command(key));
        }
    }
}
