//! Waiting for several sockets and descriptors at once.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use ringmq_io::{PollFd, wait_fds};

use crate::{
    error::Error,
    limits,
    socket::{Events, Socket, Wait},
};

/// What an item looks at.
pub enum Source<'a> {
    /// One of our sockets.
    Socket(&'a mut Socket),
    /// Any descriptor that poll(2) takes.
    Fd(BorrowedFd<'a>),
}

/// One thing to wait for.
pub struct PollItem<'a> {
    /// What to look at.
    pub source: Source<'a>,
    /// What to look for.
    pub interest: Events,
    /// What was found, of what was looked for; a broken descriptor is both readable and writable, so that the next
    /// call on it shows the error.
    pub ready: Events,
}

impl PollItem<'_> {
    fn is_ready(&self) -> bool {
        self.ready.readable || self.ready.writable
    }
}

/// Waits until at least one item is ready, and returns how many are: 0 when the time is up.
///
/// # Errors
///
/// [`Error::Terminated`] when the context of a socket was, [`Error::Interrupted`] by a signal, [`Error::Io`].
pub fn poll(items: &mut [PollItem<'_>], wait: Wait) -> Result<usize, Error> {
    let started = Instant::now();
    let budget = Duration::from_micros(limits::SPIN_WAIT_US);
    loop {
        look_at_sockets(items)?;
        look_at_fds(items, Some(Duration::ZERO), false)?;
        let ready = items.iter().filter(|item| item.is_ready()).count();
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
        sleep(items, remaining)?;
    }
}

fn look_at_sockets(items: &mut [PollItem<'_>]) -> Result<(), Error> {
    for item in items {
        if let Source::Socket(socket) = &mut item.source {
            let events = socket.events()?;
            item.ready = Events {
                readable: events.readable && item.interest.readable,
                writable: events.writable && item.interest.writable,
            };
        }
    }
    Ok(())
}

/// Sleeps until a descriptor is ready or a socket has something to do.
fn sleep(items: &mut [PollItem<'_>], limit: Option<Duration>) -> Result<(), Error> {
    let mut quiet = true;
    let mut armed = 0;
    let mut outcome = Ok(());
    for item in items.iter_mut() {
        if let Source::Socket(socket) = &mut item.source {
            match socket.begin_waiting_on_fd() {
                Ok(nothing_to_do) => quiet &= nothing_to_do,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        armed += 1;
    }
    if quiet && outcome.is_ok() {
        outcome = look_at_fds(items, limit, true);
    }
    for item in &mut items[..armed] {
        if let Source::Socket(socket) = &mut item.source {
            socket.end_waiting_on_fd();
        }
    }
    outcome
}

/// Polls the descriptors, and with `sockets` those of the sockets as well.
fn look_at_fds(items: &mut [PollItem<'_>], limit: Option<Duration>, sockets: bool) -> Result<(), Error> {
    let mut found = Vec::new();
    {
        let mut fds = Vec::with_capacity(items.len());
        let mut places = Vec::with_capacity(items.len());
        let mut borrowed = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match &item.source {
                Source::Fd(fd) => borrowed.push((place, *fd, item.interest)),
                Source::Socket(socket) if sockets => {
                    let readable = Events {
                        readable: true,
                        writable: false,
                    };
                    borrowed.push((place, socket.waitable_fd()?, readable));
                }
                Source::Socket(_) => {}
            }
        }
        for (place, fd, interest) in &borrowed {
            places.push(*place);
            fds.push(PollFd::new(fd, interest.readable, interest.writable));
        }
        if fds.is_empty() {
            return Ok(());
        }
        wait_fds(&mut fds, limit)?;
        for (place, fd) in places.into_iter().zip(&fds) {
            let broken = fd.is_broken();
            found.push((place, fd.is_readable() || broken, fd.is_writable() || broken));
        }
    }
    for (place, readable, writable) in found {
        let item = &mut items[place];
        if matches!(item.source, Source::Fd(_)) {
            item.ready = Events {
                readable: readable && item.interest.readable,
                writable: writable && item.interest.writable,
            };
        }
    }
    Ok(())
}
