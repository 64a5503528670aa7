use super::{codec::Raw, *};
use std::collections::HashSet;

const PUSH: SocketType = SocketType::Push;

fn set_int(options: &mut Options, number: i32, int: i32, socket_type: SocketType) -> Result<(), Error> {
    options.set_raw(number, &int.to_ne_bytes(), socket_type)
}

fn get_int(options: &Options, number: i32, socket_type: SocketType) -> Result<i32, Error> {
    let mut buffer = [0xAA; 4];
    assert_eq!(options.get_raw(number, &mut buffer, socket_type)?, 4);
    Ok(i32::from_ne_bytes(buffer))
}

fn why(outcome: Result<impl std::fmt::Debug, Error>) -> OptionFault {
    match outcome {
        Err(Error::InvalidOption { why, .. }) => why,
        other => panic!("not an invalid option: {other:?}"),
    }
}

/// The rows of what this library was built with.
fn offered() -> impl Iterator<Item = &'static Row> {
    rows().iter().filter(|row| row.is_offered())
}

/// A socket type that has the option.
fn socket_of(row: &Row) -> SocketType {
    SocketType::all()
        .find(|it| row.sockets.contains(*it))
        .expect("some socket has the option")
}

#[test]
fn numbers_and_names_are_unique_and_documented() {
    let numbers: HashSet<_> = rows().iter().map(|row| row.number).collect();
    let names: HashSet<_> = rows().iter().map(|row| row.name).collect();
    assert_eq!((numbers.len(), names.len()), (rows().len(), rows().len()));
    for row in rows() {
        assert!(
            row.doc.trim().ends_with('.'),
            "{} is not documented in sentences",
            row.name
        );
        assert!(row.range.start() < row.range.end(), "{}", row.name);
        assert!(
            row.number < 1000 || OWN_NUMBERS.contains(&row.number),
            "{}",
            row.name
        );
    }
}

#[test]
fn defaults_are_libzmqs() {
    use number::*;
    let options = Options::default();
    let rows = [
        (SNDBUF, -1),
        (RCVBUF, -1),
        (LINGER, -1),
        (RECONNECT_IVL, 100),
        (BACKLOG, 100),
        (RECONNECT_IVL_MAX, 0),
        (SNDHWM, 1000),
        (RCVHWM, 1000),
        (RCVTIMEO, -1),
        (SNDTIMEO, -1),
        (IPV4ONLY, 1),
        (TCP_KEEPALIVE, -1),
        (TCP_KEEPALIVE_CNT, -1),
        (TCP_KEEPALIVE_IDLE, -1),
        (TCP_KEEPALIVE_INTVL, -1),
        (IMMEDIATE, 0),
        (IPV6, 0),
        (TOS, 0),
        (HANDSHAKE_IVL, 30_000),
        (INVERT_MATCHING, 0),
        (HEARTBEAT_IVL, 0),
        (HEARTBEAT_TTL, 0),
        (HEARTBEAT_TIMEOUT, -1),
        (CONNECT_TIMEOUT, 0),
        (TCP_MAXRT, 0),
        (RECONNECT_STOP, 0),
        (MULTICAST_HOPS, 1),
        (MULTICAST_LOOP, 1),
        (PRIORITY, 0),
        (BUSY_POLL, 0),
    ];
    for (number, default) in rows {
        assert_eq!(
            get_int(&options, number, PUSH).unwrap(),
            default,
            "option {number}"
        );
    }
    let mut eight = [1; 8];
    assert_eq!(options.get_raw(AFFINITY, &mut eight, PUSH).unwrap(), 8);
    assert_eq!(eight, [0; 8]);
    assert_eq!(options.get_raw(MAXMSGSIZE, &mut eight, PUSH).unwrap(), 8);
    assert_eq!(i64::from_ne_bytes(eight), -1);
}

#[test]
fn subscribers_do_not_linger() {
    for socket_type in SocketType::all() {
        let linger = Options::for_socket(socket_type).linger;
        let subscriber = matches!(socket_type, SocketType::Sub | SocketType::XSub | SocketType::Dish);
        assert_eq!(linger, subscriber.then_some(Duration::ZERO), "{socket_type:?}");
    }
}

