//! The application's end of a connection, whatever carries it.

mod datagram;
mod kept;
mod local;
mod losses;
mod newest;
mod outgoing;
mod shm;
mod sizes;
#[cfg(test)]
mod tests;
mod wire;

use std::{sync::Arc, time::Duration};

use ringmq_io::Fd;
use ringmq_message::{Message, Origin, OriginId, wire::ring};
use ringmq_zmtp::SocketType;

use datagram::DatagramEnd;
use kept::KeptEnd;
use local::LocalEnd;
pub(crate) use local::local_pair;
pub(crate) use losses::Losses;
use newest::NewestEnd;
use shm::ShmEnd;
pub(crate) use shm::{Loan, Rings, shared_mark};
use sizes::Sizes;
use wire::WireEnd;

use crate::{
    datagram::{DatagramLink, Format},
    inbound::SubscriptionRequest,
    inproc::Party,
    limits,
    link::Link,
    monitor::{Credentials, DisconnectReason},
    options::{Options, Overflow},
    pace::{Dwell, Pace},
    presence::Leftover,
    receive::Receive,
    socket::{Board, Change, SocketShared},
    tally::Tally,
    transmit::Transmit,
    worker::{Command, WorkerShared},
};

/// What a pipe belongs to, as its socket sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) identity: Vec<u8>,
    /// Who it is, if the connection is or was a unix socket.
    pub(crate) credentials: Option<Credentials>,
    /// What its messages carry, and what they can be asked for.
    pub(crate) origin: Option<Arc<Origin>>,
    /// The identity is the name that we gave the peer, whatever it calls itself.
    pub(crate) named: bool,
    /// The peer's end of the connection, as an endpoint; empty while there has been none.
    pub(crate) address: Arc<str>,
    /// What it said it is; nothing of a peer that has not shaken hands.
    pub(crate) socket_type: Option<SocketType>,
}

impl Peer {
    /// A peer by the name that we give it; none is given if that is empty.
    pub(crate) fn named(identity: Vec<u8>) -> Self {
        Self {
            named: !identity.is_empty(),
            identity,
            ..Self::default()
        }
    }

    /// The peer is there; a name that we gave it stays.
    pub(crate) fn introduce(&mut self, peer: Self) {
        let former = std::mem::replace(self, peer);
        if former.named {
            self.named = true;
            self.identity = former.identity;
        }
    }
}

/// One pipe.
pub(crate) struct Pipe {
    pub(crate) peer: Peer,
    /// By which number a SERVER knows the peer; 0 is none.
    pub(crate) number: u32,
    /// The endpoint that it came from, for unbind and disconnect.
    pub(crate) endpoint: u64,
    end: End,
    /// The most messages that may be written and not yet taken; 0 is unlimited.
    hwm: u64,
    /// The lengths of messages that wait, if their sum is bounded.
    sizes: Option<Box<Sizes>>,
    /// The other side's count of taken messages when last looked at.
    taken: u64,
    /// How many messages may be written before their number has to be looked at again.
    credit: u64,
    /// Parts of a multipart message have been written and the last one not.
    writing: bool,
    /// The other side has ended; what is queued may still be read.
    closed: bool,
    /// A message was dropped for want of room, and half of the queue is not gone yet.
    throttled: bool,
    /// Messages for this peer that were dropped for want of room.
    pub(crate) losses: Losses,
    /// The pipe is in its socket's fair queue.
    pub(crate) in_fair_queue: bool,
    /// The pipe is in its socket's round of pipes with room.
    pub(crate) in_balance: bool,
    /// Why the socket ends the connection, if it does.
    pub(crate) dismissal: Dismissal,
    /// Up to which change its session has announced the socket's subscriptions, if that was before the socket had the pipe.
    pub(crate) announced: Option<u64>,
    /// What has passed.
    pub(crate) tally: Arc<Tally>,
    /// Bytes of the parts before the present one of the message that is written, and of the one that is read.
    written_part: u64,
    read_part: u64,
}

/// Why a socket ends a connection of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dismissal {
    /// It has no more use for it.
    #[default]
    Unwanted,
    /// Another peer has the routing id.
    RoutingIdInUse,
    /// Another peer has taken the routing id over.
    Replaced,
    /// The peer does not read what it is sent.
    TooSlow,
}

