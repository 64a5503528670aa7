//! RingMQ: ZeroMQ's sockets, wire protocol and semantics on an engine of single-producer single-consumer rings.
//!
//! A [`Context`] owns worker threads, a [`Socket`] of one of the types below sends and receives [`Message`]s. The peer
//! at the other end of a wire may be RingMQ or libzmq (ZMTP 3.0 and 3.1).
//!
//! | type | talks to | sends | receives |
//! |---|---|---|---|
//! | [`Push`] | [`Pull`] | to one peer after the other | – |
//! | [`Pull`] | [`Push`] | – | from all, in turn |
//! | [`Pub`], [`XPub`] | [`Sub`], [`XSub`] | to all who subscribed | XPub: subscriptions |
//! | [`Sub`], [`XSub`] | [`Pub`], [`XPub`] | XSub: subscriptions | what it subscribed to |
//! | [`Req`] | [`Rep`], [`Router`] | a request, then waits | its reply |
//! | [`Rep`] | [`Req`], [`Dealer`] | the reply | a request |
//! | [`Dealer`] | [`Rep`], [`Dealer`], [`Router`] | to one peer after the other | from all, in turn |
//! | [`Router`] | [`Req`], [`Dealer`], [`Router`] | to the peer that the first part names | with the sender's name in front |
//! | [`Pair`] | [`Pair`] | to its one peer | from its one peer |
//! | [`Client`] | [`Server`] | to one server after the other | from all, in turn |
//! | [`Server`] | [`Client`] | to the peer with the message's number | with the sender's number |
//! | [`Peer`] | [`Peer`] | to the peer with the message's number | with the sender's number |
//! | [`Radio`] | [`Dish`] | to all who joined the message's group | – |
//! | [`Dish`] | [`Radio`] | – | what is sent to the groups that it joined |
//! | [`Scatter`] | [`Gather`] | to one peer after the other | – |
//! | [`Gather`] | [`Scatter`] | – | from all, in turn |
//! | [`Channel`] | [`Channel`] | to its one peer | from its one peer |
//! | [`Dgram`] | anything over UDP | datagrams, to the address that the first part names | datagrams, with the sender's address in front |
//! | [`Stream`] | anything over TCP | bytes, to the peer that the first part names | bytes, with the sender's name in front |
//!
//! ```
//! use ringmq::{Context, Pull, Push};
//!
//! # fn main() -> Result<(), ringmq::Error> {
//! let context = Context::new();
//! let pull = Pull::new(&context)?;
//! pull.bind("tcp://127.0.0.1:*")?;
//! let push = Push::new(&context)?;
//! push.connect(&pull.last_endpoint())?;
//! push.send("hello")?;
//! assert_eq!(&*pull.recv()?, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//!
//! A socket may be moved to another thread and used there, but not by two threads at once: it is `Send` and not `Sync`,
//! and the compiler sees to it. The types from [`Client`] to [`Channel`], libzmq's drafts, are `Sync` as well: any number of
//! threads may call them at once, and one that waits for a message keeps nobody from sending. Their messages have one part,
//! and a [`Poller`] does not take them. Contexts and messages may be shared freely.
//!
//! # Endpoints
//!
//! | endpoint | bind | connect |
//! |---|---|---|
//! | `tcp://127.0.0.1:5555`, `tcp://[::1]:5555` | that address | that address |
//! | `tcp://*:5555` | all interfaces | – |
//! | `tcp://eth0:5555` | the address of that interface | – |
//! | `tcp://127.0.0.1:*` | a port that the system chooses; [`Socket::last_endpoint`] tells which | – |
//! | `tcp://server:5555` | the address of that name | the addresses of that name, one after the other |
//! | `tcp://192.168.1.1:0;server:5555` | – | from that source address |
//! | `ipc:///run/app/socket`, `ipc://relative` | a unix socket at that path | who listens there |
//! | `ipc://@name` | that name in the network namespace, without a file | who listens there |
//! | `ipc://*` | a path in a directory of its own, removed in the end | – |
//! | `udp://127.0.0.1:5555`, `udp://*:5555`, `udp://eth0:5555` | datagrams to that address | datagrams to that address |
//! | `udp://239.1.1.1:5555`, `udp://eth0;239.1.1.1:5555` | the group, by that interface | the group, by that interface |
//! | `ws://127.0.0.1:5555/path`, `wss://*:5555/` | WebSockets at that address, as for `tcp` | that resource of that host |
//! | `vsock://*:5555`, `vsock://3:5555` | that port, for all machines or as that one | that machine: 2 is the host, `@` this one |
//! | `inproc://any text` | that name, in this context | the socket that has the name, or will have it |
//!
//! IPv6 takes part when [`Socket::set_ipv6`] says so.
//!
//! Over `ipc://` a path that a live socket has is [`Error::AddressInUse`], and so is one at which anything but a socket lies; the
//! socket of a process that has ended is replaced. Files are removed when their endpoint is unbound or its socket closed,
//! and only their makers remove them. Connections are for the same user and root, unless
//! [`Socket::set_ipc_mode`] and [`Socket::set_ipc_same_user`] say otherwise.
//!
//! `ws://` and `wss://` are ZMTP in WebSockets (RFC 45), for peers that sit behind the web's proxies or in a browser. The path is told to
//! the server, and one that is bound takes any. `wss://` wants a certificate (`set_wss_cert_pem`)
//! and its key (`set_wss_key_pem`) to bind, and whom to trust (`set_wss_trust_pem`) to connect; the server must have the name of the
//! endpoint's host, unless `set_wss_hostname` gives another. TLS takes the feature `wss` of this crate, which is off by
//! default, because its cryptography is built with a C compiler; without it such endpoints are refused as unsupported
//! ([`has`] tells).
//!
//! Over `udp://` a [`Dish`] and a [`Dgram`] bind, and a [`Radio`] connects; other types are
//! [`Error::IncompatibleTransport`]. A message is one datagram: about 65,000 bytes at most, of which libzmq as the receiver reads
//! 8192. Nobody is told of groups that are joined, every receiver picks its own; messages get lost, and what the system refuses to
//! send is a [`Dropped`](monitor::Event::Dropped). [`Socket::set_multicast_hops`] and [`Socket::set_multicast_loop`] say how far
//! a group reaches.
//!
//! # Queues
//!
//! Every connection has a queue in either direction, each with a high-water mark that counts whole messages:
//! [`send_hwm`](Socket::set_send_hwm) and [`receive_hwm`](Socket::set_receive_hwm), 1000 by default. A full queue makes
//! [`Push`], [`Req`] and [`Dealer`] choose another peer, and wait when there is none; it makes [`Pair`] wait; [`Pub`],
//! [`XPub`], [`XSub`], [`Rep`], and [`Router`] unless [mandatory](Socket::set_router_mandatory), drop the message for that
//! peer. Over `inproc://` the mark is the sum of the sender's and the receiver's.
//!
//! A message that was sent is queued, which does not mean that the peer has it: when a connection breaks, messages may be
//! lost. They never arrive cut or twice, and those of one connection arrive in order.
//!
//! # Shared memory
//!
//! Two RingMQ processes that talk over `ipc://` move their messages to memory that they share, without any setting; the unix
//! socket remains for the handshake and as the sign of life, and a libzmq peer goes on using it. The
//! [monitor](Socket::monitor) reports [`SharedMemory`](monitor::Event::SharedMemory). Each side pays for what it sends with
//! [`shm_segment_len`](Socket::set_shm_segment_len) bytes per connection, for up to 256 connections of a context; further ones
//! stay on the socket. [`loan`](Socket::loan) and [`shm_trust_peers`](Socket::set_shm_trust_peers) save the copies of large
//! bodies, [`busy_poll`](Socket::set_busy_poll) the wake-ups. The peer can read what is sent to it and nothing else, and can
//! change nothing that has been received. A process that forks must use its sockets in the parent only.
//!
//! # Blocking
//!
//! Plain calls wait, for as long as the socket's timeouts say (by default for ever); calls that begin with `try_` never
//! wait; calls that end with `_within` wait for as long as they are told. A signal does not end a wait. Binding, connecting
//! and closing never wait for a peer. Dropping the last handle of a context waits until messages of closed sockets are
//! sent, at most for as long as their [linger](Socket::set_linger) says.
//!
//! # Errors
//!
//! [`Error`] is about the caller or the system. What a peer does wrong ends its connection and is told by the socket's
//! [monitor](Socket::monitor). Sends that fail give the message back ([`SendError`]).
//!
//! # The I/O driver
//!
//! Workers use io_uring, or epoll where io_uring is refused; the environment variable `RINGMQ_IO` (`auto`, `uring` or
//! `epoll`) says otherwise. [`Context::io_driver`] tells which it is.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod access;
mod context;
pub mod kind;
pub mod monitor;
mod options;
mod payload;
mod peers;
mod poller;
mod proxy;
mod socket;
mod timers;

