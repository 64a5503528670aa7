//! Frames and commands on an established connection.

use ringmq::monitor::ProtocolFault;
use ringmq_tests::recipe::{self, COMMAND, LONG, MORE, command};

use crate::arena::{self, TOO_MUCH, ended};

const UNSPECIFIED: ProtocolFault = ProtocolFault::ZmtpUnspecified;
const MALFORMED: ProtocolFault = ProtocolFault::ZmtpMalformedCommand;

#[test]
fn lengths_beyond_all_bounds_end_the_connection() {
    let mut arena = arena::pull(|_| {});
    let after = vec![0x41; 8 << 10];
    for length in [u64::MAX, 1 << 63, u64::MAX - 8, u64::MAX - 7] {
        arena.expect_end(
            "PUSH",
            &[recipe::long_header(0, length), after.clone()].concat(),
            TOO_MUCH,
        );
        arena.expect_end("PUSH", &recipe::long_header(MORE, length), TOO_MUCH);
    }
    assert!(arena.finish().is_empty());
}

/// These are permitted by RFC 37 and by a socket without a limit: nothing is wrong until the bytes are not coming.
#[test]
fn lengths_that_nobody_has_memory_for_wait_for_their_bytes() {
    let arena = arena::pull(|_| {});
    let mut peers = Vec::new();
    for length in [i64::MAX as u64, 1 << 62, (1 << 32) + 5, u64::from(u32::MAX)] {
        let mut peer = arena.establish("PUSH");
        peer.send(&[recipe::long_header(0, length), vec![0x41; 8 << 10]].concat())
            .unwrap();
        peers.push(peer);
    }
    // A connection that is accepted and answers after these shows that the worker has got past them.
    arena.expect_alive(&mut arena.establish("PUSH"));
    assert!(arena.finish().is_empty());
    drop(peers);
}

#[test]
fn the_size_limit_is_exact() {
    let mut arena = arena::pull(|pull| pull.set_max_message_size(Some(1000)));
    let mut expected = Vec::new();
    for size in [0, 1, 200, 255, 256, 999, 1000] {
        let body = vec![b'x'; size];
        let mut peer = arena.establish("PUSH");
        peer.send(&recipe::long_frame(0, &body)).unwrap();
        if size < 256 {
            peer.send(&recipe::frame(0, &body)).unwrap();
            expected.push(vec![body.clone()]);
        }
        arena.expect_alive(&mut peer);
        expected.push(vec![body]);
    }
    arena.expect_end("PUSH", &recipe::long_frame(0, &[b'x'; 1001]), TOO_MUCH);
    arena.expect_end("PUSH", &recipe::long_header(0, 1001), TOO_MUCH);
    // The limit is that of one part, as in libzmq.
    let mut peer = arena.establish("PUSH");
    let parts = vec![vec![b'y'; 143]; 7];
    for (number, part) in parts.iter().enumerate() {
        let flags = if number < 6 { MORE } else { 0 };
        peer.send(&recipe::frame(flags, part)).unwrap();
    }
    arena.expect_alive(&mut peer);
    expected.push(parts);
    assert_eq!(sorted(arena.finish()), sorted(expected));
}

/// The messages of different peers come in any order.
fn sorted(mut messages: Vec<arena::Parts>) -> Vec<arena::Parts> {
    messages.sort();
    messages
}

#[test]
fn a_size_limit_below_the_short_frames_holds_for_them() {
    let mut arena = arena::pull(|pull| pull.set_max_message_size(Some(100)));
    let mut peer = arena.establish("PUSH");
    peer.send(&recipe::frame(0, &[b'x'; 100])).unwrap();
    arena.expect_alive(&mut peer);
    arena.expect_end("PUSH", &recipe::frame(0, &[b'x'; 101]), TOO_MUCH);
    assert_eq!(arena.finish(), [[[b'x'; 100]]]);
}

