//! What the socket types do with messages: each is composed from the pieces in `route`, and this table is the only
//! place that knows which type is which.

mod dealer;
mod dgram;
mod dish;
mod pair;
mod pull;
mod push;
mod radio;
mod rep;
mod req;
mod router;
mod server;
#[cfg(test)]
mod tests;
mod xpub;
mod xsub;

use std::sync::Arc;

use ringmq_message::Message;
use ringmq_zmtp::SocketType;

use crate::{
    error::Error,
    options::Options,
    pipe::{Dismissal, Peer},
    route::{PipeKey, Pipes},
    socket::SocketShared,
};

/// Why a part was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No pipe has room now; waiting helps.
    Full,
    /// Not this type's turn to send.
    State,
    /// Nobody has that routing id.
    Unroutable,
    /// Messages have one part only.
    Parts,
    /// Messages have two parts: an address and a body.
    TwoParts,
    /// The type does not send.
    NotSupported,
}

/// Why there is no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// Nothing has come; waiting helps.
    Empty,
    /// Not this type's turn to receive.
    State,
    /// The type does not receive.
    NotSupported,
}

/// Whether a pattern takes a pipe in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Accepted,
    /// The socket closes the pipe: a second peer of a PAIR, a routing id that is taken.
    Refused(Dismissal),
}

/// The behaviour of one socket type, on the application's thread.
pub(crate) trait Behaviour {
    /// A pipe is there. For a connection that was accepted the peer is known already.
    fn attached(&mut self, pipes: &mut Pipes, key: PipeKey, known: bool) -> Admission;

    /// The handshake of a pipe that was there before it is done (again).
    fn up(&mut self, _pipes: &mut Pipes, _key: PipeKey) -> Admission {
        Admission::Accepted
    }

    /// Nothing can be written to the pipe any more; it is detached once it is read out.
    fn ending(&mut self, pipes: &mut Pipes, key: PipeKey);

    /// The pipe goes away now.
    fn detached(&mut self, pipes: &mut Pipes, key: PipeKey);

    /// The pipe has something to read.
    fn readable(&mut self, pipes: &mut Pipes, key: PipeKey);

    /// The pipe has room again.
    fn writable(&mut self, pipes: &mut Pipes, key: PipeKey);

    /// Takes the part, or leaves it with the caller and says why.
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal>;

    /// Sends a message of one part by copying it. `None`: the type has no use for that shortcut.
    fn send_bytes(&mut self, _pipes: &mut Pipes, _body: &[u8]) -> Option<Result<(), Refusal>> {
        None
    }

    /// The pipe that the next part will go to, for types that know before they see it.
    fn next_pipe(&mut self, _pipes: &mut Pipes) -> Option<PipeKey> {
        None
    }

    /// Replaces `message` by the next part.
    fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing>;

    /// A send would not wait.
    fn can_send(&mut self, pipes: &mut Pipes) -> bool;

    /// A receive would not wait.
    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;

    /// The options have changed.
    fn configure(&mut self, _options: &Options) {}

    /// The pattern learns of what its socket shares with workers.
    fn bind_shared(&mut self, _shared: &Arc<SocketShared>) {}

    /// Adds a subscription; an XPUB whose owner decides adds it for the peer whose request was received last.
    fn subscribe(&mut self, _pipes: &mut Pipes, _shared: &SocketShared, _prefix: &[u8]) -> Result<(), Error> {
        Err(Error::NotSupported)
    }

    /// Takes one instance of a subscription back.
    fn unsubscribe(
        &mut self,
        _pipes: &mut Pipes,
        _shared: &SocketShared,
        _prefix: &[u8],
    ) -> Result<(), Error> {
        Err(Error::NotSupported)
    }

    /// Whether no peer has the routing id that the owner wants to give to the next one.
    fn is_free(&self, _identity: &[u8]) -> bool {
        true
    }

    /// The routing id by which the owner addresses a peer, for types that do.
    fn routing_id(&self, _key: PipeKey) -> Option<&[u8]> {
        None
    }

