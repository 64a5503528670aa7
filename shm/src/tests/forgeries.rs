//! Single lies, each with the violation that it is.

use ringmq_queue::sync::Ordering::Relaxed;

use super::{Memory, common::Side, pair};
use crate::{
    Body, Violation,
    record::{ABORT, BODY, CHUNK, FIRST, LAST, MORE, PAD, PIECE, STREAMED, word},
};

const RING: usize = 16 << 10;
const BODY_MAX: usize = 2 << 10;

/// What a victim says after its peer has done something.
fn received_after(lie: impl FnOnce(&mut Side, &Memory)) -> Result<usize, Violation> {
    let (mut victim, mut peer, memory) = pair();
    lie(&mut peer, &memory);
    let mut records = 0;
    loop {
        match victim.receiver.next() {
            Ok(None) => return Ok(records),
            Ok(Some(_)) => records += 1,
            Err(violation) => {
                assert!(victim.receiver.has_data(), "a violation is something to look at");
                assert_eq!(victim.receiver.next().unwrap_err(), violation, "it stays");
                return Err(violation);
            }
        }
    }
}

/// Writes words from the beginning of the ring on, and publishes them.
fn publish(words: &[u64]) -> impl FnOnce(&mut Side, &Memory) {
    let words = words.to_vec();
    move |_, memory| {
        for (index, &word) in words.iter().enumerate() {
            memory.put(8 * index, word);
        }
        memory.set_tail(8 * words.len());
    }
}

#[test]
fn honest_words_are_records() {
    assert_eq!(received_after(publish(&[word(BODY, 0, 8), 7])), Ok(1));
    assert_eq!(received_after(publish(&[word(BODY, 0, 0)])), Ok(1));
    assert_eq!(
        received_after(publish(&[word(BODY, MORE, 0), word(BODY, 0, 0)])),
        Ok(2)
    );
    assert_eq!(
        received_after(publish(&[word(CHUNK, 0, 16), 1 << 32, 4096])),
        Ok(1)
    );
    let pieces = [word(PIECE, FIRST, 16), 9, 0, word(PIECE, LAST, 1), 0];
    assert_eq!(received_after(publish(&pieces)), Ok(2));
}

#[test]
fn impossible_tails_are_violations() {
    for tail in [4, 1, RING + 8, usize::MAX, usize::MAX - 7, 1 << 63] {
        let lie = |_: &mut Side, memory: &Memory| memory.set_tail(tail);
        assert_eq!(received_after(lie), Err(Violation::Tail), "{tail}");
    }
    // Back behind what was taken.
    let (mut victim, mut peer, memory) = pair();
    assert!(peer.send(b"one") && peer.send(b"two"));
    assert!(victim.receive().is_some() && victim.receive().is_some());
    memory.set_tail(16);
    assert_eq!(victim.receiver.next().unwrap_err(), Violation::Tail);
}

#[test]
fn impossible_records_are_violations() {
    let body = word(BODY, 0, 8);
    let cases: &[&[u64]] = &[
        // No record, and kinds and bits that nobody knows.
        &[0, 0],
        &[u64::MAX, 0],
        &[word(6, 0, 8), 0],
        &[body | 1 << 48, 0],
        &[body | 1 << 63, 0],
        &[word(BODY, FIRST, 8), 0],
        &[word(BODY, LAST, 8), 0],
        &[word(BODY, 16, 8), 0],
        &[word(CHUNK, FIRST, 16), 1 << 32, 1],
        // Longer than what is published, or than allowed.
        &[word(BODY, 0, 9), 0],
        &[word(BODY, 0, BODY_MAX + 1), 0],
        &[word(BODY, 0, u32::MAX as usize), 0],
        // A chunk of another length.
        &[word(CHUNK, 0, 8), 1 << 32],
        &[word(CHUNK, 0, 24), 1 << 32, 1, 0],
        // Padding that ends before the ring does, behind it, or with flags; nothing after it.
        &[word(PAD, 0, 0), body, 0],
        &[word(PAD, 0, RING), body, 0],
        &[word(PAD, MORE, RING - 8), body, 0],
        &[word(PAD, 0, RING - 8)],
        // Forgetting what was never begun, or not streamed, or with something in it.
        &[word(ABORT, 0, 0)],
        &[word(BODY, MORE, 0), word(ABORT, 0, 0)],
        &[word(BODY, MORE | STREAMED, 0), word(ABORT, 0, 8), 0],
        &[word(BODY, MORE | STREAMED, 0), word(ABORT, MORE, 0)],
        // Streaming from the middle on.
        &[word(BODY, MORE, 0), word(BODY, STREAMED, 0)],
        &[word(BODY, MORE | STREAMED, 0), word(BODY, STREAMED, 0)],
        // Something else in the middle of a body.
        &[word(PIECE, FIRST, 16), 9, 0, body, 0],
        &[word(PIECE, FIRST, 16), 9, 0, word(CHUNK, 0, 16), 1 << 32, 1],
    ];
    for words in cases {
        let said = received_after(publish(words));
        assert_eq!(said, Err(Violation::Record), "{words:x?}");
    }
}

