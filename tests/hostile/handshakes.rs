//! READY and what else may come, or not, before the handshake is over.

use ringmq::monitor::{DisconnectReason, HandshakeFault, ProtocolFault};
use ringmq_tests::recipe::{self, COMMAND, LONG, MORE, command, property};

use crate::arena::{self, Fate, ended, refused};

const METADATA: ProtocolFault = ProtocolFault::ZmtpInvalidMetadata;
const COMMAND_ORDER: ProtocolFault = ProtocolFault::ZmtpUnexpectedCommand;
const MALFORMED: ProtocolFault = ProtocolFault::ZmtpMalformedCommand;
const UNSPECIFIED: ProtocolFault = ProtocolFault::ZmtpUnspecified;

fn socket_type(name: &[u8]) -> Vec<u8> {
    property(b"Socket-Type", name)
}

fn ready_of(properties: &[Vec<u8>]) -> Vec<u8> {
    command(b"READY", &properties.concat())
}

/// What a DEALER may announce, and what else it may not.
fn bad_readies() -> Vec<(&'static str, Vec<u8>, ProtocolFault)> {
    let dealer = socket_type(b"DEALER");
    let claim = |length: u32| [b"\x0BSocket-Type".as_slice(), &length.to_be_bytes(), b"DEALER"].concat();
    vec![
        ("no body", recipe::frame(COMMAND, b""), MALFORMED),
        ("no name", recipe::frame(COMMAND, b"\0"), MALFORMED),
        (
            "a name beyond its end",
            recipe::frame(COMMAND, b"\xFFREADY"),
            MALFORMED,
        ),
        ("a name cut", recipe::frame(COMMAND, b"\x05READ"), MALFORMED),
        ("no properties", ready_of(&[]), METADATA),
        (
            "no Socket-Type",
            ready_of(&[property(b"X-Colour", b"blue")]),
            METADATA,
        ),
        (
            "two Socket-Types",
            ready_of(&[dealer.clone(), dealer.clone()]),
            METADATA,
        ),
        ("an unknown type", ready_of(&[socket_type(b"DEALERS")]), METADATA),
        ("an empty type", ready_of(&[socket_type(b"")]), METADATA),
        (
            "a type in lower case",
            ready_of(&[socket_type(b"dealer")]),
            METADATA,
        ),
        ("a value one byte beyond the end", ready_of(&[claim(7)]), METADATA),
        (
            "a value far beyond the end",
            ready_of(&[claim(0x7FFF_FFFF)]),
            METADATA,
        ),
        ("a value of 2^32-1", ready_of(&[claim(u32::MAX)]), METADATA),
        ("a value one byte too short", ready_of(&[claim(5)]), METADATA),
        (
            "a property name beyond the end",
            ready_of(&[dealer.clone(), b"\xFFX-".to_vec()]),
            METADATA,
        ),
        (
            "half a value length",
            ready_of(&[dealer.clone(), b"\x03X-a\0\0".to_vec()]),
            METADATA,
        ),
        (
            "a property without a name",
            ready_of(&[dealer.clone(), property(b"", b"v")]),
            METADATA,
        ),
        (
            "two Identities",
            ready_of(&[
                dealer.clone(),
                property(b"Identity", b"a"),
                property(b"identity", b"b"),
            ]),
            METADATA,
        ),
        (
            "an Identity of 256 bytes",
            ready_of(&[dealer.clone(), property(b"Identity", &[b'i'; 256])]),
            METADATA,
        ),
        (
            "an Identity that begins with 0",
            ready_of(&[dealer.clone(), property(b"Identity", b"\0a")]),
            METADATA,
        ),
        (
            "8000 properties",
            ready_of(&vec![property(b"a", b""); 8000]),
            METADATA,
        ),
    ]
}

