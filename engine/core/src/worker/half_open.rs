//! Accepted connections whose handshake is not done: bounded. While there are too many the listener waits, for a crowd
//! that means well shakes hands soon; who has not done so for a while makes room, the oldest first.
//!
//! A peer that has our READY may take the connection for established and send messages, although its own READY is still on
//! its way or unread here. Closing it then would lose these. So only those make room that have not heard it, and only some
//! at a time hear it before their own is here.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    Worker,
    session::{Answer, Session},
};
use crate::limits;

/// How long a connection has before it makes room for others.
const GRACE: Duration = Duration::from_millis(limits::HALF_OPEN_GRACE_MS);

struct Waiting {
    slot: u32,
    serial: u64,
    since: Instant,
}

/// Accepted and not established.
#[derive(Default)]
pub(super) struct HalfOpen {
    /// Those that may make room, in the order of acceptance. Those that are done or answered since are skipped.
    waiting: VecDeque<Waiting>,
    /// Those that may make room.
    count: usize,
    /// Those that have heard our part of the handshake.
    answered: usize,
    /// Those that were to hear it while there were too many; who is done since is skipped.
    held: VecDeque<(u32, u64)>,
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
    pub(super) fn done(&mut self, session: &Session) {
        if session.answer == Answer::Given {
            self.answered -= 1;
        } else {
            self.leave_waiting();
        }
    }

    fn leave_waiting(&mut self) {
        self.count -= 1;
        if self.count == 0 {
            self.waiting.clear();
            self.held.clear();
        }
    }

    /// Whether the peer may be told our part of the handshake while its own is missing.
    pub(super) fn may_answer(&mut self, answer: &mut Answer, slot: u32, serial: u64) -> bool {
        if self.answered < limits::ANSWERED_MAX {
            *answer = Answer::Given;
            self.leave_waiting();
            self.answered += 1;
            return true;
        }
        if std::mem::replace(answer, Answer::Held) != Answer::Held {
            self.held.push_back((slot, serial));
        }
        false
    }

    /// The peer is told our part of the handshake: from now on it keeps its place.
    pub(super) fn has_answered(&mut self, session: &mut Session) {
        if session.may_make_room() {
            session.answer = Answer::Given;
            self.answered += 1;
            self.leave_waiting();
        }
    }

    /// The next of those that may be answered now.
    fn next_held(&mut self) -> Option<(u32, u64)> {
        if self.answered < limits::ANSWERED_MAX {
            self.held.pop_front()
        } else {
            None
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
            self.held.retain(|&(slot, serial)| is_waiting(slot, serial));
        }
    }
}

impl Worker {
    /// One has left: another, whose peer waits for it, hears our part of the handshake.
    pub(super) fn answer_held(&mut self) {
        while let Some((slot, serial)) = self.half_open.next_held() {
            let session = self.sessions.get_mut(slot);
            let Some(session) = session.filter(|session| session.serial == serial && session.may_make_room())
            else {
                continue;
            };
            session.answer = Answer::NotGiven;
            self.pump_control(slot);
        }
    }
}
