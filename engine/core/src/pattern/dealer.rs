//! DEALER: load-balances and fair-queues, adds nothing (RFC 28). CLIENT is a DEALER whose messages have one part (RFC 41).

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
    /// Messages that are sent have one part.
    single_part: bool,
    /// All messages have one part: the type is CLIENT.
    client: bool,
}

impl Dealer {
    /// A CLIENT.
    pub(crate) fn client() -> Self {
        Self {
            single_part: true,
            client: true,
            ..Self::default()
        }
    }
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
        let received = if self.client {
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

    fn configure(&mut self, options: &Options) {
        self.probes = options.probe_router;
        self.single_part = self.client || options.conflate;
    }
}
