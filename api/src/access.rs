//! How a socket's calls reach the engine: one thread at a time, by the compiler's word, or several at once, by a lock.

use std::{
    cell::{RefCell, RefMut},
    fmt,
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use ringmq_core::{Error, Socket, Wait};
use ringmq_message::Message;

/// What a socket keeps its engine in.
pub trait Access {
    /// The engine while it is in use.
    type Guard<'a>: DerefMut<Target = Socket>
    where
        Self: 'a;

    /// Takes a new socket in.
    fn new(socket: Socket) -> Self;

    /// The engine, for calls that do not wait.
    fn core(&self) -> Self::Guard<'_>;

    /// Sends a part. Waits as the socket's option says if `wait` does not.
    fn send(&self, message: &mut Message, wait: Option<Wait>) -> Result<(), Error>;

    /// Sends a copy of a message of one part; otherwise as [`send`](Self::send).
    fn send_bytes(&self, body: &[u8], wait: Option<Wait>) -> Result<(), Error>;

    /// Receives a part. Waits as the socket's option says if `wait` does not.
    fn recv(&self, message: &mut Message, wait: Option<Wait>) -> Result<(), Error>;

    /// Waits until something holds that depends on what peers do.
    fn wait_until(
        &self,
        wait: Wait,
        holds: impl FnMut(&mut Socket) -> Result<bool, Error>,
    ) -> Result<(), Error>;
}

/// For one thread at a time: `Send`, and not `Sync`.
pub struct Exclusive(pub(crate) RefCell<Socket>);

impl Access for Exclusive {
    type Guard<'a> = RefMut<'a, Socket>;

    fn new(socket: Socket) -> Self {
        Self(RefCell::new(socket))
    }

    /// Nothing in here calls back into the application while the socket is borrowed, except the free functions of
    /// adopted messages, which must not use sockets.
    #[inline]
    fn core(&self) -> RefMut<'_, Socket> {
        self.0.borrow_mut()
    }

    #[inline]
    fn send(&self, message: &mut Message, wait: Option<Wait>) -> Result<(), Error> {
        let mut core = self.core();
        let wait = wait.unwrap_or_else(|| Wait::from(core.options().send_timeout));
        loop {
            match core.send(message, wait) {
                // A signal handler that ran meanwhile is no reason to fail: the call goes on waiting until its deadline.
                Err(Error::Interrupted) => {}
                outcome => return outcome,
            }
        }
    }

    #[inline]
    fn send_bytes(&self, body: &[u8], wait: Option<Wait>) -> Result<(), Error> {
        let mut core = self.core();
        let wait = wait.unwrap_or_else(|| Wait::from(core.options().send_timeout));
        loop {
            match core.send_bytes(body, wait) {
                Err(Error::Interrupted) => {}
                outcome => return outcome,
            }
        }
    }

    #[inline]
    fn recv(&self, message: &mut Message, wait: Option<Wait>) -> Result<(), Error> {
        let mut core = self.core();
        let wait = wait.unwrap_or_else(|| Wait::from(core.options().receive_timeout));
        loop {
            match core.recv(message, wait) {
                Err(Error::Interrupted) => {}
                outcome => return outcome,
            }
        }
    }

    fn wait_until(
        &self,
        wait: Wait,
        mut holds: impl FnMut(&mut Socket) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut core = self.core();
        loop {
            match core.wait_until(wait, &mut holds) {
                Err(Error::Interrupted) => {}
                outcome => return outcome,
            }
        }
    }
}

/// For any number of threads at once. No thread waits under the lock, so that one that waits for a message keeps nobody
/// from sending.
pub struct Shared {
    state: Mutex<State>,
    /// Told when the thread that sleeps for the socket wakes up.
    woken: Condvar,
}

struct State {
    socket: Socket,
    /// A thread sleeps for the socket. Others that have to wait do so for that thread.
    sleeping: bool,
}

/// The engine of a shared socket while it is in use.
pub struct SharedGuard<'a>(MutexGuard<'a, State>);

impl Deref for SharedGuard<'_> {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.0.socket
    }
}

impl DerefMut for SharedGuard<'_> {
    fn deref_mut(&mut self) -> &mut Socket {
        &mut self.0.socket
    }
}

impl Shared {
    /// A thread that panicked with the lock has broken an assertion of the engine, and that has been reported.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries until it succeeds, fails for good, or the time is up, and lets others try in between.
    fn retry(
        &self,
        wait: Option<Wait>,
        timeout: impl FnOnce(&Socket) -> Wait,
        mut attempt: impl FnMut(&mut Socket) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        let wait = wait.unwrap_or_else(|| timeout(&state.socket));
        let deadline = match wait {
            Wait::No => return attempt(&mut state.socket),
            Wait::Forever => None,
            Wait::Until(deadline) => Some(deadline),
        };
        loop {
            match attempt(&mut state.socket) {
                Err(Error::WouldBlock) => {}
                outcome => return outcome,
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Error::TimedOut);
            }
            state = self.wait(state, deadline)?;
        }
    }

    /// Waits until something may have changed, without the lock.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Result<MutexGuard<'a, State>, Error> {
        if state.sleeping {
            return Ok(match deadline {
                None => self.woken.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let limit = deadline.saturating_duration_since(Instant::now());
                    let waited = self.woken.wait_timeout(state, limit);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            });
        }
        let Some(sleeper) = state.socket.prepare_sleep()? else {
            return Ok(state);
        };
        state.sleeping = true;
        drop(state);
        // Whatever ended the sleep, even a signal: everybody tries again, and the first who has to sleeps.
        let _ = sleeper.sleep(deadline);
        let mut state = self.lock();
        state.sleeping = false;
        self.woken.notify_all();
        Ok(state)
    }
}

impl Access for Shared {
    type Guard<'a> = SharedGuard<'a>;

    fn new(socket: Socket) -> Self {
        Self {
            state: Mutex::new(State {
                socket,
                sleeping: false,
            }),
            woken: Condvar::new(),
        }
    }

    fn core(&self) -> SharedGuard<'_> {
        SharedGuard(self.lock())
    }

    fn send(&self, message: &mut Message, wait: Option<Wait>) -> Result<(), Error> {
        self.retry(
            wait,
            |socket| Wait::from(socket.options().send_timeout),
            |socket| socket.send(message, Wait::No),
        )
    }

    fn send_bytes(&self, body: &[u8], wait: Option<Wait>) -> Result<(), Error> {
        self.retry(
            wait,
            |socket| Wait::from(socket.options().send_timeout),
            |socket| socket.send_bytes(body, Wait::No),
        )
    }

    fn recv(&self, message: &mut Message, wait: Option<Wait>) -> Result<(), Error> {
        self.retry(
            wait,
            |socket| Wait::from(socket.options().receive_timeout),
            |socket| socket.recv(message, Wait::No),
        )
    }

    fn wait_until(
        &self,
        wait: Wait,
        mut holds: impl FnMut(&mut Socket) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        self.retry(
            Some(wait),
            |_| wait,
            |socket| {
                if holds(socket)? {
                    Ok(())
                } else {
                    Err(Error::WouldBlock)
                }
            },
        )
    }
}

impl fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exclusive")
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
