//! The table of malformed and odd input, and what does not fit into it.

use std::time::{Duration, Instant};

use super::{cases, drain, established};
use crate::backlog::ANSWERS_MAX;
use crate::fuzz::{Item, trace, wire};
use crate::{Config, Connection, Event, Failure, SocketType, Violation};

#[test]
fn every_case_ends_as_the_table_says() {
    for case in cases::all() {
        let config = Config::new(case.socket_type);
        let mut items = trace(&config, [&case.stream[..]]).items;
        if items.first() == Some(&Item::Handshaken) {
            items.remove(0);
        }
        assert!(
            items == case.expected,
            "{}: {:?}, not {:?}",
            case.name,
            items.last(),
            case.expected.last()
        );
    }
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<_> = cases::all().into_iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn frames_are_held_to_1000_bytes_in_both_forms() {
    let config = Config {
        frame_size_max: Some(1000),
        message_size_max: 1000,
        ..Config::new(SocketType::Pull)
    };
    for size in [999, 1000, 1001_usize] {
        for header in [wire::frame, wire::long_frame] {
            let body = vec![b'x'; size];
            let stream = [wire::handshake(SocketType::Push), header(0, &body)].concat();
            let last = trace(&config, [&stream[..]]).items.pop().unwrap();
            let expected = if size <= 1000 {
                Item::Frame { more: false, body }
            } else {
                let (size, limit) = (size as u64, 1000);
                Item::Failed(Violation::FrameTooLarge { size, limit }.into())
            };
            assert_eq!(last, expected);
        }
    }
    // A message of small parts is held to the same sum.
    let mut stream = wire::handshake(SocketType::Push);
    stream.extend(wire::frame(1, &[b'x'; 100]).repeat(10));
    stream.extend(wire::frame(0, b"y"));
    let items = trace(&config, [&stream[..]]).items;
    let (size, limit) = (1001, 1000);
    let expected = Item::Failed(Violation::MessageTooLarge { size, limit }.into());
    assert_eq!(items.last(), Some(&expected));
    assert_eq!(items.len(), 1 + 10 + 1);
}

#[test]
fn a_limit_below_255_holds_for_short_frames() {
    for limit in [0, 1, 100, 254, 255_u64] {
        for (frame_size_max, message_size_max) in [(Some(limit), 4096), (None, limit)] {
            let config = Config {
                frame_size_max,
                message_size_max,
                ..Config::new(SocketType::Pull)
            };
            for size in [limit, limit + 1] {
                let body = vec![b'x'; size as usize];
                let stream = [wire::handshake(SocketType::Push), wire::frame(0, &body)].concat();
                let last = trace(&config, [&stream[..]]).items.pop().unwrap();
                let delivered = last == Item::Frame { more: false, body };
                assert_eq!(delivered, size <= limit, "{size} of {limit}: {last:?}");
            }
        }
    }
}

#[test]
fn one_part_is_permitted_where_no_more_are() {
    let config = Config {
        message_parts_max: 1,
        ..Config::new(SocketType::Pull)
    };
    let mut stream = wire::handshake(SocketType::Push);
    stream.extend(wire::frame(0, b"x").repeat(3));
    stream.extend(wire::frame(1, b"x"));
    stream.extend(wire::frame(0, b"x"));
    let items = trace(&config, [&stream[..]]).items;
    assert_eq!(items.len(), 1 + 3 + 1 + 1);
    let expected = Item::Failed(Violation::TooManyParts { limit: 1 }.into());
    assert_eq!(items.last(), Some(&expected));
}

#[test]
fn an_announced_gibibyte_is_only_an_announcement() {
    let now = Instant::now();
    let config = Config {
        frame_size_max: Some(2 << 30),
        message_size_max: 2 << 30,
        ..Config::new(SocketType::Pull)
    };
    let mut connection = established(config, SocketType::Push, 1, now);
    let header = wire::long_header(0, 1 << 30);
    let progress = connection.receive(&header, now).unwrap();
    assert_eq!(progress.consumed, 9);
    assert_eq!(
        progress.event,
        Some(Event::Large {
            header: 9,
            body: 1 << 30,
            more: false
        })
    );
    // The second half of what would be two such parts in one message is refused.
    connection.large_done(now);
    let header = wire::long_header(1, 1 << 30);
    for _ in 0..2 {
        assert_eq!(connection.receive(&header, now).unwrap().consumed, 9);
        connection.large_done(now);
    }
    let (size, limit) = (3 << 30, 2 << 30);
    assert_eq!(
        connection.receive(&header, now),
        Err(Violation::MessageTooLarge { size, limit }.into())
    );
}

#[test]
fn unlimited_still_means_63_bits() {
    let now = Instant::now();
    let config = || Config {
        frame_size_max: None,
        message_size_max: u64::MAX,
        message_parts_max: u32::MAX,
        ..Config::new(SocketType::Pull)
    };
    let mut connection = established(config(), SocketType::Push, 1, now);
    let largest = i64::MAX as u64;
    // The sum of many such parts saturates.
    for _ in 0..5 {
        let progress = connection.receive(&wire::long_header(1, largest), now);
        assert_eq!(progress.unwrap().consumed, 9);
        connection.large_done(now);
    }
    let (size, limit) = (largest + 1, largest);
    assert_eq!(
        connection.receive(&wire::long_header(0, size), now),
        Err(Violation::FrameTooLarge { size, limit }.into())
    );
}

#[test]
fn a_million_pings_never_read_are_cut_off() {
    let now = Instant::now();
    let mut connection = established(Config::new(SocketType::Pull), SocketType::Push, 1, now);
    let ping = wire::command(b"PING", b"\0\0");
    let answered = (0..1_000_000)
        .take_while(|_| connection.receive(&ping, now).is_ok())
        .count();
    assert_eq!(answered, ANSWERS_MAX / 7);
    assert!(connection.transmit().len() <= ANSWERS_MAX + 7);
    let limit = ANSWERS_MAX;
    let failure = Failure::from(Violation::Backlog { limit });
    assert_eq!(connection.receive(&ping, now), Err(failure));

    // A peer that reads its answers may ask as often as it likes.
    let mut connection = established(Config::new(SocketType::Pull), SocketType::Push, 1, now);
    for _ in 0..100_000 {
        assert!(connection.receive(&ping, now).is_ok());
        assert_eq!(drain(&mut connection), wire::command(b"PONG", b""));
    }
}

#[test]
fn a_context_comes_back_cut_to_16_bytes() {
    let now = Instant::now();
    let mut connection = established(Config::new(SocketType::Pull), SocketType::Push, 1, now);
    let ping = wire::command(b"PING", b"\x02\x900123456789abcdefg");
    assert_eq!(connection.receive(&ping, now).unwrap().event, None);
    let pong = wire::command(b"PONG", b"0123456789abcdef");
    assert_eq!(drain(&mut connection), pong);
    // 0x290 tenths of a second, which do not fit into 16 bits of milliseconds.
    let deadline = now + Duration::from_millis(65_600);
    assert_eq!(connection.deadline(), Some(deadline));
}

#[test]
fn progress_does_not_extend_the_handshake() {
    let start = Instant::now();
    let mut config = Config::new(SocketType::Pull);
    config.handshake_timeout = Some(Duration::from_secs(10));
    let stream = wire::handshake(SocketType::Push);
    for stall in 0..stream.len() {
        let mut connection = Connection::new(config.clone(), start);
        let mut at = 0;
        for end in 1..=stall {
            let now = start + Duration::from_millis(9_000 * end as u64 / stall as u64);
            while let Ok(Some(count)) = connection
                .receive(&stream[at..end], now)
                .map(|progress| (progress.consumed > 0).then_some(progress.consumed))
            {
                at += count;
            }
        }
        assert_eq!(connection.deadline(), Some(start + Duration::from_secs(10)));
        let early = start + Duration::from_millis(9_999);
        assert_eq!(connection.on_deadline(early), Ok(()));
        let late = start + Duration::from_secs(10);
        let failure = Err(Failure::HandshakeTimeout);
        assert_eq!(connection.on_deadline(late), failure, "{stall}");
        assert_eq!(connection.on_deadline(late), failure);
        assert_eq!(connection.deadline(), None);
    }
}