    /// The routing id that was given to a peer last, by types whose peers have none of their own.
    fn last_given(&self) -> Option<&[u8]> {
        None
    }

    /// The number that was given to a peer last, by types that number their peers.
    fn peer_number(&self) -> Option<u32> {
        None
    }

    /// The peer with that number; `None` for types that do not number theirs.
    fn numbered(&self, _number: u32) -> Option<Option<PipeKey>> {
        None
    }

    /// Whether the peer with that routing id has room for a message: `None` if there is no such peer.
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for types that do not know their peers by routing id.
    fn has_room(&mut self, _pipes: &mut Pipes, _identity: &[u8]) -> Result<Option<bool>, Error> {
        Err(Error::NotSupported)
    }

    /// Joins a group.
    fn join(&mut self, _pipes: &mut Pipes, _group: &[u8]) -> Result<(), Error> {
        Err(Error::NotSupported)
    }

    /// Leaves a group.
    fn leave(&mut self, _pipes: &mut Pipes, _group: &[u8]) -> Result<(), Error> {
        Err(Error::NotSupported)
    }

    /// How many peers a message of this topic or group would go to, or without one, how many have subscribed to anything;
    /// `None` for types that do not match.
    fn audience(&mut self, _pipes: &mut Pipes, _topic: Option<&[u8]>) -> Option<usize> {
        None
    }

    /// How many distinct prefixes are subscribed to; `None` for types that do not match.
    fn topics_count(&mut self, _pipes: &mut Pipes) -> Option<usize> {
        None
    }
}

/// What a socket type is made of, apart from its behaviour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// Data from the peer is thrown away by the session.
    pub(crate) discards_input: bool,
    /// A second connect to the same endpoint does nothing (libzmq does so for these types).
    pub(crate) connects_once: bool,
    /// The socket holds subscriptions, which its sessions announce.
    pub(crate) subscribes: bool,
    /// Connections speak no ZMTP.
    pub(crate) raw: bool,
    /// Peers that the socket connects to are known by number at once.
    pub(crate) numbers_peers: bool,
    /// What the socket can do with datagrams.
    pub(crate) datagrams: Datagrams,
    /// Many threads may use the socket, and the one that sleeps for it must be woken in one place.
    pub(crate) concurrent: bool,
}

/// What a socket type can do with datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Datagrams {
    /// Nothing.
    None,
    /// Send messages of groups to where it connects.
    Groups,
    /// Receive messages of groups where it is bound.
    FromGroups,
    /// Send and receive where it is bound, and it can do nothing else.
    Only,
}

const PLAIN: Traits = Traits {
    discards_input: false,
    connects_once: false,
    subscribes: false,
    raw: false,
    numbers_peers: false,
    datagrams: Datagrams::None,
    concurrent: false,
};
const ONCE: Traits = Traits {
    connects_once: true,
    ..PLAIN
};
const SENDER: Traits = Traits {
    discards_input: true,
    ..PLAIN
};
const SUBSCRIBER: Traits = Traits {
    subscribes: true,
    ..PLAIN
};
const CONCURRENT: Traits = Traits {
    concurrent: true,
    ..PLAIN
};

macro_rules! patterns {
    ($($variant:ident($behaviour:ty)),* $(,)?) => {
        /// The behaviour of any socket type.
        pub(crate) enum Pattern { $($variant($behaviour),)* }

        impl Pattern {
            #[inline(always)]
            pub(crate) fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Refusal> {
                match self { $(Self::$variant(pattern) => pattern.send(pipes, message),)* }
            }

            #[inline(always)]
            pub(crate) fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Nothing> {
                match self { $(Self::$variant(pattern) => pattern.recv(pipes, message),)* }
            }

            /// Sends a message of one part by copying it, for which it must be small enough. `None`: this type wants a
            /// message.
            #[inline(always)]
            pub(crate) fn send_bytes(&mut self, pipes: &mut Pipes, body: &[u8]) -> Option<Result<(), Refusal>> {
                match self { $(Self::$variant(pattern) => pattern.send_bytes(pipes, body),)* }
            }

            /// Everything that is not on the path of a message.
            pub(crate) fn behaviour(&mut self) -> &mut dyn Behaviour {
                match self { $(Self::$variant(pattern) => pattern,)* }
            }
        }
    };
}

