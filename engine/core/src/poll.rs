//! Waiting for several sockets and descriptors at once.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use ringmq_io::{PollFd, wait_fds_masked};

use crate::{
    error::Error,
    limits,
    socket::{Socket, Wait},
};

/// What an item looks at.
pub enum Source<'a> {
    /// One of our sockets.
    Socket(&'a mut Socket),
    /// Any descriptor that poll(2) takes.
    Fd(BorrowedFd<'a>),
}

/// What to look for, or what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// A receive would not wait.
    pub readable: bool,
    /// A send would not wait.
    pub writable: bool,
    /// A descriptor has urgent data (`POLLPRI`).
    pub urgent: bool,
    /// A descriptor is hung up or broken, or is none; always looked for.
    pub broken: bool,
}

impl Readiness {
    fn any(self) -> bool {
        self.readable || self.writable || self.urgent || self.broken
    }
}

/// One thing to wait for.
pub struct PollItem<'a> {
    source: Source<'a>,
    interest: Readiness,
    ready: Readiness,
}

impl<'a> PollItem<'a> {
    /// Looks for `interest` at `source`.
    pub fn new(source: Source<'a>, interest: Readiness) -> Self {
        Self {
            source,
            interest,
            ready: Readiness::default(),
        }
    }

    /// What the last [`poll`] found, of what was looked for.
    pub fn ready(&self) -> Readiness {
        self.ready
    }

    fn socket(&mut self) -> Option<&mut Socket> {
        match &mut self.source {
            Source::Socket(socket) => Some(socket),
            Source::Fd(_) => None,
        }
    }

    fn found(&mut self, readable: bool, writable: bool) {
        self.ready.readable = readable && self.interest.readable;
        self.ready.writable = writable && self.interest.writable;
    }

    fn found_fd(&mut self, fd: Readiness) {
        self.found(fd.readable, fd.writable);
        self.ready.urgent = fd.urgent;
        self.ready.broken = fd.broken;
    }
}

/// Waits until at least one item is ready, and returns how many are: 0 when the time is up. While this sleeps, `mask`
/// takes the place of the thread's signal mask.
///
/// # Errors
///
/// [`Error::Terminated`] when the context of a socket was, [`Error::Interrupted`] by a signal, [`Error::Io`].
pub fn poll(items: &mut [PollItem<'_>], wait: Wait, mask: Option<&libc::sigset_t>) -> Result<usize, Error> {
    let started = Instant::now();
    let budget = Duration::from_micros(limits::SPIN_WAIT_US);
    let mut fds_are_known = false;
    loop {
        // Descriptors first: one of them may be a socket's own, which falls silent when the socket is looked at.
        if !std::mem::take(&mut fds_are_known) {
            look_at_fds(items)?;
        }
        look_at_sockets(items)?;
        let ready = items.iter().filter(|item| item.ready.any()).count();
        if ready > 0 || wait == Wait::No {
            return Ok(ready);
        }
        let remaining = match wait {
            Wait::Until(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            _ => None,
        };
        if remaining == Some(Duration::ZERO) {
            return Ok(0);
        }
        if started.elapsed() < budget {
            std::thread::yield_now();
            continue;
        }
        fds_are_known = sleep(items, remaining, mask)?;
    }
}

fn look_at_sockets(items: &mut [PollItem<'_>]) -> Result<(), Error> {
    for item in items {
        if let Some(socket) = item.socket() {
            let events = socket.events()?;
            item.found(events.readable, events.writable);
        }
    }
    Ok(())
}

/// Sleeps until a descriptor is ready or a socket has something to do. False if it did not come to that.
fn sleep(
    items: &mut [PollItem<'_>],
    limit: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> Result<bool, Error> {
    let mut quiet = true;
    let mut armed = 0;
    let mut outcome = Ok(false);
    for item in items.iter_mut() {
        match item.socket().map(Socket::begin_waiting_on_fd) {
            None => {}
            Some(Ok(nothing_to_do)) => quiet &= nothing_to_do,
            Some(Err(error)) => {
                outcome = Err(error);
                break;
            }
        }
        armed += 1;
    }
    if quiet && outcome.is_ok() {
        outcome = wait_for_all(items, limit, mask).map(|()| true);
    }
    for item in &mut items[..armed] {
        if let Some(socket) = item.socket() {
            socket.end_waiting_on_fd();
        }
    }
    outcome
}

/// Polls the descriptors, if there are any.
fn look_at_fds<'a>(items: &mut [PollItem<'a>]) -> Result<(), Error> {
    let entry = |item: &PollItem<'a>| match item.source {
        Source::Fd(fd) => Some(poll_fd(fd, item.interest)),
        Source::Socket(_) => None,
    };
    let mut fds: Vec<_> = items.iter().filter_map(entry).collect();
    if fds.is_empty() {
        return Ok(());
    }
    wait_fds_masked(&mut fds, Some(Duration::ZERO), None)?;
    let watching = items
        .iter_mut()
        .filter(|item| matches!(item.source, Source::Fd(_)));
    for (item, fd) in watching.zip(&fds) {
        item.found_fd(readiness(fd));
    }
    Ok(())
}

/// Polls everything to sleep. What sockets have will be looked at afterwards.
fn wait_for_all(
    items: &mut [PollItem<'_>],
    limit: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> Result<(), Error> {
    let mut found = Vec::with_capacity(items.len());
    {
        let mut fds = Vec::with_capacity(items.len());
        for item in items.iter() {
            fds.push(match &item.source {
                Source::Fd(fd) => poll_fd(*fd, item.interest),
                Source::Socket(socket) => PollFd::borrowed(socket.waitable_fd()?, true, false),
            });
        }
        wait_fds_masked(&mut fds, limit, mask)?;
        found.extend(fds.iter().map(readiness));
    }
    for (item, found) in items.iter_mut().zip(found) {
        if matches!(item.source, Source::Fd(_)) {
            item.found_fd(found);
        }
    }
    Ok(())
}

fn readiness(fd: &PollFd<'_>) -> Readiness {
    Readiness {
        readable: fd.is_readable(),
        writable: fd.is_writable(),
        urgent: fd.is_urgent(),
        broken: fd.is_broken(),
    }
}

fn poll_fd(fd: BorrowedFd<'_>, interest: Readiness) -> PollFd<'_> {
    let entry = PollFd::borrowed(fd, interest.readable, interest.writable);
    if interest.urgent {
        entry.with_urgent()
    } else {
        entry
    }
}
