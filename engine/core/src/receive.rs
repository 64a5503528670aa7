//! The receiving half of a link: from the connection's bytes to spans of whole messages in the pipe's queue.
//!
//! Bytes lie in a slab; the ZMTP connection says what they are; runs of whole frames are split off as spans without
//! being copied. Whoever may read the connection (the worker, or an application thread to which the worker lent the
//! right) drives this under the lock.

mod layered;
mod newest;

use std::{collections::VecDeque, io, sync::Arc, time::Instant};

use ringmq_io::{Fd, recv_now};
use ringmq_message::{Message, OriginId, Slab};
use ringmq_queue::{
    spsc::{Consumer, Producer, ring},
    sync::{AtomicBool, AtomicU64, Mutex, Ordering, fence},
};
use ringmq_zmtp::{Connection, Event, Failure, Progress};

use crate::{
    inbound::{Frames, Inbound, Mark, SubscriptionRequest},
    layer::{LayerFault, SharedLayers},
    limits,
    link::lock,
    options::Options,
    socket::SocketShared,
    worker::UPGRADE_COMMAND,
};

use layered::Layered;
use newest::Newest;

const NEVER: u64 = u64::MAX;

/// What both sides share about receiving.
pub(crate) struct Receive {
    /// The pipe found its queue empty and waits to be told.
    waiting: AtomicBool,
    /// Messages that the application has taken: the session's credit.
    consumed: AtomicU64,
    /// The session stopped reading until `consumed` reaches this.
    resume_at: AtomicU64,
    /// High-water mark in messages; 0 is unlimited. Written by the application at any time.
    hwm: AtomicU64,
    /// The same in bytes, framing included, of what lies in the queue; and how many of those the application has read.
    bytes_max: AtomicU64,
    consumed_bytes: AtomicU64,
    /// The right to read the connection is the application's. Changed under the lock of `side`.
    lent: AtomicBool,
    /// How often the application has used that right, by which the worker sees that it still does.
    visits: AtomicU64,
    /// The application sleeps on the connection's descriptor.
    attended: AtomicBool,
    pub(crate) side: Mutex<ReceiveSide>,
}

/// What only the reader of the connection touches.
pub(crate) struct ReceiveSide {
    /// The protocol state of the present connection.
    pub(crate) connection: Option<Connection>,
    /// What stands between the wire and the protocol, if anything does.
    layered: Option<Layered>,
    /// What its messages carry, once the handshake is over.
    origin: OriginId,
    slab: Option<Slab>,
    large: Option<Large>,
    /// Pieces of the message that is not complete yet.
    partial: Vec<Inbound>,
    /// What the application shall hear when the connection is lost, behind everything that has come through it.
    last_words: Vec<Message>,
    /// Whole messages that found no room in the queue.
    held: VecDeque<Held>,
    queue: Producer<Inbound>,
    /// Where messages go instead of the queue, if only the newest is kept.
    newest: Option<Newest>,
    /// Messages pushed so far.
    delivered: u64,
    delivered_bytes: u64,
    /// Patterns that do not receive have their data thrown away here, so that a peer that sends regardless cannot
    /// stop the session from noticing its end.
    discard: bool,
    copies_bodies: bool,
    /// The connection, while the right to read it is lent.
    fd: Option<Arc<Fd>>,
}

/// A piece that waits for room.
struct Held {
    entry: Inbound,
    /// How many pieces of the same message, this one included, must be pushed together; 0 behind the first.
    group: usize,
}

/// A frame whose body is received into a buffer of its own.
struct Large {
    buffer: Slab,
    body_len: u64,
    more: bool,
}

/// What absorbing came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Absorbed {
    /// Everything was looked at; more bytes are needed.
    Hungry,
    /// The peer's handshake is complete. Call again for what follows it.
    Handshaken,
    /// A step of the upgrade to shared memory. Call again for what follows it.
    Upgrade(Vec<u8>),
}

/// Why a connection cannot be read any further.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The protocol has failed.
    Protocol(Failure),
    /// What stands before it has.
    Layer(LayerFault),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Protocol(failure)
    }
}

impl From<LayerFault> for Broken {
    fn from(fault: LayerFault) -> Self {
        Self::Layer(fault)
    }
}

