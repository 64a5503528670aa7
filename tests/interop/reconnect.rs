//! Either side goes and comes again on the same port or name.

use std::time::{Duration, Instant};

use ringmq_tests::watchdog::within;

use crate::meet::{Binds, join, number_of, numbered, two};
use crate::peer::{self, ENGINES, Engine, Fault, Happening, Kind, LASTING, PATIENCE, Peer, Wire};

const LIMIT: Duration = Duration::from_secs(300);

/// Who meets, and where.
fn meetings() -> impl Iterator<Item = ((Engine, Engine), Wire)> {
    ENGINES
        .into_iter()
        .flat_map(|engines| LASTING.map(|wire| (engines, wire)))
}

/// Sends until the other side has one of the messages: those of which a cut connection had a part are lost.
fn push_until_one_arrives(from: &dyn Peer, to: &dyn Peer) -> u64 {
    for number in 0..10_000 {
        match from.send_within(&numbered(number, 10), Duration::ZERO) {
            Ok(()) | Err(Fault::Again) => {}
            Err(fault) => panic!("{fault:?}"),
        }
        if let Ok(parts) = to.recv_within(Duration::from_millis(2)) {
            return number_of(&parts);
        }
    }
    panic!("nothing arrives any more");
}

/// What a ROUTER is asked by a peer that has come after another of its name. libzmq's says that nobody is there while it has
/// not let go of the former yet, and then never listens to the new one; of that one nothing comes.
fn heard(router: &dyn Peer, engine: Engine) -> Option<Vec<Vec<u8>>> {
    match engine {
        Engine::RingMq => Some(router.recv()),
        Engine::Stock => router.recv_within(Duration::from_secs(1)).ok(),
    }
}

/// libzmq tells that a peer has gone before its socket lets go of it, and that only with a call. Nobody is left to send to then.
fn forget_the_last_peer(socket: &dyn Peer, nobody: Fault) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket.send_within(&[b"again".to_vec(), vec![]], Duration::ZERO) {
            // As long as the peer is not let go of, what is sent lies there, up to the mark.
            Ok(()) => {}
            Err(Fault::Again) if nobody != Fault::Again => {}
            Err(fault) => return assert_eq!(fault, nobody),
        }
        assert!(Instant::now() < deadline, "the peer is not let go");
        std::thread::yield_now();
    }
}

#[test]
fn the_connecting_side_keeps_its_queue_while_the_peer_is_away() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let (push, pull, endpoint) = two(wire, engines, (Kind::Push, Kind::Pull), Binds::Right);
            let watch = push.watch();
            push.send(&numbered(0, 10));
            assert_eq!(number_of(&pull.recv()), 0);
            let mut pull = pull;
            for round in 0..3 {
                drop(pull);
                watch.wait_for(Happening::Disconnected);
                for number in 0..500 {
                    push.send(&numbered(round * 1000 + number, number as usize));
                }
                pull = peer::new(engines.1, Kind::Pull);
                pull.bind_patiently(&endpoint);
                for number in 0..500 {
                    assert_eq!(number_of(&pull.recv()), round * 1000 + number);
                }
                push.send(&numbered(9999, 1));
                assert_eq!(number_of(&pull.recv()), 9999, "and messages flow as before");
            }
        });
    }
}

#[test]
fn a_sender_that_binds_serves_whoever_comes_again() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let (push, mut pull, endpoint) = two(wire, engines, (Kind::Push, Kind::Pull), Binds::Left);
            for _ in 0..3 {
                push_until_one_arrives(&*push, &*pull);
                pull = peer::new(engines.1, Kind::Pull);
                pull.connect(&endpoint);
            }
            push_until_one_arrives(&*push, &*pull);
        });
    }
}

#[test]
fn a_receiver_that_binds_hears_every_new_sender() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let pull = peer::new(engines.1, Kind::Pull);
            let endpoint = pull.bind_patiently(&peer::own_endpoint(wire));
            for round in 0..10 {
                let push = peer::new(engines.0, Kind::Push);
                push.connect(&endpoint);
                push.set_linger(PATIENCE);
                push.send(&numbered(round, 100));
                drop(push);
                assert_eq!(number_of(&pull.recv()), round);
            }
        });
    }
}

