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
    loop {
        look_at_sockets(items)?;
        look_at_fds(items, Some(Duration::ZERO), None)?;
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
        sleep(items, remaining, mask)?;
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

/// Sleeps until a descriptor is ready or a socket has something to do.
fn sleep(
    items: &mut [PollItem<'_>],
    limit: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> Result<(), Error> {
    let mut quiet = true;
    let mut armed = 0;
    let mut outcome = Ok(());
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
        outcome = wait_for_all(items, limit, mask);
    }
    for item in &mut items[..armed] {
        if let Some(socket) = item.socket() {
            socket.end_waiting_on_fd();
        }
    }
    outcome
}

/// Polls the descriptors, if there are any.
fn look_at_fds<'a>(
    items: &mut [PollItem<'a>],
    limit: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> Result<(), Error> {
    let entry = |item: &PollItem<'a>| match item.source {
        Source::Fd(fd) => Some(poll_fd(fd, item.interest)),
        Source::Socket(_) => None,
    };
    let mut fds: Vec<_> = items.iter().filter_map(entry).collect();
    if fds.is_empty() {
        return Ok(());
    }
    wait_fds_masked(&mut fds, limit, mask)?;
    let watching = items
        .iter_mut()
        .filter(|item| matches!(item.source, Source::Fd(_)));
    for (item, fd) in watching.zip(&fds) {
        item.found(fd.is_readable(), fd.is_writable());
        item.ready.urgent = fd.is_urgent();
        item.ready.broken = fd.is_broken();
    }
    Ok(())
}

/// Polls everything, only to sleep: what there is will be looked at afterwards.
fn wait_for_all(
    items: &[PollItem<'_>],
    limit: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> Result<(), Error> {
    let mut fds = Vec::with_capacity(items.len());
    for item in items {
        fds.push(match &item.source {
            Source::Fd(fd) => poll_fd(*fd, item.interest),
            Source::Socket(socket) => PollFd::borrowed(socket.waitable_fd()?, true, false),
        });
    }
    wait_fds_masked(&mut fds, limit, mask)?;
    Ok(())
}

fn poll_fd(fd: BorrowedFd<'_>, interest: Readiness) -> PollFd<'_> {
    let entry = PollFd::borrowed(fd, interest.readable, interest.writable);
    if interest.urgent {
        entry.with_urgent()
    } else {
        entry
    }
}
