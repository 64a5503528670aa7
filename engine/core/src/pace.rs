//! Whether a link is idle or streaming, which decides who sends.

use std::time::{Duration, Instant};

use crate::limits;

/// Sending inline for every message would end batching, handing every message to a worker costs two wake-ups. A pipe
/// is idle when its socket has waited for an answer since the last message, or when the last message is longer ago
/// than a system call takes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
    epoch: u64,
}

impl Pace {
    /// Called when the right to send is free. `epoch` counts how often the socket found nothing to receive.
    pub(crate) fn is_idle(&mut self, epoch: u64) -> bool {
        self.is_idle_at(epoch, Instant::now())
    }

    /// Something was sent until now, so that a message at this moment would follow it closely.
    pub(crate) fn note(&mut self, epoch: u64, now: Instant) {
        self.last = Some(now);
        self.epoch = epoch;
    }

    fn is_idle_at(&mut self, epoch: u64, now: Instant) -> bool {
        let gap = Duration::from_micros(limits::INLINE_SEND_GAP_US);
        let rested = self.last.is_none_or(|last| now.duration_since(last) >= gap);
        let answered = epoch != self.epoch;
        self.last = Some(now);
        self.epoch = epoch;
        rested || answered
    }
}

/// How a reader waits for what may be on its way already, before it asks to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dwell {
    /// It does not wait: its caller would not either. It only makes a few pauses, so that several messages come together
    /// rather than one at a time.
    #[default]
    Pauses,
    /// It makes pauses, and then leaves the core to whoever waits for it, which may be the very thread that would send.
    Yields,
    /// It looks all the time, for as long as the application said or [`LOCAL_WAIT_US`](limits::LOCAL_WAIT_US), whichever
    /// is less: commands are not looked at meanwhile.
    Spins(Duration),
}

impl Dwell {
    /// What a socket with this much busy polling does, when it may wait.
    pub(crate) fn new(busy_poll: Option<Duration>) -> Self {
        match busy_poll {
            None => Self::Yields,
            Some(limit) => Self::Spins(limit.min(Duration::from_micros(limits::LOCAL_WAIT_US))),
        }
    }

    /// Looks again until something has arrived or it is time to do something else. True in the former case.
    pub(crate) fn await_arrival(self, mut has_arrived: impl FnMut() -> bool) -> bool {
        match self {
            Self::Pauses => pauses(&mut has_arrived),
            Self::Yields => pauses(&mut has_arrived) || yields(&mut has_arrived),
            Self::Spins(limit) => spins(limit, &mut has_arrived),
        }
    }
}

fn pauses(has_arrived: &mut impl FnMut() -> bool) -> bool {
    let mut pauses = limits::LOCAL_PAUSES_MIN;
    while pauses <= limits::LOCAL_PAUSES_MAX {
        for _ in 0..pauses {
            std::hint::spin_loop();
        }
        if has_arrived() {
            return true;
        }
        pauses *= 2;
    }
    false
}

fn yields(has_arrived: &mut impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_micros(limits::LOCAL_WAIT_US) {
        for _ in 0..4 {
            std::thread::yield_now();
            if has_arrived() {
                return true;
            }
        }
    }
    false
}

fn spins(limit: Duration, has_arrived: &mut impl FnMut() -> bool) -> bool {
    if limit.is_zero() {
        return has_arrived();
    }
    let started = Instant::now();
    loop {
        for _ in 0..LOOKS_PER_CLOCK {
            if has_arrived() {
                return true;
            }
            std::hint::spin_loop();
        }
        if started.elapsed() >= limit {
            return false;
        }
    }
}

/// How often a spinning reader looks before it looks at the clock.
const LOOKS_PER_CLOCK: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_not_idle_and_an_exchange_is() {
        let start = Instant::now();
        let at = |us| start + Duration::from_micros(us);
        let mut pace = Pace::default();
        assert!(pace.is_idle_at(0, at(0)), "the first message finds an idle link");
        assert!(!pace.is_idle_at(0, at(1)), "the next follows at once");
        assert!(
            pace.is_idle_at(1, at(2)),
            "the socket has waited for an answer in between"
        );
        assert!(!pace.is_idle_at(1, at(3)));
        assert!(
            pace.is_idle_at(1, at(3 + limits::INLINE_SEND_GAP_US)),
            "the link has rested"
        );
        pace.note(1, at(1_000));
        assert!(!pace.is_idle_at(1, at(1_001)), "it follows what is noted");
    }
}
