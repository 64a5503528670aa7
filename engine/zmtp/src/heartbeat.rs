//! Heartbeats: when to send PING, and when silence means that the peer is gone.

use std::time::{Duration, Instant};

/// The unit of the time to live in PING.
const TTL_UNIT_MS: u64 = 100;

/// Settings of our heartbeats (RFC 37 §Connection Heartbeating).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The time between two PINGs; None sends none.
    pub interval: Option<Duration>,
    /// How long the peer may be silent after a PING; None is the interval, and zero is for ever.
    pub timeout: Option<Duration>,
    /// The time to live that our PINGs announce: the peer may give us up after that much silence.
    /// Zero announces none. Sent in tenths of a second, rounded down, 6553.5 s at most.
    pub ttl: Duration,
}

impl Heartbeat {
    /// No heartbeats of our own.
    pub const OFF: Heartbeat = Heartbeat {
        interval: None,
        timeout: None,
        ttl: Duration::ZERO,
    };

    /// The time to live as PING carries it.
    fn ttl_on_the_wire(&self) -> u16 {
        let units = self.ttl.as_millis() / u128::from(TTL_UNIT_MS);
        u16::try_from(units).unwrap_or(u16::MAX)
    }
}

/// What is to be done about a deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send a PING with this time to live.
    Ping {
        ttl: u16,
    },
    /// The peer was silent for too long.
    Expired,
}

/// The timers of an established connection.
///
/// Nothing is computed when traffic arrives: it only takes back what a PING in either direction
/// has armed, which a quiet connection does not even do.
#[derive(Debug)]
pub(crate) struct Timers {
    config: Heartbeat,
    /// None until the handshake is over, and without heartbeats of our own.
    ping_at: Option<Instant>,
    /// The earliest of: our timeout after a PING of ours, its own time to live after one of the
    /// peer's. Any traffic takes it back.
    expire_at: Option<Instant>,
}

impl Timers {
    pub(crate) fn new(config: Heartbeat) -> Timers {
        Timers {
            config,
            ping_at: None,
            expire_at: None,
        }
    }

    /// The handshake is over.
    pub(crate) fn start(&mut self, now: Instant) {
        self.ping_at = self.next_ping(now);
    }

    pub(crate) fn stop(&mut self) {
        self.ping_at = None;
        self.expire_at = None;
    }

    /// Something came from the peer.
    #[inline]
    pub(crate) fn heard(&mut self) {
        if self.expire_at.is_some() {
            self.expire_at = None;
        }
    }

    /// A PING came; `ttl` is in tenths of a second, and zero announces none.
    ///
    /// The whole range of the field counts: libzmq keeps the product in 16 bits.
    pub(crate) fn on_ping(&mut self, ttl: u16, now: Instant) {
        if ttl > 0 {
            self.arm(now.checked_add(Duration::from_millis(u64::from(ttl) * TTL_UNIT_MS)));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest(self.ping_at, self.expire_at)
    }

    pub(crate) fn on_deadline(&mut self, now: Instant) -> Due {
        if self.expire_at.is_some_and(|at| at <= now) {
            return Due::Expired;
        }
        if self.ping_at.is_none_or(|at| at > now) {
            return Due::Nothing;
        }
        // From now, not from when it was due: after a long sleep one PING is enough.
        self.ping_at = self.next_ping(now);
        let timeout = self.config.timeout.or(self.config.interval);
        if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) {
            self.arm(now.checked_add(timeout));
        }
        Due::Ping {
            ttl: self.config.ttl_on_the_wire(),
        }
    }

    fn next_ping(&self, now: Instant) -> Option<Instant> {
        let interval = self.config.interval.filter(|ivl| !ivl.is_zero())?;
        now.checked_add(interval)
    }

    fn arm(&mut self, at: Option<Instant>) {
        self.expire_at = earliest(self.expire_at, at);
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_live_saturates() {
        let ttl = |millis| {
            Heartbeat {
                ttl: Duration::from_millis(millis),
                ..Heartbeat::OFF
            }
            .ttl_on_the_wire()
        };
        assert_eq!(ttl(0), 0);
        assert_eq!(ttl(99), 0);
        assert_eq!(ttl(199), 1);
        assert_eq!(ttl(6_553_599), 65535);
        assert_eq!(ttl(6_553_600), 65535);
    }

    #[test]
    fn a_later_ping_of_ours_does_not_move_an_armed_timeout() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut timers = Timers::new(Heartbeat {
            interval: Some(second),
            timeout: Some(second * 5),
            ttl: Duration::ZERO,
        });
        timers.start(start);
        for tick in 1..6 {
            assert_eq!(timers.deadline(), Some(start + second * tick));
            let due = timers.on_deadline(start + second * tick);
            assert_eq!(due, Due::Ping { ttl: 0 });
        }
        assert_eq!(timers.on_deadline(start + second * 6), Due::Expired);
        timers.heard();
        let due = timers.on_deadline(start + second * 6);
        assert_eq!(due, Due::Ping { ttl: 0 });
    }
}
