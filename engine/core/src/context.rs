//! The context: workers, limits and the end of everything.

use std::{
    io,
    sync::{Arc, Weak, mpsc},
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use ringmq_io::{DriverKind, schedule_thread};
use ringmq_queue::{
    barrier,
    sync::{AtomicBool, AtomicU64, Mutex, Ordering},
};
use ringmq_zmtp::SocketType;

use crate::{
    error::Error,
    inproc::Inproc,
    limits,
    link::lock,
    options::Options,
    presence::{self, Blocker, Gate},
    socket::SocketShared,
    worker::{Command, WorkerPool, WorkerShared},
};

/// For the kernel, the thread that asks.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Where workers run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Pinning {
    /// Pinned to the last cores of a machine that has more than four; on smaller ones the scheduler knows better.
    #[default]
    Auto,
    /// Wherever the scheduler likes.
    None,
    /// The first worker on the first core of the list, and so on, round robin.
    Cores(Vec<usize>),
    /// Every worker on any core of the list.
    Within(Vec<usize>),
}

impl Pinning {
    /// Pins the calling thread, which is the worker with that index.
    fn apply(&self, index: usize) -> io::Result<()> {
        let ours = sched_getaffinity(THIS_THREAD)?;
        let is_ours = |core: &usize| ours.is_set(*core).unwrap_or(false);
        let cores: Vec<usize> = match self {
            Self::None => return Ok(()),
            Self::Auto => {
                let cores: Vec<_> = (0..CpuSet::count()).filter(is_ours).collect();
                if cores.len() <= limits::UNPINNED_CORES_MAX {
                    return Ok(());
                }
                cores.into_iter().rev().cycle().skip(index).take(1).collect()
            }
            // A core that the process does not have pins nobody.
            Self::Cores(list) => {
                let wanted = list.iter().cycle().nth(index);
                wanted.copied().filter(is_ours).into_iter().collect()
            }
            Self::Within(list) => list.clone(),
        };
        if cores.is_empty() {
            return Ok(());
        }
        let mut set = CpuSet::new();
        for core in cores {
            set.set(core)?;
        }
        Ok(sched_setaffinity(THIS_THREAD, &set)?)
    }
}

/// How the kernel schedules workers. What is not set stays as with the thread that makes them start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scheduling {
    /// The number of a policy in sched(7), such as 1 for `SCHED_FIFO`.
    pub policy: Option<i32>,
    /// The priority under a real-time policy, from 1 to 99. Under the others any number stands for the lowest niceness.
    pub priority: Option<i32>,
}

/// The threads of a context.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThreadSettings {
    pinning: Pinning,
    scheduling: Scheduling,
    name_prefix: String,
}

impl ThreadSettings {
    pub(crate) fn of(options: &ContextOptions) -> Self {
        Self {
            pinning: options.pinning.clone(),
            scheduling: options.scheduling,
            name_prefix: options.thread_name_prefix.clone(),
        }
    }

    /// The name of the worker with that index, of which the kernel keeps 15 bytes.
    pub(crate) fn name(&self, index: usize) -> String {
        match &*self.name_prefix {
            "" => format!("RingMQ/IO/{index}"),
            prefix => format!("{prefix}/RingMQ/IO/{index}"),
        }
    }

    /// Makes the calling thread, which is the worker with that index, run as it shall.
    pub(crate) fn apply(&self, index: usize) -> io::Result<()> {
        self.pinning.apply(index)?;
        schedule_thread(self.scheduling.policy, self.scheduling.priority)
    }
}

/// How a context is made.
#[derive(Debug, Clone)]
pub struct ContextOptions {
    /// The most worker threads; they are started when first needed. 0 leaves a context without network transports.
    pub workers_max: usize,
    /// Where workers run.
    pub pinning: Pinning,
    /// The most sockets that may exist at a time.
    pub sockets_max: usize,
    /// LINGER of new sockets; `None` is for ever.
    pub linger: Option<Duration>,
    /// IPV6 of new sockets.
    pub ipv6: bool,
    /// How workers are scheduled.
    pub scheduling: Scheduling,
    /// What stands before the names of the workers, with a slash; nothing if it is empty.
    pub thread_name_prefix: String,
    /// The longest message part that new sockets send.
    pub send_len_max: usize,
    /// Large bodies are received without a copy, for which they keep the memory alive that they were received into.
    pub zero_copy_receive: bool,
}

impl Default for ContextOptions {
    fn default() -> Self {
        Self {
            workers_max: limits::WORKERS_DEFAULT,
            pinning: Pinning::Auto,
            sockets_max: limits::SOCKETS_DEFAULT,
            linger: Some(Duration::from_millis(limits::LINGER_DEFAULT_MS)),
            ipv6: false,
            scheduling: Scheduling::default(),
            thread_name_prefix: String::new(),
            send_len_max: usize::MAX,
            zero_copy_receive: true,
        }
    }
}

