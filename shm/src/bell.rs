//! How a sleeping process is woken: a pipe that the sleeper polls and the peer writes a byte into.
//!
//! The peer gets the writing end, may keep copies of it, and may do with them what it likes. What that can do to us, and
//! why it does not:
//!
//! * *Clearing O_NONBLOCK*, which belongs to the description that both processes hold, so that an access blocks. Neither
//!   side uses a description that the other has: the sleeper never gives its reading end away, and the waker opens the
//!   pipe again for itself.
//! * *Closing the reading end*, so that our next byte raises SIGPIPE: the waker opens the pipe for reading as well, which
//!   makes it a reader for as long as it may write.
//! * *Filling the pipe*: a write that does not fit is dropped, and the pipe is readable anyway.
//! * *Emptying the pipe*: only the peer whose sleep it is has an interest in the bytes. A bell must not be shared between
//!   peers, which could swallow each other's.
//!
//! An eventfd would do less: the owner can fill its counter and clear its O_NONBLOCK, and it cannot be opened again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::stat::{Mode, SFlag, fchmod, fstat},
    unistd::pipe2,
};

use crate::error::OpenError;

/// The sleeper's end, for one peer: becomes readable when that peer rings.
///
/// Add [`fd`](Self::fd) to an epoll set, edge-triggered, and [`drain`](Self::drain) it when it has been readable.
#[derive(Debug)]
pub struct Bell {
    /// A description of our own, which no peer ever holds: its O_NONBLOCK stays.
    pipe: File,
}

impl Bell {
    /// Makes a bell and the descriptor to send to the peer, which turns it into a [`Ringer`].
    ///
    /// Close the descriptor once it is sent; [`drain`](Self::drain) cannot notice the peer's end otherwise.
    ///
    /// # Errors
    ///
    /// The process or the system is out of descriptors.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (reading, writing) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // A peer of another user has to be able to open it again. It has no name, so that means who has a descriptor.
        fchmod(&writing, Mode::from_bits_truncate(0o666))?;
        let bell = Self {
            pipe: File::from(reading),
        };
        Ok((bell, writing))
    }

    /// The descriptor to poll for reading.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Makes the descriptor unreadable until the peer rings again. False if the peer has closed its end.
    ///
    /// Call it after waking and before looking at the rings. Never blocks, and empties what a pipe holds at most: a peer
    /// that rings without end cannot keep it busy. The end of the peer is an edge only once: remember it.
    pub fn drain(&self) -> bool {
        let mut bytes = [0; DRAIN_BYTES];
        for _ in 0..DRAIN_READS {
            match (&self.pipe).read(&mut bytes) {
                Ok(0) => return false,
                // Not the end yet: the peer may have rung and then closed, and both are a single edge.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        true
    }
}

/// How many bytes one read of [`Bell::drain`] takes, and how many reads it makes at most: more than it takes to find
/// a pipe of 64 KiB empty. An honest peer leaves a few bytes.
const DRAIN_BYTES: usize = 4096;
const DRAIN_READS: usize = 18;

/// The waker's end: rings the peer's bell.
#[derive(Debug)]
pub struct Ringer {
    /// A description of our own, for reading and writing, which no peer ever holds.
    pipe: File,
}

impl Ringer {
    /// Checks a received descriptor and opens its pipe again. The descriptor is closed in any case.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: it is not a pipe, or not open for writing, or `/proc` is not mounted.
    pub fn from_peer(fd: OwnedFd) -> Result<Self, OpenError> {
        let kind = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        let mode = flags & (OFlag::O_ACCMODE | OFlag::O_PATH);
        if kind != SFlag::S_IFIFO || (mode != OFlag::O_WRONLY && mode != OFlag::O_RDWR) {
            return Err(OpenError::NotBell);
        }
        // Opening a pipe for both never waits for a partner.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
        Ok(Self { pipe })
    }

    /// Makes the peer's bell readable. Never blocks and never raises a signal.
    pub fn ring(&self) {
        // A pipe that is full is readable already. There is no other error.
        let _ = (&self.pipe).write(&[1]);
    }
}
