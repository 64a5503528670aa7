//! Messages for which a shared ring has no room, and the ring's producer with them.
//!
//! A ring is small and a high-water mark may be large, and a message may be larger than any ring. What does not fit waits
//! here, in the memory of this process, and the ring's producer moves in with it: from then on whoever holds the lock moves
//! messages into the ring, be it the worker, which the peer's bell wakes, or the application with its next call. When
//! nothing waits any more, the application takes the producer out again and writes without a lock.

use std::collections::VecDeque;

use ringmq_message::Message;
use ringmq_queue::sync::Mutex;
use ringmq_shm::{Sender, Violation};

use crate::link::lock;

/// The place at the link where the application and the worker meet.
#[derive(Default)]
pub(crate) struct SpillPlace {
    spill: Mutex<Option<Box<Spill>>>,
}

/// What waits, and what it waits for.
pub(crate) struct Spill {
    sender: Sender,
    parts: VecDeque<Message>,
    /// How much of the first part has been written, in pieces.
    done: usize,
    /// The parts before the first one belong to the same message.
    within: bool,
}

/// What moving messages into the ring came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Nothing waits; the producer waits for the application.
    All,
    /// Some were moved, and others wait for room.
    Some,
    /// There was no room, and the peer has been asked to ring when there is.
    Nothing,
    /// There is no spill: the application has the producer, or the connection is gone.
    Elsewhere,
    /// The peer broke the protocol.
    Broken,
}

/// What adding a part came to.
pub(crate) enum Pushed {
    /// Nothing has to wait; the producer is the application's again.
    Gone(Sender),
    /// It waits. If nothing did before, the worker does not know, whether or not it has the producer.
    Waits { first: bool },
}

impl SpillPlace {
    /// Adds a part, behind those that wait. With `sender` the application gives the ring's producer away; `within` says that
    /// it has written earlier parts of the same message.
    pub(crate) fn push(&self, part: Message, sender: Option<Sender>, within: bool) -> Pushed {
        let mut place = lock(&self.spill);
        if let Some(sender) = sender {
            *place = Some(Box::new(Spill {
                sender,
                parts: VecDeque::new(),
                done: 0,
                within,
            }));
        }
        // Without a spill the connection has just been cut, and the part is lost with what lay in the ring.
        let Some(spill) = place.as_mut() else {
            return Pushed::Waits { first: false };
        };
        let first = spill.parts.is_empty();
        spill.parts.push_back(part);
        spill.advance();
        take_idle(&mut place).map_or(Pushed::Waits { first }, Pushed::Gone)
    }

    /// The application moves what there is room for, and takes the producer back if nothing waits.
    pub(crate) fn pump(&self) -> Option<Sender> {
        let mut place = lock(&self.spill);
        place.as_mut()?.advance();
        take_idle(&mut place)
    }

    /// The worker moves what there is room for. When there is none the peer is asked to ring; the caller then fences and
    /// calls this again, because the room may have come in between.
    pub(crate) fn advance(&self) -> Moved {
        let mut place = lock(&self.spill);
        let Some(spill) = place.as_mut() else {
            return Moved::Elsewhere;
        };
        let progressed = spill.advance();
        let Some(first) = spill.parts.front() else {
            spill.sender.stop_asking();
            return Moved::All;
        };
        if progressed {
            return Moved::Some;
        }
        let len = first.len();
        let asked = spill
            .sender
            .taken()
            .and_then(|taken| spill.sender.ask_for_room(taken, len));
        asked.map_or(Moved::Broken, |()| Moved::Nothing)
    }

    /// Messages that the peer has taken; `None` if the producer is elsewhere.
    pub(crate) fn taken(&self) -> Option<Result<u64, Violation>> {
        lock(&self.spill).as_mut().map(|spill| spill.sender.taken())
    }

    /// Takes back the parts of an incomplete message.
    pub(crate) fn rollback(&self) {
        if let Some(spill) = lock(&self.spill).as_mut() {
            while spill.parts.back().is_some_and(Message::more) && (spill.parts.len() > 1 || spill.done == 0)
            {
                spill.parts.pop_back();
            }
            if spill.parts.back().is_none_or(Message::more) {
                spill.parts.clear();
                spill.done = 0;
                spill.within = false;
                spill.sender.rollback();
            }
        }
    }

    /// Nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.spill)
            .as_ref()
            .is_none_or(|spill| spill.parts.is_empty())
    }

    /// How many whole messages wait.
    pub(crate) fn messages(&self) -> u64 {
        lock(&self.spill)
            .as_ref()
            .map_or(0, |spill| spill.whole_messages())
    }

    /// Takes everything, because the connection is gone.
    pub(crate) fn take(&self) -> Option<Box<Spill>> {
        lock(&self.spill).take()
    }
}

fn take_idle(place: &mut Option<Box<Spill>>) -> Option<Sender> {
    if place.as_ref()?.parts.is_empty() {
        return place.take().map(|spill| spill.sender);
    }
    None
}

impl Spill {
    /// Moves parts into the ring until one has no room. True if anything was moved.
    fn advance(&mut self) -> bool {
        let mut progressed = false;
        while let Some(first) = self.parts.front() {
            let (more, done) = (first.more(), self.done);
            let whole = done == 0 && self.sender.write(first, more);
            if !whole && !self.write_pieces() {
                return progressed || self.done > done;
            }
            progressed = true;
            self.done = 0;
            self.within = more;
            self.parts.pop_front();
            if !more {
                self.sender.publish();
            }
        }
        progressed
    }

    /// Writes the first part piece by piece, if it does not go into the ring and the pool has no room for it. True when all of
    /// it is written.
    fn write_pieces(&mut self) -> bool {
        let Some(first) = self.parts.front() else {
            return true;
        };
        if first.len() > self.sender.body_max() {
            return self.sender.write_pieces(first, &mut self.done, first.more());
        }
        if self.within {
            // Its message has more parts than the ring has room for.
            self.sender.stream();
        }
        false
    }

    /// How many messages wait of which no part has been written.
    pub(crate) fn whole_messages(&self) -> u64 {
        self.untouched().filter(|part| !part.more()).count() as u64
    }

    /// The parts of those messages. A message of which the peer may have a part is left out.
    pub(crate) fn into_whole_messages(self) -> impl Iterator<Item = Message> {
        let skipped = self.parts.len() - self.untouched().count();
        // An application that is in the middle of a message goes on with it on the wire.
        self.parts.into_iter().skip(skipped)
    }

    fn untouched(&self) -> impl Iterator<Item = &Message> {
        let touched = self.within || self.done > 0;
        let end = self.parts.iter().position(|part| !part.more());
        let skipped = match (touched, end) {
            (false, _) => 0,
            (true, Some(end)) => end + 1,
            (true, None) => self.parts.len(),
        };
        self.parts.iter().skip(skipped)
    }
}