#[test]
fn bodies_longer_than_agreed() {
    let lie = |_: &mut Side, memory: &Memory| {
        memory.put(0, word(BODY, 0, BODY_MAX + 1));
        memory.set_tail(BODY_MAX + 16);
    };
    assert_eq!(received_after(lie), Err(Violation::Record));
}

#[test]
fn padding_alone_at_the_end() {
    let lie = |_: &mut Side, memory: &Memory| {
        memory.put(0, word(PAD, 0, RING - 8));
        memory.set_tail(RING);
    };
    assert_eq!(received_after(lie), Err(Violation::Record));
}

#[test]
fn records_over_the_end_of_the_ring() {
    let (mut victim, mut peer, memory) = pair();
    for _ in 0..(RING - 16) / 16 {
        assert!(peer.send(&[1; 8]) && victim.receive().is_some());
    }
    memory.put(RING - 16, word(BODY, 0, 16));
    memory.set_tail(RING + 8);
    assert_eq!(victim.receiver.next().unwrap_err(), Violation::Record);
}

#[test]
fn impossible_pieces_are_violations() {
    let cases: &[&[u64]] = &[
        // Without a beginning, or with two.
        &[word(PIECE, 0, 8), 0],
        &[word(PIECE, LAST, 8), 0],
        &[word(PIECE, FIRST, 16), 16, 0, word(PIECE, FIRST | LAST, 16), 8, 0],
        // Empty, without a length, of nothing.
        &[word(PIECE, FIRST, 8), 8],
        &[word(PIECE, FIRST | LAST, 8), 0],
        &[word(PIECE, FIRST, 16), 9, 0, word(PIECE, 0, 0)],
        &[word(PIECE, FIRST | LAST, 16), 0, 0],
        // More or less than announced.
        &[word(PIECE, FIRST | LAST, 16), 7, 0],
        &[word(PIECE, FIRST | LAST, 16), 9, 0],
        &[word(PIECE, FIRST, 16), 8, 0],
        &[word(PIECE, FIRST, 16), u64::MAX, 0, word(PIECE, LAST, 8), 0],
        &[word(PIECE, FIRST, 16), 15, 0, word(PIECE, LAST, 8), 0],
        &[word(PIECE, 16, 8), 0],
    ];
    for words in cases {
        let said = received_after(publish(words));
        assert_eq!(said, Err(Violation::Piece), "{words:x?}");
    }
}

#[test]
fn impossible_chunks_are_violations() {
    let chunk = |first: u64, count: u64, len: u64| [word(CHUNK, 0, 16), first | count << 32, len];
    let max = u64::from(u32::MAX);
    for (first, count, len) in [
        (0, 0, 0),
        (11, 1, 1),
        (0, 12, 1),
        (10, 2, 1),
        (max, 1, 1),
        (0, max, 1),
        (max, max, 1),
        (0, 1, 4097),
        (0, 11, 11 * 4096 + 1),
        (0, 1, u64::MAX),
    ] {
        let said = received_after(publish(&chunk(first, count, len)));
        assert_eq!(said, Err(Violation::Chunk), "{first} {count} {len}");
    }
}

#[test]
fn a_chunk_lent_twice() {
    let (mut victim, _peer, memory) = pair();
    let chunk = |index: usize, first: u64, count: u64| {
        memory.put(24 * index, word(CHUNK, 0, 16));
        memory.put(24 * index + 8, first | count << 32);
        memory.put(24 * index + 16, 1);
        memory.set_tail(24 * index + 24);
    };
    chunk(0, 2, 3);
    let held = victim.receiver.next().unwrap().unwrap().body;
    assert!(matches!(&held, Body::Lent(lent) if lent.len() == 1));
    chunk(1, 5, 1);
    assert!(victim.receiver.next().unwrap().is_some(), "another one");
    chunk(2, 5, 1);
    assert!(
        victim.receiver.next().unwrap().is_some(),
        "again, after it was given back"
    );
    chunk(3, 4, 2);
    assert_eq!(victim.receiver.next().unwrap_err(), Violation::Chunk);
}

