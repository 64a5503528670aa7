//! What an operation is asked for and what it comes back as.

use std::io;

/// The caller's name for an operation. At most one operation per token may be in flight.
pub type Token = u64;

/// What a poll waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, a connection, the end of the stream or an error can be read.
    Readable,
    /// There is room to write, a connect has finished, or there is an error to fetch.
    Writable,
}

/// A finished operation. Every operation comes back exactly once, with everything that it was given.
#[derive(Debug)]
pub enum Completion<B, S> {
    /// A poll has finished: ready, hung up or broken. The next call on the descriptor tells which.
    Ready {
        /// The name that the poll was given.
        token: Token,
    },
    /// A receive has finished.
    Received {
        /// The name that the receive was given.
        token: Token,
        /// The buffer; the received bytes are already part of its filled part.
        buffer: S,
        /// Bytes received; 0 is the end of the stream and `WouldBlock` means that there is nothing to read now.
        result: io::Result<usize>,
        /// Whether another receive would probably find more bytes at once.
        more_likely: bool,
    },
    /// A send has finished.
    Sent {
        /// The name that the send was given.
        token: Token,
        /// What was to be sent, untouched, for reuse of its memory.
        batch: Vec<B>,
        /// Bytes given to the kernel. Less than the batch holds if the connection broke or the send was cancelled on
        /// the way; in the first case the next send shows the error. An error means that no byte was taken.
        result: io::Result<usize>,
    },
    /// A poll was cancelled. (Cancelled receives and sends come back as such, with `ECANCELED`.)
    Cancelled {
        /// The name that the poll was given.
        token: Token,
    },
}

impl<B, S> Completion<B, S> {
    /// The name of the operation that has finished.
    pub fn token(&self) -> Token {
        match *self {
            Self::Ready { token }
            | Self::Received { token, .. }
            | Self::Sent { token, .. }
            | Self::Cancelled { token } => token,
        }
    }
}
