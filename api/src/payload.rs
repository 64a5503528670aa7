//! What can be sent.

use ringmq_message::{Buffer, Message};

/// Anything that turns into a [`Message`]. Slices and strings are copied straight to where they are sent from, without a
/// message in between. A `Vec<u8>`, a `String` and a [`Buffer`] give their memory away. Over a wire, a [`Message`] of less
/// than 32 KiB is copied too, and a longer one is sent from where it lies.
///
/// ```
/// use ringmq::{Buffer, Message, Payload};
///
/// fn takes(_: impl Payload) {}
/// takes("text");
/// takes(b"bytes");
/// takes(vec![0_u8; 100]);
/// takes(Buffer::with_len(100_000));
/// takes(Message::from_static(b"constant"));
/// ```
pub trait Payload: Into<Message> {
    /// The bytes, if turning into a message would copy them.
    #[doc(hidden)]
    fn to_copy(&self) -> Option<&[u8]> {
        None
    }
}

impl Payload for Message {}
impl Payload for Buffer {}
impl Payload for Vec<u8> {}
impl Payload for String {}

impl Payload for &[u8] {
    #[inline]
    fn to_copy(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl<const N: usize> Payload for &[u8; N] {
    #[inline]
    fn to_copy(&self) -> Option<&[u8]> {
        Some(*self)
    }
}

impl Payload for &str {
    #[inline]
    fn to_copy(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}
