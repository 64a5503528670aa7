//! Waiting: first a little by yielding, then asleep.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use ringmq_io::{Fd, PollFd, wait_fds};
use ringmq_queue::wake::{ParkEnd, ParkOn};

use super::Socket;
use crate::{error::Error, limits, route::PipeKey, worker::Command};

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: [`Error::WouldBlock`].
    No,
    /// Until it is done.
    Forever,
    /// Until it is done or the time has come, then [`Error::TimedOut`].
    Until(Instant),
}

impl From<Option<Duration>> for Wait {
    /// `None` is for ever, as in the options; so is a time beyond what the clock can tell.
    #[inline]
    fn from(limit: Option<Duration>) -> Self {
        match limit {
            None => Wait::Forever,
            Some(Duration::ZERO) => Wait::No,
            Some(limit) => Instant::now()
                .checked_add(limit)
                .map_or(Wait::Forever, Wait::Until),
        }
    }
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// A receive would not wait.
    pub readable: bool,
    /// A send would not wait.
    pub writable: bool,
}

/// Whether yielding is worth it. The scheduler likes to put both ends of an exchange on one core, where a pause loop
/// starves the very peer that it waits for; a yield loop is right on one core and on two. The budget is spent once
/// per wait, and not at all when the last waits were long.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Waits in a row that outlasted the budget.
    long_waits: u32,
}

impl Patience {
    fn is_spent(&self) -> bool {
        self.long_waits >= limits::LONG_WAITS_MAX
    }
}

/// The right to read the socket's only connection on this thread, which saves the two wake-ups that a worker in
/// between costs.
#[derive(Default)]
pub(super) struct Lending {
    /// The connection that may be read.
    lent: Option<(PipeKey, Arc<Fd>)>,
    /// The worker has been asked for this pipe's.
    asked: Option<PipeKey>,
    /// The connection was silent for so long that the worker had better watch it, until something comes.
    silent: bool,
}

/// A wait in progress.
pub(super) struct Waiting {
    wait: Wait,
    /// It is for something to receive.
    receiving: bool,
    /// Set when the clock is first looked at.
    started: Option<Instant>,
    slept: bool,
}

/// How one step of a wait ended.
pub(super) enum Outcome {
    /// Something may have changed: try again.
    Again,
    /// The time is up.
    Expired(Error),
}

impl Socket {
    pub(super) fn start_waiting(&mut self, wait: Wait, receiving: bool) -> Waiting {
        Waiting {
            wait,
            receiving,
            started: None,
            slept: false,
        }
    }

    /// Sends what was gathered, before this thread turns to something else than sending.
    pub(super) fn flush(&mut self) {
        while let Some(key) = self.pipes.pace.next_gathering() {
            if let Some(pipe) = self.pipes.get(key) {
                pipe.flush_listed();
            }
        }
    }

    /// The worker lends a connection.
    pub(super) fn take_lent(&mut self, key: PipeKey, fd: Arc<Fd>) {
        self.lending.asked = None;
        self.lending.lent = Some((key, fd));
        if self.watched || self.pipes.len() != 1 || self.pipes.get(key).is_none() {
            self.give_back();
        }
    }

    /// Gives the right to read back to the worker.
    pub(super) fn give_back(&mut self) {
        let Some((key, _)) = self.lending.lent.take() else {
            return;
        };
        if let Some(link) = self.pipes.get(key).and_then(|pipe| pipe.link()) {
            link.return_right();
        }
    }

    /// Looks at what no worker watches: shared rings, and the lent connection, if there is one. True when something may have
    /// come.
    pub(super) fn pump(&mut self) -> bool {
        self.look_at_rings() | self.read_lent()
    }

