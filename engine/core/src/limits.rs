//! Every bound of the engine in one place, each with its reason.
//!
//! A bound that a peer can press against ends that peer's connection; a bound that the owner can press against
//! answers with an error. Units stand last in a name; a name without a unit counts bytes (`LEN`, `BYTES`) or things.

/// Length of a receive slab: one read of a busy link fills it, and 64 KiB keeps a slab within the second-level cache.
pub const SLAB_LEN: usize = 64 * 1024;

/// Longest body that is copied out of a slab. A longer one is a slice of the slab, because the copy would cost more
/// than keeping the slab alive; a shorter one must never pin a slab that is many times its size.
pub const COPY_BODY_MAX: usize = SLAB_LEN / 4 - 1;

/// Shortest body that leaves by reference, as an iovec of its own, instead of being copied into the wire ring.
pub const REFERENCE_BODY_MIN: usize = 32 * 1024;

/// The same for a body that goes to several peers, which is copied once and not for each of them.
pub const SHARED_REFERENCE_MIN: usize = 4 * 1024;

/// Most bytes that one send hands to the kernel; more would hold back the completion that releases ring memory.
pub const SEND_BATCH_BYTES_MAX: usize = 256 * 1024;

/// Spans of received messages that wait for the application on one pipe. Few, because a span is a whole slab's worth:
/// this bounds the slabs that a reader which does not read can hold.
pub const SPAN_QUEUE_LEN: usize = 8;

/// Step by which the buffer of a large body grows while its bytes arrive. The announced length is a claim of the peer,
/// and memory follows only what was received.
pub const LARGE_BODY_STEP: usize = 4 * 1024 * 1024;

/// Most parts of one message. HWM counts whole messages, so an endless multipart would otherwise be without bound.
pub const PARTS_MAX: usize = 1_000_000;

/// Most subscriptions that one peer may hold.
pub const SUBSCRIPTIONS_PER_PEER_MAX: usize = 1_000_000;

/// Most bytes of topics that one peer may hold; it also bounds how deeply one peer can nest prefixes.
pub const SUBSCRIPTION_BYTES_PER_PEER_MAX: usize = 64 * 1024 * 1024;

/// Accepted connections of one worker whose handshake is not complete, and to which we have not said our part of it.
/// Beyond it the oldest one is closed, so that silent connections cannot lock out good ones.
pub const HALF_OPEN_MAX: usize = 1024;

/// Accepted connections of one worker to which we have said our part while theirs is missing. They are not closed to make
/// room, because the peer may have sent messages already. Beyond it we say ours only when theirs has come.
pub const ANSWERED_MAX: usize = 512;

/// How long the oldest of so many has before it makes room, in milliseconds. A crowd that comes back at once shakes hands
/// as fast as a worker can, and closing one of it would only make it come again.
pub const HALF_OPEN_GRACE_MS: u64 = 500;

/// How often a listener that waits for that looks again, in milliseconds: ten thousand connections in a tenth of a second.
pub const HALF_OPEN_LOOK_MS: u64 = 10;

/// Pause of a listener after `accept` failed for want of descriptors or memory: retrying at once spins a core, and
/// only the end of another connection helps.
pub const ACCEPT_BACKOFF_MS: u64 = 100;

/// Shortest pause before a connection attempt is repeated, when the interval was set to zero: an attempt on loopback
/// takes tens of microseconds, and ten milliseconds keep the loop below one percent of a core.
pub const RECONNECT_FLOOR_MS: u64 = 10;

/// Events that wait for the reader of a monitor; those beyond are counted, not kept.
pub const MONITOR_QUEUE_LEN: usize = 1024;

/// How long a waiting thread yields before it sleeps. A wake-up costs 10 to 30 µs on a virtual machine, so waiting for
/// about as long is never worse than twice the optimum.
pub const SPIN_WAIT_US: u64 = 20;

/// A message of a socket that has sent nothing for this long, counted from the end of its last call, is sent by a call of
/// its own. Shorter gaps mean a stream of messages, which are gathered: less passes between the answers to two messages
/// that lay there already, and more in whoever sends at a pace of its own.
pub const INLINE_SEND_GAP_US: u64 = 4;

