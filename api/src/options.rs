//! Options as typed methods. What they mean is libzmq's, under libzmq's names where these read well.

use std::time::Duration;

use ringmq_core::{
    Error, OptionFault,
    options::{Overflow, ReconnectStop, RouterNotify, XpubManual, XpubVerbosity, number},
};

use crate::{
    Socket,
    kind::{
        Conflates, DropsOrWaits, Greets, HasRoutingId, HearsDisconnects, HearsHiccups, Kind, Matches,
        NamesPeers, Publishes, Receives, Req, Router, Sends, Stream, XPub, XSub,
    },
};

/// A pair of methods per option that is a plain field.
macro_rules! options {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $set(&self, $get: $type) {
                self.core().set_options(|options| options.$get = $get);
            }

            #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") has set, or the default.")]
            pub fn $get(&self) -> $type {
                self.core().options().$get.clone()
            }
        )*
    };
}

/// A pair of methods per option that is a message.
macro_rules! messages {
    ($($(#[$doc:meta])* $get:ident, $set:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $set(&self, $get: impl Into<Vec<u8>>) {
                let $get = $get.into();
                self.core().set_options(|options| options.$get = $get);
            }

            #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") has set, or nothing.")]
            pub fn $get(&self) -> Vec<u8> {
                self.core().options().$get.clone()
            }
        )*
    };
}

