//! The end of a pipe whose other end is a socket of the same context: message values pass from thread to thread, bodies
//! by pointer. No worker and no descriptor is involved.

use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;
use ringmq_message::{LaneConsumer, LaneProducer, Message, OriginId, lane};
use ringmq_queue::{
    barrier::{heavy_fence, light_fence},
    sync::{AtomicBool, AtomicU64, Mutex, Ordering},
};

use super::{Dismissal, End, Pipe, Read};
use crate::{
    inproc::Party,
    kept::Kept,
    link::{UNATTACHED, lock},
    pace::{Dwell, Pace},
    socket::{SocketCommand, SocketShared},
    tally::Tally,
};

/// No threshold is set.
const NEVER: u64 = u64::MAX;

/// The mark of a side that has not turned up.
const ABSENT: u64 = u64::MAX;

/// What both ends share, beside what they tell each other.
struct Junction {
    /// What either side has sent and received.
    tallies: [Arc<Tally>; 2],
    /// The message that the second, binding side wants to receive when the first one goes.
    farewell: OnceLock<Box<[u8]>>,
    /// Why a socket has ended the connection, if it was not just closed.
    dismissal: OnceLock<Dismissal>,
    /// Only the newest message is kept, either way (ZMQ_CONFLATE).
    conflate: bool,
    /// What either side has written, instead of what lies in its chain, if it can be replaced or dropped.
    kept: [OnceLock<Mutex<Kept>>; 2],
}

/// What one end tells the other.
struct Side {
    /// The end's socket; the binding one may come later.
    socket: OnceLock<Arc<SocketShared>>,
    /// The pipe's key at that socket, or [`UNATTACHED`].
    key: AtomicU64,
    /// Messages that the end has read: the other one's credit. On a line of its own, because it changes with every message
    /// and what is beside it is looked at with every message.
    consumed: CachePadded<AtomicU64>,
    /// The end found its queue empty and waits to be told.
    waiting: AtomicBool,
    /// The end waits for room until the other one's `consumed` reaches this.
    unblock_at: AtomicU64,
    closed: AtomicBool,
    send_hwm: AtomicU64,
    receive_hwm: AtomicU64,
    receive_bytes_max: AtomicU64,
}

/// A pipe's end towards another socket.
pub(crate) struct LocalEnd {
    mine: Arc<Side>,
    theirs: Arc<Side>,
    junction: Arc<Junction>,
    me: usize,
    /// What this end writes lies in the junction, and not in its chain.
    keeps: bool,
    outgoing: LaneProducer,
    incoming: LaneConsumer,
    written: u64,
    consumed: u64,
    /// Messages that were written and then dropped.
    dropped: u64,
}

impl Side {
    fn new(send_hwm: u64, receive_hwm: u64) -> Self {
        Self {
            socket: OnceLock::new(),
            key: AtomicU64::new(UNATTACHED),
            waiting: AtomicBool::new(false),
            consumed: CachePadded::new(AtomicU64::new(0)),
            unblock_at: AtomicU64::new(NEVER),
            closed: AtomicBool::new(false),
            send_hwm: AtomicU64::new(send_hwm),
            receive_hwm: AtomicU64::new(receive_hwm),
            receive_bytes_max: AtomicU64::new(0),
        }
    }

    /// Tells the end's socket something. A pipe without a key is looked at when it gets one.
    #[cold]
    fn notify(&self, command: impl FnOnce(u64) -> SocketCommand) {
        // SeqCst: partner of the store in `attach`, which comes before the first look into the queue.
        let key = self.key.load(Ordering::SeqCst);
        if key != UNATTACHED
            && let Some(socket) = self.socket.get()
        {
            socket.push(command(key));
        }
    }
}

/// Makes both ends of a connection within the context. The second one's socket may turn up later.
pub(crate) fn local_pair(first: &Party<'_>, second: Option<&Party<'_>>) -> (Pipe, Pipe) {
    let side = |party: Option<&Party<'_>>| {
        // Until the other side turns up only our own mark counts, as with libzmq.
        let (send, receive) = party.map_or((0, ABSENT), |party| party.hwm);
        let side = Side::new(send, receive);
        let bytes_max = party.map_or(0, |party| party.receive_bytes_max);
        side.receive_bytes_max.store(bytes_max, Ordering::Relaxed);
        Arc::new(side)
    };
    // As with libzmq, who connects decides, unless the binding side is known and wants it too.
    let conflate = first.conflate || second.is_some_and(|party| party.conflate);
    let junction = Arc::new(Junction {
        tallies: Default::default(),
        farewell: OnceLock::new(),
        dismissal: OnceLock::new(),
        conflate,
        kept: Default::default(),
    });
    for (place, kept) in junction.kept.iter().enumerate() {
        let party = [Some(first), second][place];
        if conflate || party.is_some_and(|party| party.drops_oldest) {
            kept.get_or_init(Mutex::default);
        }
    }
    let (to_second, from_first) = lane();
    let (to_first, from_second) = lane();
    let (here, there) = (side(Some(first)), side(second));
    let one = LocalEnd::new(
        (here.clone(), there.clone()),
        &junction,
        0,
        (to_second, from_second),
    );
    let other = LocalEnd::new((there, here), &junction, 1, (to_first, from_first));
    one.set_socket(first.socket);
    if let Some(party) = second {
        other.set_socket(party.socket);
        other.set_farewell(party.disconnect);
    }
    let hwms = (one.hwm(), other.hwm());
    let tallies = one.junction.tallies.clone();
    (
        Pipe::new(End::Local(one), hwms.0, 0, tallies[0].clone()),
        Pipe::new(End::Local(other), hwms.1, 0, tallies[1].clone()),
    )
}

