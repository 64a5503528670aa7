//! More connections than share memory: the others stay streams, and all work.

use std::cell::Cell;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use ringmq::monitor::Event;
use ringmq::{Context, Dealer, Router};
use ringmq_tests::watchdog::within;

use crate::{LIMIT, PATIENCE, new, own_name, wait_for};

const PEERS: usize = 300;
/// Connections of a context that share memory.
const SHARED_MAX: usize = 256;

#[test]
fn three_hundred_peers_of_one_socket() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    within(LIMIT, || {
        let router: Router = new(&Context::new());
        router.set_shm_segment_len(65536);
        router.set_receive_timeout(Some(PATIENCE));
        let events = router.monitor();
        router.bind(&own_name()).unwrap();
        // The limit is per context, so that only the ROUTER's is reached.
        let contexts: Vec<_> = (0..3).map(|_| Context::new()).collect();
        let shared = Cell::new(0);
        let mut dealers: Vec<Dealer> = Vec::new();
        for number in 0..PEERS {
            let dealer: Dealer = new(&contexts[number % contexts.len()]);
            dealer.set_shm_segment_len(65536);
            dealer.set_receive_timeout(Some(PATIENCE));
            dealer.set_routing_id(format!("{number}")).unwrap();
            dealer.connect(&router.last_endpoint()).unwrap();
            wait_for(&events, |event| {
                shared.set(shared.get() + usize::from(*event == Event::SharedMemory));
                *event == Event::Handshaken
            });
            dealers.push(dealer);
        }
        for round in 0..5 {
            for dealer in &dealers {
                dealer.send(&[round]).unwrap();
            }
            for _ in 0..PEERS {
                router.send_multipart(router.recv_multipart().unwrap()).unwrap();
            }
            for dealer in &dealers {
                assert_eq!(*dealer.recv().unwrap(), [round]);
            }
        }
        // What came after the last handshake.
        while let Ok(record) = events.recv_timeout(Some(Duration::ZERO)) {
            shared.set(shared.get() + usize::from(record.event == Event::SharedMemory));
        }
        assert_eq!(shared.get(), SHARED_MAX);
    });
}
