//! The reading side of a shared ring: records to message parts.

use std::{cmp, collections::VecDeque};

use ringmq_message::{Message, OriginId, Slab};
use ringmq_shm::{Body, Receiver, Record, SharedBytes};

use crate::limits;

/// Messages out of the peer's ring.
pub(crate) struct Inbox {
    receiver: Receiver,
    state: State,
    /// Parts of a message that the peer publishes bit by bit, because it does not fit as a whole.
    collected: VecDeque<Message>,
    /// A body of which some pieces have come.
    body: Option<Slab>,
    part_len_max: u64,
    trusting: bool,
    /// What the messages carry.
    origin: OriginId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What the peer sent by the stream comes first.
    AwaitingTurn,
    /// Whole messages are read as they lie in the ring.
    Plain,
    /// The beginning of a message is in `collected`.
    Collecting,
    /// The rest of a whole message is in `collected`.
    Whole,
    /// The peer broke the protocol, which is to be reported.
    Broken,
    /// And it has been.
    Dead,
}

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Part,
    Nothing,
    /// The peer broke the protocol, and nothing more comes. Told once.
    Violation,
}

/// The peer sent what no peer sends, or more than is allowed.
struct Fault;

impl Inbox {
    pub(crate) fn new(receiver: Receiver, part_len_max: u64, trusting: bool, origin: OriginId) -> Self {
        Self {
            receiver,
            state: State::AwaitingTurn,
            collected: VecDeque::new(),
            body: None,
            part_len_max,
            trusting,
            origin,
        }
    }

    pub(crate) fn has_turn(&self) -> bool {
        self.state != State::AwaitingTurn
    }

    /// What the peer sent by the stream has been read. A peer that says so twice changes nothing.
    pub(crate) fn give_turn(&mut self) {
        if self.state == State::AwaitingTurn {
            self.state = State::Plain;
        }
    }

    /// The next part, if its whole message is there.
    #[inline]
    pub(crate) fn read(&mut self, message: &mut Message) -> Taken {
        if self.state != State::Plain {
            return self.read_collected(message);
        }
        match self.receiver.next() {
            Ok(None) => Taken::Nothing,
            Ok(Some(record)) if !record.streamed => {
                match place(record, message, self.part_len_max, self.trusting) {
                    Ok(()) => {
                        message.set_origin(self.origin);
                        Taken::Part
                    }
                    Err(Fault) => self.fail(),
                }
            }
            Ok(Some(record)) => {
                let step = take_in(
                    record,
                    None,
                    &mut self.collected,
                    self.part_len_max,
                    self.trusting,
                );
                self.state = self.step(step);
                self.read_collected(message)
            }
            Err(_) => self.fail(),
        }
    }

    fn read_collected(&mut self, message: &mut Message) -> Taken {
        self.collect();
        match self.state {
            State::Whole => {
                if let Some(part) = self.collected.pop_front() {
                    *message = part;
                    message.set_origin(self.origin);
                }
                if self.collected.is_empty() {
                    self.state = State::Plain;
                }
                Taken::Part
            }
            State::Broken => self.fail(),
            State::AwaitingTurn | State::Plain | State::Collecting | State::Dead => Taken::Nothing,
        }
    }

    fn fail(&mut self) -> Taken {
        self.state = State::Dead;
        self.collected.clear();
        self.body = None;
        Taken::Violation
    }

    /// Whether a read would find something, be it a message or a reason to give up.
    #[inline]
    pub(crate) fn has_whole(&mut self) -> bool {
        match self.state {
            State::Plain if self.receiver.has_plain() => true,
            State::Plain if !self.receiver.has_data() => false,
            State::AwaitingTurn | State::Dead => false,
            State::Whole | State::Broken => true,
            State::Plain | State::Collecting => {
                self.collect();
                matches!(self.state, State::Whole | State::Broken)
            }
        }
    }

    /// Whether there is anything to take, if only a bit of a message. Unlike the other looks this takes nothing, so that it
    /// may follow [`arm`](Self::arm): what is taken after that is not rung for.
    pub(crate) fn has_news(&mut self) -> bool {
        match self.state {
            State::AwaitingTurn | State::Dead => false,
            State::Whole | State::Broken => true,
            State::Plain | State::Collecting => self.receiver.has_data(),
        }
    }

