//! DEALER: load-balances and fair-queues, adds nothing (RFC 28).

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal, probe};
use crate::{
    options::Options,
    route::{FairQueue, LoadBalance, PipeKey, Pipes},
};

#[derive(Default)]
pub(crate) struct Dealer {
    balance: LoadBalance,
    queue: FairQueue,
    probes: bool,
}

impl Behaviour for Dealer {
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
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.activate(pipes, key);
    }

    #[inline]
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
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
        self.queue.part(pipes, message).map(drop).ok_or(Nothing::Empty)
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

    fn configure(&mut self, options: &Options) {
        self.probes = options.probe_router;
    }
}
