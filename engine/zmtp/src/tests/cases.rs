//! What hostile and odd peers send, and what is to become of it.
//!
//! The streams double as seeds of the fuzz corpus.

use crate::fuzz::{Item, wire};
use crate::{CommandName, Failure, MetadataFault, SocketType, Violation};

use SocketType::{Dealer, Pub, Pull, Push, Radio, Router, Sub, XPub};
use wire::{command, frame, greeting, handshake, long_frame, long_header, property, ready};

pub(super) struct Case {
    pub(super) name: String,
    pub(super) socket_type: SocketType,
    pub(super) stream: Vec<u8>,
    /// What the stream means, from after the handshake if it gets that far.
    pub(super) expected: Vec<Item>,
}

fn case(name: impl Into<String>, socket_type: SocketType, stream: Vec<u8>, expected: Vec<Item>) -> Case {
    Case {
        name: name.into(),
        socket_type,
        stream,
        expected,
    }
}

fn fails(violation: Violation) -> Vec<Item> {
    vec![Item::Failed(violation.into())]
}

fn malformed(command: CommandName) -> Vec<Item> {
    fails(Violation::MalformedCommand { command })
}

fn unexpected(command: CommandName) -> Vec<Item> {
    fails(Violation::UnexpectedCommand { command })
}

fn metadata_fault(fault: MetadataFault) -> Vec<Item> {
    fails(Violation::InvalidMetadata(fault))
}

fn peer_error(reason: &[u8]) -> Vec<Item> {
    vec![Item::Failed(Failure::PeerError {
        reason: Box::from(reason),
    })]
}

fn message(body: &[u8]) -> Item {
    part(false, body)
}

fn part(more: bool, body: &[u8]) -> Item {
    let body = body.to_vec();
    Item::Frame { more, body }
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = greetings();
    cases.extend(versions_and_mechanisms());
    cases.extend(readies());
    cases.extend(handshake_commands());
    cases.extend(frames());
    cases.extend(commands());
    cases
}

