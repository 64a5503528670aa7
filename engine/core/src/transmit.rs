//! The sending half of a link: the wire ring's consumer, and the right to be it.
//!
//! Exactly one party at a time moves bytes from the ring to the socket. The right is
//!
//! - *free*: nothing is queued, and the link is at rest. The next message is sent by the application's own system call.
//! - *watched*: messages follow each other closely. The application gathers them and sends many with one system call: when
//!   enough have come together, when it is about to wait, or when the high-water mark is reached. The worker looks now and
//!   then, and takes the right if something lies there while the application does something else.
//! - the *worker's*: while an asynchronous send is in flight, the socket is full or the connection is down. The application
//!   only appends to the ring, and what it appends becomes the next batch.
//!
//! Whoever sends holds the lock of `side`; the right says who is to send.

mod side;

use std::{io, sync::Arc};

use ringmq_io::{Fd, send_now};
use ringmq_message::{
    Message,
    wire::{WireReader, WireSlice},
};
use ringmq_queue::sync::{AtomicU8, AtomicU64, Mutex, Ordering, fence};

use crate::{layer::SharedLayers, link::lock};
use side::{InFlight, TransmitSide};

/// No threshold is set.
const NEVER: u64 = u64::MAX;

/// Whose the right to send is; see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Free = 0,
    Watched = 1,
    Worker = 2,
}

/// What the worker saw when it looked at a watched link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing is queued.
    Empty,
    /// Something is queued, and this many messages have left the ring so far.
    Queued(u64),
    /// The right is not watched any more.
    Elsewhere,
}

/// What both sides share about sending.
pub(crate) struct Transmit {
    /// Whose the right is. The producer reads it after every commit; it changes under the lock of `side`.
    right: AtomicU8,
    /// Messages taken from the ring so far: the producer's credit.
    taken: AtomicU64,
    /// The producer waits until `taken` reaches this.
    unblock_at: AtomicU64,
    side: Mutex<TransmitSide>,
}

/// What came of sending on the caller's thread.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inline {
    /// The ring is empty and the right is free.
    Drained,
    /// The socket took no more; the worker has to be told that the right is its own now.
    HandOver,
    /// The worker had the right already.
    Busy,
}

impl Transmit {
    /// A link starts with the worker holding the right, because there is no connection yet.
    pub(crate) fn new(ring: WireReader, framed: bool, batch_max: usize) -> Self {
        Self {
            right: AtomicU8::new(Right::Worker as u8),
            taken: AtomicU64::new(0),
            unblock_at: AtomicU64::new(NEVER),
            side: Mutex::new(TransmitSide::new(ring, framed, batch_max)),
        }
    }

    /// Whose the right is. The caller has made a light fence after its commit.
    #[inline]
    pub(crate) fn right(&self) -> Right {
        // Relaxed: paired through light_fence (producer) and the heavy fence between `let_go` and `has_let_go`: if this reads
        // a right that is being let go of, `has_let_go` sees the commit when it looks at the ring again.
        match self.right.load(Ordering::Relaxed) {
            0 => Right::Free,
            1 => Right::Watched,
            _ => Right::Worker,
        }
    }

    fn set_right(&self, right: Right) {
        self.right.store(right as u8, Ordering::Relaxed);
    }

    /// The producer begins to gather messages. True when the worker has to be told to watch.
    pub(crate) fn watch(&self) -> bool {
        let _side = lock(&self.side);
        let free = self.right() == Right::Free;
        if free {
            self.set_right(Right::Watched);
        }
        free
    }

    /// Puts a message of one part in the place of the one that waits to be sent. True when the worker has to be told.
    pub(crate) fn replace(&self, message: Message) -> bool {
        let mut side = lock(&self.side);
        side.kept.clear();
        side.kept.push(message);
        let was = self.right();
        self.set_right(Right::Worker);
        was != Right::Worker
    }

    /// Adds a whole message to those that wait beside the ring. True when the worker has to be told.
    pub(crate) fn keep(&self, parts: &mut Vec<Message>) -> bool {
        let mut side = lock(&self.side);
        parts.drain(..).for_each(|part| side.kept.push(part));
        let was = self.right();
        self.set_right(Right::Worker);
        was != Right::Worker
    }

    /// Drops the oldest message that waits beside the ring. False if none does.
    pub(crate) fn drop_oldest(&self) -> bool {
        let mut side = lock(&self.side);
        let gone = side.kept.drop_oldest();
        if gone {
            side.kept_taken += 1;
            // The producer is here, so nobody waits for the credit.
            self.publish_taken(side.kept_taken);
        }
        gone
    }

    /// The worker looks at a watched link.
    pub(crate) fn look(&self) -> Look {
        let mut side = lock(&self.side);
        match self.right() {
            Right::Watched if side.ring.is_empty() => Look::Empty,
            Right::Watched => Look::Queued(self.taken()),
            _ => Look::Elsewhere,
        }
    }

