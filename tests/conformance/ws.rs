//! ZeroMQ over WebSockets (RFC 45), beside what the rules of the patterns say of every transport.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ringmq::monitor::{Event, HandshakeFault, MonitorReceiver, ProtocolFault};
use ringmq::{Context, Dealer, EndpointFault, Error, OptionFault, Pull, Push, Rep, Req, Router, Stream};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::{PATIENCE, receiver, sender, socket, texts};

/// What stands behind the scheme.
fn address(endpoint: &str) -> &str {
    let (_, rest) = endpoint.split_once("://").unwrap();
    rest.split('/').next().unwrap()
}

/// A WebSocket of an independent implementation.
fn web_client(endpoint: &str, protocol: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address(endpoint)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("ws://{}/", address(endpoint))
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    let (client, answer) = tungstenite::client(request, stream).unwrap();
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], protocol);
    client
}

/// The other end of one, which chooses a protocol, and what it was asked.
fn web_server(mut stream: TcpStream, protocol: &str) -> (WebSocket<TcpStream>, String) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let (_, rest) = request.split_once("Sec-WebSocket-Key: ").unwrap();
    let (key, _) = rest.split_once("\r\n").unwrap();
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).unwrap();
    (WebSocket::from_raw_socket(stream, Role::Server, None), request)
}

fn next(client: &mut WebSocket<TcpStream>) -> Vec<u8> {
    client.read().unwrap().into_data().to_vec()
}

fn wait_for(monitor: &MonitorReceiver, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        let record = monitor.recv_timeout(Some(PATIENCE)).expect("the event comes");
        if wanted(&record.event) {
            return record.event;
        }
    }
}

#[test]
fn endpoints_have_paths() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.bind("ws://127.0.0.1:*").unwrap();
    assert!(pull.last_endpoint().starts_with("ws://127.0.0.1:") && pull.last_endpoint().ends_with('/'));
    pull.unbind(&pull.last_endpoint()).unwrap();
    pull.bind("ws://127.0.0.1:*/a/b").unwrap();
    let endpoint = pull.last_endpoint();
    assert!(endpoint.ends_with("/a/b"), "{endpoint}");
    let push: Push = sender(&context);
    push.connect(&endpoint).unwrap();
    push.send("hello").unwrap();
    assert_eq!(&*pull.recv().unwrap(), b"hello");
    let fault = |endpoint: &str| match push.connect(endpoint) {
        Err(Error::InvalidEndpoint { why, .. }) => why,
        other => panic!("{endpoint}: {other:?}"),
    };
    assert_eq!(fault("ws://*:1/"), EndpointFault::WildcardHost);
    assert_eq!(fault("ws://x:*/"), EndpointFault::WildcardPort);
    assert_eq!(fault("ws://x/path"), EndpointFault::NoPort);
    assert_eq!(fault("ws://x:1/a b"), EndpointFault::InvalidPath);
    assert_eq!(fault("ws://x:1/\r\nHost: y"), EndpointFault::InvalidPath);
    assert_eq!(fault("wss://lo;x:1/"), EndpointFault::InvalidSource);
    let stream = Stream::new(&context).unwrap();
    assert!(matches!(
        stream.bind("ws://127.0.0.1:*"),
        Err(Error::IncompatibleTransport { .. })
    ));
}

#[test]
fn rfc45_a_client_with_the_null_mechanism_exchanges_ready_and_frames() {
    let context = Context::new();
    let router: Router = socket(&context);
    router.bind("ws://127.0.0.1:*/").unwrap();
    let mut client = web_client(&router.last_endpoint(), "ZWS2.0/NULL");
    let ready = next(&mut client);
    assert!(
        ready.starts_with(b"\x02\x05READY\x0bSocket-Type\0\0\0\x06ROUTER"),
        "{ready:?}"
    );
    let ours = b"\x02\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x05alice";
    client.send(Message::binary(&ours[..])).unwrap();
    client.send(Message::binary(&b"\x01one"[..])).unwrap();
    // A ping may come between the parts of a message.
    client.send(Message::Ping("are you there?".into())).unwrap();
    client.send(Message::binary(&b"\0two"[..])).unwrap();
    assert_eq!(texts(&router), ["alice", "one", "two"]);
    router.send_multipart(["alice", "", "answer"]).unwrap();
    let mut heard = [
        client.read().unwrap(),
        client.read().unwrap(),
        client.read().unwrap(),
    ];
    heard.sort_by_key(Message::is_pong);
    assert_eq!(
        (&*heard[0].clone().into_data(), &*heard[1].clone().into_data()),
        (&b"\x01"[..], &b"\0answer"[..])
    );
    assert_eq!(heard[2], Message::Pong("are you there?".into()));
}

