//! Protocol traffic of our own that waits to be sent.

use crate::error::Violation;
use crate::frame;

/// How many bytes of answers a peer may provoke without reading: several thousand PONGs.
pub(crate) const ANSWERS_MAX: usize = 64 << 10;

/// Capacity that an empty backlog may keep; an idle connection should not remember a burst.
const KEPT_CAPACITY: usize = 1 << 10;

/// Bytes to be sent, first in, first out.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    /// How many of `bytes` have been sent.
    sent: usize,
    /// Bytes of answers pushed since the backlog was last empty.
    answers: usize,
}

impl Backlog {
    #[inline]
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// `count` more bytes have been sent.
    pub(crate) fn sent(&mut self, count: usize) {
        let sent = self.sent + count;
        assert!(sent <= self.bytes.len(), "sent more than there was");
        self.sent = sent;
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY);
            self.sent = 0;
            self.answers = 0;
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Pushes one frame, the body of which is the parts one after the other.
    pub(crate) fn push_frame(&mut self, flags: u8, body: &[&[u8]]) {
        let body_len: usize = body.iter().map(|part| part.len()).sum();
        // The length is decided with all parts counted, so that 255 bytes of topic and its
        // leading byte become a long frame.
        let header = frame::encode_header(flags, body_len as u64);
        self.bytes.reserve(header.as_slice().len() + body_len);
        self.push(header.as_slice());
        for part in body {
            self.push(part);
        }
    }

    /// Pushes a command frame that the peer has provoked.
    ///
    /// Errors: the peer has provoked too many without reading them.
    pub(crate) fn push_answer(&mut self, body: &[&[u8]]) -> Result<(), Violation> {
        let before = self.bytes.len();
        self.push_frame(frame::COMMAND, body);
        self.answers += self.bytes.len() - before;
        if self.answers > ANSWERS_MAX {
            return Err(Violation::Backlog { limit: ANSWERS_MAX });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sent_bytes_leave_in_any_portions() {
        for portion in 1..20 {
            let mut backlog = Backlog::default();
            let mut out = Vec::new();
            for value in 0..100_u8 {
                backlog.push(&[value]);
                if value % 10 == 9 {
                    let count = portion.min(backlog.unsent().len());
                    out.extend_from_slice(&backlog.unsent()[..count]);
                    backlog.sent(count);
                }
            }
            out.extend_from_slice(backlog.unsent());
            backlog.sent(backlog.unsent().len());
            assert!(backlog.is_empty());
            assert_eq!(out, (0..100).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn answers_are_bounded_and_our_own_traffic_is_not() {
        let mut backlog = Backlog::default();
        backlog.push(&vec![0; 2 * ANSWERS_MAX]);
        assert_eq!(backlog.push_answer(&[b"x"]), Ok(()));
        let count = (0..ANSWERS_MAX)
            .take_while(|_| backlog.push_answer(&[b"x"]).is_ok())
            .count();
        assert_eq!(count, ANSWERS_MAX / 3 - 1);
        backlog.sent(backlog.unsent().len());
        assert_eq!(backlog.push_answer(&[b"x"]), Ok(()));
    }
}
