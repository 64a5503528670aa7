//! Whose fault it was.

use std::{error, fmt, io};

/// The peer has written something that the protocol does not allow. The connection is of no use any more.
///
/// Once reported, every later call that reads from the peer reports it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The tail turned back, is not a multiple of eight, or is further ahead than the ring is long.
    Tail,
    /// The head turned back, is not a multiple of eight, or is ahead of what was published.
    Head,
    /// The count of taken messages turned back or exceeds what was published.
    Taken,
    /// A chunk was returned that was not lent.
    Returned,
    /// A record of unknown kind, with unknown flags, of impossible length, or where none can be.
    Record,
    /// A chunk outside of the pool, shorter than its body, or lent twice.
    Chunk,
    /// Slices that do not make a body.
    Piece,
    /// A message said to be whole that is not.
    Incomplete,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tail => "the peer published an impossible tail",
            Self::Head => "the peer released an impossible head",
            Self::Taken => "the peer took an impossible number of messages",
            Self::Returned => "the peer returned a chunk that it does not have",
            Self::Record => "the peer published a malformed record",
            Self::Chunk => "the peer lent an impossible chunk",
            Self::Piece => "the peer published slices that do not make a body",
            Self::Incomplete => "the peer published a part of a message as the whole",
        })
    }
}

impl error::Error for Violation {}

/// Why a descriptor of the peer was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// A system call failed; for a descriptor of another type, that is how it shows.
    Io(io::Error),
    /// Not a file in memory: a file system other than tmpfs, or huge pages.
    NotMemory,
    /// Not opened for reading and writing.
    Access,
    /// Not sealed against shrinking, growing, writing by others, and further seals.
    Unsealed,
    /// The length is not that of a segment, or more than the limit.
    Length(u64),
    /// Memory was promised and not allocated.
    Sparse,
    /// The header does not describe a segment of this length and version.
    Header,
    /// Not the writing end of a pipe.
    NotBell,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the peer's descriptor cannot be used: {error}"),
            Self::NotMemory => f.write_str("the peer's descriptor is not a file in memory"),
            Self::Access => f.write_str("the peer's file is not open for reading and writing"),
            Self::Unsealed => f.write_str("the peer's file is not sealed"),
            Self::Length(len) => write!(f, "the peer's file has {len} bytes, which is not allowed"),
            Self::Sparse => f.write_str("the peer's file has holes"),
            Self::Header => f.write_str("the peer's file is not a segment of this version"),
            Self::NotBell => f.write_str("the peer's descriptor is not a bell"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<nix::Error> for OpenError {
    fn from(error: nix::Error) -> Self {
        Self::Io(error.into())
    }
}