#[test]
fn rfc45_a_client_without_a_mechanism_greets_by_its_routing_id() {
    let context = Context::new();
    let router: Router = socket(&context);
    router.bind("ws://127.0.0.1:*/").unwrap();
    let mut client = web_client(&router.last_endpoint(), "ZWS2.0");
    client.send(Message::binary(&b"\0alice"[..])).unwrap();
    assert_eq!(next(&mut client), b"\0", "a router without a routing id");
    client.send(Message::binary(&b"\0hello"[..])).unwrap();
    assert_eq!(texts(&router), ["alice", "hello"]);
    router.send_multipart(["alice", "hello yourself"]).unwrap();
    assert_eq!(next(&mut client), b"\0hello yourself");
    client.close(None).unwrap();
    while client.read().is_ok() {}
}

#[test]
fn rfc45_a_server_of_another_make_is_asked_for_both_protocols() {
    let context = Context::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dealer: Dealer = socket(&context);
    dealer.set_routing_id("bob").unwrap();
    dealer.set_heartbeat_interval(Some(Duration::from_millis(20)));
    dealer
        .connect(&format!("ws://{}/zeromq", listener.local_addr().unwrap()))
        .unwrap();
    dealer.send("queued before").unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut server, request) = web_server(stream, "ZWS2.0/NULL");
    assert!(request.starts_with("GET /zeromq HTTP/1.1\r\n"));
    assert!(request.contains("\r\nSec-WebSocket-Protocol: ZWS2.0/NULL,ZWS2.0\r\n"));
    assert!(next(&mut server).starts_with(b"\x02\x05READY"));
    let ready = b"\x02\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";
    server.send(Message::binary(&ready[..])).unwrap();
    assert_eq!(next(&mut server), b"\0queued before");
    // Heartbeats are the WebSocket's, and are answered by the implementation itself.
    for _ in 0..3 {
        assert!(server.read().unwrap().is_ping());
    }
    server.send(Message::binary(&b"\0answer"[..])).unwrap();
    assert_eq!(&*dealer.recv().unwrap(), b"answer");
    drop(dealer);
    let goodbye = std::iter::repeat_with(|| server.read()).find_map(|heard| match heard {
        Ok(Message::Close(frame)) => Some(frame),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    });
    assert_eq!(goodbye.unwrap().unwrap().code, 1000.into());
}

#[test]
fn rfc45_a_server_without_a_mechanism_is_greeted_by_the_routing_id() {
    let context = Context::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let router: Router = socket(&context);
    router.set_routing_id("bob").unwrap();
    router
        .connect(&format!("ws://{}/", listener.local_addr().unwrap()))
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut server, _) = web_server(stream, "ZWS2.0");
    server.send(Message::binary(&b"\0alice"[..])).unwrap();
    assert_eq!(next(&mut server), b"\0bob");
    server.send(Message::binary(&b"\x01two"[..])).unwrap();
    server.send(Message::binary(&b"\0parts"[..])).unwrap();
    assert_eq!(texts(&router), ["alice", "two", "parts"]);
    router.send_multipart(["alice", "hello"]).unwrap();
    assert_eq!(next(&mut server), b"\0hello");
}

#[test]
fn a_peer_that_does_not_answer_pings_is_lost() {
    let context = Context::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dealer: Dealer = socket(&context);
    let monitor = dealer.monitor();
    dealer.set_heartbeat_interval(Some(Duration::from_millis(20)));
    dealer
        .connect(&format!("ws://{}/", listener.local_addr().unwrap()))
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    let (mut server, _) = web_server(stream, "ZWS2.0/NULL");
    let ready = b"\x02\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0";
    server.send(Message::binary(&ready[..])).unwrap();
    let heartbeat = ringmq::monitor::DisconnectReason::HeartbeatTimeout;
    wait_for(
        &monitor,
        |event| matches!(event, Event::Disconnected { reason, .. } if *reason == heartbeat),
    );
}

