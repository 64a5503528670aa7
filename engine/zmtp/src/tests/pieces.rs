//! The same bytes cut differently mean the same.

use proptest::collection::vec;
use proptest::prelude::*;

use super::cases;
use crate::fuzz::{self, check_stream, slow_trace, tight_config, trace, wire};
use crate::{Config, SocketType};

#[test]
fn every_case_survives_any_regular_cut() {
    for case in cases::all() {
        check_stream(&Config::new(case.socket_type), &case.stream);
        check_stream(&tight_config(case.socket_type), &case.stream);
    }
}

#[test]
fn the_comparison_can_fail() {
    let config = Config::new(SocketType::Pull);
    let mut stream = wire::handshake(SocketType::Push);
    stream.extend(wire::frame(0, b"hello"));
    let expected = slow_trace(&config, &stream);
    *stream.last_mut().unwrap() ^= 1;
    assert_ne!(trace(&config, [&stream[..]]), expected);
    stream.pop();
    assert_ne!(trace(&config, [&stream[..]]), expected);
}

/// Something that a peer may send during traffic, mostly valid.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let body = || vec(any::<u8>(), 0..300);
    prop_oneof![
        8 => (0..2_u8, vec(any::<u8>(), 0..40)).prop_map(|(more, b)| wire::frame(more, &b)),
        4 => (0..2_u8, body()).prop_map(|(more, b)| wire::frame(more, &b)),
        2 => (0..2_u8, body()).prop_map(|(more, b)| wire::long_frame(more, &b)),
        1 => (900..1200_usize).prop_map(|len| wire::frame(0, &vec![7; len])),
        1 => (2500..3100_usize).prop_map(|len| wire::frame(0, &vec![7; len])),
        2 => vec(any::<u8>(), 2..20).prop_map(|b| wire::command(b"PING", &b)),
        1 => vec(any::<u8>(), 0..20).prop_map(|b| wire::command(b"PONG", &b)),
        2 => body().prop_map(|b| wire::command(b"SUBSCRIBE", &b)),
        1 => body().prop_map(|b| wire::command(b"CANCEL", &b)),
        1 => body().prop_map(|b| wire::command(b"JOIN", &b)),
        1 => body().prop_map(|b| wire::command(b"FOO", &b)),
        1 => vec(any::<u8>(), 0..12),
    ]
}

/// Cuts a stream at these places, as far as they lie within it.
fn cut<'a>(stream: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = stream;
    let mut pieces = Vec::new();
    for &size in sizes.iter().cycle() {
        if rest.is_empty() || sizes.iter().all(|&size| size == 0) {
            break;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn kinds() -> impl Strategy<Value = (SocketType, SocketType)> {
    prop_oneof![
        Just((SocketType::Pull, SocketType::Push)),
        Just((SocketType::XPub, SocketType::Sub)),
        Just((SocketType::Radio, SocketType::Dish)),
    ]
}

proptest! {
    #[test]
    fn any_cut_of_traffic_gives_the_same(
        (ours, theirs) in kinds(),
        chunks in vec(chunk(), 0..30),
        sizes in vec(0..700_usize, 1..12),
    ) {
        let mut stream = wire::handshake(theirs);
        stream.extend(chunks.concat());
        for config in [Config::new(ours), tight_config(ours)] {
            let expected = slow_trace(&config, &stream);
            prop_assert_eq!(&trace(&config, [&stream[..]]), &expected);
            prop_assert_eq!(&trace(&config, cut(&stream, &sizes)), &expected);
        }
    }

    #[test]
    fn a_damaged_stream_means_the_same_in_any_cut(
        (ours, theirs) in kinds(),
        chunks in vec(chunk(), 0..8),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        sizes in vec(0..70_usize, 1..12),
    ) {
        let mut stream = wire::handshake(theirs);
        stream.extend(chunks.concat());
        for (index, byte) in damage {
            let at = index.index(stream.len());
            stream[at] = byte;
        }
        let config = tight_config(ours);
        let expected = slow_trace(&config, &stream);
        prop_assert_eq!(&trace(&config, [&stream[..]]), &expected);
        prop_assert_eq!(&trace(&config, cut(&stream, &sizes)), &expected);
    }

    #[test]
    fn any_bytes_are_survived(data in vec(any::<u8>(), 0..600)) {
        fuzz::fuzz_connection(&data);
        fuzz::fuzz_frames(&data);
        fuzz::fuzz_command(&data);
    }

    #[test]
    fn frames_of_small_values_are_survived(data in vec(0..9_u8, 0..600)) {
        fuzz::fuzz_frames(&data);
        fuzz::fuzz_command(&data);
    }
}
