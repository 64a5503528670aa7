//! What a closed socket has left behind, and waiting for the end of it.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use ringmq_queue::sync::Ordering;
use ringmq_zmtp::SocketType;

use crate::{link::Link, socket::SocketShared};

/// A socket that keeps its context from ending.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// Its type.
    pub socket_type: SocketType,
    /// What it is, or was, bound and connected to.
    pub endpoints: Vec<String>,
    /// It has not been dropped. One that has may still have messages to send, for as long as its LINGER says, or wait for a
    /// peer to take note of the end.
    pub is_open: bool,
    /// Messages of a dropped socket that are not on their way yet.
    pub unsent: u64,
}

/// Where the end of sockets is waited for.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    lock: Mutex<()>,
    changed: Condvar,
}

impl Gate {
    fn enter(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some socket has closed, or something that it left has ended.
    pub(crate) fn open(&self) {
        // Through the lock, so that who has just looked is asleep, and hears it.
        drop(self.enter());
        self.changed.notify_all();
    }

    /// Looks until there is nothing left, or the time is up. Returns what is left then.
    pub(crate) fn wait_until<T>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Vec<T>,
    ) -> Vec<T> {
        let mut guard = self.enter();
        loop {
            let left = look();
            if left.is_empty() {
                return left;
            }
            let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            guard = match limit {
                Some(limit) if limit.is_zero() => return left,
                Some(limit) => {
                    let waited = self.changed.wait_timeout(guard, limit);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Held by everything that works for a socket on a worker, or is on its way there.
pub(crate) struct Presence(Arc<SocketShared>);

impl Presence {
    pub(crate) fn of(socket: &Arc<SocketShared>) -> Self {
        // Relaxed: whoever waits for the count to fall learns of it through the gate's lock.
        socket.presences.fetch_add(1, Ordering::Relaxed);
        Self(socket.clone())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Release: partner of the load in `blocker`.
        if self.0.presences.fetch_sub(1, Ordering::Release) == 1 {
            self.0.open_gate();
        }
    }
}

/// A connection of a closed socket.
pub(crate) struct Leftover {
    pub(crate) link: Weak<Link>,
    /// Messages that were written to it.
    pub(crate) written: u64,
}

impl Leftover {
    fn unsent(&self) -> u64 {
        let left =
            |link: Arc<Link>| self.written.saturating_sub(link.transmit.taken()) + link.spill.messages();
        self.link.upgrade().map_or(0, left)
    }
}

/// What keeps the context from ending because of this socket, if anything does.
pub(crate) fn blocker(socket: &SocketShared) -> Option<Blocker> {
    let is_open = !socket.is_closed();
    // Acquire: partner of the decrement in `Presence`.
    if !is_open && socket.presences.load(Ordering::Acquire) == 0 {
        return None;
    }
    Some(Blocker {
        socket_type: socket.socket_type,
        endpoints: crate::link::lock(&socket.endpoints).clone(),
        is_open,
        unsent: crate::link::lock(&socket.leftovers)
            .iter()
            .map(Leftover::unsent)
            .sum(),
    })
}
