//! The descriptor that an event loop of the application's watches (ZMQ_FD).
//!
//! A socket that was asked for it stays announced at its parking place, on the descriptor, between its calls as well. So
//! the descriptor becomes readable when a worker or another socket has something to say, and stays so until a call looks
//! into the mailbox. It says nothing about messages that are there already: [`Socket::events`] does.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use ringmq_io::{PollFd, wait_fds};
use ringmq_queue::wake::ParkOn;

use super::{Socket, wait::Outcome};
use crate::error::Error;

impl Socket {
    /// A descriptor for poll(2) and its like, level- or edge-triggered. It becomes readable whenever what
    /// [`events`](Self::events) would answer may have changed since the last call on the socket; then, and after every
    /// send and receive, ask [`events`](Self::events), and go on until that says no more. Does not block.
    ///
    /// Sockets whose descriptor was asked for do not read their connection by themselves.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the process has no descriptor left.
    pub fn event_fd(&mut self) -> Result<BorrowedFd<'_>, Error> {
        // The set holds the parking place, and the bells of peers that share memory.
        self.make_wait_set()?;
        if !self.watched {
            self.give_back();
            self.watched = true;
            self.shared.parker.arm(ParkOn::Fd);
            // What has come already rang nobody, and peers that share memory ring from here on.
            if !self.arm_rings()? {
                self.shared.parker.wake();
            }
        }
        Ok(self.make_wait_set()?.as_fd())
    }

    /// A call is about to say that there is nothing: peers that share memory ring from then on. False if one of them has just
    /// done something, so that the call had better look again. True without further ado if nobody watches the descriptor.
    pub(super) fn stay_announced(&mut self) -> Result<bool, Error> {
        Ok(!self.watched || self.arm_rings()?)
    }

    /// Makes the descriptor unreadable, for its owner is about to look at everything.
    pub(super) fn settle(&self) {
        if self.watched {
            self.clear_bells();
            self.shared.parker.settle();
        }
    }

    pub(super) fn sleep_on_event_fd(&mut self, deadline: Option<Instant>) -> Result<Outcome, Error> {
        if self.shared.is_quiet() {
            let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let bell = self.shared.parker.fd()?;
            wait_fds(&mut [PollFd::new(&bell, true, false)], limit)?;
        }
        self.settle();
        Ok(Outcome::Again)
    }
}
