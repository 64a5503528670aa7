//! The newest message of a peer, for links that keep only that (ZMQ_CONFLATE).

use std::collections::VecDeque;

use ringmq_message::Message;
use ringmq_zmtp::frame::{MORE, next_frame};

use crate::inbound::{Inbound, read_part};

/// Takes messages in, and forgets all but the last whole one.
#[derive(Default)]
pub(crate) struct Newest {
    /// The parts of the message that is being taken in.
    building: VecDeque<Message>,
    /// The parts of the newest whole message.
    whole: VecDeque<Message>,
}

impl Newest {
    /// Takes in a piece of what has come, in order.
    pub(super) fn absorb(&mut self, entry: Inbound) {
        match entry {
            Inbound::Frames(frames) => {
                let mut at = 0;
                while let Some((flags, body, next)) = next_frame(&frames.span, at) {
                    at = next;
                    let mut part = Message::new();
                    read_part(&frames, flags & MORE != 0, body, &mut part);
                    self.add(part);
                }
            }
            Inbound::Body(part) => self.add(part),
            Inbound::Scattered(pieces) => pieces.into_iter().for_each(|piece| self.absorb(piece)),
            // State, which is not kept here.
            Inbound::Subscriptions(_) | Inbound::Mark(_) => debug_assert!(false),
        }
    }

    fn add(&mut self, part: Message) {
        let last = !part.more();
        self.building.push_back(part);
        if last {
            std::mem::swap(&mut self.building, &mut self.whole);
            self.building.clear();
        }
    }

    /// Moves the newest message into `parts`, which is empty.
    pub(super) fn take(&mut self, parts: &mut VecDeque<Message>) {
        std::mem::swap(&mut self.whole, parts);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, more: bool) -> Inbound {
        let mut message = Message::from(text);
        message.set_more(more);
        Inbound::Body(message)
    }

    #[test]
    fn the_last_whole_message_is_kept_with_all_its_parts() {
        let mut newest = Newest::default();
        let mut parts = VecDeque::new();
        newest.take(&mut parts);
        assert!(parts.is_empty() && newest.is_empty());
        for entry in [
            body("old", false),
            body("a", true),
            body("b", false),
            body("cut", true),
        ] {
            newest.absorb(entry);
        }
        newest.take(&mut parts);
        assert_eq!(parts.iter().map(|part| &**part).collect::<Vec<_>>(), [b"a", b"b"]);
        assert!(newest.is_empty());
        newest.absorb(Inbound::Scattered(vec![body("end", false)]));
        parts.clear();
        newest.take(&mut parts);
        assert_eq!(parts.len(), 2, "the cut message goes on");
    }
}