    /// Messages taken from the ring, for the producer's high-water mark.
    #[inline]
    pub(crate) fn taken(&self) -> u64 {
        // Acquire: partner of the store in `publish_taken`; nothing but the count is read under it.
        self.taken.load(Ordering::Acquire)
    }

    /// The producer found the ring full and asks to be told when `taken` reaches `threshold`. Returns what is taken
    /// now: the answer may have come before the question.
    pub(crate) fn ask_for_room(&self, threshold: u64) -> u64 {
        self.unblock_at.store(threshold, Ordering::Relaxed);
        // Partner of the fence in `publish_taken`: one of the two sides sees the other's store.
        fence(Ordering::SeqCst);
        self.taken.load(Ordering::Acquire)
    }

    /// Takes the question back.
    pub(crate) fn stop_asking(&self) {
        self.unblock_at.store(NEVER, Ordering::Relaxed);
    }

    /// Publishes the producer's credit. True when the producer waits for it.
    fn publish_taken(&self, messages: u64) -> bool {
        // Release: partner of the load in `taken`.
        self.taken.store(messages, Ordering::Release);
        // Partner of the fence in `ask_for_room`.
        fence(Ordering::SeqCst);
        let threshold = self.unblock_at.load(Ordering::Relaxed);
        messages >= threshold && {
            self.unblock_at.store(NEVER, Ordering::Relaxed);
            true
        }
    }

    /// Sends what lies in the ring on the producer's thread, as long as the socket takes it.
    pub(crate) fn send_inline(&self) -> Inline {
        let mut side = lock(&self.side);
        if self.right() == Right::Worker {
            return Inline::Busy;
        }
        if side.layers.is_some() {
            side.gathering = self.right() == Right::Watched;
            self.set_right(Right::Worker);
            return Inline::HandOver;
        }
        loop {
            let mut batch = std::mem::take(&mut side.spare);
            let planned = side.plan(&mut batch);
            if planned.bytes == 0 {
                side.spare = batch;
                return Inline::Drained;
            }
            // The producer is here, so nobody waits for the credit.
            self.publish_taken(planned.messages);
            let result = match &side.fd {
                Some(fd) => send_now(fd, &batch),
                None => Err(io::ErrorKind::WouldBlock.into()),
            };
            batch.clear();
            side.spare = batch;
            // An error other than a full socket is the worker's to meet again and to report.
            let sent = result.unwrap_or(0);
            side.ring.advance(sent);
            if sent < planned.bytes {
                side.gathering = self.right() == Right::Watched;
                self.set_right(Right::Worker);
                return Inline::HandOver;
            }
        }
    }

    /// Gives the right to the worker without sending. True when it was not the worker's already.
    pub(crate) fn hand_over(&self) -> bool {
        let _side = lock(&self.side);
        let was = self.right();
        self.set_right(Right::Worker);
        was != Right::Worker
    }

    /// Earlier protocol traffic has not been sent yet.
    pub(crate) fn has_control(&self) -> bool {
        let side = lock(&self.side);
        !side.control.is_empty()
            || side
                .in_flight
                .as_ref()
                .is_some_and(|in_flight| in_flight.control > 0)
    }

    /// The worker adds protocol traffic, which also takes the right.
    pub(crate) fn push_control(&self, bytes: &[u8]) {
        let mut side = lock(&self.side);
        side.control.extend_from_slice(bytes);
        self.set_right(Right::Worker);
    }

    /// A connection is there: protocol traffic may flow, messages not yet.
    pub(crate) fn connected(&self, fd: Arc<Fd>, layers: Option<SharedLayers>) {
        let mut side = lock(&self.side);
        side.layers = layers;
        debug_assert!(self.right() == Right::Worker && side.in_flight.is_none());
        side.control.clear();
        side.fd = Some(fd);
        side.established = false;
    }

    /// The handshake is done: messages may flow.
    pub(crate) fn established(&self) {
        lock(&self.side).established = true;
    }

    /// Whether messages may flow.
    pub(crate) fn is_established(&self) -> bool {
        lock(&self.side).established
    }

    /// The connection is gone. The right stays with (or comes to) the worker; a message of which the kernel has some
    /// bytes is dropped, the next one not begun goes out first on the next connection. Returns how many messages were cut.
    pub(crate) fn disconnected(&self) -> u64 {
        let mut side = lock(&self.side);
        self.set_right(Right::Worker);
        debug_assert!(side.in_flight.is_none());
        side.fd = None;
        side.established = false;
        side.gathering = false;
        side.control = Vec::new();
        side.layers = None;
        let framed = side.framed;
        let cut = std::mem::take(&mut side.cut);
        cut + side.ring.resume(&|bytes| {
            if !framed {
                return None;
            }
            let (header, body, more) = ringmq_zmtp::frame::frame_extent(bytes)?;
            Some(ringmq_message::wire::FrameExtent { header, body, more })
        })
    }

