//! The end of a pipe towards a session that keeps only the newest message, in either direction (ZMQ_CONFLATE). Nothing
//! is ever full, and nothing waits its turn: what is not sent or received yet is replaced.

use std::{collections::VecDeque, sync::Arc};

use ringmq_message::Message;
use ringmq_queue::spsc::Consumer;

use super::Read;
use crate::{inbound::Inbound, link::Link, pace::Pace, worker::Command};

/// A pipe's end towards a session that keeps only the newest message.
pub(crate) struct NewestEnd {
    pub(crate) link: Arc<Link>,
    /// Subscriptions, of which none is lost.
    queue: Consumer<Inbound>,
    /// The parts of the message that is being read.
    reading: VecDeque<Message>,
}

impl NewestEnd {
    pub(crate) fn new(link: Arc<Link>, queue: Consumer<Inbound>) -> Self {
        Self {
            link,
            queue,
            reading: VecDeque::new(),
        }
    }

    pub(crate) fn attach(&mut self, key: u64) {
        self.link.attach(key);
    }

    /// No mark applies.
    pub(crate) fn set_hwm(&mut self, _send: u64, _receive: u64) -> u64 {
        0
    }

    pub(crate) fn taken(&self) -> u64 {
        0
    }

    pub(crate) fn ask_for_room(&mut self, _threshold: u64) -> u64 {
        0
    }

    pub(crate) fn stop_asking(&mut self) {}

    /// Parts are only ever whole messages: the socket takes no others.
    pub(crate) fn rollback(&mut self) {}

    pub(crate) fn write_bytes(&mut self, body: &[u8], _more: bool, pace: &mut Pace) {
        self.write(&mut Message::from_slice(body), pace);
    }

    /// Replaces what has not been sent. Its socket takes no messages of several parts.
    pub(crate) fn write(&mut self, message: &mut Message, _pace: &mut Pace) {
        if self.link.transmit.replace(std::mem::take(message)) {
            self.link.worker.push(Command::Transmit(self.link.clone()));
        }
    }

    pub(crate) fn read(&mut self, message: &mut Message, closed: bool) -> Read {
        loop {
            if let Some(part) = self.reading.pop_front() {
                *message = part;
                return Read::Part;
            }
            if let Some(Inbound::Subscriptions(requests)) = self.pop() {
                return Read::Subscriptions(requests);
            }
            self.link.receive.take_newest(&mut self.reading);
            if self.reading.is_empty() && !self.watch() {
                return if closed { Read::Ended } else { Read::Empty };
            }
        }
    }

    fn pop(&mut self) -> Option<Inbound> {
        let entry = self.queue.pop()?;
        self.queue.release();
        if self.link.receive.publish_consumed(0, 0) {
            self.link.worker.push(Command::Credit(self.link.clone()));
        }
        Some(entry)
    }

    /// Asks the session to report the next arrival. True when something arrived meanwhile.
    pub(crate) fn watch(&mut self) -> bool {
        self.link.receive.wait();
        let arrived = self.has_queued();
        if arrived {
            self.link.receive.stop_waiting();
        }
        arrived
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.reading.is_empty() || !self.queue.is_empty() || self.link.receive.has_newest()
    }
}