#[test]
fn the_peer_may_come_later() {
    for (engines, wire) in meetings() {
        for kinds in [
            (Kind::Push, Kind::Pull),
            (Kind::Req, Kind::Rep),
            (Kind::Dealer, Kind::Router),
            (Kind::Pair, Kind::Pair),
        ] {
            within(LIMIT, move || {
                println!("{engines:?} {wire:?}");
                // A port or a name that was bound and let go.
                let vanished = peer::new(Engine::Stock, kinds.1);
                let endpoint = vanished.bind_patiently(&peer::own_endpoint(wire));
                drop(vanished);
                let left = peer::new(engines.0, kinds.0);
                let watch = left.watch();
                left.connect(&endpoint);
                left.send(&numbered(1, 100));
                watch.wait_for(Happening::ConnectRetried);
                let right = peer::new(engines.1, kinds.1);
                right.bind_patiently(&endpoint);
                let mut parts = right.recv();
                if kinds.1 == Kind::Router {
                    parts.remove(0);
                }
                assert_eq!(number_of(&parts), 1);
            });
        }
    }
}

#[test]
fn a_dialogue_goes_on_with_a_new_peer_of_the_same_name() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let router = peer::new(engines.1, Kind::Router);
            router.set_mandatory();
            let events = router.watch();
            let endpoint = router.bind_patiently(&peer::own_endpoint(wire));
            for round in 0..5 {
                let (dealer, mut question) = loop {
                    let dealer = peer::new(engines.0, Kind::Dealer);
                    dealer.set_routing_id(b"again");
                    dealer.connect(&endpoint);
                    dealer.send(&numbered(round, 10));
                    match heard(&*router, engines.1) {
                        Some(question) => break (dealer, question),
                        None => drop(dealer),
                    }
                    events.wait_for(Happening::Disconnected);
                };
                assert_eq!(question.remove(0), b"again");
                assert_eq!(number_of(&question), round);
                question.insert(0, b"again".to_vec());
                router.send(&question);
                assert_eq!(number_of(&dealer.recv()), round);
                drop(dealer);
                events.wait_for(Happening::Disconnected);
                forget_the_last_peer(&*router, Fault::Unreachable);
            }
        });
    }
}

#[test]
fn a_router_that_restarts_is_found_by_its_dealers() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let (dealer, mut router, endpoint) =
                two(wire, engines, (Kind::Dealer, Kind::Router), Binds::Right);
            let events = dealer.watch();
            for round in 0..3 {
                dealer.send(&numbered(round, 10));
                let question = router.recv();
                router.send(&question);
                assert_eq!(number_of(&dealer.recv()), round);
                // An attempt that met the listener of the last router has ended as well.
                while events.next(Duration::ZERO).is_some() {}
                drop(router);
                events.wait_for(Happening::Disconnected);
                router = peer::new(engines.1, Kind::Router);
                router.bind_patiently(&endpoint);
            }
        });
    }
}

#[test]
fn a_pair_takes_the_next_peer_when_the_first_has_gone() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let bound = peer::new(engines.1, Kind::Pair);
            let events = bound.watch();
            let endpoint = bound.bind_patiently(&peer::own_endpoint(wire));
            for round in 0..5 {
                let pair = peer::new(engines.0, Kind::Pair);
                pair.connect(&endpoint);
                pair.send(&numbered(round, 10));
                assert_eq!(number_of(&bound.recv()), round);
                bound.send(&numbered(round, 20));
                assert_eq!(number_of(&pair.recv()), round);
                drop(pair);
                events.wait_for(Happening::Disconnected);
                forget_the_last_peer(&*bound, Fault::Again);
            }
        });
    }
}

#[test]
fn one_socket_connects_to_several_and_binds_as_well() {
    for (engines, wire) in meetings() {
        within(LIMIT, move || {
            println!("{engines:?} {wire:?}");
            let push = peer::new(engines.0, Kind::Push);
            let pulls: Vec<_> = (0..4).map(|_| peer::new(engines.1, Kind::Pull)).collect();
            for (number, pull) in pulls.iter().enumerate() {
                let binds = if number % 2 == 0 {
                    Binds::Left
                } else {
                    Binds::Right
                };
                join(wire, &*push, &**pull, binds);
            }
            // All four are there once each has something.
            let mut heard = [false; 4];
            while heard.contains(&false) {
                push.send(&numbered(0, 1));
                for (pull, heard) in pulls.iter().zip(&mut heard) {
                    *heard |= pull.recv_within(Duration::from_millis(1)).is_ok();
                }
            }
            // One for each, behind what it has not read yet.
            for _ in &pulls {
                push.send(&numbered(1, 1));
            }
            for pull in &pulls {
                while number_of(&pull.recv()) != 1 {}
            }
            for number in 0..400 {
                push.send(&numbered(number, 1));
            }
            for pull in &pulls {
                let mut last = None;
                for _ in 0..100 {
                    let number = number_of(&pull.recv());
                    assert!(
                        last.is_none_or(|last| number == last + 4),
                        "{number} after {last:?}: not in turn"
                    );
                    last = Some(number);
                }
            }
        });
    }
}