/// Other protocols, and greetings cut short.
fn greetings() -> Vec<Case> {
    let bad = || fails(Violation::BadSignature);
    let pull = |name: &str, stream: &[u8], expected| case(name, Pull, stream.to_vec(), expected);
    let mut cases = vec![
        pull("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bad()),
        pull(
            "tls-hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
            bad(),
        ),
        pull("ssh-banner", b"SSH-2.0-OpenSSH_9.7\r\n", bad()),
        pull("smb", b"\0\0\0\x85\xFFSMBr\0\0\0\0", bad()),
        pull("zeros", &[0; 5000], bad()),
        pull("all-ones", &[0xFF; 5000], fails(Violation::MechanismMismatch)),
        pull("signature-even", b"\xFF\0\0\0\0\0\0\0\x01\x7E", bad()),
        pull(
            "v1-anonymous",
            b"\x01\0\x06\0hello",
            fails(Violation::UnsupportedVersion { major: 1 }),
        ),
        pull(
            "v1-identity",
            b"\x04\0abc",
            fails(Violation::UnsupportedVersion { major: 1 }),
        ),
        pull(
            "v2-push",
            b"\xFF\0\0\0\0\0\0\0\x01\x7F\x01\x08\0\0",
            fails(Violation::UnsupportedVersion { major: 2 }),
        ),
        pull(
            "near-greeting",
            b"\xFF\0\0\0\x20\0\0\0\0\x85\0\0\0\0\0\0\0\0\0\0\x04\0\0\x19",
            fails(Violation::UnsupportedVersion { major: 1 }),
        ),
    ];
    // A length that overflows in a decoder that takes it for a ZMTP 1.0 frame.
    let mut overflow = vec![0xFF; 8];
    overflow.extend(b"\xDA\0");
    overflow.extend([0x41; 5000]);
    cases.push(pull("v1-overflow", &overflow, bad()));
    for cut in 0..64 {
        let stream = &greeting(1, b"NULL")[..cut];
        cases.push(pull(&format!("greeting-cut-{cut:02}"), stream, vec![]));
    }
    cases
}

fn versions_and_mechanisms() -> Vec<Case> {
    let mut cases = Vec::new();
    for (major, minor, expected) in [
        (0, 1, fails(Violation::UnsupportedVersion { major: 1 })),
        (1, 1, fails(Violation::UnsupportedVersion { major: 2 })),
        (2, 1, fails(Violation::UnsupportedVersion { major: 2 })),
        (3, 0, vec![message(b"")]),
        (3, 1, vec![message(b"")]),
        (3, 200, vec![message(b"")]),
        (4, 0, vec![message(b"")]),
        (255, 255, vec![message(b"")]),
    ] {
        let mut stream = [handshake(Push), frame(0, b"")].concat();
        (stream[10], stream[11]) = (major, minor);
        cases.push(case(format!("version-{major}.{minor}"), Pull, stream, expected));
    }
    for (name, mechanism) in [
        ("none", &b""[..]),
        ("lower-case", b"null"),
        ("longer", b"NULLX"),
        ("shorter", b"NUL"),
        ("text-after-nul", b"NULL\0X"),
        ("all-20", b"NULLNULLNULLNULLNULL"),
        ("spaces", b"NULL                "),
        ("plain", b"PLAIN"),
        ("curve", b"CURVE"),
    ] {
        let stream = greeting(1, mechanism);
        let expected = fails(Violation::MechanismMismatch);
        cases.push(case(format!("mechanism-{name}"), Pull, stream, expected));
    }
    for as_server in [1, 2, 255] {
        let mut stream = handshake(Push);
        stream[32] = as_server;
        stream[33..64].fill(0xA5);
        cases.push(case(format!("as-server-{as_server}"), Pull, stream, vec![]));
    }
    cases
}

/// READY in all the ways to get it wrong, and in the odd ones that are right.
fn readies() -> Vec<Case> {
    let socket_type = |name: &[u8]| property(b"Socket-Type", name);
    let push = || socket_type(b"PUSH");
    let with = |more: Vec<u8>| [push(), more].concat();
    let tiny = property(b"a", b"").repeat(9000);
    let huge = |value_len: [u8; 4]| with([&b"\x03X-a"[..], &value_len].concat());
    #[rustfmt::skip] // A table: one row per line.
    let rows: Vec<(&str, Vec<u8>, Vec<Item>)> = vec![
        ("no-properties", vec![], metadata_fault(MetadataFault::SocketTypeMissing)),
        ("no-socket-type", property(b"X-a", b"b"), metadata_fault(MetadataFault::SocketTypeMissing)),
        ("two-socket-types", with(push()), metadata_fault(MetadataFault::Duplicate)),
        ("two-socket-types-of-different-case", with(property(b"SOCKET-TYPE", b"PUSH")), metadata_fault(MetadataFault::Duplicate)),
        ("two-identities", with([property(b"Identity", b""), property(b"identity", b"")].concat()), metadata_fault(MetadataFault::Duplicate)),
        ("unknown-type", socket_type(b"PUSHY"), metadata_fault(MetadataFault::SocketTypeUnknown)),
        ("empty-type", socket_type(b""), metadata_fault(MetadataFault::SocketTypeUnknown)),
        ("lower-case-type", socket_type(b"push"), metadata_fault(MetadataFault::SocketTypeUnknown)),
        ("damaged-name", property(b"Socket-Txpe", b"PUSH"), metadata_fault(MetadataFault::SocketTypeMissing)),
        ("name-too-long", b"\xFFSocket-Type".to_vec(), metadata_fault(MetadataFault::Truncated)),
        ("name-only", b"\x0BSocket-Type".to_vec(), metadata_fault(MetadataFault::Truncated)),
        ("value-length-cut", b"\x0BSocket-Type\0\0\0".to_vec(), metadata_fault(MetadataFault::Truncated)),
        ("value-cut", b"\x0BSocket-Type\0\0\0\x05PUSH".to_vec(), metadata_fault(MetadataFault::Truncated)),
        ("value-ffffffff", huge([0xFF; 4]), metadata_fault(MetadataFault::Truncated)),
        ("value-7fffffff", huge([0x7F, 0xFF, 0xFF, 0xFF]), metadata_fault(MetadataFault::Truncated)),
        ("value-80000000", huge([0x80, 0, 0, 0]), metadata_fault(MetadataFault::Truncated)),
        ("trailing-byte", with(vec![1]), metadata_fault(MetadataFault::Truncated)),
        ("empty-name", with(property(b"", b"x")), metadata_fault(MetadataFault::EmptyName)),
        ("tiny-properties", with(tiny), metadata_fault(MetadataFault::TooManyProperties)),
        ("identity-256", with(property(b"Identity", &[b'i'; 256])), metadata_fault(MetadataFault::IdentityTooLong)),
        ("identity-reserved", with(property(b"Identity", b"\0\0\0\0\x01")), metadata_fault(MetadataFault::IdentityReserved)),
        ("identity-255", with(property(b"Identity", &[b'i'; 255])), vec![]),
        ("identity-empty", with(property(b"Identity", b"")), vec![]),
        ("name-case", property(b"sOCKET-tYPE", b"PUSH"), vec![]),
        ("x-properties", with([property(b"X-a", b"1"), property(b"X-a", b""), property(b"Resource", b"r")].concat()), vec![]),
        ("type-last", [property(b"X-a", &[0xEE; 60000]), push()].concat(), vec![]),
    ];
    let mut cases: Vec<Case> = rows
        .into_iter()
        .map(|(name, metadata, expected)| {
            let stream = [greeting(1, b"NULL"), command(b"READY", &metadata)].concat();
            case(format!("ready-{name}"), Pull, stream, expected)
        })
        .collect();
    for (ours, theirs) in [
        (Pull, Sub),
        (Pub, Pub),
        (Router, Push),
        (XPub, XPub),
        (Dealer, Sub),
    ] {
        let expected = vec![Item::Failed(Failure::Incompatible { peer: theirs })];
        let name = format!("ready-{}-to-{}", theirs.wire_name(), ours.wire_name());
        cases.push(case(name, ours, handshake(theirs), expected));
    }
    cases
}

/// What may come instead of READY.
fn handshake_commands() -> Vec<Case> {
    let limit = (64 << 10) - 9;
    let too_large = |size| fails(Violation::CommandTooLarge { size, limit });
    let long_long = [long_header(4, 1 << 16), b"\x05READY".to_vec()].concat();
    #[rustfmt::skip] // A table: one row per line.
    let rows: Vec<(&str, Vec<u8>, Vec<Item>)> = vec![
        ("empty-command", frame(4, b""), malformed(CommandName::Unknown)),
        ("ready-with-more", frame(5, &ready(Push)[2..]), fails(Violation::CommandWithMore)),
        ("ready-as-message", frame(0, &ready(Push)[2..]), fails(Violation::UnexpectedFrame)),
        ("ready-long-form", long_frame(4, &ready(Push)[2..]), vec![]),
        ("message-first", frame(0, b"hello"), fails(Violation::UnexpectedFrame)),
        ("long-message-first", long_header(0, 1 << 40), fails(Violation::UnexpectedFrame)),
        ("ping-first", command(b"PING", b"\0\0"), unexpected(CommandName::Ping)),
        ("hello-first", command(b"HELLO", b""), unexpected(CommandName::Hello)),
        ("initiate-first", command(b"INITIATE", b""), unexpected(CommandName::Initiate)),
        ("welcome-first", command(b"WELCOME", b""), unexpected(CommandName::Welcome)),
        ("subscribe-first", command(b"SUBSCRIBE", b""), unexpected(CommandName::Subscribe)),
        ("unknown-first", command(b"FOO", b""), unexpected(CommandName::Unknown)),
        ("error-400", command(b"ERROR", b"\x03400"), peer_error(b"400")),
        ("error-empty", command(b"ERROR", b"\0"), peer_error(b"")),
        ("error-control", command(b"ERROR", &[&[255][..], &[0x1B; 255]].concat()), peer_error(&[0x1B; 255])),
        ("error-short", command(b"ERROR", b"\x04400"), malformed(CommandName::Error)),
        ("error-long", command(b"ERROR", b"\x02400"), malformed(CommandName::Error)),
        ("error-no-length", command(b"ERROR", b""), malformed(CommandName::Error)),
        ("ready-64-kib", long_long, too_large(1 << 16)),
        ("ready-1-mib", long_header(4, 1 << 20), too_large(1 << 20)),
        ("ready-1-gib", long_header(4, 1 << 30), too_large(1 << 30)),
        ("ready-4-gib", long_header(4, 1 << 32), too_large(1 << 32)),
        ("ready-endless", long_header(4, u64::MAX), too_large(u64::MAX)),
        ("ready-stalls", long_header(4, limit), vec![]),
    ];
    rows.into_iter()
        .map(|(name, bytes, expected)| {
            let stream = [greeting(1, b"NULL"), bytes].concat();
            case(format!("handshake-{name}"), Pull, stream, expected)
        })
        .collect()
}

/// Message frames after the handshake.
fn frames() -> Vec<Case> {
    let default = 64 << 20;
    let too_large = |size| fails(Violation::FrameTooLarge { size, limit: default });
    let reserved = |flags| fails(Violation::ReservedFlags { flags });
    let big = vec![b'b'; 70_000];
    let slab = vec![b's'; (64 << 10) - 9];
    let beyond = vec![b's'; slab.len() + 1];
    let many = |body: &[u8]| vec![part(true, body); 8192];
    let flood = |body: &[u8]| {
        let mut items = many(body);
        items.extend(fails(Violation::TooManyParts { limit: 8192 }));
        items
    };
    #[rustfmt::skip] // A table: one row per line.
    let rows: Vec<(&str, Vec<u8>, Vec<Item>)> = vec![
        ("hello", frame(0, b"hello"), vec![message(b"hello")]),
        ("empty", frame(0, b""), vec![message(b"")]),
        ("long-form-of-5", long_frame(0, b"hello"), vec![message(b"hello")]),
        ("long-form-of-0", long_frame(0, b""), vec![message(b"")]),
        ("parts", [frame(1, b"a"), frame(1, b""), frame(0, b"c"), frame(0, b"d")].concat(), vec![part(true, b"a"), part(true, b""), message(b"c"), message(b"d")]),
        ("255-and-256", [frame(0, &[1; 255]), frame(0, &[2; 256])].concat(), vec![message(&[1; 255]), message(&[2; 256])]),
        ("large", [frame(1, b"x"), frame(1, &big), frame(0, &big), frame(0, b"y")].concat(), vec![part(true, b"x"), part(true, &big), message(&big), message(b"y")]),
        ("slab-exactly", frame(0, &slab), vec![message(&slab)]),
        ("slab-and-1", frame(0, &beyond), vec![message(&beyond)]),
        ("ping-between-parts", [frame(1, b"a"), command(b"PING", b"\0\0"), frame(0, b"b")].concat(), vec![part(true, b"a"), message(b"b")]),
        ("half-a-message", frame(1, b"hello"), vec![part(true, b"hello")]),
        ("good-before-bad", [frame(0, b"a"), frame(1, b"b"), vec![8]].concat(), [vec![message(b"a"), part(true, b"b")], reserved(8)].concat()),
        ("flags-f8", vec![0xF8, 5], reserved(0xF8)),
        ("flags-08", vec![8], reserved(8)),
        ("flags-05", frame(5, b"\x04PONG"), fails(Violation::CommandWithMore)),
        ("flags-07", vec![7], fails(Violation::CommandWithMore)),
        ("flags-06", long_frame(4, b"\x04PONG"), vec![]),
        ("size-ff", [vec![2], vec![0xFF; 8], vec![b'x'; 8192]].concat(), too_large(u64::MAX)),
        ("size-7f", long_header(0, i64::MAX as u64), too_large(i64::MAX as u64)),
        ("size-80", long_header(0, 1 << 63), too_large(1 << 63)),
        ("size-4-gib-5", [long_header(0, (1 << 32) + 5), b"hello".to_vec()].concat(), too_large((1 << 32) + 5)),
        ("size-limit", long_header(0, default), vec![]),
        ("size-limit-and-1", long_header(0, default + 1), too_large(default + 1)),
        ("more-flood", [1, 0].repeat(20_000), flood(b"")),
        ("more-flood-255", frame(1, &[b'm'; 255]).repeat(9_000), flood(&[b'm'; 255])),
    ];
    rows.into_iter()
        .map(|(name, bytes, expected)| {
            let stream = [handshake(Push), bytes].concat();
            case(format!("frame-{name}"), Pull, stream, expected)
        })
        .collect()
}

/// Commands after the handshake.
fn commands() -> Vec<Case> {
    let limit = (64 << 10) - 9;
    let too_large = |size| fails(Violation::CommandTooLarge { size, limit });
    let hi = || frame(0, b"hi");
    let then_hi = |bytes: Vec<u8>| [bytes, hi()].concat();
    let still = || vec![message(b"hi")];
    let ping = |body: &[u8]| command(b"PING", body);
    let topic = vec![b't'; 300];
    #[rustfmt::skip] // A table: one row per line.
    let rows: Vec<(&str, SocketType, Vec<u8>, Vec<Item>)> = vec![
        ("empty", Pull, frame(4, b""), malformed(CommandName::Unknown)),
        ("name-too-long", Pull, frame(4, b"\xFF"), malformed(CommandName::Unknown)),
        ("name-empty", Pull, frame(4, b"\0"), malformed(CommandName::Unknown)),
        ("unknown", Pull, then_hi(command(b"FOO", b"")), still()),
        ("second-ready", Pull, ready(Push), unexpected(CommandName::Ready)),
        ("ready-with-more", Pull, frame(5, &ready(Push)[2..]), fails(Violation::CommandWithMore)),
        ("error", Pull, command(b"ERROR", b"\x03400"), peer_error(b"400")),
        ("error-malformed", Pull, command(b"ERROR", b"\x09400"), malformed(CommandName::Error)),
        ("hello", Pull, command(b"HELLO", b""), unexpected(CommandName::Hello)),
        ("ping", Pull, then_hi(ping(b"\0\0")), still()),
        ("ping-ttl-ffff", Pull, then_hi(ping(b"\xFF\xFFctx")), still()),
        ("ping-context-16", Pull, then_hi(ping(b"\0\x010123456789abcdef")), still()),
        ("ping-context-17", Pull, then_hi(ping(b"\0\x010123456789abcdefg")), still()),
        ("ping-no-ttl", Pull, ping(b""), malformed(CommandName::Ping)),
        ("ping-half-ttl", Pull, ping(b"\0"), malformed(CommandName::Ping)),
        ("pong-unasked", Pull, then_hi(command(b"PONG", b"")), still()),
        ("pong-long", Pull, then_hi(command(b"PONG", &[0; 200])), still()),
        ("too-large", Pull, long_header(4, limit + 1), too_large(limit + 1)),
        ("endless", Pull, long_header(4, u64::MAX), too_large(u64::MAX)),
        ("subscribe-at-pull", Pull, command(b"SUBSCRIBE", b"t"), unexpected(CommandName::Subscribe)),
        ("cancel-at-pull", Pull, command(b"CANCEL", b"t"), unexpected(CommandName::Cancel)),
        ("join-at-pull", Pull, command(b"JOIN", b"g"), unexpected(CommandName::Join)),
        ("subscribe", XPub, command(b"SUBSCRIBE", b"topic"), vec![Item::Subscribe(b"topic".to_vec())]),
        ("subscribe-all", XPub, [command(b"SUBSCRIBE", b""), vec![0x45]].concat(), vec![Item::Subscribe(vec![]), Item::Failed(Violation::ReservedFlags { flags: 0x45 }.into())]),
        ("subscribe-300", XPub, command(b"SUBSCRIBE", &topic), vec![Item::Subscribe(topic.clone())]),
        ("cancel", Pub, command(b"CANCEL", b"topic"), vec![Item::Cancel(b"topic".to_vec())]),
        ("subscribe-by-message", XPub, [frame(0, b"\x01t"), frame(0, b"\0t")].concat(), vec![message(b"\x01t"), message(b"\0t")]),
        ("message-to-pub", Pub, frame(0, b"hello"), vec![message(b"hello")]),
        ("join", Radio, [command(b"JOIN", b"g"), command(b"LEAVE", b"g")].concat(), vec![Item::Join(b"g".to_vec()), Item::Leave(b"g".to_vec())]),
        ("join-256", Radio, command(b"JOIN", &[b'g'; 256]), malformed(CommandName::Join)),
        ("leave-256", Radio, command(b"LEAVE", &[b'g'; 256]), malformed(CommandName::Leave)),
        ("join-at-pub", Pub, command(b"JOIN", b"g"), unexpected(CommandName::Join)),
    ];
    rows.into_iter()
        .map(|(name, ours, bytes, expected)| {
            let stream = [handshake(ours.peers()[0]), bytes].concat();
            case(format!("command-{name}"), ours, stream, expected)
        })
        .collect()
}
