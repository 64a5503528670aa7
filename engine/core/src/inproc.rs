//! The names of a context's in-process endpoints.

use std::{collections::HashMap, sync::Arc};

use ringmq_queue::sync::Mutex;

use crate::{
    link::lock,
    pipe::{Peer, Pipe, local_pair},
    socket::{SocketCommand, SocketShared},
};

/// Who is bound to which name, and who waits for one.
#[derive(Default)]
pub(crate) struct Inproc {
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    bound: HashMap<String, Bound>,
    /// Binding ends of connections made before their name was bound.
    waiting: HashMap<String, Vec<Waiting>>,
}

struct Bound {
    socket: Arc<SocketShared>,
    endpoint: u64,
    identity: Vec<u8>,
    hello: Vec<u8>,
    disconnect: Vec<u8>,
    hwm: (u64, u64),
    receive_bytes_max: u64,
    drops_oldest: bool,
    conflate: bool,
}

struct Waiting {
    pipe: Pipe,
    /// The connecting socket, and the key of its end there.
    socket: Arc<SocketShared>,
    key: u64,
}

/// A socket as the other side of a connection sees it.
pub(crate) struct Party<'a> {
    pub(crate) socket: &'a Arc<SocketShared>,
    pub(crate) endpoint: u64,
    pub(crate) identity: &'a [u8],
    /// What every new peer is sent first.
    pub(crate) hello: &'a [u8],
    /// What the socket, if it binds, receives when a peer is gone.
    pub(crate) disconnect: &'a [u8],
    /// Marks for sending and receiving.
    pub(crate) hwm: (u64, u64),
    /// Bytes that may wait for the socket; 0 is unlimited.
    pub(crate) receive_bytes_max: u64,
    /// What it writes may be dropped again.
    pub(crate) drops_oldest: bool,
    /// Only the newest message is kept.
    pub(crate) conflate: bool,
}

impl Inproc {
    /// Binds a name and returns the ends of connections that waited for it. `None`: the name is taken.
    pub(crate) fn bind(&self, name: &str, party: &Party<'_>) -> Option<Vec<Pipe>> {
        let mut names = lock(&self.names);
        if names.bound.contains_key(name) {
            return None;
        }
        let bound = Bound {
            socket: party.socket.clone(),
            endpoint: party.endpoint,
            identity: party.identity.to_vec(),
            hello: party.hello.to_vec(),
            disconnect: party.disconnect.to_vec(),
            hwm: party.hwm,
            receive_bytes_max: party.receive_bytes_max,
            drops_oldest: party.drops_oldest,
            conflate: party.conflate,
        };
        names.bound.insert(name.to_owned(), bound);
        let waiting = names.waiting.remove(name).unwrap_or_default();
        let mut pipes = Vec::with_capacity(waiting.len());
        for mut waiting in waiting {
            waiting.pipe.found(party);
            waiting.pipe.greet(party.hello);
            let peer = peer(name, party.identity, party.socket);
            waiting
                .socket
                .push(SocketCommand::Up(waiting.key, Box::new(peer)));
            pipes.push(waiting.pipe);
        }
        Some(pipes)
    }

    /// Frees a name.
    pub(crate) fn unbind(&self, name: &str) {
        lock(&self.names).bound.remove(name);
    }

    /// Frees all names of a socket.
    pub(crate) fn forget(&self, socket: &Arc<SocketShared>) {
        lock(&self.names)
            .bound
            .retain(|_, bound| !Arc::ptr_eq(&bound.socket, socket));
    }

    /// Connects to a name, bound or not. `attach` takes the connecting end in, which happens before anybody can bind the
    /// name; its second argument says whether the binding socket is there already.
    pub(crate) fn connect(&self, name: &str, party: &Party<'_>, attach: impl FnOnce(Pipe, bool) -> u64) {
        let mut names = lock(&self.names);
        let Some(bound) = names.bound.get(name) else {
            let (mut ours, mut theirs) = local_pair(party, None);
            ours.endpoint = party.endpoint;
            theirs.peer = peer(name, party.identity, party.socket);
            ours.greet(party.hello);
            let key = attach(ours, false);
            let waiting = Waiting {
                pipe: theirs,
                socket: party.socket.clone(),
                key,
            };
            names.waiting.entry(name.to_owned()).or_default().push(waiting);
            return;
        };
        let binder = Party {
            socket: &bound.socket,
            endpoint: bound.endpoint,
            identity: &bound.identity,
            hello: &bound.hello,
            disconnect: &bound.disconnect,
            hwm: bound.hwm,
            receive_bytes_max: bound.receive_bytes_max,
            drops_oldest: bound.drops_oldest,
            conflate: bound.conflate,
        };
        let (mut ours, mut theirs) = local_pair(party, Some(&binder));
        ours.endpoint = party.endpoint;
        ours.peer = peer(name, &bound.identity, &bound.socket);
        theirs.endpoint = bound.endpoint;
        theirs.peer = peer(name, party.identity, party.socket);
        ours.greet(party.hello);
        theirs.greet(binder.hello);
        attach(ours, true);
        // Pushed before connecting returns: the binding socket's next call finds it, and what is sent through it.
        bound.socket.push(SocketCommand::Attach(Box::new(theirs)));
    }
}

/// A socket as a peer of another one, by a name of the context.
fn peer(name: &str, identity: &[u8], socket: &Arc<SocketShared>) -> Peer {
    Peer {
        identity: identity.to_vec(),
        address: format!("inproc://{name}").into(),
        socket_type: Some(socket.socket_type),
        ..Peer::default()
    }
}
