//! Descriptors that one thread sleeps on together, again and again.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use crate::sys;

/// A set of descriptors to sleep on; itself a descriptor that others may poll.
///
/// What was added with [`add_edges`](Self::add_edges) wakes the sleeper once for every write and is not read for that, so
/// that whoever holds the other end can make the sleeper do nothing but look.
#[derive(Debug)]
pub struct WaitSet {
    epoll: OwnedFd,
}

impl WaitSet {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// The process or the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let epoll = sys::epoll_create()?;
        Ok(Self { epoll })
    }

    /// Adds a descriptor that wakes the sleeper for as long as it is readable.
    ///
    /// # Errors
    ///
    /// The descriptor is in the set already, cannot be polled, or the system has no memory left.
    pub fn add(&self, fd: &impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN as u32)
    }

    /// Adds a descriptor that wakes the sleeper each time that something is written to it.
    ///
    /// # Errors
    ///
    /// As for [`add`](Self::add).
    pub fn add_edges(&self, fd: &impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, (libc::EPOLLIN | libc::EPOLLET) as u32)
    }

    /// Takes a descriptor out again; harmless if it is not in the set.
    pub fn remove(&self, fd: &impl AsFd) {
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0);
    }

    fn control(&self, operation: i32, fd: &impl AsFd, events: u32) -> io::Result<()> {
        sys::epoll_control(&self.epoll, operation, fd.as_fd().as_raw_fd(), events, 0)
    }

    /// Blocks until a descriptor of the set has something, or `timeout` has passed (`None`: for ever). False after a
    /// time-out. Writes that were reported are not reported again.
    ///
    /// # Errors
    ///
    /// `Interrupted` if a signal was caught: the caller decides whether to go on waiting, and for how long.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        // Which one it was is of no use: the sleeper looks at everything.
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
        Ok(sys::epoll_wait(&self.epoll, &mut events, timeout)? > 0)
    }
}

impl AsFd for WaitSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_edge_is_reported_once_and_a_level_until_it_is_read() {
        let (edges, mut edge_writer) = io::pipe().unwrap();
        let (levels, mut level_writer) = io::pipe().unwrap();
        let set = WaitSet::new().unwrap();
        set.add_edges(&edges).unwrap();
        set.add(&levels).unwrap();
        let now = Some(Duration::ZERO);
        assert!(!set.wait(now).unwrap());
        for _ in 0..3 {
            edge_writer.write_all(b"x").unwrap();
            assert!(set.wait(now).unwrap(), "each write is an edge, read or not");
            assert!(!set.wait(now).unwrap());
        }
        level_writer.write_all(b"x").unwrap();
        assert!(set.wait(now).unwrap());
        assert!(set.wait(now).unwrap());
        set.remove(&levels);
        assert!(!set.wait(now).unwrap());
    }
}
