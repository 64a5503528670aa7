//! A peer that writes anything at any time. Whatever it does, each call returns, soon, with a record that is whole or with
//! a violation, and the violation stays.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use super::{
    Memory,
    common::{Collector, Side, copy},
    pair,
};
use crate::{Body, Violation};

/// A small generator of numbers that look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// What a step found.
type Found = Result<(), Violation>;

/// The victim does a bit of everything, with whatever is there.
fn be_a_victim(victim: &mut Side, random: &mut Random) -> Found {
    let geometry_ring = 16 << 10;
    // Not more records than the ring holds of the shortest.
    for _ in 0..geometry_ring / 8 {
        let Some(record) = victim.receiver.next()? else {
            break;
        };
        match record.body {
            Body::Bytes(bytes) => {
                assert!(bytes.len() <= 2 << 10);
                copy(bytes.len(), |to| bytes.copy_to(to).len());
            }
            Body::Lent(lent) => {
                assert!(lent.len() <= 11 * 4096);
                copy(lent.len(), |to| lent.copy_to(to).len());
            }
            Body::Piece { bytes, .. } => {
                assert!((1..=2 << 10).contains(&bytes.len()));
                copy(bytes.len(), |to| bytes.copy_to(to).len());
            }
            Body::Abort => {}
        }
    }
    victim.receiver.release();
    let len = [0, 64, 2000, 5000, 40_000][random.below(5)];
    if victim.sender.has_room(len)? {
        if !victim.sender.write(&vec![1; len], random.next() & 1 == 0) {
            victim.sender.rollback();
        }
    } else {
        victim.sender.ask_for_room(0, len)?;
        victim.sender.stop_asking();
    }
    victim.sender.publish();
    victim.sender.taken()?;
    victim.sender.is_drained()?;
    victim.receiver.arm();
    victim.receiver.disarm();
    Ok(())
}

/// The peer does a bit of everything that is allowed, or fails at it.
fn be_a_peer(peer: &mut Side, collector: &mut Collector, random: &mut Random) {
    for _ in 0..random.below(20) {
        let len = [0, 8, 64, 1000, 5000][random.below(5)];
        if !peer.sender.write(&vec![2; len], random.next() & 3 == 0) {
            peer.sender.rollback();
            break;
        }
        if random.next() & 1 == 0 {
            peer.sender.publish();
        }
    }
    peer.sender.publish();
    let _ = collector.poll(&mut peer.receiver);
    peer.receiver.release();
}

/// A value for a word that is now `old`: close to it, close to the limits, or anything.
fn lie(old: u64, random: &mut Random) -> u64 {
    let ring = 16 << 10;
    let near = [1, 8, ring, ring + 1, ring + 8, ring / 2, 1 << 32];
    let by = near[random.below(near.len())];
    match random.below(6) {
        0 => random.next(),
        1 => old.wrapping_add(by),
        2 => old.wrapping_sub(by),
        3 => 0,
        4 => u64::MAX - random.next() % 16,
        _ => old ^ 1 << random.below(64),
    }
}

#[test]
fn every_word_of_the_header_may_become_anything() {
    let mut random = Random(1);
    let mut refused = 0;
    for round in 0..4000 {
        let (mut victim, mut peer, memory) = pair();
        let mut collector = Collector::default();
        for _ in 0..random.below(6) {
            be_a_peer(&mut peer, &mut collector, &mut random);
            assert_eq!(be_a_victim(&mut victim, &mut random), Ok(()), "honest so far");
        }
        let word = memory.words()[round % 8];
        word.store(lie(word.load(Relaxed), &mut random), Relaxed);
        for _ in 0..10 {
            let found = be_a_victim(&mut victim, &mut random);
            if found.is_err() {
                refused += 1;
                assert!(be_a_victim(&mut victim, &mut random).is_err(), "it stays");
                break;
            }
        }
    }
    assert!(refused > 500, "only {refused} lies were noticed");
}

/// Runs a victim and an honest peer while `scribble` writes to the peer's memory from another thread, until it has done so
/// `wanted` times. A connection that is refused is replaced.
fn under_fire(seed: u64, wanted: u64, scribble: fn(&Memory, &mut Random)) -> u64 {
    let mut random = Random(seed);
    let mut refused = 0;
    let mut written = 0;
    while written < wanted {
        let (mut victim, mut peer, memory) = pair();
        let is_over = AtomicBool::new(false);
        written += thread::scope(|scope| {
            let mut own = Random(random.next());
            let is_over = &is_over;
            let scribbling = scope.spawn(move || {
                let memory = memory;
                let mut count = 0;
                while !is_over.load(Relaxed) {
                    for _ in 0..64 {
                        scribble(&memory, &mut own);
                    }
                    count += 64;
                }
                count
            });
            let mut collector = Collector::default();
            for _ in 0..200 {
                be_a_peer(&mut peer, &mut collector, &mut random);
                if be_a_victim(&mut victim, &mut random).is_err() {
                    refused += 1;
                    break;
                }
            }
            is_over.store(true, Relaxed);
            scribbling.join().unwrap()
        });
    }
    refused
}

#[test]
fn words_of_the_header_may_change_at_any_time() {
    let refused = under_fire(2, 2_000_000, |memory, random| {
        let word = memory.words()[random.below(8)];
        word.store(lie(word.load(Relaxed), random), Relaxed);
    });
    assert!(refused > 10, "only {refused} lies were noticed");
}

/// Lengths, kinds, flags and payload: bits of the ring flip while they are read.
#[test]
fn bits_of_the_ring_may_flip_at_any_time() {
    let refused = under_fire(3, 5_000_000, |memory, random| {
        let at = memory.geometry.ring_at + 8 * random.below(memory.geometry.ring_len / 8);
        // SAFETY: a word of the ring, in a mapping that the test keeps.
        let word = unsafe { memory.area.load_word(at) };
        // SAFETY: as above. The peer's own writes may be lost, which is the point.
        unsafe { memory.area.store_word(at, word ^ 1 << random.below(64)) };
    });
    assert!(refused > 10, "only {refused} lies were noticed");
}

/// The words of records only, which is where a second look would be a mistake.
#[test]
fn record_headers_may_change_between_two_looks() {
    let refused = under_fire(4, 5_000_000, |memory, random| {
        let position = 8 * random.below(memory.geometry.ring_len / 8);
        let kinds = [1, 2, 2, 2, 3, 4, 5];
        let kind = kinds[random.below(kinds.len())];
        let flags = random.next() & 15;
        let len = [0, 8, 16, 64, 2048, 2049, 16 << 10][random.below(7)];
        memory.put(position, crate::record::word(kind, flags, len));
    });
    assert!(refused > 10, "only {refused} lies were noticed");
}
