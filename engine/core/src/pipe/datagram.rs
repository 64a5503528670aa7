//! The end of a pipe towards a datagram socket: sends by itself, and reads what the worker has received.
//!
//! There is no queue for sending. What the kernel has no room for at the moment is kept, one datagram at most, and until it
//! is gone the pipe is full.

use std::{io, net::SocketAddr, sync::Arc};

use ringmq_io::send_datagram;
use ringmq_message::Message;
use ringmq_queue::spsc::Consumer;

use super::Read;
use crate::{
    datagram::DatagramLink,
    inbound::Inbound,
    limits,
    monitor::{DropCause, Event, EventRecord},
    pace::Pace,
    worker::{Command, DatagramCommand},
};

/// A pipe's end towards a datagram socket.
pub(crate) struct DatagramEnd {
    link: Arc<DatagramLink>,
    queue: Consumer<Inbound>,
    /// Messages read so far, and how many of them the worker knows of.
    consumed: u64,
    published: u64,
    /// The first part of the message that is being written.
    first: Option<Message>,
    /// Messages written, and how many of them are gone.
    written: u64,
    taken: u64,
    datagram: Vec<u8>,
    /// Where the datagram is to go, while it waits for the kernel to have room.
    waiting: Option<SocketAddr>,
}

impl DatagramEnd {
    pub(crate) fn new(link: Arc<DatagramLink>, queue: Consumer<Inbound>) -> Self {
        Self {
            link,
            queue,
            consumed: 0,
            published: 0,
            first: None,
            written: 0,
            taken: 0,
            datagram: Vec::new(),
            waiting: None,
        }
    }

    pub(crate) fn attach(&mut self, key: u64) {
        self.link.name.set(key);
    }

    /// The mark for sending is the one datagram that may wait.
    pub(crate) fn set_hwm(&mut self, _send: u64, receive: u64) -> u64 {
        self.link.receive.set_hwm(receive);
        1
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Messages that are gone, after another try for the one that is not.
    pub(crate) fn taken(&mut self) -> u64 {
        if let Some(target) = self.waiting {
            self.send(target);
        }
        self.taken
    }

    /// Messages that the worker has put into the queue.
    pub(crate) fn delivered(&self) -> u64 {
        self.link.receive.delivered()
    }

    /// Asks the worker to tell when the kernel has room.
    pub(crate) fn ask_for_room(&mut self, _threshold: u64) -> u64 {
        let command = DatagramCommand::AwaitRoom(self.link.clone());
        self.link.worker.push(Command::Datagrams(command));
        self.taken()
    }

    /// Being told in vain does no harm.
    pub(crate) fn stop_asking(&mut self) {}

    pub(crate) fn rollback(&mut self) {
        self.first = None;
    }

    pub(crate) fn write(&mut self, message: &mut Message, _pace: &mut Pace) {
        if message.more() {
            self.first = Some(std::mem::take(message));
            return;
        }
        self.finish(message);
    }

    pub(crate) fn write_bytes(&mut self, body: &[u8], more: bool, _pace: &mut Pace) {
        if more {
            self.first = Some(Message::from_slice(body));
            return;
        }
        self.finish(body);
    }

    /// The message is complete: sends it.
    fn finish(&mut self, body: &[u8]) {
        debug_assert!(self.waiting.is_none(), "a full pipe was written to");
        self.written += 1;
        let first = self.first.take();
        let first = first.as_deref().unwrap_or_default();
        match self.link.format.encode(first, body, &mut self.datagram) {
            Some(target) => self.send(target),
            None => self.lose(DropCause::NotTaken),
        }
    }

    fn send(&mut self, target: SocketAddr) {
        match send_datagram(&self.link.fd, &self.datagram, target) {
            Ok(()) => {
                self.taken += 1;
                self.waiting = None;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.waiting = Some(target),
            Err(_) => self.lose(DropCause::NotTaken),
        }
    }

    #[cold]
    fn lose(&mut self, cause: DropCause) {
        self.taken += 1;
        self.waiting = None;
        self.link
            .socket
            .emit(EventRecord::bare(Event::Dropped { cause, count: 1 }));
    }

    pub(crate) fn read(&mut self, message: &mut Message, closed: bool) -> Read {
        loop {
            match self.queue.pop() {
                Some(Inbound::Body(part)) => {
                    *message = part;
                    if !message.more() {
                        self.consumed += 1;
                        if self.consumed - self.published >= limits::CONSUMED_STEP {
                            self.publish_consumed();
                        }
                    }
                    return Read::Part;
                }
                // A datagram comes as the parts of its message, and as nothing else.
                Some(_) => debug_assert!(false, "not a part"),
                None if self.watch() => {}
                None => return if closed { Read::Ended } else { Read::Empty },
            }
        }
    }

    /// Asks the worker to report the next arrival. True when something arrived meanwhile.
    pub(crate) fn watch(&mut self) -> bool {
        self.publish_consumed();
        self.link.receive.wait();
        let arrived = self.has_queued();
        if arrived {
            self.link.receive.stop_waiting();
        }
        arrived
    }

    fn publish_consumed(&mut self) {
        self.published = self.consumed;
        self.queue.release();
        if self.link.receive.publish_consumed(self.consumed, 0) {
            let command = DatagramCommand::Credit(self.link.clone());
            self.link.worker.push(Command::Datagrams(command));
        }
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }
}

impl Drop for DatagramEnd {
    /// The socket is done with the endpoint, or does not want it.
    fn drop(&mut self) {
        self.taken();
        if self.waiting.is_some() {
            self.lose(DropCause::LingerExpired);
        }
        let command = DatagramCommand::Close(self.link.clone());
        self.link.worker.push(Command::Datagrams(command));
    }
}
