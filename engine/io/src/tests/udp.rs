//! Datagram sockets.

use crate::{
    Address, Fd, MulticastInterface, UdpOptions, get_option, local_addr, recv_datagram, send_datagram,
    udp_bind, udp_bind_group, udp_open,
};
use std::{io, net::SocketAddr};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn bound_to(fd: &Fd) -> SocketAddr {
    match local_addr(fd).expect("address") {
        Address::Inet(address) => address,
        other => panic!("{other:?}"),
    }
}

#[test]
fn datagrams_keep_their_ends_and_their_sender() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let options = UdpOptions::default();
        let receiver = udp_bind(address(local), &options).expect("bind");
        let target = bound_to(&receiver);
        let sender = udp_open(target, &MulticastInterface::default(), &options).expect("open");
        let mut buffer = [0; 8];
        let nothing = recv_datagram(&receiver, &mut buffer).expect_err("nothing there");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        for datagram in [&b"one"[..], b"", b"longer than the buffer"] {
            send_datagram(&sender, datagram, target).expect("send");
            let (len, from) = recv_datagram(&receiver, &mut buffer).expect("recv");
            assert_eq!(
                (&buffer[..len], from.port()),
                (&datagram[..datagram.len().min(8)], bound_to(&sender).port())
            );
        }
        drop(udp_bind(target, &options).expect("the address can be shared"));
        let taken = std::net::UdpSocket::bind(target).expect_err("but not with those who do not");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let long = vec![0; 70_000];
        let error = send_datagram(&sender, &long, target).expect_err("too long");
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }
}

#[test]
fn options_reach_the_socket() {
    let options = UdpOptions {
        send_buffer_bytes: Some(50_000),
        receive_buffer_bytes: Some(60_000),
        tos: Some(0x10),
        priority: Some(5),
        busy_poll_us: None,
        bind_to_device: None,
        multicast_hops: Some(3),
        multicast_loop: Some(false),
    };
    let at = MulticastInterface {
        v4: Some([127, 0, 0, 1].into()),
        v6: 1,
    };
    let (ip, ipv6, socket) = (libc::IPPROTO_IP, libc::IPPROTO_IPV6, libc::SOL_SOCKET);
    let v4 = udp_open(address("239.192.0.1:5"), &at, &options).expect("open");
    let v6 = udp_open(address("[ff02::1]:5"), &at, &options).expect("open");
    for (fd, level, name, expected) in [
        (&v4, ip, libc::IP_MULTICAST_TTL, 3),
        (&v4, ip, libc::IP_MULTICAST_LOOP, 0),
        (&v4, ip, libc::IP_TOS, 0x10),
        (&v4, ip, libc::IP_MULTICAST_IF, i32::from_ne_bytes([127, 0, 0, 1])),
        (&v6, ipv6, libc::IPV6_MULTICAST_HOPS, 3),
        (&v6, ipv6, libc::IPV6_MULTICAST_LOOP, 0),
        (&v6, ipv6, libc::IPV6_MULTICAST_IF, 1),
        (&v6, ipv6, libc::IPV6_TCLASS, 0x10),
        (&v4, socket, libc::SO_PRIORITY, 5),
        // The kernel doubles what it is asked for.
        (&v4, socket, libc::SO_SNDBUF, 100_000),
        (&v4, socket, libc::SO_RCVBUF, 120_000),
    ] {
        assert_eq!(
            get_option(fd, level, name).expect("option"),
            expected,
            "{level} {name}"
        );
    }
}

#[test]
fn every_member_of_a_group_gets_what_is_sent_to_it() {
    let options = UdpOptions::default();
    let at = MulticastInterface {
        v4: Some([127, 0, 0, 1].into()),
        v6: 0,
    };
    let port = bound_to(&udp_bind(address("127.0.0.1:0"), &options).expect("bind")).port();
    let group = SocketAddr::from(([239, 192, 251, (port % 250) as u8], port));
    let members: Vec<_> = (0..2)
        .map(|_| udp_bind_group(group, &at, &options).expect("join"))
        .collect();
    let sender = udp_open(group, &at, &options).expect("open");
    send_datagram(&sender, b"all", group).expect("send");
    for member in &members {
        let mut buffer = [0; 8];
        assert_eq!(recv_datagram(member, &mut buffer).expect("recv").0, 3);
    }
}
