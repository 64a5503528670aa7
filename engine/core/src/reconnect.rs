//! How long to wait before a connection attempt is repeated.
//!
//! The policy is pure: it is given a seed, answers with durations and never looks at a clock.

use crate::limits::RECONNECT_FLOOR_MS;
use std::time::Duration;

/// The delays of one endpoint that is to be connected.
///
/// * Without a maximum, a delay is the interval plus a random part of up to one more interval, as in libzmq.
/// * With a maximum, each delay is drawn at random between the interval and a ceiling that starts at twice the interval
///   and doubles up to the maximum. libzmq doubles without randomness, and peers that lost the same server then return
///   in step.
///
/// The ceiling falls back only by [`succeeded`](Self::succeeded), which is to be called when a *handshake* is complete:
/// a peer that accepts the connection and then refuses the handshake is not asked again at full rate.
#[derive(Debug, Clone)]
pub struct Backoff {
    /// Shortest delay in nanoseconds; `None` never reconnects.
    interval_ns: Option<u64>,
    /// Longest delay in nanoseconds; `None` keeps the delays constant but for their random part.
    interval_max_ns: Option<u64>,
    /// Upper bound of the next delay, used with a maximum only.
    ceiling_ns: u64,
    random: XorShift,
}

impl Backoff {
    /// A policy for one endpoint; every endpoint wants a seed of its own.
    ///
    /// An `interval` of `None` never reconnects, and zero is raised to [`RECONNECT_FLOOR_MS`]. An `interval_max` that
    /// is `None` or below the interval has no effect.
    pub fn new(interval: Option<Duration>, interval_max: Option<Duration>, seed: u64) -> Self {
        let floor = Duration::from_millis(RECONNECT_FLOOR_MS);
        let interval_ns = interval.map(|it| saturating_ns(if it.is_zero() { floor } else { it }));
        let interval_max_ns = interval_max
            .map(saturating_ns)
            .filter(|max| interval_ns.is_some_and(|it| *max >= it));
        let mut backoff = Self {
            interval_ns,
            interval_max_ns,
            ceiling_ns: 0,
            random: XorShift::new(seed),
        };
        backoff.succeeded();
        backoff
    }

    /// The delay before the next attempt: at least the interval, never zero. `None` means that there is to be none.
    pub fn next_delay(&mut self) -> Option<Duration> {
        let interval_ns = self.interval_ns?;
        let ceiling_ns = match self.interval_max_ns {
            None => interval_ns.saturating_mul(2),
            Some(max_ns) => {
                let ceiling_ns = self.ceiling_ns.min(max_ns);
                self.ceiling_ns = ceiling_ns.saturating_mul(2);
                ceiling_ns
            }
        };
        let spread_ns = self.random.below(ceiling_ns - interval_ns + 1);
        Some(Duration::from_nanos(interval_ns + spread_ns))
    }

    /// A handshake is complete: the next loss starts again with short delays.
    pub fn succeeded(&mut self) {
        self.ceiling_ns = self.interval_ns.unwrap_or(0).saturating_mul(2);
    }
}

/// Nanoseconds; at most half of the range, so that sums of two cannot overflow.
fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos())
        .unwrap_or(u64::MAX)
        .min(u64::MAX / 4)
}

/// Marsaglia's xorshift64*: enough to keep peers out of step, of no use against an adversary.
#[derive(Debug, Clone)]
struct XorShift(u64);

impl XorShift {
    fn new(seed: u64) -> Self {
        // Zero is the one state that the generator never leaves. The multiplication spreads seeds that differ little.
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D;
        Self(if state == 0 { 1 } else { state })
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn delays(interval: u64, max: Option<u64>, seed: u64, count: usize) -> Vec<Duration> {
        let mut backoff = Backoff::new(Some(ms(interval)), max.map(ms), seed);
        (0..count).map(|_| backoff.next_delay().unwrap()).collect()
    }

    #[test]
    fn without_interval_there_is_no_second_attempt() {
        assert_eq!(Backoff::new(None, None, 1).next_delay(), None);
        assert_eq!(Backoff::new(None, Some(ms(5)), 1).next_delay(), None);
    }

    #[test]
    fn without_maximum_delays_lie_within_twice_the_interval() {
        let delays = delays(100, None, 7, 1000);
        assert!(delays.iter().all(|it| (ms(100)..=ms(200)).contains(it)));
        assert!(*delays.iter().min().unwrap() < ms(105) && *delays.iter().max().unwrap() > ms(195));
    }

    #[test]
    fn with_maximum_the_ceiling_doubles() {
        for seed in 0..200 {
            let mut ceiling = ms(200);
            for delay in delays(100, Some(5000), seed, 20) {
                assert!(
                    (ms(100)..=ceiling).contains(&delay),
                    "{delay:?} above {ceiling:?}"
                );
                ceiling = (ceiling * 2).min(ms(5000));
            }
        }
        assert!(
            delays(100, Some(5000), 3, 1000).iter().any(|it| *it > ms(4900)),
            "the maximum is never approached"
        );
    }

    #[test]
    fn only_a_handshake_shortens_the_delays() {
        let mut backoff = Backoff::new(Some(ms(100)), Some(ms(100_000)), 9);
        for _ in 0..30 {
            backoff.next_delay();
        }
        assert!((0..50).any(|_| backoff.next_delay().unwrap() > ms(50_000)));
        backoff.succeeded();
        assert!(backoff.next_delay().unwrap() <= ms(200));
    }

    #[test]
    fn a_maximum_below_the_interval_is_ignored() {
        assert_eq!(delays(100, Some(10), 5, 100), delays(100, None, 5, 100));
    }

    #[test]
    fn a_maximum_equal_to_the_interval_is_exact() {
        assert!(delays(100, Some(100), 5, 100).iter().all(|it| *it == ms(100)));
    }

    #[test]
    fn zero_never_spins() {
        assert!(
            delays(0, None, 1, 100)
                .iter()
                .all(|it| *it >= ms(RECONNECT_FLOOR_MS))
        );
        assert!(
            delays(0, Some(1), 1, 100)
                .iter()
                .all(|it| *it >= ms(RECONNECT_FLOOR_MS))
        );
    }

    #[test]
    fn seeds_keep_peers_out_of_step() {
        let firsts: std::collections::HashSet<_> = (0..1000)
            .map(|seed| delays(100, Some(5000), seed, 1)[0])
            .collect();
        assert!(firsts.len() > 990);
        assert_eq!(delays(100, None, 4, 10), delays(100, None, 4, 10));
    }

    #[test]
    fn enormous_intervals_do_not_overflow() {
        let mut backoff = Backoff::new(Some(Duration::MAX), Some(Duration::MAX), u64::MAX);
        for _ in 0..100 {
            assert!(backoff.next_delay().is_some());
        }
    }
}