    fn read_lent(&mut self) -> bool {
        let Some((key, _)) = self.lending.lent else {
            return false;
        };
        let arrived = match self.pipes.get(key) {
            // What was read before has to be taken first: this thread is also the one that has to take it.
            Some(pipe) => pipe.has_queued() || pipe.pump(),
            None => false,
        };
        if arrived {
            self.pattern.behaviour().readable(&mut self.pipes, key);
        } else if self
            .pipes
            .get(key)
            .and_then(|pipe| pipe.link())
            .is_none_or(|link| !link.receive.is_lent())
        {
            self.lending.lent = None;
        }
        arrived
    }

    /// Asks the worker for the right to read, if that is worth it: the socket has one connection, and it is not silent.
    fn ask_to_lend(&mut self) {
        if self.watched || self.lending.lent.is_some() || self.lending.silent || self.pipes.len() != 1 {
            return;
        }
        let Some(key) = self
            .pipes
            .only_key()
            .filter(|&key| self.lending.asked != Some(key))
            .filter(|&key| self.pipes.get(key).is_some_and(|pipe| pipe.lends()))
        else {
            return;
        };
        self.lending.asked = Some(key);
        if let Some(link) = self.pipes.get(key).and_then(|pipe| pipe.link()) {
            link.worker.push(Command::Lend(link.clone()));
        }
    }

    pub(super) fn finish_waiting(&mut self, waiting: Waiting) {
        let long = waiting.slept
            && waiting
                .started
                .is_some_and(|started| started.elapsed() > Duration::from_micros(limits::LONG_WAIT_US));
        self.lending.silent &= !waiting.receiving;
        self.patience.long_waits = if long {
            self.patience.long_waits.saturating_add(1)
        } else {
            0
        };
    }

    /// Waits until a worker has something to say, or the time is up.
    pub(super) fn wait_for_commands(&mut self, waiting: &mut Waiting) -> Result<Outcome, Error> {
        if !self.shared.is_quiet() {
            return Ok(Outcome::Again);
        }
        self.check_alive()?;
        self.flush();
        if self.finds_something(waiting.receiving) {
            return Ok(Outcome::Again);
        }
        if waiting.wait == Wait::No {
            if !waiting.receiving && self.let_spill() || !self.stay_announced()? {
                return Ok(Outcome::Again);
            }
            return Ok(Outcome::Expired(Error::WouldBlock));
        }
        let started = *waiting.started.get_or_insert_with(Instant::now);
        let deadline = match waiting.wait {
            Wait::Until(deadline) => Some(deadline),
            _ => None,
        };
        let patient = self.options.busy_poll.is_some() || !self.patience.is_spent();
        if !waiting.slept && patient && self.yield_for_commands(started, deadline, waiting.receiving) {
            return Ok(Outcome::Again);
        }
        if waiting.receiving {
            self.ask_to_lend();
        } else if self.let_spill() {
            return Ok(Outcome::Again);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(Outcome::Expired(Error::TimedOut));
        }
        waiting.slept = true;
        if !self.shared_pipes.is_empty() {
            return self.sleep_on_rings(deadline);
        }
        match self.lending.lent.clone() {
            Some((key, fd)) if waiting.receiving => self.sleep_on_connection(key, &fd, deadline),
            _ => self.sleep_for_commands(deadline),
        }
    }

    /// What a sender waits for never comes by the lent connection.
    fn finds_something(&mut self, receiving: bool) -> bool {
        if receiving {
            self.pump()
        } else {
            self.look_at_rings()
        }
    }

    fn yield_for_commands(&mut self, started: Instant, deadline: Option<Instant>, receiving: bool) -> bool {
        let default = Duration::from_micros(limits::SPIN_WAIT_US);
        let budget = self.options.busy_poll.unwrap_or(default);
        let leave_core = self.options.busy_poll.is_none();
        loop {
            for _ in 0..4 {
                if !self.shared.is_quiet() || self.finds_something(receiving) {
                    return true;
                }
                if leave_core {
                    std::thread::yield_now();
                } else {
                    std::hint::spin_loop();
                }
            }
            let now = Instant::now();
            if now.saturating_duration_since(started) >= budget
                || deadline.is_some_and(|deadline| deadline <= now)
            {
                return false;
            }
        }
    }

