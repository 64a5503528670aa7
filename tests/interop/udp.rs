//! Datagrams between the engines.

use std::time::{Duration, Instant};

use ringmq_stock::constants::{option, socket_type};
use ringmq_tests::watchdog::within;

use crate::peer::{PATIENCE, ring_context};

const LIMIT: Duration = Duration::from_secs(300);

/// Lengths that libzmq can receive: it reads 8192 bytes with the group in front.
const LENGTHS: [usize; 5] = [0, 1, 255, 1400, 8000];

fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn stock(kind: i32) -> ringmq_stock::Socket {
    ringmq_stock::Context::new().socket(kind).unwrap()
}

fn group_message(group: &str, body: &[u8]) -> ringmq_stock::Message {
    let mut message = ringmq_stock::Message::from_bytes(body).unwrap();
    message.set_group(group).unwrap();
    message
}

/// Endpoints of one host and of a group, by the same interface on both sides.
fn endpoints() -> [String; 2] {
    [
        format!("udp://127.0.0.1:{}", free_port()),
        format!("udp://127.0.0.1;239.192.250.1:{}", free_port()),
    ]
}

#[test]
fn our_radio_reaches_a_stock_dish() {
    within(LIMIT, || {
        for endpoint in endpoints() {
            let dish = stock(socket_type::DISH);
            dish.bind(&endpoint).unwrap();
            dish.join("tv").unwrap();
            let radio = ringmq::Radio::new(&ring_context()).unwrap();
            radio.connect(&endpoint).unwrap();
            // It binds in the background.
            let deadline = Instant::now() + PATIENCE;
            while {
                radio.send_to_group("tv", "anybody there?").unwrap();
                !dish.poll_in(10).unwrap()
            } {
                assert!(Instant::now() < deadline, "the dish does not listen");
            }
            radio.send_to_group("tv", "over").unwrap();
            while dish.recv(0).unwrap() != b"over" {}
            for len in LENGTHS {
                radio.send_to_group("radio", "not this").unwrap();
                radio.send_to_group("tv", vec![5; len]).unwrap();
                let mut message = ringmq_stock::Message::new();
                dish.msg_recv(&mut message, 0).unwrap();
                assert_eq!(
                    (message.group(), message.as_slice()),
                    ("tv".to_owned(), &*vec![5; len])
                );
            }
        }
    });
}

#[test]
fn a_stock_radio_reaches_our_dish() {
    within(LIMIT, || {
        for endpoint in endpoints() {
            let dish = ringmq::Dish::new(&ring_context()).unwrap();
            dish.set_receive_timeout(Some(PATIENCE));
            dish.join("tv").unwrap();
            dish.bind(&endpoint).unwrap();
            let radio = stock(socket_type::RADIO);
            radio.connect(&endpoint).unwrap();
            for len in LENGTHS {
                radio
                    .msg_send(&mut group_message("radio", b"not this"), 0)
                    .unwrap();
                radio
                    .msg_send(&mut group_message("tv", &vec![6; len]), 0)
                    .unwrap();
                let message = dish.recv().unwrap();
                assert_eq!((message.group(), &*message), (&b"tv"[..], &*vec![6; len]));
            }
        }
    });
}

#[test]
fn dgrams_ask_and_answer_with_the_same_frames() {
    within(LIMIT, || {
        let [ours, theirs] = [free_port(), free_port()];
        let dgram = ringmq::Dgram::new(&ring_context()).unwrap();
        dgram.set_receive_timeout(Some(PATIENCE));
        dgram.bind(&format!("udp://127.0.0.1:{ours}")).unwrap();
        let peer = stock(socket_type::DGRAM);
        peer.bind(&format!("udp://127.0.0.1:{theirs}")).unwrap();
        assert_eq!(peer.get_int(option::TYPE).unwrap(), socket_type::DGRAM);
        for len in LENGTHS {
            let address = format!("127.0.0.1:{ours}");
            peer.send_multipart(&[address.as_bytes(), &vec![8; len]], 0)
                .unwrap();
            let parts = dgram.recv_multipart().unwrap();
            // With the zero byte that libzmq puts there.
            assert_eq!(*parts[0], *format!("127.0.0.1:{theirs}\0").as_bytes());
            dgram.send_multipart(parts).unwrap();
            let answer = peer.recv_multipart(0).unwrap();
            assert_eq!(answer, [format!("127.0.0.1:{ours}\0").into_bytes(), vec![8; len]]);
        }
    });
}
