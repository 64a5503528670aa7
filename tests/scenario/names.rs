//! The names of libzmq's numbers, as scripts use them.

use nix::errno::Errno;
use ringmq_core::errno;
use ringmq_stock::constants::{event, option, socket_type};

/// How an option's value is written and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Int,
    /// Any bytes.
    Bytes,
    /// Bytes with a zero at the end when they are read.
    Text,
}

macro_rules! numbers {
    ($($module:ident: $($name:ident)*;)*) => { &[$($((stringify!($name), $module::$name)),*),*] };
}

const TYPES: &[(&str, i32)] = numbers! {
    socket_type: PAIR PUB SUB REQ REP DEALER ROUTER PULL PUSH XPUB XSUB STREAM SERVER CLIENT RADIO DISH GATHER SCATTER
        DGRAM PEER CHANNEL;
};

const INTS: &[(&str, i32)] = numbers! {
    option: TYPE LINGER RECONNECT_IVL BACKLOG SNDHWM RCVHWM ROUTER_MANDATORY IMMEDIATE XPUB_VERBOSE
        PROBE_ROUTER REQ_CORRELATE REQ_RELAXED CONFLATE ROUTER_HANDOVER HANDSHAKE_IVL XPUB_NODROP XPUB_MANUAL
        STREAM_NOTIFY INVERT_MATCHING XPUB_VERBOSER THREAD_SAFE ROUTER_NOTIFY ONLY_FIRST_SUBSCRIBE RECONNECT_STOP
        TOPICS_COUNT SNDBUF RCVBUF RECONNECT_IVL_MAX TCP_KEEPALIVE IPV6 TOS HEARTBEAT_IVL HEARTBEAT_TTL
        HEARTBEAT_TIMEOUT CONNECT_TIMEOUT TCP_MAXRT;
};

const BYTES: &[(&str, i32)] = numbers! {
    option: ROUTING_ID SUBSCRIBE UNSUBSCRIBE CONNECT_ROUTING_ID XPUB_WELCOME_MSG HELLO_MSG DISCONNECT_MSG HICCUP_MSG;
};

const TEXTS: &[(&str, i32)] = numbers! { option: LAST_ENDPOINT; };

/// Those that the constants of stock libzmq's wrapper do not name.
const MORE_INTS: &[(&str, i32)] = &[
    ("XPUB_MANUAL_LAST_VALUE", 98),
    ("XSUB_VERBOSE_UNSUBSCRIBE", 115),
    ("NO_SUCH_OPTION", 4711),
    ("MULTICAST_HOPS", 25),
    ("IPV4ONLY", 31),
    ("TCP_KEEPALIVE_CNT", 35),
    ("TCP_KEEPALIVE_IDLE", 36),
    ("TCP_KEEPALIVE_INTVL", 37),
    ("MULTICAST_LOOP", 96),
    ("IN_BATCH_SIZE", 101),
    ("OUT_BATCH_SIZE", 102),
    ("PRIORITY", 112),
];

const EVENTS: &[(&str, u16)] = numbers! {
    event: CONNECTED CONNECT_DELAYED CONNECT_RETRIED LISTENING BIND_FAILED ACCEPTED ACCEPT_FAILED CLOSED CLOSE_FAILED
        DISCONNECTED MONITOR_STOPPED HANDSHAKE_FAILED_NO_DETAIL HANDSHAKE_SUCCEEDED HANDSHAKE_FAILED_PROTOCOL
        HANDSHAKE_FAILED_AUTH;
};

fn find<T: Copy>(table: &[(&str, T)], wanted: &str) -> Option<T> {
    table
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|&(_, number)| number)
}

/// The number of a socket type.
pub(crate) fn socket_type_number(name: &str) -> i32 {
    find(TYPES, name).unwrap_or_else(|| panic!("{name} is no socket type"))
}

/// The number and the form of an option.
pub(crate) fn option_number(name: &str) -> (i32, Form) {
    [
        (INTS, Form::Int),
        (MORE_INTS, Form::Int),
        (BYTES, Form::Bytes),
        (TEXTS, Form::Text),
    ]
    .into_iter()
    .find_map(|(table, form)| Some((find(table, name)?, form)))
    .unwrap_or_else(|| panic!("{name} is no option"))
}

/// The name of an event of a monitor.
pub(crate) fn event_name(number: u16) -> &'static str {
    let known = EVENTS.iter().find(|(_, event)| *event == number);
    known.unwrap_or_else(|| panic!("{number:#x} is no event")).0
}

/// The name of an errno.
pub(crate) fn errno_name(number: i32) -> String {
    match number {
        errno::EFSM => "EFSM".to_owned(),
        errno::ENOCOMPATPROTO => "ENOCOMPATPROTO".to_owned(),
        errno::ETERM => "ETERM".to_owned(),
        errno::EMTHREAD => "EMTHREAD".to_owned(),
        // Linux has one number for both names, and libzmq's manual uses the other one.
        nix::libc::EOPNOTSUPP => "ENOTSUP".to_owned(),
        other => format!("{:?}", Errno::from_raw(other)),
    }
}
