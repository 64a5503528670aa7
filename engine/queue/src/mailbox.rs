//! Commands from many threads to one: rare, so a lock is cheap enough, and looking into an empty box takes none.

use std::{mem, sync::PoisonError};

use crate::sync::{
    AtomicBool, Mutex, MutexGuard,
    Ordering::{Acquire, Release},
};

/// A box into which any thread puts values and which its owner empties. Shared in an `Arc`.
///
/// Nothing wakes the owner in here: push, then call [`Parker::wake`](crate::wake::Parker::wake). An owner about to sleep
/// calls [`Parker::arm`](crate::wake::Parker::arm), then [`is_empty`](Self::is_empty), then sleeps or disarms. The
/// parker's two fences stand between each side's store and load, so that either the owner sees the value or the sender
/// sees the sleeper.
#[derive(Debug)]
pub struct Mailbox<T> {
    values: Mutex<Vec<T>>,
    /// Written under the lock, read without it: true whenever the box holds a value.
    nonempty: AtomicBool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Mailbox<T> {
    /// An empty box.
    pub fn new() -> Self {
        Self {
            values: Mutex::new(Vec::new()),
            nonempty: AtomicBool::new(false),
        }
    }

    /// Adds a value at the end. Any thread; waits only for another `push` or for the exchange of two vectors.
    pub fn push(&self, value: T) {
        let mut values = self.lock();
        values.push(value);
        // Release: pairs with the load in `is_empty`, so that an owner that sees it also finds the lock's last value.
        self.nonempty.store(true, Release);
    }

    /// Moves everything into `into`, behind what it holds already, oldest first.
    ///
    /// An empty `into` is exchanged for the full vector. An owner that keeps its vector between calls thus makes two
    /// buffers go round, and nothing is allocated in steady state.
    pub fn drain(&self, into: &mut Vec<T>) {
        if self.is_empty() {
            return;
        }
        let mut values = self.lock();
        if into.is_empty() {
            mem::swap(&mut *values, into);
        } else {
            into.append(&mut values);
        }
        // Release only for symmetry with `push`: the lock already orders the two writers.
        self.nonempty.store(false, Release);
    }

    /// Whether there is nothing to drain; one load, no lock.
    ///
    /// A value that is being pushed at this moment may be missed. After [`Parker::arm`](crate::wake::Parker::arm) that
    /// is harmless: its sender then finds the parker armed.
    pub fn is_empty(&self) -> bool {
        // Acquire: observes the store in `push`. The order after `arm` comes from that function's fence.
        !self.nonempty.load(Acquire)
    }

    /// A sender that panicked in `push` left the vector as it was before or after, so poisoning is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn values_come_out_in_order_behind_what_is_there() {
        let mailbox = Mailbox::new();
        assert!(mailbox.is_empty());
        mailbox.push(2);
        mailbox.push(3);
        assert!(!mailbox.is_empty());
        let mut into = vec![1];
        mailbox.drain(&mut into);
        assert_eq!(into, [1, 2, 3]);
        assert!(mailbox.is_empty());
        mailbox.drain(&mut into);
        assert_eq!(into, [1, 2, 3]);
    }

    #[test]
    fn two_buffers_go_round() {
        let mailbox = Mailbox::new();
        let mut into = Vec::with_capacity(16);
        mailbox.push(0);
        mailbox.drain(&mut into);
        let mut seen = Vec::new();
        for round in 0..6 {
            into.clear();
            (0..4).for_each(|value| mailbox.push(round * 4 + value));
            mailbox.drain(&mut into);
            assert_eq!(into.len(), 4);
            seen.push((into.as_ptr(), into.capacity()));
        }
        assert_eq!(seen[2..4], seen[4..6]);
    }

    #[test]
    fn a_sender_that_panics_with_the_lock_held_does_not_stop_the_others() {
        let mailbox = Arc::new(Mailbox::new());
        mailbox.push(1);
        let poisoner = Arc::clone(&mailbox);
        let outcome = thread::spawn(move || {
            let _values = poisoner.lock();
            panic!("poisons the lock");
        })
        .join();
        assert!(outcome.is_err());
        mailbox.push(2);
        let mut into = Vec::new();
        mailbox.drain(&mut into);
        assert_eq!(into, [1, 2]);
    }
}
