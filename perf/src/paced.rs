//! PUSH sends to PULL at a rate, and nobody waits for anybody: how long messages are under way.
//!
//! Each message is due at a time that was known before the first was sent. What counts is when it is received after that
//! time, so a sender or a library that falls behind is not spared the messages that it holds up.

use std::time::Duration;

use nix::sys::prctl;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use nix::{errno::Errno, sys::time::TimeSpec};
use serde::{Deserialize, Serialize};

use crate::engine::{EngineError, Receiver, Result, Sender};
use crate::histogram::{TimeHistogram, Times};

/// What is sent in this time, ns, counts for nothing: the connection is made and the memory is touched.
const WARM_UP_NS: u64 = 100_000_000;

/// How long the messages of one run were under way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delays {
    /// Since they were due.
    pub since_due: Times,
    /// Since the sender's thread got round to them.
    pub since_call: Times,
}

/// What lies at the head of each message. Both processes read the same clock, which all of the machine shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    number: u64,
    due_ns: u64,
    called_ns: u64,
}

impl Stamp {
    const LEN: usize = 24;

    fn write(self, body: &mut [u8; Self::LEN]) {
        let fields = [self.number, self.due_ns, self.called_ns];
        for (place, field) in body.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
    }

    fn read(body: &[u8; Self::LEN]) -> Self {
        let mut fields = [0; 3];
        for (field, bytes) in fields.iter_mut().zip(body.chunks_exact(8)) {
            *field = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
        }
        let [number, due_ns, called_ns] = fields;
        Self {
            number,
            due_ns,
            called_ns,
        }
    }
}

/// Sends `rate_per_s` messages of `size_bytes`, at least 24, in each second until the socket fails or the process ends. Sleeps
/// until each is due, and sends those that are overdue one after the other.
pub fn send(push: &mut impl Sender, size_bytes: usize, rate_per_s: u32) -> Result<()> {
    // Other threads have started, with the slack that threads have; a sender that wakes up late would hide what they do.
    prctl::set_timerslack(1).map_err(|error| failed("prctl", error))?;
    let mut body = vec![0; size_bytes];
    let start_ns = now_ns()?;
    for number in 0u64.. {
        let due_ns = start_ns + number * 1_000_000_000 / u64::from(rate_per_s.max(1));
        sleep_until(due_ns)?;
        let stamp = Stamp {
            number,
            due_ns,
            called_ns: now_ns()?,
        };
        stamp.write(body.first_chunk_mut().ok_or_else(too_short)?);
        push.send(&body)?;
    }
    Ok(())
}

/// Receives what [`send`] sends for `duration` after a warm-up, and checks that every message has the right size and comes in
/// its turn.
pub fn receive_for(pull: &mut impl Receiver, size_bytes: usize, duration: Duration) -> Result<Delays> {
    let mut since_due = TimeHistogram::new();
    let mut since_call = TimeHistogram::new();
    let mut count_from = None;
    for number in 0.. {
        let stamp = receive(pull, size_bytes, number)?;
        let now = now_ns()?;
        let count_from = *count_from.get_or_insert(now + WARM_UP_NS);
        if stamp.due_ns < count_from {
            continue;
        }
        since_due.record(Duration::from_nanos(now.saturating_sub(stamp.due_ns)));
        since_call.record(Duration::from_nanos(now.saturating_sub(stamp.called_ns)));
        if u128::from(stamp.due_ns - count_from) >= duration.as_nanos() {
            break;
        }
    }
    Ok(Delays {
        since_due: since_due.times(),
        since_call: since_call.times(),
    })
}

fn receive(pull: &mut impl Receiver, size_bytes: usize, number: u64) -> Result<Stamp> {
    let stamp = pull.recv(|body| match body.first_chunk() {
        Some(head) if body.len() == size_bytes => Some(Stamp::read(head)),
        _ => None,
    })?;
    stamp
        .filter(|stamp| stamp.number == number)
        .ok_or_else(|| EngineError::Corrupt(format!("message {number} is lost, damaged or out of turn")))
}

fn too_short() -> EngineError {
    EngineError::Failed(
        "paced",
        format!("a message needs {} bytes for its times", Stamp::LEN),
    )
}

