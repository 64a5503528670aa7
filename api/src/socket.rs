//! The socket.
#![allow(
    clippy::result_large_err,
    reason = "a message that could not be sent comes back whole"
)]

use std::{fmt, marker::PhantomData, net::SocketAddr, os::fd::OwnedFd, time::Duration};

use ringmq_core::{Error, Events, SocketType, Wait, monitor};
use ringmq_message::{Buffer, Message, Multipart};

use crate::{
    Context, Payload,
    access::Access,
    kind::{Dgram, Dish, HasParts, Kind, NamesPeers, NumbersPeers, Peer, Radio, Receives, Sends, Subscribes},
};

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

/// A part that could not be sent, given back with the reason. `?` turns it into an [`Error`] and lets the part go.
///
/// ```
/// use ringmq::{Context, Error, Push};
///
/// # fn main() -> Result<(), Error> {
/// let push = Push::new(&Context::new())?;
/// let failed = push.try_send("nobody is there").unwrap_err();
/// assert!(matches!(failed.error, Error::WouldBlock));
/// assert_eq!(failed.message, b"nobody is there");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SendError {
    /// Why.
    pub error: Error,
    /// The part.
    pub message: Message,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendError> for Error {
    fn from(failed: SendError) -> Self {
        failed.error
    }
}

/// A message of several parts that could not be sent, given back with the reason. `?` turns it into an [`Error`] and lets
/// the parts go.
#[derive(Debug)]
pub struct SendMultipartError {
    /// Why.
    pub error: Error,
    /// All parts, from the first on.
    pub parts: Multipart,
}

impl fmt::Display for SendMultipartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SendMultipartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendMultipartError> for Error {
    fn from(failed: SendMultipartError) -> Self {
        failed.error
    }
}

impl<K: Kind> fmt::Debug for Socket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &K::TYPE)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Socket<K> {
    /// Makes a socket. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::TooManySockets`], [`Error::Terminated`].
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
    pub fn report_queue_depths(&self) -> usize {
        self.core().report_queue_depths()
    }

    /// Connects to an endpoint, such as `tcp://server:5555`, `tcp://192.168.1.1:0;server:5555` from a given source
    /// address, or `inproc://name`. Returns at once: the connection is made, and made again whenever it breaks, in the
    /// background, and the peer may come later. Unless [immediate](Self::set_immediate) is set, messages may be sent at
    /// once and wait for the connection. May look up the name of a source, and start a worker.
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
    /// given. Empty before the first.
    pub fn last_endpoint(&self) -> String {
        self.core().last_endpoint().to_owned()
    }

    /// What could be done now without waiting; what peers do may change that at any time. Does not block.
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

impl<K: Sends> Socket<K> {
    /// Memory of `len` bytes to fill and then send, which is the way to send a large body without copying it.
    ///
    /// Over `ipc://` to another RingMQ process the peer reads the very bytes that were written here. This holds for
    /// [`Push`](crate::Push), [`Dealer`](crate::Dealer) and [`Pair`](crate::Pair), for bodies longer than an eighth of the
    /// ring (32 KiB by default) that fit its pool (three quarters of [`shm_segment_len`](Self::set_shm_segment_len)).
    /// Otherwise it is memory of the pool, from which a large body is sent without a copy over `tcp://` and `inproc://`.
    ///
    /// The bytes are initialised, but not always zero: they may be those of an earlier message of this socket. Does not
    /// block, except that it gives a peer some microseconds to return memory. A loan that is dropped is returned; one that
    /// is sent by another socket is copied.
    ///
    /// ```
    /// use ringmq::{Context, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// # let context = Context::new();
    /// # let pull = Pull::new(&context)?;
    /// # pull.bind("inproc://frames")?;
    /// # let push = Push::new(&context)?;
    /// # push.connect("inproc://frames")?;
    /// let mut frame = push.loan(100_000);
    /// frame.fill(7);
    /// push.send(frame)?;
    /// assert_eq!(*pull.recv()?, [7; 100_000]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn loan(&self, len: usize) -> Buffer {
        self.core().loan(len)
    }

