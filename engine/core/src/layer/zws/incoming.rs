//! What the peer says in frames of a WebSocket, as ZMTP.

use std::io::Cursor;

use ringmq_zmtp::frame::{COMMAND, MORE, encode_header};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::{ZWS_COMMAND, ZWS_MORE, Zws, clip, frame, framing::Mask};
use crate::layer::LayerFault;

/// The longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_MAX: u64 = 125;
/// The longest header of a WebSocket's frame.
const HEADER_MAX: usize = 14;

/// Where we are in what the peer says.
pub(super) enum Incoming {
    Header(Vec<u8>),
    /// The payload of a control frame.
    Control {
        opcode: Control,
        left: u64,
        mask: Mask,
        payload: Vec<u8>,
    },
    /// The flags of a message of this many bytes.
    Flags {
        len: u64,
        mask: Mask,
    },
    Body {
        left: u64,
        mask: Mask,
    },
    /// The routing id of a peer that greets by it.
    Identity {
        left: u64,
        mask: Mask,
        id: Vec<u8>,
    },
}

impl Zws {
    /// Translates what the peer says.
    pub(super) fn hear(&mut self, mut wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
        while !wire.is_empty() {
            let taken = match std::mem::replace(&mut self.incoming, Incoming::Header(Vec::new())) {
                Incoming::Header(header) => self.hear_header(header, wire, plain)?,
                Incoming::Control {
                    opcode,
                    left,
                    mut mask,
                    mut payload,
                } => {
                    let taken = clip(left, wire);
                    mask.apply(&wire[..taken], &mut payload);
                    let left = left - taken as u64;
                    if left > 0 {
                        self.incoming = Incoming::Control {
                            opcode,
                            left,
                            mask,
                            payload,
                        };
                    } else {
                        self.heard_control(opcode, &payload, plain)?;
                    }
                    taken
                }
                Incoming::Flags { len, mut mask } => {
                    let mut flags = Vec::new();
                    mask.apply(&wire[..1], &mut flags);
                    self.incoming = self.heard_flags(flags[0], len - 1, mask, plain)?;
                    1
                }
                Incoming::Body { left, mut mask } => {
                    let taken = clip(left, wire);
                    mask.apply(&wire[..taken], plain);
                    let left = left - taken as u64;
                    if left > 0 {
                        self.incoming = Incoming::Body { left, mask };
                    }
                    taken
                }
                Incoming::Identity {
                    left,
                    mut mask,
                    mut id,
                } => {
                    let taken = clip(left, wire);
                    mask.apply(&wire[..taken], &mut id);
                    let left = left - taken as u64;
                    if left > 0 {
                        self.incoming = Incoming::Identity { left, mask, id };
                    } else {
                        self.introduce(&id, plain);
                    }
                    taken
                }
            };
            wire = &wire[taken..];
        }
        Ok(())
    }

    /// Reads on in the header of a frame. Returns how much of `wire` was used.
    fn hear_header(
        &mut self,
        mut header: Vec<u8>,
        wire: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<usize, LayerFault> {
        let before = header.len();
        header.extend_from_slice(&wire[..wire.len().min(HEADER_MAX - before)]);
        let mut cursor = Cursor::new(&header[..]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| LayerFault::WebSocket)?;
        let used = cursor.position() as usize;
        let Some((frame, len)) = parsed else {
            let taken = header.len() - before;
            self.incoming = Incoming::Header(header);
            return Ok(taken);
        };
        // A client masks and a server does not, nobody sends pieces of messages, and no extension was agreed on.
        let reserved = frame.rsv1 || frame.rsv2 || frame.rsv3;
        if frame.mask.is_some() == self.framing.is_client || !frame.is_final || reserved {
            return Err(LayerFault::WebSocket);
        }
        let mask = Mask::new(frame.mask);
        match frame.opcode {
            OpCode::Data(Data::Binary) if len > 0 => self.incoming = Incoming::Flags { len, mask },
            OpCode::Control(Control::Reserved(_)) => return Err(LayerFault::WebSocket),
            OpCode::Control(opcode) if len == 0 => self.heard_control(opcode, &[], plain)?,
            OpCode::Control(opcode) if len <= CONTROL_MAX => {
                let payload = Vec::new();
                self.incoming = Incoming::Control {
                    opcode,
                    left: len,
                    mask,
                    payload,
                };
            }
            _ => return Err(LayerFault::WebSocket),
        }
        Ok(used - before)
    }

    fn heard_control(
        &mut self,
        opcode: Control,
        payload: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), LayerFault> {
        match opcode {
            // Those that come before the last answer is sent need none (RFC 6455, section 5.5.3).
            Control::Ping if self.output.is_empty() => {
                self.framing.control(Control::Pong, payload, &mut self.output);
            }
            Control::Close => {
                if !std::mem::replace(&mut self.closing, true) {
                    self.framing.control(Control::Close, payload, &mut self.output);
                }
                return Err(LayerFault::Closed);
            }
            _ => {}
        }
        if self.greeted {
            frame(COMMAND, b"\x04PONG", plain);
        }
        Ok(())
    }

    fn heard_flags(
        &mut self,
        flags: u8,
        len: u64,
        mask: Mask,
        plain: &mut Vec<u8>,
    ) -> Result<Incoming, LayerFault> {
        if flags & !(ZWS_MORE | ZWS_COMMAND) != 0 {
            return Err(LayerFault::WebSocket);
        }
        if !self.greeted && self.outgoing.is_bare {
            if flags != 0 || len > 255 {
                return Err(LayerFault::WebSocket);
            }
            if len == 0 {
                self.introduce(&[], plain);
                return Ok(Incoming::Header(Vec::new()));
            }
            let id = Vec::new();
            return Ok(Incoming::Identity { left: len, mask, id });
        }
        self.greeted = true;
        let more = if flags & ZWS_MORE != 0 { MORE } else { 0 };
        let command = if flags & ZWS_COMMAND != 0 { COMMAND } else { 0 };
        plain.extend_from_slice(encode_header(more | command, len).as_slice());
        Ok(match len {
            0 => Incoming::Header(Vec::new()),
            left => Incoming::Body { left, mask },
        })
    }

    /// Tells ZMTP of a peer of which nothing is known but its routing id: its type must be one that fits ours.
    fn introduce(&mut self, id: &[u8], plain: &mut Vec<u8>) {
        self.greeted = true;
        let Some(peer) = self.socket_type.peers().first() else {
            return;
        };
        let mut body = b"\x05READY".to_vec();
        for (name, value) in [
            (&b"Socket-Type"[..], peer.wire_name().as_bytes()),
            (b"Identity", id),
        ] {
            body.push(name.len() as u8);
            body.extend_from_slice(name);
            body.extend_from_slice(&(value.len() as u32).to_be_bytes());
            body.extend_from_slice(value);
        }
        frame(COMMAND, &body, plain);
    }
}
