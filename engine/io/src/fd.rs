//! An owned descriptor that operations in flight keep open.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An open descriptor, closed on drop.
///
/// It is shared as `Arc<Fd>`: every operation in flight holds a clone, so the number cannot be closed, and given to
/// another file, while the kernel may still act on it.
#[derive(Debug)]
pub struct Fd(OwnedFd);

impl From<OwnedFd> for Fd {
    fn from(owned: OwnedFd) -> Self {
        Self(owned)
    }
}

impl From<Fd> for OwnedFd {
    fn from(Fd(owned): Fd) -> Self {
        owned
    }
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
