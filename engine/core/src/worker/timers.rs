//! Deadlines of sessions and listeners, and what happens when they pass.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use ringmq_zmtp::Failure;

use super::{
    Worker,
    session::{Cause, Phase, Reading},
};
use crate::{limits, link::lock};

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Session(u32),
    Listener(u32),
}

/// A heap of deadlines. Entries are never taken out early: whoever is called looks at what is really due.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Due)>>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Instant, due: Due) {
        self.heap.push(Reverse((at, due)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// How long until the first deadline; `None` without one.
    pub(super) fn until_next(&self, now: Instant) -> Option<Duration> {
        self.heap
            .peek()
            .map(|Reverse((at, _))| at.saturating_duration_since(now))
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Due> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, due))| due)
    }
}

impl Worker {
    pub(super) fn fire_timers(&mut self) {
        if self.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        for _ in 0..limits::TIMERS_PER_TURN {
            let Some(due) = self.timers.pop_due(now) else {
                return;
            };
            match due {
                Due::Session(slot) => {
                    self.session_due(slot, now);
                    self.settle(slot);
                }
                Due::Listener(slot) => self.listener_due(slot),
            }
        }
    }

    /// A deadline has passed, or a timer that was overtaken has fired.
    fn session_due(&mut self, slot: u32, now: Instant) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.timer = None;
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if passed(session.retiring.flatten()) {
            session.retiring = Some(None);
            session.last_connection = true;
            if session.phase != Phase::Ending {
                self.end(slot, Cause::Local);
            }
            return;
        }
        if passed(session.phase_deadline) {
            session.phase_deadline = None;
            match session.phase {
                Phase::Connecting => self.connect_timed_out(slot),
                Phase::Upgrading => self.end(slot, Cause::Protocol(Failure::HandshakeTimeout)),
                Phase::Pausing => self.dial(slot),
                Phase::Finishing => self.end(slot, Cause::Local),
                _ => {}
            }
            return;
        }
        if passed(session.attendance_deadline) {
            self.check_attendance(slot, now);
        }
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if passed(session.wire_deadline) {
            self.wire_due(slot, now);
        }
    }

    /// The application has read the connection, which may have brought a deadline forward.
    pub(super) fn refresh_deadline(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let side = lock(&session.link.receive.side);
        session.wire_deadline = side
            .connection
            .as_ref()
            .and_then(|connection| connection.deadline());
    }

    fn wire_due(&mut self, slot: u32, now: Instant) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let outcome = {
            let mut side = lock(&session.link.receive.side);
            let Some(connection) = &mut side.connection else {
                return;
            };
            if session.reading == Reading::Stalled {
                // The peer's signs of life lie unread in the kernel because of us.
                connection.on_traffic(now);
            }
            let outcome = connection.on_deadline(now);
            session.wire_deadline = connection.deadline();
            outcome
        };
        match outcome {
            Ok(()) => self.pump_control(slot),
            Err(failure) => self.end(slot, Cause::Protocol(failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_not_early() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.add(at(20), Due::Session(2));
        timers.add(at(10), Due::Listener(1));
        assert_eq!(timers.until_next(at(4)), Some(Duration::from_millis(6)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(30)), Some(Due::Listener(1)));
        assert_eq!(timers.pop_due(at(30)), Some(Due::Session(2)));
        assert_eq!(timers.until_next(at(30)), None);
    }
}
