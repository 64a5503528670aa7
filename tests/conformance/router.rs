//! ROUTER (RFC 28).

use ringmq::{Context, Dealer, Error, Router};

use crate::{TRANSPORTS, assert_silent, eventually, join, socket, texts};

#[test]
fn messages_go_to_the_peer_that_is_named() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let router: Router = socket(&context);
        router.bind(&transport.endpoint()).unwrap();
        let dealers: [Dealer; 3] = std::array::from_fn(|_| socket(&context));
        for (number, dealer) in dealers.iter().enumerate() {
            dealer.set_routing_id(format!("dealer {number}")).unwrap();
            dealer.connect(&router.last_endpoint()).unwrap();
            dealer.send("hello").unwrap();
        }
        for _ in &dealers {
            assert_eq!(texts(&router)[1], "hello");
        }
        for (number, dealer) in dealers.iter().enumerate().rev() {
            router
                .send_multipart([format!("dealer {number}"), format!("for {number}")])
                .unwrap();
            assert_eq!(texts(dealer), [format!("for {number}")]);
        }
    }
}

#[test]
fn peers_without_a_name_get_one() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        join(transport, &router, &dealer);
        dealer.send("who am I?").unwrap();
        let message = router.recv_multipart().unwrap();
        assert_eq!((message[0].len(), message[0][0]), (5, 0));
        router
            .send_multipart([message[0].clone(), "that".into()])
            .unwrap();
        assert_eq!(texts(&dealer), ["that"]);
    }
}

#[test]
fn unknown_names_are_dropped_or_refused() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        dealer.set_routing_id("known").unwrap();
        join(transport, &router, &dealer);
        dealer.send("here").unwrap();
        texts(&router);
        router.send_multipart(["nobody", "lost"]).unwrap();
        router.send("known").unwrap();
        router.set_router_mandatory(true);
        let failed = router.send_multipart(["nobody", "refused"]).unwrap_err();
        assert!(matches!(failed.error, Error::HostUnreachable));
        assert_eq!(failed.parts.len(), 2);
        router.send_multipart(["known", "after all"]).unwrap();
        assert_eq!(texts(&dealer), ["after all"]);
    }
}

#[test]
fn a_name_belongs_to_the_first_who_has_it() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let router: Router = socket(&context);
        router.bind(&transport.endpoint()).unwrap();
        let [first, second]: [Dealer; 2] = std::array::from_fn(|_| socket(&context));
        for dealer in [&first, &second] {
            dealer.set_routing_id("same").unwrap();
            dealer.set_linger(Some(std::time::Duration::ZERO));
        }
        first.connect(&router.last_endpoint()).unwrap();
        first.send("one").unwrap();
        assert_eq!(texts(&router), ["same", "one"]);
        second.connect(&router.last_endpoint()).unwrap();
        let _ = second.try_send("two");
        assert_silent(&router);
        router.send_multipart(["same", "for the first"]).unwrap();
        assert_eq!(texts(&first), ["for the first"]);
    }
}

#[test]
fn a_name_is_handed_over_if_that_is_wanted() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let router: Router = socket(&context);
        router.set_router_handover(true);
        router.bind(&transport.endpoint()).unwrap();
        let [first, second]: [Dealer; 2] = std::array::from_fn(|_| socket(&context));
        for dealer in [&first, &second] {
            dealer.set_routing_id("same").unwrap();
            // The one that loses its name does not come back for it.
            dealer.set_reconnect_interval(None);
        }
        first.connect(&router.last_endpoint()).unwrap();
        first.send("one").unwrap();
        assert_eq!(texts(&router), ["same", "one"]);
        second.connect(&router.last_endpoint()).unwrap();
        second.send("two").unwrap();
        assert_eq!(texts(&router), ["same", "two"]);
        router.send_multipart(["same", "for the second"]).unwrap();
        assert_eq!(texts(&second), ["for the second"]);
    }
}

