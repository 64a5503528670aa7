//! [`Buffer`]: a body that is written in place and then becomes a message.

use std::ops::{Deref, DerefMut};

use ringmq_queue::stable::Foreign;

use crate::message::{INLINE_MAX, Message};

/// Pooled memory to be filled in place and then sent without a copy.
///
/// ```
/// use ringmq_message::{Buffer, Message};
///
/// let mut buffer = Buffer::with_len(1000);
/// buffer[..5].copy_from_slice(b"hello");
/// buffer.truncate(5);
/// let message: Message = buffer.into();
/// assert_eq!(message, b"hello");
/// ```
#[derive(Debug, Default)]
pub struct Buffer {
    /// Inline, or in a block or foreign memory that has no other holder.
    message: Message,
}

impl Buffer {
    /// A buffer of `len` zeros.
    pub fn with_len(len: usize) -> Self {
        Self {
            message: Message::zeroed(len),
        }
    }

    /// Shortens the buffer to its first `len` bytes; does nothing if it is not longer.
    pub fn truncate(&mut self, len: usize) {
        self.message.truncate(len);
    }

    /// The message with this body. A short one moves inline, so that it does not pin a long block.
    pub fn into_message(self) -> Message {
        if self.message.len() <= INLINE_MAX && self.message.has_stable_address() {
            return Message::from_slice(&self.message);
        }
        self.message
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.message
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.message.as_mut_slice()
    }
}

impl From<Buffer> for Message {
    fn from(buffer: Buffer) -> Self {
        buffer.into_message()
    }
}

impl From<Foreign> for Buffer {
    /// A buffer in memory that somebody else manages; if that must not be written, writing copies it first.
    fn from(foreign: Foreign) -> Self {
        Self {
            message: Message::from_foreign(foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;

    #[test]
    fn is_zeroed_even_when_its_memory_was_used_before() {
        let mut first = Buffer::with_len(1000);
        first.fill(0xff);
        drop(first);
        assert!(Buffer::with_len(1000).iter().all(|&byte| byte == 0));
    }

    #[test]
    fn becomes_a_message_in_place() {
        let mut buffer = Buffer::with_len(1000);
        buffer.fill(7);
        let address = buffer.as_ptr();
        buffer.truncate(900);
        buffer.truncate(950);
        let message = buffer.into_message();
        assert_eq!(message, [7; 900]);
        assert_eq!(message.as_ptr(), address);
    }

    #[test]
    fn does_not_pin_a_long_block_for_a_short_message() {
        let mut buffer = Buffer::with_len(100_000);
        buffer.truncate(3);
        let message = buffer.into_message();
        assert_eq!(message, [0; 3]);
        assert!(!message.has_stable_address());
    }
}
