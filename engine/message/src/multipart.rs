//! [`Multipart`]: the parts of one message, kept together.

use std::ops::{Index, IndexMut};

use smallvec::SmallVec;

use crate::Message;

/// Parts that need no memory of their own beside the messages.
const INLINE_PARTS: usize = 4;

/// The parts of one message, in order. Up to four need no allocation.
///
/// It sets no flags: sending it as one message marks all parts but the last with [`Message::more`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Multipart {
    parts: SmallVec<[Message; INLINE_PARTS]>,
}

impl Multipart {
    /// No parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part behind the others.
    pub fn push(&mut self, part: impl Into<Message>) {
        self.parts.push(part.into());
    }

    /// Adds a part before the others, such as an address; moves the others.
    pub fn push_front(&mut self, part: impl Into<Message>) {
        self.parts.insert(0, part.into());
    }

    /// Takes the first part out; moves the others.
    pub fn pop_front(&mut self) -> Option<Message> {
        if self.parts.is_empty() {
            None
        } else {
            Some(self.parts.remove(0))
        }
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The part at `place`, counted from 0.
    pub fn get(&self, place: usize) -> Option<&Message> {
        self.parts.get(place)
    }

    /// The parts in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Message> {
        self.parts.iter()
    }
}

impl Index<usize> for Multipart {
    type Output = Message;

    fn index(&self, place: usize) -> &Message {
        &self.parts[place]
    }
}

impl IndexMut<usize> for Multipart {
    fn index_mut(&mut self, place: usize) -> &mut Message {
        &mut self.parts[place]
    }
}

impl From<Vec<Message>> for Multipart {
    fn from(parts: Vec<Message>) -> Self {
        Self { parts: parts.into() }
    }
}

impl<P: Into<Message>> FromIterator<P> for Multipart {
    fn from_iter<I: IntoIterator<Item = P>>(parts: I) -> Self {
        Self {
            parts: parts.into_iter().map(Into::into).collect(),
        }
    }
}

impl IntoIterator for Multipart {
    type Item = Message;
    type IntoIter = smallvec::IntoIter<[Message; INLINE_PARTS]>;

    fn into_iter(self) -> Self::IntoIter {
        self.parts.into_iter()
    }
}

impl<'a> IntoIterator for &'a Multipart {
    type Item = &'a Message;
    type IntoIter = std::slice::Iter<'a, Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_at_both_ends() {
        let mut parts: Multipart = ["b", "c", "d", "e"].into_iter().collect();
        parts.push_front("a");
        parts.push("f");
        assert_eq!(parts.len(), 6);
        assert_eq!(parts.pop_front(), Some(Message::from("a")));
        let rest: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        assert_eq!(rest, [b"b", b"c", b"d", b"e", b"f"]);
        assert_eq!(Multipart::new().pop_front(), None);
    }
}