impl LocalEnd {
    fn new(
        (mine, theirs): (Arc<Side>, Arc<Side>),
        junction: &Arc<Junction>,
        me: usize,
        (outgoing, incoming): (LaneProducer, LaneConsumer),
    ) -> Self {
        Self {
            mine,
            theirs,
            keeps: junction.kept[me].get().is_some(),
            junction: junction.clone(),
            me,
            outgoing,
            incoming,
            written: 0,
            consumed: 0,
            dropped: 0,
        }
    }

    /// The socket that this end belongs to has turned up.
    pub(crate) fn set_socket(&self, socket: &Arc<SocketShared>) {
        let first = self.mine.socket.set(socket.clone()).is_ok();
        debug_assert!(first, "an end belongs to one socket");
    }

    /// What this, the binding end, is to receive when the other one goes; nothing if it is empty.
    pub(crate) fn set_farewell(&self, message: &[u8]) {
        if !message.is_empty() {
            let first = self.junction.farewell.set(message.into()).is_ok();
            debug_assert!(first, "the binding side turns up once");
        }
    }

    /// The other side is to know why the connection ends.
    pub(crate) fn dismiss(&self, why: Dismissal) {
        if why != Dismissal::Unwanted {
            // Who comes first is right.
            let _ = self.junction.dismissal.set(why);
        }
    }

    pub(crate) fn dismissed(&self) -> Option<Dismissal> {
        self.junction.dismissal.get().copied()
    }

    pub(crate) fn attach(&mut self, key: u64) {
        self.mine.key.store(key, Ordering::SeqCst);
    }

    pub(crate) fn has_ended(&self) -> bool {
        // SeqCst: partner of the store in `drop`.
        self.theirs.closed.load(Ordering::SeqCst)
    }

    /// The sum of our mark for sending and the other side's for receiving; unlimited if either is.
    pub(crate) fn hwm(&self) -> u64 {
        let send = self.mine.send_hwm.load(Ordering::Relaxed);
        let receive = self.theirs.receive_hwm.load(Ordering::Relaxed);
        match (send, receive) {
            _ if self.junction.conflate => 0,
            (send, ABSENT) => send,
            (0, _) | (_, 0) => 0,
            (send, receive) => send + receive,
        }
    }

    /// Takes the socket's high-water marks; returns the sum for this direction.
    pub(crate) fn set_hwm(&mut self, send: u64, receive: u64) -> u64 {
        self.mine.send_hwm.store(send, Ordering::Relaxed);
        self.mine.receive_hwm.store(receive, Ordering::Relaxed);
        self.hwm()
    }