impl Dismissal {
    /// What the peer is told, if the connection is fit for telling it.
    pub(crate) fn explanation(self) -> Option<&'static [u8]> {
        match self {
            Self::RoutingIdInUse => Some(b"Routing id in use"),
            Self::Replaced => Some(b"Routing id taken over"),
            Self::Unwanted | Self::TooSlow => None,
        }
    }

    /// What a peer means that says so.
    pub(crate) fn explained_by(text: &[u8]) -> Option<Self> {
        let all = [Self::RoutingIdInUse, Self::Replaced];
        all.into_iter().find(|it| it.explanation() == Some(text))
    }

    pub(crate) fn reason(self) -> DisconnectReason {
        match self {
            Self::Unwanted => DisconnectReason::Local,
            Self::RoutingIdInUse => DisconnectReason::RoutingIdInUse,
            Self::Replaced => DisconnectReason::Replaced,
            Self::TooSlow => DisconnectReason::TooSlow,
        }
    }
}

/// What is at the other end.
enum End {
    /// A session, and behind it a connection.
    Wire(WireEnd),
    /// The same, where only the newest message is kept.
    Newest(NewestEnd),
    /// The same, where old messages can make room for new ones.
    Kept(Box<KeptEnd>),
    /// Another socket of the context.
    Local(LocalEnd),
    /// A session, whose connection may be upgraded to shared memory, and is one to a wire otherwise.
    Shm(Box<ShmEnd>),
    /// A datagram socket.
    Datagram(Box<DatagramEnd>),
}

/// What a read found.
pub(crate) enum Read {
    /// A part, which lies where the caller wanted it.
    Part,
    Subscriptions(Vec<SubscriptionRequest>),
    /// Nothing now; the socket will be told.
    Empty,
    /// Nothing any more.
    Ended,
}

/// Calls the same method of whichever end there is.
macro_rules! either {
    ($self:ident, $end:ident => $call:expr) => {
        match &mut $self.end {
            End::Wire($end) => $call,
            End::Newest($end) => $call,
            End::Kept($end) => $call,
            End::Local($end) => $call,
            End::Shm($end) => $call,
            End::Datagram($end) => $call,
        }
    };
}

impl Pipe {
    fn new(end: End, hwm: u64, endpoint: u64, tally: Arc<Tally>) -> Self {
        Self {
            peer: Peer::default(),
            number: 0,
            endpoint,
            end,
            hwm,
            sizes: None,
            taken: 0,
            credit: 0,
            writing: false,
            closed: false,
            throttled: false,
            losses: Losses::default(),
            in_fair_queue: false,
            in_balance: false,
            dismissal: Dismissal::default(),
            announced: None,
            tally,
            written_part: 0,
            read_part: 0,
        }
    }

    /// The connection that messages come by.
    pub(crate) fn origin(&self) -> OriginId {
        let origin = self.peer.origin.as_ref();
        origin.map_or(OriginId::NONE, |origin| origin.id())
    }

