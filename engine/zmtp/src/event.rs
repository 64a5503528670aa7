//! What a step through the input can mean to the caller.

use std::ops::Range;

#[cfg(doc)]
use crate::{Config, Connection, Peer};

/// What the bytes at the front of the input amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is over; [`Connection::peer`] tells with whom. Messages may flow.
    ///
    /// [`Connection::transmit`] may still hold the end of our own handshake, which has to go out
    /// before the first message.
    Handshaken,
    /// The consumed bytes are whole data frames, headers included.
    ///
    /// They end on the last message boundary within reach. Only when no message ends within
    /// reach are frames of an unfinished message given by themselves. Frames of an unfinished
    /// message that reach the caller without an end, because the connection fails first, are to
    /// be dropped.
    ///
    /// What the frames mean is the caller's to know: to a PUB or XPUB a message that starts with
    /// 1 or 0 is a subscription, see [`Peer::subscribes_by_message`].
    Frames {
        /// How many messages end here: frames without MORE.
        messages: u32,
        /// Whether the last of the frames ends a message.
        at_boundary: bool,
    },
    /// The consumed bytes are the header of a frame that is longer than
    /// [`Config::slab_len`] together with its header. It is within all limits.
    ///
    /// The caller takes the `body` bytes that follow, be it out of the rest of this input, and
    /// then calls [`Connection::large_done`].
    Large {
        /// Bytes of the header, all consumed.
        header: usize,
        /// Bytes of the body, none of them consumed.
        body: u64,
        /// Whether another frame of the same message follows.
        more: bool,
    },
    /// The consumed bytes are data, without frames. Only for [raw](Connection::raw) connections.
    Raw,
    /// The peer subscribes to a topic. Only for PUB and XPUB.
    Subscribe {
        /// Where in the input the topic is.
        topic: Range<usize>,
    },
    /// The peer takes back a subscription. Only for PUB and XPUB.
    Cancel {
        /// Where in the input the topic is.
        topic: Range<usize>,
    },
    /// The peer joins a group. Only for RADIO.
    Join {
        /// Where in the input the name is, of at most 255 bytes.
        group: Range<usize>,
    },
    /// The peer leaves a group. Only for RADIO.
    Leave {
        /// Where in the input the name is, of at most 255 bytes.
        group: Range<usize>,
    },
    /// A command whose name begins with `X-`. Only with [`Config::extensions`].
    Extension {
        /// Where in the input the name is.
        name: Range<usize>,
        /// Where in the input the rest of the command is.
        data: Range<usize>,
    },
}

/// One step through the input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Progress {
    /// Bytes at the front of the input that are done with.
    pub consumed: usize,
    /// What they meant to the caller. If there is none, and nothing was consumed, the front of
    /// the input is not complete and more bytes are needed.
    pub event: Option<Event>,
}

impl Progress {
    /// The front of the input is not complete.
    pub const NEED_MORE: Progress = Progress {
        consumed: 0,
        event: None,
    };
}