    /// Collects the next batch for an asynchronous send, which the worker must finish with `finish`.
    /// The last value is true when the producer waits for the room that this made.
    pub(crate) fn begin(&self) -> Option<(Arc<Fd>, Vec<WireSlice>, bool)> {
        let mut side = lock(&self.side);
        debug_assert!(self.right() == Right::Worker && side.in_flight.is_none());
        let fd = side.fd.clone()?;
        let mut batch = std::mem::take(&mut side.spare);
        let mut control = side.take_control(&mut batch);
        let mut ring = 0;
        let mut room = false;
        let mut kept = 0;
        let mut wrapped = 0;
        if side.established {
            let planned = side.plan(&mut batch);
            ring = planned.bytes;
            if ring > 0 {
                wrapped = planned.messages.saturating_sub(self.taken());
                room = self.publish_taken(planned.messages);
            }
            if !side.kept.is_empty() {
                let bytes;
                (kept, bytes) = side.take_kept(&mut batch);
                control += bytes;
                room |= self.publish_taken(side.kept_taken);
            }
        }
        if let Some(layers) = side.layers.clone() {
            control = side.wrap(&layers, &mut batch, ring);
            ring = 0;
            kept += wrapped;
        }
        if control + ring == 0 {
            side.spare = batch;
            return None;
        }
        side.in_flight = Some(InFlight { control, ring, kept });
        Some((fd, batch, room))
    }

    /// An asynchronous send has come back with `sent` bytes given to the kernel.
    pub(crate) fn finish(&self, mut batch: Vec<WireSlice>, sent: usize) {
        batch.clear();
        let mut side = lock(&self.side);
        if let Some(in_flight) = side.in_flight.take() {
            debug_assert!(sent <= in_flight.control + in_flight.ring);
            side.ring.advance(sent.saturating_sub(in_flight.control));
            if sent < in_flight.control {
                side.cut += in_flight.kept;
            }
        }
        side.spare = batch;
    }

    /// The worker found nothing to send, or to watch, for a while: the right becomes free, unless something has come
    /// meanwhile or the connection is not up. Then the worker makes a heavy fence, one for all links that it lets go of at a
    /// time, and calls [`has_let_go`](Self::has_let_go). Returns whose the right was, for that.
    pub(crate) fn let_go(&self) -> Option<Right> {
        let mut side = lock(&self.side);
        let was = self.right();
        if side.fd.is_none() || !side.established || side.has_queued() {
            return None;
        }
        self.set_right(Right::Free);
        Some(was)
    }

    /// The look after the fence, which is the partner of the producer's light fence between its commit and its look at
    /// `right`. False when there is a message whose producer does not know that the right is free: then the right is what it
    /// `was` again.
    pub(crate) fn has_let_go(&self, was: Right) -> bool {
        let mut side = lock(&self.side);
        if self.right() != Right::Free {
            // The application has found it free, and has told the worker what became of it.
            return true;
        }
        if side.ring.is_empty() {
            // A link at rest keeps no memory.
            side.ring.rest();
            return true;
        }
        self.set_right(was);
        false
    }

    /// The worker has caught up with an application that was gathering: the link is watched again. Not to see a message
    /// that is committed at this moment does no harm, for the next look finds it.
    pub(crate) fn return_to_gathering(&self) -> bool {
        let mut side = lock(&self.side);
        let ready = side.gathering && side.established && side.control.is_empty() && side.ring.is_empty();
        if ready {
            side.gathering = false;
            self.set_right(Right::Watched);
        }
        ready
    }

    /// Nothing more will be sent: lets the layers tell the peer. False if there are none, or they have.
    pub(crate) fn say_goodbye(&self) -> bool {
        let side = lock(&self.side);
        let Some(layers) = &side.layers else { return false };
        let mut layers = lock(layers);
        layers.finish();
        layers.has_output()
    }

    /// The connection is about to end: sends what the layers still have to say, as far as it goes at once.
    pub(crate) fn send_last_words(&self) {
        let mut side = lock(&self.side);
        let (Some(layers), Some(fd), None) = (side.layers.take(), &side.fd, &side.in_flight) else {
            return;
        };
        let mut wire = Vec::new();
        lock(&layers).wrap(&[], &mut wire);
        if !wire.is_empty() {
            // Whoever breaks a connection off need not hear it.
            let _ = send_now(fd, &[WireSlice::copied(&wire)]);
        }
    }

    /// Nothing is queued or in flight.
    pub(crate) fn is_drained(&self) -> bool {
        let mut side = lock(&self.side);
        side.in_flight.is_none() && !side.has_queued()
    }

    /// Frees everything queued, if no message has been begun; returns how many messages that were.
    pub(crate) fn discard_between(&self) -> Option<u64> {
        let mut side = lock(&self.side);
        let between = side.in_flight.is_none() && side.ring.at_boundary();
        between.then(|| side.ring.drop_all() + side.kept.clear())
    }

    /// Frees everything queued; returns how many messages that were.
    pub(crate) fn discard(&self) -> u64 {
        let mut side = lock(&self.side);
        side.ring.drop_all() + side.kept.clear()
    }
}

#[cfg(test)]
mod tests;
