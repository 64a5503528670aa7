//! What ZMTP says, in frames of a WebSocket.

use ringmq_zmtp::frame::{COMMAND, frame_extent};
use tungstenite::protocol::frame::coding::Control;

use super::{
    GREETING_LEN, ZWS_COMMAND, ZWS_MORE, clip,
    framing::{Framing, Mask},
};

/// Translates what ZMTP says.
pub(super) struct Outgoing {
    framing: Framing,
    /// The peer speaks no mechanism: all that it is told of us is our routing id.
    pub(super) is_bare: bool,
    place: Place,
}

/// Where we are in what ZMTP says.
enum Place {
    /// Bytes of the greeting that are left.
    Greeting(usize),
    Header(Vec<u8>),
    Body {
        left: u64,
        mask: Mask,
    },
    Command {
        left: u64,
        body: Vec<u8>,
    },
}

impl Outgoing {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            is_bare: false,
            place: Place::Greeting(GREETING_LEN),
        }
    }

    /// The beginning of a message is said and its end is not: nothing else may go out.
    pub(super) fn is_inside_message(&self) -> bool {
        matches!(self.place, Place::Body { .. })
    }

    /// Translates the next bytes.
    pub(super) fn say(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        while !plain.is_empty() {
            let taken = match std::mem::replace(&mut self.place, Place::Header(Vec::new())) {
                Place::Greeting(left) => {
                    let taken = left.min(plain.len());
                    if left > taken {
                        self.place = Place::Greeting(left - taken);
                    }
                    taken
                }
                Place::Header(mut header) => {
                    header.push(plain[0]);
                    self.place = match frame_extent(&header) {
                        None => Place::Header(header),
                        Some((_, left, more)) => self.begin_frame(header[0], left, more, out),
                    };
                    1
                }
                Place::Body { left, mut mask } => {
                    let taken = clip(left, plain);
                    mask.apply(&plain[..taken], out);
                    if left > taken as u64 {
                        let left = left - taken as u64;
                        self.place = Place::Body { left, mask };
                    }
                    taken
                }
                Place::Command { left, mut body } => {
                    let taken = clip(left, plain);
                    body.extend_from_slice(&plain[..taken]);
                    if left > taken as u64 {
                        let left = left - taken as u64;
                        self.place = Place::Command { left, body };
                    } else {
                        self.say_command(&body, out);
                    }
                    taken
                }
            };
            plain = &plain[taken..];
        }
    }

    /// The header of a frame is complete, and a body of `left` bytes follows.
    fn begin_frame(&self, flags: u8, left: u64, more: bool, out: &mut Vec<u8>) -> Place {
        if flags & COMMAND != 0 {
            let body = Vec::new();
            return Place::Command { left, body };
        }
        let flags = if more { ZWS_MORE } else { 0 };
        let mask = self.framing.begin_message(flags, left, out);
        if left == 0 {
            Place::Header(Vec::new())
        } else {
            Place::Body { left, mask }
        }
    }

    fn say_command(&self, body: &[u8], out: &mut Vec<u8>) {
        if body.starts_with(b"\x04PING") {
            self.framing.control(Control::Ping, &[], out);
        } else if self.is_bare && body.starts_with(b"\x05READY") {
            self.framing.message(0, property(&body[6..], b"Identity"), out);
        } else {
            self.framing.message(ZWS_COMMAND, body, out);
        }
    }
}

/// The value of a property in our own READY, which is well formed; empty if there is none.
fn property<'a>(mut properties: &'a [u8], wanted: &[u8]) -> &'a [u8] {
    let mut next = || -> Option<(&'a [u8], &'a [u8])> {
        let (&len, rest) = properties.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(len))?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        properties = rest;
        Some((name, value))
    };
    while let Some((name, value)) = next() {
        if name == wanted {
            return value;
        }
    }
    &[]
}
