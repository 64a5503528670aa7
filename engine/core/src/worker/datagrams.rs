//! Datagram sockets: the worker receives for those that are bound, and waits for room for those that send.

use std::sync::{Arc, mpsc};

use ringmq_io::{Interest, recv_datagram};

use super::{Command, Op, Worker, token};
use crate::{
    datagram::DatagramLink,
    limits,
    link::lock,
    socket::{SocketCommand, SocketShared},
};

/// What pipes ask for.
pub(crate) enum DatagramCommand {
    /// There is a socket; `true` says that it receives.
    Open(Arc<DatagramLink>, bool),
    /// The application has taken messages that the worker waits for.
    Credit(Arc<DatagramLink>),
    /// The kernel had no room for a datagram.
    AwaitRoom(Arc<DatagramLink>),
    /// The pipe is gone.
    Close(Arc<DatagramLink>),
}

/// What the worker knows of a datagram socket.
pub(super) struct DatagramSession {
    link: Arc<DatagramLink>,
    reading: Reading,
    /// A poll for room is in flight.
    awaits_room: bool,
    /// Closed; the place is free when no poll is in flight.
    closing: bool,
    /// Who waits for that; told by the end of the channel.
    closed: Option<mpsc::Sender<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It does not receive.
    Never,
    /// A poll is in flight.
    Waiting,
    /// The application's queue is full.
    Stalled,
}

impl Worker {
    pub(super) fn obey_pipe(&mut self, command: DatagramCommand) {
        match command {
            DatagramCommand::Open(link, receives) => self.open_datagrams(link, receives),
            DatagramCommand::Credit(link) => {
                if let Some(slot) = self.datagrams_of(&link) {
                    self.resume_datagrams(slot);
                }
            }
            DatagramCommand::AwaitRoom(link) => {
                if let Some(slot) = self.datagrams_of(&link) {
                    self.await_room(slot);
                }
            }
            DatagramCommand::Close(link) => {
                if let Some(slot) = self.datagrams_of(&link) {
                    self.close_datagrams(slot, None);
                }
            }
        }
    }

    fn open_datagrams(&mut self, link: Arc<DatagramLink>, receives: bool) {
        if link.socket.is_closed() {
            return;
        }
        let slot = self.datagrams.insert(DatagramSession {
            link: link.clone(),
            reading: Reading::Never,
            awaits_room: false,
            closing: false,
            closed: None,
        });
        link.set_slot(slot);
        self.publish_load();
        if receives {
            self.poll_datagrams(slot);
        }
    }

    /// The place of a link, if it still has one.
    fn datagrams_of(&self, link: &Arc<DatagramLink>) -> Option<u32> {
        let slot = link.slot();
        let session = self.datagrams.get(slot)?;
        (Arc::ptr_eq(&session.link, link) && !session.closing).then_some(slot)
    }

    fn poll_datagrams(&mut self, slot: u32) {
        let Some(session) = self.datagrams.get_mut(slot) else {
            return;
        };
        session.reading = Reading::Waiting;
        let fd = &session.link.fd;
        self.driver
            .poll(token(slot, Op::Datagram), fd, Interest::Readable);
    }

    /// A poll has come back, ready or cancelled.
    pub(super) fn datagrams_ready(&mut self, slot: u32) {
        let Some(session) = self.datagrams.get_mut(slot) else {
            return;
        };
        session.reading = Reading::Never;
        if session.closing {
            self.remove_datagrams(slot);
        } else {
            self.receive_datagrams(slot);
        }
    }

    /// Receives what is there, within bounds, and goes on waiting.
    fn receive_datagrams(&mut self, slot: u32) {
        let Some(session) = self.datagrams.get_mut(slot) else {
            return;
        };
        let link = session.link.clone();
        let buffer = &mut self.datagram_buffer;
        buffer.resize(limits::DATAGRAM_MAX, 0);
        let mut side = lock(&link.receive.side);
        let mut delivered = link.receive.deliver(&mut side);
        let mut notify = delivered.notify;
        for _ in 0..limits::DATAGRAMS_PER_TURN {
            if delivered.stalled {
                break;
            }
            // An error says something about a datagram that was sent, if it is not that there is none.
            let Ok((len, from)) = recv_datagram(&link.fd, buffer) else {
                break;
            };
            if let Some(parts) = link.format.decode(&buffer[..len], from) {
                side.take_message(parts);
                delivered = link.receive.deliver(&mut side);
                notify |= delivered.notify;
            }
        }
        drop(side);
        if notify {
            link.notify(SocketCommand::Readable);
        }
        if delivered.stalled {
            session.reading = Reading::Stalled;
        } else {
            self.poll_datagrams(slot);
        }
    }

    fn resume_datagrams(&mut self, slot: u32) {
        if self
            .datagrams
            .get(slot)
            .is_some_and(|session| session.reading == Reading::Stalled)
        {
            self.receive_datagrams(slot);
        }
    }

    fn await_room(&mut self, slot: u32) {
        let Some(session) = self.datagrams.get_mut(slot) else {
            return;
        };
        if !std::mem::replace(&mut session.awaits_room, true) {
            self.driver
                .poll(token(slot, Op::Room), &session.link.fd, Interest::Writable);
        }
    }

    /// There is room, or the poll was cancelled.
    pub(super) fn room_ready(&mut self, slot: u32) {
        let Some(session) = self.datagrams.get_mut(slot) else {
            return;
        };
        session.awaits_room = false;
        if session.closing {
            self.remove_datagrams(slot);
        } else {
            session.link.notify(SocketCommand::Writable);
        }
    }

    /// Closes the datagram sockets of a socket, of one endpoint or all. Whatever goes on ending holds a clone of `done`.
    pub(super) fn close_datagrams_where(
        &mut self,
        concerns: impl Fn(&Arc<SocketShared>, u64) -> bool,
        done: Option<&mpsc::Sender<()>>,
    ) {
        for slot in self
            .datagrams
            .find(|session| concerns(&session.link.socket, session.link.endpoint))
        {
            self.close_datagrams(slot, done);
        }
    }

    fn close_datagrams(&mut self, slot: u32, done: Option<&mpsc::Sender<()>>) {
        let Some(session) = self.datagrams.get_mut(slot) else {
            return;
        };
        session.closed = done.cloned();
        if std::mem::replace(&mut session.closing, true) {
            return;
        }
        if session.reading == Reading::Waiting {
            self.driver.cancel(token(slot, Op::Datagram));
        }
        if session.awaits_room {
            self.driver.cancel(token(slot, Op::Room));
        }
        self.remove_datagrams(slot);
    }

    /// The place is free once nothing is in flight.
    fn remove_datagrams(&mut self, slot: u32) {
        let is_idle = self
            .datagrams
            .get(slot)
            .is_some_and(|session| session.reading != Reading::Waiting && !session.awaits_room);
        if is_idle {
            self.datagrams.remove(slot);
            self.publish_load();
        }
    }
}

impl From<DatagramCommand> for Command {
    fn from(command: DatagramCommand) -> Self {
        Self::Datagrams(command)
    }
}
