//! PULL: fair-queues, never sends (RFC 30). GATHER is a PULL whose messages have one part (RFC 49).

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::route::{FairQueue, PipeKey, Pipes};

#[derive(Default)]
pub(crate) struct Pull {
    queue: FairQueue,
    /// Messages have one part.
    single_part: bool,
}

impl Pull {
    /// A GATHER.
    pub(crate) fn gather() -> Self {
        Self {
            single_part: true,
            ..Self::default()
        }
    }
}

impl Behaviour for Pull {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        self.queue.activate(pipes, key);
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, _pipes: &mut Pipes, _message: &mut Message) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
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

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.queue.has_queued(pipes)
    }
}
