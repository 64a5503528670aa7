//! Bodies that are written where the peer reads them: the addresses show that nothing was copied.

use std::fs;

use ringmq::{Buffer, Context, Pair, Pull, Push};
use ringmq_tests::watchdog::within;

use crate::sizes::capacities;
use crate::{LIMIT, body, new, share};

const SMALL: usize = 64 << 10;
const DEFAULT: usize = 1 << 20;

/// The file and the place in it that an address of this process belongs to, if that is a memory file.
fn place(address: *const u8) -> Option<(u64, u64)> {
    let address = address.addr() as u64;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let (range, offset) = (fields.next()?, fields.nth(1)?);
        let (inode, name) = (fields.nth(1)?, fields.next()?);
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = range.split_once('-')?;
        let (start, end) = (hex(start), hex(end));
        let found = (start..end).contains(&address) && name.starts_with("/memfd:ringmq");
        found.then(|| (inode.parse().unwrap(), hex(offset) + address - start))
    })
}

fn pair(segment: usize, trusting: bool) -> (Push, Pull) {
    let context = Context::new();
    let (push, pull): (Push, Pull) = (new(&context), new(&context));
    push.set_shm_segment_len(segment as u32);
    pull.set_shm_trust_peers(trusting);
    share(&pull, &push);
    // The socket has its ring once it has looked.
    push.send("first").unwrap();
    assert_eq!(*pull.recv().unwrap(), *b"first");
    (push, pull)
}

fn filled(push: &Push, len: usize, seed: usize) -> Buffer {
    let mut loan = push.loan(len);
    assert_eq!(loan.len(), len);
    loan.copy_from_slice(&body(len, seed));
    loan
}

#[test]
fn a_loan_is_read_where_it_was_written() {
    within(LIMIT, || {
        for segment in [SMALL, DEFAULT] {
            let [in_ring, in_pool, ..] = capacities(segment);
            for trusting in [true, false] {
                let (push, pull) = pair(segment, trusting);
                for len in [in_ring + 1, in_ring * 2, in_pool - 1, in_pool] {
                    let loan = filled(&push, len, len);
                    let written = place(loan.as_ptr());
                    assert!(written.is_some(), "{len} bytes lie in shared memory");
                    push.send(loan).unwrap();
                    let came = pull.recv().unwrap();
                    assert!(*came == *body(len, len));
                    let read = place(came.as_ptr());
                    assert_eq!(
                        read,
                        written.filter(|_| trusting),
                        "{len} bytes, trusting: {trusting}"
                    );
                }
            }
        }
    });
}

#[test]
fn loans_of_every_length_arrive() {
    within(LIMIT, || {
        for segment in [SMALL, DEFAULT] {
            let (push, pull) = pair(segment, true);
            let mut lengths = vec![0, 1, 7, 8];
            for capacity in capacities(segment) {
                lengths.extend([capacity - 1, capacity, capacity + 1, 10 * capacity]);
            }
            for (seed, len) in lengths.into_iter().enumerate() {
                push.send(filled(&push, len, seed)).unwrap();
                assert!(*pull.recv().unwrap() == *body(len, seed), "{len} bytes");
            }
        }
    });
}

#[test]
fn loans_that_are_dropped_are_there_again() {
    within(LIMIT, || {
        let (push, pull) = pair(SMALL, true);
        let [_, in_pool, ..] = capacities(SMALL);
        for round in 0..200 {
            let loan = push.loan(in_pool);
            assert!(place(loan.as_ptr()).is_some(), "round {round}");
            drop(loan);
        }
        // Given back by the peer as well, sooner or later.
        let loan = push.loan(in_pool);
        push.send(loan).unwrap();
        let came = pull.recv().unwrap();
        assert!(
            place(push.loan(in_pool).as_ptr()).is_none(),
            "the peer still has it"
        );
        drop(came);
        while place(push.loan(in_pool).as_ptr()).is_none() {}
    });
}

