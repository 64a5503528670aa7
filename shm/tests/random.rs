//! The two ends against a queue of messages, in random order of everything that they can do.
#![cfg(not(loom))]

mod common;

use std::collections::VecDeque;

use common::{Collector, Side, pair, pattern};
use proptest::prelude::*;
use ringmq_shm::Chunk;

const SEGMENT: usize = 64 << 10;
const RING: usize = SEGMENT / 4;
const BODY_MAX: usize = RING / 8;
const POOL: usize = 11 * 4096;

#[derive(Clone, Debug)]
enum Step {
    /// Writes a message of parts with these lengths, as far as there is room.
    Send {
        lens: Vec<usize>,
        then: Then,
    },
    /// Writes a message and publishes it after each part. Gives up after `given_up` parts, if there are more.
    Stream {
        lens: Vec<usize>,
        given_up: usize,
        then: Then,
    },
    /// Writes a body in pieces. Gives up if it takes more than `patience` turns.
    Pieces {
        len: usize,
        patience: usize,
    },
    /// Sends a loan.
    Loan {
        len: usize,
    },
    /// Takes a loan and drops it later.
    Keep {
        len: usize,
    },
    /// Takes up to so many messages.
    Receive(usize),
    /// Drops so many of the chunks that the receiver holds, or the sender's loans.
    Drop(usize),
    Release,
}

/// What becomes of messages that are written.
#[derive(Clone, Copy, Debug)]
enum Then {
    Publish,
    RollBack,
    Nothing,
}

fn len() -> impl Strategy<Value = usize> {
    let limits = [0, 1, 7, 8, 9, 64, 4096, BODY_MAX, RING, POOL];
    prop_oneof![
        4 => 0usize..100,
        2 => (0..limits.len(), 0usize..3).prop_map(move |(limit, add)| (limits[limit] + add).saturating_sub(1)),
        1 => Just(10 * RING),
        1 => 0..POOL,
    ]
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![4 => Just(Then::Publish), 1 => Just(Then::RollBack), 2 => Just(Then::Nothing)]
}

fn step() -> impl Strategy<Value = Step> {
    let lens = || prop::collection::vec(len(), 1..5);
    prop_oneof![
        6 => (lens(), then()).prop_map(|(lens, then)| Step::Send { lens, then }),
        3 => (lens(), 0usize..6, then()).prop_map(|(lens, given_up, then)| Step::Stream { lens, given_up, then }),
        2 => (len(), 0usize..40).prop_map(|(len, patience)| Step::Pieces { len, patience }),
        2 => (1..POOL).prop_map(|len| Step::Loan { len }),
        1 => (1..POOL).prop_map(|len| Step::Keep { len }),
        6 => (0usize..6).prop_map(Step::Receive),
        2 => (0usize..8).prop_map(Step::Drop),
        1 => Just(Step::Release),
    ]
}

/// A connection and what it should be like.
struct Pair {
    a: Side,
    b: Side,
    collector: Collector,
    loans: Vec<Chunk>,
    /// Written, and not published.
    staged: Vec<Vec<Vec<u8>>>,
    /// Published, and not received.
    sent: VecDeque<Vec<Vec<u8>>>,
    number: u64,
    written: u64,
}

impl Pair {
    fn new() -> Self {
        let (a, b) = pair(SEGMENT);
        let mut collector = Collector::default();
        collector.held = Some(Vec::new());
        Self {
            a,
            b,
            collector,
            loans: Vec::new(),
            staged: Vec::new(),
            sent: VecDeque::new(),
            number: 0,
            written: 0,
        }
    }

    fn bodies(&mut self, lens: &[usize]) -> Vec<Vec<u8>> {
        self.number += 1;
        lens.iter().map(|&len| pattern(self.number, len)).collect()
    }

    fn publish(&mut self, message: Vec<Vec<u8>>) {
        self.staged.push(message);
        self.a.sender.publish();
        self.note_published();
        assert!(self.staged.is_empty());
    }

    fn stream(&mut self) {
        self.a.sender.stream();
        self.note_published();
    }

