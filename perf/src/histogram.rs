//! Round-trip times.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest round trip that is told from longer ones, ns.
const LONGEST_NS: u64 = 60_000_000_000;

/// Collects round trips of one run with three significant digits.
#[derive(Debug)]
pub struct RoundTripHistogram {
    histogram: Histogram<u64>,
}

/// What is kept of a run's round trips.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// How many were measured.
    pub count: u64,
    /// The shortest, ns.
    pub min_ns: u64,
    /// The median, ns.
    pub p50_ns: u64,
    /// 99 of 100 took no longer, ns.
    pub p99_ns: u64,
    /// 999 of 1000 took no longer, ns.
    pub p999_ns: u64,
    /// The longest, ns.
    pub max_ns: u64,
}

impl RoundTripHistogram {
    /// An empty histogram.
    pub fn new() -> RoundTripHistogram {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds are in order");
        RoundTripHistogram { histogram }
    }

    /// Counts one round trip. Longer ones than a minute count as a minute.
    pub fn record(&mut self, round_trip: Duration) {
        let ns = u64::try_from(round_trip.as_nanos()).unwrap_or(LONGEST_NS);
        self.histogram.saturating_record(ns);
    }

    /// The figures that are reported.
    pub fn round_trips(&self) -> RoundTrips {
        RoundTrips {
            count: self.histogram.len(),
            min_ns: self.histogram.min(),
            p50_ns: self.histogram.value_at_quantile(0.5),
            p99_ns: self.histogram.value_at_quantile(0.99),
            p999_ns: self.histogram.value_at_quantile(0.999),
            max_ns: self.histogram.max(),
        }
    }
}

impl Default for RoundTripHistogram {
    fn default() -> RoundTripHistogram {
        RoundTripHistogram::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_recorded() {
        let mut histogram = RoundTripHistogram::new();
        for us in 1..=1000 {
            histogram.record(Duration::from_micros(us));
        }
        let round_trips = histogram.round_trips();
        assert_eq!(round_trips.count, 1000);
        for (value_ns, expected_us) in [
            (round_trips.p50_ns, 500),
            (round_trips.p99_ns, 990),
            (round_trips.p999_ns, 999),
        ] {
            let error = value_ns as f64 / (expected_us as f64 * 1000.0) - 1.0;
            assert!(error.abs() < 0.001, "{value_ns} ns is not {expected_us} µs");
        }
    }

    #[test]
    fn a_stall_of_hours_is_counted() {
        let mut histogram = RoundTripHistogram::new();
        histogram.record(Duration::from_secs(3 * 3600));
        assert!(histogram.round_trips().max_ns >= LONGEST_NS);
    }
}
