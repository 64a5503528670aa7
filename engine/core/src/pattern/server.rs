//! SERVER: sends by the number of a peer, puts that on what it receives (RFC 41). PEER does the same and may know the
//! number of a peer that it connects to (RFC 51). Messages have one part.

use std::collections::HashMap;

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::route::{FairQueue, PipeKey, Pipes};

pub(crate) struct Server {
    queue: FairQueue,
    peers: HashMap<u32, PipeKey>,
    /// The number that was given last.
    counter: u32,
}

impl Server {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            queue: FairQueue::default(),
            peers: HashMap::new(),
            counter: seed as u32,
        }
    }

    /// A number that no peer has; 0 is none.
    fn next_number(&mut self) -> u32 {
        loop {
            self.counter = self.counter.wrapping_add(1);
            if self.counter != 0 && !self.peers.contains_key(&self.counter) {
                return self.counter;
            }
        }
    }

    /// Nothing is sent to the peer any more.
    fn retire(&mut self, pipes: &mut Pipes, key: PipeKey) {
        if let Some(pipe) = pipes.get(key) {
            self.peers.remove(&pipe.number);
        }
    }
}

impl Behaviour for Server {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        let number = self.next_number();
        if let Some(pipe) = pipes.get(key) {
            pipe.number = number;
            self.peers.insert(number, key);
        }
        self.queue.activate(pipes, key);
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.retire(pipes, key);
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.retire(pipes, key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if message.more() {
            return Err(Refusal::Parts);
        }
        let key = self.peers.get(&message.routing_id());
        let (pipe, pace) = key.and_then(|&key| pipes.paced(key)).ok_or(Refusal::Unroutable)?;
        if !pipe.has_room() && pipe.ask_for_room() {
            return Err(Refusal::Full);
        }
        // The number is ours, and means nothing to the peer.
        message.set_routing_id(0);
        pipe.write(message, pace);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        let key = self.queue.single(pipes, message).ok_or(Nothing::Empty)?;
        message.set_routing_id(pipes.get(key).map_or(0, |pipe| pipe.number));
        Ok(())
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.queue.has_queued(pipes)
    }

    fn peer_number(&self) -> Option<u32> {
        Some(self.counter)
    }

    fn numbered(&self, number: u32) -> Option<Option<PipeKey>> {
        Some(self.peers.get(&number).copied())
    }
}
