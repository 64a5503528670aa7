//! Pipes to peers, whose sessions are played by hand.

use std::sync::Arc;

use ringmq_zmtp::SocketType;

use super::pair;
use crate::{options::Options, pattern::Pattern, socket::SocketShared, worker::WorkerShared};

#[test]
fn a_request_that_was_taken_for_an_earlier_one_is_made_again() {
    let (_, traits) = Pattern::new(SocketType::Pull, 0).unwrap();
    let socket = Arc::new(SocketShared::new(SocketType::Pull, traits, false));
    for upgradable in [false, true] {
        let (link, mut pipe) = pair(&WorkerShared::idle(), &socket, &Options::default(), 0, upgradable);
        pipe.attach(0);
        assert!(!pipe.watch());
        assert!(link.receive.is_waited_for());
        // The session was late: it reports what the pipe has read by itself, and takes the request that came after that.
        link.receive.stop_waiting();
        assert!(!pipe.watch());
        assert!(link.receive.is_waited_for(), "upgradable: {upgradable}");
    }
}
