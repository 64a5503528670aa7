//! Messages of every length that means something to a segment, over every pattern.

use std::thread;

use ringmq::{Context, Dealer, Message, Pair, Pull, Push, Rep, Req, Router, Sub, XPub};
use ringmq_shm::{Bell, PeerSegment, Ringer, Segment, join};
use ringmq_tests::random::Random;
use ringmq_tests::watchdog::within;

use crate::{LIMIT, body, new, often, share};

const DEFAULT: usize = 1 << 20;
const SMALL: usize = 64 << 10;

/// A segment, and whether bodies are read where they were written.
const SETTINGS: [(usize, bool); 4] = [(SMALL, false), (SMALL, true), (DEFAULT, false), (DEFAULT, true)];

/// What a segment of `len` bytes has limits for: a body in the ring, a body in the pool, the ring, the segment.
pub(crate) fn capacities(len: usize) -> [usize; 4] {
    let (mine, theirs) = (Segment::create(len).unwrap(), Segment::create(len).unwrap());
    let theirs = PeerSegment::open(theirs.fd().try_clone_to_owned().unwrap(), len).unwrap();
    let (_bell, for_peer) = Bell::new().unwrap();
    let (sender, _receiver) = join(mine, theirs, Ringer::from_peer(for_peer).unwrap());
    [sender.body_max(), sender.chunk_max(), len / 4, len]
}

fn lengths(segment: usize) -> Vec<usize> {
    let mut lengths = vec![0, 1, 7, 8, 56, 57];
    for capacity in capacities(segment) {
        lengths.extend([capacity - 1, capacity, capacity + 1, 10 * capacity]);
    }
    lengths
}

macro_rules! with_settings {
    ($segment:expr, $trusting:expr, $($socket:ident),*) => {
        $(
            $socket.set_shm_segment_len($segment as u32);
            $socket.set_shm_trust_peers($trusting);
        )*
    };
}

/// Runs a test with all settings, each within the limit.
fn everywhere(test: fn(usize, bool)) {
    for (segment, trusting) in SETTINGS {
        println!("{segment} bytes, trusting: {trusting}");
        within(LIMIT, move || test(segment, trusting));
    }
}

#[test]
fn one_by_one_from_push_to_pull() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (new(&context), new(&context));
        with_settings!(segment, trusting, push, pull);
        share(&pull, &push);
        for (seed, len) in lengths(segment).into_iter().enumerate() {
            let sent = body(len, seed);
            push.send(sent.as_slice()).unwrap();
            assert!(*pull.recv().unwrap() == *sent, "{len} bytes, copied");
            push.send(sent.clone()).unwrap();
            assert!(*pull.recv().unwrap() == *sent, "{len} bytes, given away");
        }
    });
}

#[test]
fn as_a_stream_that_nobody_waits_for() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (new(&context), new(&context));
        with_settings!(segment, trusting, push, pull);
        share(&push, &pull);
        let lengths = lengths(segment);
        let rounds = 3;
        let sending = thread::spawn({
            let lengths = lengths.clone();
            move || {
                for (seed, &len) in lengths.repeat(rounds).iter().enumerate() {
                    push.send(body(len, seed)).unwrap();
                }
                push
            }
        });
        for (seed, &len) in lengths.repeat(rounds).iter().enumerate() {
            assert!(*pull.recv().unwrap() == *body(len, seed), "{len} bytes");
        }
        sending.join().unwrap();
    });
}

#[test]
fn both_ways_between_pairs() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (one, other): (Pair, Pair) = (new(&context), new(&context));
        with_settings!(segment, trusting, one, other);
        share(&one, &other);
        for (seed, len) in lengths(segment).into_iter().enumerate() {
            let sent = body(len, seed);
            one.send(sent.as_slice()).unwrap();
            other.send(sent.as_slice()).unwrap();
            assert!(*other.recv().unwrap() == *sent, "{len} bytes");
            // And back again as it came, trusted memory included.
            let came = one.recv().unwrap();
            one.send(came).unwrap();
            assert!(*other.recv().unwrap() == *sent, "{len} bytes");
        }
    });
}

#[test]
fn with_a_name_between_dealer_and_router() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (dealer, router): (Dealer, Router) = (new(&context), new(&context));
        with_settings!(segment, trusting, dealer, router);
        dealer.set_routing_id("name").unwrap();
        share(&router, &dealer);
        for (seed, len) in lengths(segment).into_iter().enumerate() {
            let sent = body(len, seed);
            dealer.send_multipart([&sent[..], b"", &sent[..]]).unwrap();
            let came = router.recv_multipart().unwrap();
            assert_eq!(came.len(), 4);
            assert!(*came[0] == *b"name" && *came[1] == *sent && came[2].is_empty() && *came[3] == *sent);
            router.send_multipart(came).unwrap();
            let back = dealer.recv_multipart().unwrap();
            assert!(
                back.len() == 3 && *back[0] == *sent && *back[2] == *sent,
                "{len} bytes"
            );
        }
    });
}

