//! Whether a socket answers and rests or sends a stream, which decides who sends; and how a reader waits.

use std::time::{Duration, Instant};

use crate::{limits, route::PipeKey};

/// Sending inline for every message would end batching, handing every message to a worker costs two wake-ups. A socket
/// is idle when it has found nothing to receive since its last message, or when the call that sent that message, to
/// whichever peer, is over for longer than the processing of a message takes. Of one link alone that cannot be told:
/// between two of its messages all the others get theirs, which takes long if each is sent at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the socket was done with its last message, as far as anybody had to know.
    last: Option<Instant>,
    /// A receive has found nothing since then.
    has_waited: bool,
    /// What holds for all copies of the message that is being distributed, once the first has asked.
    copies: Option<Option<bool>>,
    /// Pipes that have gathered messages since the socket last waited.
    gathering: Vec<PipeKey>,
}

impl Pace {
    /// Whether the message that was just written is better sent here and now.
    pub(crate) fn is_idle(&mut self) -> bool {
        if let Some(Some(idle)) = self.copies {
            return idle;
        }
        let idle = self.is_idle_at(Instant::now());
        if let Some(first) = &mut self.copies {
            *first = Some(idle);
        }
        idle
    }

    fn is_idle_at(&mut self, now: Instant) -> bool {
        let gap = Duration::from_micros(limits::INLINE_SEND_GAP_US);
        let rested = self.last.is_none_or(|last| now.duration_since(last) >= gap);
        self.last = Some(now);
        std::mem::take(&mut self.has_waited) || rested
    }

    /// A receive has found nothing: the end of a burst, or of a question's answer.
    pub(crate) fn has_waited(&mut self) {
        self.has_waited = true;
    }

    /// A system call has sent something until now.
    pub(crate) fn has_sent(&mut self) {
        self.last = Some(Instant::now());
    }

    /// What is written until [`end_copies`](Self::end_copies) are copies of one message.
    pub(crate) fn begin_copies(&mut self) {
        self.copies = Some(None);
    }

    pub(crate) fn end_copies(&mut self) {
        self.copies = None;
    }

    /// The pipe gathers messages: the socket sends them before it waits.
    pub(crate) fn gathers(&mut self, key: PipeKey) {
        self.gathering.push(key);
    }

    /// The next pipe that has gathered messages.
    pub(crate) fn next_gathering(&mut self) -> Option<PipeKey> {
        self.gathering.pop()
    }

    /// The pipe is gone.
    pub(crate) fn forget(&mut self, key: PipeKey) {
        self.gathering.retain(|&gathering| gathering != key);
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

    fn at(us: u64) -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_micros(us)
    }

    #[test]
    fn a_stream_is_not_idle_and_an_exchange_is() {
        let mut pace = Pace::default();
        assert!(pace.is_idle_at(at(0)), "the first message finds an idle socket");
        assert!(!pace.is_idle_at(at(1)), "the next follows at once");
        pace.has_waited();
        assert!(
            pace.is_idle_at(at(2)),
            "the socket has waited for an answer in between"
        );
        assert!(!pace.is_idle_at(at(3)));
        assert!(
            pace.is_idle_at(at(3 + limits::INLINE_SEND_GAP_US)),
            "the socket has rested"
        );
    }

    #[test]
    fn the_gap_begins_with_the_end_of_the_last_send() {
        let mut pace = Pace::default();
        assert!(pace.is_idle_at(at(0)));
        pace.last = Some(at(100));
        assert!(!pace.is_idle_at(at(101)), "the send took most of the time");
    }

    #[test]
    fn all_copies_of_a_message_share_a_decision() {
        let mut pace = Pace::default();
        pace.begin_copies();
        assert!(pace.is_idle());
        pace.has_sent();
        assert!(pace.is_idle(), "the second copy goes the way of the first");
        pace.end_copies();
        pace.begin_copies();
        pace.last = Some(Instant::now() + Duration::from_secs(1));
        assert!(!pace.is_idle(), "the next message follows it");
    }
}