#[test]
fn every_int_keeps_its_range() {
    let candidates = [
        i32::MIN,
        -2,
        -1,
        0,
        1,
        2,
        99,
        100,
        1000,
        6_553_599,
        6_553_600,
        i32::MAX,
    ];
    for row in offered().filter(|row| row.raw_type == RawType::Int) {
        let socket_type = socket_of(row);
        for int in candidates {
            let mut options = Options::default();
            let outcome = set_int(&mut options, row.number, int, socket_type);
            if row.range.contains(&i64::from(int)) {
                outcome.unwrap();
            } else {
                assert_eq!(why(outcome), OptionFault::OutOfRange, "{} = {int}", row.name);
                assert_eq!(
                    options,
                    Options::default(),
                    "{} = {int} left something behind",
                    row.name
                );
            }
        }
    }
}

#[test]
fn what_was_set_is_read_back() {
    for row in rows()
        .iter()
        .filter(|row| row.raw_type == RawType::Int && row.access == Access::ReadWrite)
    {
        for int in [-1, 0, 1, 1234, i32::MAX] {
            let mut options = Options::default();
            if set_int(&mut options, row.number, int, PUSH).is_err() {
                continue;
            }
            let expected = match row.name {
                "HEARTBEAT_TTL" => int / 100 * 100,
                "INVERT_MATCHING" | "MULTICAST_LOOP" => i32::from(int != 0),
                _ => int,
            };
            assert_eq!(
                get_int(&options, row.number, PUSH).unwrap(),
                expected,
                "{} = {int}",
                row.name
            );
        }
    }
}

#[test]
fn numbers_want_their_exact_size() {
    for row in offered() {
        let size = match row.raw_type {
            RawType::Int => 4,
            RawType::I64 | RawType::U64 => 8,
            RawType::Ids | RawType::Bytes | RawType::Text => continue,
        };
        let socket_type = socket_of(row);
        let mut options = Options::default();
        for length in (0..=16).filter(|length| *length != size) {
            let mut bytes = vec![0; length];
            let outcome = options.set_raw(row.number, &bytes, socket_type);
            assert_eq!(
                why(outcome),
                OptionFault::WrongLength,
                "{} with {length} bytes",
                row.name
            );
            if row.access == Access::ReadWrite {
                let outcome = options.get_raw(row.number, &mut bytes, socket_type);
                assert_eq!(
                    why(outcome),
                    OptionFault::WrongLength,
                    "{} into {length} bytes",
                    row.name
                );
            }
        }
        assert_eq!(options, Options::default());
    }
}

#[test]
fn write_only_options_cannot_be_read() {
    for row in offered().filter(|row| row.access == Access::WriteOnly) {
        let outcome = Options::default().get_raw(row.number, &mut [0; 256], socket_of(row));
        assert_eq!(why(outcome), OptionFault::WriteOnly, "{}", row.name);
    }
}

#[test]
fn options_of_what_is_not_offered_are_refused_by_name() {
    let mut options = Options::default();
    for (number, name) in NOT_OFFERED {
        assert!(
            rows().iter().all(|row| row.number != *number),
            "{name} is offered"
        );
    }
    let left_out = rows().iter().filter(|row| !row.is_offered());
    let left_out = left_out.map(|row| (row.number, row.name));
    for (number, name) in NOT_OFFERED.iter().copied().chain(left_out) {
        for outcome in [
            options.set_raw(number, &[0; 4], PUSH),
            options.get_raw(number, &mut [0; 4], PUSH).map(drop),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!(error.errno(), libc::EINVAL);
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(why(Err::<(), _>(error)), OptionFault::NotOffered);
        }
    }
}

#[test]
fn networks_add_up() {
    let mut options = Options::default();
    let mut set = |text: &[u8]| {
        options
            .set_raw(number::TCP_ACCEPT_FILTER, text, PUSH)
            .map(|()| options.tcp_accept_filter.len())
    };
    assert_eq!(set(b"10.0.0.0/8").unwrap(), 1);
    assert_eq!(set(b"192.168.1.1\0").unwrap(), 2);
    assert_eq!(set(b"fe80::/10").unwrap(), 3);
    for wrong in [&b"10.0.0.0/33"[..], b"localhost", b"10.0.0", b"\xFF"] {
        assert_eq!(why(set(wrong)), OptionFault::Malformed);
    }
    assert_eq!(set(b"").unwrap(), 0);
}

