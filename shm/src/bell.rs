//! How a sleeping process is woken: a pipe that the sleeper polls and the peer writes a byte into.
//!
//! The peer gets one descriptor, and may do with it what it likes. What that can do to us, and why it does not:
//!
//! * *Closing the reading end*, so that our next byte raises SIGPIPE: the descriptor that goes to the waker is open for
//!   reading as well as writing, which counts as a reader for as long as the waker holds it. One that is not is refused.
//! * *Filling the pipe*, or *clearing O_NONBLOCK* on the description that both hold, so that a write or read blocks: every
//!   access says for itself that it must not wait (`RWF_NOWAIT`). Kernels before 6.4 do not have that for pipes; there the
//!   waker opens the pipe again for a description of its own, whose flags nobody else can change.
//! * *Emptying the pipe*: only the peer whose sleep it is has an interest in the bytes. A bell must not be shared between
//!   peers, which could swallow each other's.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::stat::{SFlag, fstat},
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
    /// The process or the system is out of descriptors, or `/proc` is not mounted.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (reading, writing) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let ringer = reopen(writing.as_fd())?;
        let bell = Self {
            pipe: File::from(reading),
        };
        Ok((bell, OwnedFd::from(ringer)))
    }

    /// The descriptor to poll for reading.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Makes the descriptor unreadable until the peer rings again. False if the peer has closed its end.
    ///
    /// Call it after waking and before looking at the rings. Never blocks, and empties what a pipe holds at most: a peer
    /// that rings without end cannot keep it busy.
    pub fn drain(&self) -> bool {
        let mut bytes = [0; DRAIN_BYTES];
        for _ in 0..DRAIN_READS {
            match (&self.pipe).read(&mut bytes) {
                Ok(0) => return false,
                Ok(DRAIN_BYTES) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Less than asked for: empty now, or empty before.
                Ok(_) | Err(_) => break,
            }
        }
        true
    }
}

/// How many bytes one read of [`Bell::drain`] takes, and how many reads it makes at most: more than the 64 KiB that a
/// pipe holds. An honest peer leaves a few bytes.
const DRAIN_BYTES: usize = 4096;
const DRAIN_READS: usize = 17;

/// The waker's end: rings the peer's bell.
#[derive(Debug)]
pub struct Ringer {
    pipe: File,
    /// The description is our own, so that its O_NONBLOCK can be relied on.
    is_private: bool,
}

impl Ringer {
    /// Checks a received descriptor.
    ///
    /// Rings once, because only that tells whether the kernel can write to a pipe without waiting; the peer takes it for
    /// a spurious wake-up.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: it is not a pipe, or not open for reading and writing.
    pub fn from_peer(fd: OwnedFd) -> Result<Self, OpenError> {
        let kind = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
        let mode =
            OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?) & (OFlag::O_ACCMODE | OFlag::O_PATH);
        if kind != SFlag::S_IFIFO || mode != OFlag::O_RDWR {
            return Err(OpenError::NotBell);
        }
        let pipe = File::from(fd);
        match write_without_waiting(&pipe) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Self {
                pipe: reopen(pipe.as_fd())?,
                is_private: true,
            }),
            _ => Ok(Self {
                pipe,
                is_private: false,
            }),
        }
    }

    /// Makes the peer's bell readable. Never blocks and never raises a signal.
    ///
    /// A pipe that is full is readable, so that nothing is lost when the byte is.
    pub fn ring(&self) {
        let _ = if self.is_private {
            (&self.pipe).write(&[1])
        } else {
            write_without_waiting(&self.pipe)
        };
    }
}

/// Opens a pipe again, for reading and writing, with flags that only the new description has.
fn reopen(pipe: BorrowedFd<'_>) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(format!("/proc/self/fd/{}", pipe.as_raw_fd()))
}

fn write_without_waiting(pipe: &File) -> io::Result<usize> {
    let byte = IoSlice::new(&[1]);
    // SAFETY: one readable byte for the length of the call; -1 means the current position, which a pipe does not have.
    let written = unsafe {
        libc::pwritev2(
            pipe.as_raw_fd(),
            (&raw const byte).cast(),
            1,
            -1,
            libc::RWF_NOWAIT,
        )
    };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}
