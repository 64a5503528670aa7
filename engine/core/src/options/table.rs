//! The options table. A row is
//!
//! ```text
//! /// Documentation of the field and of the option.
//! field: Type = default => NAME = number, Codec, range, scope, access, sockets;
//! ```
//!
//! and a row under `views` gives another number to a field that exists:
//!
//! ```text
//! /// Documentation of the option.
//! field: Type => NAME = number, Codec, range, default, scope, access, sockets;
//! ```

use super::codec::{
    BatchSize, Binary, Bitmap, Codec, Count, Flag, Ids, InverseFlag, LastValue, Manual, MicrosOrMinusOne,
    MillisInTenths, MillisOrMinusOne, MillisOrZero, Networks, OrKernels, OverflowNumber, Property,
    SecondsOrKernels, SizeOrMinusOne, TextOrNone, Verbose, Verboser,
};
use super::{
    Access::{self, ReadWrite, WriteOnly},
    Overflow, ReconnectStop, RouterNotify, Row,
    Scope::{Live, NextEndpoint},
    SocketTypes, XpubManual, XpubVerbosity, row_of,
};
use crate::error::{Error, OptionFault};
use ipnet::IpNet;
use ringmq_zmtp::SocketType;
use std::{ops::RangeInclusive, time::Duration};

