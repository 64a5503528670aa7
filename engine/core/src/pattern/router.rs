//! ROUTER: sends by routing id, puts it in front of what it receives (RFC 28). STREAM is a ROUTER whose peers speak no
//! ZMTP: bytes instead of messages, and an empty one ends the connection.

use std::time::Duration;

use ringmq_message::Message;

use super::{Admission, Behaviour, Nothing, Refusal, identity_of, probe};
use crate::{
    error::Error,
    options::Options,
    pipe::Dismissal,
    route::{ByIdentity, FairQueue, PipeKey, Pipes},
};

pub(crate) struct Router {
    table: ByIdentity,
    queue: FairQueue,
    /// Where the rest of the outgoing message goes; `None` drops it.
    sending: Option<Option<PipeKey>>,
    /// The first part of the incoming message, whose routing id has been given out.
    prefetched: Option<Message>,
    receiving: bool,
    /// The next routing id for a peer that announces none.
    counter: u32,
    mandatory: bool,
    handover: bool,
    probes: bool,
    /// Peers speak no ZMTP.
    raw: bool,
    /// The type is STREAM.
    stream: bool,
    linger: Option<Duration>,
    /// The routing id that a peer without ZMTP got last.
    last_given: Vec<u8>,
}

impl Router {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            table: ByIdentity::default(),
            queue: FairQueue::default(),
            sending: None,
            prefetched: None,
            receiving: false,
            counter: seed as u32,
            mandatory: false,
            handover: false,
            probes: false,
            raw: false,
            stream: false,
            linger: None,
            last_given: Vec::new(),
        }
    }

    /// A STREAM.
    pub(crate) fn stream(seed: u64) -> Self {
        Self {
            raw: true,
            stream: true,
            mandatory: true,
            ..Self::new(seed)
        }
    }

    /// An id that no peer can claim: those that peers announce never begin with a zero byte.
    fn next_automatic(&mut self) -> [u8; 5] {
        self.counter = self.counter.wrapping_add(1);
        let [a, b, c, d] = self.counter.to_be_bytes();
        [0, a, b, c, d]
    }

    fn identify(&mut self, pipes: &mut Pipes, key: PipeKey) -> Admission {
        let Some(pipe) = pipes.get(key) else {
            return Admission::Refused(Dismissal::Unwanted);
        };
        let announced = identity_of(&pipe.peer).map(<[u8]>::to_vec);
        let identity = match announced {
            // RFC 37: an identity does not begin with a zero byte.
            Some(identity) if identity[0] == 0 => return Admission::Refused(Dismissal::Unwanted),
            Some(identity) => identity,
            None => match self.table.identity(key) {
                Some(_) => return Admission::Accepted,
                None => {
                    let given = self.next_automatic();
                    if self.raw {
                        self.last_given = given.to_vec();
                    }
                    given.to_vec()
                }
            },
        };
        if let Some(holder) = self.table.key(&identity)
            && holder != key
        {
            if !self.handover {
                return Admission::Refused(Dismissal::RoutingIdInUse);
            }
            self.table.retire(holder);
            self.forget(holder);
            pipes.dismiss(holder, Dismissal::Replaced);
        }
        self.table.remove(key);
        self.table.insert(&identity, key);
        self.queue.activate(pipes, key);
        if self.probes {
            probe(pipes, key);
        }
        Admission::Accepted
    }

    /// The rest of an outgoing message to this peer has nowhere to go.
    fn forget(&mut self, key: PipeKey) {
        if self.sending == Some(Some(key)) {
            self.sending = Some(None);
        }
    }

    /// Everything behind the routing id is bytes; MORE means nothing. No bytes end the connection, once those before are
    /// sent.
    fn send_raw(&mut self, pipes: &mut Pipes, target: Option<PipeKey>, message: &mut Message) {
        self.sending = None;
        let Some(key) = target else { return };
        let Some((pipe, pace)) = pipes.paced(key) else {
            return;
        };
        if message.is_empty() {
            pipe.finish(self.linger);
            self.table.retire(key);
            pipes.ended.push(key);
        } else {
            message.set_more(false);
            pipe.write(message, pace);
        }
    }

    /// The first part names the peer.
    fn route(&mut self, pipes: &mut Pipes, message: &Message) -> Result<(), Refusal> {
        // A routing id with nothing behind it is ignored.
        if !message.more() {
            return Ok(());
        }
        let key = self.table.key(message);
        let target = key.and_then(|key| pipes.get(key).map(|pipe| (key, pipe)));
        let Some((key, pipe)) = target else {
            if self.mandatory {
                return Err(Refusal::Unroutable);
            }
            self.sending = Some(None);
            return Ok(());
        };
        if pipe.is_full() && (!self.mandatory || pipe.ask_for_room()) {
            if self.mandatory {
                return Err(Refusal::Full);
            }
            pipes.lose(key);
            self.sending = Some(None);
            return Ok(());
        }
        pipes.regain(key);
        self.sending = Some(Some(key));
        Ok(())
    }
}