    /// Takes in what there is of a message that comes bit by bit.
    fn collect(&mut self) {
        if !matches!(self.state, State::Plain | State::Collecting) {
            return;
        }
        // Bounded, because the peer may go on writing meanwhile.
        for _ in 0..limits::RECORDS_PER_LOOK {
            let taken = match self.receiver.next() {
                Ok(None) => {
                    // The rest of the message may wait for the room of what came so far.
                    self.receiver.release();
                    return;
                }
                Ok(Some(record)) => {
                    let in_body = self.body.take();
                    take_in(
                        record,
                        in_body,
                        &mut self.collected,
                        self.part_len_max,
                        self.trusting,
                    )
                }
                Err(_) => Err(Fault),
            };
            self.state = self.step(taken);
            if self.state != State::Collecting {
                return;
            }
        }
    }

    /// Where a record leads.
    fn step(&mut self, step: Result<Step, Fault>) -> State {
        match step {
            Ok(Step::Piece(body)) => {
                self.body = Some(body);
                State::Collecting
            }
            Ok(Step::Part { more: true }) => State::Collecting,
            Ok(Step::Part { more: false }) => State::Whole,
            Ok(Step::Aborted) => State::Plain,
            Err(Fault) => State::Broken,
        }
    }

    /// The peer learns what has been taken.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.receiver.release();
    }

    /// The peer is to ring when it has written. The caller fences and looks once more.
    pub(crate) fn arm(&mut self) {
        self.receiver.release();
        self.receiver.arm();
    }

    pub(crate) fn disarm(&mut self) {
        self.receiver.disarm();
    }
}

/// Puts the body of a record into a message.
#[inline]
fn place(record: Record<'_>, message: &mut Message, len_max: u64, trusting: bool) -> Result<(), Fault> {
    match record.body {
        Body::Bytes(bytes) => {
            if bytes.len() as u64 > len_max {
                return Err(Fault);
            }
            message.set_filled(&bytes);
        }
        Body::Lent(lent) => {
            if lent.len() as u64 > len_max {
                return Err(Fault);
            }
            if trusting {
                *message = Message::from_foreign(lent.trust());
            } else {
                message.set_filled(&lent);
            }
        }
        Body::Piece { .. } | Body::Abort => return Err(Fault),
    }
    message.set_more(record.more);
    Ok(())
}

/// What a record of a message that comes bit by bit was.
enum Step {
    /// More of this body follows.
    Piece(Slab),
    Part {
        more: bool,
    },
    /// The peer has thought better of it.
    Aborted,
}

fn take_in(
    record: Record<'_>,
    in_body: Option<Slab>,
    collected: &mut VecDeque<Message>,
    len_max: u64,
    trusting: bool,
) -> Result<Step, Fault> {
    let more = record.more;
    let mut part = Message::new();
    match record.body {
        Body::Abort => {
            collected.clear();
            return Ok(Step::Aborted);
        }
        Body::Piece {
            bytes, total, last, ..
        } => {
            let mut body = append(bytes, total, in_body, len_max)?;
            if !last {
                return Ok(Step::Piece(body));
            }
            let len = body.filled().len();
            part = body.split(len).slice(0..len);
            part.set_more(more);
        }
        Body::Bytes(_) | Body::Lent(_) => place(record, &mut part, len_max, trusting)?,
    }
    if collected.len() >= limits::PARTS_MAX {
        return Err(Fault);
    }
    collected.push_back(part);
    Ok(Step::Part { more })
}

/// Adds a slice to a body, whose buffer grows with what has come and not with what was announced.
fn append(bytes: SharedBytes<'_>, total: u64, in_body: Option<Slab>, len_max: u64) -> Result<Slab, Fault> {
    if total > len_max {
        return Err(Fault);
    }
    let mut body = in_body.unwrap_or_else(|| Slab::with_capacity(0));
    let filled = body.filled().len();
    let len = filled + bytes.len();
    if body.spare_len() < bytes.len() {
        let grown = (filled as u64 * 2).max(limits::SLAB_LEN as u64).min(total);
        body.reserve(cmp::max(grown as usize, len));
    }
    body.extend_filled(&bytes);
    Ok(body)
}
