//! Who loses a routing id, and what keeps a context from ending.

use std::thread;
use std::time::{Duration, Instant};

use ringmq::monitor::{DisconnectReason, Event, MonitorReceiver};
use ringmq::{Context, Dealer, Pull, Push, Router, SocketType};
use ringmq_tests::watchdog::within;

use crate::{MOMENT, PATIENCE, TRANSPORTS, Transport, eventually, join, receiver, sender, socket, texts};

fn disconnected(monitor: &MonitorReceiver) -> DisconnectReason {
    loop {
        let record = monitor.recv_timeout(Some(PATIENCE)).expect("the end is told");
        if let Event::Disconnected { reason, .. } = record.event {
            return reason;
        }
    }
}

/// A ROUTER and a DEALER that it knows as "name".
fn acquainted(context: &Context, transport: Transport, handover: bool) -> (Router, Dealer) {
    let router: Router = socket(context);
    router.set_router_handover(handover);
    router.bind(&transport.endpoint()).unwrap();
    let dealer = dealer(context, &router);
    (router, dealer)
}

fn dealer(context: &Context, router: &Router) -> Dealer {
    let dealer: Dealer = socket(context);
    dealer.set_linger(Some(Duration::ZERO));
    dealer.set_reconnect_interval(None);
    dealer.set_routing_id("name").unwrap();
    dealer
        .connect(&router.last_endpoint())
        .and_then(|()| Ok(dealer.send("here")?))
        .unwrap();
    dealer
}

#[test]
fn rfc28_a_peer_whose_routing_id_is_in_use_learns_that() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, holder) = acquainted(&context, transport, false);
        assert_eq!(texts(&router), ["name", "here"]);
        let (told, lost) = (router.monitor(), holder.monitor());
        let newcomer: Dealer = socket(&context);
        newcomer.set_reconnect_interval(None);
        newcomer.set_routing_id("name").unwrap();
        let refused = newcomer.monitor();
        newcomer.connect(&router.last_endpoint()).unwrap();
        thread::scope(|scope| {
            // Both ends act only in calls.
            let looking = scope.spawn(|| disconnected(&told));
            eventually("the router has looked", || {
                let _ = (router.events(), newcomer.events());
                looking.is_finished()
            });
            assert_eq!(looking.join().unwrap(), DisconnectReason::RoutingIdInUse);
        });
        eventually("the newcomer has looked", || {
            newcomer.events().unwrap();
            newcomer.peers().iter().all(|peer| !peer.is_connected)
        });
        assert_eq!(
            disconnected(&refused),
            DisconnectReason::RoutingIdInUse,
            "over {transport:?}"
        );
        assert!(
            !matches!(
                lost.try_recv().map(|record| record.event),
                Ok(Event::Disconnected { .. })
            ),
            "the holder stays"
        );
        router.send_multipart(["name", "still there"]).unwrap();
        assert_eq!(texts(&holder), ["still there"]);
    }
}

#[test]
fn rfc28_a_peer_whose_routing_id_is_taken_over_learns_that() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, holder) = acquainted(&context, transport, true);
        assert_eq!(texts(&router), ["name", "here"]);
        let (told, lost) = (router.monitor(), holder.monitor());
        let newcomer = dealer(&context, &router);
        assert_eq!(texts(&router), ["name", "here"]);
        router.send_multipart(["name", "welcome"]).unwrap();
        assert_eq!(texts(&newcomer), ["welcome"]);
        eventually("the holder has looked", || {
            holder.events().unwrap();
            holder.peers().iter().all(|peer| !peer.is_connected)
        });
        assert_eq!(
            disconnected(&lost),
            DisconnectReason::Replaced,
            "over {transport:?}"
        );
        assert_eq!(
            disconnected(&told),
            DisconnectReason::Replaced,
            "over {transport:?}"
        );
    }
}

#[test]
fn a_refused_peer_comes_in_when_the_routing_id_is_free() {
    for transport in [Transport::Tcp, Transport::Ipc] {
        let context = Context::new();
        let (router, holder) = acquainted(&context, transport, false);
        assert_eq!(texts(&router), ["name", "here"]);
        let next: Dealer = socket(&context);
        next.set_reconnect_interval(Some(Duration::from_millis(1)));
        next.set_routing_id("name").unwrap();
        let refused = next.monitor();
        next.connect(&router.last_endpoint()).unwrap();
        thread::scope(|scope| {
            let looking = scope.spawn(|| disconnected(&refused));
            eventually("it has been refused", || {
                router.events().unwrap();
                looking.is_finished()
            });
        });
        drop(holder);
        // What it says to a router that has not noticed that is lost with a connection that is refused.
        eventually("it is let in", || {
            let _ = next.try_send("my turn");
            router.recv_within(MOMENT).is_ok_and(|name| name == "name")
        });
        assert_eq!(texts(&router), ["my turn"]);
    }
}

#[test]
fn a_context_ends_when_its_sockets_have() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        push.send("one").unwrap();
        assert_eq!(texts(&pull), ["one"]);
        let unfinished = context.term(Some(Duration::ZERO)).unwrap_err();
        let open: Vec<_> = unfinished
            .blocking
            .iter()
            .map(|blocker| (blocker.socket_type, blocker.is_open))
            .collect();
        assert_eq!(open, [(SocketType::Push, true), (SocketType::Pull, true)]);
        assert_eq!(unfinished.blocking[1].endpoints, [pull.last_endpoint()]);
        assert!(unfinished.to_string().contains("is open"), "{unfinished}");
        let ending = thread::spawn({
            let context = context.clone();
            move || context.term(None)
        });
        drop(push);
        let unfinished = context.term(Some(MOMENT)).unwrap_err();
        assert!(
            unfinished
                .blocking
                .iter()
                .any(|blocker| blocker.socket_type == SocketType::Pull)
        );
        drop(pull);
        within(PATIENCE, move || ending.join().unwrap().unwrap());
        context.term(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn what_cannot_be_sent_keeps_a_context_until_linger_is_over() {
    let context = Context::new();
    let push: Push = sender(&context);
    push.set_linger(Some(Duration::from_millis(300)));
    push.connect("tcp://127.0.0.1:1").unwrap();
    for _ in 0..3 {
        push.send("to nobody").unwrap();
    }
    let other: Pull = receiver(&context);
    other.bind("inproc://other").unwrap();
    let before = Instant::now();
    drop((push, other));
    let ended = context.term(Some(Duration::from_millis(1)));
    // A machine that is busy may let the time pass before anybody looks.
    if before.elapsed() < Duration::from_millis(200) {
        let unfinished = ended.unwrap_err();
        assert_eq!(unfinished.blocking.len(), 1);
        let blocker = &unfinished.blocking[0];
        assert_eq!(
            (blocker.socket_type, blocker.is_open, blocker.unsent),
            (SocketType::Push, false, 3)
        );
        assert_eq!(blocker.endpoints, ["tcp://127.0.0.1:1"]);
        assert_eq!(
            unfinished.to_string(),
            "PUSH tcp://127.0.0.1:1 has 3 messages to send"
        );
    }
    context.term(Some(PATIENCE)).unwrap();
}
