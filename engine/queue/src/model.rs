//! What stands in for the kernel under loom: the futex and the eventfd, with the same interfaces.

use std::{io, os::fd::BorrowedFd, time::Instant};

use crate::{
    sync::{AtomicU32, Condvar, Mutex, Ordering::Relaxed},
    wake::ParkEnd,
};

/// A futex: the kernel's hash bucket is the lock, and its queue the condition variable.
#[derive(Debug)]
pub(crate) struct Futex {
    word: AtomicU32,
    bucket: Mutex<()>,
    queue: Condvar,
}

impl Futex {
    pub(crate) fn new(value: u32) -> Self {
        Self {
            word: AtomicU32::new(value),
            bucket: Mutex::new(()),
            queue: Condvar::new(),
        }
    }

    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// Time stands still in a model: the deadline never passes, so that a lost wake-up is a deadlock.
    pub(crate) fn wait(&self, expected: u32, _deadline: Option<Instant>) -> ParkEnd {
        let bucket = self.bucket.lock().unwrap();
        if self.word.load(Relaxed) == expected {
            drop(self.queue.wait(bucket).unwrap());
        }
        ParkEnd::Woken
    }

    pub(crate) fn wake(&self) {
        let _bucket = self.bucket.lock().unwrap();
        self.queue.notify_one();
    }
}

/// An eventfd: a counter, and a condition variable instead of `poll`.
#[derive(Debug)]
pub(crate) struct EventFd {
    count: Mutex<u64>,
    readable: Condvar,
}

impl EventFd {
    pub(crate) fn new() -> Self {
        Self {
            count: Mutex::new(0),
            readable: Condvar::new(),
        }
    }

    pub(crate) fn exists(&self) -> bool {
        true
    }

    pub(crate) fn get(&self) -> io::Result<BorrowedFd<'_>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn ring(&self) {
        *self.count.lock().unwrap() += 1;
        self.readable.notify_one();
    }

    pub(crate) fn drain(&self) {
        *self.count.lock().unwrap() = 0;
    }

    /// Stands for `poll(2)` without a timeout.
    pub(crate) fn poll(&self) {
        let mut count = self.count.lock().unwrap();
        while *count == 0 {
            count = self.readable.wait(count).unwrap();
        }
    }
}