/// Options of every socket. Those that say *live* take effect at once, the others at the next bind or connect.
impl<K: Kind> Socket<K> {
    options! {
        /// How long messages of a closed socket go on being sent (live): `None` is for ever, zero drops them. The default
        /// is what the context was made with, 30 s unless said otherwise, and zero for types that subscribe.
        linger, set_linger: Option<Duration>;
        /// The shortest pause before an attempt to connect again, to which a random part of up to as much is added; zero is
        /// 10 ms, `None` never tries again. The default is 100 ms.
        reconnect_interval, set_reconnect_interval: Option<Duration>;
        /// How long the pauses may become while attempts fail, each drawn at random from a range that doubles; `None`, the
        /// default, does not let them grow.
        reconnect_interval_max, set_reconnect_interval_max: Option<Duration>;
        /// Which failures end an endpoint for good, beside a peer that breaks the protocol. The default is none.
        reconnect_stop, set_reconnect_stop: ReconnectStop;
        /// Connections that the kernel completes ahead of us, at most as many as the system allows. The default is 4096.
        backlog, set_backlog: u32;
        /// Bytes of memory that this side of an `ipc://` connection shares with a peer that is RingMQ, too; rounded up to a
        /// power of two, at least 64 KiB and at most 64 MiB. Zero leaves messages to the local socket. The default is 1 MiB.
        shm_segment_len, set_shm_segment_len: u32;
        /// Whether large bodies from `ipc://` peers are read where the peer wrote them instead of being copied. The peer can
        /// then change a message while it is read, so say yes only to peers that you trust as yourself. The default is no.
        shm_trust_peers, set_shm_trust_peers: bool;
        /// How long a blocked call spins before it sleeps (live), which saves the time of a wake-up and uses a whole core
        /// meanwhile: worth it for an exchange that must be as fast as it can be, on a machine with a core to spare. Zero
        /// sleeps at once. `None`, the default, leaves the core to others for a short time and then sleeps.
        busy_poll, set_busy_poll: Option<Duration>;
        /// The largest message part in bytes that a peer may send over a wire; a larger one ends its connection. `None`,
        /// the default, sets no limit; memory is used only for what has arrived.
        max_message_size, set_max_message_size: Option<u64>;
        /// Whether to queue messages only for established connections, and to drop them when the connection ends. The
        /// default is no: a connecting socket queues at once and keeps its queue over reconnects.
        immediate, set_immediate: bool;
        /// How long the handshake of a connection may take in total; `None` is for ever. The default is 30 s.
        handshake_interval, set_handshake_interval: Option<Duration>;
        /// How often a peer is sent a PING (RFC 37); `None`, the default, and zero send none.
        heartbeat_interval, set_heartbeat_interval: Option<Duration>;
        /// How long a peer may stay silent after a PING before its connection ends; `None`, the default, is the heartbeat
        /// interval, and zero is for ever.
        heartbeat_timeout, set_heartbeat_timeout: Option<Duration>;
        /// How long the peer shall wait for our next sign of life before it gives up; in steps of 100 ms, at most
        /// 6553 s. Zero, the default, leaves that to the peer.
        heartbeat_ttl, set_heartbeat_ttl: Duration;
        /// How long an attempt to connect may take; `None`, the default, leaves that to the kernel.
        connect_timeout, set_connect_timeout: Option<Duration>;
        /// Whether names and wildcards include IPv6. The default is what the context was made with.
        ipv6, set_ipv6: bool;
        /// Bitmap of the workers that may serve the next endpoints, bit 0 for the first; 0, the default, leaves the choice to
        /// the context.
        affinity, set_affinity: u64;
        /// SO_SNDBUF in bytes; `None`, the default, leaves it to the kernel, which adapts it.
        send_buffer, set_send_buffer: Option<u32>;
        /// SO_RCVBUF in bytes; `None`, the default, leaves it to the kernel, which adapts it.
        receive_buffer, set_receive_buffer: Option<u32>;
        /// SO_KEEPALIVE; `None`, the default, leaves it to the kernel.
        tcp_keepalive, set_tcp_keepalive: Option<bool>;
        /// TCP_KEEPCNT; `None`, the default, leaves it to the kernel.
        tcp_keepalive_count, set_tcp_keepalive_count: Option<u32>;
        /// TCP_KEEPIDLE in whole seconds; `None`, the default, leaves it to the kernel.
        tcp_keepalive_idle, set_tcp_keepalive_idle: Option<Duration>;
        /// TCP_KEEPINTVL in whole seconds; `None`, the default, leaves it to the kernel.
        tcp_keepalive_interval, set_tcp_keepalive_interval: Option<Duration>;
        /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged; `None`, the default, leaves it to the kernel.
        tcp_max_retransmit, set_tcp_max_retransmit: Option<Duration>;
        /// IP_TOS and IPV6_TCLASS. The default, 0, leaves it to the kernel.
        tos, set_tos: u32;
        /// SO_PRIORITY. The default, 0, leaves it to the kernel.
        priority, set_priority: u32;
        /// SO_BUSY_POLL in microseconds, for which the kernel polls the network device; 0, the default, is off.
        /// [`set_busy_poll`](Self::set_busy_poll) is about the calls of this library.
        busy_poll_us, set_busy_poll_us: u32;
        /// How many routers, plus one, what is sent to a group over `udp://` may pass: 1 to 255. The default is 1, the local network.
        multicast_hops, set_multicast_hops: u32;
        /// Whether members of a group on this machine receive what is sent to it over `udp://` from here. The default is yes.
        multicast_loop, set_multicast_loop: bool;
        /// The most bytes that are given to the kernel with one call, unless a single message is longer: a smaller number lets other
        /// connections of the same worker have their turn sooner. At least 4 KiB. `None`, the default, is 256 KiB.
        out_batch_size, set_out_batch_size: Option<u32>;
        /// Whether to let in peers of ZMTP 2.0 (RFC 15), such as libzmq 3.x. They know no heartbeats and no metadata. The default
        /// is no: such a peer is disconnected.
        zmtp2_peers, set_zmtp2_peers: bool;
        /// The SOCKS5 proxy, `host:port`, through which `tcp://` endpoints are connected to: it looks up their names, too. `None`,
        /// the default, connects directly.
        socks_proxy, set_socks_proxy: Option<String>;
        /// The name that is given to the SOCKS5 proxy when it asks for one, of which the first 255 bytes count;
        /// `None`, the default, has none.
        socks_username, set_socks_username: Option<String>;
        /// The password that goes with [`set_socks_username`](Self::set_socks_username), of which the first 255 bytes count.
        socks_password, set_socks_password: Option<String>;
        /// SO_BINDTODEVICE; `None`, the default, uses any interface.
        bind_to_device, set_bind_to_device: Option<String>;
        /// Whether to refuse peers over `ipc://` whose processes run neither as our user nor as root: on accepting, and on
        /// connecting to where another user listens. The default is yes. A refused peer is an
        /// [`AcceptFailed`](crate::monitor::Event::AcceptFailed) with its credentials, and on connecting a
        /// [`HandshakeFailed`](crate::monitor::Event::HandshakeFailed), after which it is tried again.
        ipc_same_user, set_ipc_same_user: bool;
        /// Users whose connections bound `ipc://` endpoints take. While any of the three lists has an entry, a peer must be in
        /// one of them, and [`set_ipc_same_user`](Self::set_ipc_same_user) is not asked. Empty by default.
        ipc_filter_uid, set_ipc_filter_uid: Vec<u32>;
        /// Groups, effective or supplementary ones of the peer's process; as
        /// [`set_ipc_filter_uid`](Self::set_ipc_filter_uid).
        ipc_filter_gid, set_ipc_filter_gid: Vec<u32>;
        /// Process ids, as [`set_ipc_filter_uid`](Self::set_ipc_filter_uid). They say who connected, and not who holds the
        /// connection by now.
        ipc_filter_pid, set_ipc_filter_pid: Vec<u32>;
    }

