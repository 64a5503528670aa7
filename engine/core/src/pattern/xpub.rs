//! XPUB: distributes to the peers whose subscriptions match and shows subscriptions to the application (RFC 29).
//! PUB is an XPUB that shows nothing.

use std::collections::VecDeque;

use ringmq_message::{Message, OriginId};

use super::{Admission, Behaviour, Nothing, Refusal};
use crate::{
    error::Error,
    limits,
    options::{Options, XpubManual, XpubVerbosity},
    route::{Distribute, FairQueue, PipeKey, Pipes, Queued},
    socket::SocketShared,
    subscription::SubscriptionTrie,
};

#[derive(Default)]
pub(crate) struct Xpub {
    /// What messages are matched with.
    subscriptions: SubscriptionTrie,
    /// What peers have asked for while the owner decides, to be cancelled when they go.
    requests: SubscriptionTrie,
    distribute: Distribute,
    queue: FairQueue,
    /// What the application has not received yet: subscriptions, and messages from XSUB peers.
    shown: VecDeque<Shown>,
    /// Whose request the application has received last.
    requester: Option<PipeKey>,
    /// Pipes by key, for inverted matching and to know who may still be written to.
    peers: Vec<PipeKey>,
    /// Something may lie in the queue.
    unread: bool,
    /// A message from a peer is being read.
    receiving: bool,
    /// Its parts may be subscriptions.
    may_subscribe: bool,
    publisher: bool,
    verbose_subscribe: bool,
    verbose_cancel: bool,
    manual: XpubManual,
    only_first: bool,
    no_drop: bool,
    /// Messages have one part.
    single_part: bool,
    invert: bool,
    welcome: Vec<u8>,
}

/// What the application is going to receive.
enum Shown {
    /// A subscription or cancellation, and who asked for it; nobody did if the peer is gone.
    Request(Message, Option<PipeKey>),
    /// A part of a peer's message.
    Part(Message),
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

    /// A part that begins with 1 or 0 is a subscription or a cancellation (RFC 23), in any part of a message unless only
    /// the first one decides; any other part is data from an XSUB, which a PUB throws away.
    fn read_message(&mut self, pipes: &mut Pipes, key: PipeKey, part: Message) {
        let first = !self.receiving;
        self.receiving = part.more();
        let request = match part.split_first() {
            Some((&kind @ (0 | 1), topic)) if first || self.may_subscribe => Some((kind == 1, topic)),
            _ => None,
        };
        if first {
            self.may_subscribe = !self.only_first || request.is_some();
        }
        if let Some((subscribe, topic)) = request {
            // A request is no part of a message for the owner, who must not wait for what does not follow.
            if let Some(Shown::Part(before)) = self.shown.back_mut() {
                before.set_more(false);
            }
            self.apply(pipes, key, subscribe, topic);
        } else if !self.publisher && self.shown.len() < limits::SHOWN_MAX {
            self.shown.push_back(Shown::Part(part));
        }
    }

    /// Does what a peer asks for, or leaves that to the owner.
    fn apply(&mut self, pipes: &mut Pipes, key: PipeKey, subscribe: bool, topic: &[u8]) {
        let Some(origin) = pipes.get(key).map(|pipe| pipe.origin()) else {
            return;
        };
        let manual = self.manual != XpubManual::Off;
        let held = if manual {
            &mut self.requests
        } else {
            &mut self.subscriptions
        };
        let show = if subscribe {
            held.add(topic, key) || self.verbose_subscribe
        } else {
            // As libzmq does, the cancellation of what nobody holds is shown as well.
            let removed = held.remove(topic, key);
            removed.last || !removed.existed || self.verbose_cancel
        };
        if subscribe && !self.within_limits(key) {
            pipes.ended.push(key);
        }
        if show || manual {
            self.show(subscribe, topic, Some((key, origin)));
        }
    }

    /// Subscriptions are held for the peer, so what one peer may pile up is bounded.
    fn within_limits(&self, key: PipeKey) -> bool {
        let held = if self.manual == XpubManual::Off {
            &self.subscriptions
        } else {
            &self.requests
        };
        let usage = held.usage(key);
        usage.count <= limits::SUBSCRIPTIONS_PER_PEER_MAX
            && usage.topic_bytes <= limits::SUBSCRIPTION_BYTES_PER_PEER_MAX
    }

    fn show(&mut self, subscribe: bool, topic: &[u8], requester: Option<(PipeKey, OriginId)>) {
        if self.publisher || self.shown.len() >= limits::SHOWN_MAX {
            return;
        }
        let mut text = Vec::with_capacity(topic.len() + 1);
        text.push(u8::from(subscribe));
        text.extend_from_slice(topic);
        let mut text = Message::from(text);
        text.set_origin(requester.map_or(OriginId::NONE, |(_, origin)| origin));
        self.shown
            .push_back(Shown::Request(text, requester.map(|(key, _)| key)));
    }