#[test]
fn unknown_and_foreign_options_are_refused() {
    let mut options = Options::default();
    for number in [-1, 0, 3, 10, 20, 1000, i32::MAX, i32::MIN] {
        assert_eq!(why(options.set_raw(number, &[0; 4], PUSH)), OptionFault::Unknown);
        assert_eq!(
            why(options.get_raw(number, &mut [0; 4], PUSH)),
            OptionFault::Unknown
        );
    }
    let outcome = set_int(&mut options, number::ROUTER_MANDATORY, 1, PUSH);
    assert_eq!(outcome.as_ref().unwrap_err().errno(), libc::EINVAL);
    assert_eq!(why(outcome), OptionFault::NotForThisSocket);
    set_int(&mut options, number::ROUTER_MANDATORY, 1, SocketType::Router).unwrap();
    assert!(options.router_mandatory);
    assert_eq!(
        why(set_int(&mut options, number::REQ_RELAXED, 1, SocketType::Rep)),
        OptionFault::NotForThisSocket
    );
}

#[test]
fn bytes_and_text_accept_longer_buffers() {
    let mut options = Options::default();
    options.set_raw(number::ROUTING_ID, b"alice", PUSH).unwrap();
    let mut buffer = [0xAA; 8];
    assert_eq!(options.get_raw(number::ROUTING_ID, &mut buffer, PUSH).unwrap(), 5);
    assert_eq!(&buffer, b"alice\0\0\0");
    assert_eq!(
        options
            .get_raw(number::ROUTING_ID, &mut buffer[..5], PUSH)
            .unwrap(),
        5
    );
    assert_eq!(
        why(options.get_raw(number::ROUTING_ID, &mut buffer[..4], PUSH)),
        OptionFault::WrongLength
    );

    options.set_raw(number::BINDTODEVICE, b"eth0", PUSH).unwrap();
    assert_eq!(
        options.get_raw(number::BINDTODEVICE, &mut buffer, PUSH).unwrap(),
        5
    );
    assert_eq!(&buffer, b"eth0\0\0\0\0");
    assert_eq!(
        why(options.get_raw(number::BINDTODEVICE, &mut buffer[..4], PUSH)),
        OptionFault::WrongLength
    );
}

#[test]
fn routing_ids_have_1_to_255_bytes() {
    let mut options = Options::default();
    for number in [number::ROUTING_ID, number::CONNECT_ROUTING_ID] {
        assert_eq!(
            why(options.set_raw(number, b"", SocketType::Router)),
            OptionFault::WrongLength
        );
        assert_eq!(
            why(options.set_raw(number, &[1; 256], SocketType::Router)),
            OptionFault::WrongLength
        );
        options.set_raw(number, &[1; 255], SocketType::Router).unwrap();
    }
    assert_eq!(
        (options.routing_id.len(), options.connect_routing_id.len()),
        (255, 255)
    );
}

#[test]
fn devices_are_text() {
    let mut options = Options::default();
    options.set_raw(number::BINDTODEVICE, b"eth0\0", PUSH).unwrap();
    assert_eq!(options.bind_to_device.as_deref(), Some("eth0"));
    for (bytes, fault) in [
        (&b"\xFF\xFE"[..], OptionFault::Malformed),
        (b"a\0b", OptionFault::Malformed),
        (b"a name that is too long", OptionFault::WrongLength),
    ] {
        assert_eq!(why(options.set_raw(number::BINDTODEVICE, bytes, PUSH)), fault);
    }
    options.set_raw(number::BINDTODEVICE, b"", PUSH).unwrap();
    assert_eq!(options.bind_to_device, None);
}

#[test]
fn metadata_adds_up() {
    let mut options = Options::default();
    for property in [&b"X-key:value"[..], b"X-other:a:b", b"X-key:new"] {
        options.set_raw(number::METADATA, property, PUSH).unwrap();
    }
    let expected = [
        ("X-other".to_owned(), b"a:b".to_vec()),
        ("X-key".to_owned(), b"new".to_vec()),
    ];
    assert_eq!(options.metadata, expected);
    let long = [b"X-", "k".repeat(253).as_bytes(), b":v"].concat();
    for property in [
        &b"key:value"[..],
        b"X-key",
        b"X-key:",
        b":value",
        b"X-k y:value",
        b"X-\xFF:value",
        &long,
    ] {
        assert_eq!(
            why(options.set_raw(number::METADATA, property, PUSH)),
            OptionFault::Malformed,
            "{property:?}"
        );
    }
    assert_eq!(
        why(options.set_raw(number::METADATA, b"", PUSH)),
        OptionFault::WrongLength
    );
}

