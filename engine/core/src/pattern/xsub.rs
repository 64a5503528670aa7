//! XSUB: fair-queues what publishers send and sends its subscriptions to them (RFC 29). SUB is an XSUB that filters
//! and whose application subscribes by a call instead of a message.

use std::sync::Arc;

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    error::Error,
    link::lock,
    options::Options,
    route::{Distribute, FairQueue, PipeKey, Pipes},
    socket::{Change, SocketShared},
};

#[derive(Default)]
pub(crate) struct Xsub {
    queue: FairQueue,
    /// Messages to publishers go to all of them.
    distribute: Distribute,
    peers: Vec<PipeKey>,
    subscriber: bool,
    /// The empty prefix is subscribed to: every message matches, without a look at the set.
    everything: bool,
    /// A message is being given out.
    receiving: bool,
    /// A message is being sent, the last part not yet.
    sending: bool,
    /// A matching message has been found by `can_recv` before it was asked for.
    found: Option<Message>,
    invert: bool,
    /// Parts of the message that is being sent may be subscriptions.
    may_subscribe: bool,
    only_first: bool,
    verbose_cancel: bool,
    shared: Option<Arc<SocketShared>>,
}

impl Xsub {
    /// A SUB.
    pub(crate) fn subscriber() -> Self {
        Self {
            subscriber: true,
            ..Self::default()
        }
    }

    /// Tells every publisher; those that are not connected learn the whole set when they are.
    fn announce(&self, pipes: &mut Pipes, change: &Change) {
        for &key in &self.peers {
            if let Some(pipe) = pipes.get(key) {
                pipe.announce(change.clone());
            }
        }
    }

    /// Adds a subscription, or takes one instance of it back, and tells publishers what they have to know.
    fn change(&mut self, pipes: &mut Pipes, shared: &SocketShared, subscribe: bool, prefix: &[u8]) {
        let change = {
            let mut board = lock(&shared.subscriptions);
            // Every subscription is forwarded, the first and the later ones: a publisher counts a peer once. Of the
            // cancellations it is the last that matters.
            let tell = if subscribe {
                board.set.add(prefix);
                true
            } else {
                match board.set.remove(prefix) {
                    Some(last) => last || self.verbose_cancel,
                    None => self.verbose_cancel,
                }
            };
            if prefix.is_empty() {
                self.everything = board.set.matches(b"");
            }
            tell.then(|| board.changed(subscribe, prefix))
        };
        if let Some(change) = change.filter(|_| !self.distribute.is_sending()) {
            self.announce(pipes, &change);
        }
    }

    fn matches(&self, topic: &[u8]) -> bool {
        if !self.subscriber {
            return true;
        }
        let matches = self.everything
            || self
                .shared
                .as_ref()
                .is_some_and(|shared| lock(&shared.subscriptions).set.matches(topic));
        matches != self.invert
    }

    /// The next part that the application may see.
    fn next(&mut self, pipes: &mut Pipes, message: &mut Message) -> Option<()> {
        loop {
            self.queue.part(pipes, message)?;
            if self.receiving || self.matches(message) {
                self.receiving = message.more();
                return Some(());
            }
            self.queue.skip(pipes, message.more());
        }
    }
}

impl Behaviour for Xsub {
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
        self.distribute.remove(key);
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.peers.retain(|&peer| peer != key);
        self.distribute.remove(key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        let Some(shared) = self.shared.clone().filter(|_| !self.subscriber) else {
            return Err(Refusal::NotSupported);
        };
        let first = !self.sending;
        self.sending = message.more();
        let request = match message.split_first() {
            Some((&kind @ (0 | 1), prefix)) if first || self.may_subscribe => Some((kind == 1, prefix)),
            _ => None,
        };
        if first {
            self.may_subscribe = !self.only_first;
        }
        self.may_subscribe |= matches!(request, Some((true, _)));
        if let Some((subscribe, prefix)) = request {
            self.change(pipes, &shared, subscribe, prefix);
            if !self.distribute.is_sending() {
                return Ok(());
            }
            // It stands between parts for the publishers, and stays there.
        } else if !self.distribute.is_sending() {
            self.distribute.clear();
            for &key in &self.peers {
                self.distribute.choose(key);
            }
        }
        self.distribute.send(pipes, message);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        if let Some(found) = self.found.take() {
            *message = found;
            return Ok(());
        }
        self.next(pipes, message).ok_or(Nothing::Empty)
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        !self.subscriber
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        if self.found.is_none() {
            let mut message = Message::new();
            self.found = self.next(pipes, &mut message).map(|()| message);
        }
        self.found.is_some()
    }

    fn configure(&mut self, options: &Options) {
        self.invert = options.invert_matching;
        self.only_first = options.only_first_subscribe;
        self.verbose_cancel = options.xsub_verbose_unsubscribe;
    }

    fn subscribe(&mut self, pipes: &mut Pipes, shared: &SocketShared, prefix: &[u8]) -> Result<(), Error> {
        self.change(pipes, shared, true, prefix);
        Ok(())
    }

    fn unsubscribe(&mut self, pipes: &mut Pipes, shared: &SocketShared, prefix: &[u8]) -> Result<(), Error> {
        self.change(pipes, shared, false, prefix);
        Ok(())
    }

    fn topics_count(&mut self, _pipes: &mut Pipes) -> Option<usize> {
        let shared = self.shared.as_ref()?;
        Some(lock(&shared.subscriptions).set.len())
    }

    fn bind_shared(&mut self, shared: &Arc<SocketShared>) {
        self.shared = Some(shared.clone());
    }
}
