//! ZMTP 3.1 and 3.0 as a pure state machine: bytes in; bytes, events and deadlines out.
//!
//! Nothing here reads a clock, touches a file descriptor or starts a thread. Time enters as an
//! [`Instant`](std::time::Instant) argument and bytes as slices, so that one connection can be
//! simulated, fuzzed, and cut into pieces at any place with the same result.
//!
//! [`Connection`] is the entry: feed it what the peer sent with [`Connection::receive`], send what
//! [`Connection::transmit`] holds, and call [`Connection::on_deadline`] when
//! [`Connection::deadline`] has passed. Message bodies are never copied: the connection validates
//! frames and reports how many of the bytes at hand are whole frames. [`frame`] has what both
//! sides of that hand-over need in order to write and to re-read frames.
//!
//! Cited specifications: RFC 37 is ZMTP 3.1, RFC 23 is ZMTP 3.0, RFC 28 to 31 the patterns.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backlog;
mod command;
mod config;
mod connection;
mod error;
mod event;
pub mod frame;
#[cfg(any(test, fuzzing, feature = "fuzz"))]
pub mod fuzz;
mod greeting;
mod heartbeat;
mod mechanism;
mod metadata;
mod peer;
mod socket_type;
mod walk;

#[cfg(test)]
mod tests;

pub use config::{Config, SLAB_LEN_MIN};
pub use connection::Connection;
pub use error::{CommandName, Failure, MetadataFault, Violation};
pub use event::{Event, Progress};
pub use heartbeat::Heartbeat;
pub use peer::Peer;
pub use socket_type::SocketType;