/// What reading on the application's thread came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// Messages may have come; `control` says that the protocol has something to send.
    Arrived { control: bool },
    /// Nothing was there to read.
    Nothing,
    /// The connection ended or broke the protocol, which is the worker's to handle.
    Over,
    /// The worker has taken the right back.
    NotLent,
}

/// What delivering came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// The pipe waits for what was pushed: tell it.
    pub(crate) notify: bool,
    /// The high-water mark or the queue's end is reached: stop reading until the pipe says so.
    pub(crate) stalled: bool,
}

impl Receive {
    pub(crate) fn new(socket: &SocketShared, options: &Options) -> (Self, Consumer<Inbound>) {
        let (producer, consumer) = ring(limits::SPAN_QUEUE_LEN);
        let side = ReceiveSide {
            connection: None,
            layered: None,
            origin: OriginId::NONE,
            slab: None,
            large: None,
            partial: Vec::new(),
            last_words: Vec::new(),
            held: VecDeque::new(),
            queue: producer,
            newest: options.conflate.then(Newest::default),
            delivered: 0,
            delivered_bytes: 0,
            discard: socket.traits.discards_input,
            copies_bodies: socket.copies_bodies,
            fd: None,
        };
        let receive = Self {
            waiting: AtomicBool::new(false),
            consumed: AtomicU64::new(0),
            resume_at: AtomicU64::new(NEVER),
            hwm: AtomicU64::new(u64::from(options.receive_hwm)),
            bytes_max: AtomicU64::new(0),
            consumed_bytes: AtomicU64::new(0),
            lent: AtomicBool::new(false),
            visits: AtomicU64::new(0),
            attended: AtomicBool::new(false),
            side: Mutex::new(side),
        };
        (receive, consumer)
    }

    pub(crate) fn set_hwm(&self, hwm: u64) {
        self.hwm.store(hwm, Ordering::Relaxed);
    }

    pub(crate) fn set_bytes_max(&self, bytes_max: u64) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Whether the session has to learn of bytes as they are read.
    #[inline]
    pub(crate) fn is_bounded_by_bytes(&self) -> bool {
        self.bytes_max.load(Ordering::Relaxed) != 0
    }

    /// As many bytes wait for the application as may.
    fn is_full_of_bytes(&self, side: &ReceiveSide) -> bool {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        // Relaxed: ordered by the fences of `publish_consumed` and `stall`, as the count of messages is.
        let waiting = side.delivered_bytes - self.consumed_bytes.load(Ordering::Relaxed);
        bytes_max != 0 && waiting >= bytes_max
    }

    /// The pipe found its queue empty. It must look once more after this.
    pub(crate) fn wait(&self) {
        self.waiting.store(true, Ordering::Relaxed);
        // Partner of the fence in `deliver`: either that side sees the flag, or this one sees the push.
        fence(Ordering::SeqCst);
    }

    /// Whether the pipe still waits to be told. After a report this is false, or it would not have come.
    pub(crate) fn is_waited_for(&self) -> bool {
        // Relaxed: a report, which comes after the flag was taken back, passes the mailbox's lock.
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn stop_waiting(&self) {
        self.waiting.store(false, Ordering::Relaxed);
    }

    /// The pipe has taken messages (and released their slots). True when the session waits for that.
    #[inline]
    pub(crate) fn publish_consumed(&self, consumed: u64, consumed_bytes: u64) -> bool {
        self.consumed_bytes.store(consumed_bytes, Ordering::Relaxed);
        self.consumed.store(consumed, Ordering::Release);
        // Partner of the fence in `stall`: either that side sees the count, or this one sees the threshold.
        fence(Ordering::SeqCst);
        consumed >= self.resume_at.load(Ordering::Relaxed) && {
            // Several reads may pass before the worker acts; it needs to be told once.
            self.resume_at.swap(NEVER, Ordering::Relaxed) != NEVER
        }
    }

    /// Messages pushed to the pipe so far.
    pub(crate) fn delivered(&self) -> u64 {
        lock(&self.side).delivered
    }

    /// Lends the right to read to the application. To be called by the worker, with nothing of the connection in flight.
    pub(crate) fn lend(&self, fd: Arc<Fd>) {
        let mut side = lock(&self.side);
        side.fd = Some(fd);
        self.lent.store(true, Ordering::Relaxed);
    }

    /// Gives the right back to the worker, whoever of the two wants that. False if it had not been lent.
    pub(crate) fn take_back(&self) -> bool {
        let mut side = lock(&self.side);
        side.fd = None;
        side.rest();
        self.lent.swap(false, Ordering::Relaxed)
    }

    /// Whether the application has the right to read.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Relaxed)
    }

