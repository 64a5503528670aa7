//! What lies in a ring: records of a header word and a payload, padded to eight bytes.
//!
//! ```text
//! bits  0..32   length of the payload
//!      32..40   kind
//!      40..48   flags
//!      48..64   zero
//! ```

/// Fills the rest of the ring up to its end; the next record is at the beginning. Always followed by a record.
pub(crate) const PAD: u64 = 1;
/// A body.
pub(crate) const BODY: u64 = 2;
/// Where in the pool a body lies: see [`CHUNK_LEN`].
pub(crate) const CHUNK: u64 = 3;
/// A slice of a body. The first begins with the length of the whole, a word.
pub(crate) const PIECE: u64 = 4;
/// The message in progress, of which something was published already, will not be completed.
pub(crate) const ABORT: u64 = 5;

/// Another part of the message follows.
pub(crate) const MORE: u64 = 1;
/// On the first record of a message: the rest may not be published yet.
pub(crate) const STREAMED: u64 = 2;
/// The first and the last slice of a body.
pub(crate) const FIRST: u64 = 4;
pub(crate) const LAST: u64 = 8;

/// The word before the payload.
pub(crate) const HEADER_LEN: usize = 8;
/// The payload of a CHUNK: first block and number of blocks in one word, length of the body in the other.
pub(crate) const CHUNK_LEN: usize = 16;
/// What the first PIECE has before its slice.
pub(crate) const TOTAL_LEN: usize = 8;

/// [`STREAMED`] where it lies in a header word.
pub(crate) const STREAMED_BIT: u64 = STREAMED << 40;

/// What a header word says beside the length, if it is an ordinary part in the ring, once the flag MORE is taken out.
pub(crate) const PLAIN: u64 = BODY << 32;
/// The flag [`MORE`] where it lies in a header word.
pub(crate) const MORE_BIT: u64 = MORE << 40;

/// Puts a header word together. `len` is less than 4 GiB because no ring is longer.
#[inline(always)]
pub(crate) const fn word(kind: u64, flags: u64, len: usize) -> u64 {
    debug_assert!(len <= u32::MAX as usize);
    len as u64 | kind << 32 | flags << 40
}

/// How many bytes of the ring a record takes.
#[inline(always)]
pub(crate) const fn size(len: usize) -> u64 {
    (len as u64 + HEADER_LEN as u64 + 7) & !7
}

/// A header word taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    /// Kind and reserved bits: a kind that nobody knows if those are not zero.
    pub(crate) fn kind(self) -> u64 {
        (self.0 >> 32 & 0xff) | (self.0 >> 48 << 8)
    }

    pub(crate) fn flags(self) -> u64 {
        self.0 >> 40 & 0xff
    }
}
