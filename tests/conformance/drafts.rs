//! The types with messages of one part: CLIENT and SERVER (RFC 41), RADIO and DISH (RFC 48), SCATTER and GATHER (RFC 49),
//! PEER (RFC 51), CHANNEL (RFC 52).

use ringmq::{Channel, Client, Context, Dish, Error, Gather, Message, Peer, Radio, Scatter, Server};

use crate::{
    MOMENT, TRANSPORTS, Transport, assert_silent, eventually, join, next_number, receiver, sender, socket,
};

#[test]
fn rfc41_client_load_balances_and_server_answers_by_number() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let server: Server = socket(&context);
        server.bind(&transport.endpoint()).unwrap();
        let clients: [Client; 3] = std::array::from_fn(|_| socket(&context));
        for (number, client) in clients.iter().enumerate() {
            client.connect(&server.last_endpoint()).unwrap();
            client.send(format!("from {number}")).unwrap();
        }
        let mut numbers = std::collections::HashSet::new();
        for _ in &clients {
            let request = server.recv().unwrap();
            assert_ne!(request.routing_id(), 0);
            numbers.insert(request.routing_id());
            let answer = format!("{} is heard", String::from_utf8_lossy(&request));
            server.send_to(request.routing_id(), answer).unwrap();
        }
        assert_eq!(numbers.len(), 3, "every peer has a number of its own");
        for (number, client) in clients.iter().enumerate() {
            let answer = client.recv().unwrap();
            assert_eq!(*answer, *format!("from {number} is heard").as_bytes());
            assert_eq!(answer.routing_id(), 0, "the number is the server's own");
        }
        // What came from a peer goes back to it as it is.
        clients[1].send("echo").unwrap();
        let message = server.recv().unwrap();
        server.send(message).unwrap();
        assert_eq!(&*clients[1].recv().unwrap(), b"echo");
    }
}

#[test]
fn rfc41_server_refuses_what_it_cannot_route() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (server, client): (Server, Client) = (socket(&context), socket(&context));
        let failed = server.send("without a number").unwrap_err();
        assert!(matches!(failed.error, Error::HostUnreachable));
        join(transport, &server, &client);
        client.send("here").unwrap();
        let number = server.recv().unwrap().routing_id();
        server.disconnect_peer(number).unwrap();
        let failed = server.send_to(number, "gone").unwrap_err();
        assert!(matches!(failed.error, Error::HostUnreachable));
        assert_eq!(
            (&*failed.message, failed.message.routing_id()),
            (&b"gone"[..], number)
        );
        assert!(matches!(
            server.disconnect_peer(number),
            Err(Error::HostUnreachable)
        ));
    }
}

#[test]
fn rfc41_server_waits_for_room() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (server, client): (Server, Client) = (socket(&context), socket(&context));
        server.set_send_hwm(5);
        client.set_receive_hwm(5);
        join(transport, &server, &client);
        client.send("here").unwrap();
        let number = server.recv().unwrap().routing_id();
        let body = vec![1; 100_000];
        let mut sent = 0;
        let refused = loop {
            let mut message = Message::from(body.as_slice());
            message.set_routing_id(number);
            match server.send_within(message, MOMENT) {
                Ok(()) => sent += 1,
                Err(failed) => break failed.error,
            }
        };
        assert!(matches!(refused, Error::TimedOut));
        for _ in 0..sent {
            assert_eq!(client.recv().unwrap().len(), body.len());
        }
        server.send_to(number, "room again").unwrap();
        assert_eq!(&*client.recv().unwrap(), b"room again");
    }
}

#[test]
fn rfc48_radio_reaches_the_groups_that_are_joined() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let radio: Radio = sender(&context);
        radio.bind(&transport.endpoint()).unwrap();
        let [one, other]: [Dish; 2] = std::array::from_fn(|_| receiver(&context));
        one.join("movies").unwrap();
        for dish in [&one, &other] {
            dish.connect(&radio.last_endpoint()).unwrap();
        }
        other.join("movies").unwrap();
        other.join("tv").unwrap();
        tune_in(&radio, &one, "movies");
        tune_in(&radio, &other, "tv");
        for group in ["movie", "tv", "movies", "movies2", ""] {
            radio.send_to_group(group, format!("to {group}")).unwrap();
        }
        let message = one.recv().unwrap();
        assert_eq!((message.group(), &*message), (&b"movies"[..], &b"to movies"[..]));
        assert_silent(&one);
        for group in ["tv", "movies"] {
            let message = other.recv().unwrap();
            assert_eq!(message.group(), group.as_bytes());
            assert_eq!(*message, *format!("to {group}").as_bytes());
        }
        assert_silent(&other);
    }
}