    /// The peer that the next message goes to, and no other.
    fn only_receiver(&self) -> Option<PipeKey> {
        self.requester.filter(|_| self.manual == XpubManual::LastValue)
    }

    fn choose(&mut self, topic: &[u8]) {
        let only = self.only_receiver();
        let distribute = &mut self.distribute;
        distribute.clear();
        self.subscriptions.matches(topic, |key| {
            if only.is_none_or(|only| only == key) {
                distribute.choose(key);
            }
        });
        if self.invert {
            self.distribute.invert(&self.peers);
        }
    }

    fn forget(&mut self, key: PipeKey) {
        self.peers.retain(|&peer| peer != key);
        self.distribute.remove(key);
        self.requester = self.requester.filter(|&requester| requester != key);
        let mut cancelled = Vec::new();
        let publisher = self.publisher;
        let mut cancel = |topic: &[u8]| {
            if !publisher {
                cancelled.push(topic.to_vec());
            }
        };
        if self.manual != XpubManual::Off {
            self.requests.prefixes_of(key, cancel);
            self.subscriptions.remove_key(key, |_| {});
        } else if self.verbose_cancel {
            self.subscriptions.prefixes_of(key, cancel);
            self.subscriptions.remove_key(key, |_| {});
        } else {
            self.subscriptions.remove_key(key, &mut cancel);
        }
        self.requests.remove_key(key, |_| {});
        // In libzmq's order, which is the same every time.
        cancelled.sort_unstable();
        for topic in cancelled {
            self.show(false, &topic, None);
        }
    }

    /// The owner's answer to the last request that it has received, if it decides and the peer is still there.
    fn answer(
        &mut self,
        pipes: &mut Pipes,
        answer: impl FnOnce(&mut SubscriptionTrie, PipeKey),
    ) -> Result<(), Error> {
        if self.manual == XpubManual::Off {
            return Err(Error::NotSupported);
        }
        if let Some(key) = self.requester.filter(|&key| pipes.get(key).is_some()) {
            answer(&mut self.subscriptions, key);
        }
        Ok(())
    }
}

impl Behaviour for Xpub {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, _known: bool) -> Admission {
        self.peers.push(key);
        self.queue.activate(pipes, key);
        self.unread = true;
        if !self.welcome.is_empty()
            && let Some((pipe, pace)) = pipes.paced(key)
        {
            pipe.write(&mut Message::from_slice(&self.welcome), pace);
        }
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
        if self.single_part && message.more() {
            return Err(Refusal::Parts);
        }
        if self.unread {
            self.read_peers(pipes);
        }
        if !self.distribute.is_sending() {
            self.choose(message);
            // A message waits until all its receivers have room, or goes to nobody.
            if self.no_drop && !self.distribute.all_have_room(pipes) {
                return Err(Refusal::Full);
            }
            if self.manual == XpubManual::LastValue {
                self.requester = None;
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
        *message = match self.shown.pop_front().ok_or(Nothing::Empty)? {
            Shown::Request(text, requester) => {
                self.requester = requester.filter(|&key| pipes.get(key).is_some());
                text
            }
            Shown::Part(part) => part,
        };
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
        self.manual = options.xpub_manual;
        self.only_first = options.only_first_subscribe;
        self.no_drop = options.xpub_nodrop;
        self.distribute.overflow = options.overflow;
        self.single_part = options.conflate;
        self.invert = options.invert_matching;
        self.welcome.clone_from(&options.xpub_welcome);
    }

    fn subscribe(&mut self, pipes: &mut Pipes, _shared: &SocketShared, prefix: &[u8]) -> Result<(), Error> {
        self.answer(pipes, |subscriptions, key| {
            subscriptions.add(prefix, key);
        })
    }

    fn unsubscribe(&mut self, pipes: &mut Pipes, _shared: &SocketShared, prefix: &[u8]) -> Result<(), Error> {
        self.answer(pipes, |subscriptions, key| {
            subscriptions.remove(prefix, key);
        })
    }

    fn audience(&mut self, pipes: &mut Pipes, topic: Option<&[u8]>) -> Option<usize> {
        if self.unread {
            self.read_peers(pipes);
        }
        Some(match topic {
            None => self.subscriptions.holders(),
            Some(topic) => {
                let mut matching = Vec::new();
                self.subscriptions.matches(topic, |key| matching.push(key));
                matching.sort_unstable();
                matching.dedup();
                if self.invert {
                    self.peers.len() - matching.len()
                } else {
                    matching.len()
                }
            }
        })
    }

    fn topics_count(&mut self, pipes: &mut Pipes) -> Option<usize> {
        if self.unread {
            self.read_peers(pipes);
        }
        Some(self.subscriptions.len())
    }
}