patterns! {
    Pair(pair::Pair),
    Xpub(xpub::Xpub),
    Xsub(xsub::Xsub),
    Req(req::Req),
    Rep(rep::Rep),
    Dealer(dealer::Dealer),
    Router(router::Router),
    Pull(pull::Pull),
    Push(push::Push),
    Server(server::Server),
    Radio(radio::Radio),
    Dish(dish::Dish),
    Dgram(dgram::Dgram),
}

impl Pattern {
    /// The one place where a socket type becomes behaviour. `None`: the type is not offered.
    pub(crate) fn new(socket_type: SocketType, seed: u64) -> Option<(Self, Traits)> {
        Some(match socket_type {
            SocketType::Pair => (Self::Pair(pair::Pair::default()), PLAIN),
            SocketType::Pub => (Self::Xpub(xpub::Xpub::publisher()), ONCE),
            SocketType::Sub => (
                Self::Xsub(xsub::Xsub::subscriber()),
                Traits {
                    connects_once: true,
                    ..SUBSCRIBER
                },
            ),
            SocketType::Req => (Self::Req(req::Req::new(seed)), ONCE),
            SocketType::Rep => (Self::Rep(rep::Rep::default()), PLAIN),
            SocketType::Dealer => (Self::Dealer(dealer::Dealer::default()), ONCE),
            SocketType::Router => (Self::Router(router::Router::new(seed)), PLAIN),
            SocketType::Pull => (Self::Pull(pull::Pull::default()), PLAIN),
            SocketType::Push => (Self::Push(push::Push::default()), SENDER),
            SocketType::XPub => (Self::Xpub(xpub::Xpub::default()), PLAIN),
            SocketType::XSub => (Self::Xsub(xsub::Xsub::default()), SUBSCRIBER),
            SocketType::Stream => (
                Self::Router(router::Router::stream(seed)),
                Traits { raw: true, ..PLAIN },
            ),
            SocketType::Server => (Self::Server(server::Server::new(seed)), CONCURRENT),
            SocketType::Peer => (
                Self::Server(server::Server::new(seed)),
                Traits {
                    numbers_peers: true,
                    ..CONCURRENT
                },
            ),
            SocketType::Client => (Self::Dealer(dealer::Dealer::client()), CONCURRENT),
            SocketType::Radio => (
                Self::Radio(radio::Radio::default()),
                Traits {
                    datagrams: Datagrams::Groups,
                    ..CONCURRENT
                },
            ),
            SocketType::Dish => (
                Self::Dish(dish::Dish::default()),
                Traits {
                    subscribes: true,
                    datagrams: Datagrams::FromGroups,
                    ..CONCURRENT
                },
            ),
            SocketType::Gather => (Self::Pull(pull::Pull::gather()), CONCURRENT),
            SocketType::Scatter => (
                Self::Push(push::Push::scatter()),
                Traits {
                    discards_input: true,
                    ..CONCURRENT
                },
            ),
            SocketType::Channel => (Self::Pair(pair::Pair::channel()), CONCURRENT),
            SocketType::Dgram => (
                Self::Dgram(dgram::Dgram::default()),
                Traits {
                    datagrams: Datagrams::Only,
                    ..PLAIN
                },
            ),
        })
    }
}

/// Sends an empty message on a new pipe, by which a ROUTER at the other end learns of us (ZMQ_PROBE_ROUTER).
fn probe(pipes: &mut Pipes, key: PipeKey) {
    if let Some((pipe, pace)) = pipes.paced(key)
        && !pipe.is_full()
    {
        pipe.write(&mut Message::new(), pace);
    }
}

/// The identity that a peer announced.
fn identity_of(peer: &Peer) -> Option<&[u8]> {
    (!peer.identity.is_empty()).then_some(&*peer.identity)
}
