//! Every pair of types that may talk, over every transport, whoever binds and whoever comes first. The names say which RFC
//! permits the pair.

use std::time::Duration;

use ringmq::kind::{Kind, Receives, Sends};
use ringmq::{
    Channel, Client, Context, Dealer, Dish, Error, Gather, Message, Pair, Peer, Pub, Pull, Push, Radio, Rep,
    Req, Router, Scatter, Server, Socket, Sub, XPub, XSub,
};

use crate::{PATIENCE, TRANSPORTS, Transport, eventually};

/// How two sockets come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    LeftBinds,
    RightBinds,
    /// The right one connects to what the left one binds later.
    LeftBindsLater,
}

const MEETINGS: [Meeting; 3] = [Meeting::LeftBinds, Meeting::RightBinds, Meeting::LeftBindsLater];

/// Runs a scenario for every transport and meeting. `prepare` is called before the sockets meet.
fn everywhere<A: Kind, B: Kind>(
    prepare: impl Fn(&Socket<A>, &Socket<B>),
    scenario: impl Fn(&Socket<A>, &Socket<B>),
) {
    for (transport, meeting) in TRANSPORTS
        .into_iter()
        .flat_map(|it| MEETINGS.map(|meeting| (it, meeting)))
    {
        if matches!(transport, Transport::Tcp | Transport::Ws) && meeting == Meeting::LeftBindsLater {
            // Nobody knows the port before it is bound.
            continue;
        }
        println!("{transport:?}, {meeting:?}");
        let context = Context::new();
        let left = Socket::new(&context).unwrap();
        let right = Socket::new(&context).unwrap();
        left.set_linger(Some(Duration::ZERO));
        right.set_linger(Some(Duration::ZERO));
        right.set_reconnect_interval(Some(Duration::from_millis(1)));
        prepare(&left, &right);
        let endpoint = transport.endpoint();
        match meeting {
            Meeting::LeftBinds => {
                left.bind(&endpoint).unwrap();
                right.connect(&left.last_endpoint()).unwrap();
            }
            Meeting::RightBinds => {
                right.bind(&endpoint).unwrap();
                left.connect(&right.last_endpoint()).unwrap();
            }
            Meeting::LeftBindsLater => {
                right.connect(&endpoint).unwrap();
                left.bind(&endpoint).unwrap();
            }
        }
        scenario(&left, &right);
    }
}

/// Ten messages, in order.
fn pass<A: Kind + Sends, B: Kind + Receives>(from: &Socket<A>, to: &Socket<B>) {
    for number in 0..10 {
        from.send_within(format!("message {number}"), PATIENCE).unwrap();
    }
    for number in 0..10 {
        assert_eq!(
            *to.recv_within(PATIENCE).unwrap(),
            *format!("message {number}").as_bytes()
        );
    }
}

/// Ten messages either way.
fn pass_both_ways<A: Kind + Sends + Receives, B: Kind + Sends + Receives>(
    left: &Socket<A>,
    right: &Socket<B>,
) {
    pass(left, right);
    pass(right, left);
}

/// Sends until something comes, and then what is to be compared.
fn publish<A: Kind + Sends, B: Kind + Receives>(
    publisher: &Socket<A>,
    subscriber: &Socket<B>,
    message: impl Fn(&str) -> Message,
) {
    eventually("somebody listens", || {
        publisher.send(message("anybody?")).unwrap();
        subscriber.recv_within(Duration::from_millis(1)).is_ok()
    });
    publisher.send(message("over")).unwrap();
    while subscriber.recv_within(PATIENCE).unwrap() != "over" {}
    for number in 0..10 {
        publisher.send(message(&format!("message {number}"))).unwrap();
        assert_eq!(
            *subscriber.recv_within(PATIENCE).unwrap(),
            *format!("message {number}").as_bytes()
        );
    }
}

#[test]
fn rfc30_push_pull() {
    everywhere(|_: &Push, _: &Pull| {}, pass);
}

#[test]
fn rfc49_scatter_gather() {
    everywhere(|_: &Scatter, _: &Gather| {}, pass);
}

#[test]
fn rfc31_pair_pair() {
    everywhere(|_: &Pair, _: &Pair| {}, pass_both_ways);
}

#[test]
fn rfc52_channel_channel() {
    everywhere(|_: &Channel, _: &Channel| {}, pass_both_ways);
}

#[test]
fn rfc28_dealer_dealer() {
    everywhere(|_: &Dealer, _: &Dealer| {}, pass_both_ways);
}

