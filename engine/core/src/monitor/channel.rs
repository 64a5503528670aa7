//! The bounded way from the workers to one reader of events.

use super::{Event, EventMask, EventRecord, Listener};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Makes a channel that keeps up to `capacity` (at least 1) events which the mask wants.
///
/// Up to three more may wait beside them: [`Event::MonitorStopped`], which is never lost, and the [`Event::Lost`] that
/// stand for gaps before the last event and before that one.
pub fn channel(capacity: usize, mask: EventMask) -> (MonitorSender, MonitorReceiver) {
    assert!(capacity > 0, "a monitor without room would lose every event");
    let state = State {
        records: VecDeque::new(),
        lost: 0,
        senders: 1,
        stopped: false,
        reader_gone: false,
        waiting: 0,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        arrived: Condvar::new(),
        capacity,
        mask,
    });
    (MonitorSender(Arc::clone(&shared)), MonitorReceiver(shared))
}

pub(super) struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
    mask: EventMask,
}

pub(super) struct State {
    pub(super) records: VecDeque<EventRecord>,
    /// Events that found no room since the last one that did.
    lost: u64,
    senders: usize,
    /// The last event is in the queue or was read.
    stopped: bool,
    reader_gone: bool,
    /// Threads that sleep in `recv_timeout`: waking costs a system call even when nobody sleeps.
    waiting: usize,
}

impl Shared {
    /// The lock is held for a few instructions only, and nothing in between can panic half way.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever sleeps, once the lock is free.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.arrived.notify_all();
        }
    }
}

impl State {
    fn push(&mut self, record: EventRecord) {
        if self.lost > 0 {
            let count = std::mem::take(&mut self.lost);
            self.records.push_back(EventRecord::bare(Event::Lost { count }));
        }
        self.records.push_back(record);
    }

    fn pop(&mut self) -> Result<EventRecord, MonitorError> {
        if let Some(record) = self.records.pop_front() {
            return Ok(record);
        }
        if self.lost > 0 {
            let count = std::mem::take(&mut self.lost);
            return Ok(EventRecord::bare(Event::Lost { count }));
        }
        Err(if self.stopped || self.senders == 0 {
            MonitorError::Closed
        } else {
            MonitorError::Empty
        })
    }
}

/// The telling end; every worker has a clone.
pub struct MonitorSender(pub(super) Arc<Shared>);

impl MonitorSender {
    /// Whether the event is wanted: spares the making of a record that nobody reads.
    pub fn wants(&self, event: &Event) -> bool {
        self.0.mask.contains(event)
    }

    /// Tells an event. Never waits for the reader: without room the event is counted, and the reader finds
    /// [`Event::Lost`] in its place. Nothing is told after [`Event::MonitorStopped`].
    pub fn emit(&self, record: EventRecord) {
        let last = record.event == Event::MonitorStopped;
        if !last && !self.wants(&record.event) {
            return;
        }
        let mut state = self.0.lock();
        if state.stopped || state.reader_gone {
            return;
        }
        state.stopped = last;
        if last && !self.wants(&record.event) {
            // Not wanted as an event, but still the end of the stream.
        } else if last || state.records.len() < self.0.capacity {
            state.push(record);
        } else {
            state.lost = state.lost.saturating_add(1);
        }
        self.0.wake(state);
    }
}

impl Listener for MonitorSender {
    fn hear(&mut self, record: EventRecord) {
        self.emit(record);
    }
}

impl Clone for MonitorSender {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for MonitorSender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        self.0.wake(state);
    }
}

impl fmt::Debug for MonitorSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorSender")
            .field("mask", &self.0.mask)
            .finish_non_exhaustive()
    }
}

/// Why there is no event to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorError {
    /// None has come yet, or none in the time that was allowed.
    Empty,
    /// None will come any more.
    Closed,
}

impl fmt::Display for MonitorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no event has come",
            Self::Closed => "the monitor has stopped",
        })
    }
}

impl std::error::Error for MonitorError {}

/// The reading end. Dropping it ends the monitor. May be read by any thread.
pub struct MonitorReceiver(Arc<Shared>);

impl MonitorReceiver {
    /// The next event, if there is one. Does not block.
    ///
    /// # Errors
    ///
    /// [`MonitorError`].
    pub fn try_recv(&self) -> Result<EventRecord, MonitorError> {
        self.0.lock().pop()
    }

    /// The next event; blocks until there is one, until `timeout` has passed, or for ever if it is `None`.
    ///
    /// # Errors
    ///
    /// [`MonitorError::Empty`] when the time is up, [`MonitorError::Closed`] when the monitor has stopped.
    pub fn recv_timeout(&self, timeout: Option<Duration>) -> Result<EventRecord, MonitorError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.0.lock();
        loop {
            let outcome = state.pop();
            if outcome != Err(MonitorError::Empty) {
                return outcome;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(MonitorError::Empty);
            }
            state.waiting += 1;
            state = match left {
                None => self.0.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.0
                        .arrived
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.waiting -= 1;
        }
    }
}

impl Drop for MonitorReceiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader_gone = true;
        state.records = VecDeque::new();
    }
}

impl fmt::Debug for MonitorReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorReceiver").finish_non_exhaustive()
    }
}