#[test]
fn bad_metadata_is_refused() {
    let mut arena = arena::router(|_| {});
    for (what, ready, fault) in bad_readies() {
        eprintln!("READY with {what}");
        arena.expect_refusal(&[recipe::greeting(1), ready].concat(), refused(fault));
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn odd_metadata_is_accepted() {
    let arena = arena::router(|_| {});
    let dealer = socket_type(b"DEALER");
    let odd = [
        ready_of(&[property(b"socket-TYPE", b"DEALER")]),
        ready_of(&[dealer.clone(), property(b"Identity", &[b'i'; 255])]),
        ready_of(&[
            dealer.clone(),
            property(b"X-Colour", b"blue"),
            property(b"X-Colour", b"red"),
        ]),
        ready_of(&[property(b"Identity", b""), dealer.clone()]),
        ready_of(&[dealer.clone(), property(b"X-Large", &[0; 60_000])]),
        recipe::long_frame(COMMAND, &recipe::ready("DEALER", None)[2..]),
    ];
    for ready in odd {
        let mut peer = arena.connect();
        peer.send(&recipe::greeting(1)).unwrap();
        peer.send(&ready).unwrap();
        peer.read_exact(64).unwrap();
        peer.read_frame().unwrap();
        arena.expect_alive(&mut peer);
    }
    assert!(arena.finish().is_empty());
}

/// Types that do not fit say so in their metadata, and libzmq names that as the cause where it names one.
#[test]
fn types_that_do_not_fit_are_refused() {
    let mut router = arena::router(|_| {});
    for name in ["PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "REP", "PAIR"] {
        let bytes = [recipe::greeting(1), recipe::ready(name, None)].concat();
        router.expect_refusal(&bytes, refused(METADATA));
    }
    assert!(router.finish().is_empty());
    let mut pull = arena::pull(|_| {});
    for name in [
        "PUB", "SUB", "XPUB", "XSUB", "PULL", "REQ", "REP", "DEALER", "ROUTER", "PAIR",
    ] {
        let bytes = [recipe::greeting(1), recipe::ready(name, None)].concat();
        pull.expect_refusal(&bytes, refused(METADATA));
    }
    assert!(pull.finish().is_empty());
}

#[test]
fn the_length_of_a_ready_is_bounded_before_it_is_awaited() {
    let mut arena = arena::pull(|_| {});
    let fate = Fate::Refused(
        HandshakeFault::Protocol(UNSPECIFIED),
        DisconnectReason::LimitExceeded,
    );
    for length in [64 << 10, 1 << 20, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX] {
        // The header alone must do: nothing follows it.
        let bytes = [recipe::greeting(1), recipe::long_header(COMMAND, length)].concat();
        arena.expect_refusal(&bytes, fate);
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn what_comes_out_of_order_is_refused() {
    let mut arena = arena::pull(|_| {});
    let early: [(&[u8], ProtocolFault); 9] = [
        (&recipe::frame(0, b"hello"), COMMAND_ORDER),
        (&recipe::frame(MORE, b"hello"), COMMAND_ORDER),
        (&recipe::long_header(0, 1 << 30), COMMAND_ORDER),
        (&recipe::subscribe(b""), COMMAND_ORDER),
        (&recipe::ping(0, b""), COMMAND_ORDER),
        (&command(b"HELLO", b""), COMMAND_ORDER),
        (&command(b"WELCOME", b""), COMMAND_ORDER),
        (&command(b"INITIATE", b""), COMMAND_ORDER),
        (
            &recipe::frame(COMMAND | MORE, &recipe::ready("PUSH", None)[2..]),
            UNSPECIFIED,
        ),
    ];
    for (bytes, fault) in early {
        arena.expect_refusal(&[recipe::greeting(1), bytes.to_vec()].concat(), refused(fault));
    }
    let late: [(&[u8], ProtocolFault); 6] = [
        (&recipe::ready("PUSH", None), COMMAND_ORDER),
        (&recipe::subscribe(b""), COMMAND_ORDER),
        (&recipe::cancel(b""), COMMAND_ORDER),
        (&command(b"JOIN", b"group"), COMMAND_ORDER),
        (&command(b"HELLO", b""), COMMAND_ORDER),
        (&recipe::greeting(1), UNSPECIFIED),
    ];
    for (bytes, fault) in late {
        arena.expect_end("PUSH", bytes, ended(fault));
    }
    assert!(arena.finish().is_empty());
}

#[test]
fn errors_of_the_peer_end_its_connection() {
    let mut arena = arena::pull(|_| {});
    let error = |reason: &[u8]| command(b"ERROR", &[&[reason.len() as u8], reason].concat());
    // The reason is the peer's text and may end in a log: only the statuses of ZAP are told as such.
    for status in [300, 400, 500] {
        let bytes = [recipe::greeting(1), error(status.to_string().as_bytes())].concat();
        let told = Fate::Refused(
            HandshakeFault::Auth { status },
            DisconnectReason::Protocol(UNSPECIFIED),
        );
        arena.expect_refusal(&bytes, told);
    }
    arena.expect_refusal(
        &[recipe::greeting(1), error(&[0x1B; 255])].concat(),
        refused(UNSPECIFIED),
    );
    let too_long = command(b"ERROR", b"\x09short");
    let malformed = ProtocolFault::ZmtpMalformedError;
    arena.expect_refusal(
        &[recipe::greeting(1), too_long.clone()].concat(),
        refused(malformed),
    );
    arena.expect_end("PUSH", &error(b"enough"), ended(UNSPECIFIED));
    arena.expect_end("PUSH", &too_long, ended(malformed));
    assert!(arena.finish().is_empty());
}

#[test]
fn flags_are_judged_before_the_handshake_as_well() {
    let mut arena = arena::pull(|_| {});
    for flags in [0x08, 0x10, 0xF8, 0xFC, COMMAND | MORE, COMMAND | MORE | LONG] {
        let bytes = [recipe::greeting(1), recipe::frame(flags, b"\x05READY")].concat();
        arena.expect_refusal(&bytes, refused(UNSPECIFIED));
    }
    assert!(arena.finish().is_empty());
}