#[test]
fn rfc28_req_rep() {
    everywhere(
        |_: &Req, _: &Rep| {},
        |req, rep| {
            for number in 0..10 {
                req.send_within(format!("question {number}"), PATIENCE).unwrap();
                let question = rep.recv_within(PATIENCE).unwrap();
                assert!(matches!(rep.try_recv(), Err(Error::State)));
                rep.send(question).unwrap();
                let answer = req.recv_within(PATIENCE).unwrap();
                assert_eq!(*answer, *format!("question {number}").as_bytes());
            }
        },
    );
}

#[test]
fn rfc28_req_router() {
    everywhere(
        |_: &Req, _: &Router| {},
        |req, router| {
            router.set_receive_timeout(Some(PATIENCE));
            for _ in 0..10 {
                req.send_within("question", PATIENCE).unwrap();
                let parts = router.recv_multipart().unwrap();
                assert_eq!((parts.len(), parts[1].len()), (3, 0));
                router.send_multipart(parts).unwrap();
                assert_eq!(&*req.recv_within(PATIENCE).unwrap(), b"question");
            }
        },
    );
}

#[test]
fn rfc28_dealer_rep() {
    everywhere(
        |_: &Dealer, _: &Rep| {},
        |dealer, rep| {
            dealer.set_receive_timeout(Some(PATIENCE));
            for _ in 0..10 {
                dealer.send_multipart(["address", "", "question"]).unwrap();
                assert_eq!(&*rep.recv_within(PATIENCE).unwrap(), b"question");
                rep.send("answer").unwrap();
                let parts = dealer.recv_multipart().unwrap();
                let texts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
                assert_eq!(texts, [&b"address"[..], b"", b"answer"]);
            }
        },
    );
}

#[test]
fn rfc28_router_router() {
    everywhere(
        |left: &Router, right: &Router| {
            left.set_routing_id("left").unwrap();
            right.set_routing_id("right").unwrap();
            left.set_router_mandatory(true);
            right.set_router_mandatory(true);
        },
        |left, right| {
            for (from, to, name, sender) in [(left, right, "right", "left"), (right, left, "left", "right")] {
                eventually("the other is known", || {
                    from.send_multipart([name, "hello"]).is_ok()
                });
                to.set_receive_timeout(Some(PATIENCE));
                let parts = to.recv_multipart().unwrap();
                assert_eq!((&*parts[0], &*parts[1]), (sender.as_bytes(), &b"hello"[..]));
            }
        },
    );
}

#[test]
fn rfc41_client_server() {
    everywhere(
        |_: &Client, _: &Server| {},
        |client, server| {
            for _ in 0..10 {
                client.send_within("question", PATIENCE).unwrap();
                server.send(server.recv_within(PATIENCE).unwrap()).unwrap();
                assert_eq!(&*client.recv_within(PATIENCE).unwrap(), b"question");
            }
        },
    );
}

#[test]
fn rfc51_peer_peer() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [left, right]: [Peer; 2] = std::array::from_fn(|_| Socket::new(&context).unwrap());
        left.bind(&transport.endpoint()).unwrap();
        let number = right.connect_peer(&left.last_endpoint()).unwrap();
        for _ in 0..10 {
            right.send_to(number, "question").unwrap();
            left.send(left.recv_within(PATIENCE).unwrap()).unwrap();
            assert_eq!(right.recv_within(PATIENCE).unwrap().routing_id(), number);
        }
    }
}

#[test]
fn rfc29_publishers_and_subscribers() {
    everywhere(
        |_: &Pub, sub: &Sub| sub.subscribe("").unwrap(),
        |a, b| publish(a, b, |text| text.into()),
    );
    everywhere(
        |_: &Pub, sub: &XSub| sub.subscribe("").unwrap(),
        |a, b| publish(a, b, |text| text.into()),
    );
    everywhere(
        |_: &XPub, sub: &Sub| sub.subscribe("").unwrap(),
        |a, b| publish(a, b, |text| text.into()),
    );
    everywhere(
        |_: &XPub, sub: &XSub| sub.subscribe("").unwrap(),
        |a, b| publish(a, b, |text| text.into()),
    );
}

#[test]
fn rfc48_radio_dish() {
    everywhere(
        |_: &Radio, dish: &Dish| dish.join("group").unwrap(),
        |radio, dish| {
            publish(radio, dish, |text| {
                let mut message = Message::from(text);
                message.set_group(b"group").unwrap();
                message
            });
        },
    );
}