#[test]
fn question_and_answer() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (req, rep): (Req, Rep) = (new(&context), new(&context));
        with_settings!(segment, trusting, req, rep);
        share(&rep, &req);
        for (seed, len) in lengths(segment).into_iter().enumerate() {
            let sent = body(len, seed);
            req.send(sent.as_slice()).unwrap();
            rep.send(rep.recv().unwrap()).unwrap();
            assert!(*req.recv().unwrap() == *sent, "{len} bytes");
        }
    });
}

#[test]
fn to_two_subscribers() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (publisher, one, other): (XPub, Sub, Sub) = (new(&context), new(&context), new(&context));
        with_settings!(segment, trusting, publisher, one, other);
        one.subscribe("").unwrap();
        other.subscribe("topic").unwrap();
        share(&publisher, &one);
        assert_eq!(*publisher.recv().unwrap(), *b"\x01");
        let events = other.monitor();
        other.connect(&publisher.last_endpoint()).unwrap();
        crate::wait_for(&events, crate::is_shared);
        assert_eq!(*publisher.recv().unwrap(), *b"\x01topic");
        for (seed, len) in lengths(segment).into_iter().enumerate() {
            let sent = body(len, seed);
            publisher.send_multipart([&b"topic"[..], &sent]).unwrap();
            publisher.send("and not to the other").unwrap();
            for subscriber in [&one, &other] {
                let came = subscriber.recv_multipart().unwrap();
                assert!(*came[0] == *b"topic" && *came[1] == *sent, "{len} bytes");
            }
            assert_eq!(*one.recv().unwrap(), *b"and not to the other");
        }
    });
}

#[test]
fn parts_over_the_seam() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (new(&context), new(&context));
        with_settings!(segment, trusting, push, pull);
        share(&pull, &push);
        let ring = segment / 4;
        let messages = often(200);
        // Both sides draw the same lengths.
        let draw = move |random: &mut Random| -> Vec<usize> {
            let most = [16, 300, ring / 8, ring / 3][random.up_to(4) - 1];
            (0..random.up_to(6)).map(|_| random.up_to(most) - 1).collect()
        };
        let sending = thread::spawn(move || {
            let mut random = Random::new(7);
            for seed in 0..messages {
                let parts = draw(&mut random);
                push.send_multipart(parts.iter().map(|&len| body(len, seed)))
                    .unwrap();
            }
            push
        });
        let mut random = Random::new(7);
        for seed in 0..messages {
            let came = pull.recv_multipart().unwrap();
            let lengths: Vec<_> = came.iter().map(|part: &Message| part.len()).collect();
            assert_eq!(lengths, draw(&mut random), "message {seed}");
            assert!(came.iter().all(|part| **part == *body(part.len(), seed)));
        }
        sending.join().unwrap();
    });
}

#[test]
fn parts_that_are_more_than_the_ring_together() {
    everywhere(|segment, trusting| {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (new(&context), new(&context));
        with_settings!(segment, trusting, push, pull);
        share(&pull, &push);
        let [in_ring, in_pool, ring, _] = capacities(segment);
        for lengths in [
            vec![1; ring],
            vec![in_ring; 40],
            vec![in_pool; 4],
            vec![in_ring + 1, 0, 10 * ring, 1, in_pool, 10 * ring, 0],
        ] {
            push.send_multipart(lengths.iter().map(|&len| body(len, len)))
                .unwrap();
            push.send("another").unwrap();
            let came = pull.recv_multipart().unwrap();
            assert_eq!(came.len(), lengths.len());
            for (part, &len) in came.iter().zip(&lengths) {
                assert!(**part == *body(len, len), "{len} bytes");
            }
            assert_eq!(*pull.recv().unwrap(), *b"another");
        }
    });
}

#[test]
fn a_segment_has_a_length_that_is_allowed_whatever_is_asked_for() {
    within(LIMIT, || {
        for asked in [1, (64 << 20) + 1, u32::MAX] {
            let context = Context::new();
            let (one, other): (Pair, Pair) = (new(&context), new(&context));
            one.set_shm_segment_len(asked);
            share(&one, &other);
            one.send("a message").unwrap();
            assert_eq!(*other.recv().unwrap(), *b"a message");
        }
    });
}
