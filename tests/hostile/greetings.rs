//! What does not get as far as a ZMTP greeting.

use std::thread;
use std::time::{Duration, Instant};

use ringmq::monitor::{DisconnectReason, HandshakeFault, ProtocolFault};
use ringmq_tests::random::Random;
use ringmq_tests::raw_peer::{Ending, PATIENCE, RawPeer};
use ringmq_tests::recipe::{self, MORE};

use crate::arena::{self, Fate, refused};

const NO_ZMTP: Fate = refused(ProtocolFault::ZmtpUnspecified);

/// A ClientHello of TLS 1.3, shortened.
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\x9A\x5C\x11";

#[test]
fn other_protocols_are_sent_away() {
    let mut arena = arena::router(|_| {});
    let others: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        TLS_HELLO,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\x00\x00\x85\xFFSMB\x72\x00\x00\x00\x00\x18\x53\xC8",
        &[0; 1 << 20],
        &[0xFF; 1 << 20],
    ];
    for bytes in others {
        // `FF` repeated is a signature to its tenth byte, and then a version that does not exist yet.
        let far = bytes.starts_with(&[0xFF; 64]);
        let fate = if far {
            refused(ProtocolFault::ZmtpMechanismMismatch)
        } else {
            NO_ZMTP
        };
        arena.expect_refusal(bytes, fate);
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn random_bytes_are_sent_away() {
    let mut arena = arena::pull(|_| {});
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let length = random.up_to(4096);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next_u64() as u8).collect();
        if seed % 2 == 0 {
            // Half of them look like a greeting at first sight.
            bytes.splice(..0, recipe::greeting(1)[..random.up_to(64)].to_vec());
        }
        let mut peer = arena.connect();
        arena::send_into_the_wind(&mut peer, &bytes);
        // Too few bytes to be wrong are answered by the end of the stream.
        let _ = peer.finish_sending();
        assert_ne!(
            peer.read_to_ending(PATIENCE).unwrap(),
            Ending::StillOpen,
            "seed {seed}"
        );
        let fate = arena.fate(&peer);
        assert!(matches!(fate, Fate::Refused(..)), "seed {seed}: {fate:?}");
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn megabytes_of_noise_are_sent_away() {
    let mut arena = arena::pull(|_| {});
    let mut random = Random::new(7);
    let mut noise: Vec<u8> = (0..1 << 17)
        .flat_map(|_| random.next_u64().to_ne_bytes())
        .collect();
    noise[0] = 0x42;
    noise[1] = 0x42;
    arena.expect_refusal(&noise, NO_ZMTP);
    // libzmq once allocated what such a greeting seems to announce.
    let mut announcing = vec![0xFF; 8];
    announcing.extend([0xDA, 0x00]);
    announcing.extend([0x41; 5000]);
    arena.expect_refusal(&announcing, NO_ZMTP);
    assert!(arena.finish().is_empty());
}

#[test]
fn peers_before_zmtp_3_are_sent_away() {
    let mut arena = arena::pull(|_| {});
    let v1 = [b"\x01\x00".as_slice(), b"\x06\x00hello"].concat();
    let v2 = [
        recipe::greeting_v2(8),
        recipe::frame(0, b""),
        recipe::frame(0, b"hello"),
    ]
    .concat();
    arena.expect_refusal(&v1, NO_ZMTP);
    arena.expect_refusal(&v2, NO_ZMTP);
    for version in [0, 1, 2] {
        let mut greeting = recipe::greeting(1);
        greeting[10] = version;
        arena.expect_refusal(&greeting, NO_ZMTP);
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn later_versions_and_odd_fillers_are_welcome() {
    let arena = arena::pull(|_| {});
    for (place, value) in [(10, 4), (10, 255), (11, 255), (32, 1), (32, 255), (40, 9)] {
        let mut greeting = recipe::greeting(1);
        greeting[place] = value;
        let mut peer = arena.connect();
        peer.send(&greeting).unwrap();
        peer.send(&recipe::ready("PUSH", None)).unwrap();
        peer.read_exact(64).unwrap();
        peer.read_frame().unwrap();
        arena.expect_alive(&mut peer);
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn other_mechanisms_are_sent_away() {
    let mut arena = arena::pull(|_| {});
    let mismatch = refused(ProtocolFault::ZmtpMechanismMismatch);
    let names: [&[u8]; 8] = [
        b"",
        b"PLAIN",
        b"CURVE",
        b"null",
        b"NULLx",
        b"NULL\0PLAIN",
        b"NULLNULLNULLNULLNULL",
        &[0xFF; 20],
    ];
    for name in names {
        arena.expect_refusal(&recipe::greeting_with(1, name, false), mismatch);
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn greetings_cut_by_the_peer_are_reported() {
    let mut arena = arena::pull(|_| {});
    let greeting = recipe::greeting(1);
    for length in (0..=64).step_by(8) {
        let mut peer = arena.connect();
        peer.send(&greeting[..length]).unwrap();
        peer.finish_sending().unwrap();
        assert_ne!(peer.read_to_ending(PATIENCE).unwrap(), Ending::StillOpen);
        let cut = HandshakeFault::NoDetail {
            errno: nix::errno::Errno::EPIPE as i32,
        };
        assert_eq!(
            arena.fate(&peer),
            Fate::Refused(cut, DisconnectReason::PeerClosed),
            "{length} bytes"
        );
    }
    assert!(arena.finish().is_empty());
}

const TOO_LATE: Fate = Fate::Refused(
    HandshakeFault::NoDetail {
        errno: nix::errno::Errno::ETIMEDOUT as i32,
    },
    DisconnectReason::HandshakeTimeout,
);

#[test]
fn silence_ends_with_the_time_for_the_handshake() {
    let limit = Duration::from_millis(500);
    let mut arena = arena::router(|router| router.set_handshake_interval(Some(limit)));
    // Any part of a greeting, and a greeting with part of a READY.
    let bytes = [recipe::greeting(1), recipe::ready("DEALER", Some(b""))].concat();
    let start = Instant::now();
    let mut peers: Vec<RawPeer> = Vec::new();
    for length in 0..bytes.len() {
        let mut peer = arena.connect();
        peer.send(&bytes[..length]).unwrap();
        peers.push(peer);
    }
    for (length, peer) in peers.iter_mut().enumerate() {
        arena.expect(peer, TOO_LATE, &bytes[..length]);
    }
    let elapsed = start.elapsed();
    assert!(elapsed >= limit, "sent away after {elapsed:?} already");
    assert!(arena.finish().is_empty());
}

#[test]
fn a_byte_now_and_then_does_not_extend_the_time() {
    let limit = Duration::from_millis(500);
    let mut arena = arena::router(|router| router.set_handshake_interval(Some(limit)));
    let mut peer = arena.connect();
    let start = Instant::now();
    let bytes = [recipe::greeting(1), recipe::ready("DEALER", Some(b""))].concat();
    let mut sent = 0;
    // The peer of this test is slow by design: all its bytes take ten times as long as it has.
    while peer.read_to_ending(limit / 10).unwrap() == Ending::StillOpen {
        assert!(sent < bytes.len() - 1, "each byte has given it more time");
        if peer.send(&bytes[sent..=sent]).is_err() {
            break;
        }
        sent += 1;
    }
    let elapsed = start.elapsed();
    assert_eq!(arena.fate(&peer), TOO_LATE);
    assert!(elapsed >= limit, "sent away after {elapsed:?}");
    assert!(arena.finish().is_empty());
}

#[test]
fn half_a_message_then_reset_again_and_again() {
    let mut arena = arena::pull(|_| {});
    for round in 0..500 {
        let mut peer = arena.establish("PUSH");
        peer.send(&recipe::frame(MORE, b"hello")).unwrap();
        if round % 2 == 0 {
            // Half of the time the part has surely been read before.
            arena.expect_alive(&mut peer);
        }
        let address = peer.stream().local_addr().unwrap();
        reset(peer);
        let fate = arena.fate_of(address);
        let reset = DisconnectReason::Io(nix::errno::Errno::ECONNRESET as i32);
        assert_eq!(fate, Fate::Ended(reset), "round {round}");
    }
    assert!(arena.finish().is_empty(), "half a message came through");
}

/// Closes a connection with RST.
pub(crate) fn reset(peer: RawPeer) {
    let abort = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(peer.stream(), nix::sys::socket::sockopt::Linger, &abort).unwrap();
    drop(peer);
}

#[test]
fn many_bad_peers_at_once() {
    let mut arena = arena::pull(|_| {});
    let address = arena.address;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let mut addresses = Vec::new();
                for _ in 0..50 {
                    let mut peer = RawPeer::connect(address).unwrap();
                    arena::send_into_the_wind(&mut peer, TLS_HELLO);
                    assert_ne!(peer.read_to_ending(PATIENCE).unwrap(), Ending::StillOpen);
                    addresses.push(peer.stream().local_addr().unwrap());
                }
                addresses
            })
        })
        .collect();
    for thread in threads {
        for address in thread.join().unwrap() {
            assert_eq!(arena.fate_of(address), NO_ZMTP);
        }
    }
    assert!(arena.finish().is_empty());
}