    fn note_published(&mut self) {
        let published = (self.a.sender.written() - self.written) as usize;
        self.written += published as u64;
        self.sent.extend(self.staged.drain(..published));
    }

    fn roll_back(&mut self) {
        self.a.sender.rollback();
        self.staged.clear();
        assert_eq!(self.a.sender.written(), self.written);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send { lens, then } => self.send(&lens, then),
            Step::Stream { lens, given_up, then } => self.send_in_parts(&lens, given_up, then),
            Step::Pieces { len, patience } => self.pieces(len, patience),
            Step::Loan { len } => self.lend(len),
            Step::Keep { len } => self.loans.extend(self.a.sender.loan(len)),
            Step::Receive(count) => (0..count).for_each(|_| self.receive()),
            Step::Drop(count) => {
                let held = self.collector.held.as_mut().unwrap();
                held.drain(..count.min(held.len()));
                self.loans.truncate(count);
            }
            Step::Release => self.b.receiver.release(),
        }
    }

    fn send(&mut self, lens: &[usize], then: Then) {
        let message = self.bodies(lens);
        let says_room = lens.len() == 1 && lens[0] <= BODY_MAX && self.a.sender.has_room(lens[0]).unwrap();
        for (index, body) in message.iter().enumerate() {
            if self.a.sender.write(body, index + 1 < message.len()) {
                continue;
            }
            assert!(!says_room);
            // What fails leaves nothing behind: a first part needs no rollback, and those before can be published.
            if index > 0 {
                self.roll_back();
            } else {
                self.a.sender.publish();
                self.note_published();
            }
            return;
        }
        self.end(message, then);
    }

    fn end(&mut self, message: Vec<Vec<u8>>, then: Then) {
        match then {
            Then::Publish => self.publish(message),
            Then::RollBack => self.roll_back(),
            Then::Nothing => self.staged.push(message),
        }
    }

    fn send_in_parts(&mut self, lens: &[usize], given_up: usize, then: Then) {
        let message = self.bodies(lens);
        for (index, body) in message.iter().enumerate() {
            if index == given_up || !self.a.sender.write(body, index + 1 < message.len()) {
                return self.roll_back();
            }
            if index + 1 < message.len() {
                self.stream();
            }
            self.receive();
        }
        self.end(message, then);
    }

    fn pieces(&mut self, len: usize, patience: usize) {
        let message = self.bodies(&[len]);
        let mut done = 0;
        for _ in 0..patience {
            if self.a.sender.write_pieces(&message[0], &mut done, false) {
                return self.publish(message);
            }
            self.note_published();
            self.receive();
            self.b.receiver.release();
        }
        self.roll_back();
    }

    fn lend(&mut self, len: usize) {
        let message = self.bodies(&[len]);
        let Some(mut chunk) = self.a.sender.loan(len) else {
            return;
        };
        chunk.copy_from_slice(&message[0]);
        if self.a.sender.write_chunk(chunk, false).is_ok() {
            self.publish(message);
        }
    }

    /// A message that was sent whole is there, as long as the one before it was.
    fn receive(&mut self) {
        match self.collector.poll(&mut self.b.receiver).unwrap() {
            Some(message) => assert!(self.sent.pop_front().unwrap() == message),
            None => assert!(self.sent.is_empty()),
        }
    }

    /// Everything comes back.
    fn finish(mut self) {
        self.a.sender.publish();
        self.note_published();
        while !self.sent.is_empty() {
            self.receive();
        }
        self.receive();
        self.b.receiver.release();
        self.collector.held = None;
        self.loans.clear();
        assert_eq!(self.a.sender.taken(), Ok(self.written));
        assert!(self.a.sender.loan(self.a.sender.chunk_max()).is_some());
        // An abort may still be owed: this is when it goes out.
        assert_eq!(self.a.sender.has_room(0), Ok(true));
        self.receive();
        self.b.receiver.release();
        assert_eq!(self.a.sender.is_drained(), Ok(true));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ends_are_a_queue(steps in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.take(step);
        }
        pair.finish();
    }
}
