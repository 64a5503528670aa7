//! Taking records that are not ordinary, and refusing those that are none.

use std::sync::Arc;

use super::{Body, Receiver, Record};
use crate::{
    error::Violation,
    layout::run_mask,
    pool::Lent,
    record::{
        ABORT, BODY, CHUNK, CHUNK_LEN, FIRST, HEADER_LEN, LAST, MORE, PAD, PIECE, STREAMED, TOTAL_LEN, Word,
        size,
    },
};

/// A record that has been checked and taken.
struct Taken {
    more: bool,
    streamed: bool,
    what: What,
}

enum What {
    Bytes {
        at: usize,
        len: usize,
    },
    Lent(Lent),
    Piece {
        at: usize,
        len: usize,
        first: bool,
        last: bool,
    },
    Abort,
}

impl Receiver {
    /// Looks at the peer's tail when everything seen of it is taken. False if there is nothing.
    #[inline(never)]
    pub(super) fn finds_data(&mut self) -> Result<bool, Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        if self.open && !self.streaming {
            return Err(self.poison(Violation::Incomplete));
        }
        let tail = self.load_tail();
        // All taken, so that this says as well that it has not turned back.
        if tail.wrapping_sub(self.head) > self.ring_mask + 1 || !tail.is_multiple_of(8) {
            return Err(self.poison(Violation::Tail));
        }
        self.seen_tail = tail;
        self.set_clear_to();
        Ok(tail != self.head)
    }

    /// Takes the record whose header word is `word`, which must not be loaded again.
    #[cold]
    #[inline(never)]
    pub(super) fn take(&mut self, word: Word) -> Result<Option<Record<'_>>, Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        let taken = match self.examine(word) {
            Ok(taken) => taken,
            Err(violation) => return Err(self.poison(violation)),
        };
        self.set_clear_to();
        let body = match taken.what {
            What::Bytes { at, len } => Body::Bytes(self.bytes(at, len)),
            What::Lent(lent) => Body::Lent(lent),
            What::Piece { at, len, first, last } => Body::Piece {
                bytes: self.bytes(at, len),
                total: self.total,
                first,
                last,
            },
            What::Abort => Body::Abort,
        };
        Ok(Some(Record {
            more: taken.more,
            streamed: taken.streamed,
            body,
        }))
    }

    fn examine(&mut self, word: Word) -> Result<Taken, Violation> {
        let word = if word.kind() == PAD {
            self.skip(word)?
        } else {
            word
        };
        let end = self.head + size(word.len());
        if end > self.seen_tail || end > self.lap_end() {
            return Err(Violation::Record);
        }
        let at = self.offset(self.head) + HEADER_LEN;
        let more = word.flags() & MORE != 0;
        let streamed = word.flags() & STREAMED != 0;
        // Only the first record of a message says so.
        if streamed && self.open {
            return Err(Violation::Record);
        }
        self.streaming |= streamed;
        let what = match word.kind() {
            BODY => self.body(word, at)?,
            CHUNK => self.chunk(word, at)?,
            PIECE => self.piece(word, at)?,
            ABORT => self.abort(word)?,
            _ => return Err(Violation::Record),
        };
        self.head = end;
        if !matches!(what, What::Abort) {
            self.open = more || self.missing > 0;
            self.taken += u64::from(!self.open);
        }
        self.streaming &= self.open;
        Ok(Taken { more, streamed, what })
    }

    /// Goes on to the beginning of the ring, where there has to be a record.
    fn skip(&mut self, pad: Word) -> Result<Word, Violation> {
        let lap_end = self.lap_end();
        if self.head + size(pad.len()) != lap_end || lap_end >= self.seen_tail || pad.flags() != 0 {
            return Err(Violation::Record);
        }
        self.head = lap_end;
        let at = self.offset(self.head);
        // SAFETY: the head is before the tail and a multiple of eight, so there is a word in the ring.
        Ok(Word(unsafe { self.area.load_word(at) }))
    }

    fn body(&self, word: Word, at: usize) -> Result<What, Violation> {
        let len = word.len();
        if word.flags() & !(MORE | STREAMED) != 0 || len > self.body_max || self.missing > 0 {
            return Err(Violation::Record);
        }
        Ok(What::Bytes { at, len })
    }

    fn chunk(&self, word: Word, at: usize) -> Result<What, Violation> {
        if word.flags() & !(MORE | STREAMED) != 0 || word.len() != CHUNK_LEN || self.missing > 0 {
            return Err(Violation::Record);
        }
        // SAFETY: the record is whole, so both words of its payload lie in the ring.
        let (run, len) = unsafe { (self.area.load_word(at), self.area.load_word(at + 8)) };
        let (first, count) = ((run & 0xffff_ffff) as usize, (run >> 32) as usize);
        let geometry = &self.link.their_geometry;
        // Both are less than 4 GiB, and the product is checked after the count.
        if count == 0 || first + count > geometry.blocks || len > (count * geometry.block_len) as u64 {
            return Err(Violation::Chunk);
        }
        if self.link.held.get() & run_mask(first, count) != 0 {
            return Err(Violation::Chunk);
        }
        self.link.held.insert(first, count);
        failpoint!("chunk held");
        let lent = Lent::new(Arc::clone(&self.link), first, count, len as usize);
        Ok(What::Lent(lent))
    }

    fn piece(&mut self, word: Word, at: usize) -> Result<What, Violation> {
        let first = word.flags() & FIRST != 0;
        let last = word.flags() & LAST != 0;
        let prefix = if first { TOTAL_LEN } else { 0 };
        if word.flags() & !(MORE | STREAMED | FIRST | LAST) != 0
            || first != (self.missing == 0)
            || word.len() <= prefix
            || word.len() > self.body_max
        {
            return Err(Violation::Piece);
        }
        if first {
            // SAFETY: the record is whole and longer than the word.
            self.total = unsafe { self.area.load_word(at) };
            self.missing = self.total;
        }
        let len = word.len() - prefix;
        if len as u64 > self.missing || last != (len as u64 == self.missing) {
            return Err(Violation::Piece);
        }
        self.missing -= len as u64;
        Ok(What::Piece {
            at: at + prefix,
            len,
            first,
            last,
        })
    }

    fn abort(&mut self, word: Word) -> Result<What, Violation> {
        if word.flags() != 0 || word.len() != 0 || !self.open || !self.streaming {
            return Err(Violation::Record);
        }
        self.missing = 0;
        self.open = false;
        Ok(What::Abort)
    }

    /// How far ordinary records can be taken without another look: nowhere in the middle of something that is not.
    fn set_clear_to(&mut self) {
        self.clear_to = if self.streaming || self.missing > 0 {
            0
        } else {
            self.seen_tail.min(self.lap_end())
        };
    }

    /// The position at which the ring begins again.
    fn lap_end(&self) -> u64 {
        (self.head | self.ring_mask) + 1
    }

    /// Notes that the peer cannot be relied on. From now on every record is taken the slow way, where it fails.
    fn poison(&mut self, violation: Violation) -> Violation {
        self.violation = Some(violation);
        self.clear_to = 0;
        violation
    }
}
