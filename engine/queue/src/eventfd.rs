//! An event counter with a file descriptor, created when somebody first asks for it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::OnceLock,
};

/// The counter; most parkers never sleep on a descriptor and never pay for one.
#[derive(Debug, Default)]
pub(crate) struct EventFd(OnceLock<OwnedFd>);

impl EventFd {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn exists(&self) -> bool {
        self.0.get().is_some()
    }

    /// The descriptor, created on the first call.
    pub(crate) fn get(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(fd) = self.0.get() {
            return Ok(fd.as_fd());
        }
        let fresh = create()?;
        // Of two threads that get here at once, one loses and its descriptor is closed.
        Ok(self.0.get_or_init(|| fresh).as_fd())
    }

    /// Makes the descriptor readable.
    pub(crate) fn ring(&self) {
        let Some(fd) = self.0.get() else { return };
        let one = 1u64.to_ne_bytes();
        // A full counter answers EAGAIN, and then the descriptor is readable already.
        // SAFETY: `one` is eight readable bytes for the length of the call.
        unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes the descriptor unreadable again.
    pub(crate) fn drain(&self) {
        let Some(fd) = self.0.get() else { return };
        let mut count = [0u8; 8];
        // One read takes the whole count; an empty counter answers EAGAIN.
        // SAFETY: `count` is eight writable bytes for the length of the call.
        unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

fn create() -> io::Result<OwnedFd> {
    // SAFETY: eventfd takes two integers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
