//! RADIO: distributes to the peers that have joined the message's group (RFC 48). On its way a message is two parts: the
//! group, and the body.

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    limits,
    options::Options,
    route::{Distribute, FairQueue, PipeKey, Pipes, Queued},
    subscription::GroupTable,
};

#[derive(Default)]
pub(crate) struct Radio {
    groups: GroupTable,
    distribute: Distribute,
    /// Those that get the messages of all groups.
    everything: Vec<PipeKey>,
    queue: FairQueue,
    /// Something may lie in the queue.
    unread: bool,
    no_drop: bool,
}

impl Radio {
    /// Takes in what peers have joined and left since the last look.
    fn read_peers(&mut self, pipes: &mut Pipes) {
        let mut message = Message::new();
        while let Some(queued) = self.queue.recv(pipes, &mut message) {
            match queued {
                Queued::Subscriptions(key, requests) => {
                    for request in &requests {
                        self.apply(pipes, key, request.subscribe, &request.topic);
                    }
                }
                // Within the process a request is a message; from a wire, none of its messages means anything.
                Queued::Part(key) => {
                    if let Some((&kind @ (0 | 1), group)) = message.split_first() {
                        self.apply(pipes, key, kind == 1, group);
                    }
                }
            }
        }
        self.unread = false;
    }

    fn apply(&mut self, pipes: &mut Pipes, key: PipeKey, join: bool, group: &[u8]) {
        if pipes.get(key).is_none() {
            return;
        }
        if !join {
            self.groups.remove(group, key);
        } else if self.groups.add(group, key) > limits::SUBSCRIPTIONS_PER_PEER_MAX {
            pipes.ended.push(key);
        }
    }
}

impl Behaviour for Radio {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        if pipes.get(key).is_some_and(|pipe| pipe.wants_everything()) {
            self.everything.push(key);
        }
        self.queue.activate(pipes, key);
        self.unread = true;
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        // A publisher does not wait for the application to read out a peer that is gone.
        self.read_peers(pipes);
        pipes.ended.push(key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.remove(pipes, key);
        self.distribute.remove(key);
        self.groups.remove_key(key);
        self.everything.retain(|&other| other != key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
        self.unread = true;
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if message.more() {
            return Err(Refusal::Parts);
        }
        if self.unread {
            self.read_peers(pipes);
        }
        let distribute = &mut self.distribute;
        distribute.clear();
        for &key in self
            .groups
            .members(message.group())
            .iter()
            .chain(&self.everything)
        {
            distribute.choose(key);
        }
        if self.no_drop && !distribute.all_have_room(pipes) {
            return Err(Refusal::Full);
        }
        let mut group = Message::from_slice(message.group());
        group.set_more(true);
        distribute.send(pipes, &mut group);
        distribute.send(pipes, message);
        Ok(())
    }

    fn recv(&mut self, _pipes: &mut Pipes, _message: &mut Message) -> Result<(), Nothing> {
        Err(Nothing::NotSupported)
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn audience(&mut self, pipes: &mut Pipes, group: Option<&[u8]>) -> Option<usize> {
        if self.unread {
            self.read_peers(pipes);
        }
        Some(match group {
            None => self.groups.holders(),
            Some(group) => self.groups.members(group).len(),
        })
    }

    fn configure(&mut self, options: &Options) {
        self.no_drop = options.xpub_nodrop;
        self.distribute.overflow = options.overflow;
    }
}
