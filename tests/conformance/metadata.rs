//! What a message tells about where it came from (RFC 37 metadata, and the peer's address).

use std::sync::Arc;

use ringmq::{
    Client, Context, Dealer, Error, Message, Properties, Pub, Pull, Push, Req, Router, Server, Stream, XPub,
    XSub,
};

use crate::{Transport, eventually, join, receiver, sender, socket, texts};

/// Those with connections.
const FOREIGN: [Transport; 2] = [Transport::Tcp, Transport::Ipc];

fn about(message: &Message) -> Arc<Properties> {
    message.properties().expect("it came by a connection")
}

/// The peer's address as both transports tell it, from this process.
fn assert_is_here(properties: &Properties, transport: Transport) {
    let address = properties.peer_address().unwrap();
    match transport {
        Transport::Ipc => {
            let (process, user) = (std::process::id(), address.split(':').nth(1).unwrap());
            assert!(address.starts_with("localhost:") && address.ends_with(&format!(":{process}")));
            assert!(user.parse::<u32>().is_ok());
        }
        _ => assert_eq!(address, "127.0.0.1"),
    }
}

#[test]
fn every_part_tells_where_it_came_from() {
    for transport in FOREIGN {
        let context = Context::new();
        let (router, dealer): (Router, Dealer) = (socket(&context), socket(&context));
        dealer.set_routing_id("alice").unwrap();
        dealer.add_metadata("X-Colour", "blue").unwrap();
        dealer.add_metadata("X-Shape", "").unwrap_err();
        dealer.add_metadata("X-Shape", "round").unwrap();
        join(transport, &router, &dealer);
        for round in 0..1000 {
            // Of all lengths: within a span, in blocks, too large for a slab, and too large for a shared ring.
            let last = if round % 200 == 0 { 3 << 20 } else { round };
            dealer.send_multipart([vec![1; round], vec![2; last]]).unwrap();
            let parts = router.recv_multipart().unwrap();
            assert_eq!(parts.len(), 3);
            for part in &parts {
                let properties = about(part);
                assert_eq!(properties.socket_type(), Some("DEALER"));
                assert_eq!(properties.get("Identity"), Some(&b"alice"[..]));
                assert_eq!(properties.get("Routing-Id"), Some(&b"alice"[..]));
                assert_eq!(properties.get_text("X-Colour"), Some("blue"));
                assert_eq!(properties.get_text("X-Shape"), Some("round"));
                assert_eq!(properties.get("X-Shm"), None, "that is between the two libraries");
                assert_eq!(properties.get("User-Id"), None);
                assert_is_here(&properties, transport);
                assert!(properties.fd() >= 0);
            }
        }
        // The one who connects is told as well.
        router.send_multipart(["alice", "answer"]).unwrap();
        let properties = about(&dealer.recv().unwrap());
        assert_eq!(properties.socket_type(), Some("ROUTER"));
        assert_is_here(&properties, transport);
    }
}

#[test]
fn messages_of_this_process_have_no_connection() {
    let context = Context::new();
    let (pull, push): (Pull, Push) = (receiver(&context), sender(&context));
    join(Transport::Inproc, &pull, &push);
    push.send("by itself").unwrap();
    assert!(pull.recv().unwrap().properties().is_none());
    assert!(Message::from("made here").properties().is_none());
    // What is passed on does not tell of where it was before.
    let (front, client): (Router, Req) = (socket(&context), socket(&context));
    join(Transport::Tcp, &front, &client);
    client.send("passed on").unwrap();
    for mut part in front.recv_multipart().unwrap() {
        assert!(part.keep_properties().is_some());
        push.send(part).unwrap();
        assert!(pull.recv().unwrap().properties().is_none());
    }
}

#[test]
fn a_message_outlives_its_connection_and_its_sockets() {
    for transport in FOREIGN {
        let context = Context::new();
        let (pull, push): (Pull, Push) = (receiver(&context), sender(&context));
        push.add_metadata("X-Name", "first").unwrap();
        join(transport, &pull, &push);
        push.send("message").unwrap();
        let message = pull.recv().unwrap();
        push.send("queued").unwrap();
        drop(push);
        eventually("the peer is gone", || pull.peer_count() <= 1);
        let queued = pull.recv().unwrap();
        drop(pull);
        for message in [message, queued] {
            assert_eq!(about(&message).get_text("X-Name"), Some("first"));
        }
    }
}