#[test]
fn reserved_flags_end_the_connection() {
    let mut arena = arena::pull(|_| {});
    for flags in [
        0x08,
        0x10,
        0x20,
        0x40,
        0x80,
        0xF8,
        0xFF,
        COMMAND | MORE,
        COMMAND | MORE | LONG,
    ] {
        arena.expect_end("PUSH", &recipe::frame(flags, b"hello"), ended(UNSPECIFIED));
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn what_came_before_a_violation_is_delivered() {
    let mut arena = arena::pull(|_| {});
    let bytes = [
        recipe::frame(0, b"whole"),
        recipe::frame(MORE, b"half"),
        recipe::frame(0xF8, b"bad"),
    ]
    .concat();
    arena.expect_end("PUSH", &bytes, ended(UNSPECIFIED));
    assert_eq!(arena.finish(), [[b"whole"]]);
}

#[test]
fn long_forms_of_short_frames_are_accepted() {
    let arena = arena::pull(|_| {});
    let mut peer = arena.establish("PUSH");
    peer.send(&recipe::long_frame(0, b"hello")).unwrap();
    peer.send(&recipe::long_frame(COMMAND, &recipe::ping(0, b"long")[2..]))
        .unwrap();
    let pong = peer.read_frame().unwrap();
    assert_eq!(pong.command(), Some((b"PONG".as_slice(), b"long".as_slice())));
    assert_eq!(arena.finish(), [[b"hello"]]);
}

#[test]
fn short_pings_end_the_connection() {
    let mut arena = arena::pull(|pull| pull.set_heartbeat_interval(Some(std::time::Duration::from_secs(60))));
    for body in [
        b"\x04PING".as_slice(),
        b"\x04PING\0",
        b"\x04PIN",
        b"\x04PI",
        b"\x04P",
        b"\x04",
    ] {
        let mut peer = arena.establish("PUSH");
        let before = peer.received().len();
        arena::send_into_the_wind(&mut peer, &recipe::frame(COMMAND, body));
        arena.expect(&mut peer, ended(MALFORMED), body);
        assert_eq!(
            peer.received().len(),
            before,
            "an answer to {}",
            body.escape_ascii()
        );
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn long_contexts_come_back_cut_and_long_times_to_live_stay_long() {
    let arena = arena::pull(|_| {});
    for ttl in [0x0290, 0xFFFF] {
        let mut peer = arena.establish("PUSH");
        peer.send(&recipe::ping(ttl, b"0123456789abcdefg")).unwrap();
        let pong = peer.read_frame().unwrap();
        assert_eq!(
            pong.command(),
            Some((b"PONG".as_slice(), b"0123456789abcdef".as_slice()))
        );
        // In 16 bits 0x0290 tenths of a second are 64 ms, and these have passed when the peer is found open here.
        let ending = peer
            .read_to_ending(std::time::Duration::from_millis(200))
            .unwrap();
        assert_eq!(ending, ringmq_tests::raw_peer::Ending::StillOpen);
        arena.expect_alive(&mut peer);
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn malformed_commands_end_the_connection_and_unknown_ones_do_not() {
    let mut arena = arena::pull(|_| {});
    arena.expect_end("PUSH", &recipe::frame(COMMAND, b""), ended(MALFORMED));
    arena.expect_end("PUSH", &recipe::frame(COMMAND, b"\xFF"), ended(MALFORMED));
    arena.expect_end("PUSH", &recipe::frame(COMMAND, b"\0"), ended(MALFORMED));
    arena.expect_end("PUSH", &recipe::long_header(COMMAND, 1 << 20), TOO_MUCH);
    let mut peer = arena.establish("PUSH");
    for unasked in [
        command(b"FOO", b""),
        command(b"FOO", &[0; 1000]),
        recipe::pong(b""),
        recipe::pong(&[0; 300]),
    ] {
        peer.send(&unasked).unwrap();
    }
    arena.expect_alive(&mut peer);
    peer.send(&recipe::frame(0, b"after all")).unwrap();
    arena.expect_alive(&mut peer);
    assert_eq!(arena.finish(), [[b"after all"]]);
}

#[test]
fn commands_between_parts_do_not_break_the_message() {
    let arena = arena::pull(|_| {});
    let mut peer = arena.establish("PUSH");
    peer.send(&recipe::frame(MORE, b"one")).unwrap();
    arena.expect_alive(&mut peer);
    peer.send(&recipe::frame(0, b"two")).unwrap();
    arena.expect_alive(&mut peer);
    assert_eq!(arena.finish(), [[b"one", b"two"]]);
}
