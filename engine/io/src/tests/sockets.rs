//! Direct calls and sockets.

use super::fixture::*;
use crate::{
    Address, Fd, PollFd, TcpOptions, accept, apply_stream_options, local_addr, peer_addr, recv_now, send_now,
    shutdown_both, shutdown_write, sys, take_error, tcp_connect_start, tcp_listen, unread_bytes, wait_fds,
};
use std::{io, net::SocketAddr, time::Duration};

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// Where a TCP socket is bound.
fn bound_to(fd: &Fd) -> SocketAddr {
    match local_addr(fd).expect("address") {
        Address::Inet(address) => address,
        other => panic!("{other:?}"),
    }
}

fn wait_for(fd: &Fd, writable: bool) {
    let mut fds = [PollFd::new(fd, !writable, writable)];
    assert_eq!(wait_fds(&mut fds, Some(PATIENCE)).expect("ppoll"), 1);
}

fn connected(address: SocketAddr, options: &TcpOptions) -> (Fd, Fd) {
    let listener = tcp_listen(address, options, 16).expect("listen");
    let bound = bound_to(&listener);
    let (client, done) = tcp_connect_start(bound, options, None).expect("connect");
    if !done {
        wait_for(&client, true);
    }
    take_error(&client).expect("connected");
    wait_for(&listener, false);
    let (server, from) = accept(&listener).expect("accept");
    assert_eq!(from, local_addr(&client).expect("address"));
    assert_eq!(peer_addr(&client).expect("address"), bound.into());
    apply_stream_options(&server, options).expect("options");
    (client, server)
}