#[test]
fn a_probe_makes_the_peer_known() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        dealer.set_routing_id("probing").unwrap();
        dealer.set_probe_router(true);
        join(transport, &router, &dealer);
        assert_eq!(texts(&router), ["probing", ""]);
    }
}

#[test]
fn a_connecting_router_names_its_peer() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        dealer.bind(&transport.endpoint()).unwrap();
        router.set_connect_routing_id("my name for it").unwrap();
        router.connect(&dealer.last_endpoint()).unwrap();
        router.send_multipart(["my name for it", "hello"]).unwrap();
        assert_eq!(texts(&dealer), ["hello"]);
        dealer.send("answer").unwrap();
        assert_eq!(texts(&router), ["my name for it", "answer"]);
    }
}

#[test]
fn peers_that_come_and_go_leave_nothing() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let router: Router = socket(&context);
        router.bind(&transport.endpoint()).unwrap();
        for round in 0..50 {
            let dealer: Dealer = socket(&context);
            dealer.set_routing_id("again").unwrap();
            dealer.connect(&router.last_endpoint()).unwrap();
            dealer.send(format!("{round}")).unwrap();
            assert_eq!(texts(&router), ["again".to_owned(), format!("{round}")]);
            drop(dealer);
            eventually("the last one is gone", || router.peer_count() == 0);
        }
    }
}

#[test]
fn the_name_that_a_router_gives_is_its_own_affair() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        dealer.set_routing_id("what it calls itself").unwrap();
        dealer.bind(&transport.endpoint()).unwrap();
        router.set_connect_routing_id("given").unwrap();
        router.connect(&dealer.last_endpoint()).unwrap();
        router.send_multipart(["given", "hello"]).unwrap();
        assert_eq!(texts(&dealer), ["hello"]);
        dealer.send("answer").unwrap();
        assert_eq!(texts(&router), ["given", "answer"]);
        router.set_connect_routing_id("given").unwrap();
        let refused = router.connect(&transport.endpoint()).unwrap_err();
        assert!(matches!(refused, Error::RoutingIdInUse));
    }
}

#[test]
fn a_message_that_is_being_received_survives_its_connection() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let router: Router = socket(&context);
        let [one, other]: [Dealer; 2] = std::array::from_fn(|_| socket(&context));
        router.bind(&transport.endpoint()).unwrap();
        let endpoint = router.last_endpoint();
        for (dealer, name) in [(&one, "one"), (&other, "other")] {
            dealer.set_routing_id(name).unwrap();
            dealer.connect(&endpoint).unwrap();
        }
        one.send_multipart(["a", "b", "c"]).unwrap();
        assert_eq!(&*router.recv().unwrap(), b"one");
        assert_eq!(&*router.recv().unwrap(), b"a");
        router.unbind(&endpoint).unwrap();
        assert_eq!(texts(&router), ["b", "c"]);
        router.bind(&transport.endpoint()).unwrap();
        other.connect(&router.last_endpoint()).unwrap();
        let next: Dealer = socket(&context);
        next.set_routing_id("next").unwrap();
        next.connect(&router.last_endpoint()).unwrap();
        next.send("d").unwrap();
        assert_eq!(texts(&router), ["next", "d"]);
    }
}

#[test]
fn a_router_knows_who_has_room() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        router.set_send_hwm(2);
        dealer.set_receive_hwm(2);
        dealer.set_routing_id("d").unwrap();
        assert!(matches!(router.has_room_for("d"), Err(Error::HostUnreachable)));
        join(transport, &router, &dealer);
        dealer.send("here").unwrap();
        texts(&router);
        assert!(router.has_room_for("d").unwrap());
        let body = "x".repeat(200_000);
        eventually("it is full", || {
            router.send_multipart(["d", &body]).unwrap();
            !router.has_room_for("d").unwrap()
        });
        eventually("there is room again", || {
            let _ = dealer.recv_within(crate::MOMENT);
            router.has_room_for("d").unwrap()
        });
    }
}
