//! A lock that costs its habitual holder no exchange.
//!
//! An exchange waits until everything stored before it has reached the cache, lines of other cores included. For an object
//! that one thread uses, message for message, and others hardly ever, that wait is most of what a lock costs. So a thread
//! that has taken the lock [`HABIT`] times in a row gets a word of its own: it stores there that it is inside, and looks
//! whether it still has the privilege. Whoever else comes withdraws the privilege first, for good, and then waits until
//! that word says that nobody is inside.
//!
//! This is the same race as going to sleep, each side storing one word and loading the other's, and it is decided by the
//! same [fences](crate::barrier): one that costs nothing inside, and one system call for who withdraws.
//!
//! # Why nobody is inside twice
//!
//! * The common word is a plain lock. The privilege is given only by its holder, so the next holder knows of it.
//! * A holder of the common word that finds somebody privileged withdraws the privilege, fences, and looks at the own word. An
//!   entry whose look at the privilege comes before the fence has stored the word before it as well, and is waited for; one
//!   whose look comes later finds the privilege gone, and leaves.
//! * Only the privileged thread writes the own word, and one that was late may write it at any time afterwards. So after a
//!   withdrawal nobody is privileged again. A thread that gives its own privilege back cannot be late.

use crate::{
    barrier::{heavy_fence, light_fence},
    sync::{
        AtomicU32, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

#[cfg(not(loom))]
use crate::futex::Futex;
#[cfg(loom)]
use crate::model::Futex;

/// How often in a row a thread takes the lock before it becomes privileged.
pub const HABIT: u32 = if cfg!(loom) { 1 } else { 64 };

const FREE: u32 = 0;
const HELD: u32 = 1;

/// No thread is privileged, or none ever again.
const NOBODY: usize = 0;
const WITHDRAWN: usize = usize::MAX;

/// The lock. It protects nothing by itself: who has a [`Held`] may use what goes with it.
#[derive(Debug)]
pub struct BiasedLock {
    /// Taken by all but the privileged thread.
    common: Futex,
    /// Taken by the privileged thread, and written by no other.
    own: Futex,
    /// Threads that sleep on one of the words, or are about to.
    waiting: AtomicU32,
    /// A thread, [`NOBODY`] or [`WITHDRAWN`]. Written under the common word.
    privileged: AtomicUsize,
    /// Who took the common word last, and how often in a row. Used under it.
    last: AtomicUsize,
    row: AtomicU32,
}

impl BiasedLock {
    /// A lock that nobody holds.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            common: Futex::new(FREE),
            own: Futex::new(FREE),
            waiting: AtomicU32::new(0),
            privileged: AtomicUsize::new(NOBODY),
            last: AtomicUsize::new(NOBODY),
            row: AtomicU32::new(0),
        }
    }

    /// A lock that nobody holds.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            common: Futex::new(FREE),
            own: Futex::new(FREE),
            waiting: AtomicU32::new(0),
            privileged: AtomicUsize::new(NOBODY),
            last: AtomicUsize::new(NOBODY),
            row: AtomicU32::new(0),
        }
    }

    /// Takes the lock, for the thread `me`. Blocks while another has it, and for ever if this thread has it.
    ///
    /// `None` if it would have to wait for somebody who never comes back, as `abandoned` says.
    ///
    /// `me` is a number of the calling thread that no other has while that lives, neither zero nor the largest. A number may
    /// be used again once whoever starts the next thread knows that the former has ended.
    #[inline(always)]
    pub fn enter(&self, me: usize, abandoned: impl Fn() -> bool) -> Option<Held<'_>> {
        self.enter_with(me, abandoned, light_fence)
    }

    /// [`enter`](Self::enter) with another fence, to show what it is for.
    #[doc(hidden)]
    #[inline(always)]
    pub fn enter_with(&self, me: usize, abandoned: impl Fn() -> bool, fence: fn()) -> Option<Held<'_>> {
        match self.enter_privileged_with(me, fence) {
            None => self.enter_in_common(me, abandoned),
            held => held,
        }
    }

    /// Takes the lock if the thread `me` is privileged and does not have it: the part of [`enter`](Self::enter) that does not
    /// block, for who keeps the rest away from its usual path.
    #[inline(always)]
    pub fn enter_privileged(&self, me: usize) -> Option<Held<'_>> {
        self.enter_privileged_with(me, light_fence)
    }

    #[inline(always)]
    fn enter_privileged_with(&self, me: usize, fence: fn()) -> Option<Held<'_>> {
        let own = &self.own;
        // Relaxed: whoever was inside since this thread became privileged was this thread.
        if self.privileged.load(Relaxed) != me || own.word().load(Relaxed) != FREE {
            return None;
        }
        own.word().store(HELD, Relaxed);
        // Partner: the heavy fence in `withdraw`.
        fence();
        let held = Held {
            lock: self,
            word: own,
        };
        // One whose privilege was withdrawn meanwhile leaves.
        (self.privileged.load(Relaxed) == me).then_some(held)
    }

    /// Takes the lock as [`enter`](Self::enter) does, by the common word, and gives the thread's privilege back if it has
    /// it. For the last use of what goes with the lock, which may become something else's.
    pub fn enter_last(&self, me: usize, abandoned: impl Fn() -> bool) -> Option<Held<'_>> {
        self.enter_in_common(me, abandoned)
    }

    #[inline(never)]
    fn enter_in_common(&self, me: usize, abandoned: impl Fn() -> bool) -> Option<Held<'_>> {
        let common = &self.common;
        // Acquire: partner of the release in `leave`, also of another thread's.
        let take = || {
            common
                .word()
                .compare_exchange(FREE, HELD, Acquire, Relaxed)
                .is_ok()
        };
        if !take() && !self.wait(common, &abandoned, take) {
            return None;
        }
        let held = Held {
            lock: self,
            word: common,
        };
        match self.privileged.load(Relaxed) {
            WITHDRAWN => {}
            NOBODY => self.note(me),
            owner if owner == me && self.own.word().load(Relaxed) == FREE => {
                self.privileged.store(NOBODY, Relaxed);
                self.row.store(0, Relaxed);
            }
            _ => {
                if !self.withdraw(&abandoned) {
                    return None;
                }
            }
        }
        Some(held)
    }

    /// A thread has the common word, and perhaps the habit.
    fn note(&self, me: usize) {
        let row = match self.last.load(Relaxed) == me {
            true => self.row.load(Relaxed) + 1,
            false => 1,
        };
        self.last.store(me, Relaxed);
        self.row.store(row, Relaxed);
        if row >= HABIT {
            self.privileged.store(me, Relaxed);
        }
    }

    /// Ends the privilege, and waits for whom it has let in. False if that one never comes back.
    #[cold]
    fn withdraw(&self, abandoned: &impl Fn() -> bool) -> bool {
        let own = self.own.word();
        self.privileged.store(WITHDRAWN, Relaxed);
        // Partner: the light fence in `enter`. Either it sees the store, or we see that it is inside.
        heavy_fence();
        // Acquire: partner of the release in `leave`.
        let is_free = || own.load(Acquire) == FREE;
        is_free() || self.wait(&self.own, abandoned, is_free)
    }

    /// Sleeps on a word until something is so. False if whoever holds it never comes back.
    #[cold]
    fn wait(&self, word: &Futex, abandoned: &impl Fn() -> bool, is_so: impl Fn() -> bool) -> bool {
        if abandoned() {
            return false;
        }
        self.waiting.fetch_add(1, Relaxed);
        loop {
            // Partner of the light fence in `leave`: it sees that we wait, or we see that the word is free.
            heavy_fence();
            if is_so() {
                break;
            }
            // A signal is no reason to give up: whoever is inside is in a call of its own.
            word.wait(HELD, None);
        }
        self.waiting.fetch_sub(1, Relaxed);
        true
    }

    #[inline]
    fn leave(&self, word: &Futex) {
        // Release: what this thread did inside is there for the next one.
        word.word().store(FREE, Release);
        // Partner of the heavy fence in `wait`.
        light_fence();
        if self.waiting.load(Relaxed) != 0 {
            word.wake();
        }
    }

    /// Makes the lock free, whoever has it. For a process that was forked off and does not have those threads.
    pub fn reset(&self) {
        for word in [&self.common, &self.own] {
            word.word().store(FREE, Relaxed);
        }
        self.waiting.store(0, Relaxed);
        self.privileged.store(NOBODY, Relaxed);
        self.row.store(0, Relaxed);
    }
}