#[test]
fn a_connection_is_made_used_and_ended() {
    for address in [loopback(), "[::1]:0".parse().expect("an address")] {
        let (client, server) = connected(address, &TcpOptions::default());
        let mut room = Room::new(100);
        let nothing = recv_now(&server, &mut room).expect_err("nothing there");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        let parts = [Bytes::new(*b"hello "), Bytes::new([]), Bytes::new(*b"world")];
        assert_eq!(send_now(&client, &parts).expect("send"), 11);
        wait_for(&server, false);
        assert_eq!(unread_bytes(&server).expect("count"), 11);
        assert_eq!(recv_now(&server, &mut room).expect("recv"), 11);
        assert_eq!(room.filled(), b"hello world");
        shutdown_write(&client).expect("shutdown");
        wait_for(&server, false);
        assert_eq!(recv_now(&server, &mut room).expect("the end"), 0);
        shutdown_both(&server).expect("shutdown");
        let error = send_now(&server, &[Bytes::new(*b"x")]).expect_err("shut down");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn options_reach_the_socket() {
    let options = TcpOptions {
        send_buffer_bytes: Some(50_000),
        receive_buffer_bytes: Some(60_000),
        keepalive: Some(true),
        keepalive_idle_s: Some(11),
        keepalive_interval_s: Some(12),
        keepalive_count: Some(3),
        user_timeout_ms: Some(4000),
        tos: Some(0x10),
        priority: Some(5),
        bind_to_device: None,
        busy_poll_us: None,
        ipv6: false,
    };
    for address in [loopback(), "[::1]:0".parse().expect("an address")] {
        let (client, server) = connected(address, &options);
        let (socket, tcp) = (libc::SOL_SOCKET, libc::IPPROTO_TCP);
        for fd in [&client, &server] {
            for (level, name, value) in [
                // The kernel doubles buffer sizes for its own bookkeeping.
                (socket, libc::SO_SNDBUF, 100_000),
                (socket, libc::SO_RCVBUF, 120_000),
                (socket, libc::SO_KEEPALIVE, 1),
                (socket, libc::SO_PRIORITY, 5),
                (tcp, libc::TCP_KEEPIDLE, 11),
                (tcp, libc::TCP_KEEPINTVL, 12),
                (tcp, libc::TCP_KEEPCNT, 3),
                (tcp, libc::TCP_USER_TIMEOUT, 4000),
                (tcp, libc::TCP_NODELAY, 1),
                (libc::IPPROTO_IP, libc::IP_TOS, 0x10),
            ] {
                let is = sys::get_option(fd, level, name).expect("option");
                assert_eq!(is, value, "option {level}/{name}");
            }
        }
        if address.is_ipv6() {
            let class = sys::get_option(&client, libc::IPPROTO_IPV6, libc::IPV6_TCLASS);
            assert_eq!(class.expect("option"), 0x10);
        }
    }
}

#[test]
fn an_option_that_is_refused_is_an_error() {
    let options = TcpOptions {
        bind_to_device: Some("no-such-device".into()),
        ..TcpOptions::default()
    };
    assert!(tcp_listen(loopback(), &options, 1).is_err());
    let options = TcpOptions {
        keepalive: Some(true),
        keepalive_count: Some(100_000),
        ..TcpOptions::default()
    };
    assert!(tcp_connect_start(loopback(), &options, None).is_err());
}

#[test]
fn a_device_can_be_bound_to() {
    let options = TcpOptions {
        bind_to_device: Some("lo".into()),
        ..TcpOptions::default()
    };
    connected(loopback(), &options);
}

#[test]
fn a_refused_connection_tells_so() {
    let listener = tcp_listen(loopback(), &TcpOptions::default(), 1).expect("listen");
    let bound = bound_to(&listener);
    drop(listener);
    let error = match tcp_connect_start(bound, &TcpOptions::default(), None) {
        Ok((fd, _)) => {
            wait_for(&fd, true);
            take_error(&fd).expect_err("nobody listens")
        }
        Err(error) => error,
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_source_address_is_used() {
    let options = TcpOptions::default();
    let listener = tcp_listen(loopback(), &options, 1).expect("listen");
    let bound = bound_to(&listener);
    let source: SocketAddr = "127.0.0.2:0".parse().expect("an address");
    let (client, _) = tcp_connect_start(bound, &options, Some(source)).expect("connect");
    wait_for(&client, true);
    let (_, from) = accept(&listener).expect("accept");
    let Address::Inet(from) = from else {
        panic!("{from:?}")
    };
    assert_eq!(from.ip(), source.ip());
    assert_ne!(from.port(), 0);
}

#[test]
fn an_ipv6_listener_takes_ipv4_if_asked_to() {
    for both in [true, false] {
        let options = TcpOptions {
            ipv6: both,
            ..TcpOptions::default()
        };
        let any = "[::]:0".parse().expect("an address");
        let listener = tcp_listen(any, &options, 1).expect("listen");
        let port = bound_to(&listener).port();
        let v4 = SocketAddr::from(([127, 0, 0, 1], port));
        let outcome = tcp_connect_start(v4, &options, None).and_then(|(fd, _)| {
            wait_for(&fd, true);
            take_error(&fd)
        });
        assert_eq!(outcome.is_ok(), both);
    }
}

#[test]
fn an_empty_listener_has_nobody_to_accept() {
    let listener = tcp_listen(loopback(), &TcpOptions::default(), 1).expect("listen");
    let error = accept(&listener).expect_err("nobody");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_taken_address_is_in_use() {
    let listener = tcp_listen(loopback(), &TcpOptions::default(), 1).expect("listen");
    let bound = bound_to(&listener);
    let error = tcp_listen(bound, &TcpOptions::default(), 1).expect_err("taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn a_direct_send_takes_what_fits_and_no_more() {
    let (ours, mut theirs) = unix_pair();
    let all = pattern(8 << 20);
    let batch: Vec<_> = all.chunks(1000).map(Bytes::new).collect();
    let count = send_now(&ours, &batch).expect("send");
    assert!(count > 0 && count < all.len());
    let error = send_now(&ours, &batch).expect_err("full");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert!(got == all[..count]);
}

#[test]
fn a_direct_send_of_more_slices_than_one_call_takes() {
    let (ours, mut theirs) = unix_pair();
    let all = pattern(3000);
    let batch: Vec<_> = all.iter().map(|&byte| Bytes::new([byte])).collect();
    assert_eq!(send_now(&ours, &batch).expect("send"), 3000);
    assert_eq!(send_now::<Bytes>(&ours, &[]).expect("nothing"), 0);
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert!(got == all);
}

#[test]
fn waiting_for_descriptors_tells_which_and_times_out() {
    let (ours, theirs) = unix_pair();
    let (other, _their_other) = unix_pair();
    let mut fds = [PollFd::new(&*ours, true, false), PollFd::new(&*other, true, true)];
    assert_eq!(wait_fds(&mut fds, None).expect("ppoll"), 1);
    assert!(!fds[0].is_readable() && fds[1].is_writable() && !fds[1].is_readable());
    let mut fds = [PollFd::new(&*ours, true, false)];
    assert_eq!(wait_fds(&mut fds, Some(Duration::ZERO)).expect("ppoll"), 0);
    drop(theirs);
    assert_eq!(wait_fds(&mut fds, Some(PATIENCE)).expect("ppoll"), 1);
    assert!(fds[0].is_readable() && fds[0].is_broken());
}

#[test]
fn the_coarse_wait_of_old_kernels_works_and_rounds_up() {
    let epoll = sys::epoll_create().expect("epoll");
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
    let start = std::time::Instant::now();
    let timeout = Duration::from_micros(1200);
    let count = sys::epoll_wait_coarse(&epoll, &mut events, Some(timeout)).expect("epoll");
    assert_eq!(count, 0);
    assert!(start.elapsed() >= timeout);
}