    /// Takes the bytes that the socket lets wait for it; returns those of the other side.
    pub(crate) fn set_receive_bytes_max(&mut self, receive: u64) -> u64 {
        self.mine.receive_bytes_max.store(receive, Ordering::Relaxed);
        self.theirs.receive_bytes_max.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Messages that the other side has written.
    pub(crate) fn delivered(&self) -> u64 {
        self.junction.tallies[1 - self.me].read().sent.messages
    }

    pub(crate) fn taken(&self) -> u64 {
        // Acquire: partner of the store in `took_message`; nothing but the count is read under it.
        self.theirs.consumed.load(Ordering::Acquire) + self.dropped
    }

    pub(crate) fn ask_for_room(&mut self, threshold: u64) -> u64 {
        let threshold = threshold.saturating_sub(self.dropped);
        self.mine.unblock_at.store(threshold, Ordering::Relaxed);
        // Partner of the light fence in `took_message`.
        heavy_fence();
        self.taken()
    }

    pub(crate) fn stop_asking(&mut self) {
        self.mine.unblock_at.store(NEVER, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn write(&mut self, message: &mut Message, _pace: &mut Pace) {
        // It comes from us now, as in libzmq.
        message.set_origin(OriginId::NONE);
        let more = message.more();
        if self.keeps {
            self.keep(std::mem::take(message));
        } else {
            self.outgoing.stage_from(message);
        }
        if !more {
            self.publish();
        }
    }

    #[inline]
    pub(crate) fn write_bytes(&mut self, body: &[u8], more: bool, pace: &mut Pace) {
        if self.keeps {
            let mut message = Message::from_slice(body);
            message.set_more(more);
            return self.write(&mut message, pace);
        }
        self.outgoing.stage_bytes(body, more);
        if !more {
            self.publish();
        }
    }

    /// Puts a part where it can be taken back.
    #[cold]
    fn keep(&self, part: Message) {
        if let Some(kept) = self.junction.kept[self.me].get() {
            let mut kept = lock(kept);
            if self.junction.conflate {
                kept.clear();
            }
            kept.push(part);
        }
    }

    #[inline]
    fn publish(&mut self) {
        self.written += 1;
        self.outgoing.publish();
        // Partner of the heavy fence in `watch`.
        light_fence();
        let theirs = &self.theirs;
        if theirs.waiting.load(Ordering::Relaxed) && theirs.waiting.swap(false, Ordering::Relaxed) {
            theirs.notify(SocketCommand::Readable);
        }
    }

    pub(crate) fn rollback(&mut self) {
        self.outgoing.rollback();
        if let Some(kept) = self.junction.kept[self.me].get() {
            lock(kept).rollback();
        }
    }

    /// What this end writes can be dropped again from now on; nothing has been written yet.
    pub(crate) fn set_drops_oldest(&mut self) {
        self.junction.kept[self.me].get_or_init(Mutex::default);
        self.keeps = true;
    }

    /// Drops the oldest message that the other side has not begun to read. False if there is none.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let kept = self.junction.kept[self.me].get();
        let gone = kept.is_some_and(|kept| lock(kept).drop_oldest());
        self.dropped += u64::from(gone);
        gone
    }

    /// Subscriptions pass as messages that begin with 1 or 0 (RFC 29), and not even a full queue holds them up.
    pub(crate) fn announce(&mut self, subscribe: bool, prefix: &[u8]) {
        let mut text = Vec::with_capacity(prefix.len() + 1);
        text.push(u8::from(subscribe));
        text.extend_from_slice(prefix);
        self.outgoing.stage(Message::from(text));
        self.publish();
    }

    #[inline]
    pub(crate) fn read(&mut self, message: &mut Message, closed: bool, dwell: Dwell) -> Read {
        if !self.incoming.pop_into(message) {
            return self.read_slow(message, closed, dwell);
        }
        if !message.more() {
            self.took_message();
        }
        Read::Part
    }

    fn read_slow(&mut self, message: &mut Message, closed: bool, dwell: Dwell) -> Read {
        // What comes next is often already on its way, and waiting for it costs less than being told of it.
        let dwell = if closed { Dwell::Pauses } else { dwell };
        let soon = dwell.await_arrival(|| self.has_queued());
        let arrived = soon || self.watch();
        if arrived && (self.incoming.pop_into(message) || self.take_kept(message)) {
            if !message.more() {
                self.took_message();
            }
            return Read::Part;
        }
        if closed { Read::Ended } else { Read::Empty }
    }

    #[inline]
    fn took_message(&mut self) {
        self.consumed += 1;
        // Release: partner of the load in `taken`. With every message: a writer may wait for bytes, of which only the count
        // of messages tells, and the reader need not call again.
        self.mine.consumed.store(self.consumed, Ordering::Release);
        // Partner of the heavy fence in `ask_for_room`.
        light_fence();
        let theirs = &self.theirs;
        if self.consumed >= theirs.unblock_at.load(Ordering::Relaxed)
            && theirs.unblock_at.swap(NEVER, Ordering::Relaxed) != NEVER
        {
            theirs.notify(SocketCommand::Writable);
        }
    }

    pub(crate) fn watch(&mut self) -> bool {
        self.mine.waiting.store(true, Ordering::Relaxed);
        // Partner of the light fence in `publish`.
        heavy_fence();
        let arrived = self.has_queued();
        if arrived {
            self.mine.waiting.store(false, Ordering::Relaxed);
        }
        arrived
    }

    pub(crate) fn has_queued(&mut self) -> bool {
        let kept = self.junction.kept[1 - self.me].get();
        !self.incoming.is_empty() || kept.is_some_and(|kept| !lock(kept).is_empty())
    }

    /// Takes the next part from the other side, if that can take messages back. False if there is none.
    fn take_kept(&self, message: &mut Message) -> bool {
        let kept = self.junction.kept[1 - self.me].get();
        let Some(part) = kept.and_then(|kept| lock(kept).pop()) else {
            return false;
        };
        *message = part;
        true
    }
}

impl Drop for LocalEnd {
    /// The other side reads what is queued, and then nothing any more.
    fn drop(&mut self) {
        if let Some(farewell) = self.junction.farewell.get().filter(|_| self.me == 0) {
            let farewell = Message::from_slice(farewell);
            self.rollback();
            self.outgoing.stage(farewell);
            self.publish();
        }
        // SeqCst: after the last publish, before the notification; partner of `has_ended`.
        self.mine.closed.store(true, Ordering::SeqCst);
        self.theirs.notify(SocketCommand::Closed);
    }
}
