//! What is measured, and what a measurement yields.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::engine::Tuning;
use crate::histogram::Times;
use crate::paced::Delays;

/// Which sockets talk, and what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// One PUSH floods one PULL: messages per second at the PULL.
    PushPull,
    /// The same with bodies that are written in full where the library wants them, and read in full where they arrive.
    InPlace,
    /// One REQ and one REP, one message under way: the round trip at the REQ.
    ReqRep,
    /// The same without a sleep on either side, where the library can do that.
    BusyReqRep,
    /// One PUSH sends to one PULL at a rate, not waiting for anything: how long each message takes from when it was due.
    Paced,
}

impl Pattern {
    /// What it asks of the sockets.
    pub fn tuning(self) -> Tuning {
        Tuning {
            busy_poll: (self == Self::BusyReqRep).then_some(BUSY_POLL),
            trusting: self == Self::InPlace,
        }
    }
}

/// Longer than any answer takes.
const BUSY_POLL: Duration = Duration::from_millis(10);

/// How the two sides reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP over the loopback interface.
    Tcp,
    /// `ipc://`, whatever the engine makes of it.
    Ipc,
    /// `inproc://`, between two threads of one process.
    Inproc,
}

/// One thing to measure with every engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Which sockets.
    pub pattern: Pattern,
    /// Over what.
    pub transport: Transport,
    /// Length of every message, bytes.
    pub size_bytes: usize,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pattern::PushPull => "PUSH/PULL",
            Pattern::InPlace => "PUSH/PULL in place",
            Pattern::ReqRep => "REQ/REP",
            Pattern::BusyReqRep => "REQ/REP busy",
            Pattern::Paced => "PUSH/PULL paced",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Ipc => "ipc",
            Transport::Inproc => "inproc",
        })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.transport, self.pattern)?;
        match self.size_bytes {
            size if size >= 1 << 20 && size % (1 << 20) == 0 => write!(f, "{} MiB", size >> 20),
            size if size >= 1 << 10 && size % (1 << 10) == 0 => write!(f, "{} KiB", size >> 10),
            size => write!(f, "{size} B"),
        }
    }
}

/// Messages counted by the receiver, from the first one on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Messages after the first, which started the clock.
    pub messages: u64,
    /// From the first message to the last, ns.
    pub elapsed_ns: u64,
    /// Length of every message, bytes.
    pub size_bytes: usize,
}

impl Flow {
    /// Messages per second.
    pub fn messages_per_s(&self) -> f64 {
        self.messages as f64 * 1e9 / self.elapsed_ns.max(1) as f64
    }

    /// Bodies in 10⁹ bytes per second.
    pub fn gigabytes_per_s(&self) -> f64 {
        self.messages_per_s() * self.size_bytes as f64 / 1e9
    }
}

/// What one run of a scenario with one engine yields.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// Of [`Pattern::PushPull`].
    Flow(Flow),
    /// Of [`Pattern::ReqRep`].
    RoundTrips(Times),
    /// Of [`Pattern::Paced`].
    Delays(Delays),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_name_transport_sockets_and_size() {
        let title = |size_bytes| {
            Scenario {
                pattern: Pattern::PushPull,
                transport: Transport::Tcp,
                size_bytes,
            }
            .to_string()
        };
        assert_eq!(title(64), "tcp PUSH/PULL 64 B");
        assert_eq!(title(1500), "tcp PUSH/PULL 1500 B");
        assert_eq!(title(65536), "tcp PUSH/PULL 64 KiB");
        assert_eq!(title(8 << 20), "tcp PUSH/PULL 8 MiB");
    }

    #[test]
    fn rates_follow_from_count_and_time() {
        let flow = Flow {
            messages: 3_000_000,
            elapsed_ns: 1_500_000_000,
            size_bytes: 1000,
        };
        assert_eq!(flow.messages_per_s(), 2e6);
        assert_eq!(flow.gigabytes_per_s(), 2.0);
    }
}
