//! Sleeping for a socket that other threads use meanwhile, under a lock that the sleeper has let go of.

use std::{sync::Arc, time::Instant};

use ringmq_queue::wake::{ParkEnd, ParkOn};

use super::{Socket, SocketShared};
use crate::error::Error;

/// What a thread sleeps on, instead of on the socket. One thread per socket at a time.
pub struct Sleeper {
    shared: Arc<SocketShared>,
}

impl Socket {
    /// Prepares a sleep until the socket has something to do. Until the sleep is over no other thread may prepare one or
    /// wait in a call of the socket; calls that do not wait are fine. `None`: there is something to do now.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn prepare_sleep(&mut self) -> Result<Option<Sleeper>, Error> {
        debug_assert!(
            !self.watched && self.shared_pipes.is_empty(),
            "such a socket sleeps on descriptors"
        );
        self.check_alive()?;
        self.flush();
        // A connection that this thread reads would be read by nobody.
        self.give_back();
        self.shared.parker.arm(ParkOn::Futex);
        if self.shared.is_quiet() && !self.shared.is_terminated() {
            let shared = self.shared.clone();
            return Ok(Some(Sleeper { shared }));
        }
        self.shared.parker.disarm();
        Ok(None)
    }
}

impl Sleeper {
    /// Sleeps until the socket has something to do, or until the deadline. `None` sleeps without a limit.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] by a signal.
    pub fn sleep(self, deadline: Option<Instant>) -> Result<(), Error> {
        match self.shared.parker.park_until(deadline) {
            ParkEnd::Interrupted => Err(Error::Interrupted),
            ParkEnd::Woken | ParkEnd::DeadlinePassed => Ok(()),
        }
    }
}