#[test]
fn verbose_and_verboser_are_one_choice() {
    use XpubVerbosity::*;
    let mut options = Options::default();
    for (number, int, expected) in [
        (number::XPUB_VERBOSE, 1, Subscriptions),
        (number::XPUB_VERBOSER, 7, All),
        (number::XPUB_VERBOSE, 2, Subscriptions),
        (number::XPUB_VERBOSER, 0, Changes),
        (number::XPUB_VERBOSER, 1, All),
        (number::XPUB_VERBOSE, 0, Changes),
    ] {
        set_int(&mut options, number, int, SocketType::XPub).unwrap();
        assert_eq!(options.xpub_verbosity, expected);
    }
}

#[test]
fn ipv4only_is_the_opposite_of_ipv6() {
    let mut options = Options::default();
    set_int(&mut options, number::IPV4ONLY, 0, PUSH).unwrap();
    assert!(options.ipv6);
    assert_eq!(get_int(&options, number::IPV6, PUSH).unwrap(), 1);
    assert_eq!(get_int(&options, number::IPV4ONLY, PUSH).unwrap(), 0);
}

#[test]
fn fields_have_natural_types() {
    use number::*;
    let mut options = Options::default();
    let mut set = |number, int| set_int(&mut options, number, int, PUSH).unwrap();
    set(LINGER, 0);
    set(RECONNECT_IVL, -1);
    set(HANDSHAKE_IVL, 0);
    set(HEARTBEAT_TTL, 1299);
    set(TCP_KEEPALIVE, 0);
    set(TCP_KEEPALIVE_IDLE, 60);
    set(SNDHWM, 0);
    set(RECONNECT_STOP, 6);
    assert_eq!(options.linger, Some(Duration::ZERO));
    assert_eq!(options.reconnect_interval, None);
    assert_eq!(options.handshake_interval, None);
    assert_eq!(options.heartbeat_ttl, Duration::from_millis(1200));
    assert_eq!(options.tcp_keepalive, Some(false));
    assert_eq!(options.tcp_keepalive_idle, Some(Duration::from_secs(60)));
    assert_eq!(options.send_hwm, 0);
    let stop = options.reconnect_stop;
    assert_eq!(
        (
            stop.on_refused(),
            stop.on_handshake_failed(),
            stop.after_disconnect()
        ),
        (false, true, true)
    );
    options.set_raw(MAXMSGSIZE, &5i64.to_ne_bytes(), PUSH).unwrap();
    assert_eq!(options.max_message_size, Some(5));
    options.set_raw(MAXMSGSIZE, &(-7i64).to_ne_bytes(), PUSH).unwrap();
    assert_eq!(options.max_message_size, None);
}

#[test]
fn what_a_c_int_cannot_hold_is_saturated() {
    let options = Options {
        linger: Some(Duration::MAX),
        send_hwm: u32::MAX,
        ..Options::default()
    };
    assert_eq!(get_int(&options, number::LINGER, PUSH).unwrap(), i32::MAX);
    assert_eq!(get_int(&options, number::SNDHWM, PUSH).unwrap(), i32::MAX);
    assert_eq!(
        why(Raw::Unreadable
            .write(&mut [])
            .map_err(|why| rows()[0].refuse(why))),
        OptionFault::WriteOnly
    );
}

#[test]
fn filters_add_up_and_are_cleared() {
    use number::*;
    let mut options = Options::default();
    for uid in [1000, 0, 1000, -2] {
        set_int(&mut options, IPC_FILTER_UID, uid, PUSH).unwrap();
    }
    assert_eq!(options.ipc_filter_uid, [1000, 0, u32::MAX - 1]);
    assert_eq!(
        why(set_int(&mut options, IPC_FILTER_PID, -1, PUSH)),
        OptionFault::OutOfRange
    );
    assert_eq!(
        why(options.set_raw(IPC_FILTER_UID, &[0; 3], PUSH)),
        OptionFault::WrongLength
    );
    options.set_raw(IPC_FILTER_UID, &[], PUSH).unwrap();
    assert!(options.ipc_filter_uid.is_empty());
    assert_eq!(
        why(set_int(&mut options, IPC_MODE, 0o1000, PUSH)),
        OptionFault::OutOfRange
    );
}
