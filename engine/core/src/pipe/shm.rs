//! The end of a pipe whose other end is another process on this machine: records in rings that each side owns one of.
//!
//! The connection stays. It carries what was queued before the upgrade, subscriptions and heartbeats, and its end is the
//! end of the peer. So this end wraps a [`WireEnd`], and is one again between two connections.

use std::{collections::VecDeque, sync::Arc};

use ringmq_message::{Buffer, Message, OriginId};
use ringmq_queue::stable::Foreign;
use ringmq_shm::{Bell, Receiver, Sender};

use super::{Read, outgoing::Outgoing, wire::WireEnd};
use crate::{
    inbound::Mark,
    limits,
    pace::{Dwell, Pace},
    shm_inbox::{Inbox, Taken},
    worker::{Command, Permit},
};

/// The rings of one connection, on their way from the worker to the pipe.
pub(crate) struct Rings {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) bell: Arc<Bell>,
    /// The peer's mark for receiving; 0 is unlimited.
    pub(crate) peer_hwm: u64,
    /// Longest message part that is taken from the peer.
    pub(crate) part_len_max: u64,
    /// Large bodies stay where the peer wrote them.
    pub(crate) trusting: bool,
    pub(crate) permit: Permit,
    /// What messages from the peer carry.
    pub(crate) origin: OriginId,
}

/// A pipe's end towards another process.
pub(crate) struct ShmEnd {
    pub(crate) wire: WireEnd,
    outgoing: Option<Outgoing>,
    /// What `outgoing` is going to be when the message in progress is complete.
    postponed: Option<Box<Outgoing>>,
    /// The last part by the connection belongs to a message that is not complete.
    within_wire: bool,
    /// Parts are thrown away up to the end of their message.
    skipping: bool,
    /// The rings of the present connection and, before it, of connections that were cut and are not read to their end. Where
    /// one begins and ends is marked in what comes by the wire.
    inboxes: VecDeque<Inbox>,
    bell: Option<Arc<Bell>>,
    sleeps: u8,
    /// Messages written to rings that are gone: all of them count as taken.
    written_before: u64,
    /// The socket's mark for sending.
    send_hwm: u64,
    /// The session reports what comes by the wire next.
    watching_wire: bool,
    /// The peer broke the protocol; the session has been told.
    broken: bool,
}

/// The mark for what lies between a sender and a receiver that share memory: the sum of both marks, of which the receiver's
/// counts up to as much as the sender's, because what is not taken lies with the sender. 0 is unlimited.
pub(crate) fn shared_mark(send: u64, receive: u64) -> u64 {
    match receive {
        0 => send * 2,
        _ => send + receive.min(send),
    }
}

/// What asking for memory to fill came to.
pub(crate) enum Loan {
    Lent(Buffer),
    /// It is all in use, some of it for messages that the peer will take.
    NotNow,
    /// Bodies of that length do not go by the pool, or nothing does.
    Never,
}

impl ShmEnd {
    pub(crate) fn new(wire: WireEnd, send_hwm: u64) -> Self {
        Self {
            wire,
            outgoing: None,
            postponed: None,
            within_wire: false,
            skipping: false,
            inboxes: VecDeque::new(),
            bell: None,
            sleeps: 0,
            written_before: 0,
            send_hwm,
            watching_wire: false,
            broken: false,
        }
    }

    /// The connection has been upgraded: what is written from now on goes to the ring, but for the rest of a message that
    /// has begun to go by the connection.
    pub(crate) fn upgrade(&mut self, rings: Rings) {
        self.wire.flush();
        // What an owner who does not read has from earlier connections goes now, if it is nothing.
        self.has_queued();
        if !self.wire.link.socket.traits.discards_input {
            self.inboxes.push_back(Inbox::new(
                rings.receiver,
                rings.part_len_max,
                rings.trusting,
                rings.origin,
            ));
        }
        self.bell = Some(rings.bell);
        self.broken = false;
        self.postponed = Some(Box::new(Outgoing {
            sender: Some(rings.sender),
            peer_hwm: rings.peer_hwm,
            written: 0,
            taken: 0,
            expected_len: 0,
            awaits_room: None,
            may_spill: false,
            within: false,
            _permit: rings.permit,
        }));
        self.switch();
    }

    /// Writes to the ring from now on, if there is one to begin with and no message is in progress.
    fn switch(&mut self) {
        if self.within_wire {
            return;
        }
        if let Some(outgoing) = self.postponed.take() {
            self.outgoing = Some(*outgoing);
            let link = &self.wire.link;
            link.worker.push(Command::Switched(link.clone()));
        }
    }