/// Sends bytes to a listener and returns what comes back before the end.
fn poke(endpoint: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address(endpoint)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

const OPEN: &[u8] =
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0/NULL\r\n\r\n";

#[test]
fn what_breaks_the_rules_ends_its_own_connection() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.set_max_message_size(Some(1000));
    let monitor = pull.monitor();
    pull.bind("ws://127.0.0.1:*/").unwrap();
    let push: Push = sender(&context);
    push.connect(&pull.last_endpoint()).unwrap();
    push.send("before").unwrap();
    assert_eq!(&*pull.recv().unwrap(), b"before");
    let fault = ProtocolFault::WsUnspecified;
    let answer = poke(&pull.last_endpoint(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    let failed = wait_for(&monitor, |event| matches!(event, Event::HandshakeFailed { .. }));
    let reason = HandshakeFault::Protocol(fault);
    assert_eq!(failed, Event::HandshakeFailed { reason });
    poke(&pull.last_endpoint(), &[b'x'; 100_000]);
    poke(&pull.last_endpoint(), &[0xFF; 64]);
    let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 100_000]].concat();
    poke(&pull.last_endpoint(), &endless);
    // Frames that a client may not send, and one that announces more than we take.
    let ready = b"\x82\xA5\0\0\0\0\x02\x05READY\x0bSocket-Type\0\0\0\x04PUSH\x08Identity\0\0\0\0";
    for frame in [
        &b"\x82\x01\0"[..],
        b"\x81\x81\0\0\0\0x",
        b"\x02\x81\0\0\0\0\0",
        b"\x82\x81\0\0\0\0\xFF",
        b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0\0",
    ] {
        let answer = poke(&pull.last_endpoint(), &[OPEN, ready, frame].concat());
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{frame:?}");
    }
    push.send("after").unwrap();
    assert_eq!(&*pull.recv().unwrap(), b"after");
}

#[test]
fn a_silent_client_is_given_up() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.set_handshake_interval(Some(Duration::from_millis(50)));
    pull.bind("ws://127.0.0.1:*/").unwrap();
    assert_eq!(poke(&pull.last_endpoint(), b"GET / HT"), b"");
    assert!(poke(&pull.last_endpoint(), OPEN).starts_with(b"HTTP/1.1 101 "));
}

/// A certificate for these names, and the authority that vouches for it.
fn certificate(names: &[&str]) -> (String, String, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_cert = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(names).unwrap();
    let cert = params.signed_by(&key, &issuer).unwrap();
    (cert.pem(), key.serialize_pem(), authority_cert.pem())
}

/// A bound REP with a certificate, and whom to trust for it.
fn secure_server(context: &Context, names: &[&str]) -> (Rep, String) {
    let (cert, key, authority) = certificate(names);
    let rep: Rep = socket(context);
    rep.set_wss_cert_pem(Some(cert));
    rep.set_wss_key_pem(Some(key));
    rep.bind("wss://127.0.0.1:*/").unwrap();
    assert!(rep.last_endpoint().starts_with("wss://127.0.0.1:"));
    (rep, authority)
}

#[test]
fn wss_encrypts_and_checks_whom_it_talks_to() {
    let context = Context::new();
    let (rep, authority) = secure_server(&context, &["127.0.0.1"]);
    let req: Req = socket(&context);
    req.set_wss_trust_pem(Some(authority));
    req.connect(&rep.last_endpoint()).unwrap();
    for len in [0, 1, 1000, 100_000, 3_000_000] {
        let body = vec![9; len];
        req.send(&body[..]).unwrap();
        let request = rep.recv().unwrap();
        assert!(*request == body, "{len}");
        rep.send(request).unwrap();
        assert!(*req.recv().unwrap() == body, "{len}");
    }
}

#[test]
fn wss_carries_a_stream_of_messages() {
    let context = Context::new();
    let (cert, key, authority) = certificate(&["127.0.0.1"]);
    let pull: Pull = receiver(&context);
    pull.set_wss_cert_pem(Some(cert));
    pull.set_wss_key_pem(Some(key));
    pull.bind("wss://127.0.0.1:*/").unwrap();
    let push: Push = sender(&context);
    push.set_wss_trust_pem(Some(authority));
    push.connect(&pull.last_endpoint()).unwrap();
    let thread = std::thread::spawn(move || {
        for number in 0..20_000_u32 {
            push.send(&number.to_be_bytes()[..]).unwrap();
        }
    });
    for number in 0..20_000_u32 {
        assert_eq!(*pull.recv().unwrap(), number.to_be_bytes());
    }
    thread.join().unwrap();
}