/// So many messages without a rest are a burst, and then the next message after a rest is expected to begin another: it is
/// gathered as well, for one call instead of two.
pub const BURST_MESSAGES: u64 = 4;

/// How often a busy application thread looks for commands of its workers although it finds messages without asking.
pub const ATTEND_CHECK_MS: u64 = 10;

/// Most worker threads of a context: AFFINITY names them in a bitmap of 64 bits.
pub const WORKERS_MAX: usize = 64;

/// Workers of a context that does not ask for a number.
pub const WORKERS_DEFAULT: usize = 1;

/// Sockets of a context that does not ask for a number, as in libzmq.
pub const SOCKETS_DEFAULT: usize = 1023;

/// Most sockets that a context may ask for, as libzmq reports for SOCKET_LIMIT.
pub const SOCKETS_MAX: usize = 65_535;

/// Spare room below which a slab is replaced before a receive: a receive into less would cost a system call for little.
pub const SLAB_SPARE_MIN: usize = 4 * 1024;

/// The most that an incomplete frame of a resting connection keeps; peers that stop in mid-frame pin no slab.
pub const SLAB_REST_MAX: usize = 512;

/// Received bodies from this size on share their slab instead of being copied: a quarter of it, so that a message pins
/// at most four times its size.
pub const SHARE_BODY_MIN: usize = SLAB_LEN / 4;

/// Messages after which the application's progress is published within a span.
pub const CONSUMED_STEP: u64 = 256;

/// Connections accepted from one listener before the worker looks at its other work.
pub const ACCEPTS_PER_TURN: usize = 64;

/// Deadlines that a worker sees to before it looks at its other work. Most of those that come in a crowd are those of
/// attempts to connect, which take longer than the end of a connection takes to be noticed; who goes on sending to
/// connections that have ended loses it.
pub const TIMERS_PER_TURN: usize = 16;

/// Looks at an empty ring before the right to send is given back: each is a turn of the worker with a yield in it.
pub const IDLE_LOOKS_MAX: u32 = 16;

/// Turns without work that a worker spends yielding before it sleeps.
pub const WORKER_IDLE_ROUNDS: u32 = 16;

/// A wait that lasts longer makes yielding before the next one pointless, in microseconds.
pub const LONG_WAIT_US: u64 = 200;

/// Long waits in a row after which an application thread sleeps without yielding first.
pub const LONG_WAITS_MAX: u32 = 2;

/// How long a connection that has sent everything waits for the peer's end of stream, in milliseconds.
pub const FINISH_GRACE_MS: u64 = 1_000;

/// How long unbind and disconnect wait for their worker's answer, in milliseconds.
pub const CLOSE_ANSWER_MS: u64 = 1_000;

/// How long binding a path waits for another binder of the same path, in milliseconds: it needs a few system calls, so one
/// that takes longer was stopped.
pub const BIND_LOCK_MS: u64 = 1_000;

/// How long it sleeps between its looks, in milliseconds.
pub const BIND_LOCK_STEP_MS: u64 = 1;

/// LINGER of sockets made through the Rust API, in milliseconds: long enough for any peer that is there, and bounded,
/// because a program that cannot end is worse than one that reports what it could not send.
pub const LINGER_DEFAULT_MS: u64 = 30_000;

/// Bytes that a stream of messages gathers before they are sent with one system call: the knee of the curve for loopback
/// writes on the machine that this was measured on.
pub const GATHER_BYTES: usize = 64 * 1024;

/// Pieces of one batch that does not come from a ring, after which no further message is begun: a send takes at most 1024.
pub const KEPT_SLICES_MAX: usize = 256;

/// Messages that a proxy hands over one way before it looks at the other, as libzmq's.
pub const PROXY_BURST: usize = 1000;

/// How often a worker looks at links that gather messages, in microseconds: a message waits at most two such periods for an
/// application that does something else.
pub const WATCH_TICK_US: u64 = 100;

/// How long a link is watched whose application has written nothing more, while something waits there: longer than a stream
/// pauses. A link that has just begun to gather is looked at after this time, and not at the next period's end.
pub const WATCH_STILL_US: u64 = 25;