    /// How often the application has read, and whether it sleeps on the connection now.
    pub(crate) fn attendance(&self) -> (u64, bool) {
        (
            self.visits.load(Ordering::Relaxed),
            self.attended.load(Ordering::Relaxed),
        )
    }

    /// The application begins or ends to sleep on the connection's descriptor.
    pub(crate) fn set_attended(&self, attended: bool) {
        self.attended.store(attended, Ordering::Relaxed);
    }

    /// Reads the connection on the application's thread, once and without waiting. The pipe's queue is empty.
    pub(crate) fn pump(&self, now: Instant) -> Pumped {
        let mut side = lock(&self.side);
        let Some(fd) = side.fd.take() else {
            return Pumped::NotLent;
        };
        self.visits.fetch_add(1, Ordering::Relaxed);
        if side.has_held() {
            // What the last receive brought beyond the queue's room comes first: the queue is empty now.
            self.deliver(&mut side);
            side.fd = Some(fd);
            return Pumped::Arrived { control: false };
        }
        let mut buffer = side.take_buffer();
        let result = recv_now(&fd, &mut buffer);
        side.put_buffer(buffer);
        side.fd = Some(fd);
        match result {
            Ok(0) => Pumped::Over,
            Ok(_) => {
                let absorbed = side.absorb(now);
                // What came before a violation was in order, and is delivered.
                self.deliver(&mut side);
                let control = side.has_control();
                if absorbed.is_ok() {
                    Pumped::Arrived { control }
                } else {
                    Pumped::Over
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Pumped::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Pumped::Nothing,
            Err(_) => Pumped::Over,
        }
    }

    /// Delivers what is held without a connection. True when the pipe waits for it.
    pub(crate) fn deliver_now(&self) -> bool {
        self.deliver(&mut lock(&self.side)).notify
    }

    /// Pushes what is held, as far as there is room under the high-water mark.
    pub(crate) fn deliver(&self, side: &mut ReceiveSide) -> Delivered {
        let mut outcome = Delivered::default();
        loop {
            let pushed = side.keep_newest() | self.push_held(side);
            if pushed {
                // Partner of the fence in `wait`.
                fence(Ordering::SeqCst);
                if self.waiting.load(Ordering::Relaxed) {
                    outcome.notify |= self.waiting.swap(false, Ordering::Relaxed);
                }
            }
            if !self.must_stop(side) {
                return outcome;
            }
            if self.stall(side) {
                outcome.stalled = true;
                return outcome;
            }
        }
    }

    fn push_held(&self, side: &mut ReceiveSide) -> bool {
        let mut pushed = false;
        while let Some(first) = side.held.front()
            && side.queue.free() >= first.group
            && !self.is_full_of_bytes(side)
        {
            for _ in 0..first.group {
                let Some(held) = side.held.pop_front() else { break };
                side.delivered += held.entry.messages();
                side.delivered_bytes += held.entry.bytes();
                let staged = side.queue.stage(held.entry);
                debug_assert!(staged.is_ok(), "there is room for the whole group");
            }
            side.queue.publish();
            pushed = true;
        }
        pushed
    }

    /// Takes the newest message, for links that keep only that. `parts` is empty.
    pub(crate) fn take_newest(&self, parts: &mut VecDeque<Message>) {
        if let Some(newest) = &mut lock(&self.side).newest {
            newest.take(parts);
        }
    }

    /// Whether there is a newest message to take.
    pub(crate) fn has_newest(&self) -> bool {
        lock(&self.side)
            .newest
            .as_ref()
            .is_some_and(|newest| !newest.is_empty())
    }

    fn must_stop(&self, side: &ReceiveSide) -> bool {
        if !side.held.is_empty() {
            return true;
        }
        let hwm = self.hwm.load(Ordering::Relaxed);
        // Acquire: partner of the store in `publish_consumed`.
        let waiting = side.delivered - self.consumed.load(Ordering::Acquire);
        hwm != 0 && waiting >= hwm || self.is_full_of_bytes(side)
    }

    /// Sets the threshold at which the pipe shall report, then looks again. False when the room came meanwhile.
    fn stall(&self, side: &mut ReceiveSide) -> bool {
        let hwm = self.hwm.load(Ordering::Relaxed);
        // With entries held the queue is what is full, and of bytes only the pipe knows when they are gone: any progress of the pipe helps.
        let by_count = side.held.is_empty() && !self.is_full_of_bytes(side);
        let threshold = if by_count {
            side.delivered.saturating_sub(hwm / 2)
        } else {
            0
        };
        self.resume_at.store(threshold, Ordering::Relaxed);
        // Partner of the fence in `publish_consumed`.
        fence(Ordering::SeqCst);
        let consumed = self.consumed.load(Ordering::Acquire);
        let room = match side.held.front() {
            _ if self.is_full_of_bytes(side) => false,
            Some(first) => side.queue.free() >= first.group,
            None => !by_count || consumed >= threshold,
        };
        if room {
            self.resume_at.store(NEVER, Ordering::Relaxed);
        }
        !room
    }
}

impl ReceiveSide {
    /// Starts a new connection; what the old one left incomplete is dropped.
    pub(crate) fn connected(&mut self, connection: Connection, layers: Option<SharedLayers>) {
        self.disconnected();
        self.connection = Some(connection);
        self.layered = layers.map(Layered::new);
    }

    /// The protocol, or what stands before it, has something to send.
    pub(crate) fn has_control(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| !connection.transmit().is_empty()) || self.has_layer_output()
    }

    /// What stands before the protocol has something to send.
    pub(crate) fn has_layer_output(&self) -> bool {
        self.layered.as_ref().is_some_and(Layered::has_output)
    }

    /// The connection is gone. Whole messages stay deliverable, an incomplete one is rolled back.
    pub(crate) fn disconnected(&mut self) {
        self.connection = None;
        self.layered = None;
        self.slab = None;
        self.large = None;
        self.partial = Vec::new();
        for message in std::mem::take(&mut self.last_words) {
            self.announce(message);
        }
        self.origin = OriginId::NONE;
    }

    /// Sets what the connection's messages carry.
    pub(crate) fn set_origin(&mut self, origin: OriginId) {
        self.origin = origin;
    }

    /// The buffer that the next receive should fill.
    pub(crate) fn take_buffer(&mut self) -> Slab {
        if self.layered.is_some() {
            return Layered::buffer();
        }
        self.take_plain_buffer()
    }

    fn take_plain_buffer(&mut self) -> Slab {
        if let Some(large) = &mut self.large {
            if large.buffer.spare_len() == 0 {
                let filled = large.buffer.filled().len();
                let grown = (filled as u64 * 2).min(large.body_len) as usize;
                large.buffer.reserve(grown);
            }
            return std::mem::replace(&mut large.buffer, Slab::with_capacity(0));
        }
        match self.slab.take() {
            Some(mut slab) => {
                if slab.spare_len() < limits::SLAB_SPARE_MIN && !slab.try_reset() {
                    slab.reserve(limits::SLAB_LEN);
                }
                slab
            }
            None => Slab::with_capacity(limits::SLAB_LEN),
        }
    }

    /// Gives back a buffer from `take_buffer`, filled or not.
    pub(crate) fn put_buffer(&mut self, buffer: Slab) {
        match &mut self.layered {
            Some(layered) => layered.put(buffer.filled()),
            None => self.put_plain_buffer(buffer),
        }
    }

    fn put_plain_buffer(&mut self, buffer: Slab) {
        match &mut self.large {
            Some(large) => large.buffer = buffer,
            None => self.slab = Some(buffer),
        }
    }

    /// The connection rests: memory beyond what an incomplete frame needs goes back to the pool.
    pub(crate) fn rest(&mut self) {
        let Some(slab) = &mut self.slab else { return };
        let filled = slab.filled().len();
        if filled == 0 {
            self.slab = None;
        } else if filled < limits::SLAB_REST_MAX {
            // A peer that stops in the middle of a frame must not pin a slab.
            let mut small = Slab::with_capacity(limits::SLAB_REST_MAX);
            small.extend_from_slice(slab.filled());
            self.slab = Some(small);
        }
    }

    /// Adds a mark behind what was received.
    pub(crate) fn mark(&mut self, mark: Mark) {
        if self.discard {
            return;
        }
        let entry = Inbound::Mark(mark);
        self.held.push_back(Held { entry, group: 1 });
    }

    /// Moves messages from what is held to where only the newest stays. True if there were any.
    fn keep_newest(&mut self) -> bool {
        let Some(newest) = &mut self.newest else {
            return false;
        };
        let before = self.held.len();
        for held in std::mem::take(&mut self.held) {
            match held.entry {
                Inbound::Subscriptions(_) | Inbound::Mark(_) => self.held.push_back(held),
                entry => newest.absorb(entry),
            }
        }
        self.held.len() < before
    }

    /// Adds a message of two parts that came as a whole.
    pub(crate) fn take_message(&mut self, [first, last]: [Message; 2]) {
        self.take_frames(Inbound::Body(first), false);
        self.take_frames(Inbound::Body(last), true);
    }

    /// Adds a message of our own behind what the peer has sent: news about the connection for the application.
    pub(crate) fn announce(&mut self, mut message: Message) {
        message.set_origin(self.origin);
        let entry = Inbound::Body(message);
        self.held.push_back(Held { entry, group: 1 });
    }

    /// Sets what is announced when the connection is gone.
    pub(crate) fn set_last_words(&mut self, messages: Vec<Message>) {
        self.last_words = messages;
    }

    /// Whole messages wait for room in the queue.
    pub(crate) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Looks at everything received and not yet looked at. Whole messages go to `held`.
    pub(crate) fn absorb(&mut self, now: Instant) -> Result<Absorbed, Broken> {
        loop {
            let absorbed = self.absorb_plain(now)?;
            if absorbed != Absorbed::Hungry || !self.refill()? {
                return Ok(absorbed);
            }
        }
    }

    /// Moves what has come through the layers to where the protocol reads it. False if there was nothing.
    fn refill(&mut self) -> Result<bool, LayerFault> {
        if self.connection.is_none() {
            return Ok(false);
        }
        let Some(mut layered) = self.layered.take() else {
            return Ok(false);
        };
        let mut buffer = self.take_plain_buffer();
        let outcome = layered.refill(&mut buffer);
        self.put_plain_buffer(buffer);
        if !layered.is_over() {
            self.layered = Some(layered);
        }
        outcome
    }

    fn absorb_plain(&mut self, now: Instant) -> Result<Absorbed, Failure> {
        if self.connection.is_none() {
            return Ok(Absorbed::Hungry);
        }
        if !self.finish_large(now) {
            return Ok(Absorbed::Hungry);
        }
        let mut requests = Vec::new();
        let outcome = self.walk(now, &mut requests);
        self.flush_requests(&mut requests);
        outcome
    }

    fn walk(&mut self, now: Instant, requests: &mut Vec<SubscriptionRequest>) -> Result<Absorbed, Failure> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Ok(Absorbed::Hungry);
            };
            let input = self.slab.as_ref().map_or(&[][..], Slab::filled);
            let progress = connection.receive(input, now)?;
            if progress.event == Some(Event::Handshaken) && progress.consumed == 0 {
                return Ok(Absorbed::Handshaken);
            }
            let Some(slab) = self.slab.as_mut().filter(|_| progress != Progress::NEED_MORE) else {
                return Ok(Absorbed::Hungry);
            };
            let span = slab.split(progress.consumed);
            match progress.event {
                None => {}
                Some(Event::Handshaken) => return Ok(Absorbed::Handshaken),
                Some(Event::Frames {
                    messages,
                    at_boundary,
                }) => {
                    self.flush_requests(requests);
                    if !self.discard {
                        let frames = Frames {
                            span,
                            messages,
                            origin: self.origin,
                            copied: self.copies_bodies,
                        };
                        self.take_frames(Inbound::Frames(frames), at_boundary);
                    }
                }
                Some(Event::Raw) if self.discard => {}
                Some(Event::Raw) => {
                    let mut piece = Message::from_slice(&span);
                    piece.set_origin(self.origin);
                    self.take_frames(Inbound::Body(piece), true);
                }
                Some(Event::Large { body, more, .. }) => {
                    self.flush_requests(requests);
                    self.begin_large(body, more);
                    if !self.finish_large(now) {
                        return Ok(Absorbed::Hungry);
                    }
                }
                Some(Event::Subscribe { topic } | Event::Join { group: topic }) => {
                    requests.push(SubscriptionRequest {
                        subscribe: true,
                        topic: span[topic].into(),
                    });
                }
                Some(Event::Cancel { topic } | Event::Leave { group: topic }) => {
                    requests.push(SubscriptionRequest {
                        subscribe: false,
                        topic: span[topic].into(),
                    });
                }
                Some(Event::Extension { name, data }) if span[name.clone()] == *UPGRADE_COMMAND => {
                    return Ok(Absorbed::Upgrade(span[data].to_vec()));
                }
                Some(Event::Extension { .. }) => {}
            }
        }
    }

    fn flush_requests(&mut self, requests: &mut Vec<SubscriptionRequest>) {
        if !requests.is_empty() && !self.discard {
            let entry = Inbound::Subscriptions(std::mem::take(requests));
            self.held.push_back(Held { entry, group: 1 });
        }
    }

    /// Adds a piece to the message in progress. One that ends at a boundary makes everything before it deliverable.
    fn take_frames(&mut self, entry: Inbound, at_boundary: bool) {
        if !at_boundary {
            self.partial.push(entry.unpinned());
            return;
        }
        self.partial.push(entry);
        let group = self.partial.len();
        if group > limits::GROUP_MAX {
            let entry = Inbound::Scattered(std::mem::take(&mut self.partial));
            self.held.push_back(Held { entry, group: 1 });
            return;
        }
        for (place, entry) in self.partial.drain(..).enumerate() {
            self.held.push_back(Held {
                entry,
                group: if place == 0 { group } else { 0 },
            });
        }
    }

    fn begin_large(&mut self, body_len: u64, more: bool) {
        // Memory grows with what was received, not with what was announced.
        let first = body_len.min(limits::LARGE_BODY_STEP as u64) as usize;
        let mut buffer = Slab::with_capacity(first);
        if let Some(slab) = &mut self.slab {
            let here = slab.filled().len().min(body_len as usize);
            if here > buffer.spare_len() {
                buffer.reserve(here);
            }
            buffer.extend_from_slice(&slab.filled()[..here]);
            drop(slab.split(here));
        }
        self.large = Some(Large {
            buffer,
            body_len,
            more,
        });
    }

    /// True when no large body is in progress any more.
    fn finish_large(&mut self, now: Instant) -> bool {
        let Some(large) = &mut self.large else { return true };
        if (large.buffer.filled().len() as u64) < large.body_len {
            if let Some(connection) = &mut self.connection {
                connection.on_traffic(now);
            }
            return false;
        }
        let len = large.body_len as usize;
        let mut message: Message = large.buffer.split(len).into_message();
        let more = large.more;
        let beyond = large.buffer.filled();
        if !beyond.is_empty() {
            // The buffer's block was larger than the body, and the next frames came with its end.
            let slab = self
                .slab
                .get_or_insert_with(|| Slab::with_capacity(limits::SLAB_LEN.max(beyond.len())));
            debug_assert!(slab.filled().is_empty());
            if slab.spare_len() < beyond.len() {
                *slab = Slab::with_capacity(limits::SLAB_LEN.max(beyond.len()));
            }
            slab.extend_from_slice(beyond);
        }
        message.set_more(more);
        message.set_origin(self.origin);
        self.large = None;
        if let Some(connection) = &mut self.connection {
            connection.large_done(now);
        }
        if !self.discard {
            self.take_frames(Inbound::Body(message), !more);
        }
        true
    }
}
