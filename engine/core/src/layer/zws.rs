//! ZeroMQ over WebSockets (RFC 45): each frame of ZMTP is a binary message that begins with a byte of flags.
//!
//! There is no greeting, since the WebSocket's handshake does its work; heartbeats are the WebSocket's own. ZMTP above
//! knows nothing of this: its greeting is swallowed, and it is given one as of a peer of ZMTP 3.0, whose publishers and
//! subscribers agree by messages, as over WebSockets.

use std::io::Cursor;

use ringmq_zmtp::{
    SocketType,
    frame::{COMMAND, MORE, encode_header, frame_extent},
};
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::{
    Layer, LayerFault,
    http::{self, Protocol},
};
use crate::limits;

/// Bytes of the greeting of ZMTP.
const GREETING_LEN: usize = 64;
/// The longest payload of a control frame (RFC 6455).
const CONTROL_MAX: u64 = 125;
/// The longest header of a WebSocket's frame.
const HEADER_MAX: usize = 14;
/// The flags of a ZWS frame.
const ZWS_MORE: u8 = 1;
const ZWS_COMMAND: u8 = 2;
/// Status "normal closure".
const GOODBYE: [u8; 2] = 1000_u16.to_be_bytes();

/// Which end of a WebSocket we are.
pub(crate) enum Role {
    /// Asks for the resource, and masks what it sends.
    Client {
        /// The server, as the request names it.
        host: String,
        /// The resource.
        path: String,
    },
    Server,
}

/// A WebSocket.
pub(crate) struct Zws {
    socket_type: SocketType,
    is_client: bool,
    opening: Opening,
    /// What ZMTP has said before the WebSocket was open.
    early: Vec<u8>,
    outgoing: Outgoing,
    incoming: Incoming,
    /// What goes out beside what ZMTP says.
    output: Vec<u8>,
    /// The frame that greets the peer has come, and ZMTP may be told of signs of life.
    greeted: bool,
    closing: bool,
}

/// How far the opening handshake is.
enum Opening {
    /// A client has asked with this key.
    Asked {
        key: String,
        head: Vec<u8>,
    },
    /// A server waits for a request.
    Listening {
        head: Vec<u8>,
    },
    Open(Protocol),
}

/// Where we are in what ZMTP says.
enum Outgoing {
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

/// Where we are in what the peer says.
enum Incoming {
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

/// The mask of a frame, and how far it was used.
#[derive(Clone, Copy)]
struct Mask {
    key: [u8; 4],
    at: usize,
}

impl Mask {
    /// One that changes nothing.
    const NONE: Self = Self { key: [0; 4], at: 0 };

