//! REP: receives a request, answers its sender, in turns (RFC 28).

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    pipe::Pipe,
    route::{FairQueue, PipeKey, Pipes},
};

#[derive(Default)]
pub(crate) struct Rep {
    queue: FairQueue,
    phase: Phase,
    /// The address part of the request: everything up to and with the empty delimiter.
    envelope: Vec<Message>,
    /// Who asked; `None` once that peer is gone, and then the answer is dropped.
    asker: Option<PipeKey>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The application may receive.
    #[default]
    Ready,
    /// Parts of the request have been given out, the last one not.
    Receiving,
    /// The application may answer.
    Answering,
    /// Parts of the answer have been sent, the last one not.
    Sending,
}

impl Rep {
    /// Reads an envelope, of which `part` is the first part, up to the body. False: there is no delimiter, so the
    /// message is no request, and is gone.
    fn open(&mut self, pipes: &mut Pipes, part: &mut Message) -> bool {
        self.envelope.clear();
        loop {
            if !part.more() {
                return false;
            }
            let delimiter = part.is_empty();
            self.envelope.push(std::mem::take(part));
            if self.queue.part(pipes, part).is_none() {
                return false;
            }
            if delimiter {
                return true;
            }
        }
    }

    /// Writes the envelope back, if the asker is still there and has room.
    fn address(&mut self, pipes: &mut Pipes) {
        let Some(key) = self.asker else { return };
        if pipes.get(key).is_none_or(Pipe::is_full) {
            pipes.lose(key);
            self.asker = None;
            return;
        }
        if let Some((pipe, pace)) = pipes.paced(key) {
            self.envelope
                .drain(..)
                .for_each(|mut part| pipe.write(&mut part, pace));
        }
        pipes.regain(key);
    }
}

impl Behaviour for Rep {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        self.queue.activate(pipes, key);
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.asker = self
            .asker
            .filter(|&asker| asker != key || self.phase == Phase::Receiving);
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.asker = self.asker.filter(|&asker| asker != key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        match self.phase {
            Phase::Answering => self.address(pipes),
            Phase::Sending => {}
            Phase::Ready | Phase::Receiving => return Err(Refusal::State),
        }
        self.phase = if message.more() {
            Phase::Sending
        } else {
            Phase::Ready
        };
        if let Some((pipe, pace)) = self.asker.and_then(|key| pipes.paced(key)) {
            pipe.write(message, pace);
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        match self.phase {
            Phase::Answering | Phase::Sending => return Err(Nothing::State),
            Phase::Receiving => {
                self.queue.part(pipes, message).ok_or(Nothing::Empty)?;
            }
            Phase::Ready => loop {
                let key = self.queue.part(pipes, message).ok_or(Nothing::Empty)?;
                if self.open(pipes, message) {
                    self.asker = Some(key);
                    break;
                }
            },
        }
        self.phase = if message.more() {
            Phase::Receiving
        } else {
            Phase::Answering
        };
        Ok(())
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        matches!(self.phase, Phase::Answering | Phase::Sending)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Receiving) && self.queue.has_queued(pipes)
    }
}
