//! How connections open: the greeting, the handshake, what every new peer is told, and from when on messages may flow.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ringmq_io::Fd;
use ringmq_message::Origin;
use ringmq_zmtp::{Config, Connection, Heartbeat};

use super::{
    Worker, news,
    session::{Phase, Session},
    upgrade,
};
use crate::{
    layer::SharedLayers,
    limits,
    link::lock,
    monitor::Event,
    pipe::{Peer, Rings},
    socket::{Board, Change, SocketCommand},
};

impl Session {
    /// Says what is to be said to every new peer, what the socket has subscribed to included, and tells who that is. `None` if
    /// there is no connection any more.
    fn introduce(&mut self, board: Option<&Board>, rings: Option<&mut Rings>) -> Option<Peer> {
        let mut side = lock(&self.link.receive.side);
        let connection = side.connection.as_mut()?;
        news::greet(self, connection);
        if let Some(board) = board {
            for prefix in board.set.iter() {
                connection.queue_announcement(true, &prefix);
            }
        }
        let origin = Origin::new(news::describe(self, connection));
        let id = origin.id();
        if let Some(rings) = rings {
            rings.origin = id;
        }
        let announced = connection.peer();
        let peer = Peer {
            identity: announced.map_or_else(Vec::new, |peer| peer.identity.clone()),
            credentials: self.credentials,
            origin: Some(Arc::new(origin)),
            named: false,
            address: self.remote.clone(),
            socket_type: announced.map(|peer| peer.socket_type),
        };
        side.set_origin(id);
        news::begin(self, &mut side);
        drop(side);
        self.announced = board.map_or(0, |board| board.sequence);
        Some(peer)
    }
}

/// What the protocol core needs to know of the options.
fn wire_config(session: &Session) -> Config {
    let options = &session.options;
    let mut config = Config::new(session.socket.socket_type);
    config.identity = options.routing_id.clone();
    let properties = options.metadata.iter();
    config.properties = properties
        .map(|(name, value)| (name.clone().into_bytes(), value.clone()))
        .collect();
    if session.offers_upgrade() {
        let (name, version) = upgrade::PROPERTY;
        config.properties.push((name.to_vec(), version.to_vec()));
        config.extensions = true;
    }
    config.frame_size_max = options.max_message_size;
    // The limit of libzmq is per frame; memory is bounded by what has arrived, and parts are bounded below.
    config.message_size_max = u64::MAX;
    config.message_parts_max = limits::PARTS_MAX as u32;
    config.slab_len = limits::SLAB_LEN;
    config.zmtp2_peers = options.zmtp2_peers;
    config.handshake_timeout = options.handshake_interval;
    config.heartbeat = Heartbeat {
        interval: options.heartbeat_interval,
        timeout: options.heartbeat_timeout,
        ttl: options.heartbeat_ttl,
    };
    config
}

impl Worker {
    /// A connection is there: the greeting goes out, through the layers if there are any, and what comes is read.
    pub(super) fn open_connection(&mut self, slot: u32, fd: Arc<Fd>, layers: Option<SharedLayers>) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let now = Instant::now();
        let connection = if session.socket.is_raw(&session.options) {
            let piece = session.options.in_batch_size;
            Connection::raw(
                piece.map_or(limits::RAW_PIECE_MAX, |bytes| bytes.max(1) as usize),
                now,
            )
        } else {
            Connection::new(wire_config(session), now)
        };
        session.phase = Phase::Handshaking;
        session.phase_deadline = None;
        session.wire_deadline = connection.deadline();
        session.fd = Some(fd.clone());
        session.upgrade = session.offers_upgrade().then(Box::default);
        session.link.transmit.connected(fd, layers.clone());
        lock(&session.link.receive.side).connected(connection, layers);
        self.pump_control(slot);
        // Without a handshake it is over now.
        self.absorb(slot);
        self.poll_readable(slot);
    }

    /// The peer's handshake is complete.
    pub(super) fn handshaken(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        {
            let mut side = lock(&session.link.receive.side);
            let Some(connection) = &mut side.connection else {
                return;
            };
            // Our READY goes before the first message.
            session.link.transmit.push_control(connection.transmit());
            let count = connection.transmit().len();
            connection.transmitted(count);
        }
        self.half_open.has_answered(session);
        if self.begin_upgrade(slot) {
            self.list_for_sending(slot);
            self.advance_upgrade(slot);
        } else {
            self.establish(slot, None);
        }
    }

    /// Messages may flow from now on, by the rings if there are any.
    pub(super) fn establish(&mut self, slot: u32, mut rings: Option<Rings>) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let was_half_open = session.is_half_open();
        if was_half_open {
            self.half_open.done(session);
        }
        session.phase = Phase::Established;
        // Held until the socket can find a new pipe, so that it misses no change.
        let socket = session.socket.clone();
        let board = socket.traits.subscribes.then(|| lock(&socket.subscriptions));
        let Some(peer) = session.introduce(board.as_deref(), rings.as_mut()) else {
            return;
        };
        session.peer_identity = peer.identity.clone();
        session.link.transmit.established();
        if let Some(dial) = &mut session.dial {
            dial.succeeded();
        }
        let is_shared = rings.is_some();
        let mut orphaned = false;
        match session.pipe.take() {
            Some(mut pipe) => {
                pipe.peer.introduce(peer);
                pipe.announced = Some(session.announced);
                if let Some(rings) = rings {
                    pipe.upgrade(rings);
                }
                session.socket.push(SocketCommand::Attach(pipe));
                // The socket may have closed before it could see the pipe, so that nobody will ever write to it.
                orphaned = session.socket.is_closed() && session.retiring.is_none();
            }
            None => {
                session.link.notify(|key| SocketCommand::Up(key, Box::new(peer)));
                if let Some(rings) = rings {
                    session
                        .link
                        .notify(|key| SocketCommand::Upgraded(key, Box::new(rings)));
                }
            }
        }
        drop(board);
        // Now that the socket's next call finds the peer, and the rings.
        if !session.socket.is_raw(&session.options) {
            session.emit(Event::Handshaken);
        }
        if is_shared {
            session.emit(Event::SharedMemory);
        }
        self.pump_control(slot);
        self.list_for_sending(slot);
        if orphaned {
            self.retire(slot, Some(Duration::ZERO));
        }
        if was_half_open {
            self.answer_held();
        }
    }

    /// A subscription changed while the connection was up; before that, the announcement will contain it.
    pub(super) fn announce_subscription(&mut self, slot: u32, change: &Change) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase != Phase::Established || !change.is_after(session.announced) {
            return;
        }
        if let Some(connection) = &mut lock(&session.link.receive.side).connection {
            connection.queue_announcement(change.subscribe, &change.prefix);
        }
        self.pump_control(slot);
    }
}
