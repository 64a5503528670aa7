//! Who a socket's peers are, and what has passed between them and it.

use std::{fmt, sync::Arc};

use super::{Socket, SocketShared};
use crate::{
    SocketType,
    error::Error,
    link::lock,
    monitor::{Credentials, Event, EventRecord, Side},
    route::PipeKey,
    tally::Statistics,
};

/// Names a connection among those that a socket has or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(PipeKey);

/// A peer that a socket has a queue for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Names the connection, for [`Socket::close_peer`].
    pub id: PeerId,
    /// The peer's end of the connection, such as `tcp://192.168.1.7:41234`. Where the system has no name for that end
    /// (`ipc://`), or there has been no connection yet, it is the endpoint that the socket itself is bound or connected to.
    pub address: String,
    /// Which end of the connection the socket is.
    pub side: Side,
    /// Messages can flow now. One that is connected to may be out of reach for the moment, with messages waiting for it.
    pub is_connected: bool,
    /// The routing id that the peer announced, or by which this socket's owner addresses it; empty is none.
    pub routing_id: Vec<u8>,
    /// The number by which a SERVER or PEER addresses it; 0 for other types.
    pub number: u32,
    /// The type of its socket; `None` before its first handshake, and for peers that speak no ZMTP.
    pub socket_type: Option<SocketType>,
    /// Which process, user and group it is, over `ipc://`.
    pub credentials: Option<Credentials>,
    /// Messages go by shared memory.
    pub is_shared_memory: bool,
    /// What has passed since the connection's queue was made: by an accepted connection its whole life, by one that is
    /// made anew whenever it breaks all of its lives.
    pub statistics: Statistics,
    /// Messages written and not yet on their way to the peer. Over shared memory these are all that it has not said it took,
    /// which it does now and then, and before it waits.
    pub waiting_to_send: u64,
    /// Messages that lie ready and were not received yet. `None` over shared memory, where the peer alone counts them.
    pub waiting_to_receive: Option<u64>,
}

impl PeerInfo {
    /// The transport, such as `tcp`.
    pub fn transport(&self) -> &str {
        self.address.split_once("://").map_or("", |(scheme, _)| scheme)
    }
}

/// Reads what has passed a socket, from any thread and at any time; also after the socket is gone.
#[derive(Clone)]
pub struct Counters {
    shared: Arc<SocketShared>,
}

impl Counters {
    /// What has passed all of the socket's connections, including those that are gone. Does not block.
    pub fn read(&self) -> Statistics {
        self.look().1
    }

    /// How many peers the socket has queues for, when it last looked. Does not block.
    pub fn peers(&self) -> usize {
        self.look().0
    }

    fn look(&self) -> (usize, Statistics) {
        lock(&self.shared.ledger).read(&self.shared.dropped)
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peers, statistics) = self.look();
        f.debug_struct("Counters")
            .field("peers", &peers)
            .field("statistics", &statistics)
            .finish()
    }
}

impl Socket {
    /// A handle to the socket's counts.
    pub fn counters(&self) -> Counters {
        Counters {
            shared: self.shared.clone(),
        }
    }

    /// The peers that the socket has queues for, in no order.
    pub fn peers(&mut self) -> Vec<PeerInfo> {
        // Looks after those that have ended.
        self.pipe_count();
        let keys = self.pipes.keys();
        keys.into_iter().filter_map(|key| self.describe(key)).collect()
    }

    /// Tells the listener how many messages wait for each peer and from it ([`Event::QueueDepths`]). Returns how many peers
    /// there are.
    pub fn report_queue_depths(&mut self) -> usize {
        let peers = self.peers();
        for peer in &peers {
            let (side, endpoint) = match self.pipes.get(peer.id.0) {
                Some(pipe) => self.endpoints.describe(pipe.endpoint),
                None => continue,
            };
            let (local, remote) = match side {
                Side::Bind => (endpoint, peer.address.clone()),
                Side::Connect => (String::new(), endpoint),
            };
            self.shared.emit(EventRecord {
                event: Event::QueueDepths {
                    to_send: peer.waiting_to_send,
                    to_receive: peer.waiting_to_receive.unwrap_or(0),
                },
                side,
                local,
                remote,
                peer: (!peer.routing_id.is_empty()).then(|| peer.routing_id.as_slice().into()),
                credentials: peer.credentials,
            });
        }
        peers.len()
    }

    fn describe(&mut self, key: PipeKey) -> Option<PeerInfo> {
        let given = self.pattern.behaviour().routing_id(key).map(<[u8]>::to_vec);
        let pipe = self.pipes.get(key)?;
        let (side, endpoint) = self.endpoints.describe(pipe.endpoint);
        // A unix socket that connects is bound to no path.
        let has_address = pipe
            .peer
            .address
            .split_once("://")
            .is_some_and(|(_, rest)| !rest.is_empty());
        Some(PeerInfo {
            id: PeerId(key),
            address: if has_address {
                pipe.peer.address.to_string()
            } else {
                endpoint
            },
            side,
            is_connected: pipe.is_established(),
            routing_id: given.unwrap_or_else(|| pipe.peer.identity.clone()),
            number: pipe.number,
            socket_type: pipe.peer.socket_type,
            credentials: pipe.peer.credentials,
            is_shared_memory: pipe.is_shared(),
            statistics: pipe.tally.read(),
            waiting_to_send: pipe.unsent(),
            waiting_to_receive: pipe.unread(),
        })
    }

    /// Ends a connection at once; what is queued for the peer is dropped. One that this socket made is not made again, as if
    /// its endpoint had been disconnected; a peer that connected may come back.
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if the connection has ended already, [`Error::Terminated`].
    pub fn close_peer(&mut self, peer: PeerId) -> Result<(), Error> {
        self.process_commands()?;
        let pipe = self.pipes.get(peer.0).ok_or(Error::HostUnreachable)?;
        let endpoint = pipe.endpoint;
        if self.endpoints.describe(endpoint).0 == Side::Connect {
            self.remove_entry(endpoint);
        }
        self.detach(peer.0);
        Ok(())
    }
}