#[test]
fn parts_without_an_end() {
    let words = [word(BODY, MORE, 0), word(BODY, MORE, 0)];
    assert_eq!(received_after(publish(&words)), Err(Violation::Incomplete));
    // With an announcement that is in order.
    let words = [word(BODY, MORE | STREAMED, 0), word(BODY, MORE, 0)];
    assert_eq!(received_after(publish(&words)), Ok(2));
}

/// What a sending victim says of its peer's words.
fn sent_after(lie: impl FnOnce(&Memory)) -> (Result<bool, Violation>, Result<u64, Violation>) {
    let (mut victim, mut peer, memory) = pair();
    // Full, and half of it given back, so that the next look at the head is of interest.
    while victim.sender.write(&[1; 1000], false) {
        victim.sender.publish();
    }
    for _ in 0..victim.sender.written() / 2 {
        peer.receiver.next().unwrap().unwrap();
    }
    peer.receiver.release();
    assert_eq!(victim.sender.has_room(1000), Ok(true));
    assert_eq!(victim.sender.taken(), Ok(victim.sender.written() / 2));
    while victim.sender.write(&[1; 1000], false) {}
    victim.sender.publish();
    lie(&memory);
    let said = victim.sender.has_room(1000);
    if let Err(violation) = said {
        assert!(!victim.sender.write(b"", false) && victim.sender.loan(1).is_none());
        assert_eq!(victim.sender.ask_for_room(0, 0), Err(violation));
        assert_eq!(victim.sender.taken(), Err(violation));
    }
    (said, victim.sender.taken())
}

#[test]
fn impossible_heads_are_violations() {
    let (said, _) = sent_after(|_| ());
    assert_eq!(said, Ok(false));
    for add in [8_u64.wrapping_neg(), 4, 1, 2 * RING as u64, 1 << 63] {
        let (said, _) = sent_after(|memory| {
            memory.header().release.head.fetch_add(add, Relaxed);
        });
        assert_eq!(said, Err(Violation::Head), "{add:x}");
    }
}

#[test]
fn impossible_counts_are_violations() {
    for add in [1_u64.wrapping_neg(), 1000, u64::MAX / 2] {
        let (_, said) = sent_after(|memory| {
            memory.header().release.taken.fetch_add(add, Relaxed);
        });
        assert_eq!(said, Err(Violation::Taken), "{add:x}");
    }
}

#[test]
fn impossible_returns_are_violations() {
    for lie in [1, 1 << 1, 1 << 10, 1 << 63, u64::MAX] {
        let (mut victim, _peer, memory) = pair();
        // Lent: blocks 3 to 5, as far as the first one is concerned. Staged: 6.
        let [kept, lent, staged] = [3, 3, 1].map(|pages| victim.sender.loan(pages * 4096).unwrap());
        assert!(victim.sender.write_chunk(lent, false).is_ok());
        victim.sender.publish();
        assert!(victim.sender.write_chunk(staged, false).is_ok());
        memory.header().returned.blocks.store(lie, Relaxed);
        assert!(victim.sender.loan(11 * 4096).is_none());
        assert_eq!(victim.sender.has_room(0), Err(Violation::Returned), "{lie:x}");
        drop(kept);
    }
    // What was not published cannot come back either.
    let (mut victim, _peer, memory) = pair();
    let staged = victim.sender.loan(4096).unwrap();
    assert!(victim.sender.write_chunk(staged, false).is_ok());
    memory.header().returned.blocks.store(1, Relaxed);
    assert!(victim.sender.loan(11 * 4096).is_none());
    assert_eq!(victim.sender.has_room(0), Err(Violation::Returned));
}

#[test]
fn thresholds_are_the_peers_own_affair() {
    let (mut victim, mut peer, memory) = pair();
    for value in [0, 1, u64::MAX - 1, 1 << 40] {
        for word in &memory.words()[3..7] {
            word.store(value, Relaxed);
        }
        for _ in 0..100 {
            assert!(victim.send(&[1; 3000]) && peer.receive().is_some());
            assert!(peer.send(&[2; 100]) && victim.receive().is_some());
            victim.receiver.release();
            peer.receiver.release();
        }
    }
}
