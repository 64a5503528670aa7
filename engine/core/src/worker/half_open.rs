//! Accepted connections whose handshake is not done: bounded, the oldest goes first.

use std::collections::VecDeque;

use crate::limits;

/// Accepted and not established, in the order of acceptance.
#[derive(Default)]
pub(super) struct HalfOpen {
    /// Place and serial number of the session; those that are done since are skipped.
    waiting: VecDeque<(u32, u64)>,
    count: usize,
}

impl HalfOpen {
    pub(super) fn add(&mut self, slot: u32, serial: u64) {
        self.waiting.push_back((slot, serial));
        self.count += 1;
    }

    /// A session has been established or is gone.
    pub(super) fn done(&mut self) {
        self.count -= 1;
        if self.count == 0 {
            self.waiting.clear();
        }
    }

    /// The next candidate for closing while there are too many.
    pub(super) fn oldest_beyond_limit(&mut self) -> Option<(u32, u64)> {
        if self.count > limits::HALF_OPEN_MAX {
            self.waiting.pop_front()
        } else {
            None
        }
    }

    /// Forgets entries of sessions that are done, so that a slow trickle does not grow the list.
    pub(super) fn prune(&mut self, is_waiting: impl Fn(u32, u64) -> bool) {
        if self.waiting.len() > 2 * limits::HALF_OPEN_MAX {
            self.waiting.retain(|&(slot, serial)| is_waiting(slot, serial));
        }
    }
}
