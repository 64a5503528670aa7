//! The pieces over pipes within the process, without sockets around them.

use std::sync::Arc;

use ringmq_message::Message;
use ringmq_zmtp::SocketType;

use super::*;
use crate::{
    inproc::Party,
    monitor::DropCause,
    pace::{Dwell, Pace},
    pattern::Pattern,
    pipe::{Pipe, Read, local_pair},
    socket::SocketShared,
};

fn shared() -> Arc<SocketShared> {
    let (_, traits) = Pattern::new(SocketType::Pair, 0).unwrap();
    Arc::new(SocketShared::new(SocketType::Pair, traits, false))
}

/// Pipes that hold `hwm` messages each, with their keys, and their other ends.
fn pipes(count: usize, hwm: u64) -> (Pipes, Vec<PipeKey>, Vec<Pipe>) {
    let sockets = (shared(), shared());
    let party = |socket| Party {
        socket,
        endpoint: 0,
        identity: b"",
        hello: b"",
        disconnect: b"",
        // The mark is the sum of the sender's for sending and the receiver's for receiving.
        hwm: (hwm, hwm),
        receive_bytes_max: 0,
        drops_oldest: false,
        conflate: false,
    };
    let mut pipes = Pipes::default();
    let (mut keys, mut others) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (mut near, mut far) = local_pair(&party(&sockets.0), Some(&party(&sockets.1)));
        far.attach(number as u64);
        near.set_hwm(hwm, hwm);
        let key = pipes.insert(near);
        pipes.get(key).unwrap().attach(key);
        keys.push(key);
        others.push(far);
    }
    (pipes, keys, others)
}

fn part(text: &str, more: bool) -> Message {
    let mut part = Message::from(text);
    part.set_more(more);
    part
}

/// All that lies in a pipe.
fn drain(pipe: &mut Pipe) -> Vec<String> {
    let mut texts = Vec::new();
    let mut message = Message::new();
    while let Read::Part = pipe.read(&mut message, Dwell::Pauses) {
        texts.push(String::from_utf8_lossy(&message).into_owned());
    }
    texts
}

#[test]
fn rfc30_whole_messages_go_round() {
    let (mut pipes, keys, mut others) = pipes(3, 10);
    let mut balance = LoadBalance::default();
    for &key in &keys {
        balance.activate(&mut pipes, key);
    }
    for number in 0..6 {
        for (text, more) in [(format!("{number}"), true), ("tail".to_owned(), false)] {
            assert!(balance.send(&mut pipes, &mut part(&text, more)).is_some());
        }
    }
    for (place, other) in others.iter_mut().enumerate() {
        let expected = [
            format!("{place}"),
            "tail".into(),
            format!("{}", place + 3),
            "tail".into(),
        ];
        assert_eq!(drain(other), expected);
    }
}

#[test]
fn a_pipe_without_room_leaves_the_round_and_comes_back_last() {
    let (mut pipes, keys, mut others) = pipes(2, 1);
    let mut balance = LoadBalance::default();
    for &key in &keys {
        balance.activate(&mut pipes, key);
    }
    // Both marks add up to two messages for each pipe.
    for number in 0..4 {
        assert!(
            balance
                .send(&mut pipes, &mut part(&number.to_string(), false))
                .is_some()
        );
    }
    assert!(
        balance
            .send(&mut pipes, &mut part("nobody has room", false))
            .is_none()
    );
    assert_eq!(drain(&mut others[1]), ["1", "3"]);
    assert!(
        balance.send(&mut pipes, &mut part("too soon", false)).is_none(),
        "it comes back when it reports"
    );
    balance.activate(&mut pipes, keys[1]);
    assert!(balance.send(&mut pipes, &mut part("4", false)).is_some());
    assert_eq!(drain(&mut others[1]), ["4"]);
    assert_eq!(drain(&mut others[0]), ["0", "2"]);
}

#[test]
fn a_message_whose_pipe_goes_is_swallowed_to_its_end() {
    let (mut pipes, keys, mut others) = pipes(2, 10);
    let mut balance = LoadBalance::default();
    for &key in &keys {
        balance.activate(&mut pipes, key);
    }
    assert_eq!(
        balance.send(&mut pipes, &mut part("first", true)),
        Some(Balanced::Sent(keys[0]))
    );
    balance.remove(&mut pipes, keys[0]);
    pipes.remove(keys[0]);
    for more in [true, false] {
        assert_eq!(
            balance.send(&mut pipes, &mut part("rest", more)),
            Some(Balanced::Dropped)
        );
    }
    assert_eq!(
        balance.send(&mut pipes, &mut part("next", false)),
        Some(Balanced::Sent(keys[1]))
    );
    assert_eq!(drain(&mut others[0]), [""; 0]);
    assert_eq!(drain(&mut others[1]), ["next"]);
}