    /// The permission bits of the files that stand for bound `ipc://` endpoints: whoever may write the file may connect. They
    /// are in force from the moment at which the file appears. `None` leaves them to the process's umask. The default is
    /// `Some(0o600)`; to let other users in takes [`set_ipc_same_user`](Self::set_ipc_same_user) or a filter as well.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for more than the nine permission bits.
    ///
    /// ```
    /// # fn main() -> Result<(), ringmq::Error> {
    /// use ringmq::{Context, Rep};
    ///
    /// let rep = Rep::new(&Context::new())?;
    /// rep.set_ipc_mode(Some(0o660))?;
    /// rep.set_ipc_filter_gid(vec![100]);
    /// assert!(rep.set_ipc_mode(Some(0o4755)).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_ipc_mode(&self, mode: Option<u32>) -> Result<(), Error> {
        let int = mode.map_or(-1, |mode| i32::try_from(mode).unwrap_or(i32::MAX));
        self.core().set_raw_option(number::IPC_MODE, &int.to_ne_bytes())
    }

    /// What [`set_ipc_mode`](Self::set_ipc_mode) has set, or the default.
    pub fn ipc_mode(&self) -> Option<u32> {
        self.core().options().ipc_mode
    }

    /// Takes connections to `tcp://` endpoints that are bound from now on only from the networks that were added: `10.0.0.0/8`, or
    /// a single address. A refused peer is an [`AcceptFailed`](crate::monitor::Event::AcceptFailed). Without any, all are taken.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for what is neither.
    pub fn add_tcp_accept_filter(&self, network: &str) -> Result<(), Error> {
        if network.is_empty() {
            let (number, name) = (number::TCP_ACCEPT_FILTER, "TCP_ACCEPT_FILTER");
            let why = OptionFault::Malformed;
            return Err(Error::InvalidOption { number, name, why });
        }
        self.core()
            .set_raw_option(number::TCP_ACCEPT_FILTER, network.as_bytes())
    }

    /// Takes connections from everywhere again, on endpoints that are bound from now on.
    pub fn clear_tcp_accept_filter(&self) {
        self.core()
            .set_options(|options| options.tcp_accept_filter.clear());
    }

    /// Announces a property to every peer of the next endpoints in the handshake; its name begins with `X-`. Several add
    /// up. The peer finds them with every message from this socket ([`Message::properties`](crate::Message::properties)).
    ///
    /// ```
    /// use ringmq::{Context, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let pull = Pull::new(&context)?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// let push = Push::new(&context)?;
    /// push.add_metadata("X-Colour", "blue")?;
    /// push.connect(&pull.last_endpoint())?;
    /// push.send("")?;
    /// let properties = pull.recv()?.properties().unwrap();
    /// assert_eq!(properties.get("X-Colour"), Some(&b"blue"[..]));
    /// assert_eq!(properties.peer_address(), Some("127.0.0.1"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] when the name does not begin with `X-`, or is that alone.
    pub fn add_metadata(&self, name: &str, value: &str) -> Result<(), Error> {
        self.core()
            .set_raw_option(number::METADATA, format!("{name}:{value}").as_bytes())
    }
}