    /// A part is about to go by the connection. False if it belongs to a message whose beginning was lost with the ring.
    #[inline]
    fn begin_by_wire(&mut self, more: bool) -> bool {
        if self.skipping {
            self.skipping = more;
            return false;
        }
        self.within_wire = more;
        true
    }

    #[inline]
    fn end_by_wire(&mut self) {
        if self.postponed.is_some() {
            self.switch();
        }
    }

    /// The rest of the message in progress goes nowhere: its beginning is lost.
    pub(crate) fn skip_rest(&mut self) {
        self.skipping = true;
    }

    /// The connection is gone: what waits outside the ring goes by the wire of the next one. Returns how many messages were
    /// in the ring, of which nobody knows whether they arrived.
    pub(crate) fn cut(&mut self, pace: &mut Pace) -> u64 {
        let link = self.wire.link.clone();
        self.postponed = None;
        let Some(mut outgoing) = self.outgoing.take() else {
            return 0;
        };
        // The peer may have lied to the end; then none of them counts as taken.
        let taken = outgoing.refresh_taken(&link).unwrap_or(outgoing.taken);
        self.written_before += outgoing.written;
        let Some(spill) = link.spill.take() else {
            return outgoing.written - taken;
        };
        let waiting = spill.whole_messages();
        for mut part in spill.into_whole_messages() {
            self.wire.write(&mut part, pace);
        }
        (outgoing.written - taken).saturating_sub(waiting)
    }

    /// Whether messages go by shared memory now, or what came that way is still to be read.
    pub(crate) fn is_upgraded(&self) -> bool {
        self.outgoing.is_some() || self.postponed.is_some() || !self.inboxes.is_empty()
    }

    /// Where the peer rings when it has done what this end waits for.
    pub(crate) fn shared_bell(&self) -> Option<Arc<Bell>> {
        self.bell.clone()
    }

    /// The mark for sending.
    pub(crate) fn hwm(&self) -> u64 {
        let own = self.send_hwm;
        self.outgoing
            .as_ref()
            .map_or(own, |outgoing| shared_mark(own, outgoing.peer_hwm))
    }

    pub(crate) fn set_hwm(&mut self, send: u64, receive: u64) -> u64 {
        self.wire.set_hwm(send, receive);
        self.send_hwm = send;
        self.hwm()
    }

    pub(crate) fn attach(&mut self, key: u64) {
        self.wire.attach(key);
    }

    #[inline]
    pub(crate) fn written(&self) -> u64 {
        let present = self.outgoing.as_ref().map_or(0, |outgoing| outgoing.written);
        self.written_before + present + self.wire.written()
    }

    pub(crate) fn taken(&mut self) -> u64 {
        let elsewhere = self.written_before + self.wire.taken();
        elsewhere + self.present_taken()
    }

    fn present_taken(&mut self) -> u64 {
        let Some(outgoing) = &mut self.outgoing else {
            return 0;
        };
        match outgoing.refresh_taken(&self.wire.link) {
            Ok(taken) => taken,
            Err(_) => {
                let taken = outgoing.taken;
                self.report_violation();
                taken
            }
        }
    }

    /// Whether a message like the last one fits into the ring now, or may go elsewhere.
    #[inline]
    pub(crate) fn has_space(&mut self) -> bool {
        self.outgoing.as_mut().is_none_or(Outgoing::has_space)
    }

    /// Waiting for room in the ring has taken long enough: the next message may be kept outside. False if that changes
    /// nothing.
    pub(crate) fn let_spill(&mut self) -> bool {
        self.outgoing.as_mut().is_some_and(|outgoing| {
            let changes = outgoing.awaits_room.is_some() && !outgoing.has_space();
            outgoing.may_spill |= changes;
            changes
        })
    }

    /// Notes what the socket waits for; `room_came` looks at it, and for a sleep `arm` tells the peer. What is still on its
    /// way to the peer by the connection is reported by the session.
    pub(crate) fn ask_for_room(&mut self, threshold: u64) -> u64 {
        let of_wire = threshold.saturating_sub(self.written_before);
        let Some(outgoing) = &mut self.outgoing else {
            return self.written_before + self.wire.ask_for_room(of_wire);
        };
        outgoing.awaits_room = Some(threshold);
        let all = self.wire.written();
        if self.wire.taken() < all {
            self.wire.ask_for_room(of_wire.min(all));
        }
        self.taken()
    }

