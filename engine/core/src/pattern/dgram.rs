//! DGRAM: datagrams to and from anybody. A message is two parts: the other end's address, and the body.

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    endpoint::parse_peer_name,
    pipe::Dismissal,
    route::{FairQueue, LoadBalance, PipeKey, Pipes},
};

#[derive(Default)]
pub(crate) struct Dgram {
    /// The endpoint. There is one at most.
    endpoint: Option<PipeKey>,
    balance: LoadBalance,
    queue: FairQueue,
    /// An address was sent, and its body follows.
    addressed: bool,
}

impl Behaviour for Dgram {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        if self.endpoint.is_some() {
            return Admission::Refused(Dismissal::Unwanted);
        }
        self.endpoint = Some(key);
        self.balance.activate(pipes, key);
        self.queue.activate(pipes, key);
        Admission::Accepted
    }

    /// The system does not end an endpoint by itself.
    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        pipes.ended.push(key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.endpoint = self.endpoint.filter(|&endpoint| endpoint != key);
        self.balance.remove(pipes, key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.balance.activate(pipes, key);
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        // The first part has a successor, and the second has none.
        if message.more() == self.addressed {
            return Err(Refusal::TwoParts);
        }
        if !self.addressed && (self.endpoint.is_none() || parse_peer_name(message).is_none()) {
            return Err(Refusal::Unroutable);
        }
        let more = message.more();
        self.balance.send(pipes, message).ok_or(Refusal::Full)?;
        self.addressed = more;
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        self.queue.part(pipes, message).map(drop).ok_or(Nothing::Empty)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.balance.is_sending() || self.balance.find_room(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.queue.has_queued(pipes)
    }
}
