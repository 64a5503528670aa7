//! Accepted connections whose handshake is not done: bounded. While there are too many the listener waits, for a crowd
//! that means well shakes hands soon; who has not done so for a while makes room, the oldest first.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::limits;

/// How long a connection has before it makes room for others.
const GRACE: Duration = Duration::from_millis(limits::HALF_OPEN_GRACE_MS);

struct Waiting {
    slot: u32,
    serial: u64,
    since: Instant,
}

/// Accepted and not established, in the order of acceptance.
#[derive(Default)]
pub(super) struct HalfOpen {
    /// Place and serial number of the session; those that are done since are skipped.
    waiting: VecDeque<Waiting>,
    count: usize,
}

impl HalfOpen {
    pub(super) fn add(&mut self, slot: u32, serial: u64) {
        self.waiting.push_back(Waiting {
            slot,
            serial,
            since: Instant::now(),
        });
        self.count += 1;
    }

    /// A session has been established or is gone.
    pub(super) fn done(&mut self) {
        self.count -= 1;
        if self.count == 0 {
            self.waiting.clear();
        }
    }

    /// Whether no further connection is to be accepted for the moment: there are too many that may still shake hands.
    pub(super) fn is_crowded(&mut self, now: Instant, is_waiting: impl Fn(u32, u64) -> bool) -> bool {
        if self.count < limits::HALF_OPEN_MAX {
            return false;
        }
        while self
            .waiting
            .front()
            .is_some_and(|oldest| !is_waiting(oldest.slot, oldest.serial))
        {
            self.waiting.pop_front();
        }
        self.waiting
            .front()
            .is_some_and(|oldest| oldest.since + GRACE > now)
    }

    /// The next candidate for closing while there are too many.
    pub(super) fn oldest_beyond_limit(&mut self) -> Option<(u32, u64)> {
        if self.count > limits::HALF_OPEN_MAX {
            self.waiting
                .pop_front()
                .map(|oldest| (oldest.slot, oldest.serial))
        } else {
            None
        }
    }

    /// Forgets entries of sessions that are done, so that a slow trickle does not grow the list.
    pub(super) fn prune(&mut self, is_waiting: impl Fn(u32, u64) -> bool) {
        if self.waiting.len() > 2 * limits::HALF_OPEN_MAX {
            self.waiting
                .retain(|waiting| is_waiting(waiting.slot, waiting.serial));
        }
    }
}