#[test]
fn several_loans_are_sent_in_any_order() {
    within(LIMIT, || {
        let (push, pull) = pair(DEFAULT, true);
        let [in_ring, ..] = capacities(DEFAULT);
        let len = in_ring + 100;
        for round in 0..50 {
            let mut loans: Vec<_> = (0..6).map(|number| filled(&push, len, number)).collect();
            let mut places: Vec<_> = loans.iter().map(|loan| place(loan.as_ptr())).collect();
            assert!(places.iter().all(Option::is_some), "round {round}");
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), 6, "no two are the same memory");
            for number in [3, 0, 2] {
                push.send(std::mem::replace(&mut loans[number], Buffer::with_len(0)))
                    .unwrap();
                push.send(&[number as u8]).unwrap();
            }
            drop(loans);
            for number in [3, 0, 2] {
                assert!(*pull.recv().unwrap() == *body(len, number));
                assert_eq!(*pull.recv().unwrap(), [number as u8]);
            }
        }
    });
}

#[test]
fn a_loan_may_become_shorter() {
    within(LIMIT, || {
        let (push, pull) = pair(DEFAULT, true);
        let [in_ring, in_pool, ..] = capacities(DEFAULT);
        for keep in [0, 1, in_ring, in_ring + 1, in_pool - 1] {
            let mut loan = filled(&push, in_pool, keep);
            let written = place(loan.as_ptr());
            loan.truncate(keep);
            push.send(loan).unwrap();
            let came = pull.recv().unwrap();
            assert!(*came == *body(keep, keep), "{keep} bytes");
            if keep > in_ring {
                assert_eq!(place(came.as_ptr()), written);
            }
        }
    });
}

#[test]
fn a_loan_may_be_sent_by_somebody_else() {
    within(LIMIT, || {
        let (push, pull) = pair(DEFAULT, true);
        let (other, other_pull) = pair(SMALL, true);
        let context = Context::new();
        let (far, near): (Pair, Pair) = (new(&context), new(&context));
        near.bind("tcp://127.0.0.1:*").unwrap();
        far.connect(&near.last_endpoint()).unwrap();
        let len = 100_000;
        for seed in 0..20 {
            other.send(filled(&push, len, seed)).unwrap();
            assert!(*other_pull.recv().unwrap() == *body(len, seed));
            far.send(filled(&push, len, seed)).unwrap();
            assert!(*near.recv().unwrap() == *body(len, seed));
            push.send(filled(&push, len, seed)).unwrap();
            assert!(*pull.recv().unwrap() == *body(len, seed));
        }
    });
}

#[test]
fn what_was_trusted_outlives_its_connection() {
    within(LIMIT, || {
        let (push, pull) = pair(DEFAULT, true);
        let len = 100_000;
        push.send(filled(&push, len, 1)).unwrap();
        let unsent = filled(&push, len, 2);
        let came = pull.recv().unwrap();
        assert!(place(came.as_ptr()).is_some());
        drop((push, pull));
        assert!(*came == *body(len, 1));
        assert!(*unsent == *body(len, 2));
        std::thread::spawn(move || drop((came, unsent))).join().unwrap();
    });
}

#[test]
fn messages_go_on_while_the_peer_keeps_the_pool() {
    within(LIMIT, || {
        let (push, pull) = pair(SMALL, true);
        let [in_ring, ..] = capacities(SMALL);
        let len = in_ring * 2;
        let mut kept = Vec::new();
        for seed in 0..100 {
            push.send(body(len, seed)).unwrap();
            kept.push(pull.recv().unwrap());
        }
        for (seed, message) in kept.iter().enumerate() {
            assert!(**message == *body(len, seed), "message {seed}");
        }
        let in_place = |message: &&ringmq::Message| place(message.as_ptr()).is_some();
        assert!(
            kept.iter().filter(in_place).count() >= 8,
            "as many as the pool holds"
        );
    });
}