/// A set of workers and the sockets that use them. Cheap to clone; the clones are the same context.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    options: ContextOptions,
    pool: Arc<WorkerPool>,
    sockets: Mutex<Vec<Weak<SocketShared>>>,
    terminated: AtomicBool,
    seed: AtomicU64,
    inproc: Inproc,
    gate: Arc<Gate>,
}

impl Context {
    /// Makes a context. Starts nothing yet.
    pub fn new(options: ContextOptions) -> Self {
        barrier::register();
        let pool = WorkerPool::new(
            options.workers_max.min(limits::WORKERS_MAX),
            ThreadSettings::of(&options),
        );
        Self {
            inner: Arc::new(Inner {
                options,
                pool,
                sockets: Mutex::new(Vec::new()),
                terminated: AtomicBool::new(false),
                seed: AtomicU64::new(random_seed()),
                inproc: Inproc::default(),
                gate: Arc::default(),
            }),
        }
    }

    /// Makes every blocked and every later call on the context's sockets return [`Error::Terminated`]. The sockets are
    /// still to be dropped.
    pub fn shutdown(&self) {
        self.inner.terminated.store(true, Ordering::SeqCst);
        for socket in lock(&self.inner.sockets).iter().filter_map(Weak::upgrade) {
            socket.terminate();
        }
    }

    /// Shuts down as [`shutdown`](Self::shutdown) does, and waits until all sockets are dropped and what they left behind is
    /// sent, or given up after LINGER. Returns what keeps the context from ending when the time is up: nothing if it has ended.
    pub fn term(&self, deadline: Option<Instant>) -> Vec<Blocker> {
        self.shutdown();
        self.inner.gate.wait_until(deadline, || {
            let sockets = lock(&self.inner.sockets);
            let sockets = sockets.iter().filter_map(Weak::upgrade);
            sockets.filter_map(|socket| presence::blocker(&socket)).collect()
        })
    }

    /// How many sockets exist.
    pub fn socket_count(&self) -> usize {
        lock(&self.inner.sockets)
            .iter()
            .filter(|socket| is_open(socket))
            .count()
    }

    /// How workers talk to the kernel. Starts one to find out.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when no driver can be had, [`Error::NoWorker`] in a context without workers.
    pub fn io_driver(&self) -> Result<DriverKind, Error> {
        self.inner.pool.driver()
    }

    pub(crate) fn register(&self, socket: &Arc<SocketShared>) -> Result<(), Error> {
        let mut sockets = lock(&self.inner.sockets);
        if self.inner.terminated.load(Ordering::SeqCst) {
            return Err(Error::Terminated);
        }
        if sockets.len() >= self.inner.options.sockets_max {
            sockets.retain(|socket| socket.strong_count() > 0);
            if sockets.iter().filter(|socket| is_open(socket)).count() >= self.inner.options.sockets_max {
                return Err(Error::TooManySockets);
            }
        }
        socket.set_gate(&self.inner.gate);
        sockets.push(Arc::downgrade(socket));
        Ok(())
    }

    /// What new sockets are made with, beside their options.
    pub(crate) fn options(&self) -> &ContextOptions {
        &self.inner.options
    }

    pub(crate) fn default_options(&self, socket_type: SocketType) -> Options {
        let mut options = Options::for_socket(socket_type);
        if options.linger.is_none() {
            options.linger = self.inner.options.linger;
        }
        options.ipv6 = self.inner.options.ipv6;
        options
    }

    /// A number that differs from call to call and from process to process. Not for cryptography.
    pub(crate) fn next_seed(&self) -> u64 {
        // The multiplier of Knuth's generator spreads consecutive counts over all bits.
        let count = self.inner.seed.fetch_add(1, Ordering::Relaxed);
        count.wrapping_mul(6_364_136_223_846_793_005).rotate_left(29) ^ count
    }

    /// The names of in-process endpoints.
    pub(crate) fn inproc(&self) -> &Inproc {
        &self.inner.inproc
    }

    pub(crate) fn worker(&self, affinity: u64) -> Result<Arc<WorkerShared>, Error> {
        self.inner.pool.choose(affinity)
    }

    pub(crate) fn close_socket(&self, socket: &Arc<SocketShared>, linger: Option<Duration>) {
        self.inner.pool.broadcast(|| Command::CloseSocket {
            socket: socket.clone(),
            linger,
        });
    }

    pub(crate) fn close_endpoint(
        &self,
        socket: &Arc<SocketShared>,
        endpoint: u64,
        linger: Option<Duration>,
        done: &mpsc::Sender<()>,
    ) {
        self.inner.pool.broadcast(|| Command::CloseEndpoint {
            socket: socket.clone(),
            endpoint,
            linger,
            done: done.clone(),
        });
    }
}

fn is_open(socket: &Weak<SocketShared>) -> bool {
    socket.upgrade().is_some_and(|socket| !socket.is_closed())
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

impl Drop for Inner {
    /// The last handle is gone, and so are all sockets: waits until what they left is sent or their LINGER is over.
    fn drop(&mut self) {
        self.pool.stop();
    }
}
