//! The wrapper says what libzmq does.

use ringmq_stock::constants::{errno, event, flag, option, socket_type};
use ringmq_stock::{Context, Message};

#[test]
fn is_the_version_that_the_comparisons_quote() {
    assert_eq!(ringmq_stock::version(), (4, 3, 5));
    assert!(ringmq_stock::has("draft"));
    assert!(ringmq_stock::has("ipc"));
    assert!(!ringmq_stock::has("curve"));
}

#[test]
fn multipart_over_tcp_and_ipc() {
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
        let context = Context::new();
        let pull = context.socket(socket_type::PULL).unwrap();
        let push = context.socket(socket_type::PUSH).unwrap();
        push.connect(&pull.bind(endpoint).unwrap()).unwrap();

        push.send_multipart(&[b"a".as_slice(), b"", &[7; 300]], 0)
            .unwrap();
        assert!(pull.poll_in(10_000).unwrap());
        assert_eq!(
            pull.recv_multipart(0).unwrap(),
            [b"a".to_vec(), vec![], vec![7; 300]]
        );
        assert!(!pull.rcvmore().unwrap());
    }
}

#[test]
fn messages_carry_properties_and_are_left_empty() {
    let context = Context::new();
    let pull = context.socket(socket_type::PULL).unwrap();
    let push = context.socket(socket_type::PUSH).unwrap();
    push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();

    let mut message = Message::from_bytes(&[9; 1000]).unwrap();
    push.msg_send(&mut message, 0).unwrap();
    assert!(message.is_empty());
    assert_eq!(pull.msg_recv(&mut message, 0).unwrap(), 1000);
    assert_eq!(message.as_slice(), [9; 1000]);
    assert_eq!(message.property("Socket-Type").as_deref(), Some("PUSH"));
    assert_eq!(message.property("No-Such"), None);
}

#[test]
fn errors_carry_libzmq_errno_and_text() {
    let context = Context::new();
    let pull = context.socket(socket_type::PULL).unwrap();
    let error = pull.recv(flag::DONTWAIT).unwrap_err();
    assert_eq!(error.errno(), errno::EAGAIN);
    assert!(error.is_again());

    let rep = context.socket(socket_type::REP).unwrap();
    let error = rep.send(b"early", 0).unwrap_err();
    assert_eq!(error.errno(), errno::EFSM);
    assert_eq!(
        error.message(),
        "Operation cannot be accomplished in current state"
    );

    assert_eq!(context.socket(99).unwrap_err().errno(), errno::EINVAL);
    assert_eq!(pull.bind("tcp://nul\0").unwrap_err().errno(), errno::EINVAL);
}

#[test]
fn options_of_every_type() {
    let context = Context::new();
    let dealer = context.socket(socket_type::DEALER).unwrap();
    dealer.set_int(option::SNDHWM, 7).unwrap();
    assert_eq!(dealer.get_int(option::SNDHWM).unwrap(), 7);
    dealer.set_i64(option::MAXMSGSIZE, 1 << 40).unwrap();
    assert_eq!(dealer.get_i64(option::MAXMSGSIZE).unwrap(), 1 << 40);
    dealer.set_bytes(option::ROUTING_ID, b"me").unwrap();
    assert_eq!(dealer.get_bytes(option::ROUTING_ID).unwrap(), b"me");
    assert_eq!(dealer.get_string(option::LAST_ENDPOINT).unwrap(), "");
}

#[test]
fn monitors_see_the_whole_life_of_a_connection() {
    let context = Context::new();
    let pull = context.socket(socket_type::PULL).unwrap();
    let bound = pull.monitor(event::ALL).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = context.socket(socket_type::PUSH).unwrap();
    let connected = push.monitor(event::ALL).unwrap();
    push.connect(&endpoint).unwrap();

    let listening = bound.recv().unwrap();
    assert_eq!(
        (listening.event, listening.endpoint.as_str()),
        (event::LISTENING, endpoint.as_str())
    );
    assert_eq!(bound.recv().unwrap().event, event::ACCEPTED);
    assert_eq!(bound.recv().unwrap().event, event::HANDSHAKE_SUCCEEDED);
    assert_eq!(
        connected.wait_for(event::HANDSHAKE_SUCCEEDED).unwrap().endpoint,
        endpoint
    );
    drop(push);
    assert_eq!(bound.recv().unwrap().event, event::DISCONNECTED);
    drop(pull);
    bound.wait_for(event::MONITOR_STOPPED).unwrap();
    assert_eq!(
        connected.wait_for(event::MONITOR_STOPPED).unwrap().event,
        event::MONITOR_STOPPED
    );
}

#[test]
fn draft_sockets_address_by_routing_id_and_group() {
    let context = Context::new();
    let server = context.socket(socket_type::SERVER).unwrap();
    let client = context.socket(socket_type::CLIENT).unwrap();
    client
        .connect(&server.bind("tcp://127.0.0.1:*").unwrap())
        .unwrap();
    client.send(b"question", 0).unwrap();
    let mut message = Message::new();
    server.msg_recv(&mut message, 0).unwrap();
    let mut answer = Message::from_bytes(b"answer").unwrap();
    answer.set_routing_id(message.routing_id()).unwrap();
    server.msg_send(&mut answer, 0).unwrap();
    assert_eq!(client.recv(0).unwrap(), b"answer");

    let radio = context.socket(socket_type::RADIO).unwrap();
    let dish = context.socket(socket_type::DISH).unwrap();
    dish.join("films").unwrap();
    radio.bind("inproc://draft").unwrap();
    dish.connect("inproc://draft").unwrap();
    let mut film = Message::from_bytes(b"Solaris").unwrap();
    film.set_group("films").unwrap();
    radio.msg_send(&mut film, 0).unwrap();
    dish.msg_recv(&mut film, 0).unwrap();
    assert_eq!(film.group(), "films");
    assert_eq!(film.as_slice(), b"Solaris");
}

#[test]
fn shutdown_ends_a_blocked_receive() {
    let context = Context::new();
    let pull = context.socket(socket_type::PULL).unwrap();
    let receiver = std::thread::spawn(move || pull.recv(0).unwrap_err().errno());
    context.shutdown().unwrap();
    assert_eq!(receiver.join().unwrap(), errno::ETERM);
}
