//! What lies in a queue of messages: a message, or a piece of one whose body is spread over several slots.

use std::mem::offset_of;

use super::{
    INLINE_MAX, Message,
    body::Kind,
    make::{short_word, words},
};
use crate::origin::OriginId;

// What `write_parts` takes for granted.
const _: () = assert!(
    offset_of!(Message, body) == 0
        && offset_of!(Message, origin) == 48
        && offset_of!(Message, routing_id) == 56
        && offset_of!(Message, inline_len) == 60
        && offset_of!(Message, kind) == 61
        && offset_of!(Message, more) == 62
        && offset_of!(Message, group_len) == 63
);

/// [`OriginId::NONE`] as it lies in memory.
const NO_ORIGIN: u64 = OriginId::NONE.to_word();

/// Stores two words with one instruction: a line that has to come from another core first keeps all its stores waiting, and
/// the fewer these are, the more lines are on their way at the same time. They are put together in registers, because the
/// caller may have written them one by one a moment ago.
///
/// # Safety
///
/// `place` is valid for writing a slot, and `pair` is less than 4.
#[inline(always)]
unsafe fn store_pair(place: *mut Slot, pair: usize, words: [u64; 2]) {
    // SAFETY: the pair lies within the slot, by the caller's promise.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m128i, _mm_set_epi64x, _mm_storeu_si128};
            let both = _mm_set_epi64x(words[1] as i64, words[0] as i64);
            _mm_storeu_si128(place.cast::<__m128i>().add(pair), both);
        }
        #[cfg(not(target_arch = "x86_64"))]
        place.cast::<[u64; 2]>().add(pair).write_unaligned(words);
    }
}

/// A message, or a piece of one. Only whole messages leave the queue as they are.
#[repr(transparent)]
pub(crate) struct Slot(Message);

/// A message whose body begins in a slot and goes on in the next ones.
pub(crate) struct Spread {
    pub(crate) len: usize,
    pub(crate) more: bool,
    pub(crate) routing_id: u32,
}

impl From<Message> for Slot {
    #[inline]
    fn from(message: Message) -> Self {
        Self(message)
    }
}

impl Slot {
    /// The message's memory as a slot.
    ///
    /// # Safety
    ///
    /// Nothing but a whole message is put there.
    #[inline]
    pub(crate) unsafe fn of(message: &mut Message) -> &mut Self {
        // SAFETY: a slot is a message and nothing else, and the caller promises that it stays one for others.
        unsafe { &mut *(&raw mut *message).cast() }
    }

    /// Writes a message, or the next piece of one, with a copy of at most [`INLINE_MAX`] bytes. Reads nothing there.
    ///
    /// # Safety
    ///
    /// `place` is a slot's that may be written; what it holds is forgotten.
    #[inline(always)]
    pub(crate) unsafe fn write(place: *mut Self, bytes: &[u8], more: bool) {
        // SAFETY: the caller's promise.
        unsafe { Self::write_parts(place, bytes, Kind::Inline, bytes.len(), more, 0) };
    }

    /// Writes the first piece of a message of `len` bytes. Reads nothing there.
    ///
    /// # Safety
    ///
    /// As for [`write`](Self::write).
    #[inline(always)]
    pub(crate) unsafe fn begin(
        place: *mut Self,
        first: &[u8; INLINE_MAX],
        len: usize,
        more: bool,
        routing_id: u32,
    ) {
        debug_assert!(len > INLINE_MAX && len <= usize::from(u8::MAX));
        // SAFETY: the caller's promise.
        unsafe { Self::write_parts(place, first, Kind::Spread, len, more, routing_id) };
    }

    /// # Safety
    ///
    /// As for [`write`](Self::write).
    #[inline(always)]
    unsafe fn write_parts(
        place: *mut Self,
        bytes: &[u8],
        kind: Kind,
        len: usize,
        more: bool,
        routing_id: u32,
    ) {
        let (len, kind, more) = (len as u8, kind as u8, u8::from(more));
        let tail = match routing_id {
            // The usual case, in which the word needs not be put together byte by byte.
            0 => u64::from_ne_bytes([0, 0, 0, 0, len, kind, more, 0]),
            _ => {
                let [a, b, c, d] = routing_id.to_ne_bytes();
                u64::from_ne_bytes([a, b, c, d, len, kind, more, 0])
            }
        };
        // SAFETY: the slot's 64 bytes may be written. Its words are those of the body, of which the ones behind the bytes may
        // stay as they are, then that of an origin, and the last is made of the other five fields, each a valid value.
        unsafe {
            match bytes.len() {
                0..=7 => store_pair(place, 0, [short_word(bytes), 0]),
                8..=16 => store_pair(place, 0, words::<2>(bytes)),
                17..=32 => {
                    let [a, b, c, d] = words::<4>(bytes);
                    store_pair(place, 0, [a, b]);
                    store_pair(place, 1, [c, d]);
                }
                _ => {
                    let [a, b, c, d, e, f] = words::<{ INLINE_MAX / 8 }>(bytes);
                    store_pair(place, 0, [a, b]);
                    store_pair(place, 1, [c, d]);
                    store_pair(place, 2, [e, f]);
                }
            }
            store_pair(place, 3, [NO_ORIGIN, tail]);
        }
    }

    /// What begins here, if it is not a whole message.
    #[inline]
    pub(crate) fn spread(&self) -> Option<Spread> {
        (self.0.kind == Kind::Spread).then_some(Spread {
            len: usize::from(self.0.inline_len),
            more: self.0.more,
            routing_id: self.0.routing_id,
        })
    }

    /// The bytes of a piece.
    #[inline]
    pub(crate) fn piece(&self) -> &[u8; INLINE_MAX] {
        assert!(
            self.0.kind == Kind::Spread
                || (self.0.kind, self.0.inline_len) == (Kind::Inline, INLINE_MAX as u8)
        );
        // SAFETY: the slot begins with that many bytes, and `begin` or `write` has initialised them: the kind and the length
        // say so.
        unsafe { &*(&raw const self.0.body).cast() }
    }
}

impl Message {
    /// Whether the body lies in a block, and is longer than fits inline and at most `max` bytes; and there is neither a group
    /// nor an origin, which would have to go along.
    #[inline]
    pub(crate) fn is_short_block(&self, max: usize) -> bool {
        self.kind == Kind::Block && self.group_len == 0 && self.origin == OriginId::NONE && {
            let len = self.view().len;
            len > INLINE_MAX && len <= max
        }
    }
}