impl Default for BiasedLock {
    fn default() -> Self {
        Self::new()
    }
}

/// The lock is held, until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is held for as long as this lives"]
pub struct Held<'a> {
    lock: &'a BiasedLock,
    word: &'a Futex,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.leave(self.word);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::{AtomicBool, UnsafeCell};

    fn never() -> bool {
        false
    }

    fn enter(lock: &BiasedLock, me: usize) -> Held<'_> {
        lock.enter(me, never).unwrap()
    }

    fn is_privileged(lock: &BiasedLock, me: usize) -> bool {
        lock.privileged.load(Relaxed) == me
    }

    #[test]
    fn a_habit_becomes_a_privilege_that_another_withdraws_for_good() {
        let lock = BiasedLock::new();
        for _ in 0..HABIT - 1 {
            drop(enter(&lock, 1));
        }
        drop(enter(&lock, 2));
        for _ in 0..HABIT {
            assert!(!is_privileged(&lock, 1));
            drop(enter(&lock, 1));
        }
        assert!(is_privileged(&lock, 1));
        drop(enter(&lock, 1));
        drop(enter(&lock, 2));
        for _ in 0..2 * HABIT {
            drop(enter(&lock, 1));
        }
        assert!(is_privileged(&lock, WITHDRAWN));
    }

    #[test]
    fn only_the_privileged_enter_as_such_and_only_once() {
        let lock = BiasedLock::new();
        for _ in 0..HABIT {
            assert!(lock.enter_privileged(1).is_none());
            drop(enter(&lock, 1));
        }
        assert!(lock.enter_privileged(2).is_none());
        let held = lock.enter_privileged(1);
        assert!(held.is_some() && lock.enter_privileged(1).is_none());
        drop(held);
        assert!(lock.enter_privileged(1).is_some());
    }

    #[test]
    fn who_gives_its_privilege_back_leaves_a_lock_like_a_new_one() {
        let lock = BiasedLock::new();
        for me in [1, 2] {
            for _ in 0..HABIT {
                drop(enter(&lock, me));
            }
            assert!(is_privileged(&lock, me));
            drop(lock.enter_last(me, never).unwrap());
            assert!(is_privileged(&lock, NOBODY));
        }
    }

    #[test]
    fn nobody_waits_for_a_thread_that_is_not_there() {
        for habit in [0, HABIT] {
            let lock = BiasedLock::new();
            for _ in 0..habit {
                drop(enter(&lock, 1));
            }
            std::mem::forget(enter(&lock, 1));
            assert!(lock.enter(2, || true).is_none());
            lock.reset();
            drop(enter(&lock, 2));
        }
    }

    /// What two threads share, of which the second is only used under the first.
    struct Shared(BiasedLock, UnsafeCell<u64>, AtomicBool);

    // SAFETY: the cell is used by the holder of the lock.
    unsafe impl Sync for Shared {}

    impl Shared {
        fn work(&self, me: usize, count: u32) {
            for _ in 0..count {
                let held = enter(&self.0, me);
                assert!(!self.2.swap(true, Relaxed), "two are inside");
                // SAFETY: this thread has the lock.
                self.1.with_mut(|sum| unsafe { *sum += 1 });
                self.2.store(false, Relaxed);
                drop(held);
            }
        }
    }

    #[test]
    fn threads_exclude_each_other() {
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let shared = Shared(BiasedLock::new(), UnsafeCell::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| shared.work(1, 4 * rounds));
            scope.spawn(|| shared.work(2, rounds));
        });
        assert_eq!(shared.1.into_inner(), u64::from(5 * rounds));
    }
}
