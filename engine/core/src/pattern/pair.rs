//! PAIR: one peer at a time (RFC 31). CHANNEL is a PAIR whose messages have one part (RFC 52).

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    pipe::Dismissal,
    route::{FairQueue, LoadBalance, PipeKey, Pipes},
};

#[derive(Default)]
pub(crate) struct Pair {
    /// The peer, from attaching to the end of its sending side.
    peer: Option<PipeKey>,
    balance: LoadBalance,
    queue: FairQueue,
    /// Messages have one part.
    single_part: bool,
}

impl Pair {
    /// A CHANNEL.
    pub(crate) fn channel() -> Self {
        Self {
            single_part: true,
            ..Self::default()
        }
    }
}

impl Behaviour for Pair {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        if self.peer.is_some() {
            return Admission::Refused(Dismissal::Unwanted);
        }
        self.peer = Some(key);
        self.balance.activate(pipes, key);
        self.queue.activate(pipes, key);
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.remove(pipes, key);
        self.queue.activate(pipes, key);
        // The next peer may come while the last words of this one wait to be read.
        self.peer = self.peer.filter(|&peer| peer != key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.peer = self.peer.filter(|&peer| peer != key);
        self.balance.remove(pipes, key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.activate(pipes, key);
    }

    #[inline]
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if self.single_part && message.more() {
            return Err(Refusal::Parts);
        }
        self.balance.send(pipes, message).map(drop).ok_or(Refusal::Full)
    }

    #[inline]
    fn send_bytes(&mut self, pipes: &mut Pipes, body: &[u8]) -> Option<Result<(), Refusal>> {
        Some(
            self.balance
                .send_bytes(pipes, body)
                .map(drop)
                .ok_or(Refusal::Full),
        )
    }

    #[inline]
    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        let received = if self.single_part {
            self.queue.single(pipes, message)
        } else {
            self.queue.part(pipes, message)
        };
        received.map(drop).ok_or(Nothing::Empty)
    }

    fn next_pipe(&mut self, pipes: &mut Pipes) -> Option<PipeKey> {
        self.balance.next(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.balance.is_sending() || self.balance.find_room(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.queue.has_queued(pipes)
    }
}