    pub(crate) fn stop_asking(&mut self) {
        self.wire.stop_asking();
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.awaits_room = None;
        }
    }

    /// The room that the socket waited for has come; reported once.
    #[inline]
    pub(crate) fn room_came(&mut self) -> bool {
        let came = self.is_room_there();
        if came && let Some(outgoing) = &mut self.outgoing {
            outgoing.awaits_room = None;
        }
        came
    }

    /// Whether the room that the socket waits for is there.
    #[inline]
    fn is_room_there(&mut self) -> bool {
        let waits = |outgoing: &Outgoing| outgoing.awaits_room.is_some();
        self.outgoing.as_ref().is_some_and(waits) && self.find_room()
    }

    fn find_room(&mut self) -> bool {
        let taken = self.taken();
        let Some(outgoing) = &mut self.outgoing else {
            return false;
        };
        if outgoing.sender.is_none() {
            outgoing.sender = self.wire.link.spill.pump();
        }
        outgoing.awaits_room.is_some_and(|threshold| taken >= threshold) && outgoing.has_space()
    }

    #[inline]
    pub(crate) fn write(&mut self, message: &mut Message, pace: &mut Pace) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.write(message, &self.wire.link);
        } else if self.begin_by_wire(message.more()) {
            self.wire.write(message, pace);
            self.end_by_wire();
        }
    }

    #[inline]
    pub(crate) fn write_bytes(&mut self, body: &[u8], more: bool, pace: &mut Pace) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.write_bytes(body, more, &self.wire.link);
        } else if self.begin_by_wire(more) {
            self.wire.write_bytes(body, more, pace);
            self.end_by_wire();
        }
    }

    /// Writes one part by copying it if it fits; what does not fit becomes a share of the message.
    pub(crate) fn write_shared(&mut self, message: &mut Message, pace: &mut Pace) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.write_shared(message, &self.wire.link);
        } else if self.begin_by_wire(message.more()) {
            self.wire.write_shared(message, pace);
            self.end_by_wire();
        }
    }

    pub(crate) fn rollback(&mut self) {
        match &mut self.outgoing {
            None => {
                self.wire.rollback();
                self.within_wire = false;
                self.switch();
            }
            Some(outgoing) => {
                outgoing.within = false;
                match &mut outgoing.sender {
                    Some(sender) => sender.rollback(),
                    None => self.wire.link.spill.rollback(),
                }
            }
        }
    }

    /// Memory of the pool that the peer reads from, to be filled in place.
    pub(crate) fn loan(&mut self, len: usize) -> Loan {
        let Some(sender) = self
            .outgoing
            .as_mut()
            .and_then(|outgoing| outgoing.sender.as_mut())
        else {
            return Loan::Never;
        };
        if len <= sender.body_max() || len > sender.chunk_max() {
            return Loan::Never;
        }
        sender.loan(len).map_or(Loan::NotNow, |chunk| {
            Loan::Lent(Buffer::from(Foreign::from(chunk)))
        })
    }

    #[inline]
    pub(crate) fn read(&mut self, message: &mut Message, closed: bool, dwell: Dwell) -> Read {
        if let Some(inbox) = self.inboxes.front_mut() {
            match inbox.read(message) {
                Taken::Part => return Read::Part,
                Taken::Nothing => {}
                // Told only once.
                Taken::Violation => self.report_violation(),
            }
        }
        self.read_slow(message, closed, dwell)
    }

    fn read_slow(&mut self, message: &mut Message, closed: bool, dwell: Dwell) -> Read {
        if let Some(inbox) = self.inboxes.front_mut()
            && inbox.has_turn()
        {
            inbox.release();
            // What comes next is often already on its way, and waiting for it costs less than being told of it.
            let dwell = if closed { Dwell::Pauses } else { dwell };
            dwell.await_arrival(|| inbox.has_whole());
        }
        loop {
            if let Some(inbox) = self.inboxes.front_mut() {
                match inbox.read(message) {
                    Taken::Part => return Read::Part,
                    Taken::Nothing => {}
                    Taken::Violation => self.report_violation(),
                }
            }
            // Looked at in this order, because the session may add something in between.
            if !self.wire.has_queued() {
                if !self.watch_wire() {
                    return if closed { Read::Ended } else { Read::Empty };
                }
            } else if let Some(mark) = self.wire.mark() {
                if !self.pass(mark) {
                    return Read::Empty;
                }
            } else {
                self.watching_wire = false;
                return self.wire.read(message, closed);
            }
        }
    }

    /// Goes beyond a mark in what comes by the wire. False if the rings that it speaks of are still on their way to the
    /// socket, which reads again when they have come.
    fn pass(&mut self, mark: Mark) -> bool {
        match (mark, self.inboxes.front_mut()) {
            (_, None) => return false,
            (Mark::Ring, Some(inbox)) => inbox.give_turn(),
            (Mark::Cut, Some(inbox)) => {
                // The last look at the ring may have been before the peer's last words.
                if inbox.has_news() {
                    return true;
                }
                self.inboxes.pop_front();
            }
        }
        self.wire.pop_mark();
        // Its arrival has been reported, so that the next one is to be asked for again.
        self.watching_wire = false;
        true
    }

    #[cold]
    fn report_violation(&mut self) {
        if !std::mem::replace(&mut self.broken, true) {
            let link = &self.wire.link;
            link.worker.push(Command::Violated(link.clone()));
        }
    }

    /// Asks the session to report what comes by the wire, unless it has been asked. True when something is there.
    fn watch_wire(&mut self) -> bool {
        // A session that was late with its report of something else may have taken this request for that one's. Then a report
        // comes that finds nothing, and the request is gone.
        if self.watching_wire && self.wire.is_watched() && !self.wire.is_queue_occupied() {
            return false;
        }
        self.watching_wire = !self.wire.watch();
        !self.watching_wire
    }

    /// The socket is about to turn to something else: the peer learns what was taken. True when something is there.
    pub(crate) fn watch(&mut self) -> bool {
        if let Some(inbox) = self.inboxes.front_mut() {
            inbox.release();
        }
        self.has_queued() || (self.watch_wire() && self.has_queued())
    }

    /// Whether a read would find a message or a request.
    pub(crate) fn has_queued(&mut self) -> bool {
        loop {
            if self.arrived() {
                return true;
            }
            if !self.wire.has_queued() {
                return false;
            }
            match self.wire.mark() {
                Some(mark) if self.pass(mark) => {}
                Some(_) => return false,
                None => return true,
            }
        }
    }

    /// Whether the ring has something, for a look that is made over and over. What comes by the wire is reported.
    #[inline]
    pub(crate) fn arrived(&mut self) -> bool {
        self.inboxes.front_mut().is_some_and(Inbox::has_whole)
    }

    /// Whether something has happened since [`arm`](Self::arm), for the look between that and the sleep.
    pub(crate) fn has_news(&mut self) -> bool {
        if self.inboxes.front_mut().is_some_and(Inbox::has_news) {
            return true;
        }
        let was_elsewhere = self.producer_is_elsewhere();
        // With the producer back in hand there is more to ask the peer for.
        self.is_room_there() || (was_elsewhere && !self.producer_is_elsewhere())
    }

    /// Messages wait for room, and the producer is with them.
    fn producer_is_elsewhere(&self) -> bool {
        self.outgoing
            .as_ref()
            .is_some_and(|outgoing| outgoing.sender.is_none())
    }

    /// Announces to the peer that this thread is about to sleep, and until what. The caller fences and then looks for
    /// [news](Self::has_news).
    pub(crate) fn arm(&mut self) {
        if let Some(inbox) = self.inboxes.front_mut() {
            inbox.arm();
        }
        let elsewhere = self.written_before + self.wire.taken();
        if let Some(outgoing) = &mut self.outgoing
            && let (Some(threshold), Some(sender)) = (outgoing.awaits_room, &mut outgoing.sender)
        {
            // As long as the connection has not taken what was queued before, the peer alone cannot make all the room.
            let taken_at = threshold.saturating_sub(elsewhere).min(outgoing.written);
            // A peer that lied is met by the look that follows.
            let _ = sender.ask_for_room(taken_at, outgoing.expected_len);
        }
    }

    /// Takes the announcement back.
    pub(crate) fn disarm(&mut self) {
        if let Some(inbox) = self.inboxes.front_mut() {
            inbox.disarm();
        }
        if let Some(sender) = self
            .outgoing
            .as_mut()
            .and_then(|outgoing| outgoing.sender.as_mut())
        {
            sender.stop_asking();
        }
        self.sleeps = self.sleeps.wrapping_add(1);
        // While messages wait for room the bell is the worker's, which empties it and must not miss it.
        if !self.producer_is_elsewhere()
            && self.sleeps.is_multiple_of(limits::SLEEPS_PER_DRAIN)
            && let Some(bell) = &self.bell
        {
            // Its edges wake whether it is read or not; it must only not fill up.
            bell.drain();
        }
    }
}