/// How long nothing is queued before a link counts as idle again, in microseconds.
pub const WATCH_REST_US: u64 = 300;

/// Pieces of a message that are queued one by one, in one publication; a message in more pieces takes an allocation.
pub const GROUP_MAX: usize = SPAN_QUEUE_LEN / 2;

/// The first and the longest of the doubling pauses, in pause instructions, that the reader of an empty in-process queue
/// makes between its looks before it does something else.
pub const LOCAL_PAUSES_MIN: u32 = 4;
/// See [`LOCAL_PAUSES_MIN`].
pub const LOCAL_PAUSES_MAX: u32 = 32;

/// How long a reader that would wait yields before it asks to be told, in microseconds. Longer than a round trip in which
/// both sides ask, or an exchange that has once become slow would stay so.
pub const LOCAL_WAIT_US: u64 = 60;

/// Subscriptions and messages of peers that an XPUB keeps for an owner who does not receive them; what comes beyond is
/// acted on and not shown.
pub const SHOWN_MAX: usize = 1_000_000;

/// Bytes that a STREAM hands out at a time: libzmq's default batch, which programs size their buffers by.
pub const RAW_PIECE_MAX: usize = 8192;

/// How long an application thread sleeps on a silent connection before it gives the right to read back, in milliseconds.
pub const LENT_SLEEP_MS: u64 = 50;

/// Machines with no more cores than this are not pinned by default: application and worker threads share all of them.
pub const UNPINNED_CORES_MAX: usize = 4;

/// Connections of a context that share memory, each with a segment of its own. Beyond it connections stay what they are:
/// every look at a socket looks at all of its rings.
pub const SHARED_MAX: usize = 256;

/// Largest segment that a peer may hand us: we pay for its address space, and for the pages that we touch.
pub const SEGMENT_LEN_MAX: usize = 64 * 1024 * 1024;

/// Smallest segment: less has no room for a few messages of an ordinary size.
pub const SEGMENT_LEN_MIN: usize = 64 * 1024;

/// Segment of a connection that shares memory, unless the options say otherwise.
pub const SEGMENT_LEN_DEFAULT: u32 = 1024 * 1024;

/// Records taken from a shared ring in one look at a message that is not whole yet.
pub const RECORDS_PER_LOOK: usize = 256;

/// Sleeps after which a bell is emptied: it holds 64 KiB, and a sleep leaves a few bytes at most.
pub const SLEEPS_PER_DRAIN: u8 = 64;

/// Bytes read at a time while descriptors may come with them: a handshake is shorter.
pub const HANDSHAKE_READ_LEN: usize = 4096;

/// The longest datagram that UDP can carry is a little shorter.
pub const DATAGRAM_MAX: usize = 64 * 1024;

/// Datagrams received from one socket before the worker looks at its other work.
pub const DATAGRAMS_PER_TURN: usize = 64;

/// Bytes of the request, or of the answer to it, that opens a WebSocket.
pub const HTTP_HEAD_MAX: usize = 8 * 1024;

/// Headers of either.
pub const HTTP_HEADERS_MAX: usize = 64;

const _: () = {
    assert!(SLAB_LEN.is_power_of_two());
    assert!(COPY_BODY_MAX < SLAB_LEN);
    assert!(
        REFERENCE_BODY_MIN < SEND_BATCH_BYTES_MAX,
        "a batch must hold at least one body that is not large"
    );
    assert!(SEND_BATCH_BYTES_MAX >= SLAB_LEN);
    assert!(
        SPAN_QUEUE_LEN.is_power_of_two(),
        "rings have a power of two of slots"
    );
    assert!(LARGE_BODY_STEP > SLAB_LEN, "a body that fits a slab is not large");
    assert!(WORKERS_MAX <= u64::BITS as usize);
    assert!(WORKERS_DEFAULT >= 1 && WORKERS_DEFAULT <= WORKERS_MAX);
    assert!(SOCKETS_DEFAULT <= SOCKETS_MAX);
    assert!(RECONNECT_FLOOR_MS > 0 && ACCEPT_BACKOFF_MS > 0);
    assert!(MONITOR_QUEUE_LEN > 0 && PARTS_MAX > 0);
};
