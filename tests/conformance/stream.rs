//! STREAM: peers that speak no ZMTP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use ringmq::{Context, Error, Message, Router, Stream};

use crate::{PATIENCE, Transport, assert_silent, eventually, socket, texts};

/// The next message: whose, and what.
fn next(stream: &Stream) -> (Message, Vec<u8>) {
    let parts = stream.recv_multipart().unwrap();
    assert_eq!(parts.len(), 2);
    (parts[0].clone(), parts[1].to_vec())
}

fn bound(context: &Context) -> (Stream, String) {
    let stream: Stream = socket(context);
    stream.bind(&Transport::Tcp.endpoint()).unwrap();
    let address = stream.last_endpoint().trim_start_matches("tcp://").to_owned();
    (stream, address)
}

fn plain(address: &str) -> TcpStream {
    let plain = TcpStream::connect(address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain
}

/// All that comes from now to the end of the stream.
fn rest(mut plain: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    plain.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn bytes_go_to_and_fro_and_the_ends_are_told() {
    let context = Context::new();
    let (stream, address) = bound(&context);
    let mut plain = plain(&address);
    let (id, empty) = next(&stream);
    assert_eq!((id.len(), id[0], empty.len()), (5, 0, 0));
    plain.write_all(b"question").unwrap();
    assert_eq!(next(&stream), (id.clone(), b"question".to_vec()));
    stream.send_multipart([id.clone(), "answer".into()]).unwrap();
    let mut answer = [0; 6];
    plain.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    drop(plain);
    assert_eq!(next(&stream), (id.clone(), Vec::new()));
    eventually("it is gone", || stream.peer_count() == 0);
    let failed = stream.send_multipart([id, "too late".into()]).unwrap_err();
    assert!(matches!(failed.error, Error::HostUnreachable));
}

#[test]
fn no_bytes_close_the_connection_behind_those_before() {
    let context = Context::new();
    let (stream, address) = bound(&context);
    let plain = plain(&address);
    let (id, _) = next(&stream);
    let body = vec![7; 1_000_000];
    stream
        .send_multipart([id.clone(), Message::from(body.as_slice())])
        .unwrap();
    stream.send_multipart([id.clone(), Message::new()]).unwrap();
    assert_eq!(rest(&plain), body);
    drop(plain);
    let failed = stream.send_multipart([id, "too late".into()]).unwrap_err();
    assert!(matches!(failed.error, Error::HostUnreachable));
    assert_silent(&stream);
}

#[test]
fn more_means_nothing_behind_the_routing_id() {
    let context = Context::new();
    let (stream, address) = bound(&context);
    let plain = plain(&address);
    let (id, _) = next(&stream);
    for text in ["one, ", "two, ", "three", ""] {
        for mut part in [id.clone(), Message::from(text)] {
            part.set_more(true);
            stream.send_part(part).unwrap();
        }
    }
    assert_eq!(rest(&plain), b"one, two, three");
}

#[test]
fn large_data_comes_in_pieces_and_in_order() {
    let context = Context::new();
    let (stream, address) = bound(&context);
    stream.set_stream_notify(false);
    let mut plain = plain(&address);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || plain.write_all(&sent).map(|()| plain).unwrap());
    let mut received = Vec::new();
    while received.len() < expected.len() {
        let (_, piece) = next(&stream);
        assert!(piece.len() <= 8192, "a piece of {}", piece.len());
        received.extend(piece);
        if received.len() % 7 == 0 {
            // A reader that is slow now and then.
            std::thread::yield_now();
        }
    }
    assert!(received == expected);
    drop(writer.join().unwrap());
}

#[test]
fn a_connecting_stream_knows_its_peer_at_once() {
    let context = Context::new();
    let stream: Stream = socket(&context);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    assert!(stream.last_peer_id().is_empty());
    stream.connect(&endpoint).unwrap();
    let id = stream.last_peer_id();
    assert_eq!(id.len(), 5);
    stream
        .send_multipart([id.as_slice(), b"first words".as_slice()])
        .unwrap();
    let (mut plain, _) = listener.accept().unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut words = [0; 11];
    plain.read_exact(&mut words).unwrap();
    assert_eq!(&words, b"first words");
    assert_eq!(next(&stream), (id.as_slice().into(), Vec::new()));
    // The connection is made again, by the same name.
    drop(plain);
    assert_eq!(next(&stream), (id.as_slice().into(), Vec::new()));
    let (plain, _) = listener.accept().unwrap();
    assert_eq!(next(&stream), (id.as_slice().into(), Vec::new()));
    // Unless it is closed from here.
    stream.send_multipart([id.as_slice(), b"".as_slice()]).unwrap();
    assert_eq!(rest(&plain), b"");
    eventually("nobody is left", || stream.peer_count() == 0);
}

#[test]
fn a_connecting_stream_can_name_its_peer() {
    let context = Context::new();
    let (bound, address) = bound(&context);
    let stream: Stream = socket(&context);
    stream.set_stream_notify(false);
    stream.set_connect_routing_id("server").unwrap();
    stream.connect(&format!("tcp://{address}")).unwrap();
    stream.send_multipart(["server", "hello"]).unwrap();
    let (id, _) = next(&bound);
    assert_eq!(next(&bound), (id.clone(), b"hello".to_vec()));
    bound.send_multipart([id, "hello back".into()]).unwrap();
    assert_eq!(next(&stream), ("server".into(), b"hello back".to_vec()));
}

#[test]
fn without_notification_only_data_comes() {
    let context = Context::new();
    let stream: Stream = socket(&context);
    stream.set_stream_notify(false);
    stream.bind(&Transport::Tcp.endpoint()).unwrap();
    let address = stream.last_endpoint().trim_start_matches("tcp://").to_owned();
    let mut plain = plain(&address);
    plain.write_all(b"data").unwrap();
    assert_eq!(next(&stream).1, b"data");
    drop(plain);
    assert_silent(&stream);
}

#[test]
fn a_reader_that_does_not_read_stops_its_peer_and_loses_nothing() {
    let context = Context::new();
    let (stream, address) = bound(&context);
    stream.set_receive_hwm(2);
    let mut plain = plain(&address);
    let (id, _) = next(&stream);
    plain.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut sent = 0;
    while let Ok(count) = plain.write(&[1; 4096]) {
        sent += count;
        assert!(sent < 100_000_000, "nothing stops it");
    }
    drop(plain);
    let mut received = 0;
    loop {
        let (from, piece) = next(&stream);
        assert_eq!(from, id);
        received += piece.len();
        if piece.is_empty() {
            break;
        }
    }
    assert_eq!(received, sent);
}

#[test]
fn a_stream_has_no_peer_in_its_own_process() {
    let context = Context::new();
    let stream: Stream = socket(&context);
    for refused in [stream.bind("inproc://a"), stream.connect("inproc://a")] {
        assert!(matches!(refused, Err(Error::IncompatibleTransport { .. })));
    }
}

#[test]
fn a_raw_router_is_a_stream_that_drops() {
    let context = Context::new();
    let router: Router = socket(&context);
    router.set_router_raw(true);
    router.bind(&Transport::Tcp.endpoint()).unwrap();
    let mut plain = plain(router.last_endpoint().trim_start_matches("tcp://"));
    plain.write_all(b"hello").unwrap();
    assert_eq!(texts(&router)[1], "", "it has connected");
    let parts = router.recv_multipart().unwrap();
    assert_eq!((parts[0].len(), &*parts[1]), (5, &b"hello"[..]));
    router.send_multipart(["nobody", "lost"]).unwrap();
    router.send_multipart([parts[0].clone(), "world".into()]).unwrap();
    router.send_multipart([parts[0].clone(), Message::new()]).unwrap();
    assert_eq!(rest(&plain), b"world");
}
