//! Watching links whose applications gather messages: what lies still is sent by the worker.

use std::time::{Duration, Instant};

use super::Worker;
use crate::{limits, transmit::Look};

/// The links that are watched, and when to look next.
#[derive(Default)]
pub(super) struct Watch {
    watched: Vec<Watched>,
    next: Option<Instant>,
}

struct Watched {
    slot: u32,
    serial: u64,
    /// What the last look found, and when it was.
    seen: Look,
    looked: Instant,
    /// Messages that the application had written by then.
    written: u64,
    /// Since when nothing has been queued, or nothing of what is queued has been taken.
    since: Instant,
}

impl Watch {
    /// How long until the next look; `None` when nothing is watched.
    pub(super) fn until_next(&self, now: Instant) -> Option<Duration> {
        self.next.map(|next| next.saturating_duration_since(now))
    }
}

const TICK: Duration = Duration::from_micros(limits::WATCH_TICK_US);
const STILL: Duration = Duration::from_micros(limits::WATCH_STILL_US);
const REST: Duration = Duration::from_micros(limits::WATCH_REST_US);

impl Worker {
    /// The application of this session begins to gather messages.
    pub(super) fn watch(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if std::mem::replace(&mut session.watched, true) {
            return;
        }
        let now = Instant::now();
        self.watch.watched.push(Watched {
            slot,
            serial: session.serial,
            seen: session.link.transmit.look(),
            looked: now,
            written: session.link.tally.read().sent.messages,
            since: now,
        });
        let soon = now + STILL;
        self.watch.next = Some(self.watch.next.map_or(soon, |next| next.min(soon)));
    }

    /// Looks at all watched links, if it is time.
    pub(super) fn tick_watch(&mut self) {
        let Some(next) = self.watch.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        let mut watched = std::mem::take(&mut self.watch.watched);
        watched.retain_mut(|watched| self.keep_watching(watched, now));
        self.watch.watched = watched;
        self.confirm_letting_go(|worker, slot, has_gone| {
            if !has_gone {
                worker.watch(slot);
            }
        });
        self.watch.next = (!self.watch.watched.is_empty()).then(|| now + TICK);
    }

    fn keep_watching(&mut self, watched: &mut Watched, now: Instant) -> bool {
        let session = self.sessions.get(watched.slot);
        let Some(session) = session.filter(|session| session.serial == watched.serial) else {
            return false;
        };
        let since_look = now.duration_since(watched.looked);
        if since_look < STILL {
            return true;
        }
        let look = session.link.transmit.look();
        let written = session.link.tally.read().sent.messages;
        if look != watched.seen {
            watched.since = now;
        }
        let since_change = now.duration_since(watched.since);
        let keep = match look {
            Look::Elsewhere => false,
            Look::Empty => since_change < REST || !self.let_go(watched.slot),
            // The application does something else, or has stopped sending.
            Look::Queued(_) if written == watched.written || since_change >= TICK => {
                session.link.transmit.hand_over();
                self.list_for_sending(watched.slot);
                false
            }
            Look::Queued(_) => true,
        };
        (watched.seen, watched.looked, watched.written) = (look, now, written);
        if let Some(session) = self.sessions.get_mut(watched.slot) {
            session.watched = keep;
        }
        keep
    }
}