pub use context::{Blocker, Context, ContextBuilder, IoDriver, Pinning, Scheduling, Unfinished};
pub use payload::Payload;
pub use peers::{Counters, Drops, PeerId, PeerInfo, Statistics, Traffic};
pub use poller::{Interest, PollEvent, Poller};
pub use proxy::{Proxy, ProxyStatistics};
pub use ringmq_core::options::{Overflow, ReconnectStop, RouterNotify, XpubManual, XpubVerbosity};
pub use ringmq_core::{EndpointFault, Error, Events, OptionFault, SocketType, has};
pub use ringmq_message::{Buffer, Message, Multipart, Properties, message::GroupTooLong};
pub use socket::{SendError, SendMultipartError, Socket};
pub use timers::{TimerId, Timers};

macro_rules! sockets {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])* pub type $name = Socket<kind::$name>;)*
    };
}

sockets! {
    /// Sends each message to one of its peers, in turn, as far as they have room, and waits while none has (RFC 30).
    Push;
    /// Receives from all its peers, in turn (RFC 30).
    Pull;
    /// Sends each message to every peer with a matching subscription; a peer that is too slow misses messages (RFC 29).
    Pub;
    /// Receives the messages whose first part begins with a prefix that it has subscribed to (RFC 29).
    Sub;
    /// A [`Pub`] that receives the subscriptions of its peers as messages: a byte 1 (or 0 for a cancellation), then the
    /// prefix (RFC 29).
    XPub;
    /// A [`Sub`] that may also subscribe by sending such messages, and does not filter (RFC 29). Any other message that it
    /// sends goes to all its publishers.
    XSub;
    /// Sends a request, then receives its reply, and so on (RFC 28). Calls out of turn answer [`Error::State`], unless
    /// [relaxed](Socket::set_req_relaxed).
    Req;
    /// Receives a request, then sends its reply, and so on (RFC 28). Calls out of turn answer [`Error::State`]. A reply
    /// whose asker is gone, or has no room, is dropped.
    Rep;
    /// Sends to its peers in turn and receives from all of them (RFC 28).
    Dealer;
    /// Receives messages with the sender's routing id in front, and sends to the peer that the first part names (RFC 28).
    /// Messages to nobody, or to a peer without room, are dropped unless [mandatory](Socket::set_router_mandatory).
    Router;
    /// Talks to exactly one peer at a time (RFC 31); further ones are disconnected.
    Pair;
    /// Exchanges bytes with peers that speak no ZMTP, over `tcp://`. What comes from a peer is received in pieces, as messages
    /// of two parts: the peer's routing id and the bytes. Bytes are sent the same way; no bytes, behind a routing id, close the
    /// connection. A peer that connects or is gone is reported by such an empty message, unless
    /// [`set_stream_notify`](Socket::set_stream_notify) says otherwise. Bytes to nobody are [`Error::HostUnreachable`].
    Stream;
    /// Exchanges datagrams with anybody, over `udp://`, where it is bound, to one endpoint. Messages have two parts: the address of
    /// the other end, and the bytes. [`send_datagram`](Socket::send_datagram) and [`recv_datagram`](Socket::recv_datagram) deal with the
    /// addresses; as a part an address is text like `127.0.0.1:5555` or `[::1]:5555`, with a zero byte behind it when it is received,
    /// as in libzmq.
    Dgram;
    /// Sends to its servers in turn and receives from all of them (RFC 41). [For many threads](kind::Concurrent).
    Client;
    /// Receives messages with the sender's number in [`Message::routing_id`], and sends to the peer with the message's number
    /// (RFC 41). Messages to nobody are [`Error::HostUnreachable`]. [For many threads](kind::Concurrent).
    Server;
    /// Sends each message to every peer that has joined its [group](Message::group); a peer that is too slow misses messages
    /// (RFC 48). [For many threads](kind::Concurrent).
    Radio;
    /// Receives the messages of the groups that it has joined (RFC 48). [For many threads](kind::Concurrent).
    Dish;
    /// A [`Push`] for [many threads](kind::Concurrent) (RFC 49).
    Scatter;
    /// A [`Pull`] for [many threads](kind::Concurrent) (RFC 49).
    Gather;
    /// A [`Server`] among its like, which can also [connect](Socket::connect_peer) (RFC 51).
    /// [For many threads](kind::Concurrent).
    Peer;
    /// A [`Pair`] for [many threads](kind::Concurrent) (RFC 52).
    Channel;
}

/// The README's example is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
