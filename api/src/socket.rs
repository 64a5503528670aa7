//! The socket.
#![allow(
    clippy::result_large_err,
    reason = "a message that could not be sent comes back whole"
)]

mod addressed;
mod receive;
mod send;
mod send_error;
mod subscribe;

use std::{fmt, marker::PhantomData, os::fd::OwnedFd};

use ringmq_core::{Error, Events, SocketType, monitor};

use crate::{Context, access::Access, kind::Kind};

pub use send_error::{SendError, SendMultipartError};

/// A socket of one of ZeroMQ's types; [`Push`](crate::Push), [`Pull`](crate::Pull) and so on are its names.
///
/// Dropping it does not block: what it has not sent yet goes on being sent in the background, for as long as
/// [linger](Self::set_linger) says. What it has received and the application has not is gone.
pub struct Socket<K: Kind> {
    pub(crate) core: K::Access,
    /// The kind is a name, not something that the socket owns.
    kind: PhantomData<fn() -> K>,
}

/// Connections that the kernel completes ahead of us: as many as Linux allows unless it is told otherwise.
const BACKLOG: u32 = 4096;

impl<K: Kind> fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &K::TYPE)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Socket<K> {
    /// Makes a socket of the context. Does not block, and starts nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::TooManySockets`] beyond the context's [limit](crate::ContextBuilder::sockets); [`Error::Terminated`].
    pub fn new(context: &Context) -> Result<Self, Error> {
        let mut core = ringmq_core::Socket::new(&context.core, K::TYPE)?;
        // libzmq's 100 make peers that come all at once wait for seconds.
        core.set_options(|options| options.backlog = BACKLOG);
        Ok(Self {
            core: K::Access::new(core),
            kind: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn core(&self) -> <K::Access as Access>::Guard<'_> {
        self.core.core()
    }

    /// The socket's type.
    pub fn socket_type(&self) -> SocketType {
        K::TYPE
    }

    /// Listens on an endpoint, such as `tcp://127.0.0.1:5555`, `tcp://*:5555`, `tcp://eth0:5555`, `tcp://[::1]:5555` or
    /// `inproc://name`; with `*` as the port the system chooses one, which [`last_endpoint`](Self::last_endpoint) tells.
    /// Peers can connect when this returns. A socket may be bound to any number of endpoints.
    ///
    /// May look up a host name and start a worker, and otherwise does not block.
    ///
    /// ```
    /// use ringmq::{Context, Error, Pull};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let context = Context::new();
    /// let pull = Pull::new(&context)?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// pull.bind("inproc://work")?;
    /// let other = Pull::new(&context)?;
    /// assert!(matches!(other.bind("inproc://work"), Err(Error::AddressInUse { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidEndpoint`], [`Error::UnsupportedTransport`], [`Error::AddressInUse`],
    /// [`Error::AddressNotAvailable`], [`Error::NoDevice`], [`Error::NoWorker`], [`Error::Terminated`], [`Error::Io`]. The
    /// socket is as it was before.
    pub fn bind(&self, endpoint: &str) -> Result<(), Error> {
        self.core().bind(endpoint)
    }

    /// Listens with a socket that is bound and listens already, as a service manager hands it over. `endpoint` says by its scheme
    /// which transport it is; [`last_endpoint`](Self::last_endpoint) tells the address that it is really bound to. Its file, over
    /// `ipc://`, stays when the endpoint goes.
    ///
    /// ```
    /// use ringmq::{Context, Pull};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let address = format!("tcp://{}", listener.local_addr()?);
    /// let pull = Pull::new(&Context::new())?;
    /// pull.bind_listener("tcp://*:0", listener)?;
    /// assert_eq!(pull.last_endpoint(), address);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind), with [`Error::IncompatibleTransport`] for transports without listening sockets, and
    /// [`Error::Io`] if the descriptor is of none. The listener is closed.
    pub fn bind_listener(&self, endpoint: &str, listener: impl Into<OwnedFd>) -> Result<(), Error> {
        self.core().bind_listener(endpoint, listener.into())
    }

    /// Tells this socket's [monitor](Self::monitor) how many messages wait for each peer and from it, by an event
    /// ([`Event::QueueDepths`](crate::monitor::Event::QueueDepths)) for each. Returns how many peers there are. Does not block.
    ///
    /// ```
    /// use ringmq::{Context, Push, monitor::Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let endpoint = format!("tcp://{}", nobody.local_addr()?);
    /// let push = Push::new(&Context::new())?;
    /// # push.set_linger(Some(std::time::Duration::ZERO));
    /// let events = push.monitor();
    /// push.connect(&endpoint)?;
    /// push.send("to somebody who does not answer")?;
    /// assert_eq!(push.report_queue_depths(), 1);
    /// loop {
    ///     if let Event::QueueDepths { to_send, .. } = events.recv_timeout(None)?.event {
    ///         assert_eq!(to_send, 1);
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn report_queue_depths(&self) -> usize {
        self.core().report_queue_depths()
    }

    /// Connects to an endpoint, such as `tcp://server:5555`, `tcp://192.168.1.1:0;server:5555` from a given source
    /// address, or `inproc://name`. Returns at once: the connection is made, and made again whenever it breaks, in the
    /// background, and the peer may come later. Unless [immediate](Self::set_immediate) is set, messages may be sent at
    /// once and wait for the connection. May look up the name of a source and start a worker, and otherwise does not block.
    ///
    /// ```
    /// use ringmq::{Context, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let push = Push::new(&context)?;
    /// push.connect("inproc://later")?;
    /// push.send("for whoever comes")?;
    /// let pull = Pull::new(&context)?;
    /// pull.bind("inproc://later")?;
    /// assert_eq!(&*pull.recv()?, b"for whoever comes");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A socket may be connected to any number of endpoints. A second connection to the same one is made by types that
    /// share work out or answer ([`Push`](crate::Push), [`Pull`](crate::Pull), [`Rep`](crate::Rep),
    /// [`Router`](crate::Router), [`XPub`](crate::XPub), [`XSub`](crate::XSub)), and does nothing over TCP for
    /// [`Pub`](crate::Pub), [`Sub`](crate::Sub), [`Req`](crate::Req) and [`Dealer`](crate::Dealer), as in libzmq.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidEndpoint`], [`Error::UnsupportedTransport`], [`Error::NoDevice`] for a source that is not there,
    /// [`Error::RoutingIdInUse`] for a [`Router`](crate::Router) that is to give the peer a name which another one has,
    /// [`Error::NoWorker`], [`Error::Terminated`], [`Error::Io`]. A peer that is not there, or a name that nobody knows,
    /// is no error: the [monitor](Self::monitor) tells of the attempts.
    pub fn connect(&self, endpoint: &str) -> Result<(), Error> {
        self.core().connect(endpoint)
    }

    /// Stops listening on an endpoint and closes the connections that were accepted there; what is not sent to them yet is
    /// still tried for as long as [linger](Self::set_linger) says. The address is free when this returns, for which it
    /// waits until the workers have answered: not for peers, normally for microseconds, at most a second each.
    ///
    /// ```
    /// use ringmq::{Context, Error, Pull};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let pull = Pull::new(&Context::new())?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// let endpoint = pull.last_endpoint();
    /// pull.unbind(&endpoint)?;
    /// assert!(matches!(pull.unbind(&endpoint), Err(Error::NoSuchEndpoint { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`]: the text must be what [`last_endpoint`](Self::last_endpoint) told after binding.
    pub fn unbind(&self, endpoint: &str) -> Result<(), Error> {
        self.core().unbind(endpoint)
    }

    /// Ends the connection to an endpoint; what is not sent yet is still tried for as long as
    /// [linger](Self::set_linger) says, and what was received and not read is gone. Waits for the workers' answer as
    /// [`unbind`](Self::unbind) does.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`]: the text must be what was given to [`connect`](Self::connect).
    pub fn disconnect(&self, endpoint: &str) -> Result<(), Error> {
        self.core().disconnect(endpoint)
    }

    /// The endpoint last bound, with its real address and port (`tcp://0.0.0.0:5555`), or last connected, as it was
    /// given. Empty before the first. Does not block.
    pub fn last_endpoint(&self) -> String {
        self.core().last_endpoint().to_owned()
    }

    /// What could be done now without waiting; what peers do may change that at any time. Does not block. A
    /// [`Poller`](crate::Poller) waits for it.
    ///
    /// ```
    /// use ringmq::{Context, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let push = Push::new(&Context::new())?;
    /// assert!(!push.events()?.writable, "without a peer a send would wait");
    /// push.connect("inproc://later")?;
    /// assert!(push.events()?.writable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn events(&self) -> Result<Events, Error> {
        self.core().events()
    }

    /// How many peers the socket can exchange messages with: those that are connected, and those that it connects to
    /// and may queue for. Does not block.
    pub fn peer_count(&self) -> usize {
        self.core().pipe_count()
    }

    /// Which processes, users and groups the socket's peers over `ipc://` are, as the kernel says: each peer that is connected,
    /// and each that a connection is being made to again, as it was last. Does not block. The
    /// [monitor](Self::monitor) says it of each connection.
    ///
    /// ```
    /// # fn main() -> Result<(), ringmq::Error> {
    /// use ringmq::{Context, Rep, Req};
    ///
    /// let context = Context::new();
    /// let rep = Rep::new(&context)?;
    /// rep.bind("ipc://*")?;
    /// let req = Req::new(&context)?;
    /// req.connect(&rep.last_endpoint())?;
    /// req.send("who am I?")?;
    /// rep.recv()?;
    /// assert_eq!(rep.peer_credentials()[0].pid as u32, std::process::id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn peer_credentials(&self) -> Vec<monitor::Credentials> {
        self.core().peer_credentials()
    }

    /// Reports everything that happens to the socket's connections from now on; an earlier monitor ends. A reader that
    /// does not keep up misses events beyond 1024 and is told how many, but holds nothing up. Does not block; see
    /// [`monitor`](crate::monitor) for an example.
    pub fn monitor(&self) -> monitor::MonitorReceiver {
        self.core().monitor(monitor::EventMask::ALL)
    }
}