    /// The link to a session, for pipes that have one.
    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        match &self.end {
            End::Wire(wire) => Some(&wire.link),
            End::Newest(newest) => Some(&newest.link),
            End::Kept(kept) => Some(&kept.wire.link),
            End::Shm(shm) => Some(&shm.wire.link),
            End::Local(_) | End::Datagram(_) => None,
        }
    }

    /// Whether the other side gets everything that the socket publishes, because it cannot say what it wants.
    pub(crate) fn wants_everything(&self) -> bool {
        matches!(self.end, End::Datagram(_))
    }

    /// The end that has shared memory, or may get it.
    pub(crate) fn shm(&mut self) -> Option<&mut ShmEnd> {
        match &mut self.end {
            End::Shm(shm) => Some(shm),
            _ => None,
        }
    }

    /// Whether the right to read the connection may be lent to the application: there is one, and all messages come by it.
    pub(crate) fn lends(&self) -> bool {
        match &self.end {
            End::Wire(_) | End::Newest(_) | End::Kept(_) => true,
            End::Shm(shm) => !shm.is_upgraded(),
            End::Local(_) | End::Datagram(_) => false,
        }
    }

    /// The connection has been upgraded to shared memory.
    pub(crate) fn upgrade(&mut self, rings: Rings) {
        if let Some(shm) = self.shm() {
            shm.upgrade(rings);
            self.hwm = shm.hwm();
            self.credit = 0;
        }
    }

    /// The message that the other side wants every new peer to get, if it wants one.
    pub(crate) fn greet(&mut self, hello: &[u8]) {
        if !hello.is_empty() {
            self.write(&mut Message::from_slice(hello), &mut Pace::default());
        }
    }

    /// The socket that this waiting end of an in-process connection belongs to has turned up.
    pub(crate) fn found(&mut self, party: &Party<'_>) {
        self.endpoint = party.endpoint;
        if let End::Local(local) = &mut self.end {
            local.set_socket(party.socket);
            local.set_farewell(party.disconnect);
            self.hwm = local.set_hwm(party.hwm.0, party.hwm.1);
            self.credit = 0;
            local.set_receive_bytes_max(party.receive_bytes_max);
            if party.drops_oldest {
                local.set_drops_oldest();
            }
        }
    }

    /// The socket has given the pipe its key. Whatever was pushed before is found by the first read, which the socket
    /// makes after this.
    pub(crate) fn attach(&mut self, key: u64) {
        either!(self, end => end.attach(key));
    }

    /// Whether a peer that breaks the pattern's rules loses its connection. A socket of our own process is only ignored.
    pub(crate) fn is_foreign(&self) -> bool {
        self.link().is_some()
    }

    /// Applies the limits of the socket that the pipe belongs to.
    pub(crate) fn limit(&mut self, options: &Options) {
        self.set_hwm(u64::from(options.send_hwm), u64::from(options.receive_hwm));
        self.set_bytes_max(
            options.send_bytes_max.unwrap_or(0),
            options.receive_bytes_max.unwrap_or(0),
        );
    }

    /// Changes the high-water marks of the socket that the pipe belongs to.
    pub(crate) fn set_hwm(&mut self, send: u64, receive: u64) {
        self.hwm = either!(self, end => end.set_hwm(send, receive));
        self.credit = 0;
    }

    /// Changes how many bytes may wait for the peer, and from it; 0 is unlimited.
    pub(crate) fn set_bytes_max(&mut self, send: u64, receive: u64) {
        let max = match &mut self.end {
            // There is one queue, in which both sides' allowances add up.
            End::Local(local) => send + local.set_receive_bytes_max(receive),
            End::Wire(wire) => wire.set_bytes_max(send, receive),
            End::Shm(shm) => shm.wire.set_bytes_max(send, receive),
            End::Kept(kept) => kept.wire.set_bytes_max(send, receive),
            // One message waits, whatever its length.
            End::Newest(_) | End::Datagram(_) => 0,
        };
        let written = self.written();
        self.credit = 0;
        match &mut self.sizes {
            _ if max == 0 => self.sizes = None,
            Some(sizes) => sizes.set_max(max),
            sizes => *sizes = Some(Box::new(Sizes::new(max, written))),
        }
    }

    /// The other side has ended.
    pub(crate) fn mark_closed(&mut self) {
        self.closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the other side has ended already, for a pipe whose socket was not told because it did not know it yet.
    pub(crate) fn has_ended(&self) -> bool {
        match &self.end {
            End::Local(local) => local.has_ended(),
            _ => self.link().is_some_and(|link| link.is_closed()),
        }
    }

    /// Why the other socket of an in-process connection has ended it, if it said so.
    pub(crate) fn dismissed(&self) -> Option<Dismissal> {
        match &self.end {
            End::Local(local) => local.dismissed(),
            _ => None,
        }
    }

    /// Ends the connection: the socket does not want it. What is queued is dropped.
    pub(crate) fn refuse(&mut self) {
        self.finish(Some(Duration::ZERO));
    }

    /// Ends the connection once what is queued has been sent, or `linger` is over.
    pub(crate) fn finish(&mut self, linger: Option<Duration>) {
        self.closed = true;
        if let End::Local(local) = &self.end {
            local.dismiss(self.dismissal);
        } else if let Some(link) = self.link() {
            link.worker
                .push(Command::ClosePipe(link.clone(), linger, self.dismissal));
        }
    }

    #[inline]
    fn written(&self) -> u64 {
        match &self.end {
            End::Wire(wire) => wire.written(),
            End::Newest(_) => 0,
            End::Kept(kept) => kept.written(),
            End::Datagram(datagram) => datagram.written(),
            End::Local(local) => local.written(),
            End::Shm(shm) => shm.written(),
        }
    }

    #[inline]
    fn backlog(&self) -> u64 {
        self.written() - self.taken
    }

    #[inline]
    fn is_at_mark(&self) -> bool {
        let at_count = self.hwm != 0 && self.backlog() >= self.hwm;
        at_count || self.sizes.as_ref().is_some_and(|sizes| sizes.is_full())
    }

    /// Asks the other side how many messages it has taken.
    fn refresh_taken(&mut self) {
        self.taken = either!(self, end => end.taken());
        self.settle();
    }

    fn settle(&mut self) {
        if let Some(sizes) = &mut self.sizes {
            sizes.settle(self.taken);
        }
    }

    /// The high-water mark is reached: whole messages written and not yet taken by the other side (libzmq counts the
    /// same way; what is in flight to the kernel no longer counts).
    #[inline]
    pub(crate) fn is_full(&mut self) -> bool {
        self.credit == 0 && !self.finds_credit()
    }

    /// Looks how many messages there is room for, if there is any.
    #[inline(never)]
    fn finds_credit(&mut self) -> bool {
        if self.is_at_mark() && self.is_really_full() {
            return false;
        }
        self.credit = match &self.sizes {
            // How long the next message is nobody knows.
            Some(_) => 0,
            None if self.hwm == 0 => u64::MAX,
            None => self.hwm - self.backlog(),
        };
        true
    }

    #[cold]
    fn is_really_full(&mut self) -> bool {
        self.refresh_taken();
        match &self.end {
            // The other socket may have changed its part of the sum.
            End::Local(local) => self.hwm = local.hwm(),
            End::Shm(shm) => self.hwm = shm.hwm(),
            End::Wire(_) | End::Newest(_) | End::Kept(_) | End::Datagram(_) => {}
        }
        if !self.is_at_mark() {
            return false;
        }
        self.flush();
        self.refresh_taken();
        self.is_at_mark()
    }

    /// A message like the last one can be written without being kept outside of a shared ring, for patterns that can wait.
    #[inline]
    pub(crate) fn has_room(&mut self) -> bool {
        let has_space = match &mut self.end {
            End::Shm(shm) => shm.has_space(),
            End::Wire(_) | End::Newest(_) | End::Kept(_) | End::Datagram(_) | End::Local(_) => true,
        };
        has_space && !self.is_full()
    }

    /// For patterns that drop: a pipe that was found full takes messages again once half of its queue is gone.
    #[inline]
    pub(crate) fn accepts(&mut self) -> bool {
        if !self.throttled {
            self.throttled = self.is_full();
            return !self.throttled;
        }
        self.refresh_taken();
        let by_count = self.hwm == 0 || self.backlog() <= self.hwm / 2;
        let by_bytes = self.sizes.as_ref().is_none_or(|sizes| sizes.is_half_empty());
        self.throttled = !(by_count && by_bytes);
        !self.throttled
    }

    /// For patterns that rather lose old messages: drops as many as it takes, where the carrier lets go of any. Returns how
    /// many those were, and whether there is room now.
    pub(crate) fn make_room(&mut self) -> (u64, bool) {
        let mut dropped = 0;
        while self.is_full() {
            let gone = match &mut self.end {
                End::Kept(kept) => kept.drop_oldest(),
                End::Local(local) => local.drop_oldest(),
                End::Wire(_) | End::Newest(_) | End::Shm(_) | End::Datagram(_) => false,
            };
            if !gone {
                return (dropped, false);
            }
            dropped += 1;
        }
        (dropped, true)
    }

    /// Asks the other side to report once half of the queue is gone (the low-water mark). False when there is room
    /// already, and then nothing will be reported.
    pub(crate) fn ask_for_room(&mut self) -> bool {
        // Without a mark it is a ring that is full, and any message less in it will do.
        let by_count = match self.hwm {
            0 => 0,
            hwm => (self.written() + hwm / 2).saturating_sub(hwm),
        };
        let by_bytes = self.sizes.as_ref().map_or(0, |sizes| sizes.threshold());
        let threshold = by_count.max(by_bytes).max(1);
        self.taken = either!(self, end => end.ask_for_room(threshold));
        self.settle();
        if self.has_room() {
            either!(self, end => end.stop_asking());
            return false;
        }
        true
    }

    /// Writes one part; a large body is taken out of `message`. The caller has seen that the pipe is not full, or is in
    /// the middle of a message.
    #[inline]
    pub(crate) fn write(&mut self, message: &mut Message, pace: &mut Pace) {
        self.begin_part(message.len(), message.more());
        either!(self, end => end.write(message, pace));
    }

    /// Counts a part that is about to be written.
    #[inline]
    fn begin_part(&mut self, len: usize, more: bool) {
        self.writing = more;
        let bytes = self.written_part + len as u64;
        self.written_part = if more { bytes } else { 0 };
        if !more {
            self.credit = self.credit.saturating_sub(1);
            self.tally.sent(bytes);
            if let Some(sizes) = &mut self.sizes {
                sizes.push(bytes);
            }
        }
    }

    /// Counts a part that was read.
    #[inline]
    fn end_part(&mut self, message: &Message) {
        let bytes = self.read_part + message.len() as u64;
        self.read_part = if message.more() { bytes } else { 0 };
        if !message.more() {
            self.tally.received(bytes);
        }
    }

    /// Writes one part by copying it, for which it must be small enough; otherwise as [`write`](Self::write).
    #[inline]
    pub(crate) fn write_bytes(&mut self, body: &[u8], more: bool, pace: &mut Pace) {
        self.begin_part(body.len(), more);
        either!(self, end => end.write_bytes(body, more, pace));
    }

    /// Writes one part and leaves it with the caller.
    #[inline]
    pub(crate) fn write_shared(&mut self, message: &mut Message, pace: &mut Pace) {
        self.begin_part(message.len(), message.more());
        match &mut self.end {
            End::Wire(wire) => wire.write_shared(message, pace),
            End::Shm(shm) => shm.write_shared(message, pace),
            End::Newest(newest) => newest.write(&mut share_of(message), pace),
            End::Local(local) => local.write(&mut share_of(message), pace),
            End::Kept(kept) => kept.write(&mut share_of(message), pace),
            End::Datagram(datagram) => datagram.write(&mut share_of(message), pace),
        }
    }

    /// Sends what was gathered.
    pub(crate) fn flush(&mut self) {
        if let Some(wire) = self.gathering_end() {
            wire.flush();
        }
    }

    /// Sends what was gathered; the socket's [`Pace`] does not list the pipe any more.
    pub(crate) fn flush_listed(&mut self) {
        if let Some(wire) = self.gathering_end() {
            wire.flush_listed();
        }
    }

    fn gathering_end(&mut self) -> Option<&mut WireEnd> {
        match &mut self.end {
            End::Wire(wire) => Some(wire),
            End::Shm(shm) => Some(&mut shm.wire),
            End::Newest(_) | End::Kept(_) | End::Datagram(_) | End::Local(_) => None,
        }
    }

    /// Takes back the parts of an incomplete message. True if there was one.
    pub(crate) fn rollback(&mut self) -> bool {
        let cut = std::mem::take(&mut self.writing);
        self.written_part = 0;
        if cut {
            either!(self, end => end.rollback());
        }
        cut
    }

    /// The next part, in order; a message's parts follow each other without a gap. It dwells a moment on an empty queue.
    #[inline]
    pub(crate) fn read(&mut self, message: &mut Message, dwell: Dwell) -> Read {
        let read = match &mut self.end {
            End::Wire(wire) => wire.read(message, self.closed),
            End::Newest(newest) => newest.read(message, self.closed),
            End::Kept(kept) => kept.read(message, self.closed),
            End::Local(local) => local.read(message, self.closed, dwell),
            End::Shm(shm) => shm.read(message, self.closed, dwell),
            End::Datagram(datagram) => datagram.read(message, self.closed),
        };
        if let Read::Part = read {
            self.end_part(message);
        }
        read
    }

    /// What is left to the session when the socket goes.
    pub(crate) fn leftover(&self) -> Option<Leftover> {
        let written = match &self.end {
            End::Shm(shm) => shm.wire.written(),
            _ => self.written(),
        };
        self.link().map(|link| Leftover {
            link: Arc::downgrade(link),
            written,
        })
    }

    /// Messages that the other side has not taken yet.
    pub(crate) fn unsent(&mut self) -> u64 {
        self.refresh_taken();
        self.backlog()
    }

    /// Messages that were delivered and not read; `None` where only the peer knows how many lie there.
    pub(crate) fn unread(&mut self) -> Option<u64> {
        let delivered = match &self.end {
            End::Local(local) => local.delivered(),
            End::Shm(shm) if shm.is_upgraded() => return None,
            End::Datagram(datagram) => datagram.delivered(),
            _ => self.link()?.receive.delivered(),
        };
        Some(delivered.saturating_sub(self.tally.read().received.messages))
    }

    /// Messages may flow at this moment, as far as this side knows.
    pub(crate) fn is_established(&self) -> bool {
        !self.closed && self.link().is_none_or(|link| link.transmit.is_established())
    }

    /// Messages go by shared memory.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(&self.end, End::Shm(shm) if shm.is_upgraded())
    }

    /// Reads the connection on this thread, if the worker has lent the right. True when something may have come.
    pub(crate) fn pump(&mut self) -> bool {
        self.link().is_some_and(Link::pump)
    }

    /// Asks the other side to report the next arrival. True when something arrived meanwhile.
    pub(crate) fn watch(&mut self) -> bool {
        either!(self, end => end.watch())
    }

    /// Whether a read would find a message, without taking it.
    pub(crate) fn has_queued(&mut self) -> bool {
        either!(self, end => end.has_queued())
    }

    /// Tells the other side of a change to the socket's subscriptions.
    pub(crate) fn announce(&mut self, change: Change) {
        if let End::Local(local) = &mut self.end {
            local.announce(change.subscribe, &change.prefix);
        } else if let Some(link) = self.link() {
            let link = link.clone();
            link.worker.clone().push(Command::Subscription { link, change });
        }
    }

    /// Tells the other side of a pipe that the socket has got just now what it does not know of its subscriptions: everything
    /// in the process, and of a connection that was made without the socket what has changed meanwhile. A session announces
    /// everything whenever its connection comes up.
    pub(crate) fn introduce_subscriptions(&mut self, board: &Board) {
        if let End::Local(local) = &mut self.end {
            for prefix in board.set.iter() {
                local.announce(true, &prefix);
            }
        } else if let Some(known) = self.announced.take()
            && let Some(change) = board.change_since(known)
        {
            self.announce(change);
        }
    }
}

