//! What other threads ask of a worker, and how it obeys.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use super::{DatagramCommand, NewListener, NewSession, Resolved, Worker, listener::Accepted, session::Cause};
use crate::{
    link::Link,
    pipe::Dismissal,
    socket::{Change, SocketShared},
};

/// What other threads ask of a worker.
pub(crate) enum Command {
    Listen(Box<NewListener>),
    Connect(Box<NewSession>),
    /// A connection that another worker accepted.
    Adopt(Box<Accepted>),
    /// The right to send has come to the worker.
    Transmit(Arc<Link>),
    /// The application gathers messages.
    Watch(Arc<Link>),
    /// The application has taken messages that the session waits for.
    Credit(Arc<Link>),
    /// The connection's protocol has something to send.
    Control(Arc<Link>),
    /// The application wants to read the connection itself.
    Lend(Arc<Link>),
    /// The application has given the right to read back.
    Returned(Arc<Link>),
    Subscription {
        link: Arc<Link>,
        change: Change,
    },
    Resolved(Box<Resolved>),
    /// The application writes to the shared ring, and no longer to the connection.
    Switched(Arc<Link>),
    /// Messages wait for room in the shared ring.
    Spilled(Arc<Link>),
    /// The application has found that the peer broke the protocol of the shared rings.
    Violated(Arc<Link>),
    /// Something about a datagram socket.
    Datagrams(DatagramCommand),
    /// The socket is done with this connection, but for what is to be sent within this time.
    ClosePipe(Arc<Link>, Option<Duration>, Dismissal),
    CloseEndpoint {
        socket: Arc<SocketShared>,
        endpoint: u64,
        linger: Option<Duration>,
        done: mpsc::Sender<()>,
    },
    CloseSocket {
        socket: Arc<SocketShared>,
        linger: Option<Duration>,
    },
    /// End when the last session has.
    Stop,
}

impl Worker {
    pub(super) fn take_commands(&mut self) {
        if self.shared.mailbox.is_empty() {
            return;
        }
        self.idle_rounds = 0;
        let mut commands = std::mem::take(&mut self.commands);
        self.shared.mailbox.drain(&mut commands);
        for command in commands.drain(..) {
            self.obey(command);
        }
        self.commands = commands;
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen(listener) => self.listen(*listener),
            Command::Connect(session) => self.connect(*session),
            Command::Adopt(accepted) => self.adopt(*accepted),
            Command::Transmit(link) => self.with_session(&link, Self::list_for_sending),
            Command::Watch(link) => self.with_session(&link, Self::watch),
            Command::Credit(link) => self.with_session(&link, Self::resume_reading),
            Command::Control(link) => self.with_session(&link, |worker, slot| {
                worker.refresh_deadline(slot);
                worker.pump_control(slot);
                worker.settle(slot);
            }),
            Command::Lend(link) => self.with_session(&link, Self::lend),
            Command::Returned(link) => self.with_session(&link, |worker, slot| {
                worker.read_again(slot);
                worker.settle(slot);
            }),
            Command::Subscription { link, change } => {
                self.with_session(&link, |worker, slot| worker.announce_subscription(slot, &change));
            }
            Command::Resolved(resolved) => self.resolved(*resolved),
            Command::Switched(link) => self.with_session(&link, Self::switched),
            Command::Spilled(link) => self.with_session(&link, |worker, slot| {
                worker.move_spilled(slot);
                worker.settle(slot);
            }),
            Command::Violated(link) => self.with_session(&link, |worker, slot| {
                worker.end(slot, Cause::SharedMemory);
                worker.settle(slot);
            }),
            Command::Datagrams(command) => self.obey_pipe(command),
            Command::ClosePipe(link, linger, why) => {
                self.with_session(&link, |worker, slot| worker.dismiss(slot, linger, why));
            }
            Command::CloseEndpoint {
                socket,
                endpoint,
                linger,
                done,
            } => {
                self.close_where(&socket, Some(endpoint), linger, Some(&done));
                // Nobody waits any more if the socket's patience is over.
                let _ = done.send(());
            }
            Command::CloseSocket { socket, linger } => self.close_where(&socket, None, linger, None),
            Command::Stop => self.stopping = true,
        }
    }

    /// Does something to the session that a link belongs to, if it still does.
    fn with_session(&mut self, link: &Arc<Link>, act: impl FnOnce(&mut Self, u32)) {
        let slot = link.slot();
        let session = self.sessions.get(slot);
        if session.is_some_and(|session| Arc::ptr_eq(&session.link, link)) {
            act(self, slot);
        }
    }

    /// Closes the listeners of a socket, of one endpoint or all, and retires its sessions.
    /// Whatever goes on ending holds a clone of `done`.
    fn close_where(
        &mut self,
        socket: &Arc<SocketShared>,
        endpoint: Option<u64>,
        linger: Option<Duration>,
        done: Option<&mpsc::Sender<()>>,
    ) {
        let concerns = |other: &Arc<SocketShared>, its: u64| {
            Arc::ptr_eq(other, socket) && endpoint.is_none_or(|endpoint| endpoint == its)
        };
        for slot in self
            .listeners
            .find(|listener| concerns(&listener.socket, listener.endpoint))
        {
            self.close_listener(slot, done);
        }
        for slot in self
            .sessions
            .find(|session| concerns(&session.socket, session.endpoint))
        {
            self.retire(slot, linger);
        }
        self.close_datagrams_where(concerns, done);
    }
}
