//! RADIO and DISH (RFC 48) and DGRAM over datagrams.

use std::net::{SocketAddr, UdpSocket};

use ringmq::monitor::{DropCause, Event};
use ringmq::{Context, Dgram, Dish, EndpointFault, Error, Message, Push, Radio};

use crate::{MOMENT, PATIENCE, assert_silent, eventually, inspect, receiver, sender, socket};

/// Groups of the documentation's range, one per test, for whoever else runs tests on this machine.
fn group(last: u8) -> String {
    format!("239.192.{}.{last}", std::process::id() % 250)
}

/// A plain socket that gives up in time.
fn plain() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn address(endpoint: &str) -> SocketAddr {
    endpoint.strip_prefix("udp://").unwrap().parse().unwrap()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    plain().local_addr().unwrap().port()
}

fn hear(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 70_000];
    let len = socket.recv(&mut buffer).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn a_dish_receives_what_is_sent_to_groups_that_it_has_joined() {
    let context = Context::new();
    let dish: Dish = receiver(&context);
    dish.join("tv").unwrap();
    dish.bind("udp://127.0.0.1:*").unwrap();
    let radio: Radio = sender(&context);
    radio.connect(&dish.last_endpoint()).unwrap();
    for len in [0, 1, 100, 8000, 60_000] {
        radio.send_to_group("radio", "not this").unwrap();
        radio.send_to_group("tv", vec![7; len]).unwrap();
        let message = dish.recv().unwrap();
        assert_eq!((message.group(), &*message), (&b"tv"[..], &*vec![7; len]));
        assert!(!message.more());
    }
    dish.leave("tv").unwrap();
    radio.send_to_group("tv", "too late").unwrap();
    assert_silent(&dish);
}

#[test]
fn a_datagram_is_a_length_a_group_and_a_body() {
    let context = Context::new();
    let plain = plain();
    let radio: Radio = sender(&context);
    radio
        .connect(&format!("udp://{}", plain.local_addr().unwrap()))
        .unwrap();
    radio.send_to_group("tv", "news").unwrap();
    assert_eq!(hear(&plain), b"\x02tvnews");
    radio.send_to_group("", "").unwrap();
    assert_eq!(hear(&plain), b"\0");
    let long = [b'g'; 255];
    radio.send_to_group(long, "x").unwrap();
    assert_eq!(hear(&plain), [&[255][..], &long, b"x"].concat());

    let dish: Dish = receiver(&context);
    dish.join(long).unwrap();
    dish.bind("udp://127.0.0.1:*").unwrap();
    let to = address(&dish.last_endpoint());
    // What is shorter than it says is nothing, and stops nothing.
    for malformed in [&b""[..], b"\x01", b"\xFFshort"] {
        plain.send_to(malformed, to).unwrap();
    }
    plain.send_to(&[&[255][..], &long, b"x"].concat(), to).unwrap();
    let message = dish.recv().unwrap();
    assert_eq!((message.group(), &*message), (&long[..], &b"x"[..]));
}

#[test]
fn a_group_reaches_all_its_members_by_the_interface() {
    let context = Context::new();
    let endpoint = format!("udp://127.0.0.1;{}:{}", group(1), free_port());
    let dishes: [Dish; 3] = std::array::from_fn(|_| {
        let dish = receiver(&context);
        Dish::join(&dish, "tv").unwrap();
        dish.bind(&endpoint).unwrap();
        assert_eq!(dish.last_endpoint(), endpoint);
        dish
    });
    let radio: Radio = sender(&context);
    radio.connect(&endpoint).unwrap();
    radio.send_to_group("tv", "news").unwrap();
    for dish in &dishes {
        assert_eq!(&*dish.recv().unwrap(), b"news");
    }
    dishes[0].unbind(&endpoint).unwrap();
    radio.send_to_group("tv", "more").unwrap();
    assert_eq!(&*dishes[1].recv().unwrap(), b"more");
    assert_silent(&dishes[0]);
}

