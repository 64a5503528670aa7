//! The table is the process's, so each test looks only at what it made itself, and the one that fills it up only at what
//! must stay.

use super::*;
use crate::Message;

fn known(name: &str, value: &str) -> Properties {
    Properties::new([(name.as_bytes(), value.as_bytes())], 7)
}

fn from(origin: &Origin, body: &str) -> Message {
    let mut message = Message::from(body);
    message.set_origin(origin.id());
    message
}

#[test]
fn properties_are_found_by_name() {
    let properties = Properties::new(
        [
            (&b"Socket-Type"[..], &b"DEALER"[..]),
            (b"Identity", b"alice"),
            (b"X-Empty", b""),
            (b"X-Zero", b"a\0b"),
            (b"X-Twice", b"first"),
            (b"X-Twice", b"second"),
            (b"X-Bytes", b"\xff"),
        ],
        5,
    );
    assert_eq!(properties.socket_type(), Some("DEALER"));
    assert_eq!(properties.get("Identity"), Some(&b"alice"[..]));
    assert_eq!(properties.get("Routing-Id"), Some(&b"alice"[..]));
    assert_eq!(properties.get("X-Empty"), Some(&b""[..]));
    assert_eq!(properties.get("X-Zero"), Some(&b"a\0b"[..]));
    assert_eq!(properties.get_c("X-Zero"), Some(c"a"));
    assert_eq!(properties.get("X-Twice"), Some(&b"first"[..]));
    assert_eq!(properties.get_text("X-Bytes"), None);
    assert_eq!(properties.get("x-empty"), None);
    assert_eq!(properties.get(""), None);
    assert_eq!(properties.peer_address(), None);
    assert_eq!(properties.fd(), 5);
    assert_eq!(properties.iter().count(), 7);
    let none = Properties::new([], -1);
    assert!(none.get("Socket-Type").is_none() && none.iter().next().is_none());
}

#[test]
fn what_no_peer_can_announce_is_left_out() {
    let long = [b'x'; 256];
    let properties = Properties::new([(&long[..], &b"1"[..]), (&long[..255], b"2")], -1);
    assert_eq!(properties.get(&long[..255]), Some(&b"2"[..]));
    assert_eq!(properties.iter().count(), 1);
}

#[test]
fn a_message_tells_where_it_came_from() {
    let origin = Origin::new(known("X-Name", "one"));
    let mut message = from(&origin, "body");
    let told = |message: &Message| {
        let properties = message.properties()?;
        properties.get_text("X-Name").map(str::to_owned)
    };
    assert_eq!(told(&message).as_deref(), Some("one"));
    assert_eq!(told(&message.share()).as_deref(), Some("one"));
    assert_eq!(told(&message.clone()).as_deref(), Some("one"));
    message.set_group(&[b'g'; 200]).unwrap();
    assert_eq!(told(&message).as_deref(), Some("one"));
    message.set_slice(b"new content");
    assert_eq!(told(&message), None);
    assert_eq!(message.origin(), OriginId::NONE);
    drop(origin);
    assert!(Message::new().properties().is_none());
}

/// Makes and ends connections until those that ended before are forgotten.
fn push_out() {
    let much = "x".repeat(100_000);
    for _ in 0..=ENDED_BYTES_MAX / much.len() {
        drop(Origin::new(known("X-Much", &much)));
    }
}

#[test]
fn the_table_forgets_what_has_ended_and_is_not_held() {
    let living = Origin::new(known("X-Name", "living"));
    let ended = Origin::new(known("X-Name", "ended"));
    let held = Origin::new(known("X-Name", "held"));
    let of_living = from(&living, "");
    let of_ended = from(&ended, "");
    let mut of_held = from(&held, "");
    let kept = of_held
        .keep_properties()
        .map(|properties| Arc::as_ptr(&properties));
    assert!(kept.is_some());
    drop((ended, held));
    assert!(of_ended.properties().is_some(), "soon after its end it is known");
    push_out();
    assert!(of_living.properties().is_some());
    assert!(of_ended.properties().is_none());
    let told = of_held.properties().map(|properties| Arc::as_ptr(&properties));
    assert_eq!(told, kept, "the same, at the same place");
    // A copy does not hold, and what makes the message another one lets go.
    let mut copy = of_held.share();
    of_held.set_slice(b"another");
    push_out();
    assert!(copy.properties().is_none() && copy.keep_properties().is_none());
    drop(living);
}

#[test]
fn a_hold_survives_what_keeps_the_message() {
    let origin = Origin::new(known("X-Name", "value"));
    let long = "x".repeat(300);
    for body in ["short", &long] {
        let mut message = from(&origin, body);
        message.keep_properties().unwrap();
        let mut other = message.share();
        message.keep_properties().unwrap();
        // Copied first, because the body is shared.
        message.as_mut_slice()[0] = 1;
        message.set_group(b"group").unwrap();
        assert!(message.origin.is_held() && !other.origin.is_held());
        other.keep_properties().unwrap();
        other.set_origin(OriginId::NONE);
        assert!(!other.origin.is_held());
        let moved = std::mem::take(&mut message);
        assert!(moved.origin.is_held() && !message.origin.is_held());
    }
    let holds = table().known[&origin.id()].holds;
    assert_eq!(holds, 1, "the connection's own");
}
