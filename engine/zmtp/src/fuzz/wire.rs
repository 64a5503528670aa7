//! Bytes as a peer sends them, put together by hand.

use crate::socket_type::SocketType;

/// A greeting of version 3 and this minor.
pub(crate) fn greeting(minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03".to_vec();
    bytes.push(minor);
    bytes.extend_from_slice(mechanism);
    bytes.resize(64, 0);
    bytes
}

/// A frame with a length of one byte if that suffices.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    if body.len() > 255 {
        return long_frame(flags, body);
    }
    let mut bytes = vec![flags, body.len() as u8];
    bytes.extend_from_slice(body);
    bytes
}

/// A frame with a length of eight bytes, even if one would do.
pub(crate) fn long_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = long_header(flags, body.len() as u64);
    bytes.extend_from_slice(body);
    bytes
}

/// A header with a length of eight bytes.
pub(crate) fn long_header(flags: u8, body_len: u64) -> Vec<u8> {
    let mut bytes = vec![flags | 2];
    bytes.extend_from_slice(&body_len.to_be_bytes());
    bytes
}

/// A command frame.
pub(crate) fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name);
    body.extend_from_slice(data);
    frame(4, &body)
}

/// A property of metadata.
pub(crate) fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![name.len() as u8];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// The READY of an anonymous socket.
pub(crate) fn ready(socket_type: SocketType) -> Vec<u8> {
    let mut metadata = property(b"Socket-Type", socket_type.wire_name().as_bytes());
    if socket_type.sends_identity() {
        metadata.extend(property(b"Identity", b""));
    }
    command(b"READY", &metadata)
}

/// All that an anonymous 3.1 peer sends before its first message.
pub(crate) fn handshake(socket_type: SocketType) -> Vec<u8> {
    let mut bytes = greeting(1, b"NULL");
    bytes.extend(ready(socket_type));
    bytes
}