#[test]
pub(crate) fn wss_hostname_names_who_the_server_must_be() {
    let context = Context::new();
    let (rep, authority) = secure_server(&context, &["example.org"]);
    let [by_name, by_address] = [Some("example.org"), None].map(|name| {
        let req: Req = socket(&context);
        req.set_wss_trust_pem(Some(authority.clone()));
        req.set_wss_hostname(name.map(str::to_owned));
        req
    });
    let monitor = by_address.monitor();
    by_address.connect(&rep.last_endpoint()).unwrap();
    wait_for(&monitor, |event| matches!(event, Event::HandshakeFailed { .. }));
    // It may be another server the next time.
    wait_for(&monitor, |event| matches!(event, Event::ConnectRetried { .. }));
    by_name.connect(&rep.last_endpoint()).unwrap();
    by_name.send("hello").unwrap();
    assert_eq!(&*rep.recv().unwrap(), b"hello");
}

#[test]
pub(crate) fn wss_trusts_nobody_unless_told() {
    let context = Context::new();
    let (rep, authority) = secure_server(&context, &["127.0.0.1"]);
    let (_, _, another) = certificate(&["127.0.0.1"]);
    for trust in [None, Some(another)] {
        let req: Req = socket(&context);
        let monitor = req.monitor();
        req.set_wss_trust_pem(trust);
        req.connect(&rep.last_endpoint()).unwrap();
        wait_for(&monitor, |event| matches!(event, Event::HandshakeFailed { .. }));
    }
    let req: Req = socket(&context);
    req.set_wss_trust_system(true);
    req.set_wss_trust_pem(Some(authority));
    req.connect(&rep.last_endpoint()).unwrap();
    req.send("hello").unwrap();
    assert_eq!(&*rep.recv().unwrap(), b"hello");
}

#[test]
pub(crate) fn wss_wants_a_certificate_and_its_key_to_bind() {
    let context = Context::new();
    let (cert, key, authority) = certificate(&["127.0.0.1"]);
    let (_, other_key, _) = certificate(&["127.0.0.1"]);
    let refused = |cert: Option<&str>, key: Option<&str>| {
        let rep: Rep = socket(&context);
        rep.set_wss_cert_pem(cert.map(str::to_owned));
        rep.set_wss_key_pem(key.map(str::to_owned));
        match rep.bind("wss://127.0.0.1:*/") {
            Err(Error::InvalidOption { name, why, .. }) => {
                assert_eq!(why, OptionFault::Malformed);
                name
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(None, Some(&key)), "WSS_CERT_PEM");
    assert_eq!(refused(Some("no PEM"), Some(&key)), "WSS_CERT_PEM");
    assert_eq!(refused(Some(&cert), None), "WSS_KEY_PEM");
    assert_eq!(refused(Some(&cert), Some(&other_key)), "WSS_KEY_PEM");
    let req: Req = socket(&context);
    req.set_wss_trust_pem(Some("no PEM".to_owned()));
    let outcome = req.connect("wss://127.0.0.1:1/");
    assert!(
        matches!(
            outcome,
            Err(Error::InvalidOption {
                name: "WSS_TRUST_PEM",
                ..
            })
        ),
        "{outcome:?}"
    );
    req.set_wss_trust_pem(Some(authority));
    req.set_wss_hostname(Some("no name".to_owned()));
    let outcome = req.connect("wss://127.0.0.1:1/");
    assert!(
        matches!(
            outcome,
            Err(Error::InvalidOption {
                name: "WSS_HOSTNAME",
                ..
            })
        ),
        "{outcome:?}"
    );
}

#[test]
fn wss_survives_what_is_no_tls() {
    let context = Context::new();
    let (rep, authority) = secure_server(&context, &["127.0.0.1"]);
    // The alert says that it is none.
    assert_eq!(poke(&rep.last_endpoint(), OPEN).first(), Some(&21));
    poke(&rep.last_endpoint(), &[0x16; 100_000]);
    poke(&rep.last_endpoint(), &[]);
    let req: Req = socket(&context);
    req.set_wss_trust_pem(Some(authority));
    req.connect(&rep.last_endpoint()).unwrap();
    req.send("hello").unwrap();
    assert_eq!(&*rep.recv().unwrap(), b"hello");
}
