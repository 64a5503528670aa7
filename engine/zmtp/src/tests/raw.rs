//! Connections without ZMTP.

use std::time::{Duration, Instant};

use crate::{Connection, Event, Progress};

#[test]
fn a_raw_connection_begins_at_once_and_takes_anything() {
    let now = Instant::now();
    let mut connection = Connection::raw(100, now);
    assert!(connection.transmit().is_empty(), "it has nothing to say");
    assert!(!connection.is_established());
    let first = connection.receive(&[], now).unwrap();
    assert_eq!((first.consumed, first.event), (0, Some(Event::Handshaken)));
    assert!(connection.is_established());
    assert_eq!(connection.receive(&[], now).unwrap(), Progress::NEED_MORE);
    let bytes = [0xFF; 250];
    for (at, count) in [(0, 100), (100, 100), (200, 50)] {
        let step = connection.receive(&bytes[at..], now).unwrap();
        assert_eq!((step.consumed, step.event), (count, Some(Event::Raw)));
    }
}

#[test]
fn a_raw_connection_has_no_deadline_and_no_peer() {
    let now = Instant::now();
    let mut connection = Connection::raw(100, now);
    let _ = connection.receive(b"bytes before the first call", now).unwrap();
    assert_eq!(connection.deadline(), None);
    let later = now + Duration::from_secs(1_000_000);
    assert_eq!(connection.on_deadline(later), Ok(()));
    assert!(connection.peer().is_none());
}
