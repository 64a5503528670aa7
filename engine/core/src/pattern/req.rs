//! REQ: one request, one reply, in turns (RFC 28).

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal, probe};
use crate::{
    options::Options,
    route::{Balanced, FairQueue, LoadBalance, PipeKey, Pipes},
};

pub(crate) struct Req {
    balance: LoadBalance,
    queue: FairQueue,
    phase: Phase,
    /// Where the reply must come from; after that peer's death it may come from any.
    replier: Option<PipeKey>,
    request_id: u32,
    correlate: bool,
    relaxed: bool,
    probes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The application may send.
    Ready,
    /// Parts of a request have been sent, the last one not.
    Sending,
    /// The request is out.
    Awaiting,
    /// Parts of the reply have been given out, the last one not.
    Receiving,
}

impl Req {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            balance: LoadBalance::default(),
            queue: FairQueue::default(),
            phase: Phase::Ready,
            replier: None,
            request_id: (seed >> 32) as u32,
            correlate: false,
            relaxed: false,
            probes: false,
        }
    }

    /// Sends what stands before the body: the request id if asked for, and the empty delimiter.
    fn open(&mut self, pipes: &mut Pipes) -> bool {
        // Answers to earlier requests are of no use any more.
        self.queue.discard(pipes);
        if !self.balance.find_room(pipes) {
            return false;
        }
        self.request_id = self.request_id.wrapping_add(1);
        let mut delimiter = Message::new();
        delimiter.set_more(true);
        if self.correlate {
            let mut id = Message::from_slice(&self.request_id.to_be_bytes());
            id.set_more(true);
            // Room was found: only the last part of a message can change that.
            let _ = self.balance.send(pipes, &mut id);
        }
        self.replier = match self.balance.send(pipes, &mut delimiter) {
            Some(Balanced::Sent(key)) => Some(key),
            _ => None,
        };
        true
    }

    /// Reads past the envelope of a message, of which `part` is the first part, to its body. False: the message is not
    /// the answer, and is gone.
    fn open_reply(&mut self, pipes: &mut Pipes, key: PipeKey, part: &mut Message) -> bool {
        let mut fits = self.replier.is_none_or(|replier| replier == key);
        let has_id = part.more() && part.len() == size_of::<u32>();
        fits &= has_id == self.correlate;
        if has_id {
            fits &= **part == self.request_id.to_be_bytes();
            if self.queue.part(pipes, part).is_none() {
                return false;
            }
        }
        if !part.is_empty() || !part.more() {
            // No reply has ever looked like that: whoever sends it does not keep to the rules (RFC 28).
            self.queue.skip(pipes, part.more());
            if pipes.get(key).is_some_and(|pipe| pipe.is_foreign()) {
                pipes.ended.push(key);
            }
            return false;
        }
        if !fits {
            self.queue.skip(pipes, true);
            return false;
        }
        self.queue.part(pipes, part).is_some()
    }
}

impl Behaviour for Req {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        if self.probes {
            probe(pipes, key);
        }
        self.balance.activate(pipes, key);
        self.queue.activate(pipes, key);
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.remove(pipes, key);
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.remove(pipes, key);
        self.queue.remove(pipes, key);
        self.replier = self.replier.filter(|&replier| replier != key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.activate(pipes, key);
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if self.phase != Phase::Sending {
            if self.phase != Phase::Ready && !self.relaxed {
                return Err(Refusal::State);
            }
            if !self.open(pipes) {
                return Err(Refusal::Full);
            }
        }
        self.phase = if message.more() {
            Phase::Sending
        } else {
            Phase::Awaiting
        };
        self.balance.send(pipes, message).map(drop).ok_or(Refusal::Full)
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        match self.phase {
            Phase::Ready | Phase::Sending => return Err(Nothing::State),
            Phase::Receiving => {
                self.queue.part(pipes, message).ok_or(Nothing::Empty)?;
            }
            Phase::Awaiting => loop {
                let key = self.queue.part(pipes, message).ok_or(Nothing::Empty)?;
                if self.open_reply(pipes, key, message) {
                    break;
                }
            },
        }
        self.phase = if message.more() {
            Phase::Receiving
        } else {
            Phase::Ready
        };
        Ok(())
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        match self.phase {
            Phase::Sending => true,
            Phase::Ready => self.balance.find_room(pipes),
            Phase::Awaiting | Phase::Receiving => self.relaxed && self.balance.find_room(pipes),
        }
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        matches!(self.phase, Phase::Awaiting | Phase::Receiving) && self.queue.has_queued(pipes)
    }

    fn configure(&mut self, options: &Options) {
        self.correlate = options.req_correlate;
        self.relaxed = options.req_relaxed;
        self.probes = options.probe_router;
    }
}
