//! Waiting at sockets that several threads use at once.
//!
//! Calls that do not wait take the handle's lock by turns. Of those that have to wait, one sleeps at the socket, without the
//! lock; the others sleep until that one has woken, and then all try again.

use std::{
    ffi::{c_int, c_void},
    sync::atomic::{
        AtomicBool, AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
    time::Instant,
};

use ringmq_core::Wait;

use crate::{
    error::Errno,
    futex::{sleep_while, wake_all},
    handle::Entered,
    socket::{Socket, socket},
};

/// Whose turn it is to sleep at a socket.
#[derive(Default)]
pub(crate) struct Turns {
    /// A thread sleeps at the socket. Changed under the handle's lock only.
    taken: AtomicBool,
    /// Counts the ends of such sleeps; the others sleep while it stays the same.
    ended: AtomicU32,
}

impl Turns {
    /// Whoever waits shall try again.
    pub(crate) fn advance(&self) {
        // Release: partner of the load in `wait_for_turn`, after which the handle's lock orders everything else.
        self.ended.fetch_add(1, Release);
        wake_all(&self.ended);
    }
}

/// Repeats an attempt until it does not have to wait, or the time is up, which is EAGAIN as well. At once for a socket that
/// one thread uses.
pub(crate) fn by_turns(
    handle: *mut c_void,
    mut entered: Entered<'static, Socket>,
    wait: Wait,
    mut attempt: impl FnMut(&mut Socket, Wait) -> Result<c_int, Errno>,
) -> Result<c_int, Errno> {
    let Some(turns) = entered.turns.clone() else {
        return attempt(&mut entered, wait);
    };
    let deadline = match wait {
        Wait::Until(deadline) => Some(deadline),
        Wait::No | Wait::Forever => None,
    };
    loop {
        let outcome = attempt(&mut entered, Wait::No);
        let expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if outcome != Err(Errno(libc::EAGAIN)) || wait == Wait::No || expired {
            return outcome;
        }
        if turns.taken.load(Relaxed) {
            // Acquire: partner of the addition in `advance`.
            let ended = turns.ended.load(Acquire);
            drop(entered);
            sleep_while(&turns.ended, ended, deadline)?;
            entered = socket(handle)?;
        } else if let Some(sleeper) = entered.engine.prepare_sleep()? {
            turns.taken.store(true, Relaxed);
            drop(entered);
            let slept = sleeper.sleep(deadline);
            let again = socket(handle);
            turns.taken.store(false, Relaxed);
            turns.advance();
            entered = again?;
            slept?;
        }
    }
}
