//! What the measurements need of a messaging library.
//!
//! Measurements are generic over [`Engine`] and compiled once for each, so that a call costs what it costs in
//! a program that uses the library directly.

pub mod ringmq;
pub mod stock;

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The engines that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// This project.
    Ringmq,
    /// Stock libzmq, built from source by `ringmq-stock`.
    Libzmq,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            EngineKind::Ringmq => "ringmq",
            EngineKind::Libzmq => "libzmq",
        })
    }
}

/// Why an engine could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The engine cannot run in this build or on this machine.
    Unavailable(&'static str),
    /// A call failed: which one, and what the engine said.
    Failed(&'static str, String),
    /// A message came that nobody sent: of the wrong size, lost, doubled or reordered.
    Corrupt(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Unavailable(why) => f.write_str(why),
            EngineError::Failed(call, why) => write!(f, "error in {call}: {why}"),
            EngineError::Corrupt(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for EngineError {}

/// The result of an engine's call.
pub type Result<T> = std::result::Result<T, EngineError>;

/// What a measurement asks of the sockets beyond their defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// How long a blocked call spins before it sleeps, for libraries that can.
    pub busy_poll: Option<Duration>,
    /// Whether large bodies are read where a peer on this machine wrote them, for libraries that can.
    pub trusting: bool,
}

/// A library with a context of its own. Calls block without a timeout; dropping it waits for unsent messages.
pub trait Engine: Sized {
    /// Sends one way.
    type Push: Sender;
    /// Receives one way.
    type Pull: Receiver;
    /// Asks.
    type Req: Sender + Receiver;
    /// Answers.
    type Rep: Echo;

    /// A context with the library's defaults, and what `tuning` asks as far as the library has it.
    fn new(tuning: Tuning) -> Result<Self>;
    /// The library's version.
    fn version() -> String;
    /// How this context talks to the kernel: `io_uring` or `epoll`.
    fn io_driver(&self) -> String;
    /// A PUSH socket.
    fn push(&self) -> Result<Self::Push>;
    /// A PULL socket.
    fn pull(&self) -> Result<Self::Pull>;
    /// A REQ socket.
    fn req(&self) -> Result<Self::Req>;
    /// A REP socket.
    fn rep(&self) -> Result<Self::Rep>;
}

/// A socket that can be given an address.
pub trait Endpoint {
    /// Listens, and returns the address with wildcards resolved.
    fn bind(&mut self, endpoint: &str) -> Result<String>;
    /// Connects in the background.
    fn connect(&mut self, endpoint: &str) -> Result<()>;
}

/// A socket that sends.
pub trait Sender: Endpoint {
    /// Sends a copy of `body`; blocks at the high-water mark.
    fn send(&mut self, body: &[u8]) -> Result<()>;

    /// [`send`](Self::send), by way of a message that is made first.
    fn send_message(&mut self, body: &[u8]) -> Result<()>;

    /// Sends a body of `size_bytes` that `fill` writes where the library wants it; blocks at the high-water mark.
    fn send_in_place(&mut self, size_bytes: usize, fill: impl FnOnce(&mut [u8])) -> Result<()>;
}

/// A socket that receives.
pub trait Receiver: Endpoint {
    /// Blocks for the next message and shows its body to `read` where it lies.
    fn recv<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T>;
}

/// A socket that answers.
pub trait Echo: Endpoint {
    /// Blocks for the next message, sends it back as it is, and returns its length in bytes.
    fn echo(&mut self) -> Result<usize>;
}