/// Sends to the group until the peer, which has joined it, hears of it, and has read all that came before.
pub(crate) fn tune_in(radio: &Radio, dish: &Dish, group: &str) {
    let mut last = 0;
    let mut heard = None;
    eventually("the group is joined", || {
        last = next_number();
        radio.send_to_group(group, &last.to_le_bytes()).unwrap();
        heard = dish.recv_within(std::time::Duration::from_millis(1)).ok();
        heard.is_some()
    });
    while heard.is_none_or(|message| *message != last.to_le_bytes()) {
        heard = Some(dish.recv().unwrap());
    }
}

#[test]
fn rfc48_dish_joins_once_and_leaves() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (radio, dish): (Radio, Dish) = (sender(&context), receiver(&context));
        join(transport, &radio, &dish);
        dish.join("group").unwrap();
        assert!(matches!(dish.join("group"), Err(Error::InvalidArgument { .. })));
        assert!(matches!(
            dish.leave("another"),
            Err(Error::InvalidArgument { .. })
        ));
        let longest = "x".repeat(255);
        dish.join(&longest).unwrap();
        let too_long = "x".repeat(256);
        assert!(matches!(dish.join(&too_long), Err(Error::InvalidArgument { .. })));
        let failed = radio.send_to_group(&too_long, "body").unwrap_err();
        assert!(matches!(failed.error, Error::InvalidArgument { .. }));
        tune_in(&radio, &dish, &longest);
        tune_in(&radio, &dish, "group");
        dish.leave("group").unwrap();
        radio.send_to_group("group", "unheard").unwrap();
        while let Ok(message) = dish.recv_within(MOMENT) {
            assert_ne!(message.group(), b"group", "what was on its way is filtered");
        }
    }
}

#[test]
fn rfc48_groups_are_joined_again_on_every_connection() {
    let context = Context::new();
    let dish: Dish = receiver(&context);
    dish.join("group").unwrap();
    dish.join("").unwrap();
    let first: Radio = sender(&context);
    join(Transport::Tcp, &first, &dish);
    tune_in(&first, &dish, "group");
    let endpoint = first.last_endpoint();
    first.unbind(&endpoint).unwrap();
    drop(first);
    let second: Radio = sender(&context);
    second.bind(&endpoint).unwrap();
    tune_in(&second, &dish, "");
    tune_in(&second, &dish, "group");
}

#[test]
fn rfc48_bodies_of_any_length_have_their_group() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (radio, dish): (Radio, Dish) = (sender(&context), receiver(&context));
        dish.join("group").unwrap();
        join(transport, &radio, &dish);
        tune_in(&radio, &dish, "group");
        for length in [0, 1, 40, 56, 57, 1_000, 40_000, 300_000] {
            radio.send_to_group("group", vec![7; length]).unwrap();
            let message = dish.recv().unwrap();
            assert_eq!((message.group(), message.len()), (&b"group"[..], length));
        }
    }
}

#[test]
fn rfc49_scatter_goes_round_and_gather_takes_turns() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let scatter: Scatter = sender(&context);
        scatter.bind(&transport.endpoint()).unwrap();
        let gathers: [Gather; 3] = std::array::from_fn(|_| receiver(&context));
        for gather in &gathers {
            gather.connect(&scatter.last_endpoint()).unwrap();
        }
        eventually("three peers", || scatter.peer_count() == 3);
        for number in 0..30_u32 {
            scatter.send(&number.to_le_bytes()).unwrap();
        }
        for gather in &gathers {
            for _ in 0..10 {
                gather.recv().unwrap();
            }
            assert_silent(gather);
        }
    }
}

#[test]
fn rfc51_peers_connect_and_know_each_other_by_number() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [one, other]: [Peer; 2] = std::array::from_fn(|_| socket(&context));
        one.bind(&transport.endpoint()).unwrap();
        let number = other.connect_peer(&one.last_endpoint()).unwrap();
        assert_ne!(number, 0);
        other.send_to(number, "hello").unwrap();
        let hello = one.recv().unwrap();
        assert_eq!(&*hello, b"hello");
        one.send_to(hello.routing_id(), "hello yourself").unwrap();
        let answer = other.recv().unwrap();
        assert_eq!((&*answer, answer.routing_id()), (&b"hello yourself"[..], number));
        other.set_immediate(true);
        assert!(matches!(
            other.connect_peer(&one.last_endpoint()),
            Err(Error::InvalidArgument { .. })
        ));
    }
}

#[test]
fn rfc52_channel_has_one_peer() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [bound, first, second]: [Channel; 3] = std::array::from_fn(|_| socket(&context));
        join(transport, &bound, &first);
        first.send("first").unwrap();
        assert_eq!(&*bound.recv().unwrap(), b"first");
        second.set_linger(Some(MOMENT));
        second.connect(&bound.last_endpoint()).unwrap();
        let _ = second.try_send("second");
        assert_silent(&bound);
        bound.send("back").unwrap();
        assert_eq!(&*first.recv().unwrap(), b"back");
    }
}
