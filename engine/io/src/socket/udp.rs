//! UDP sockets: made, configured, and used without blocking.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::{RawAddress, borrow_datagrams, set_some};
use crate::{fd::Fd, sys};

/// What UDP sockets are configured with; `None` leaves the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UdpOptions {
    /// Size of the kernel's send buffer in bytes.
    pub send_buffer_bytes: Option<i32>,
    /// Size of the kernel's receive buffer in bytes: what does not fit is lost.
    pub receive_buffer_bytes: Option<i32>,
    /// Type of service (IPv4) and traffic class (IPv6) of outgoing packets.
    pub tos: Option<i32>,
    /// Priority of outgoing packets in the queues of this machine; above 6 this takes a privilege.
    pub priority: Option<i32>,
    /// How long, in microseconds, the kernel may poll the device on a read; raising it takes a privilege.
    pub busy_poll_us: Option<i32>,
    /// The one network device to use; this takes a privilege on older kernels.
    pub bind_to_device: Option<String>,
    /// Routers that a packet to a group may pass, plus one.
    pub multicast_hops: Option<i32>,
    /// Whether members of a group on this machine see what is sent to it from here.
    pub multicast_loop: Option<bool>,
}

/// By which interface packets to and from a group go. Each family has its own way to name one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MulticastInterface {
    /// An address of the interface; unspecified leaves the choice to the system.
    pub v4: Option<Ipv4Addr>,
    /// The number of the interface; 0 leaves the choice to the system.
    pub v6: u32,
}

/// A socket that is not bound, for sending to `target`; `interface` counts if that is a group.
///
/// # Errors
///
/// The socket cannot be made (`EAFNOSUPPORT` without IPv6) or configured.
pub fn udp_open(target: SocketAddr, interface: &MulticastInterface, options: &UdpOptions) -> io::Result<Fd> {
    let fd = udp_socket(target, options)?;
    if !target.ip().is_multicast() {
        return Ok(fd);
    }
    let on = options.multicast_loop.map(i32::from);
    if target.is_ipv4() {
        let level = libc::IPPROTO_IP;
        set_some(&fd, level, libc::IP_MULTICAST_LOOP, on)?;
        set_some(&fd, level, libc::IP_MULTICAST_TTL, options.multicast_hops)?;
        let address = interface.v4.filter(|address| !address.is_unspecified());
        // The kernel reads an `in_addr`, which is four bytes in the order of the network.
        let address = address.map(|address| i32::from_ne_bytes(address.octets()));
        set_some(&fd, level, libc::IP_MULTICAST_IF, address)?;
    } else {
        let level = libc::IPPROTO_IPV6;
        set_some(&fd, level, libc::IPV6_MULTICAST_LOOP, on)?;
        set_some(&fd, level, libc::IPV6_MULTICAST_HOPS, options.multicast_hops)?;
        let index = (interface.v6 != 0).then(|| interface.v6.cast_signed());
        set_some(&fd, level, libc::IPV6_MULTICAST_IF, index)?;
    }
    Ok(fd)
}

/// A socket that receives what is sent to `address`, and that can send. Others may share the address if they allow that, too,
/// as libzmq's do: a broadcast goes to all of them, and what is sent to one host to the one that was bound last.
///
/// # Errors
///
/// The socket cannot be made, configured, or bound (`AddrInUse`, `AddrNotAvailable`, `PermissionDenied`).
pub fn udp_bind(address: SocketAddr, options: &UdpOptions) -> io::Result<Fd> {
    let fd = udp_socket(address, options)?;
    let share = || sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
    // A port of the kernel's choice shall be one that nobody has, so that it is shared only from then on.
    let chosen = address.port() != 0;
    if chosen {
        share()?;
    }
    sys::bind(&fd, &RawAddress::from(address))?;
    if !chosen {
        share()?;
    }
    Ok(fd)
}

/// A socket that receives what is sent to a group. Any number of sockets may do so, in any number of processes.
///
/// # Errors
///
/// As [`udp_bind`], and `NoDevice` or `AddrNotAvailable` for an interface that cannot have groups.
pub fn udp_bind_group(
    group: SocketAddr,
    interface: &MulticastInterface,
    options: &UdpOptions,
) -> io::Result<Fd> {
    let fd = udp_socket(group, options)?;
    sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    // Every member gets every packet, but only if all of them share the port in both ways.
    sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    // The group itself: a socket of any address would take what is sent to other groups, and to no group.
    sys::bind(&fd, &RawAddress::from(group))?;
    match group.ip() {
        IpAddr::V4(ip) => {
            let at = interface.v4.unwrap_or(Ipv4Addr::UNSPECIFIED);
            borrow_datagrams(&fd).join_multicast_v4(&ip, &at)?;
        }
        IpAddr::V6(ip) => borrow_datagrams(&fd).join_multicast_v6(&ip, interface.v6)?,
    }
    Ok(fd)
}

/// Sends one datagram.
///
/// # Errors
///
/// `WouldBlock` if the socket has no room now; otherwise it will never be sent: it is too long, or the network cannot be
/// reached. `Interrupted` is not reported.
pub fn send_datagram(fd: &Fd, datagram: &[u8], target: SocketAddr) -> io::Result<()> {
    loop {
        match borrow_datagrams(fd).send_to(datagram, target) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one datagram into the front of `buffer`: its length and who sent it. What does not fit is cut off.
///
/// # Errors
///
/// `WouldBlock` if there is none; what else is reported says nothing about the next one. `Interrupted` is not reported.
pub fn recv_datagram(fd: &Fd, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    loop {
        match borrow_datagrams(fd).recv_from(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A non-blocking UDP socket of the family of `address`. One of IPv6 takes IPv4 as well when it is bound to any address.
fn udp_socket(address: SocketAddr, options: &UdpOptions) -> io::Result<Fd> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    let fd = Fd::from(sys::datagram_socket(family)?);
    if let Some(device) = &options.bind_to_device {
        sys::bind_to_device(&fd, device)?;
    }
    let socket = libc::SOL_SOCKET;
    set_some(&fd, socket, libc::SO_SNDBUF, options.send_buffer_bytes)?;
    set_some(&fd, socket, libc::SO_RCVBUF, options.receive_buffer_bytes)?;
    set_some(&fd, socket, libc::SO_BUSY_POLL, options.busy_poll_us)?;
    if address.is_ipv6() {
        let only = i32::from(address.ip() != Ipv6Addr::UNSPECIFIED);
        sys::set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only)?;
        set_some(&fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, options.tos)?;
    }
    set_some(&fd, libc::IPPROTO_IP, libc::IP_TOS, options.tos)?;
    // Last, because a type of service sets a priority of its own.
    set_some(&fd, socket, libc::SO_PRIORITY, options.priority)?;
    Ok(fd)
}
