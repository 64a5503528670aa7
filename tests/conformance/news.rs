//! Messages that tell of connections: HELLO, DISCONNECT, HICCUP, and those of ROUTER_NOTIFY.

use ringmq::{Context, Dealer, Router, RouterNotify};

use crate::{TRANSPORTS, Transport, assert_silent, join, socket, texts};

#[test]
fn hello_comes_first_in_both_directions() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        router.set_hello_message("hello from the router");
        dealer.set_hello_message("hello from the dealer");
        dealer.set_routing_id("d").unwrap();
        router.bind(&transport.endpoint()).unwrap();
        dealer.connect(&router.last_endpoint()).unwrap();
        dealer.send("something else").unwrap();
        assert_eq!(texts(&router), ["d", "hello from the dealer"]);
        assert_eq!(texts(&router), ["d", "something else"]);
        router.send_multipart(["d", "an answer"]).unwrap();
        assert_eq!(texts(&dealer), ["hello from the router"]);
        assert_eq!(texts(&dealer), ["an answer"]);
    }
}

#[test]
fn hello_needs_no_call_of_the_one_who_says_it() {
    for transport in TRANSPORTS {
        for early in [false, true] {
            if early && transport != Transport::Inproc {
                continue;
            }
            let context = Context::new();
            let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
            router.set_hello_message("hello");
            let endpoint = transport.endpoint();
            if early {
                dealer.connect(&endpoint).unwrap();
            }
            router.bind(&endpoint).unwrap();
            if !early {
                dealer.connect(&router.last_endpoint()).unwrap();
            }
            assert_eq!(texts(&dealer), ["hello"]);
        }
    }
}

#[test]
fn a_lost_peer_leaves_a_last_message() {
    for transport in TRANSPORTS {
        for early in [false, true] {
            if early && transport != Transport::Inproc {
                continue;
            }
            let context = Context::new();
            let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
            router.set_disconnect_message("gone");
            dealer.set_routing_id("d").unwrap();
            let endpoint = transport.endpoint();
            if early {
                dealer.connect(&endpoint).unwrap();
            }
            router.bind(&endpoint).unwrap();
            if !early {
                dealer.connect(&router.last_endpoint()).unwrap();
            }
            dealer.send("here").unwrap();
            drop(dealer);
            assert_eq!(texts(&router), ["d", "here"]);
            assert_eq!(texts(&router), ["d", "gone"]);
            assert_silent(&router);
        }
    }
}

#[test]
fn a_disconnect_of_our_own_is_no_news() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        router.set_disconnect_message("gone");
        dealer.set_hiccup_message("hiccup");
        dealer.set_routing_id("d").unwrap();
        join(transport, &router, &dealer);
        dealer.send("here").unwrap();
        assert_eq!(texts(&router), ["d", "here"]);
        router.unbind(&router.last_endpoint()).unwrap();
        assert_silent(&router);
    }
}

#[test]
fn a_hiccup_tells_of_a_connection_that_is_made_again() {
    let context = Context::new();
    let dealer: Dealer = socket(&context);
    dealer.set_hiccup_message("hiccup");
    dealer.set_routing_id("d").unwrap();
    let first: Router = socket(&context);
    first.set_hello_message("hello");
    join(Transport::Tcp, &first, &dealer);
    assert_eq!(texts(&dealer), ["hello"]);
    let endpoint = first.last_endpoint();
    dealer.send("here").unwrap();
    assert_eq!(texts(&first), ["d", "here"]);
    first.unbind(&endpoint).unwrap();
    assert_eq!(texts(&dealer), ["hiccup"]);
    // The first one still holds the connection's port for what it may have to send.
    drop(first);
    let second: Router = socket(&context);
    second.set_hello_message("hello again");
    second.bind(&endpoint).unwrap();
    assert_eq!(texts(&dealer), ["hello again"]);
}

#[test]
fn a_router_is_notified_of_what_it_asks_for() {
    for (connects, disconnects) in [(true, false), (false, true), (true, true)] {
        let context = Context::new();
        let router: Router = socket(&context);
        router.set_router_notify(RouterNotify {
            connects,
            disconnects,
        });
        assert_eq!(
            router.router_notify(),
            RouterNotify {
                connects,
                disconnects
            }
        );
        router.bind(&Transport::Tcp.endpoint()).unwrap();
        let dealer: Dealer = socket(&context);
        dealer.set_routing_id("d").unwrap();
        dealer.connect(&router.last_endpoint()).unwrap();
        if connects {
            assert_eq!(texts(&router), ["d", ""]);
        }
        dealer.send("here").unwrap();
        drop(dealer);
        assert_eq!(texts(&router), ["d", "here"]);
        if disconnects {
            assert_eq!(texts(&router), ["d", ""]);
        }
        assert_silent(&router);
    }
}
