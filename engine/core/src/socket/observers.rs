//! Threads that wait for several sockets, each of which other threads use meanwhile.
//!
//! A socket has one parking place, at which one thread sleeps. A thread that polls brings a place of its own, and what is
//! pushed to the socket wakes all of them. So whoever waits here looks at the socket whenever anybody has told it something,
//! whoever then deals with that.

use std::{os::fd::BorrowedFd, sync::Arc};

use ringmq_queue::{
    sync::{AtomicUsize, Mutex, Ordering},
    wake::{ParkOn, Parker},
};

use super::Socket;
use crate::{error::Error, link::lock};

/// A descriptor that becomes readable when one of the observed sockets may have something to do. Has one owner, who calls
/// [`settle`](Self::settle); what a socket's other users do is their business.
#[derive(Debug)]
pub struct Observer {
    parker: Arc<Parker>,
}

impl Observer {
    /// Makes one that observes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the process or the system has no descriptor left.
    pub fn new() -> Result<Self, Error> {
        let parker = Parker::new();
        parker.fd()?;
        // From now on, between the owner's looks as well.
        parker.arm(ParkOn::Fd);
        Ok(Self {
            parker: Arc::new(parker),
        })
    }

    /// The descriptor. It stays readable until [`settle`](Self::settle).
    ///
    /// # Errors
    ///
    /// None in practice: the descriptor is there.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, Error> {
        Ok(self.parker.fd()?)
    }

    /// Makes the descriptor unreadable. Look at the sockets afterwards: what they are told later makes it readable again.
    pub fn settle(&self) {
        self.parker.settle();
    }

    /// Makes the descriptor readable.
    pub fn ring(&self) {
        self.parker.wake();
    }
}

/// Those who observe a socket.
#[derive(Default)]
pub(crate) struct Observers {
    /// How many there are, so that sockets without any take no lock.
    count: AtomicUsize,
    places: Mutex<Vec<Arc<Parker>>>,
}

impl Observers {
    /// Wakes all of them. The caller has made its news visible, and has fenced since.
    #[inline]
    pub(crate) fn wake(&self) {
        // Relaxed: ordered after the news by the caller's fence, whose partner is the heavy fence of the `settle` that follows
        // the ring in `Socket::observe`.
        if self.count.load(Ordering::Relaxed) > 0 {
            for place in &*lock(&self.places) {
                place.wake();
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Parker>>)) {
        let mut places = lock(&self.places);
        change(&mut places);
        self.count.store(places.len(), Ordering::Relaxed);
    }
}

impl Socket {
    /// Tells an observer of the socket from now on. Rings it at once, because something may be there already.
    pub fn observe(&mut self, observer: &Observer) {
        let observers = &self.shared.observers;
        observers.change(|places| places.push(observer.parker.clone()));
        observer.ring();
    }

    /// Ends an [`observe`](Self::observe).
    pub fn stop_observing(&mut self, observer: &Observer) {
        self.shared.observers.change(|places| {
            if let Some(place) = places
                .iter()
                .position(|place| Arc::ptr_eq(place, &observer.parker))
            {
                places.swap_remove(place);
            }
        });
    }
}
