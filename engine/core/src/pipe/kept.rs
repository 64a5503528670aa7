//! The end of a pipe towards a session that rather loses an old message than a new one: what waits lies where both sides
//! can take from it, and not in the ring, whose front is the session's alone.

use ringmq_message::Message;

use super::{Read, WireEnd};
use crate::{pace::Pace, worker::Command};

/// A pipe's end whose waiting messages can be taken back. It receives as any other.
pub(crate) struct KeptEnd {
    pub(crate) wire: WireEnd,
    /// The parts of the message that is not whole yet.
    building: Vec<Message>,
    written: u64,
}

impl KeptEnd {
    pub(crate) fn new(wire: WireEnd) -> Self {
        Self {
            wire,
            building: Vec::new(),
            written: 0,
        }
    }

    pub(crate) fn attach(&mut self, key: u64) {
        self.wire.attach(key);
    }

    pub(crate) fn set_hwm(&mut self, send: u64, receive: u64) -> u64 {
        self.wire.set_hwm(send, receive)
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn taken(&self) -> u64 {
        self.wire.taken()
    }

    pub(crate) fn ask_for_room(&mut self, threshold: u64) -> u64 {
        self.wire.ask_for_room(threshold)
    }

    pub(crate) fn stop_asking(&mut self) {
        self.wire.stop_asking();
    }

    pub(crate) fn write(&mut self, message: &mut Message, _pace: &mut Pace) {
        self.building.push(std::mem::take(message));
        if self.building.last().is_some_and(Message::more) {
            return;
        }
        self.written += 1;
        let link = &self.wire.link;
        if link.transmit.keep(&mut self.building) {
            link.worker.push(Command::Transmit(link.clone()));
        }
    }

    pub(crate) fn write_bytes(&mut self, body: &[u8], more: bool, pace: &mut Pace) {
        let mut message = Message::from_slice(body);
        message.set_more(more);
        self.write(&mut message, pace);
    }

    pub(crate) fn rollback(&mut self) {
        self.building.clear();
    }

    /// Drops the oldest message that waits. False if none does.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        self.wire.link.transmit.drop_oldest()
    }

    pub(crate) fn read(&mut self, message: &mut Message, closed: bool) -> Read {
        self.wire.read(message, closed)
    }

    pub(crate) fn watch(&mut self) -> bool {
        self.wire.watch()
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.wire.has_queued()
    }
}