impl Behaviour for Router {
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, known: bool) -> Admission {
        let preset = pipes.get(key).is_some_and(|pipe| !pipe.peer.identity.is_empty());
        if known || preset || self.raw {
            self.identify(pipes, key)
        } else {
            Admission::Accepted
        }
    }

    fn up(&mut self, pipes: &mut Pipes, key: PipeKey) -> Admission {
        self.identify(pipes, key)
    }

    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.forget(key);
        self.table.retire(key);
        self.queue.activate(pipes, key);
    }

    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey) {
        self.forget(key);
        self.table.remove(key);
        self.queue.remove(pipes, key);
    }

    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey) {
        if self.table.identity(key).is_some() {
            self.queue.activate(pipes, key);
        }
    }

    fn writable(&mut self, _pipes: &mut Pipes, _key: PipeKey) {}

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
        let Some(target) = self.sending else {
            return self.route(pipes, message);
        };
        if self.raw {
            self.send_raw(pipes, target, message);
            return Ok(());
        }
        if !message.more() {
            self.sending = None;
        }
        if let Some((pipe, pace)) = target.and_then(|key| pipes.paced(key)) {
            pipe.write(message, pace);
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
        if let Some(part) = self.prefetched.take() {
            *message = part;
            self.receiving = message.more();
            return Ok(());
        }
        let key = self.queue.part(pipes, message).ok_or(Nothing::Empty)?;
        if self.receiving {
            self.receiving = message.more();
            return Ok(());
        }
        let mut id = Message::from_slice(self.table.identity(key).unwrap_or_default());
        id.set_more(true);
        id.set_origin(message.origin());
        self.prefetched = Some(std::mem::replace(message, id));
        Ok(())
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        if !self.mandatory || self.stream || self.sending.is_some() {
            return true;
        }
        pipes.iter_mut().any(|pipe| !pipe.is_full())
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.prefetched.is_some() || self.queue.has_queued(pipes)
    }

    fn is_free(&self, identity: &[u8]) -> bool {
        self.table.key(identity).is_none()
    }

    fn has_room(&mut self, pipes: &mut Pipes, identity: &[u8]) -> Result<Option<bool>, Error> {
        let key = self.table.key(identity);
        Ok(key.and_then(|key| pipes.get(key)).map(|pipe| !pipe.is_full()))
    }

    fn routing_id(&self, key: PipeKey) -> Option<&[u8]> {
        self.table.identity(key)
    }

    fn last_given(&self) -> Option<&[u8]> {
        self.raw.then_some(&*self.last_given)
    }

    fn configure(&mut self, options: &Options) {
        self.mandatory = options.router_mandatory || self.stream;
        self.raw = options.router_raw || self.stream;
        self.linger = options.linger;
        self.handover = options.router_handover;
        self.probes = options.probe_router;
    }
}