fn failed(call: &'static str, error: Errno) -> EngineError {
    EngineError::Failed(call, error.to_string())
}

fn now_ns() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_err(|error| failed("clock_gettime", error))?;
    Ok(Duration::from(now).as_nanos() as u64)
}

fn sleep_until(due_ns: u64) -> Result<()> {
    let due = TimeSpec::from_duration(Duration::from_nanos(due_ns));
    loop {
        match clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &due) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(failed("clock_nanosleep", error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Endpoint;

    /// A PUSH whose messages are a PULL's: each is received later than it was sent, as long as `delay` says.
    #[derive(Default)]
    struct Queue {
        bodies: std::collections::VecDeque<Vec<u8>>,
        room: usize,
    }

    impl Endpoint for Queue {
        fn bind(&mut self, endpoint: &str) -> Result<String> {
            Ok(endpoint.to_owned())
        }

        fn connect(&mut self, _endpoint: &str) -> Result<()> {
            Ok(())
        }
    }

    impl Sender for Queue {
        fn send(&mut self, body: &[u8]) -> Result<()> {
            if self.bodies.len() == self.room {
                return Err(EngineError::Failed("send", "full".to_owned()));
            }
            self.bodies.push_back(body.to_vec());
            Ok(())
        }

        fn send_message(&mut self, body: &[u8]) -> Result<()> {
            self.send(body)
        }

        fn send_in_place(&mut self, size_bytes: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
            let mut body = vec![0; size_bytes];
            fill(&mut body);
            self.send(&body)
        }
    }

    impl Receiver for Queue {
        fn recv<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
            let body = self.bodies.pop_front();
            body.map(|body| read(&body))
                .ok_or_else(|| EngineError::Failed("recv", "empty".to_owned()))
        }
    }

    fn stamped(number: u64, due_ns: u64, called_ns: u64) -> Vec<u8> {
        let mut body = vec![0; 64];
        let stamp = Stamp {
            number,
            due_ns,
            called_ns,
        };
        stamp.write(body.first_chunk_mut().unwrap());
        body
    }

    #[test]
    fn messages_are_due_by_the_clock_and_not_after_each_other() {
        let mut queue = Queue {
            room: 4,
            ..Queue::default()
        };
        let error = send(&mut queue, 64, 3_000_000).unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        let stamps = queue.bodies.iter();
        let stamps: Vec<_> = stamps
            .map(|body| Stamp::read(body.first_chunk().unwrap()))
            .collect();
        let due: Vec<_> = stamps
            .iter()
            .map(|stamp| stamp.due_ns - stamps[0].due_ns)
            .collect();
        assert_eq!(due, [0, 333, 666, 1000]);
        assert!(stamps.iter().all(|stamp| stamp.called_ns >= stamp.due_ns));
    }

    #[test]
    fn what_is_due_after_the_warm_up_counts() {
        let now = now_ns().unwrap();
        // What counts is due in the future here, so it takes no time at all.
        let due = [
            now,
            now + WARM_UP_NS / 2,
            now + 2 * WARM_UP_NS,
            now + 3 * WARM_UP_NS,
        ];
        let mut queue = Queue {
            bodies: (0..)
                .zip(due)
                .map(|(number, due)| stamped(number, due, now))
                .collect(),
            room: 0,
        };
        let delays = receive_for(&mut queue, 64, Duration::from_nanos(WARM_UP_NS)).unwrap();
        assert_eq!(delays.since_due.count, 2);
        assert_eq!(delays.since_due.max_ns, 0);
        assert!(delays.since_call.min_ns > 0, "the call was before");
    }

    #[test]
    fn a_lost_message_fails_the_run() {
        let mut queue = Queue {
            bodies: [stamped(0, 0, 0), stamped(2, 0, 0)].into(),
            room: 0,
        };
        let error = receive_for(&mut queue, 64, Duration::from_secs(1)).unwrap_err();
        assert!(error.to_string().starts_with("message 1 "), "{error}");
    }

    #[test]
    fn a_message_without_room_for_its_times_is_refused() {
        let error = send(&mut Queue::default(), 23, 1000).unwrap_err();
        assert!(error.to_string().contains("24 bytes"), "{error}");
    }
}