#[test]
fn rfc30_one_whole_message_of_each_in_turn() {
    let (mut pipes, keys, mut others) = pipes(3, 10);
    let mut queue = FairQueue::default();
    for (place, other) in others.iter_mut().enumerate() {
        for round in 0..2 {
            other.write(&mut part(&format!("{place}{round}"), true), &mut Pace::default());
            other.write(&mut part("tail", false), &mut Pace::default());
        }
    }
    for &key in &keys {
        queue.activate(&mut pipes, key);
    }
    let mut message = Message::new();
    for expected in ["00", "10", "20", "01", "11", "21"] {
        queue.part(&mut pipes, &mut message).unwrap();
        assert_eq!(&*message, expected.as_bytes());
        queue.part(&mut pipes, &mut message).unwrap();
        assert_eq!(&*message, b"tail");
    }
    assert_eq!(queue.part(&mut pipes, &mut message), None);
}

#[test]
fn a_message_in_progress_outlives_its_pipe() {
    let (mut pipes, keys, mut others) = pipes(2, 10);
    let mut queue = FairQueue::default();
    for (text, more) in [("a", true), ("b", true), ("c", false), ("never read", false)] {
        others[0].write(&mut part(text, more), &mut Pace::default());
    }
    others[1].write(&mut part("d", false), &mut Pace::default());
    for &key in &keys {
        queue.activate(&mut pipes, key);
    }
    let mut message = Message::new();
    assert_eq!(queue.part(&mut pipes, &mut message), Some(keys[0]));
    queue.remove(&mut pipes, keys[0]);
    pipes.remove(keys[0]);
    assert!(queue.has_queued(&mut pipes));
    for expected in ["b", "c", "d"] {
        queue.part(&mut pipes, &mut message).unwrap();
        assert_eq!(&*message, expected.as_bytes());
    }
    assert_eq!(queue.part(&mut pipes, &mut message), None);
}

#[test]
fn where_messages_have_one_part_others_are_thrown_away() {
    let (mut pipes, keys, mut others) = pipes(1, 10);
    let mut queue = FairQueue::default();
    for (text, more) in [("two", true), ("parts", false), ("one", false)] {
        others[0].write(&mut part(text, more), &mut Pace::default());
    }
    queue.activate(&mut pipes, keys[0]);
    let mut message = Message::new();
    assert_eq!(queue.single(&mut pipes, &mut message), Some(keys[0]));
    assert_eq!(&*message, b"one");
}

#[test]
fn rfc29_every_chosen_pipe_gets_the_message_once() {
    let (mut pipes, keys, mut others) = pipes(3, 10);
    let mut distribute = Distribute::default();
    // Two subscriptions of one peer match.
    for key in [keys[0], keys[2], keys[0]] {
        distribute.choose(key);
    }
    distribute.send(&mut pipes, &mut part("first", true));
    assert!(distribute.is_sending());
    distribute.send(&mut pipes, &mut part("last", false));
    distribute.clear();
    distribute.choose(keys[1]);
    distribute.invert(&keys);
    distribute.send(&mut pipes, &mut part("inverted", false));
    assert_eq!(drain(&mut others[0]), ["first", "last", "inverted"]);
    assert_eq!(drain(&mut others[1]), [""; 0]);
    assert_eq!(drain(&mut others[2]), ["first", "last", "inverted"]);
}

#[test]
fn a_pipe_without_room_misses_whole_messages_and_they_are_counted() {
    let (mut pipes, keys, mut others) = pipes(2, 2);
    let mut distribute = Distribute::default();
    let mut publish = |pipes: &mut Pipes, number: u32| {
        distribute.clear();
        keys.iter().for_each(|&key| distribute.choose(key));
        distribute.send(pipes, &mut part(&number.to_string(), true));
        distribute.send(pipes, &mut part("tail", false));
    };
    // The first reads everything; the second nothing until it has missed six messages beyond its four.
    let mut read = 0;
    for number in 0..10 {
        publish(&mut pipes, number);
        read += drain(&mut others[0]).len();
    }
    assert_eq!(read, 20);
    assert_eq!(
        drain(&mut others[1]),
        ["0", "tail", "1", "tail", "2", "tail", "3", "tail"]
    );
    publish(&mut pipes, 10);
    assert_eq!(drain(&mut others[1]), ["10", "tail"]);
    let told: Vec<u64> = pipes
        .drops
        .iter()
        .map(|dropped| {
            assert_eq!(dropped.cause, DropCause::HighWaterMark);
            dropped.count
        })
        .collect();
    assert_eq!(
        told,
        [1, 1, 2, 2],
        "at one, two and four, and the rest at the end"
    );
}
