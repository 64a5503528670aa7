//! Waking a sleeping driver from another thread.

use crate::sys;
use ringmq_queue::sync::{Arc, AtomicU32, Ordering, fence};
use std::{
    fmt, io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

/// The driver is running and looks at its mailbox before it sleeps.
const AWAKE: u32 = 0;
/// The driver sleeps, or is about to after a last look at its mailbox.
const SLEEPING: u32 = 1;
/// Somebody has taken it upon himself to ring the bell of the sleeping driver.
const NOTIFIED: u32 = 2;

/// The word that says whether a driver has to be woken by the kernel.
///
/// It is one half of a Dekker handshake. The sleeper stores `SLEEPING`, fences, and looks at its mailbox; the waker
/// writes the mailbox, fences, and looks at the word. Both fences being sequentially consistent, one of the two sees
/// what the other has written: the message is not missed or the bell is rung.
#[derive(Debug)]
pub(crate) struct SleepWord(AtomicU32);

impl SleepWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(AWAKE))
    }

    /// Announces sleep. The caller looks at its mailbox afterwards.
    pub(crate) fn prepare(&self) {
        self.0.store(SLEEPING, Ordering::Relaxed);
        // Pairs with the fence in `must_ring`: orders the store above before the caller's look at its mailbox.
        fence(Ordering::SeqCst);
    }

    /// Ends sleep, or the announcement of it.
    ///
    /// A waker that still sees `SLEEPING` loses its exchange against this store; what it wrote is found by the look
    /// into the mailbox after the next `prepare`.
    pub(crate) fn awake(&self) {
        self.0.store(AWAKE, Ordering::Relaxed);
    }

    /// Whether sleep has been announced and nobody has rung since.
    pub(crate) fn is_prepared(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SLEEPING
    }

    /// Whether somebody has rung since sleep was announced.
    pub(crate) fn is_notified(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NOTIFIED
    }

    /// Whether the caller, who has just written the mailbox, has to ring the bell. True for one of many callers.
    pub(crate) fn must_ring(&self) -> bool {
        // Pairs with the fence in `prepare`: orders the caller's write to the mailbox before the load below.
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) == SLEEPING
            && self
                .0
                .compare_exchange(SLEEPING, NOTIFIED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// What the driver and its wakers share.
#[derive(Debug)]
struct Shared {
    word: SleepWord,
    bell: OwnedFd,
}

/// Wakes a driver that sleeps in [`Driver::wait`](crate::Driver::wait), from any thread.
///
/// Write the driver's mailbox first, then call [`wake`](Self::wake). While the driver is awake this costs a fence and
/// a load; a system call is made only for a driver that sleeps, and only by the first of several wakers.
#[derive(Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            word: SleepWord::new(),
            bell: sys::eventfd()?,
        })))
    }

    /// Wakes the driver if it sleeps. Never blocks. Does nothing once the driver is gone.
    pub fn wake(&self) {
        if self.0.word.must_ring() {
            sys::ring_eventfd(&self.0.bell);
        }
    }

    pub(crate) fn word(&self) -> &SleepWord {
        &self.0.word
    }

    pub(crate) fn bell(&self) -> RawFd {
        self.0.bell.as_raw_fd()
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waker").field(&self.0.bell).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_waker_of_a_sleeper_rings() {
        let word = SleepWord::new();
        assert!(!word.must_ring(), "nobody sleeps");
        word.prepare();
        assert!(word.must_ring());
        assert!(word.is_notified());
        assert!(!word.must_ring(), "the bell has been rung");
        word.awake();
        assert!(!word.must_ring(), "awake again");
        word.prepare();
        assert!(word.must_ring(), "every sleep can be ended");
    }
}

/// All interleavings of a sleeper and its wakers: `RUSTFLAGS="--cfg loom" cargo test -p ringmq-io --release --lib model`.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use ringmq_queue::sync::{AtomicUsize, thread};

    /// Two wakers leave a message each while a sleeper goes to sleep, twice. A last sleep that has begun with a message
    /// unseen must have been ended by somebody.
    fn handshake(prepare: fn(&SleepWord), must_ring: fn(&SleepWord) -> bool) {
        let mut model = loom::model::Builder::new();
        // Unbounded this takes a minute, and finds nothing more.
        model.preemption_bound = Some(3);
        model.check(move || {
            let shared = Arc::new((SleepWord::new(), AtomicUsize::new(0)));
            let wakers: Vec<_> = (0..2)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (word, mailbox) = &*shared;
                        mailbox.fetch_add(1, Ordering::Relaxed);
                        must_ring(word);
                    })
                })
                .collect();
            let (word, mailbox) = &*shared;
            prepare(word);
            let mut seen = mailbox.load(Ordering::Relaxed);
            if seen > 0 {
                word.awake();
                prepare(word);
                seen = mailbox.load(Ordering::Relaxed);
            }
            wakers.into_iter().for_each(|waker| waker.join().expect("waker"));
            assert!(seen == 2 || word.is_notified(), "a wake-up is lost");
        });
    }

    #[test]
    fn no_wake_up_is_lost() {
        handshake(SleepWord::prepare, SleepWord::must_ring);
    }

    #[test]
    #[should_panic(expected = "a wake-up is lost")]
    fn without_the_sleepers_fence_one_is() {
        handshake(
            |word| word.0.store(SLEEPING, Ordering::Relaxed),
            SleepWord::must_ring,
        );
    }

    #[test]
    #[should_panic(expected = "a wake-up is lost")]
    fn without_the_wakers_fence_one_is() {
        handshake(SleepWord::prepare, |word| {
            word.0.load(Ordering::Relaxed) == SLEEPING
                && word
                    .0
                    .compare_exchange(SLEEPING, NOTIFIED, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
        });
    }
}
