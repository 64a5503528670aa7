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
    seen: Look,
    empty_looks: u8,
}

impl Watch {
    /// How long until the next look; `None` when nothing is watched.
    pub(super) fn until_next(&self, now: Instant) -> Option<Duration> {
        self.next.map(|next| next.saturating_duration_since(now))
    }
}

fn tick() -> Duration {
    Duration::from_micros(limits::WATCH_TICK_US)
}

impl Worker {
    /// The application of this session begins to gather messages.
    pub(super) fn watch(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if std::mem::replace(&mut session.watched, true) {
            return;
        }
        let serial = session.serial;
        self.watch.watched.push(Watched {
            slot,
            serial,
            seen: Look::Empty,
            empty_looks: 0,
        });
        self.watch.next.get_or_insert_with(|| Instant::now() + tick());
    }

    /// Looks at all watched links, if it is time.
    pub(super) fn tick_watch(&mut self) {
        let Some(next) = self.watch.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        let mut watched = std::mem::take(&mut self.watch.watched);
        watched.retain_mut(|watched| self.keep_watching(watched));
        self.watch.next = (!watched.is_empty()).then(|| now + tick());
        self.watch.watched = watched;
    }

    fn keep_watching(&mut self, watched: &mut Watched) -> bool {
        let session = self.sessions.get_mut(watched.slot);
        let Some(session) = session.filter(|session| session.serial == watched.serial) else {
            return false;
        };
        let look = session.link.transmit.look();
        let still = look == watched.seen;
        watched.seen = look;
        let keep = match look {
            Look::Elsewhere => false,
            Look::Empty => {
                watched.empty_looks = watched.empty_looks.saturating_add(1);
                watched.empty_looks < limits::WATCH_EMPTY_LOOKS_MAX || !session.link.transmit.let_go()
            }
            Look::Queued(_) => {
                watched.empty_looks = 0;
                !still
            }
        };
        session.watched = keep;
        if still && matches!(look, Look::Queued(_)) {
            // The application does something else, or has stopped sending.
            session.link.transmit.hand_over();
            self.list_for_sending(watched.slot);
        }
        keep
    }
}
