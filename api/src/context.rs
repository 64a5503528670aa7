//! The context.

use std::{
    fmt,
    time::{Duration, Instant},
};

pub use ringmq_core::{Blocker, DriverKind as IoDriver, Pinning, Scheduling};
use ringmq_core::{ContextOptions, Error};

/// Owns the worker threads that sockets share; all sockets that are to share them are made from one context.
///
/// Cheap to clone: the clones are the same context. Workers start when the first socket binds or connects. When the last
/// clone and the last socket are gone, the drop waits until the closed sockets' messages are sent, at most for as long
/// as their [linger](crate::Socket::set_linger) says.
#[derive(Clone)]
pub struct Context {
    pub(crate) core: ringmq_core::Context,
}

impl Context {
    /// Makes a context with at most one worker, which is enough unless many connections are busy at a time. Does not
    /// block, and starts nothing yet.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Begins a context with other settings than [`new`](Self::new)'s.
    ///
    /// ```
    /// use ringmq::{Context, Pinning};
    ///
    /// let context = Context::builder().workers(2).pinning(Pinning::Cores(vec![0, 1])).build();
    /// # drop(context);
    /// ```
    pub fn builder() -> ContextBuilder {
        ContextBuilder {
            options: ContextOptions::default(),
        }
    }

    /// Makes every waiting and every later call on the context's sockets fail with
    /// [`Error::Terminated`](crate::Error::Terminated). The sockets are still to be dropped, and what they have not sent
    /// goes on being sent. May be called from any thread; does not block.
    ///
    /// ```
    /// use ringmq::{Context, Error, Pull};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let context = Context::new();
    /// let pull = Pull::new(&context)?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// let reader = std::thread::spawn(move || pull.recv());
    /// context.shutdown();
    /// assert!(matches!(reader.join().unwrap(), Err(Error::Terminated)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self) {
        self.core.shutdown();
    }

    /// [Shuts down](Self::shutdown), and waits until the sockets are dropped, which is for their threads to do, and their
    /// messages are sent, or given up after their [linger](crate::Socket::set_linger): at most for `timeout`, `None` is for
    /// ever, zero only looks. May be called from any thread that has no socket of its own left, and again after it has failed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ringmq::{Context, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let push = Push::new(&context)?;
    /// # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let endpoint = format!("tcp://{}", nobody.local_addr()?);
    /// push.set_linger(Some(Duration::from_secs(3600)));
    /// push.connect(&endpoint)?;
    /// push.send("to nobody")?;
    /// drop(push);
    /// let unfinished = context.term(Some(Duration::from_millis(10))).unwrap_err();
    /// let blocker = &unfinished.blocking[0];
    /// assert_eq!(blocker.endpoints, [endpoint]);
    /// assert_eq!((blocker.is_open, blocker.unsent), (false, 1));
    /// println!("{unfinished}"); // PUSH tcp://127.0.0.1:35571 has 1 message to send
    /// # // The example shall not wait for an hour.
    /// # std::mem::forget(context);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Unfinished`] names the sockets that are in the way when the time is up. They go on ending, and dropping the last
    /// handle of the context still waits for them.
    pub fn term(&self, timeout: Option<Duration>) -> Result<(), Unfinished> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let blocking = self.core.term(deadline);
        if blocking.is_empty() {
            return Ok(());
        }
        Err(Unfinished { blocking })
    }

    /// How the context talks to the kernel: io_uring, or epoll where that is refused or the environment variable
    /// `RINGMQ_IO` says so. Starts a worker to find out, unless one runs already, and waits until it has started.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when neither can be had, or `RINGMQ_IO` says something unknown; [`Error::NoWorker`] in a context
    /// without workers.
    pub fn io_driver(&self) -> Result<IoDriver, Error> {
        self.core.io_driver()
    }

    /// How many sockets of this context exist. Does not block.
    pub fn socket_count(&self) -> usize {
        self.core.socket_count()
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("sockets", &self.socket_count())
            .finish_non_exhaustive()
    }
}

/// Some sockets keep a context from ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Which, in the order in which they were made.
    pub blocking: Vec<Blocker>,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, blocker) in self.blocking.iter().enumerate() {
            let separator = if place > 0 { "; " } else { "" };
            write!(f, "{separator}{}", blocker.socket_type.wire_name())?;
            for endpoint in &blocker.endpoints {
                write!(f, " {endpoint}")?;
            }
            match (blocker.is_open, blocker.unsent) {
                (true, _) => write!(f, " is open")?,
                (false, 0) => write!(f, " waits for a peer to take note of its end")?,
                (false, 1) => write!(f, " has 1 message to send")?,
                (false, count) => write!(f, " has {count} messages to send")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Unfinished {}

/// Says how a [`Context`] is made.
#[derive(Debug, Clone)]
pub struct ContextBuilder {
    options: ContextOptions,
}

impl ContextBuilder {
    /// The most worker threads, at most 64; the default is 1. They start when first needed, and connections go to the
    /// least loaded one. A context with 0 offers `inproc://` only; other endpoints answer [`Error::NoWorker`].
    pub fn workers(mut self, most: usize) -> Self {
        self.options.workers_max = most;
        self
    }

    /// On which cores the workers run; the default is [`Pinning::Auto`].
    pub fn pinning(mut self, pinning: Pinning) -> Self {
        self.options.pinning = pinning;
        self
    }

    /// The most sockets that may exist at a time; the default is 1023. One more answers [`Error::TooManySockets`].
    pub fn sockets(mut self, most: usize) -> Self {
        self.options.sockets_max = most;
        self
    }

    /// The [linger](crate::Socket::set_linger) of new sockets, except those that subscribe, which do not linger; the default
    /// is 30 s, `None` is for ever.
    pub fn linger(mut self, linger: Option<Duration>) -> Self {
        self.options.linger = linger;
        self
    }

    /// Whether new sockets use IPv6 as well; the default is no.
    pub fn ipv6(mut self, ipv6: bool) -> Self {
        self.options.ipv6 = ipv6;
        self
    }

    /// How the kernel schedules the workers; by default like the thread that makes them start. What it refuses, for want of
    /// `CAP_SYS_NICE` for example, is the answer of the first bind or connect that needs a worker.
    ///
    /// ```no_run
    /// use ringmq::{Context, Scheduling};
    ///
    /// let scheduling = Scheduling {
    ///     policy: Some(1), // SCHED_FIFO
    ///     priority: Some(50),
    /// };
    /// let context = Context::builder().scheduling(scheduling).build();
    /// # drop(context);
    /// ```
    pub fn scheduling(mut self, scheduling: Scheduling) -> Self {
        self.options.scheduling = scheduling;
        self
    }

    /// A name that stands before those of the workers, such as `name/RingMQ/IO/0`; the kernel keeps the first 15 bytes. By
    /// default there is none.
    pub fn thread_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.thread_name_prefix = prefix.into();
        self
    }

    /// The longest message part that may be sent, in bytes; there is no limit by default. A longer one answers
    /// [`Error::MessageTooLong`].
    pub fn send_len_max(mut self, most: usize) -> Self {
        self.options.send_len_max = most;
        self
    }

    /// Whether large bodies are received without a copy; the default is yes. Such a message keeps the memory alive that it was
    /// received into together with others, of 64 KiB and more. Without, each long-kept message has memory of its own.
    pub fn zero_copy_receive(mut self, zero_copy: bool) -> Self {
        self.options.zero_copy_receive = zero_copy;
        self
    }

    /// Makes the context. Does not block, and starts nothing yet.
    pub fn build(self) -> Context {
        Context {
            core: ringmq_core::Context::new(self.options),
        }
    }
}
