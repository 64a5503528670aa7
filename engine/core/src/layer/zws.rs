//! ZeroMQ over WebSockets (RFC 45): each frame of ZMTP is a binary message that begins with a byte of flags.
//!
//! There is no greeting, since the WebSocket's handshake does its work; heartbeats are the WebSocket's own. ZMTP above
//! knows nothing of this: its greeting is swallowed, and it is given one as of a peer of ZMTP 3.0, whose publishers and
//! subscribers agree by messages, as over WebSockets.

mod framing;
mod incoming;
mod outgoing;

use ringmq_zmtp::{SocketType, frame::encode_header};
use tungstenite::protocol::frame::coding::Control;

use super::{
    Layer, LayerFault,
    http::{self, Protocol},
};
use crate::limits;
use framing::Framing;
use incoming::Incoming;
use outgoing::Outgoing;

/// Bytes of the greeting of ZMTP.
const GREETING_LEN: usize = 64;
/// The flags of a ZWS frame (RFC 45).
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
    framing: Framing,
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
    Open,
}

impl Zws {
    /// A WebSocket that is to be opened. A client begins with its request.
    pub(crate) fn new(role: Role, socket_type: SocketType) -> Self {
        let is_client = matches!(role, Role::Client { .. });
        let framing = Framing { is_client };
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
            framing,
            opening,
            early: Vec::new(),
            outgoing: Outgoing::new(framing),
            incoming: Incoming::Header(Vec::new()),
            output,
            greeted: false,
            closing: false,
        }
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
            Opening::Open => None,
        };
        let Some((len, protocol)) = judged else {
            let full = before + wire.len() >= limits::HTTP_HEAD_MAX;
            return if full {
                Err(LayerFault::WebSocket)
            } else {
                Ok(wire.len())
            };
        };
        self.opening = Opening::Open;
        plain.extend_from_slice(&peer_greeting());
        self.outgoing.is_bare = matches!(protocol, Protocol::Bare);
        let early = std::mem::take(&mut self.early);
        self.outgoing.say(&early, &mut self.output);
        Ok(len - before)
    }
}

impl Layer for Zws {
    fn unwrap(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
        let used = match self.opening {
            Opening::Open => 0,
            _ if wire.is_empty() => 0,
            _ => self.open(wire, plain)?,
        };
        self.hear(&wire[used..], plain)
    }

    fn wrap(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        // Control frames stand between messages, never inside one.
        if !self.outgoing.is_inside_message() {
            wire.append(&mut self.output);
        }
        if matches!(self.opening, Opening::Open) {
            self.outgoing.say(plain, wire);
        } else {
            self.early.extend_from_slice(plain);
        }
    }

    fn has_output(&self) -> bool {
        !self.output.is_empty() && !self.outgoing.is_inside_message()
    }

    fn finish(&mut self) {
        if matches!(self.opening, Opening::Open) && !std::mem::replace(&mut self.closing, true) {
            self.framing.control(Control::Close, &GOODBYE, &mut self.output);
        }
    }
}

/// The greeting of a peer of ZMTP 3.0 with the mechanism NULL.
fn peer_greeting() -> [u8; GREETING_LEN] {
    let mut greeting = [0; GREETING_LEN];
    greeting[..16].copy_from_slice(b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\0NULL");
    greeting
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

#[cfg(test)]
mod tests;