    /// Sends a message of one part. Waits for room if need be, for as long as the
    /// [send timeout](Self::set_send_timeout) says. Success means that the message is queued, or that the socket's type
    /// drops what it cannot queue ([`Pub`](crate::Pub), [`Router`](crate::Router)). It does not mean that the peer has it.
    ///
    /// Messages that follow each other closely are gathered and sent together. No flush is needed: they leave as soon as
    /// the socket waits for anything, and normally within 0.2 ms if it does not.
    ///
    /// # Errors
    ///
    /// The message comes back with the reason: [`Error::TimedOut`] or, with a timeout of zero, [`Error::WouldBlock`];
    /// [`Error::State`] when it is not the socket's turn ([`Req`](crate::Req), [`Rep`](crate::Rep));
    /// [`Error::HostUnreachable`] ([`Router`](crate::Router) with mandatory routing); [`Error::Terminated`].
    #[inline]
    pub fn send(&self, message: impl Payload) -> Result<(), SendError> {
        send_whole(&self.core, message, None)
    }

    /// Sends a message of one part, without waiting.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::WouldBlock`] when there is no room or no peer.
    #[inline]
    pub fn try_send(&self, message: impl Payload) -> Result<(), SendError> {
        send_whole(&self.core, message, Some(Wait::No))
    }

    /// Sends a message of one part, and waits for room at most for `timeout`, whatever the socket's own timeout is.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_within(&self, message: impl Payload, timeout: Duration) -> Result<(), SendError> {
        send_whole(&self.core, message, Some(Wait::from(Some(timeout))))
    }
}

impl<K: Sends + HasParts> Socket<K> {
    /// Sends one part of a message; [`Message::more`] says whether others follow. The peer gets the message when its
    /// last part is sent, or not at all. Waits like [`send`](Self::send).
    ///
    /// ```
    /// use ringmq::{Context, Message, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let pull = Pull::new(&context)?;
    /// pull.bind("inproc://parts")?;
    /// let push = Push::new(&context)?;
    /// push.connect("inproc://parts")?;
    /// let mut first = Message::from("first");
    /// first.set_more(true);
    /// push.send_part(first)?;
    /// push.send_part("last".into())?;
    /// assert!(pull.recv()?.more());
    /// assert!(!pull.recv()?.more());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); only the first part of a message waits or comes back for want of room.
    pub fn send_part(&self, part: Message) -> Result<(), SendError> {
        send_part(&self.core, part, None)
    }

    /// Sends a message of several parts, which arrive together or not at all. Waits like [`send`](Self::send).
    ///
    /// ```
    /// use ringmq::{Context, Dealer, Router};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let router = Router::new(&context)?;
    /// router.bind("tcp://127.0.0.1:*")?;
    /// let dealer = Dealer::new(&context)?;
    /// dealer.set_routing_id(b"alice")?;
    /// dealer.connect(&router.last_endpoint())?;
    /// dealer.send_multipart(["two", "parts"])?;
    /// let received = router.recv_multipart()?;
    /// assert_eq!(received.len(), 3);
    /// assert_eq!(&*received[0], b"alice");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with all parts coming back. [`Error::InvalidArgument`] when there are no parts.
    pub fn send_multipart<P>(&self, parts: impl IntoIterator<Item = P>) -> Result<(), SendMultipartError>
    where
        P: Into<Message>,
    {
        self.send_parts(parts.into_iter().map(Into::into).collect(), None)
    }

    /// Sends a message of several parts without waiting.
    ///
    /// # Errors
    ///
    /// As [`send_multipart`](Self::send_multipart), with [`Error::WouldBlock`] when there is no room.
    pub fn try_send_multipart<P>(&self, parts: impl IntoIterator<Item = P>) -> Result<(), SendMultipartError>
    where
        P: Into<Message>,
    {
        self.send_parts(parts.into_iter().map(Into::into).collect(), Some(Wait::No))
    }

    fn send_parts(&self, parts: Multipart, wait: Option<Wait>) -> Result<(), SendMultipartError> {
        let mut rest = parts.into_iter();
        let Some(mut part) = rest.next() else {
            let error = Error::InvalidArgument {
                rule: "a message has at least one part",
            };
            return Err(SendMultipartError {
                error,
                parts: Multipart::default(),
            });
        };
        loop {
            let next = rest.next();
            part.set_more(next.is_some());
            if let Err(SendError { error, message }) = send_part(&self.core, part, wait) {
                let parts = std::iter::once(message).chain(next).chain(rest).collect();
                return Err(SendMultipartError { error, parts });
            }
            match next {
                Some(next) => part = next,
                None => return Ok(()),
            }
        }
    }
}

