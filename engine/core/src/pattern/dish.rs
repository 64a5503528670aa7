//! DISH: fair-queues what is sent to the groups that it has joined (RFC 48).

use std::{collections::HashSet, sync::Arc};

use ringmq_message::{Message, message::GROUP_MAX};

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    error::Error,
    link::lock,
    route::{FairQueue, PipeKey, Pipes},
    socket::SocketShared,
};

#[derive(Default)]
pub(crate) struct Dish {
    queue: FairQueue,
    peers: Vec<PipeKey>,
    groups: HashSet<Box<[u8]>>,
    /// A message that `can_recv` has found before it was asked for.
    found: Option<Message>,
    shared: Option<Arc<SocketShared>>,
}

impl Dish {
    /// The next message of a group that is still joined. On its way it is two parts: the group, and the body.
    fn next(&mut self, pipes: &mut Pipes, message: &mut Message) -> Option<()> {
        loop {
            let mut group = Message::new();
            self.queue.part(pipes, &mut group)?;
            if !group.more() {
                continue;
            }
            self.queue.part(pipes, message)?;
            if message.more() {
                self.queue.skip(pipes, true);
                continue;
            }
            if !self.groups.contains(&*group) {
                continue;
            }
            // Within the process the body has kept its group.
            if message.group() == &*group || message.set_group(&group).is_ok() {
                return Some(());
            }
        }
    }

    /// Tells every RADIO; those that are not connected learn of all groups when they are.
    fn announce(&mut self, pipes: &mut Pipes, join: bool, group: &[u8]) {
        let Some(shared) = &self.shared else { return };
        let change = {
            let mut board = lock(&shared.subscriptions);
            if join {
                board.set.add(group);
            } else {
                board.set.remove(group);
            }
            board.changed(join, group)
        };
        for &key in &self.peers {
            if let Some(pipe) = pipes.get(key) {
                pipe.announce(change.clone());
            }
        }
    }
}

impl Behaviour for Dish {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        self.peers.push(key);
        self.queue.activate(pipes, key);
        if let (Some(pipe), Some(shared)) = (pipes.get(key), &self.shared) {
            pipe.introduce_subscriptions(&lock(&shared.subscriptions));
        }
        Admission::Accepted
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.peers.retain(|&peer| peer != key);
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.peers.retain(|&peer| peer != key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, _pipes: &mut Pipes, _message: &mut Message) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        if let Some(found) = self.found.take() {
            *message = found;
            return Ok(());
        }
        self.next(pipes, message).ok_or(Nothing::Empty)
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        false
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        if self.found.is_none() {
            let mut message = Message::new();
            self.found = self.next(pipes, &mut message).map(|()| message);
        }
        self.found.is_some()
    }

    fn bind_shared(&mut self, shared: &Arc<SocketShared>) {
        self.shared = Some(shared.clone());
    }

    fn join(&mut self, pipes: &mut Pipes, group: &[u8]) -> Result<(), Error> {
        if group.len() > GROUP_MAX {
            let rule = "a group has at most 255 bytes";
            return Err(Error::InvalidArgument { rule });
        }
        if !self.groups.insert(group.into()) {
            let rule = "a group is joined once";
            return Err(Error::InvalidArgument { rule });
        }
        self.announce(pipes, true, group);
        Ok(())
    }

    fn leave(&mut self, pipes: &mut Pipes, group: &[u8]) -> Result<(), Error> {
        if !self.groups.remove(group) {
            let rule = "only a group that was joined is left";
            return Err(Error::InvalidArgument { rule });
        }
        self.announce(pipes, false, group);
        Ok(())
    }
}