#[test]
fn a_dish_of_one_group_address_does_not_hear_another() {
    let context = Context::new();
    let port = free_port();
    let [one, other] = [2, 3].map(|last| format!("udp://127.0.0.1;{}:{port}", group(last)));
    let dish: Dish = receiver(&context);
    dish.join("tv").unwrap();
    dish.bind(&one).unwrap();
    let radio: Radio = sender(&context);
    radio.connect(&other).unwrap();
    radio.send_to_group("tv", "elsewhere").unwrap();
    assert_silent(&dish);
    radio.connect(&one).unwrap();
    radio.send_to_group("tv", "here").unwrap();
    assert_eq!(&*dish.recv().unwrap(), b"here");
}

/// A member of a group that sees who sends to it.
fn member(group: &str) -> UdpSocket {
    let socket = UdpSocket::bind(format!("{group}:0")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .join_multicast_v4(&group.parse().unwrap(), &[127, 0, 0, 1].into())
        .unwrap();
    socket
}

/// What the kernel says of the socket with which a RADIO sends to a group.
fn option_of_radio(last: u8, set: impl Fn(&Radio), option: i32) -> i32 {
    let context = Context::new();
    let member = member(&group(last));
    let radio: Radio = sender(&context);
    set(&radio);
    let port = member.local_addr().unwrap().port();
    radio
        .connect(&format!("udp://127.0.0.1;{}:{port}", group(last)))
        .unwrap();
    radio.send_to_group("tv", "here").unwrap();
    let (_, from) = member.recv_from(&mut [0; 100]).unwrap();
    ringmq_io::get_option(&inspect::udp_socket(from.port()), libc::IPPROTO_IP, option).unwrap()
}

#[test]
pub(crate) fn multicast_loop_decides_whether_this_machine_hears_it() {
    for on in [true, false] {
        let found = option_of_radio(4, |radio| radio.set_multicast_loop(on), libc::IP_MULTICAST_LOOP);
        assert_eq!(found, i32::from(on));
    }
}

#[test]
pub(crate) fn multicast_hops_say_how_far_a_datagram_goes() {
    for hops in [1, 7] {
        let found = option_of_radio(5, |radio| radio.set_multicast_hops(hops), libc::IP_MULTICAST_TTL);
        assert_eq!(found, hops as i32);
    }
    let radio = Radio::new(&Context::new()).unwrap();
    assert_eq!((radio.multicast_hops(), radio.multicast_loop()), (1, true));
}

#[test]
fn a_radio_serves_datagrams_and_connections_at_once() {
    let context = Context::new();
    let radio: Radio = sender(&context);
    radio.bind("tcp://127.0.0.1:*").unwrap();
    let (near, far): (Dish, Dish) = (receiver(&context), receiver(&context));
    far.join("tv").unwrap();
    far.connect(&radio.last_endpoint()).unwrap();
    near.join("tv").unwrap();
    near.bind("udp://127.0.0.1:*").unwrap();
    radio.connect(&near.last_endpoint()).unwrap();
    eventually("both hear it", || {
        radio.send_to_group("tv", "news").unwrap();
        near.try_recv().is_ok() && far.recv_within(MOMENT).is_ok()
    });
}

#[test]
fn dgrams_answer_whoever_asks() {
    let context = Context::new();
    let server: Dgram = socket(&context);
    server.bind("udp://*:*").unwrap();
    let port = server
        .last_endpoint()
        .rsplit_once(':')
        .unwrap()
        .1
        .parse::<u16>()
        .unwrap();
    assert_eq!(server.last_endpoint(), format!("udp://*:{port}"));
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let client: Dgram = socket(&context);
    client.bind("udp://127.0.0.1:*").unwrap();
    for len in [0, 1, 100, 8000, 60_000] {
        client.send_datagram(to, vec![3; len]).unwrap();
        let (from, body) = server.recv_datagram().unwrap();
        assert_eq!(from, address(&client.last_endpoint()));
        server.send_datagram(from, body).unwrap();
        let (from, body) = client.recv_datagram().unwrap();
        assert_eq!((from, &*body), (to, &*vec![3; len]));
    }
    // An address that was received can be sent as it is.
    let plain = plain();
    plain.send_to(b"plain", to).unwrap();
    let parts = server.recv_multipart().unwrap();
    let name = format!("{}\0", plain.local_addr().unwrap());
    assert_eq!(
        (parts.len(), &*parts[0], &*parts[1]),
        (2, name.as_bytes(), &b"plain"[..])
    );
    server.send_multipart(parts).unwrap();
    assert_eq!(hear(&plain), b"plain");
}

#[test]
fn dgrams_over_ipv6_talk_to_both_families() {
    let context = Context::new();
    let server: Dgram = socket(&context);
    server.set_ipv6(true);
    server.bind("udp://*:*").unwrap();
    let port = server
        .last_endpoint()
        .rsplit_once(':')
        .unwrap()
        .1
        .parse::<u16>()
        .unwrap();
    for local in ["127.0.0.1", "::1"] {
        let plain = UdpSocket::bind((local, 0)).unwrap();
        plain.set_read_timeout(Some(PATIENCE)).unwrap();
        plain.send_to(b"who?", (local, port)).unwrap();
        let (from, _) = server.recv_datagram().unwrap();
        assert_eq!(from, plain.local_addr().unwrap());
        server.send_datagram(from, "you").unwrap();
        assert_eq!(hear(&plain), b"you");
    }
}

#[test]
fn a_dgram_wants_an_address_and_a_body() {
    let context = Context::new();
    let dgram: Dgram = socket(&context);
    let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let failed = dgram.send_datagram(to, "not bound").unwrap_err();
    assert!(matches!(failed.error, Error::HostUnreachable));
    assert_eq!(&*failed.message, b"not bound");
    dgram.bind("udp://127.0.0.1:*").unwrap();
    let shape = |parts: &[&str]| dgram.send_multipart(parts.iter().copied()).unwrap_err().error;
    assert!(matches!(shape(&["127.0.0.1:9"]), Error::InvalidArgument { .. }));
    for wrong in ["localhost:9", "", "127.0.0.1", "127.0.0.1:0"] {
        assert!(matches!(shape(&[wrong, "x"]), Error::HostUnreachable), "{wrong}");
    }
    let mut part = Message::from("127.0.0.1:9");
    part.set_more(true);
    dgram.send_part(part).unwrap();
    let mut second = Message::from("body");
    second.set_more(true);
    let failed = dgram.send_part(second).unwrap_err();
    assert!(matches!(failed.error, Error::InvalidArgument { .. }));
    dgram.send("body").unwrap();
    // There is one endpoint at a time.
    let second = dgram.bind("udp://127.0.0.1:*");
    assert!(matches!(second, Err(Error::InvalidArgument { .. })), "{second:?}");
    // And it is the one that is told.
    dgram.unbind(&dgram.last_endpoint()).unwrap();
}

#[test]
fn the_dgrams_address_is_free_again_after_unbind() {
    let context = Context::new();
    let dgram: Dgram = socket(&context);
    dgram.bind("udp://127.0.0.1:*").unwrap();
    let endpoint = dgram.last_endpoint();
    // A plain socket shares its address with nobody.
    let in_use = UdpSocket::bind(address(&endpoint)).unwrap_err();
    assert_eq!(in_use.kind(), std::io::ErrorKind::AddrInUse);
    let other: Dgram = socket(&context);
    dgram.unbind(&endpoint).unwrap();
    let plain = UdpSocket::bind(address(&endpoint)).unwrap();
    assert!(matches!(other.bind(&endpoint), Err(Error::AddressInUse { .. })));
    drop(plain);
    other.bind(&endpoint).unwrap();
    dgram.bind("udp://127.0.0.1:*").unwrap();
}

/// As libzmq's: several on one machine hear what is broadcast to a port.
#[test]
fn an_address_can_be_shared() {
    let context = Context::new();
    let dishes: [Dish; 3] = std::array::from_fn(|_| receiver(&context));
    dishes[0].join("all").unwrap();
    dishes[0].bind("udp://127.0.0.1:*").unwrap();
    let endpoint = dishes[0].last_endpoint();
    for dish in &dishes[1..] {
        dish.join("all").unwrap();
        dish.bind(&endpoint).unwrap();
    }
    let radio: Radio = sender(&context);
    radio.connect(&endpoint).unwrap();
    radio.send_to_group("all", "to one host").unwrap();
    assert_eq!(
        &*dishes[2].recv().unwrap(),
        b"to one host",
        "the one that came last has it"
    );
    assert_silent(&dishes[0]);
}

#[test]
fn other_types_and_directions_are_refused() {
    let context = Context::new();
    let wrong = |outcome: Result<(), Error>| {
        assert!(
            matches!(outcome, Err(Error::IncompatibleTransport { .. })),
            "{outcome:?}"
        );
    };
    let push: Push = sender(&context);
    wrong(push.bind("udp://127.0.0.1:*"));
    wrong(push.connect("udp://127.0.0.1:9"));
    wrong(Radio::new(&context).unwrap().bind("udp://127.0.0.1:*"));
    wrong(Dish::new(&context).unwrap().connect("udp://127.0.0.1:9"));
    let dgram: Dgram = socket(&context);
    wrong(dgram.connect("udp://127.0.0.1:9"));
    for stream in ["tcp://127.0.0.1:*", "ipc://@x", "inproc://x"] {
        wrong(dgram.bind(stream));
    }
    let radio: Radio = sender(&context);
    let fault = |endpoint: &str| match radio.connect(endpoint) {
        Err(Error::InvalidEndpoint { why, .. }) => why,
        other => panic!("{endpoint}: {other:?}"),
    };
    assert_eq!(fault("udp://127.0.0.1:*"), EndpointFault::WildcardPort);
    assert_eq!(fault("udp://*:1"), EndpointFault::WildcardHost);
    assert_eq!(
        fault("udp://127.0.0.1;10.0.0.1:1"),
        EndpointFault::InterfaceWithoutGroup
    );
    let gone = radio.connect("udp://nowhere0;239.1.1.1:5");
    assert!(matches!(gone, Err(Error::NoDevice { .. })), "{gone:?}");
}

#[test]
fn what_the_system_does_not_take_is_told() {
    let context = Context::new();
    let plain = plain();
    let radio: Radio = sender(&context);
    let monitor = radio.monitor();
    radio
        .connect(&format!("udp://{}", plain.local_addr().unwrap()))
        .unwrap();
    radio.send_to_group("tv", vec![0; 70_000]).unwrap();
    let record = monitor.recv_timeout(Some(PATIENCE)).unwrap();
    let cause = DropCause::NotTaken;
    assert_eq!(record.event, Event::Dropped { cause, count: 1 });
    radio.send_to_group("tv", "fits").unwrap();
    assert_eq!(hear(&plain), b"\x02tvfits");
}

#[test]
fn a_reader_that_does_not_read_keeps_its_high_water_mark() {
    let context = Context::new();
    let dgram: Dgram = socket(&context);
    dgram.set_receive_hwm(10);
    dgram.bind("udp://127.0.0.1:*").unwrap();
    let (plain, to) = (plain(), address(&dgram.last_endpoint()));
    for number in 0..100_u32 {
        plain.send_to(&number.to_be_bytes(), to).unwrap();
    }
    // The kernel keeps what we do not take, and all of it is in order.
    for number in 0..100_u32 {
        let (_, body) = dgram.recv_datagram().unwrap();
        assert_eq!(*body, number.to_be_bytes());
    }
    assert_silent(&dgram);
}
