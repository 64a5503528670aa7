//! XPUB: distributes to the peers whose subscriptions match and shows subscriptions to the application (RFC 29).
//! PUB is an XPUB that shows nothing.

use std::collections::VecDeque;

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    inbound::SubscriptionRequest,
    limits,
    options::{Options, XpubVerbosity},
    route::{Distribute, FairQueue, PipeKey, Pipes, Queued},
    subscription::SubscriptionTrie,
};

#[derive(Default)]
pub(crate) struct Xpub {
    subscriptions: SubscriptionTrie,
    distribute: Distribute,
    queue: FairQueue,
    /// What the application has not received yet: subscriptions, and messages from XSUB peers.
    shown: VecDeque<Message>,
    /// Pipes by key, for inverted matching and to know who may still be written to.
    peers: Vec<PipeKey>,
    /// Something may lie in the queue.
    unread: bool,
    /// A message from a peer is being read.
    receiving: bool,
    publisher: bool,
    verbose_subscribe: bool,
    verbose_cancel: bool,
    no_drop: bool,
    invert: bool,
}

impl Xpub {
    /// A PUB.
    pub(crate) fn publisher() -> Self {
        Self {
            publisher: true,
            ..Self::default()
        }
    }

    /// Takes in what peers have asked for since the last look.
    fn read_peers(&mut self, pipes: &mut Pipes) {
        let mut message = Message::new();
        while let Some(queued) = self.queue.recv(pipes, &mut message) {
            match queued {
                Queued::Subscriptions(key, requests) => {
                    for request in &requests {
                        self.apply(pipes, key, request.subscribe, &request.topic);
                    }
                }
                Queued::Part(key) => self.read_message(pipes, key, std::mem::take(&mut message)),
            }
        }
        self.unread = false;
    }

    /// ZMTP 3.0 peers send a subscription as a message that begins with 1 or 0 (RFC 23); any other message is data
    /// from an XSUB, which a PUB throws away.
    fn read_message(&mut self, pipes: &mut Pipes, key: PipeKey, message: Message) {
        let first = !self.receiving;
        self.receiving = message.more();
        match message.split_first() {
            Some((&kind @ (0 | 1), topic)) if first && !message.more() => {
                let request = SubscriptionRequest {
                    subscribe: kind == 1,
                    topic: topic.into(),
                };
                self.apply(pipes, key, request.subscribe, &request.topic);
            }
            _ if self.publisher || self.shown.len() >= limits::SHOWN_MAX => {}
            _ => self.shown.push_back(message),
        }
    }

    fn apply(&mut self, pipes: &mut Pipes, key: PipeKey, subscribe: bool, topic: &[u8]) {
        if pipes.get(key).is_none() {
            return;
        }
        let (show, kind) = if subscribe {
            let first = self.subscriptions.add(topic, key);
            (first || self.verbose_subscribe, 1)
        } else {
            let removed = self.subscriptions.remove(topic, key);
            (removed.last || (self.verbose_cancel && removed.existed), 0)
        };
        if subscribe && !self.within_limits(key) {
            pipes.ended.push(key);
        }
        if show {
            self.show(kind, topic);
        }
    }

    /// Subscriptions are held for the peer, so what one peer may pile up is bounded.
    fn within_limits(&self, key: PipeKey) -> bool {
        let usage = self.subscriptions.usage(key);
        usage.count <= limits::SUBSCRIPTIONS_PER_PEER_MAX
            && usage.topic_bytes <= limits::SUBSCRIPTION_BYTES_PER_PEER_MAX
    }

    fn show(&mut self, kind: u8, topic: &[u8]) {
        if self.publisher || self.shown.len() >= limits::SHOWN_MAX {
            return;
        }
        let mut text = Vec::with_capacity(topic.len() + 1);
        text.push(kind);
        text.extend_from_slice(topic);
        self.shown.push_back(Message::from(text));
    }

    fn choose(&mut self, topic: &[u8]) {
        let distribute = &mut self.distribute;
        distribute.clear();
        self.subscriptions.matches(topic, |key| distribute.choose(key));
        if self.invert {
            let matching: Vec<PipeKey> = self.distribute.chosen().to_vec();
            self.distribute.clear();
            for &key in self.peers.iter().filter(|key| !matching.contains(key)) {
                self.distribute.choose(key);
            }
        }
    }

    /// With NODROP a message waits until all its receivers have room, or goes to nobody.
    fn all_have_room(&mut self, pipes: &mut Pipes) -> bool {
        self.distribute.chosen().iter().all(|&key| match pipes.get(key) {
            Some(pipe) => !pipe.is_full() || !pipe.ask_for_room(),
            None => true,
        })
    }

    fn forget(&mut self, key: PipeKey) {
        self.peers.retain(|&peer| peer != key);
        self.distribute.remove(key);
        let mut cancelled = Vec::new();
        if self.verbose_cancel {
            self.subscriptions
                .prefixes_of(key, |topic| cancelled.push(topic.to_vec()));
            self.subscriptions.remove_key(key, |_| {});
        } else {
            self.subscriptions
                .remove_key(key, |topic| cancelled.push(topic.to_vec()));
        }
        for topic in cancelled {
            self.show(0, &topic);
        }
    }
}

impl Behaviour for Xpub {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        self.peers.push(key);
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
        self.forget(key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.queue.activate(pipes, key);
        self.unread = true;
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        if self.unread {
            self.read_peers(pipes);
        }
        if !self.distribute.is_sending() {
            self.choose(message);
            if self.no_drop && !self.all_have_room(pipes) {
                return Err(Refusal::Full);
            }
        }
        self.distribute.send(pipes, message);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        if self.publisher {
            return Err(Nothing::NotSupported);
        }
        if self.unread {
            self.read_peers(pipes);
        }
        *message = self.shown.pop_front().ok_or(Nothing::Empty)?;
        Ok(())
    }

    fn can_send(&mut self, _pipes: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        if self.unread {
            self.read_peers(pipes);
        }
        !self.shown.is_empty()
    }

    fn configure(&mut self, options: &Options) {
        self.verbose_subscribe = options.xpub_verbosity != XpubVerbosity::Changes;
        self.verbose_cancel = options.xpub_verbosity == XpubVerbosity::All;
        self.no_drop = options.xpub_nodrop;
        self.invert = options.invert_matching;
    }
}
