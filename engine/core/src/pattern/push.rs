//! PUSH: load-balances, never receives (RFC 30). SCATTER is a PUSH whose messages have one part (RFC 49).

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    options::Options,
    route::{LoadBalance, PipeKey, Pipes},
};

#[derive(Default)]
pub(crate) struct Push {
    balance: LoadBalance,
    /// Messages have one part.
    single_part: bool,
    scatters: bool,
}

impl Push {
    /// A SCATTER.
    pub(crate) fn scatter() -> Self {
        Self {
            single_part: true,
            scatters: true,
            ..Self::default()
        }
    }
}

impl Behaviour for Push {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        self.balance.activate(pipes, key);
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.remove(pipes, key);
        pipes.ended.push(key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.remove(pipes, key);
    }

    fn readable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn writable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.activate(pipes, key);
    }

    #[inline(always)]
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if self.single_part && message.more() {
            return Err(Refusal::Parts);
        }
        self.balance.send(pipes, message).map(drop).ok_or(Refusal::Full)
    }

    #[inline(always)]
    fn send_bytes(&mut self, pipes: &mut Pipes, body: &[u8]) -> Option<Result<(), Refusal>> {
        Some(
            self.balance
                .send_bytes(pipes, body)
                .map(drop)
                .ok_or(Refusal::Full),
        )
    }

    fn recv(&mut self, _pipes: &mut Pipes, _message: &mut Message) -> Result<(), Nothing> {
        Err(Nothing::NotSupported)
    }

    fn next_pipe(&mut self, pipes: &mut Pipes) -> Option<PipeKey> {
        self.balance.next(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.balance.is_sending() || self.balance.find_room(pipes)
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn configure(&mut self, options: &Options) {
        self.single_part = self.scatters || options.conflate;
    }
}
