//! libzmq's numbers, under libzmq's names without the `ZMQ_` prefix.

/// Socket types, for [`Context::socket`](crate::Context::socket).
#[allow(missing_docs)]
pub mod socket_type {
    pub const PAIR: i32 = 0;
    pub const PUB: i32 = 1;
    pub const SUB: i32 = 2;
    pub const REQ: i32 = 3;
    pub const REP: i32 = 4;
    pub const DEALER: i32 = 5;
    pub const ROUTER: i32 = 6;
    pub const PULL: i32 = 7;
    pub const PUSH: i32 = 8;
    pub const XPUB: i32 = 9;
    pub const XSUB: i32 = 10;
    pub const STREAM: i32 = 11;
    pub const SERVER: i32 = 12;
    pub const CLIENT: i32 = 13;
    pub const RADIO: i32 = 14;
    pub const DISH: i32 = 15;
    pub const GATHER: i32 = 16;
    pub const SCATTER: i32 = 17;
    pub const DGRAM: i32 = 18;
    pub const PEER: i32 = 19;
    pub const CHANNEL: i32 = 20;
}

/// Context options, for [`Context::set`](crate::Context::set).
#[allow(missing_docs)]
pub mod context_option {
    pub const IO_THREADS: i32 = 1;
    pub const MAX_SOCKETS: i32 = 2;
    pub const SOCKET_LIMIT: i32 = 3;
    pub const MAX_MSGSZ: i32 = 5;
    pub const BLOCKY: i32 = 70;
    pub const IPV6: i32 = 42;
}

/// Socket options, for [`Socket::set_int`](crate::Socket::set_int) and its siblings.
#[allow(missing_docs)]
pub mod option {
    pub const AFFINITY: i32 = 4;
    pub const ROUTING_ID: i32 = 5;
    pub const SUBSCRIBE: i32 = 6;
    pub const UNSUBSCRIBE: i32 = 7;
    pub const SNDBUF: i32 = 11;
    pub const RCVBUF: i32 = 12;
    pub const RCVMORE: i32 = 13;
    pub const FD: i32 = 14;
    pub const EVENTS: i32 = 15;
    pub const TYPE: i32 = 16;
    pub const LINGER: i32 = 17;
    pub const RECONNECT_IVL: i32 = 18;
    pub const BACKLOG: i32 = 19;
    pub const RECONNECT_IVL_MAX: i32 = 21;
    pub const MAXMSGSIZE: i32 = 22;
    pub const SNDHWM: i32 = 23;
    pub const RCVHWM: i32 = 24;
    pub const RCVTIMEO: i32 = 27;
    pub const SNDTIMEO: i32 = 28;
    pub const LAST_ENDPOINT: i32 = 32;
    pub const ROUTER_MANDATORY: i32 = 33;
    pub const TCP_KEEPALIVE: i32 = 34;
    pub const IMMEDIATE: i32 = 39;
    pub const XPUB_VERBOSE: i32 = 40;
    pub const IPV6: i32 = 42;
    pub const MECHANISM: i32 = 43;
    pub const PLAIN_SERVER: i32 = 44;
    pub const PLAIN_USERNAME: i32 = 45;
    pub const PLAIN_PASSWORD: i32 = 46;
    pub const PROBE_ROUTER: i32 = 51;
    pub const REQ_CORRELATE: i32 = 52;
    pub const REQ_RELAXED: i32 = 53;
    pub const CONFLATE: i32 = 54;
    pub const ZAP_DOMAIN: i32 = 55;
    pub const ROUTER_HANDOVER: i32 = 56;
    pub const TOS: i32 = 57;
    pub const CONNECT_ROUTING_ID: i32 = 61;
    pub const HANDSHAKE_IVL: i32 = 66;
    pub const XPUB_NODROP: i32 = 69;
    pub const XPUB_MANUAL: i32 = 71;
    pub const XPUB_WELCOME_MSG: i32 = 72;
    pub const STREAM_NOTIFY: i32 = 73;
    pub const INVERT_MATCHING: i32 = 74;
    pub const HEARTBEAT_IVL: i32 = 75;
    pub const HEARTBEAT_TTL: i32 = 76;
    pub const HEARTBEAT_TIMEOUT: i32 = 77;
    pub const XPUB_VERBOSER: i32 = 78;
    pub const CONNECT_TIMEOUT: i32 = 79;
    pub const TCP_MAXRT: i32 = 80;
    pub const THREAD_SAFE: i32 = 81;
    pub const METADATA: i32 = 95;
    pub const ROUTER_NOTIFY: i32 = 97;
    pub const ONLY_FIRST_SUBSCRIBE: i32 = 108;
    pub const RECONNECT_STOP: i32 = 109;
    pub const HELLO_MSG: i32 = 110;
    pub const DISCONNECT_MSG: i32 = 111;
    pub const HICCUP_MSG: i32 = 114;
    pub const TOPICS_COUNT: i32 = 116;
}

/// Flags of send and receive.
#[allow(missing_docs)]
pub mod flag {
    pub const DONTWAIT: i32 = 1;
    pub const SNDMORE: i32 = 2;
}

/// Monitor events, a bit each.
#[allow(missing_docs)]
pub mod event {
    pub const CONNECTED: u16 = 0x0001;
    pub const CONNECT_DELAYED: u16 = 0x0002;
    pub const CONNECT_RETRIED: u16 = 0x0004;
    pub const LISTENING: u16 = 0x0008;
    pub const BIND_FAILED: u16 = 0x0010;
    pub const ACCEPTED: u16 = 0x0020;
    pub const ACCEPT_FAILED: u16 = 0x0040;
    pub const CLOSED: u16 = 0x0080;
    pub const CLOSE_FAILED: u16 = 0x0100;
    pub const DISCONNECTED: u16 = 0x0200;
    pub const MONITOR_STOPPED: u16 = 0x0400;
    pub const HANDSHAKE_FAILED_NO_DETAIL: u16 = 0x0800;
    pub const HANDSHAKE_SUCCEEDED: u16 = 0x1000;
    pub const HANDSHAKE_FAILED_PROTOCOL: u16 = 0x2000;
    pub const HANDSHAKE_FAILED_AUTH: u16 = 0x4000;
    pub const ALL: u16 = 0xFFFF;
}

/// The errno values that tests compare with; the rest are the C library's.
#[allow(missing_docs)]
pub mod errno {
    pub const EAGAIN: i32 = 11;
    pub const EINVAL: i32 = 22;
    pub const EINTR: i32 = 4;
    pub const EADDRINUSE: i32 = 98;
    pub const EHOSTUNREACH: i32 = 113;
    pub const EFSM: i32 = 156384763;
    pub const ENOCOMPATPROTO: i32 = 156384764;
    pub const ETERM: i32 = 156384765;
    pub const EMTHREAD: i32 = 156384766;
}