#[test]
fn each_connection_has_properties_of_its_own() {
    for transport in FOREIGN {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        pull.bind(&transport.endpoint()).unwrap();
        let pushes: Vec<Push> = (0..5)
            .map(|number| {
                let push: Push = sender(&context);
                push.add_metadata("X-Number", &number.to_string()).unwrap();
                push.connect(&pull.last_endpoint()).unwrap();
                push
            })
            .collect();
        for (number, push) in pushes.iter().enumerate() {
            push.send(number.to_string()).unwrap();
        }
        for _ in &pushes {
            let message = pull.recv().unwrap();
            let number = about(&message).get("X-Number").map(<[u8]>::to_vec);
            assert_eq!(number.as_deref(), Some(&*message));
        }
    }
}

#[test]
fn a_peer_that_comes_back_may_be_another() {
    for transport in FOREIGN {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        let endpoint = transport.endpoint();
        let mut bound = None;
        for name in ["one", "two"] {
            let push: Push = sender(&context);
            push.add_metadata("X-Name", name).unwrap();
            let here = bound.clone().unwrap_or_else(|| endpoint.clone());
            eventually("the endpoint is free", || push.bind(&here).is_ok());
            if bound.is_none() {
                pull.connect(&push.last_endpoint()).unwrap();
                bound = Some(push.last_endpoint());
            }
            for round in 0..10 {
                push.send(format!("{round}")).unwrap();
            }
            for _ in 0..10 {
                let message = pull.recv().unwrap();
                assert_eq!(about(&message).get_text("X-Name"), Some(name));
            }
        }
    }
}

#[test]
fn subscriptions_tell_who_asked() {
    for transport in FOREIGN {
        let context = Context::new();
        let (publisher, subscriber): (XPub, XSub) = (socket(&context), socket(&context));
        subscriber.add_metadata("X-Name", "reader").unwrap();
        subscriber.subscribe("topic").unwrap();
        join(transport, &publisher, &subscriber);
        let request = publisher.recv().unwrap();
        assert_eq!(&*request, b"\x01topic");
        assert_eq!(about(&request).get_text("X-Name"), Some("reader"));
        subscriber.send("upstream").unwrap();
        assert_eq!(
            about(&publisher.recv().unwrap()).get_text("X-Name"),
            Some("reader")
        );
    }
}

#[test]
fn numbers_of_peers_and_properties_do_not_disturb_each_other() {
    let context = Context::new();
    let (server, client): (Server, Client) = (socket(&context), socket(&context));
    join(Transport::Tcp, &server, &client);
    client.send("question").unwrap();
    let question = server.recv().unwrap();
    assert_ne!(question.routing_id(), 0);
    assert_eq!(about(&question).socket_type(), Some("CLIENT"));
    server.send_to(question.routing_id(), "answer").unwrap();
    assert_eq!(about(&client.recv().unwrap()).socket_type(), Some("SERVER"));
}

#[test]
fn a_peer_without_zmtp_has_an_address() {
    use std::io::Write;
    let context = Context::new();
    let stream: Stream = socket(&context);
    stream.bind("tcp://127.0.0.1:*").unwrap();
    let address = stream.last_endpoint().replace("tcp://", "");
    let mut peer = std::net::TcpStream::connect(address).unwrap();
    peer.write_all(b"bytes").unwrap();
    for wanted in ["", "bytes"] {
        let parts = stream.recv_multipart().unwrap();
        assert_eq!(&*parts[1], wanted.as_bytes());
        for part in &parts {
            let properties = about(part);
            assert_eq!(properties.peer_address(), Some("127.0.0.1"));
            assert_eq!(properties.socket_type(), None);
        }
    }
}

#[test]
fn a_publisher_that_keeps_the_newest_tells_who_it_is() -> Result<(), Error> {
    let context = Context::new();
    let (publisher, subscriber): (Pub, ringmq::Sub) = (sender(&context), receiver(&context));
    subscriber.set_conflate(true);
    subscriber.subscribe("")?;
    join(Transport::Tcp, &publisher, &subscriber);
    let mut received = None;
    eventually("something comes", || {
        publisher.send("news").unwrap();
        received = subscriber.try_recv().ok();
        received.is_some()
    });
    assert_eq!(about(&received.unwrap()).socket_type(), Some("PUB"));
    Ok(())
}

#[test]
fn the_envelope_of_a_reply_is_still_that_of_its_peer() {
    let context = Context::new();
    let (rep, req): (ringmq::Rep, Req) = (socket(&context), socket(&context));
    join(Transport::Tcp, &rep, &req);
    for _ in 0..3 {
        req.send("question").unwrap();
        let question = rep.recv().unwrap();
        assert_eq!(about(&question).socket_type(), Some("REQ"));
        // Sent back as it came.
        rep.send(question).unwrap();
        assert_eq!(texts(&req), ["question"]);
    }
}
