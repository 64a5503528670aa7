//! Messages of every size at which something changes, and of many parts.

use std::time::Duration;

use ringmq_tests::watchdog::within;

use crate::meet::{BINDS, Binds, lengths, pattern, two};
use crate::peer::{ENGINES, Engine, Kind, Parts, Peer, Wire};

const LIMIT: Duration = Duration::from_secs(300);

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Inline and pooled bodies, short and long frames, copied and shared bodies, one and several slabs.
const SIZES: &[usize] = &[
    0,
    1,
    54,
    55,
    56,
    57,
    255,
    256,
    8 * KIB,
    16 * KIB - 1,
    16 * KIB,
    16 * KIB + 1,
    32 * KIB - 1,
    32 * KIB,
    32 * KIB + 1,
    64 * KIB - 1,
    64 * KIB,
    64 * KIB + 1,
    MIB,
    10 * MIB,
];

fn assert_same(received: &Parts, sent: &Parts) {
    assert_eq!(lengths(received), lengths(sent));
    assert!(received == sent, "the content of {:?} differs", lengths(sent));
}

/// One message at a time, then all of them behind each other.
fn pass_all(from: &dyn Peer, to: &dyn Peer, messages: &[Parts]) {
    for message in messages {
        from.send(message);
        assert_same(&to.recv(), message);
    }
    for message in messages {
        from.send(message);
    }
    for message in messages {
        assert_same(&to.recv(), message);
    }
}

/// The wires that frame messages in their own ways.
const WIRES: [Wire; 2] = [Wire::Tcp, Wire::Web];

fn pass_everywhere(kind: (Kind, Kind), both_ways: bool, messages: &'static (dyn Fn() -> Vec<Parts> + Sync)) {
    for engines in ENGINES {
        for (binds, wire) in BINDS.into_iter().flat_map(|it| WIRES.map(|wire| (it, wire))) {
            within(LIMIT, move || {
                let messages = messages();
                let (left, right, _) = two(wire, engines, kind, binds);
                pass_all(&*left, &*right, &messages);
                if both_ways {
                    pass_all(&*right, &*left, &messages);
                }
            });
        }
    }
}

#[test]
fn every_size_arrives_whole_at_a_pull() {
    pass_everywhere((Kind::Push, Kind::Pull), false, &|| {
        SIZES.iter().map(|&size| vec![pattern(size, size)]).collect()
    });
}

#[test]
fn every_size_arrives_whole_both_ways() {
    pass_everywhere((Kind::Dealer, Kind::Dealer), true, &|| {
        SIZES
            .iter()
            .rev()
            .map(|&size| vec![pattern(size, size)])
            .collect()
    });
}

#[test]
fn messages_of_many_parts_arrive_together() {
    pass_everywhere((Kind::Pair, Kind::Pair), true, &|| {
        let mut messages: Vec<Parts> = [1, 2, 3, 100]
            .into_iter()
            .map(|count| (0..count).map(|part| pattern(part, part * 3 % 400)).collect())
            .collect();
        messages.push(vec![
            pattern(1, 64 * KIB),
            pattern(2, 64 * KIB),
            pattern(3, 64 * KIB),
        ]);
        messages.push(vec![pattern(4, MIB), vec![], pattern(5, 1)]);
        messages.push(vec![
            vec![],
            pattern(6, 16 * KIB),
            pattern(7, 32 * KIB),
            vec![],
            pattern(8, 3 * MIB),
        ]);
        messages
    });
}

/// Sizes beside each other at every place of a slab: runs of small frames, cut by the slab's end, between large ones.
#[test]
fn a_long_stream_of_mixed_sizes_keeps_order_and_content() {
    const COUNT: usize = 20_000;
    fn message(number: usize) -> Parts {
        let size = match number % 97 {
            0 => 70_000,
            1..4 => 17_000,
            4..9 => 1_000,
            rest => rest * 5 % 300,
        };
        let mut parts = vec![pattern(number, size)];
        if number.is_multiple_of(5) {
            parts.push(number.to_le_bytes().to_vec());
        }
        parts
    }
    for engines in ENGINES {
        within(LIMIT, move || {
            let (push, pull, _) = two(Wire::Tcp, engines, (Kind::Push, Kind::Pull), Binds::Right);
            let sender = std::thread::spawn(move || {
                for number in 0..COUNT {
                    push.send(&message(number));
                }
                push
            });
            for number in 0..COUNT {
                assert!(pull.recv() == message(number), "message {number} differs");
            }
            drop(sender.join().expect("the sender has sent all"));
        });
    }
}

#[test]
fn small_messages_do_not_overtake_large_ones() {
    let both = [(Engine::RingMq, Engine::Stock), (Engine::Stock, Engine::RingMq)];
    for (engines, wire) in both.into_iter().flat_map(|it| WIRES.map(|wire| (it, wire))) {
        within(LIMIT, move || {
            let (left, right, _) = two(wire, engines, (Kind::Pair, Kind::Pair), Binds::Left);
            for round in 0..20 {
                let parts = vec![pattern(round, 2 * MIB), vec![round as u8]];
                left.send(&parts);
                left.send(&[vec![round as u8]]);
                right.send(&parts);
                right.send(&[vec![round as u8]]);
                assert_same(&right.recv(), &parts);
                assert_eq!(right.recv(), [[round as u8]]);
                assert_same(&left.recv(), &parts);
                assert_eq!(left.recv(), [[round as u8]]);
            }
        });
    }
}
