//! REQ asks, REP echoes, one message under way.

use std::time::{Duration, Instant};

use crate::engine::{Echo, EngineError, Receiver, Result, Sender};
use crate::histogram::{TimeHistogram, Times};

/// Round trips before the first that counts: the connection is made during the first of them.
const WARM_UP: u64 = 200;

/// Echoes until the socket fails or the process ends.
pub fn echo_forever(rep: &mut impl Echo) -> Result<()> {
    loop {
        rep.echo()?;
    }
}

/// Echoes `count` messages and checks their size.
pub fn echo_count(rep: &mut impl Echo, size_bytes: usize, count: u64) -> Result<()> {
    for _ in 0..count {
        let length = rep.echo()?;
        if length != size_bytes {
            return Err(wrong_size());
        }
    }
    Ok(())
}

/// Asks for `duration` and records every round trip.
pub fn ask_for(req: &mut (impl Sender + Receiver), size_bytes: usize, duration: Duration) -> Result<Times> {
    let body = vec![0; size_bytes];
    for _ in 0..WARM_UP {
        round_trip(req, &body)?;
    }
    let mut histogram = TimeHistogram::new();
    let start = Instant::now();
    let mut before = start;
    loop {
        round_trip(req, &body)?;
        let after = Instant::now();
        histogram.record(after - before);
        before = after;
        if after - start >= duration {
            return Ok(histogram.times());
        }
    }
}

/// Makes `count` round trips, the first of which waits for the connection as in libzmq's `remote_lat`. Returns
/// the time for all.
pub fn ask_count(req: &mut (impl Sender + Receiver), size_bytes: usize, count: u64) -> Result<Duration> {
    let body = vec![0; size_bytes];
    let start = Instant::now();
    for _ in 0..count {
        round_trip(req, &body)?;
    }
    Ok(start.elapsed())
}

fn round_trip(req: &mut (impl Sender + Receiver), body: &[u8]) -> Result<()> {
    req.send(body)?;
    if req.recv(<[u8]>::len)? == body.len() {
        Ok(())
    } else {
        Err(wrong_size())
    }
}

fn wrong_size() -> EngineError {
    EngineError::Corrupt("message of incorrect size received".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stock::Stock;
    use crate::engine::{Endpoint, Engine, Tuning};

    #[test]
    fn round_trips_are_counted_after_the_warm_up() {
        let engine = Stock::new(Tuning::default()).unwrap();
        let mut rep = engine.rep().unwrap();
        let mut req = engine.req().unwrap();
        req.connect(&rep.bind("inproc://latency").unwrap()).unwrap();
        let answering = std::thread::spawn(move || echo_count(&mut rep, 64, WARM_UP + 1));
        let round_trips = ask_for(&mut req, 64, Duration::ZERO).unwrap();
        assert_eq!(round_trips.count, 1);
        assert!(round_trips.min_ns > 0);
        answering.join().unwrap().unwrap();
    }
}
