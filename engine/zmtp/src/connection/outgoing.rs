//! What a connection says by commands, beside the handshake: it is queued for the caller to send.

use super::{Connection, State};
use crate::frame;
use crate::socket_type::SocketType;

/// Longer topics are subscribed to by message, which every ZMTP 3 publisher takes: a command has
/// to fit into the slab of its receiver, and a message does not.
const TOPIC_IN_COMMAND_MAX: usize = 16 << 10;

/// The longest reason that an ERROR command can give.
const REASON_MAX: usize = 255;

impl Connection {
    /// Tells the peer what we want, or do not want any more, in the words of our socket type: a DISH
    /// joins and leaves a group, the others subscribe to a topic and take that back.
    pub fn queue_announcement(&mut self, wanted: bool, name: &[u8]) {
        match (self.socket_type, wanted) {
            (SocketType::Dish, true) => self.queue_join(name),
            (SocketType::Dish, false) => self.queue_leave(name),
            (_, true) => self.queue_subscribe(name),
            (_, false) => self.queue_cancel(name),
        }
    }

    /// Subscribes at the peer, in the form that its version understands: appends to
    /// [`transmit`](Self::transmit).
    ///
    /// Panics before the handshake is over; does nothing after a failure.
    pub fn queue_subscribe(&mut self, topic: &[u8]) {
        self.queue_subscription(b"\x09SUBSCRIBE", 1, topic);
    }

    /// Takes back a subscription; see [`queue_subscribe`](Self::queue_subscribe).
    pub fn queue_cancel(&mut self, topic: &[u8]) {
        self.queue_subscription(b"\x06CANCEL", 0, topic);
    }

    /// Joins a group of at most 255 bytes; otherwise as
    /// [`queue_subscribe`](Self::queue_subscribe).
    pub fn queue_join(&mut self, group: &[u8]) {
        self.queue_group(b"\x04JOIN", group);
    }

    /// Leaves a group; see [`queue_join`](Self::queue_join).
    pub fn queue_leave(&mut self, group: &[u8]) {
        self.queue_group(b"\x05LEAVE", group);
    }

    /// Tells the peer why it is refused; what exceeds 255 bytes is cut. Appends to
    /// [`transmit`](Self::transmit) and changes nothing else: it is on the caller to close.
    pub fn queue_error(&mut self, reason: &[u8]) {
        let reason = &reason[..reason.len().min(REASON_MAX)];
        let body: [&[u8]; 3] = [b"\x05ERROR", &[reason.len() as u8], reason];
        self.backlog.push_frame(frame::COMMAND, &body);
    }

    /// Sends a command of an agreement between the two peers; its name begins with `X-`. Peers that do not know it ignore
    /// it. Appends to [`transmit`](Self::transmit); does nothing after a failure.
    ///
    /// Panics before the handshake is over, and if the name does not begin with `X-` or is longer than 255 bytes.
    pub fn queue_extension(&mut self, name: &[u8], data: &[u8]) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        assert!(self.peer.is_some(), "the handshake is not over");
        assert!(
            name.starts_with(b"X-") && name.len() <= 255,
            "name of an extension"
        );
        self.backlog
            .push_frame(frame::COMMAND, &[&[name.len() as u8], name, data]);
    }

    fn queue_subscription(&mut self, command: &[u8], message: u8, topic: &[u8]) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        let peer = self.peer.as_ref().expect("the handshake is not over");
        if peer.subscribes_by_message()
            || !self.subscriptions_as_commands
            || topic.len() > TOPIC_IN_COMMAND_MAX
        {
            self.backlog.push_frame(0, &[&[message], topic]);
        } else {
            self.backlog.push_frame(frame::COMMAND, &[command, topic]);
        }
    }

    fn queue_group(&mut self, command: &[u8], group: &[u8]) {
        if matches!(self.state, State::Nothing(_)) {
            return;
        }
        assert!(self.peer.is_some(), "the handshake is not over");
        assert!(group.len() <= 255, "group too long");
        self.backlog.push_frame(frame::COMMAND, &[command, group]);
    }

    pub(super) fn queue_ping(&mut self, ttl: u16) {
        // While something else is stuck a PING would only be stuck behind it.
        if self.backlog.is_empty() {
            let body: [&[u8]; 2] = [b"\x04PING", &ttl.to_be_bytes()];
            self.backlog.push_frame(frame::COMMAND, &body);
        }
    }
}
