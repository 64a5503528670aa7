//! A queue from whose far end messages can be taken back, for pipes that rather lose an old message than a new one.

use std::collections::VecDeque;

use ringmq_message::Message;

/// Whole messages in order, and behind them the parts of one that is not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    parts: VecDeque<Message>,
    /// Parts of whole messages.
    whole: usize,
    /// The part that was taken last is not the last one of its message.
    within: bool,
}

impl Kept {
    pub(crate) fn push(&mut self, part: Message) {
        let last = !part.more();
        self.parts.push_back(part);
        if last {
            self.whole = self.parts.len();
        }
    }

    /// Takes back the parts of the message that is not whole.
    pub(crate) fn rollback(&mut self) {
        self.parts.truncate(self.whole);
    }

    /// The next part of a whole message.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        self.whole = self.whole.checked_sub(1)?;
        let part = self.parts.pop_front()?;
        self.within = part.more();
        Some(part)
    }

    /// Drops the oldest message of which no part was taken. False if there is none.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let end_from = |start: usize| {
            let mut parts = self.parts.range(start..self.whole);
            parts.position(|part| !part.more()).map(|end| start + end + 1)
        };
        let start = if self.within { end_from(0) } else { Some(0) };
        let Some((start, end)) = start.and_then(|start| Some((start, end_from(start)?))) else {
            return false;
        };
        self.parts.drain(start..end);
        self.whole -= end - start;
        true
    }

    /// Drops everything that is whole; returns how many messages that were.
    pub(crate) fn clear(&mut self) -> u64 {
        let parts = self.parts.drain(..std::mem::take(&mut self.whole));
        parts.filter(|part| !part.more()).count() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.whole == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, more: bool) -> Message {
        let mut part = Message::from(text);
        part.set_more(more);
        part
    }

    fn drain(kept: &mut Kept) -> Vec<String> {
        std::iter::from_fn(|| kept.pop())
            .map(|part| String::from_utf8_lossy(&part).into_owned())
            .collect()
    }

    #[test]
    fn the_oldest_goes_as_a_whole_and_never_what_is_being_taken() {
        let mut kept = Kept::default();
        assert!(!kept.drop_oldest());
        for (text, more) in [
            ("a", true),
            ("b", false),
            ("c", true),
            ("d", false),
            ("e", false),
            ("cut", true),
        ] {
            kept.push(part(text, more));
        }
        assert_eq!(kept.pop().unwrap(), b"a");
        assert!(kept.drop_oldest(), "the second");
        assert_eq!(drain(&mut kept), ["b", "e"]);
        assert!(
            kept.is_empty() && !kept.drop_oldest(),
            "one that is not whole stays"
        );
        kept.rollback();
        kept.push(part("f", false));
        assert!(kept.drop_oldest());
        assert_eq!(drain(&mut kept), [""; 0]);
        kept.push(part("g", true));
        kept.push(part("h", false));
        kept.push(part("i", false));
        assert_eq!(kept.clear(), 2);
        assert!(kept.is_empty());
    }
}