impl<K: Receives> Socket<K> {
    /// Receives the next part. Waits for as long as the [receive timeout](Self::set_receive_timeout) says.
    /// [`Message::more`] tells whether other parts of the same message follow; those are there already.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] or, with a timeout of zero, [`Error::WouldBlock`]; [`Error::State`] when it is not the socket's
    /// turn ([`Req`](crate::Req), [`Rep`](crate::Rep)); [`Error::Terminated`].
    #[inline]
    pub fn recv(&self) -> Result<Message, Error> {
        let mut message = Message::new();
        self.recv_into(&mut message)?;
        Ok(message)
    }

    /// Receives the next part into `message`, whose former content is released; otherwise as [`recv`](Self::recv). In a
    /// tight loop this saves moving messages around.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); `message` may have lost its former content.
    #[inline]
    pub fn recv_into(&self, message: &mut Message) -> Result<(), Error> {
        self.core.recv(message, None)
    }

    /// Receives the next part if it is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), with [`Error::WouldBlock`] when nothing is there.
    #[inline]
    pub fn try_recv(&self) -> Result<Message, Error> {
        let mut message = Message::new();
        self.core.recv(&mut message, Some(Wait::No))?;
        Ok(message)
    }

    /// Receives the next part, and waits for it at most for `timeout`, whatever the socket's own timeout is.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv): [`Error::TimedOut`], or [`Error::WouldBlock`] when `timeout` is zero.
    pub fn recv_within(&self, timeout: Duration) -> Result<Message, Error> {
        let mut message = Message::new();
        self.core.recv(&mut message, Some(Wait::from(Some(timeout))))?;
        Ok(message)
    }
}

impl<K: Receives + HasParts> Socket<K> {
    /// Receives all parts of the next message, or those that are left of the present one. Waits like
    /// [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_multipart(&self) -> Result<Multipart, Error> {
        recv_parts(&self.core, None)
    }

    /// Receives all parts of the next message if it is there.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_multipart(&self) -> Result<Multipart, Error> {
        recv_parts(&self.core, Some(Wait::No))
    }
}

impl<K: Subscribes> Socket<K> {
    /// Subscribes to all messages whose first part begins with `prefix`; the empty prefix is every message. Repeated
    /// subscriptions count, so that it takes as many cancellations to end one. Does not block: the publishers learn of it
    /// in the background, also those that connect later.
    ///
    /// ```
    /// use ringmq::{Context, Pub, Sub};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let publisher = Pub::new(&context)?;
    /// publisher.bind("tcp://127.0.0.1:*")?;
    /// let subscriber = Sub::new(&context)?;
    /// subscriber.subscribe("weather.")?;
    /// subscriber.connect(&publisher.last_endpoint())?;
    /// // Messages sent before the subscription has arrived are not for us, so this one is sent until it comes.
    /// let message = loop {
    ///     publisher.send("weather.rain")?;
    ///     match subscriber.recv_within(std::time::Duration::from_millis(10)) {
    ///         Err(ringmq::Error::TimedOut) => continue,
    ///         received => break received?,
    ///     }
    /// };
    /// assert_eq!(&*message, b"weather.rain");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().subscribe(prefix.as_ref())
    }

    /// Takes one subscription to `prefix` back; if there is none, nothing happens. Does not block: messages that are on
    /// their way may still come to an [`XSub`](crate::XSub), while a [`Sub`](crate::Sub) filters them out.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().unsubscribe(prefix.as_ref())
    }
}

impl<K: NamesPeers> Socket<K> {
    /// Whether a message to the peer with that routing id would find room now. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if nobody has the routing id; [`Error::Terminated`].
    pub fn has_room_for(&self, routing_id: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.core().has_room_for(routing_id.as_ref())
    }
}

impl<K: NumbersPeers> Socket<K> {
    /// Sends a message to the peer with that number, which is the [`routing_id`](Message::routing_id) of what came from it.
    /// Waits like [`send`](Self::send), which takes the number from the message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::HostUnreachable`] if nobody has the number.
    pub fn send_to(&self, peer: u32, message: impl Payload) -> Result<(), SendError> {
        let mut message: Message = message.into();
        message.set_routing_id(peer);
        self.send(message)
    }

    /// Ends the connection to the peer with that number; what is queued for it is dropped. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if nobody has the number; [`Error::Terminated`].
    pub fn disconnect_peer(&self, peer: u32) -> Result<(), Error> {
        self.core().disconnect_peer(peer)
    }
}