/// Options of sockets that send.
impl<K: Sends> Socket<K> {
    options! {
        /// Messages that may wait to be sent to one peer (live), counted as wholes; 0 sets no limit. The default is
        /// 1000. What the kernel holds and the one batch of at most 256 KiB on its way there do not count.
        send_hwm, set_send_hwm: u32;
        /// Bytes of messages that may wait to be sent to one peer, beside the high-water mark (live): the queue is full when
        /// either is reached. A message that finds the queue below the limit is taken however long it is, so that the longest
        /// one may exceed it. `None`, the default, sets no limit. Over `inproc://` the receiver's limit, if it has one, is
        /// added.
        send_bytes_max, set_send_bytes_max: Option<u64>;
        /// How long a send waits (live); `None`, the default, is for ever, and zero does not wait.
        send_timeout, set_send_timeout: Option<Duration>;
    }
}

/// Options of sockets that receive.
impl<K: Receives> Socket<K> {
    options! {
        /// Messages of one peer that may wait to be received (live), counted as wholes; 0 sets no limit. The default is
        /// 1000. What was received in one go may exceed it, by at most 64 KiB.
        receive_hwm, set_receive_hwm: u32;
        /// Bytes of one peer's messages that may wait to be received, beside the high-water mark (live; over `inproc://` for
        /// new connections): what is beyond stays with the peer. What was received in one go may exceed it, by at most
        /// 64 KiB or one message. `None`, the default, sets no limit. Over shared memory the length of the peer's segment is
        /// the limit.
        receive_bytes_max, set_receive_bytes_max: Option<u64>;
        /// How long a receive waits (live); `None`, the default, is for ever, and zero does not wait.
        receive_timeout, set_receive_timeout: Option<Duration>;
    }
}

/// Options of sockets that a [`Router`](crate::Router) can name.
impl<K: HasRoutingId> Socket<K> {
    /// The routing id that peers of type ROUTER know this socket by, from the next bind or connect on: 1 to 255 bytes. One
    /// that begins with a zero byte is refused by peers.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for any other length.
    pub fn set_routing_id(&self, id: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().set_raw_option(number::ROUTING_ID, id.as_ref())
    }

    /// The routing id that is announced; empty announces none.
    pub fn routing_id(&self) -> Vec<u8> {
        self.core().options().routing_id.clone()
    }

    options! {
        /// Whether to send an empty message on every new connection (live), by which a peer ROUTER learns of it. The
        /// default is no.
        probe_router, set_probe_router: bool;
    }
}

/// Options of sockets that can keep only the newest message.
impl<K: Conflates> Socket<K> {
    options! {
        /// Whether a queue holds only the newest message, which replaces the one before. No high-water mark applies then,
        /// and messages have one part: sending another one is [`Error::InvalidArgument`]. The default is no.
        conflate, set_conflate: bool;
    }
}

/// Options of sockets that can greet their peers.
impl<K: Greets> Socket<K> {
    messages! {
        /// The message that every new peer is sent before any other. Empty, the default, sends none.
        hello_message, set_hello_message;
    }
}

/// Options of sockets that can be told of lost peers that had connected.
impl<K: HearsDisconnects> Socket<K> {
    messages! {
        /// The message that is received, as if from the peer and behind everything else from it, when a peer that had
        /// connected is lost. Empty, the default, is none.
        disconnect_message, set_disconnect_message;
    }
}

/// Options of sockets that can be told of lost connections.
impl<K: HearsHiccups> Socket<K> {
    messages! {
        /// The message that is received, as if from the peer and behind everything else from it, when a connection over a
        /// wire that this socket had made is lost and will be made again. Empty, the default, is none.
        hiccup_message, set_hiccup_message;
    }
}

