//! The lengths of messages that the other side has not taken yet, where their sum is bounded.

use std::collections::VecDeque;

/// What is kept beside a pipe whose bytes are bounded. All carriers say how many messages have been taken, and from that
/// and the lengths follows how many bytes wait.
#[derive(Debug)]
pub(crate) struct Sizes {
    /// At most so many bytes wait, except that one message always may.
    max: u64,
    waiting: u64,
    lengths: VecDeque<u64>,
    /// Messages up to the one whose length is at the front.
    before: u64,
}

impl Sizes {
    /// Begins after `written` messages, whose lengths are not known and do not count.
    pub(crate) fn new(max: u64, written: u64) -> Self {
        Self {
            max: max.max(1),
            waiting: 0,
            lengths: VecDeque::new(),
            before: written,
        }
    }

    pub(crate) fn set_max(&mut self, max: u64) {
        self.max = max.max(1);
    }

    /// A message was written.
    pub(crate) fn push(&mut self, len: u64) {
        self.waiting += len;
        self.lengths.push_back(len);
    }

    /// So many messages have been taken so far.
    pub(crate) fn settle(&mut self, taken: u64) {
        while self.before < taken
            && let Some(len) = self.lengths.pop_front()
        {
            self.before += 1;
            self.waiting -= len;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting >= self.max
    }

    /// Less than half of what may wait does.
    pub(crate) fn is_half_empty(&self) -> bool {
        self.waiting <= self.max / 2
    }

    /// How many messages must have been taken for less than half to be left.
    pub(crate) fn threshold(&self) -> u64 {
        let (mut left, mut taken) = (self.waiting, self.before);
        for len in &self.lengths {
            if left <= self.max / 2 {
                break;
            }
            left -= len;
            taken += 1;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_from_the_messages_that_were_taken() {
        let mut sizes = Sizes::new(100, 7);
        for len in [30, 30, 0, 39, 50] {
            assert!(!sizes.is_full());
            sizes.push(len);
        }
        assert!(sizes.is_full());
        // 149 bytes wait; at most 50 are left once four of them are gone, which were the eighth to the eleventh.
        assert_eq!(sizes.threshold(), 7 + 4);
        sizes.settle(6);
        assert!(sizes.is_full(), "those before are not known");
        sizes.settle(7 + 2);
        assert!(!sizes.is_full() && !sizes.is_half_empty());
        sizes.settle(7 + 4);
        assert!(sizes.is_half_empty());
        assert_eq!(sizes.threshold(), 7 + 4);
        sizes.settle(1_000);
        sizes.push(1_000);
        assert!(
            sizes.is_full(),
            "one message may always wait, and nothing beside it"
        );
    }
}