impl Socket<Peer> {
    /// Connects to an endpoint, as [`connect`](Self::connect) does, and returns the number of the peer there, to which
    /// messages can be sent at once.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`Error::InvalidArgument`] if the socket is [immediate](Self::set_immediate).
    pub fn connect_peer(&self, endpoint: &str) -> Result<u32, Error> {
        self.core().connect_peer(endpoint)
    }
}

impl Socket<Radio> {
    /// Sends a message to a group of at most 255 bytes: to the peers that have joined it. Waits like [`send`](Self::send),
    /// which takes the group from the message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::InvalidArgument`] for a group that is too long.
    pub fn send_to_group(&self, group: impl AsRef<[u8]>, message: impl Payload) -> Result<(), SendError> {
        let mut message: Message = message.into();
        if message.set_group(group.as_ref()).is_err() {
            let rule = "a group has at most 255 bytes";
            let error = Error::InvalidArgument { rule };
            return Err(SendError { error, message });
        }
        self.send(message)
    }
}

impl Socket<Dgram> {
    /// Sends a datagram to an address. Waits like [`send`](Self::send), until the system has room.
    ///
    /// ```
    /// use ringmq::{Context, Dgram};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let server = Dgram::new(&context)?;
    /// server.bind("udp://127.0.0.1:*")?;
    /// let client = Dgram::new(&context)?;
    /// client.bind("udp://127.0.0.1:*")?;
    /// let address = server.last_endpoint().trim_start_matches("udp://").parse().unwrap();
    /// client.send_datagram(address, "ping")?;
    /// let (from, ping) = server.recv_datagram()?;
    /// server.send_datagram(from, ping)?;
    /// assert_eq!(&*client.recv_datagram()?.1, b"ping");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::HostUnreachable`] while the socket is not bound. A datagram that the system does not
    /// take, because it is too long or the network cannot be reached, is lost and told by the [monitor](Self::monitor).
    pub fn send_datagram(&self, to: SocketAddr, datagram: impl Payload) -> Result<(), SendError> {
        let mut address = Message::from(to.to_string());
        address.set_more(true);
        if let Err(SendError { error, .. }) = self.send_part(address) {
            let message = datagram.into();
            return Err(SendError { error, message });
        }
        self.send(datagram)
    }

    /// Receives a datagram, and who sent it. Waits like [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`Error::State`] if a part of a message was received by itself before.
    pub fn recv_datagram(&self) -> Result<(SocketAddr, Message), Error> {
        let name = self.recv()?;
        let text = std::str::from_utf8(&name).unwrap_or_default();
        let from = text.trim_end_matches('\0').parse().ok();
        match from.filter(|_| name.more()) {
            Some(from) => Ok((from, self.recv()?)),
            None => Err(Error::State),
        }
    }
}

impl Socket<Dish> {
    /// Joins a group of at most 255 bytes, whose messages are received from now on. Does not block: senders learn of it in the
    /// background, also those that connect later.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a group that is too long or joined already; [`Error::Terminated`].
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().join(group.as_ref())
    }

    /// Leaves a group; messages of it that are on their way are not received any more. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a group that is not joined; [`Error::Terminated`].
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().leave(group.as_ref())
    }
}

#[inline]
fn send_whole(core: &impl Access, payload: impl Payload, wait: Option<Wait>) -> Result<(), SendError> {
    let Some(bytes) = payload.to_copy() else {
        let mut message: Message = payload.into();
        message.set_more(false);
        return send_part(core, message, wait);
    };
    match core.send_bytes(bytes, wait) {
        Ok(()) => Ok(()),
        Err(error) => Err(SendError {
            error,
            message: payload.into(),
        }),
    }
}

#[inline]
fn send_part(core: &impl Access, mut message: Message, wait: Option<Wait>) -> Result<(), SendError> {
    match core.send(&mut message, wait) {
        Ok(()) => Ok(()),
        Err(error) => Err(SendError { error, message }),
    }
}

fn recv_parts(core: &impl Access, wait: Option<Wait>) -> Result<Multipart, Error> {
    let mut parts = Multipart::default();
    loop {
        let mut part = Message::new();
        core.recv(&mut part, wait)?;
        let more = part.more();
        parts.push(part);
        if !more {
            return Ok(parts);
        }
    }
}