/// Options of a REQ.
impl Socket<Req> {
    options! {
        /// Whether to number requests and to accept only the reply to the last one (live). The default is no.
        req_correlate, set_req_correlate: bool;
        /// Whether the next request may be sent before the reply to the last one (live), for when that is lost; to be
        /// used together with [correlation](Self::set_req_correlate). The default is no.
        req_relaxed, set_req_relaxed: bool;
    }
}

/// Options of a ROUTER.
impl Socket<Router> {
    options! {
        /// Whether a message to a peer that is not there is [`Error::HostUnreachable`], and one to a peer without room waits
        /// (live). The default is no: either is dropped.
        router_mandatory, set_router_mandatory: bool;
        /// Whether a new peer takes over a routing id that is in use (live), and the old one is disconnected. The
        /// default is no: the new one is refused, which it sees as a disconnect.
        router_handover, set_router_handover: bool;
        /// Whether to receive an empty message as if from a peer when it connects over a wire, and when its connection is
        /// lost, behind everything else that it has sent. The default is neither.
        router_notify, set_router_notify: RouterNotify;
    }

    /// Whether peers speak no ZMTP, as those of a [`Stream`](crate::Stream), which is to be preferred; to be set before
    /// binding and connecting. The default is no.
    pub fn set_router_raw(&self, raw: bool) {
        self.core().set_options(|options| options.router_raw = raw);
    }
}

/// Options of sockets that can name the peers that they connect to.
impl<K: NamesPeers> Socket<K> {
    /// The name by which the peer of the next connect, and of that only, is known here: 1 to 255 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for any other length.
    pub fn set_connect_routing_id(&self, id: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core()
            .set_raw_option(number::CONNECT_ROUTING_ID, id.as_ref())
    }
}

/// Options of a STREAM.
impl Socket<Stream> {
    options! {
        /// The most bytes that are received at a time, at least 1. `None`, the default, is 8192.
        in_batch_size, set_in_batch_size: Option<u32>;
        /// Whether the beginning and the end of every connection are received as an empty message behind the peer's routing
        /// id. The default is yes.
        stream_notify, set_stream_notify: bool;
    }

    /// The routing id of the peer that was connected to or accepted last; empty before the first. After
    /// [`connect`](Self::connect) it is that of the new peer, to which bytes can be sent at once.
    pub fn last_peer_id(&self) -> Vec<u8> {
        self.core().last_given_routing_id().unwrap_or_default()
    }
}

/// Options of endpoints over TLS, with the feature `wss`. They take effect at the next bind or connect.
#[cfg(feature = "wss")]
impl<K: Kind> Socket<K> {
    options! {
        /// The private key for binding `wss://` endpoints, as PEM.
        wss_key_pem, set_wss_key_pem: Option<String>;
        /// The certificate for binding `wss://` endpoints, followed by those that vouch for it, as PEM.
        wss_cert_pem, set_wss_cert_pem: Option<String>;
        /// The certificates that are trusted when `wss://` endpoints are connected to, as PEM. Without these and
        /// [`set_wss_trust_system`](Self::set_wss_trust_system) nobody is.
        wss_trust_pem, set_wss_trust_pem: Option<String>;
        /// The name that the certificate of a `wss://` server must have; `None`, the default, is the host of the endpoint.
        wss_hostname, set_wss_hostname: Option<String>;
        /// Whether to trust the certificates that the system trusts, for `wss://`. The default is no.
        wss_trust_system, set_wss_trust_system: bool;
    }
}

/// Options of sockets that drop messages for peers without room.
impl<K: DropsOrWaits> Socket<K> {
    options! {
        /// Whether a message waits, as long as the send timeout says, until all its receivers have room (live), instead of
        /// missing those that have none. The default is no.
        xpub_nodrop, set_xpub_nodrop: bool;
        /// What becomes of a message for a peer whose queue is full, unless
        /// [`set_xpub_nodrop`](Self::set_xpub_nodrop) says that it waits. The default is [`Overflow::DropNewest`]. With
        /// [`Overflow::DropOldest`] every message passes through a worker, and connections over `ipc://` do not share memory;
        /// over `inproc://` it holds for subscribers that connect to a publisher, and publishers that connect. With
        /// [`Overflow::Disconnect`] the monitor tells the reason
        /// ([`TooSlow`](crate::monitor::DisconnectReason::TooSlow)), and the peer may come back.
        overflow, set_overflow: Overflow;
    }
}