    fn apply(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
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

impl Zws {
    /// A WebSocket that is to be opened. A client begins with its request.
    pub(crate) fn new(role: Role, socket_type: SocketType) -> Self {
        let is_client = matches!(role, Role::Client { .. });
        let (opening, output) = match role {
            Role::Client { host, path } => {
                let (request, key) = http::request(&host, &path);
                let head = Vec::new();
                (Opening::Asked { key, head }, request)
            }
            Role::Server => (Opening::Listening { head: Vec::new() }, Vec::new()),
        };
        Self {
            socket_type,
            is_client,
            opening,
            early: Vec::new(),
            outgoing: Outgoing::Greeting(GREETING_LEN),
            incoming: Incoming::Header(Vec::new()),
            output,
            greeted: false,
            closing: false,
        }
    }

    /// Appends the header of a frame, and returns the mask for its payload.
    fn begin_frame(&self, opcode: OpCode, len: u64, out: &mut Vec<u8>) -> Mask {
        let mask = self.is_client.then(rand::random::<[u8; 4]>);
        let header = FrameHeader {
            opcode,
            mask,
            ..FrameHeader::default()
        };
        // Writing to memory does not fail.
        let _ = header.format(len, out);
        mask.map_or(Mask::NONE, |key| Mask { key, at: 0 })
    }

    fn control_frame(&self, opcode: Control, payload: &[u8], out: &mut Vec<u8>) {
        let mut mask = self.begin_frame(OpCode::Control(opcode), payload.len() as u64, out);
        mask.apply(payload, out);
    }

    /// Appends the header and the flags of a message, and returns the mask for its body.
    fn begin_message(&self, flags: u8, len: u64, out: &mut Vec<u8>) -> Mask {
        let mut mask = self.begin_frame(OpCode::Data(Data::Binary), len.saturating_add(1), out);
        mask.apply(&[flags], out);
        mask
    }

    /// Reads what comes before the first frame. Returns how much of `wire` was used.
    fn open(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<usize, LayerFault> {
        let (Opening::Asked { head, .. } | Opening::Listening { head }) = &mut self.opening else {
            return Ok(0);
        };
        let before = head.len();
        head.extend_from_slice(&wire[..wire.len().min(limits::HTTP_HEAD_MAX - before)]);
        let judged = match &self.opening {
            Opening::Asked { key, head } => http::accepted(head, key)?,
            Opening::Listening { head } => match http::answer(head) {
                Ok(None) => None,
                Ok(Some((len, answer, protocol))) => {
                    self.output.extend_from_slice(&answer);
                    Some((len, protocol))
                }
                Err(fault) => {
                    self.output.extend_from_slice(http::BAD_REQUEST);
                    return Err(fault);
                }
            },
            Opening::Open(_) => None,
        };
        let Some((len, protocol)) = judged else {
            let full = before + wire.len() >= limits::HTTP_HEAD_MAX;
            return if full {
                Err(LayerFault::WebSocket)
            } else {
                Ok(wire.len())
            };
        };
        self.opening = Opening::Open(protocol);
        plain.extend_from_slice(&peer_greeting());
        let early = std::mem::take(&mut self.early);
        let mut output = std::mem::take(&mut self.output);
        self.say(&early, &mut output);
        self.output = output;
        Ok(len - before)
    }

    /// Translates what ZMTP says.
    fn say(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        while !plain.is_empty() {
            let taken = match std::mem::replace(&mut self.outgoing, Outgoing::Header(Vec::new())) {
                Outgoing::Greeting(left) => {
                    let taken = left.min(plain.len());
                    if left > taken {
                        self.outgoing = Outgoing::Greeting(left - taken);
                    }
                    taken
                }
                Outgoing::Header(mut header) => {
                    header.push(plain[0]);
                    self.outgoing = match frame_extent(&header) {
                        None => Outgoing::Header(header),
                        Some(_) => self.begin_saying(&header, out),
                    };
                    1
                }
                Outgoing::Body { left, mut mask } => {
                    let taken = clip(left, plain);
                    mask.apply(&plain[..taken], out);
                    if left > taken as u64 {
                        let left = left - taken as u64;
                        self.outgoing = Outgoing::Body { left, mask };
                    }
                    taken
                }
                Outgoing::Command { left, mut body } => {
                    let taken = clip(left, plain);
                    body.extend_from_slice(&plain[..taken]);
                    if left > taken as u64 {
                        let left = left - taken as u64;
                        self.outgoing = Outgoing::Command { left, body };
                    } else {
                        self.say_command(&body, out);
                    }
                    taken
                }
            };
            plain = &plain[taken..];
        }
    }

    /// The header of one of our own frames is complete.
    fn begin_saying(&self, header: &[u8], out: &mut Vec<u8>) -> Outgoing {
        let (_, left, more) = frame_extent(header).unwrap_or((0, 0, false));
        if header[0] & COMMAND != 0 {
            let body = Vec::new();
            return Outgoing::Command { left, body };
        }
        let mask = self.begin_message(if more { ZWS_MORE } else { 0 }, left, out);
        if left == 0 {
            Outgoing::Header(Vec::new())
        } else {
            Outgoing::Body { left, mask }
        }
    }

    fn say_command(&self, body: &[u8], out: &mut Vec<u8>) {
        if body.starts_with(b"\x04PING") {
            self.control_frame(Control::Ping, &[], out);
        } else if matches!(self.opening, Opening::Open(Protocol::Bare)) && body.starts_with(b"\x05READY") {
            let identity = property(&body[6..], b"Identity");
            let mut mask = self.begin_message(0, identity.len() as u64, out);
            mask.apply(identity, out);
        } else {
            let mut mask = self.begin_message(ZWS_COMMAND, body.len() as u64, out);
            mask.apply(body, out);
        }
    }

    /// Translates what the peer says.
    fn hear(&mut self, mut wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
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
        if frame.mask.is_some() == self.is_client || !frame.is_final || reserved {
            return Err(LayerFault::WebSocket);
        }
        let mask = frame.mask.map_or(Mask::NONE, |key| Mask { key, at: 0 });
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
                let mut output = Vec::new();
                self.control_frame(Control::Pong, payload, &mut output);
                self.output = output;
            }
            Control::Close if self.closing => return Err(LayerFault::Closed),
            Control::Close => {
                self.closing = true;
                let mut output = std::mem::take(&mut self.output);
                self.control_frame(Control::Close, payload, &mut output);
                self.output = output;
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
        if !self.greeted && matches!(self.opening, Opening::Open(Protocol::Bare)) {
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

impl Layer for Zws {
    fn unwrap(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
        let used = match self.opening {
            Opening::Open(_) => 0,
            _ if wire.is_empty() => 0,
            _ => self.open(wire, plain)?,
        };
        self.hear(&wire[used..], plain)
    }

    fn wrap(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        // Control frames stand between messages, never inside one.
        if !matches!(self.outgoing, Outgoing::Body { .. }) {
            wire.append(&mut self.output);
        }
        if matches!(self.opening, Opening::Open(_)) {
            self.say(plain, wire);
        } else {
            self.early.extend_from_slice(plain);
        }
    }

    fn has_output(&self) -> bool {
        !self.output.is_empty() && !matches!(self.outgoing, Outgoing::Body { .. })
    }

    fn finish(&mut self) {
        if matches!(self.opening, Opening::Open(_)) && !std::mem::replace(&mut self.closing, true) {
            let mut output = std::mem::take(&mut self.output);
            self.control_frame(Control::Close, &GOODBYE, &mut output);
            self.output = output;
        }
    }
}

/// How many of the bytes at hand belong to what has `left` to come.
fn clip(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

/// Appends a frame of ZMTP.
fn frame(flags: u8, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(encode_header(flags, body.len() as u64).as_slice());
    out.extend_from_slice(body);
}

/// The greeting of a peer of ZMTP 3.0 with the mechanism NULL.
fn peer_greeting() -> [u8; GREETING_LEN] {
    let mut greeting = [0; GREETING_LEN];
    greeting[..16].copy_from_slice(b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\0NULL");
    greeting
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

#[cfg(test)]
mod tests {
    use super::*;
    use SocketType::{Dealer, Router};

    fn client() -> Zws {
        let (host, path) = ("example.org:80".to_owned(), "/".to_owned());
        Zws::new(Role::Client { host, path }, Dealer)
    }

    /// What an end says.
    fn said(zws: &mut Zws, plain: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        zws.wrap(plain, &mut wire);
        assert!(!zws.has_output());
        wire
    }

    /// What an end hears, in pieces of that length.
    fn heard(zws: &mut Zws, wire: &[u8], piece: usize) -> Result<Vec<u8>, LayerFault> {
        let mut plain = Vec::new();
        for piece in wire.chunks(piece.max(1)) {
            zws.unwrap(piece, &mut plain)?;
        }
        Ok(plain)
    }

    fn our_greeting() -> Vec<u8> {
        vec![0xFF; GREETING_LEN]
    }

    /// Two ends that are open and have said their greetings.
    fn open() -> (Zws, Zws) {
        let (mut client, mut server) = (client(), Zws::new(Role::Server, Router));
        let request = said(&mut client, &our_greeting());
        assert_eq!(heard(&mut server, &request, 7).unwrap(), peer_greeting());
        let answer = said(&mut server, &our_greeting());
        assert_eq!(heard(&mut client, &answer, 7).unwrap(), peer_greeting());
        (client, server)
    }

    fn zmtp(flags: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame(flags, body, &mut out);
        out
    }

    #[test]
    fn frames_pass_both_ways_however_they_are_cut() {
        let frames: Vec<u8> = [0, 1, 124, 125, 126, 255, 256, 65_534, 65_535, 70_000]
            .into_iter()
            .flat_map(|len| zmtp(if len % 2 == 0 { MORE } else { 0 }, &vec![len as u8; len]))
            .chain(zmtp(COMMAND, b"\x09SUBSCRIBEtopic"))
            .collect();
        for piece in [1, 2, 3, 1000, usize::MAX] {
            let (client, server) = open();
            let (second_client, second_server) = open();
            for (mut from, mut to) in [(client, server), (second_server, second_client)] {
                let mut wire = Vec::new();
                frames
                    .chunks(piece.min(frames.len()))
                    .for_each(|bytes| from.wrap(bytes, &mut wire));
                assert_eq!(heard(&mut to, &wire, piece).unwrap(), frames, "{piece}");
            }
        }
    }

    #[test]
    fn the_wire_is_as_the_rfcs_say() {
        let (mut client, mut server) = open();
        assert_eq!(said(&mut server, &zmtp(MORE, b"ab")), b"\x82\x03\x01ab");
        assert_eq!(
            said(&mut server, &zmtp(COMMAND, b"\x04JOINx")),
            b"\x82\x07\x02\x04JOINx"
        );
        assert_eq!(said(&mut server, &zmtp(COMMAND, b"\x04PING\0\0")), b"\x89\0");
        let masked = said(&mut client, &zmtp(0, b"ab"));
        assert_eq!((masked.len(), &masked[..2]), (9, &b"\x82\x83"[..]));
        let key = &masked[2..6];
        let body: Vec<u8> = masked[6..]
            .iter()
            .zip(key)
            .map(|(byte, key)| byte ^ key)
            .collect();
        assert_eq!(body, b"\0ab");
    }

    #[test]
    fn pings_are_answered_by_the_websocket_and_told_as_signs_of_life() {
        let (mut client, mut server) = open();
        assert_eq!(
            heard(&mut client, b"\x89\x02hi", 1).unwrap(),
            b"",
            "not before READY"
        );
        assert!(client.has_output());
        let pong = said(&mut client, &[]);
        let plain = heard(&mut server, &pong, 1).unwrap();
        assert_eq!(plain, b"", "the pong was {pong:?}");
        let ready = said(&mut server, &zmtp(COMMAND, b"\x05READY"));
        heard(&mut client, &ready, 9).unwrap();
        assert_eq!(
            heard(&mut client, b"\x8A\0", 1).unwrap(),
            zmtp(COMMAND, b"\x04PONG")
        );
        // One answer at a time, whatever the peer provokes.
        for _ in 0..1000 {
            heard(&mut client, b"\x89\0", 2).unwrap();
        }
        assert_eq!(said(&mut client, &[]).len(), 6);
        // Not inside a message.
        let message = zmtp(0, &[7; 1000]);
        let first = said(&mut client, &message[..500]);
        heard(&mut client, b"\x89\0", 2).unwrap();
        assert!(!client.has_output());
        let mut wire = first;
        client.wrap(&message[500..], &mut wire);
        wire.extend(said(&mut client, &[]));
        let expected = [message, zmtp(COMMAND, b"\x04PONG")].concat();
        assert!(heard(&mut server, &wire, 13).unwrap() == expected);
    }

    #[test]
    fn a_peer_without_a_mechanism_greets_by_its_routing_id() {
        let mut server = Zws::new(Role::Server, Router);
        let request =
            b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0\r\n\r\n";
        assert_eq!(heard(&mut server, request, 100).unwrap(), peer_greeting());
        let ready = b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\x02us";
        let ours = said(&mut server, &[our_greeting(), zmtp(COMMAND, ready)].concat());
        assert!(ours.ends_with(b"\r\n\r\n\x82\x03\0us"));
        let mut peer = vec![0x82, 0x86, 0, 0, 0, 0, 0];
        peer.extend_from_slice(b"alice");
        let plain = heard(&mut server, &peer, 3).unwrap();
        let expected = b"\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\x05alice";
        assert_eq!(plain, zmtp(COMMAND, expected));
        peer[6] = ZWS_MORE;
        assert_eq!(
            heard(&mut server, &peer, 3).unwrap(),
            zmtp(MORE, b"alice"),
            "the next is a message"
        );
    }

    #[test]
    fn both_ends_say_goodbye() {
        let (mut client, mut server) = open();
        client.finish();
        let close = said(&mut client, &[]);
        assert_eq!(heard(&mut server, &close, 2), Err(LayerFault::Closed));
        let reply = said(&mut server, &[]);
        assert_eq!(reply, b"\x88\x02\x03\xe8");
        assert_eq!(heard(&mut client, &reply, 1), Err(LayerFault::Closed));
        assert!(!client.has_output());
        client.finish();
        assert!(!client.has_output(), "once");
    }

    #[test]
    fn what_breaks_the_rules_is_a_fault() {
        let wrong: [(&str, &[u8]); 11] = [
            ("masked by a server", b"\x82\x81\x01\x02\x03\x04\x01"),
            ("a piece of a message", b"\x02\x01\0"),
            ("a continuation", b"\x80\x01\0"),
            ("text", b"\x81\x01\0"),
            ("a reserved opcode", b"\x83\x01\0"),
            ("a reserved control opcode", b"\x8B\0"),
            ("a reserved bit", b"\xC2\x01\0"),
            ("no flags", b"\x82\0"),
            ("reserved flags", b"\x82\x01\x04"),
            ("a long ping", b"\x89\x7E\0\x7E"),
            ("a ping in pieces", b"\x09\0"),
        ];
        for (what, bytes) in wrong {
            let (mut client, _) = open();
            assert_eq!(heard(&mut client, bytes, 1), Err(LayerFault::WebSocket), "{what}");
        }
        let (_, mut server) = open();
        assert_eq!(
            heard(&mut server, b"\x82\x01\0", 1),
            Err(LayerFault::WebSocket),
            "not masked"
        );
    }

    #[test]
    fn a_head_without_end_and_one_that_is_wrong_are_faults() {
        let mut server = Zws::new(Role::Server, Router);
        let endless = [
            b"GET / HTTP/1.1\r\nX: ".as_slice(),
            &[b'x'; limits::HTTP_HEAD_MAX],
        ]
        .concat();
        assert_eq!(heard(&mut server, &endless, 100), Err(LayerFault::WebSocket));
        let mut server = Zws::new(Role::Server, Router);
        assert_eq!(
            heard(&mut server, b"GET / HTTP/1.1\r\n\r\n", 100),
            Err(LayerFault::WebSocket)
        );
        assert_eq!(said(&mut server, &[]), http::BAD_REQUEST);
        let mut client = client();
        assert_eq!(
            heard(&mut client, b"HTTP/1.1 404 Not Found\r\n\r\n", 100),
            Err(LayerFault::WebSocket)
        );
    }

    #[test]
    fn an_announced_length_costs_nothing() {
        let (mut client, _) = open();
        let announced = b"\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0";
        let plain = heard(&mut client, announced, 100).unwrap();
        assert_eq!(plain, b"\x02\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE");
    }
}
