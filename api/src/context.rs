//! The context.

use std::time::Duration;

use ringmq_core::{ContextOptions, Error};
pub use ringmq_core::{DriverKind as IoDriver, Pinning};

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

    /// Makes the context. Does not block, and starts nothing yet.
    pub fn build(self) -> Context {
        Context {
            core: ringmq_core::Context::new(self.options),
        }
    }
}