/// Options of sockets that publish.
impl<K: Publishes> Socket<K> {
    options! {
        /// Whether only the first part of a message from an [`XSub`](crate::XSub) can be a subscription (live); if it is none,
        /// nor are the others. The default is no: every part that begins with a byte 0 or 1 is one.
        only_first_subscribe, set_only_first_subscribe: bool;
    }

    messages! {
        /// The message that every new subscriber is sent before any other (live), whatever it subscribes to; a
        /// [`Sub`](crate::Sub) must itself subscribe to it. Empty, the default, sends none.
        xpub_welcome, set_xpub_welcome;
    }
}

/// Options of sockets that match subscriptions.
impl<K: Matches> Socket<K> {
    options! {
        /// Whether messages go to those whose subscriptions do not match (live); to be set on both sides. The default
        /// is no.
        invert_matching, set_invert_matching: bool;
    }

    /// How many distinct prefixes are subscribed to: by the socket itself ([`Sub`](crate::Sub), [`XSub`](crate::XSub)), or
    /// by its peers as far as it has heard of them ([`Pub`](crate::Pub), [`XPub`](crate::XPub)). Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn topics_count(&self) -> Result<usize, Error> {
        self.core().topics_count()
    }
}

/// Options of an XPUB.
impl Socket<XPub> {
    options! {
        /// Which subscriptions are received as messages (live): changes of the whole set, which is the default, every
        /// subscription, or every subscription and cancellation.
        xpub_verbosity, set_xpub_verbosity: XpubVerbosity;
        /// Who decides about the subscriptions that peers ask for (live). The default is the peers. Otherwise every request
        /// is received as a message and means nothing by itself: the owner answers it with
        /// [`subscribe_requester`](Self::subscribe_requester). To be set before peers come.
        xpub_manual, set_xpub_manual: XpubManual;
    }

    /// Subscribes the peer whose request was received last to `prefix`, which may be another one than it asked for. If
    /// that peer is gone, nothing happens. Does not block.
    ///
    /// ```
    /// use ringmq::{Context, Sub, XPub, XpubManual};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let publisher = XPub::new(&context)?;
    /// publisher.set_xpub_manual(XpubManual::On);
    /// publisher.bind("inproc://manual")?;
    /// let subscriber = Sub::new(&context)?;
    /// subscriber.connect("inproc://manual")?;
    /// subscriber.subscribe("news")?;
    /// assert_eq!(&*publisher.recv()?, b"news");
    /// publisher.subscribe_requester("news.sport")?;
    /// publisher.send("news.politics")?;
    /// publisher.send("news.sport.1:0")?;
    /// assert_eq!(&*subscriber.recv()?, b"news.sport.1:0");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] unless [`set_xpub_manual`](Self::set_xpub_manual) says that the owner decides;
    /// [`Error::Terminated`].
    pub fn subscribe_requester(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().subscribe(prefix.as_ref())
    }

    /// Ends a subscription of the peer whose request was received last. If it has none, nothing happens. Does not block.
    ///
    /// # Errors
    ///
    /// As [`subscribe_requester`](Self::subscribe_requester).
    pub fn unsubscribe_requester(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().unsubscribe(prefix.as_ref())
    }
}

/// Options of an XSUB.
impl Socket<XSub> {
    options! {
        /// Whether only the first part of a message that is sent can be a subscription (live); if it is none, nor are the
        /// others. The default is no: every part that begins with a byte 0 or 1 is one.
        only_first_subscribe, set_only_first_subscribe: bool;
        /// Whether publishers are told of every cancellation (live), instead of the last one of a prefix. The default is no.
        xsub_verbose_unsubscribe, set_xsub_verbose_unsubscribe: bool;
    }
}
