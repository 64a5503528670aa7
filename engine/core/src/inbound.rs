//! What a worker hands to the application thread: whole messages, by the span.

use ringmq_message::{Message, OriginId, Slab, Span};

use crate::limits;

/// One entry of the queue from a session to its pipe. Entries of one message are published together, so that a multipart
/// message arrives completely or not at all (RFC 28–31: parts are delivered atomically).
#[derive(Debug)]
pub(crate) enum Inbound {
    Frames(Frames),
    /// One frame too large for a slab, received into a buffer of its own.
    Body(Message),
    /// Pieces that are whole messages only together: at least one message did not lie in one span.
    Scattered(Vec<Inbound>),
    /// Requests of a subscriber, in the order in which they came.
    Subscriptions(Vec<SubscriptionRequest>),
    /// Messages come another way from here on.
    Mark(Mark),
}

/// Encoded frames, end to end.
#[derive(Debug)]
pub(crate) struct Frames {
    pub(crate) span: Span,
    /// How many messages end with them.
    pub(crate) messages: u32,
    /// The connection that they came by.
    pub(crate) origin: OriginId,
    /// Even large bodies are copied.
    pub(crate) copied: bool,
}

/// Where the way that messages come changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// What follows lies in the connection's shared ring.
    Ring,
    /// The connection is gone, and its ring with it.
    Cut,
}

impl Inbound {
    /// A short run of frames in memory of its own. Parts of a message that drip in one by one must not keep a slab each.
    pub(crate) fn unpinned(self) -> Self {
        match self {
            Inbound::Frames(mut frames) if frames.span.len() < limits::SHARE_BODY_MIN => {
                let len = frames.span.len();
                let mut own = Slab::with_capacity(len);
                own.extend_from_slice(&frames.span);
                frames.span = own.split(len);
                Inbound::Frames(frames)
            }
            entry => entry,
        }
    }

    /// How many bytes the entry keeps, framing included.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Inbound::Frames(frames) => frames.span.len() as u64,
            Inbound::Body(message) => message.len() as u64,
            Inbound::Scattered(pieces) => pieces.iter().map(Inbound::bytes).sum(),
            Inbound::Subscriptions(_) | Inbound::Mark(_) => 0,
        }
    }

    /// How many messages the entry counts for at the high-water mark; subscriptions are state, not messages.
    pub(crate) fn messages(&self) -> u64 {
        match self {
            Inbound::Frames(frames) => u64::from(frames.messages),
            Inbound::Body(message) => u64::from(!message.more()),
            Inbound::Scattered(pieces) => pieces.iter().map(Inbound::messages).sum(),
            Inbound::Subscriptions(_) | Inbound::Mark(_) => 0,
        }
    }
}

/// A SUBSCRIBE or CANCEL command (RFC 37, section 3.3), or a JOIN or LEAVE command (RFC 48).
#[derive(Debug)]
pub(crate) struct SubscriptionRequest {
    pub(crate) subscribe: bool,
    pub(crate) topic: Box<[u8]>,
}

/// Reads one part out of a span: copies a small body, shares a large one, because a small message must not pin a big slab.
#[inline]
pub(crate) fn read_part(frames: &Frames, more: bool, body: std::ops::Range<usize>, message: &mut Message) {
    // Written where the caller wants it: moving a message that was just put together stalls on its own stores.
    if body.len() < limits::SHARE_BODY_MIN || frames.copied {
        message.set_slice(&frames.span[body]);
    } else {
        *message = frames.span.slice(body);
    }
    message.set_more(more);
    message.set_origin(frames.origin);
}
