//! Frames of a WebSocket: their headers, and the masks of their payloads.

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// The mask of a frame, and how far it was used.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    key: [u8; 4],
    at: usize,
}

impl Mask {
    /// The mask of a frame that announces this key, if it does.
    pub(super) fn new(key: Option<[u8; 4]>) -> Self {
        // A key of zeros changes nothing.
        let key = key.unwrap_or_default();
        Self { key, at: 0 }
    }

    /// Appends what becomes of the next bytes of the payload. To mask and to unmask are the same.
    pub(super) fn apply(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.key == [0; 4] {
            out.extend_from_slice(bytes);
            return;
        }
        let [first, second, third, fourth] = std::array::from_fn(|at| self.key[(self.at + at) % 4]);
        let key = [first, second, third, fourth, first, second, third, fourth];
        let word = u64::from_ne_bytes(key);
        let (words, rest) = bytes.as_chunks::<8>();
        out.reserve(bytes.len());
        for bytes in words {
            out.extend_from_slice(&(u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes());
        }
        out.extend(rest.iter().zip(key).map(|(byte, key)| byte ^ key));
        self.at = (self.at + bytes.len()) % 4;
    }
}

/// How one end makes its frames: a client masks them.
#[derive(Clone, Copy)]
pub(super) struct Framing {
    pub(super) is_client: bool,
}

impl Framing {
    /// Appends the header of a frame, and returns the mask for its payload.
    fn begin(self, opcode: OpCode, len: u64, out: &mut Vec<u8>) -> Mask {
        let mask = self.is_client.then(rand::random::<[u8; 4]>);
        let header = FrameHeader {
            opcode,
            mask,
            ..FrameHeader::default()
        };
        // Writing to memory does not fail.
        let _ = header.format(len, out);
        Mask::new(mask)
    }

    /// Appends a control frame.
    pub(super) fn control(self, opcode: Control, payload: &[u8], out: &mut Vec<u8>) {
        let mut mask = self.begin(OpCode::Control(opcode), payload.len() as u64, out);
        mask.apply(payload, out);
    }

    /// Appends the header and the flags of a message, and returns the mask for its body.
    pub(super) fn begin_message(self, flags: u8, len: u64, out: &mut Vec<u8>) -> Mask {
        let mut mask = self.begin(OpCode::Data(Data::Binary), len.saturating_add(1), out);
        mask.apply(&[flags], out);
        mask
    }

    /// Appends a message.
    pub(super) fn message(self, flags: u8, body: &[u8], out: &mut Vec<u8>) {
        let mut mask = self.begin_message(flags, body.len() as u64, out);
        mask.apply(body, out);
    }
}
