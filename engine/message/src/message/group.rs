//! The group that a RADIO sends a message to (RFC 48).
//!
//! A message has one byte to spare for it, which holds its length. The group itself, with a zero byte behind it for C
//! programs, lies beside the body: behind an inline body, and before a body in a block of its own.

use std::{fmt, ptr, slice};

use super::{INLINE_MAX, Message, body::Kind};
use crate::pool::Block;

/// The longest group, in bytes.
pub const GROUP_MAX: usize = 255;

/// A group is longer than [`GROUP_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupTooLong;

impl fmt::Display for GroupTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a group has at most {GROUP_MAX} bytes")
    }
}

impl std::error::Error for GroupTooLong {}

impl Message {
    /// The group that the message goes to, or that it came to; empty if it has none.
    pub fn group(&self) -> &[u8] {
        let with_zero = self.group_with_zero();
        &with_zero[..with_zero.len().saturating_sub(1)]
    }

    /// The group and a zero byte behind it; nothing at all for a message without a group.
    pub fn group_with_zero(&self) -> &[u8] {
        if self.group_len == 0 {
            return &[];
        }
        let len = usize::from(self.group_len) + 1;
        let start = match self.kind {
            Kind::Inline => {
                let body = (&raw const self.body).cast::<u8>();
                // SAFETY: the group lies behind the inline body, within the message.
                unsafe { body.add(usize::from(self.inline_len)) }
            }
            _ => {
                // SAFETY: the group lies in the body's block, immediately before the body.
                unsafe { self.view().start.as_ptr().sub(len) }
            }
        };
        // SAFETY: `with_group` has written these bytes. Nobody writes them again: they are outside of the body, which is all
        // that a holder may write, and a body that moves elsewhere takes its group along or has none.
        unsafe { slice::from_raw_parts(start, len) }
    }

    /// Says which group the message goes to; an empty one is none. The body is copied unless it is so short that both fit
    /// into the message itself.
    ///
    /// # Errors
    ///
    /// [`GroupTooLong`], and the message is as it was.
    pub fn set_group(&mut self, group: &[u8]) -> Result<(), GroupTooLong> {
        if group.len() > GROUP_MAX {
            return Err(GroupTooLong);
        }
        if group.is_empty() {
            self.group_len = 0;
        } else {
            let mut with = Self::with_group(self, group);
            (with.more, with.routing_id) = (self.more, self.routing_id);
            std::mem::swap(&mut with.origin, &mut self.origin);
            *self = with;
        }
        Ok(())
    }

    /// A message with a copy of `body` and a group of at most [`GROUP_MAX`] bytes.
    pub(super) fn with_group(body: &[u8], group: &[u8]) -> Self {
        debug_assert!(group.len() <= GROUP_MAX);
        if group.is_empty() {
            return Self::from_slice(body);
        }
        let zeroed = group.len() + 1;
        let mut message = if body.len() + zeroed <= INLINE_MAX {
            let mut message = Self::from_slice(body);
            let start = (&raw mut message.body).cast::<u8>();
            // SAFETY: body and group together are within the bytes of an inline body.
            unsafe { write_with_zero(group, start.add(body.len())) };
            message
        } else {
            let block = Block::alloc(zeroed + body.len());
            // SAFETY: the block is new and has room for the group, the zero byte and the body, one behind the other.
            let start = unsafe {
                write_with_zero(group, block.ptr().as_ptr());
                let start = block.ptr().add(zeroed);
                ptr::copy_nonoverlapping(body.as_ptr(), start.as_ptr(), body.len());
                start
            };
            // SAFETY: the body's bytes have just been initialised, and the block has no other holder.
            unsafe { Self::from_block(block, start, body.len()) }
        };
        message.group_len = group.len() as u8;
        message
    }
}

/// # Safety
///
/// `to` has room for the group and one more byte, which do not overlap the group.
unsafe fn write_with_zero(group: &[u8], to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        ptr::copy_nonoverlapping(group.as_ptr(), to, group.len());
        to.add(group.len()).write(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [usize; 10] = [0, 1, 7, 30, 46, 47, 48, 49, 300, 100_000];

    fn body(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn a_group_lies_beside_any_body() {
        for body_len in LENGTHS {
            for group_len in [1, 2, 25, 46, 47, 48, 255] {
                let group = vec![b'g'; group_len];
                let mut message = Message::from(body(body_len));
                (message.more, message.routing_id) = (true, 9);
                message.set_group(&group).unwrap();
                assert_eq!(&*message, body(body_len));
                assert_eq!(message.group(), group);
                assert_eq!(message.group_with_zero().last(), Some(&0));
                assert!(message.more() && message.routing_id() == 9);
                for copy in [message.share(), message.clone()] {
                    assert_eq!((copy.group(), &*copy), (&*group, &*body(body_len)));
                }
            }
        }
    }

    #[test]
    fn a_new_body_has_no_group() {
        for old in LENGTHS {
            for new in LENGTHS {
                let mut message = Message::from(body(old));
                message.set_group(b"group").unwrap();
                message.set_slice(&body(new));
                assert_eq!((message.group(), &*message), (&b""[..], &*body(new)));
            }
        }
    }

    #[test]
    fn writing_a_shared_body_takes_the_group_along() {
        for len in [1, 48, 300] {
            let mut message = Message::from(body(len));
            message.set_group(b"group").unwrap();
            let kept = message.share();
            message.as_mut_slice()[0] = 0xFF;
            assert_eq!((message.group(), message[0]), (&b"group"[..], 0xFF));
            assert_eq!((kept.group(), &*kept), (&b"group"[..], &*body(len)));
        }
    }

    #[test]
    fn groups_replace_each_other_and_are_bounded() {
        let mut message = Message::from("body");
        assert_eq!(message.group(), b"");
        for group in ["first", "second", &"x".repeat(255), ""] {
            message.set_group(group.as_bytes()).unwrap();
            assert_eq!(message.group(), group.as_bytes());
        }
        message.set_group(b"kept").unwrap();
        assert_eq!(message.set_group(&[1; 256]), Err(GroupTooLong));
        assert_eq!((message.group(), &*message), (&b"kept"[..], &b"body"[..]));
    }
}