    fn sleep_for_commands(&mut self, deadline: Option<Instant>) -> Result<Outcome, Error> {
        if self.watched {
            return self.sleep_on_event_fd(deadline);
        }
        let parker = &self.shared.parker;
        parker.arm(ParkOn::Futex);
        if !self.shared.is_quiet() || self.shared.is_terminated() {
            parker.disarm();
            return Ok(Outcome::Again);
        }
        match parker.park_until(deadline) {
            ParkEnd::Interrupted => Err(Error::Interrupted),
            _ => Ok(Outcome::Again),
        }
    }

    /// Sleeps until a peer that shares memory has something, or has made room, or a worker has something to say.
    fn sleep_on_rings(&mut self, deadline: Option<Instant>) -> Result<Outcome, Error> {
        let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let slept = if self.arm_rings()? {
            self.sleep_on_bells(limit)
        } else {
            Ok(true)
        };
        self.disarm_rings();
        match slept {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(Error::Interrupted),
            Err(error) => Err(error.into()),
            Ok(_) => {
                self.look_at_rings();
                Ok(Outcome::Again)
            }
        }
    }

    /// Sleeps until the lent connection has something, or a worker has something to say. A connection that stays silent
    /// goes back to the worker, so that a socket at rest is watched by nobody but the kernel.
    fn sleep_on_connection(
        &mut self,
        key: PipeKey,
        fd: &Fd,
        deadline: Option<Instant>,
    ) -> Result<Outcome, Error> {
        if self.shared.parker.fd().is_err() {
            // The process has no descriptor left to sleep on: the worker watches the connection instead.
            self.lending.silent = true;
            self.give_back();
            return Ok(Outcome::Again);
        }
        let silence = Instant::now() + Duration::from_millis(limits::LENT_SLEEP_MS);
        let until = deadline.map_or(silence, |deadline| deadline.min(silence));
        let link = self.pipes.get(key).and_then(|pipe| pipe.link().cloned());
        let shared = &self.shared;
        let bell = shared.parker.fd()?;
        shared.parker.arm(ParkOn::Fd);
        let mut ready = Ok(1);
        if shared.is_quiet() && !shared.is_terminated() {
            if let Some(link) = &link {
                link.receive.set_attended(true);
            }
            let mut fds = [PollFd::new(fd, true, false), PollFd::new(&bell, true, false)];
            ready = wait_fds(&mut fds, Some(until.saturating_duration_since(Instant::now())));
            if let Some(link) = &link {
                link.receive.set_attended(false);
            }
        }
        shared.parker.disarm();
        if ready? == 0 && Instant::now() >= silence {
            self.lending.silent = true;
            self.give_back();
        }
        Ok(Outcome::Again)
    }

    /// Prepares for sleeping on [`waitable_fd`](Self::waitable_fd), together with other descriptors. False if there is
    /// something to do first; then [`end_waiting_on_fd`](Self::end_waiting_on_fd) is called without a sleep.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no descriptor left.
    pub fn begin_waiting_on_fd(&mut self) -> Result<bool, Error> {
        // Whoever polls does not look at the connection.
        self.give_back();
        self.shared.parker.fd()?;
        self.arm_rings()
    }

    /// Readable when the socket has something to do, between [`begin_waiting_on_fd`](Self::begin_waiting_on_fd) and
    /// [`end_waiting_on_fd`](Self::end_waiting_on_fd).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system has no descriptor left.
    pub fn waitable_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        match self.shared_pipes.bells() {
            Some(bells) => Ok(bells.as_fd()),
            None => Ok(self.shared.parker.fd()?),
        }
    }

    /// Ends what [`begin_waiting_on_fd`](Self::begin_waiting_on_fd) began.
    pub fn end_waiting_on_fd(&mut self) {
        self.disarm_rings();
        self.clear_bells();
    }
}