/// Makes both ends of a connection that is yet to come: the link for its session, the pipe for its socket. The connection
/// is `upgradable` if it is one to this machine, which may turn out to support shared memory.
pub(crate) fn pair(
    worker: &Arc<WorkerShared>,
    socket: &Arc<SocketShared>,
    options: &Options,
    endpoint: u64,
    upgradable: bool,
) -> (Arc<Link>, Pipe) {
    let (writer, ring) = ring();
    let (receive, queue) = Receive::new(socket, options);
    receive.set_bytes_max(options.receive_bytes_max.unwrap_or(0));
    let framed = !socket.is_raw(options);
    let batch = options.out_batch_size.map(|bytes| bytes as usize);
    let batch_max = batch.unwrap_or(limits::SEND_BATCH_BYTES_MAX);
    let link = Link::new(
        worker.clone(),
        socket.clone(),
        Transmit::new(ring, framed, batch_max),
        receive,
    );
    let tally = link.tally.clone();
    let hwm = u64::from(options.send_hwm);
    let wire = |queue| WireEnd::new(link.clone(), writer, queue, framed);
    let end = if options.conflate {
        End::Newest(NewestEnd::new(link.clone(), queue))
    } else if options.overflow == Overflow::DropOldest {
        End::Kept(Box::new(KeptEnd::new(wire(queue))))
    } else if upgradable {
        End::Shm(Box::new(ShmEnd::new(wire(queue), hwm)))
    } else {
        End::Wire(wire(queue))
    };
    (link, Pipe::new(end, hwm, endpoint, tally))
}

/// Makes both ends of a datagram socket that is there: the link for its worker, the pipe for its socket.
pub(crate) fn datagrams(
    worker: &Arc<WorkerShared>,
    socket: &Arc<SocketShared>,
    options: &Options,
    endpoint: u64,
    fd: Fd,
    format: Format,
) -> (Arc<DatagramLink>, Pipe) {
    let (receive, queue) = Receive::new(socket, options);
    let link = DatagramLink::new(worker.clone(), socket.clone(), endpoint, fd, format, receive);
    let end = End::Datagram(Box::new(DatagramEnd::new(link.clone(), queue)));
    (link, Pipe::new(end, 1, endpoint, Arc::default()))
}

/// Another handle to the same body.
fn share_of(message: &mut Message) -> Message {
    let mut share = message.share();
    share.set_more(message.more());
    share
}
