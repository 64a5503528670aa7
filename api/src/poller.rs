//! Waiting for several sockets and descriptors at once.

use std::{
    cell::{RefCell, RefMut},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use ringmq_core::{Error, PollItem, Readiness, Source, Wait, poll};

use crate::{Socket, access::Exclusive, kind::HasParts};

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// A receive would not wait.
    Readable,
    /// A send would not wait.
    Writable,
    /// Either.
    Both,
}

impl Interest {
    fn readiness(self) -> Readiness {
        Readiness {
            readable: self != Interest::Writable,
            writable: self != Interest::Readable,
            ..Readiness::default()
        }
    }
}

/// An item that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollEvent {
    /// The number that adding the item returned.
    pub item: usize,
    /// A receive would not wait.
    pub readable: bool,
    /// A send would not wait.
    pub writable: bool,
}

/// Waits for several sockets and descriptors at once. Sockets may be used as usual between the waits. What is ready is
/// reported by every wait until it is dealt with.
///
/// ```
/// use ringmq::{Context, Interest, Poller, Pull, Push};
///
/// # fn main() -> Result<(), ringmq::Error> {
/// let context = Context::new();
/// let (left, right) = (Pull::new(&context)?, Pull::new(&context)?);
/// left.bind("tcp://127.0.0.1:*")?;
/// right.bind("tcp://127.0.0.1:*")?;
/// let push = Push::new(&context)?;
/// push.connect(&right.last_endpoint())?;
/// push.send("to the right")?;
///
/// let mut poller = Poller::new();
/// let _left = poller.add(&left, Interest::Readable);
/// let to_the_right = poller.add(&right, Interest::Readable);
/// let ready = poller.wait(None)?;
/// assert_eq!(ready.len(), 1);
/// assert_eq!(ready[0].item, to_the_right);
/// assert_eq!(&*right.try_recv()?, b"to the right");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Poller<'a> {
    /// An item's number is its place; what was removed leaves its place empty.
    items: Vec<Option<(Watched<'a>, Readiness)>>,
}

const NO_SUCH_ITEM: Error = Error::InvalidArgument {
    rule: "there is no such item",
};

enum Watched<'a> {
    Socket(&'a RefCell<ringmq_core::Socket>),
    Fd(BorrowedFd<'a>),
}

impl<'a> Poller<'a> {
    /// A poller without items.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a socket; returns the item's number, which counts from 0. A socket that was added before is waited for
    /// with the interest of both.
    pub fn add<K: HasParts>(&mut self, socket: &'a Socket<K>, interest: Interest) -> usize {
        let Exclusive(core) = &socket.core;
        let same =
            |watched: &Watched<'_>| matches!(watched, Watched::Socket(other) if std::ptr::eq(*other, core));
        let found = self.items.iter_mut().enumerate().find_map(|(item, entry)| {
            let (_, wanted) = entry.as_mut().filter(|(watched, _)| same(watched))?;
            Some((item, wanted))
        });
        if let Some((item, wanted)) = found {
            wanted.readable |= interest.readiness().readable;
            wanted.writable |= interest.readiness().writable;
            return item;
        }
        self.insert(Watched::Socket(core), interest)
    }

    /// Adds any descriptor that poll(2) takes; returns the item's number. A descriptor that is broken or hung up counts as
    /// ready for what was asked, so that the next call on it shows the error.
    pub fn add_fd(&mut self, fd: &'a impl AsFd, interest: Interest) -> usize {
        self.insert(Watched::Fd(fd.as_fd()), interest)
    }

    fn insert(&mut self, watched: Watched<'a>, interest: Interest) -> usize {
        self.items.push(Some((watched, interest.readiness())));
        self.items.len() - 1
    }

    /// Waits for something else at an item from now on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if there is no item of that number, or it was removed.
    pub fn set_interest(&mut self, item: usize, interest: Interest) -> Result<(), Error> {
        let (_, wanted) = self
            .items
            .get_mut(item)
            .and_then(Option::as_mut)
            .ok_or(NO_SUCH_ITEM)?;
        *wanted = interest.readiness();
        Ok(())
    }

    /// Removes an item, ready or not. The numbers of the others stay, and its own is not given out again.
    ///
    /// # Errors
    ///
    /// As [`set_interest`](Self::set_interest).
    pub fn remove(&mut self, item: usize) -> Result<(), Error> {
        let removed = self.items.get_mut(item).and_then(Option::take);
        removed.map(drop).ok_or(NO_SUCH_ITEM)
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.items.iter().all(Option::is_none)
    }

    /// Waits until an item is ready, at most for `timeout` (`None` is for ever, zero only looks), and returns those that
    /// are, in the order in which they were added: none when the time is up.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`] when the context of a socket was, [`Error::Io`], for example when the process has no descriptor
    /// left; [`Error::InvalidArgument`] without items and timeout, which would be for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<PollEvent>, Error> {
        if timeout.is_none() && self.is_empty() {
            let rule = "a poller without items waits for a time only";
            return Err(Error::InvalidArgument { rule });
        }
        let wait = Wait::from(timeout);
        let entries: Vec<_> = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(item, entry)| Some((item, entry.as_ref()?)))
            .collect();
        let mut sockets: Vec<Option<RefMut<'_, ringmq_core::Socket>>> = Vec::with_capacity(entries.len());
        for (_, (watched, _)) in &entries {
            sockets.push(match watched {
                Watched::Socket(core) => Some(core.borrow_mut()),
                Watched::Fd(_) => None,
            });
        }
        let mut items = Vec::with_capacity(entries.len());
        for ((_, (watched, interest)), socket) in entries.iter().zip(&mut sockets) {
            let source = match (watched, socket) {
                (Watched::Fd(fd), _) => Source::Fd(*fd),
                (Watched::Socket(_), Some(socket)) => Source::Socket(socket),
                // Every socket was borrowed above.
                (Watched::Socket(_), None) => continue,
            };
            items.push(PollItem::new(source, *interest));
        }
        while let Err(error) = poll(&mut items, wait, None) {
            if !matches!(error, Error::Interrupted) {
                return Err(error);
            }
        }
        let events = items.iter().zip(&entries);
        let ready = events.map(|(found, (item, (_, interest)))| {
            let found = found.ready();
            PollEvent {
                item: *item,
                readable: interest.readable && (found.readable || found.broken),
                writable: interest.writable && (found.writable || found.broken),
            }
        });
        Ok(ready.filter(|event| event.readable || event.writable).collect())
    }
}
