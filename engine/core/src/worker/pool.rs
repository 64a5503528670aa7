//! The workers of a context: started when first needed, chosen by load.

use std::{
    io,
    sync::{Arc, Once, OnceLock, mpsc},
    thread::JoinHandle,
};

use ringmq_io::{DriverKind, FallbackReason};
use ringmq_queue::sync::{AtomicUsize, Mutex};

use super::{Command, Worker, WorkerShared};
use crate::{context::ThreadSettings, error::Error, link::lock};

/// All workers of one context.
pub(crate) struct WorkerPool {
    workers_max: usize,
    threads: ThreadSettings,
    workers: Mutex<Vec<Started>>,
    /// How the workers talk to the kernel, once one has started.
    driver: OnceLock<DriverKind>,
    /// Connections that share memory.
    pub(super) shared: Arc<AtomicUsize>,
}

struct Started {
    shared: Arc<WorkerShared>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerPool {
    pub(crate) fn new(workers_max: usize, threads: ThreadSettings) -> Arc<Self> {
        Arc::new(Self {
            workers_max,
            threads,
            workers: Mutex::new(Vec::new()),
            driver: OnceLock::new(),
            shared: Arc::default(),
        })
    }

    /// The least loaded worker among those that `affinity` names (bit 0 is the first; 0 names all). Starts one if that
    /// is not there yet, or if all the others have something to do.
    pub(crate) fn choose(self: &Arc<Self>, affinity: u64) -> Result<Arc<WorkerShared>, Error> {
        if self.workers_max == 0 {
            return Err(Error::NoWorker);
        }
        let mut workers = lock(&self.workers);
        let allowed = |index: usize| affinity == 0 || affinity >> index.min(63) & 1 == 1;
        let best = workers
            .iter()
            .filter(|worker| allowed(worker.shared.index))
            .min_by_key(|worker| worker.shared.load());
        if let Some(best) = best
            && (best.shared.load() == 0 || workers.len() == self.workers_max)
        {
            return Ok(best.shared.clone());
        }
        while workers.len() < self.workers_max {
            let index = workers.len();
            let started = self.start(index)?;
            let shared = started.shared.clone();
            workers.push(started);
            if allowed(index) {
                return Ok(shared);
            }
        }
        let best = workers
            .iter()
            .filter(|worker| allowed(worker.shared.index))
            .min_by_key(|worker| worker.shared.load());
        best.map(|worker| worker.shared.clone()).ok_or(Error::NoWorker)
    }

    fn start(self: &Arc<Self>, index: usize) -> Result<Started, Error> {
        let (sender, receiver) = mpsc::channel();
        let pool = self.clone();
        let builder = std::thread::Builder::new().name(self.threads.name(index));
        let thread = builder.spawn(move || match pool.threads.apply(index) {
            Ok(()) => Worker::run(index, pool, &sender),
            Err(error) => {
                // Whoever started this thread waits for the answer.
                let _ = sender.send(Err(error));
            }
        })?;
        let shared = receiver
            .recv()
            .map_err(|_| io::Error::other("the worker ended while it started"))??;
        Ok(Started {
            shared,
            thread: Some(thread),
        })
    }

    /// Tells every worker the same.
    pub(crate) fn broadcast(&self, command: impl Fn() -> Command) {
        for worker in &*lock(&self.workers) {
            worker.shared.push(command());
        }
    }

    /// Ends the workers once they have nothing left to send, and waits for that.
    pub(crate) fn stop(&self) {
        self.broadcast(|| Command::Stop);
        let threads: Vec<_> = lock(&self.workers)
            .iter_mut()
            .filter_map(|worker| worker.thread.take())
            .collect();
        for thread in threads {
            // A worker that panicked has reported it already, by the panic.
            let _ = thread.join();
        }
        lock(&self.workers).clear();
    }

    pub(super) fn started_with(&self, kind: DriverKind) {
        let _ = self.driver.set(kind);
    }

    /// How the workers talk to the kernel; starts one to find out.
    pub(crate) fn driver(self: &Arc<Self>) -> Result<DriverKind, Error> {
        self.choose(0)?;
        self.driver.get().copied().ok_or(Error::NoWorker)
    }

    /// Says once per process that io_uring was refused.
    pub(super) fn announce_epoll(&self, reason: &FallbackReason) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| eprintln!("ringmq: io_uring is not available ({reason}), using epoll"));
    }

    /// Says once per process that the kernel refuses to take operations; the worker goes on trying.
    pub(super) fn report_driver_error(&self, error: &io::Error) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| eprintln!("ringmq: the I/O driver failed: {error}"));
        std::thread::yield_now();
    }
}
