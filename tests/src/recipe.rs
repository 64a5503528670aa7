//! Bytes of ZMTP, written out by hand.
//!
//! Nothing here shares code with the engine, so that a mistake in the engine's encoder is not repeated by the
//! test that should find it. Lengths are taken as given: a recipe also makes frames that lie.

/// More parts of the same message follow.
pub const MORE: u8 = 1;
/// The length has eight bytes.
pub const LONG: u8 = 2;
/// The frame is a command.
pub const COMMAND: u8 = 4;

/// A greeting of ZMTP 3.`minor` with the NULL mechanism, 64 bytes (RFC 23 and 37, "Greeting").
pub fn greeting(minor: u8) -> Vec<u8> {
    greeting_with(minor, b"NULL", false)
}

/// A greeting with any mechanism name of up to 20 bytes and either value of as-server.
///
/// # Panics
///
/// If the name is longer.
pub fn greeting_with(minor: u8, mechanism: &[u8], as_server: bool) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, minor];
    bytes.extend_from_slice(mechanism);
    assert!(bytes.len() <= 32, "a mechanism name has at most 20 bytes");
    bytes.resize(32, 0);
    bytes.push(as_server.into());
    bytes.resize(64, 0);
    bytes
}

/// A greeting of ZMTP 2.0, 12 bytes (RFC 15), with the socket type's number in that version.
pub fn greeting_v2(socket_type: u8) -> Vec<u8> {
    vec![0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1, socket_type]
}

/// A frame with `flags` as they are and a length of one byte.
///
/// # Panics
///
/// If the body is longer than 255 bytes.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("the length fits in one byte");
    [&[flags, length], body].concat()
}

/// A frame with a length of eight bytes, whether or not one would do.
pub fn long_frame(flags: u8, body: &[u8]) -> Vec<u8> {
    [long_header(flags, body.len() as u64), body.to_vec()].concat()
}

/// The head of a long frame that promises `length` bytes.
pub fn long_header(flags: u8, length: u64) -> Vec<u8> {
    [[flags | LONG].as_slice(), &length.to_be_bytes()].concat()
}

/// A command frame: the name with its length, then `data`.
pub fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [&[name.len() as u8], name, data].concat();
    if body.len() > 255 {
        long_frame(COMMAND, &body)
    } else {
        frame(COMMAND, &body)
    }
}

/// One metadata property of READY.
pub fn property(name: &[u8], value: &[u8]) -> Vec<u8> {
    [
        &[name.len() as u8],
        name,
        &(value.len() as u32).to_be_bytes(),
        value,
    ]
    .concat()
}

/// READY of the NULL mechanism. REQ, DEALER and ROUTER send an `identity`, which may be empty.
pub fn ready(socket_type: &str, identity: Option<&[u8]>) -> Vec<u8> {
    let mut properties = property(b"Socket-Type", socket_type.as_bytes());
    if let Some(identity) = identity {
        properties.extend(property(b"Identity", identity));
    }
    command(b"READY", &properties)
}

/// SUBSCRIBE of ZMTP 3.1.
pub fn subscribe(topic: &[u8]) -> Vec<u8> {
    command(b"SUBSCRIBE", topic)
}

/// CANCEL of ZMTP 3.1.
pub fn cancel(topic: &[u8]) -> Vec<u8> {
    command(b"CANCEL", topic)
}

/// A subscription as a message, as ZMTP 3.0 sends it.
pub fn subscribe_v30(topic: &[u8]) -> Vec<u8> {
    frame(0, &[&[1], topic].concat())
}

/// A withdrawn subscription as a message, as ZMTP 3.0 sends it.
pub fn cancel_v30(topic: &[u8]) -> Vec<u8> {
    frame(0, &[&[0], topic].concat())
}

/// PING with a time to live in tenths of a second.
pub fn ping(ttl_ds: u16, context: &[u8]) -> Vec<u8> {
    command(b"PING", &[&ttl_ds.to_be_bytes(), context].concat())
}

/// PONG.
pub fn pong(context: &[u8]) -> Vec<u8> {
    command(b"PONG", context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_the_ones_of_the_rfc() {
        let bytes = greeting(1);
        assert_eq!(bytes.len(), 64);
        assert_eq!(bytes[..16], *b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL");
        assert!(bytes[16..].iter().all(|&byte| byte == 0));
        assert_eq!(greeting_with(0, b"PLAIN", true)[32], 1);
    }

    #[test]
    fn ready_has_the_published_lengths() {
        let push = ready("PUSH", None);
        assert_eq!(push, b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH");
        assert_eq!(ready("SUB", None)[1], 0x19);
        assert_eq!(ready("DEALER", None)[1], 0x1C);
        assert_eq!(ready("DEALER", Some(b""))[1], 0x29);
    }

    #[test]
    fn commands_carry_their_data() {
        assert_eq!(ping(10, b"ctx"), b"\x04\x0A\x04PING\x00\x0Actx");
        assert_eq!(subscribe(b"a"), b"\x04\x0B\x09SUBSCRIBEa");
        assert_eq!(cancel_v30(b"a"), b"\x00\x02\x00a");
        assert_eq!(
            subscribe(&[7; 250])[..9],
            [COMMAND | LONG, 0, 0, 0, 0, 0, 0, 1, 4]
        );
        assert_eq!(long_header(MORE, 1), [3, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