macro_rules! options {
    (
        fields {$(
            $(#[doc = $doc:literal])+
            $field:ident: $type:ty = $default:expr => $name:ident = $number:literal,
                $codec:ty, $range:expr, $scope:expr, $access:expr, $sockets:expr;
        )+}
        views {$(
            $(#[doc = $view_doc:literal])+
            $viewed:ident: $view_type:ty => $view_name:ident = $view_number:literal,
                $view_codec:ty, $view_range:expr, $view_default:expr, $view_scope:expr, $view_access:expr,
                $view_sockets:expr;
        )+}
    ) => {
        /// The options of one socket that the engine obeys, with libzmq's defaults.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Options {$(
            $(#[doc = $doc])+
            pub $field: $type,
        )+}

        /// libzmq's numbers of the options, and from [`OWN_NUMBERS`](super::OWN_NUMBERS) those of options that it does not have.
        pub mod number {
            $($(#[doc = $doc])+ pub const $name: i32 = $number;)+
            $($(#[doc = $view_doc])+ pub const $view_name: i32 = $view_number;)+
        }

        pub(super) static ROWS: &[Row] = &[
            $(Row {
                number: $number,
                name: stringify!($name),
                raw_type: <$codec as Codec<$type>>::RAW_TYPE,
                range: $range,
                default: stringify!($default),
                scope: $scope,
                access: $access,
                sockets: $sockets,
                doc: concat!($($doc, "\n"),+),
            },)+
            $(Row {
                number: $view_number,
                name: stringify!($view_name),
                raw_type: <$view_codec as Codec<$view_type>>::RAW_TYPE,
                range: $view_range,
                default: stringify!($view_default),
                scope: $view_scope,
                access: $view_access,
                sockets: $view_sockets,
                doc: concat!($($view_doc, "\n"),+),
            },)+
        ];

        impl Default for Options {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Options {
            /// Sets an option from the bytes of the C interface. On an error nothing has changed.
            pub fn set_raw(&mut self, number: i32, value: &[u8], socket_type: SocketType) -> Result<(), Error> {
                let row = row_of(number, socket_type)?;
                match number {
                    $($number => <$codec as Codec<$type>>::store(value, row, &mut self.$field),)+
                    $($view_number => <$view_codec as Codec<$view_type>>::store(value, row, &mut self.$viewed),)+
                    _ => Err(OptionFault::Unknown),
                }
                .map_err(|why| row.refuse(why))
            }

            /// Writes an option into the buffer of the C interface and returns the length of its value.
            ///
            /// A number wants a buffer of exactly its size. Bytes and text want room, and the rest is filled with
            /// zeros; the length of a text counts its terminating zero.
            pub fn get_raw(
                &self,
                number: i32,
                buffer: &mut [u8],
                socket_type: SocketType,
            ) -> Result<usize, Error> {
                let row = row_of(number, socket_type)?;
                if row.access == Access::WriteOnly {
                    return Err(row.refuse(OptionFault::WriteOnly));
                }
                match number {
                    $($number => <$codec as Codec<$type>>::load(&self.$field).write(buffer),)+
                    $($view_number => <$view_codec as Codec<$view_type>>::load(&self.$viewed).write(buffer),)+
                    _ => Err(OptionFault::Unknown),
                }
                .map_err(|why| row.refuse(why))
            }
        }
    };
}

/// Any number that is not negative.
const NOT_NEGATIVE: RangeInclusive<i64> = 0..=i32::MAX as i64;
/// −1, which has a meaning of its own, or any number that is not negative.
const FROM_MINUS_ONE: RangeInclusive<i64> = -1..=i32::MAX as i64;
/// Any C `int`.
const ANY_INT: RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;
/// A switch that wants exactly 0 or 1.
const ZERO_OR_ONE: RangeInclusive<i64> = 0..=1;
/// Any length; what is too long for memory is refused by that.
const ANY_LENGTH: RangeInclusive<i64> = 0..=i32::MAX as i64;
/// Any number of eight bytes.
const ANY: RangeInclusive<i64> = i64::MIN..=i64::MAX;

const ALL: SocketTypes = SocketTypes::ALL;
const XPUB: SocketTypes = SocketTypes::XPUB;
const XSUB: SocketTypes = SocketTypes::XSUB;
const REQ: SocketTypes = SocketTypes::REQ;
const ROUTER: SocketTypes = SocketTypes::ROUTER;
const STREAM: SocketTypes = SocketTypes::STREAM;
const PROBERS: SocketTypes = SocketTypes::REQ.or(SocketTypes::DEALER).or(SocketTypes::ROUTER);
const PUBLISHERS: SocketTypes = SocketTypes::PUB.or(SocketTypes::XPUB).or(SocketTypes::RADIO);
const WELCOMERS: SocketTypes = SocketTypes::PUB.or(SocketTypes::XPUB);
const CONFLATERS: SocketTypes = SocketTypes::PUSH
    .or(SocketTypes::PULL)
    .or(SocketTypes::PUB)
    .or(SocketTypes::SUB)
    .or(SocketTypes::DEALER);
const DISCONNECT_HEARERS: SocketTypes = SocketTypes::ROUTER
    .or(SocketTypes::REP)
    .or(SocketTypes::SERVER)
    .or(SocketTypes::PEER);
const HICCUP_HEARERS: SocketTypes = SocketTypes::DEALER
    .or(SocketTypes::REQ)
    .or(SocketTypes::CLIENT)
    .or(SocketTypes::PEER);
const GREETERS: SocketTypes = DISCONNECT_HEARERS.or(HICCUP_HEARERS);
const SPLITTERS: SocketTypes = SocketTypes::PUB.or(SocketTypes::XPUB).or(SocketTypes::XSUB);
const ROUTERS: SocketTypes = SocketTypes::ROUTER.or(SocketTypes::STREAM);

options! {
    fields {
        /// Bitmap of the workers that may serve new endpoints; 0 leaves the choice to the context.
        affinity: u64 = 0 => AFFINITY = 4, Bitmap, ANY, NextEndpoint, ReadWrite, ALL;

        /// The routing id that is announced to peers, 1 to 255 bytes; empty announces none.
        routing_id: Vec<u8> = Vec::new() => ROUTING_ID = 5, Binary, 1..=255, NextEndpoint, ReadWrite, ALL;

        /// Size of the kernel's send buffer in bytes; `None` (−1) is the kernel's choice.
        send_buffer: Option<u32> = None => SNDBUF = 11, OrKernels, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// Size of the kernel's receive buffer in bytes; `None` (−1) is the kernel's choice.
        receive_buffer: Option<u32> = None
            => RCVBUF = 12, OrKernels, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// How long closing waits for messages to be sent, in ms; `None` (−1) waits for ever.
        linger: Option<Duration> = None
            => LINGER = 17, MillisOrMinusOne, FROM_MINUS_ONE, Live, ReadWrite, ALL;

        /// Shortest pause before a connection is tried again, in ms; `None` (−1) never tries again.
        reconnect_interval: Option<Duration> = Some(Duration::from_millis(100))
            => RECONNECT_IVL = 18, MillisOrMinusOne, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// Connections that the kernel completes ahead of `accept`.
        backlog: u32 = 100 => BACKLOG = 19, Count, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// Longest pause before a connection is tried again, in ms; `None` (0) does not lengthen the pauses.
        reconnect_interval_max: Option<Duration> = None
            => RECONNECT_IVL_MAX = 21, MillisOrZero, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// Largest frame in bytes that a peer may send; `None` (−1) sets no limit.
        max_message_size: Option<u64> = None
            => MAXMSGSIZE = 22, SizeOrMinusOne, ANY, NextEndpoint, ReadWrite, ALL;

        /// Messages that may wait to be sent to one peer; 0 sets no limit.
        send_hwm: u32 = 1000 => SNDHWM = 23, Count, NOT_NEGATIVE, Live, ReadWrite, ALL;

        /// Messages of one peer that may wait to be received; 0 sets no limit.
        receive_hwm: u32 = 1000 => RCVHWM = 24, Count, NOT_NEGATIVE, Live, ReadWrite, ALL;

        /// Routers that a datagram to a group may pass, plus one: 1 stays in the local network.
        multicast_hops: u32 = 1 => MULTICAST_HOPS = 25, Count, 1..=255, NextEndpoint, ReadWrite, ALL;

        /// Bytes of messages that may wait to be sent to one peer, beside SNDHWM; `None` (−1) sets no limit. One message may
        /// wait however long it is.
        send_bytes_max: Option<u64> = None
            => SNDBYTES_MAX = 0x52_4d20, SizeOrMinusOne, -1..=i64::MAX, Live, ReadWrite, ALL;

        /// Bytes of one peer's messages that may wait to be received, beside RCVHWM, not counting what one receive brings;
        /// `None` (−1) sets no limit. Over shared memory the segment's length is the limit.
        receive_bytes_max: Option<u64> = None
            => RCVBYTES_MAX = 0x52_4d21, SizeOrMinusOne, -1..=i64::MAX, Live, ReadWrite, ALL;

        /// How long a receive waits, in ms; `None` (−1) waits for ever.
        receive_timeout: Option<Duration> = None
            => RCVTIMEO = 27, MillisOrMinusOne, FROM_MINUS_ONE, Live, ReadWrite, ALL;

        /// How long a send waits, in ms; `None` (−1) waits for ever.
        send_timeout: Option<Duration> = None
            => SNDTIMEO = 28, MillisOrMinusOne, FROM_MINUS_ONE, Live, ReadWrite, ALL;

        /// Answer a message to an unknown routing id with an error instead of dropping it.
        router_mandatory: bool = false
            => ROUTER_MANDATORY = 33, Flag, NOT_NEGATIVE, Live, WriteOnly, ROUTER;

        /// SO_KEEPALIVE; `None` (−1) is the kernel's choice.
        tcp_keepalive: Option<bool> = None
            => TCP_KEEPALIVE = 34, OrKernels, -1..=1, NextEndpoint, ReadWrite, ALL;

        /// TCP_KEEPCNT, a number of probes; `None` (−1) is the kernel's choice.
        tcp_keepalive_count: Option<u32> = None
            => TCP_KEEPALIVE_CNT = 35, OrKernels, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// TCP_KEEPIDLE, in seconds; `None` (−1) is the kernel's choice.
        tcp_keepalive_idle: Option<Duration> = None
            => TCP_KEEPALIVE_IDLE = 36, SecondsOrKernels, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// TCP_KEEPINTVL, in seconds; `None` (−1) is the kernel's choice.
        tcp_keepalive_interval: Option<Duration> = None
            => TCP_KEEPALIVE_INTVL = 37, SecondsOrKernels, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// Networks from which connections to a bound tcp endpoint are taken; without any, from everywhere. A network (`10.0.0.0/8`) or
        /// an address is added, no text at all clears the list.
        tcp_accept_filter: Vec<IpNet> = Vec::new()
            => TCP_ACCEPT_FILTER = 38, Networks, 0..=64, NextEndpoint, WriteOnly, ALL;

        /// Queue messages only for connections whose handshake is complete.
        immediate: bool = false => IMMEDIATE = 39, Flag, ZERO_OR_ONE, NextEndpoint, ReadWrite, ALL;

        /// Which subscription commands the owner is shown; non-zero shows every subscription.
        xpub_verbosity: XpubVerbosity = XpubVerbosity::Changes
            => XPUB_VERBOSE = 40, Verbose, NOT_NEGATIVE, Live, WriteOnly, XPUB;

        /// Exchange bytes with peers that speak no ZMTP.
        router_raw: bool = false => ROUTER_RAW = 41, Flag, NOT_NEGATIVE, NextEndpoint, WriteOnly, ROUTER;

        /// Use IPv6, and IPv4 through the same sockets.
        ipv6: bool = false => IPV6 = 42, Flag, ZERO_OR_ONE, NextEndpoint, ReadWrite, ALL;

        /// Send an empty message on every new connection, so that a peer ROUTER learns the routing id.
        probe_router: bool = false => PROBE_ROUTER = 51, Flag, NOT_NEGATIVE, Live, WriteOnly, PROBERS;

        /// Number requests and accept only the reply with the number of the last one.
        req_correlate: bool = false => REQ_CORRELATE = 52, Flag, NOT_NEGATIVE, Live, WriteOnly, REQ;

        /// Allow the next request before the reply to the last one.
        req_relaxed: bool = false => REQ_RELAXED = 53, Flag, NOT_NEGATIVE, Live, WriteOnly, REQ;

        /// Keep only the newest message for a peer, and from a peer, whatever the high-water marks are.
        conflate: bool = false => CONFLATE = 54, Flag, ZERO_OR_ONE, NextEndpoint, ReadWrite, CONFLATERS;

        /// Give a routing id that is in use to the newcomer, and close its former holder.
        router_handover: bool = false => ROUTER_HANDOVER = 56, Flag, NOT_NEGATIVE, Live, WriteOnly, ROUTER;

        /// IP_TOS and IPV6_TCLASS of connections.
        tos: u32 = 0 => TOS = 57, Count, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// Processes whose connections a bound ipc endpoint takes. With any of these lists, a peer must be named by one of them;
        /// without, `IPC_SAME_USER` decides. An `int` is added, no bytes at all clear the list.
        ipc_filter_pid: Vec<u32> = Vec::new()
            => IPC_FILTER_PID = 58, Ids, NOT_NEGATIVE, NextEndpoint, WriteOnly, ALL;

        /// Users, as `IPC_FILTER_PID`.
        ipc_filter_uid: Vec<u32> = Vec::new()
            => IPC_FILTER_UID = 59, Ids, ANY_INT, NextEndpoint, WriteOnly, ALL;

        /// Groups, as `IPC_FILTER_PID`: effective or supplementary ones of the peer's process.
        ipc_filter_gid: Vec<u32> = Vec::new()
            => IPC_FILTER_GID = 60, Ids, ANY_INT, NextEndpoint, WriteOnly, ALL;

        /// The routing id, 1 to 255 bytes, that the peer of the next connect gets; empty assigns none.
        connect_routing_id: Vec<u8> = Vec::new()
            => CONNECT_ROUTING_ID = 61, Binary, 1..=255, NextEndpoint, WriteOnly, ROUTERS;

        /// How long a handshake may take, in ms; `None` (0) is for ever.
        handshake_interval: Option<Duration> = Some(Duration::from_secs(30))
            => HANDSHAKE_IVL = 66, MillisOrZero, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// Answer a publication that a subscriber has no room for with an error instead of dropping it.
        xpub_nodrop: bool = false => XPUB_NODROP = 69, Flag, NOT_NEGATIVE, Live, WriteOnly, PUBLISHERS;

        /// Who decides about the subscriptions that peers ask for; non-zero is the owner.
        xpub_manual: XpubManual = XpubManual::Off => XPUB_MANUAL = 71, Manual, NOT_NEGATIVE, Live, WriteOnly, XPUB;

        /// The message that every new subscriber is sent first, whatever it subscribes to; empty sends none.
        xpub_welcome: Vec<u8> = Vec::new()
            => XPUB_WELCOME_MSG = 72, Binary, ANY_LENGTH, Live, WriteOnly, WELCOMERS;

        /// Report the beginning and the end of a connection without ZMTP by an empty message.
        stream_notify: bool = true => STREAM_NOTIFY = 73, Flag, ZERO_OR_ONE, NextEndpoint, WriteOnly, STREAM;

        /// Deliver the messages that match no subscription; both ends must agree.
        invert_matching: bool = false => INVERT_MATCHING = 74, Flag, ANY_INT, Live, ReadWrite, ALL;

        /// Time between two PINGs, in ms; `None` (0) sends none.
        heartbeat_interval: Option<Duration> = None
            => HEARTBEAT_IVL = 75, MillisOrZero, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// How long the peer shall wait for our next sign of life, in ms rounded down to 100 ms; 0 is for ever.
        heartbeat_ttl: Duration = Duration::ZERO
            => HEARTBEAT_TTL = 76, MillisInTenths, 0..=6_553_599, NextEndpoint, ReadWrite, ALL;

        /// How long a peer may stay silent after a PING, in ms; 0 is for ever, `None` (−1) is the interval.
        heartbeat_timeout: Option<Duration> = None
            => HEARTBEAT_TIMEOUT = 77, MillisOrMinusOne, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// How long establishing a connection may take, in ms; `None` (0) is the kernel's choice.
        connect_timeout: Option<Duration> = None
            => CONNECT_TIMEOUT = 79, MillisOrZero, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged, in ms; `None` (0) is the kernel's choice.
        tcp_max_retransmit: Option<Duration> = None
            => TCP_MAXRT = 80, MillisOrZero, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// A socket that listens already, by the number of its descriptor, which the next bind of a stream transport takes over
        /// instead of making one; `None` (−1) otherwise, and again after that.
        use_fd: Option<u32> = None
            => USE_FD = 89, OrKernels, FROM_MINUS_ONE, NextEndpoint, ReadWrite, ALL;

        /// SO_BINDTODEVICE: the interface that traffic is confined to.
        bind_to_device: Option<String> = None
            => BINDTODEVICE = 92, TextOrNone, 0..=15, NextEndpoint, ReadWrite, ALL;

        /// Properties `X-name:value` that READY announces besides the standard ones.
        metadata: Vec<(String, Vec<u8>)> = Vec::new()
            => METADATA = 95, Property, 4..=i32::MAX as i64, NextEndpoint, WriteOnly, ALL;

        /// Whether members of a group on this machine receive what is sent to it from here.
        multicast_loop: bool = true => MULTICAST_LOOP = 96, Flag, ANY_INT, NextEndpoint, ReadWrite, ALL;

        /// Report connecting peers (1) and lost ones (2) by an empty message from them.
        router_notify: RouterNotify = RouterNotify { connects: false, disconnects: false }
            => ROUTER_NOTIFY = 97, RouterNotify, 0..=3, NextEndpoint, ReadWrite, ROUTER;

        /// The SOCKS5 proxy, `host:port`, through which tcp endpoints are connected to; `None` connects directly.
        socks_proxy: Option<String> = None
            => SOCKS_PROXY = 68, TextOrNone, 0..=263, NextEndpoint, ReadWrite, ALL;

        /// The name by which the SOCKS5 proxy is asked; `None` asks without one.
        socks_username: Option<String> = None
            => SOCKS_USERNAME = 99, TextOrNone, 0..=255, NextEndpoint, ReadWrite, ALL;

        /// The password that goes with `SOCKS_USERNAME`.
        socks_password: Option<String> = None
            => SOCKS_PASSWORD = 100, TextOrNone, 0..=255, NextEndpoint, ReadWrite, ALL;

        /// Bytes that a STREAM, or a raw ROUTER, is handed at a time, at most; `None` is 8192.
        in_batch_size: Option<u32> = None
            => IN_BATCH_SIZE = 101, BatchSize, 1..=i32::MAX as i64, NextEndpoint, ReadWrite, ALL;

        /// Bytes that one connection gives the kernel with one call, at most, unless a single message is longer; `None` is our choice. A
        /// batch is at least 4 KiB.
        out_batch_size: Option<u32> = None
            => OUT_BATCH_SIZE = 102, BatchSize, 1..=i32::MAX as i64, NextEndpoint, ReadWrite, ALL;

        /// The private key of a bound wss endpoint, as PEM.
        wss_key_pem: Option<String> = None
            => WSS_KEY_PEM = 103, TextOrNone, ANY_LENGTH, NextEndpoint, WriteOnly, ALL;

        /// The certificate of a bound wss endpoint, and those that vouch for it, as PEM.
        wss_cert_pem: Option<String> = None
            => WSS_CERT_PEM = 104, TextOrNone, ANY_LENGTH, NextEndpoint, WriteOnly, ALL;

        /// Certificates that are trusted when a wss endpoint is connected to, as PEM.
        wss_trust_pem: Option<String> = None
            => WSS_TRUST_PEM = 105, TextOrNone, ANY_LENGTH, NextEndpoint, WriteOnly, ALL;

        /// The name that the server of a wss endpoint must prove to have; `None` is the host of the endpoint.
        wss_hostname: Option<String> = None
            => WSS_HOSTNAME = 106, TextOrNone, 0..=253, NextEndpoint, WriteOnly, ALL;

        /// Trust the certificates that the system trusts, too.
        wss_trust_system: bool = false
            => WSS_TRUST_SYSTEM = 107, Flag, ZERO_OR_ONE, NextEndpoint, WriteOnly, ALL;

        /// Look for subscriptions in the first part of a message only, instead of in all of them.
        only_first_subscribe: bool = false
            => ONLY_FIRST_SUBSCRIBE = 108, Flag, NOT_NEGATIVE, Live, WriteOnly, SPLITTERS;

        /// Causes after which an endpoint is not connected again: bits 1 refused, 2 handshake failed, 4 disconnected.
        reconnect_stop: ReconnectStop = ReconnectStop::from_bits(0)
            => RECONNECT_STOP = 109, ReconnectStop, ANY_INT, NextEndpoint, ReadWrite, ALL;

        /// What becomes of a publication for a subscriber whose queue is full: 0 drops it, 1 drops the oldest ones in the queue
        /// instead, 2 disconnects the subscriber.
        overflow: Overflow = Overflow::DropNewest
            => OVERFLOW = 0x52_4d22, OverflowNumber, 0..=2, NextEndpoint, ReadWrite, PUBLISHERS;

        /// The first message that every new peer is sent; empty sends none.
        hello_message: Vec<u8> = Vec::new()
            => HELLO_MSG = 110, Binary, ANY_LENGTH, NextEndpoint, WriteOnly, GREETERS;

        /// The message that is received as if from a peer when the connection that it made is lost; empty is none.
        disconnect_message: Vec<u8> = Vec::new()
            => DISCONNECT_MSG = 111, Binary, ANY_LENGTH, NextEndpoint, WriteOnly, DISCONNECT_HEARERS;

        /// The message that is received as if from a peer when the connection made to it is lost; empty is none.
        hiccup_message: Vec<u8> = Vec::new()
            => HICCUP_MSG = 114, Binary, ANY_LENGTH, NextEndpoint, WriteOnly, HICCUP_HEARERS;

        /// SO_PRIORITY of connections.
        priority: u32 = 0 => PRIORITY = 112, Count, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// Length in bytes of the memory that each side of an `ipc://` connection shares with the other, rounded up to a power
        /// of two of at least 64 KiB; 0 leaves messages to the connection.
        shm_segment_len: u32 = crate::limits::SEGMENT_LEN_DEFAULT
            => SHM_SEGMENT_LEN = 0x52_4d10, Count, 0..=crate::limits::SEGMENT_LEN_MAX as i64, NextEndpoint,
                ReadWrite, ALL;

        /// Leave large bodies where a peer on this machine wrote them, instead of copying them. The peer can change them
        /// under the reader's eyes.
        shm_trust_peers: bool = false
            => SHM_TRUST_PEERS = 0x52_4d11, Flag, ZERO_OR_ONE, NextEndpoint, ReadWrite, ALL;

        /// How long a blocked call spins on its core before it sleeps, in µs; `None` (−1) is a short time by yielding.
        busy_poll: Option<Duration> = None
            => SPIN_TIME = 0x52_4d12, MicrosOrMinusOne, FROM_MINUS_ONE, Live, ReadWrite, ALL;

        /// SO_BUSY_POLL in microseconds; 0 is off.
        busy_poll_us: u32 = 0 => BUSY_POLL = 113, Count, NOT_NEGATIVE, NextEndpoint, ReadWrite, ALL;

        /// Tell publishers of every cancellation, instead of the last one of a topic only.
        xsub_verbose_unsubscribe: bool = false
            => XSUB_VERBOSE_UNSUBSCRIBE = 115, Flag, ANY_INT, Live, WriteOnly, XSUB;

        /// Speak with peers of ZMTP 2.0 (libzmq 3.x), too.
        zmtp2_peers: bool = false => ZMTP2_PEERS = 0x0052_4d40, Flag, ZERO_OR_ONE, NextEndpoint, ReadWrite, ALL;

        /// Permission bits of the files of bound ipc endpoints; `None` (−1) leaves them to the process's umask.
        ipc_mode: Option<u32> = Some(0o600)
            => IPC_MODE = 0x0052_4d00, OrKernels, -1..=0o777, NextEndpoint, ReadWrite, ALL;

        /// Refuse peers over ipc, on either side, whose processes belong neither to our user nor to root.
        ipc_same_user: bool = true => IPC_SAME_USER = 0x0052_4d01, Flag, ZERO_OR_ONE, NextEndpoint, ReadWrite, ALL;
    }
    views {
        /// The opposite of IPV6, for old programs.
        ipv6: bool => IPV4ONLY = 31, InverseFlag, ZERO_OR_ONE, true, NextEndpoint, ReadWrite, ALL;

        /// Show the owner every subscription and every cancellation.
        xpub_verbosity: XpubVerbosity
            => XPUB_VERBOSER = 78, Verboser, NOT_NEGATIVE, false, Live, WriteOnly, XPUB;

        /// The owner decides about subscriptions, and answers each requester on its own.
        xpub_manual: XpubManual
            => XPUB_MANUAL_LAST_VALUE = 98, LastValue, NOT_NEGATIVE, false, Live, WriteOnly, XPUB;
    }
}
