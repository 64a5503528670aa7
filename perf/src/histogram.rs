//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest time that is told from longer ones, ns.
const LONGEST_NS: u64 = 60_000_000_000;

/// Collects the times of one run with three significant digits.
#[derive(Debug)]
pub struct TimeHistogram {
    histogram: Histogram<u64>,
}

/// What is kept of a run's times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
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

impl TimeHistogram {
    /// An empty histogram.
    pub fn new() -> TimeHistogram {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds are in order");
        TimeHistogram { histogram }
    }

    /// Counts one. Longer ones than a minute count as a minute.
    pub fn record(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS);
        self.histogram.saturating_record(ns);
    }

    /// The figures that are reported.
    pub fn times(&self) -> Times {
        Times {
            count: self.histogram.len(),
            min_ns: self.histogram.min(),
            p50_ns: self.histogram.value_at_quantile(0.5),
            p99_ns: self.histogram.value_at_quantile(0.99),
            p999_ns: self.histogram.value_at_quantile(0.999),
            max_ns: self.histogram.max(),
        }
    }
}

impl Default for TimeHistogram {
    fn default() -> TimeHistogram {
        TimeHistogram::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_recorded() {
        let mut histogram = TimeHistogram::new();
        for us in 1..=1000 {
            histogram.record(Duration::from_micros(us));
        }
        let times = histogram.times();
        assert_eq!(times.count, 1000);
        for (value_ns, expected_us) in [(times.p50_ns, 500), (times.p99_ns, 990), (times.p999_ns, 999)] {
            let error = value_ns as f64 / (expected_us as f64 * 1000.0) - 1.0;
            assert!(error.abs() < 0.001, "{value_ns} ns is not {expected_us} µs");
        }
    }

    #[test]
    fn a_stall_of_hours_is_counted() {
        let mut histogram = TimeHistogram::new();
        histogram.record(Duration::from_secs(3 * 3600));
        assert!(histogram.times().max_ns >= LONGEST_NS);
    }
}
