//! The way out to another process: the ring of one connection, and what waits because it has no room there.

use std::sync::Arc;

use ringmq_message::Message;
use ringmq_shm::{Sender, Violation};

use crate::{
    link::Link,
    spill::Pushed,
    worker::{Command, Permit},
};

/// The producer's side of the present connection.
pub(super) struct Outgoing {
    /// The producer, unless messages found no room: then it is with them in the link's spill.
    pub(super) sender: Option<Sender>,
    pub(super) peer_hwm: u64,
    /// Whole messages taken over from the application.
    pub(super) written: u64,
    /// What the peer has said that it took.
    pub(super) taken: u64,
    /// Length of the last part, which is what the next is expected to have.
    pub(super) expected_len: usize,
    /// The socket waits until this many messages of the pipe are taken, and for room in the ring.
    pub(super) awaits_room: Option<u64>,
    /// The ring was full for as long as it is worth waiting: the next message goes to the spill.
    pub(super) may_spill: bool,
    /// The last part belongs to a message that is not complete.
    pub(super) within: bool,
    pub(super) _permit: Permit,
}

impl Outgoing {
    pub(super) fn refresh_taken(&mut self, link: &Link) -> Result<u64, Violation> {
        let taken = match &mut self.sender {
            Some(sender) => Some(sender.taken()),
            None => link.spill.taken(),
        };
        if let Some(taken) = taken {
            self.taken = taken?;
        }
        Ok(self.taken)
    }

    #[inline]
    pub(super) fn has_space(&mut self) -> bool {
        match &mut self.sender {
            // A lie counts as room: what is written to a broken ring is lost with it, and the session ends.
            Some(sender) => sender.has_room(self.expected_len).unwrap_or(true) || self.may_spill,
            None => true,
        }
    }

    #[inline]
    pub(super) fn write(&mut self, message: &mut Message, link: &Arc<Link>) {
        let (len, more) = (message.len(), message.more());
        if let Some(sender) = &mut self.sender {
            let written = if len > sender.body_max() && sender.owns(message.as_ptr()) {
                write_loan(sender, message, more)
            } else {
                sender.write(message, more)
            };
            if written {
                self.finish_part(len, more);
                return;
            }
        }
        self.spill(std::mem::take(message), link);
    }

    #[inline]
    pub(super) fn write_bytes(&mut self, body: &[u8], more: bool, link: &Arc<Link>) {
        if let Some(sender) = &mut self.sender
            && sender.write(body, more)
        {
            self.finish_part(body.len(), more);
            return;
        }
        let mut message = Message::from_slice(body);
        message.set_more(more);
        self.spill(message, link);
    }

    pub(super) fn write_shared(&mut self, message: &mut Message, link: &Arc<Link>) {
        let (len, more) = (message.len(), message.more());
        if let Some(sender) = &mut self.sender
            && sender.write(message, more)
        {
            self.finish_part(len, more);
            return;
        }
        let mut share = message.share();
        share.set_more(more);
        self.spill(share, link);
    }

    #[inline]
    fn finish_part(&mut self, len: usize, more: bool) {
        self.expected_len = len;
        self.may_spill = false;
        self.within = more;
        if !more {
            self.written += 1;
            if let Some(sender) = &mut self.sender {
                sender.publish();
            }
        }
    }

    /// Keeps a part for which the ring has no room now. The worker moves it when there is, unless this thread comes first.
    #[cold]
    fn spill(&mut self, part: Message, link: &Arc<Link>) {
        self.may_spill = false;
        self.expected_len = part.len();
        if !part.more() {
            self.written += 1;
        }
        let within = std::mem::replace(&mut self.within, part.more());
        match link.spill.push(part, self.sender.take(), within) {
            Pushed::Gone(sender) => self.sender = Some(sender),
            Pushed::Waits { first: false } => {}
            Pushed::Waits { first: true } => link.worker.push(Command::Spilled(link.clone())),
        }
    }
}

/// Sends a body that lies in the ring's own pool by telling where.
fn write_loan(sender: &mut Sender, message: &mut Message, more: bool) -> bool {
    let Some(foreign) = message.take_foreign() else {
        // It is shared with another message: copied like any other.
        return sender.write(message, more);
    };
    let refused = match sender.reclaim(foreign) {
        Ok(chunk) => match sender.write_chunk(chunk, more) {
            Ok(()) => return true,
            Err(chunk) => chunk.into(),
        },
        Err(foreign) => foreign,
    };
    *message = Message::from_foreign(refused);
    message.set_more(more);
    false
}
