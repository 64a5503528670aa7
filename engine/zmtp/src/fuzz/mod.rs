//! Entry points for fuzzers, replayed over the committed corpus by an ordinary test.
//!
//! Each takes any bytes and panics if the protocol core contradicts itself: if the same bytes cut
//! differently mean something else, or something else than to the obvious decoder in `slow`.

mod slow;
mod trace;
pub(crate) mod wire;

use crate::command::Command;
use crate::config::{Config, SLAB_LEN_MIN};
use crate::error::{CommandName, Violation};
use crate::frame;
use crate::metadata::Metadata;
use crate::socket_type::SocketType;

pub(crate) use slow::slow_trace;
#[cfg(test)]
pub(crate) use trace::Item;
pub(crate) use trace::trace;

/// All bytes of a peer, from its greeting on.
pub fn fuzz_connection(data: &[u8]) {
    // The socket type follows from the input, so that nothing of it is lost to the choice.
    let ours = [
        SocketType::Pull,
        SocketType::XPub,
        SocketType::Router,
        SocketType::Radio,
    ];
    let socket_type = ours[data.len() % ours.len()];
    check_stream(&Config::new(socket_type), data);
    check_stream(&tight_config(socket_type), data);
}

/// The bytes of a peer after the handshake, and the same bytes as if they were trusted.
pub fn fuzz_frames(data: &[u8]) {
    for (ours, theirs) in [
        (SocketType::Pull, SocketType::Push),
        (SocketType::XPub, SocketType::Sub),
    ] {
        let mut stream = wire::handshake(theirs);
        stream.extend_from_slice(data);
        check_stream(&tight_config(ours), &stream);
    }
    check_trusted(data);
}

/// The body of a command, and the same bytes as metadata.
pub fn fuzz_command(data: &[u8]) {
    if let Ok(metadata) = Metadata::parse(data) {
        assert!(metadata.identity.len() <= 255);
        let size: usize = metadata
            .properties
            .iter()
            .map(|(name, value)| 5 + name.len() + value.len())
            .sum();
        assert_eq!(size, data.len());
    }
    match Command::parse(data) {
        Ok(Command::Ping { context, .. }) => assert!(context.len() <= 16),
        Ok(Command::Error { reason }) => assert!(reason.len() <= 255),
        Ok(
            Command::Subscribe { topic: operand }
            | Command::Cancel { topic: operand }
            | Command::Join { group: operand }
            | Command::Leave { group: operand },
        ) => assert!(data.ends_with(operand)),
        Ok(Command::Ready { .. } | Command::Foreign { .. } | Command::Pong) => {}
        Ok(Command::Extension { .. } | Command::Unknown) => {}
        Err(Violation::MalformedCommand { command }) => {
            assert!(!matches!(command, CommandName::Ready | CommandName::Pong));
        }
        Err(other) => panic!("not a fault of a command: {other:?}"),
    }
}

/// Limits that small inputs reach.
pub(crate) fn tight_config(socket_type: SocketType) -> Config {
    Config {
        frame_size_max: Some(3000),
        message_size_max: 4000,
        message_parts_max: 8,
        slab_len: SLAB_LEN_MIN,
        ..Config::new(socket_type)
    }
}

/// The same bytes mean the same however they are cut, and to the obvious decoder.
pub(crate) fn check_stream(config: &Config, data: &[u8]) {
    let whole = trace(config, [data]);
    assert_eq!(whole, slow_trace(config, data), "in one piece");
    // One byte at a time costs a walk per byte: only as much as reveals something.
    if data.len() <= 4096 {
        assert_eq!(whole, trace(config, data.chunks(1)), "byte by byte");
    }
    for size in [3, 61, 1021] {
        assert_eq!(whole, trace(config, data.chunks(size)), "pieces of {size}");
    }
}

/// The functions for trusted bytes neither panic nor contradict the strict decoder.
fn check_trusted(data: &[u8]) {
    let mut at = 0;
    while let Some((flags, body, next)) = frame::next_frame(data, at) {
        let (header, len, more) = frame::frame_extent(&data[at..]).expect("a whole frame");
        assert_eq!(body, at + header..next);
        assert_eq!(len, body.len() as u64);
        assert_eq!(more, flags & frame::MORE != 0);
        if let Ok(step) = frame::decode_header(&data[at..]) {
            let expected = frame::HeaderStep::Header {
                len: header,
                body: len,
                flags,
            };
            assert_eq!(step, expected);
        }
        at = next;
    }
    assert!(at <= data.len());
}
