//! TCP sockets: made and configured.

use std::{io, net::SocketAddr};

use super::{RawAddress, set_some, start_connect};
use crate::{fd::Fd, sys};

/// What TCP sockets are configured with; `None` leaves the system's default. `TCP_NODELAY` is always set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Size of the kernel's send buffer in bytes; setting it turns the kernel's own tuning off.
    pub send_buffer_bytes: Option<i32>,
    /// Size of the kernel's receive buffer in bytes; setting it turns the kernel's own tuning off.
    pub receive_buffer_bytes: Option<i32>,
    /// Whether idle connections are probed.
    pub keepalive: Option<bool>,
    /// Idle seconds before the first probe; only with `keepalive`.
    pub keepalive_idle_s: Option<i32>,
    /// Seconds between probes; only with `keepalive`.
    pub keepalive_interval_s: Option<i32>,
    /// Unanswered probes that end a connection; only with `keepalive`.
    pub keepalive_count: Option<i32>,
    /// How long sent data may stay unacknowledged, in milliseconds.
    pub user_timeout_ms: Option<u32>,
    /// Type of service (IPv4) and traffic class (IPv6) of outgoing packets.
    pub tos: Option<i32>,
    /// Priority of outgoing packets in the queues of this machine; above 6 this takes a privilege.
    pub priority: Option<i32>,
    /// The one network device to use; this takes a privilege on older kernels.
    pub bind_to_device: Option<String>,
    /// How long, in microseconds, the kernel may poll the device on a read; raising it takes a privilege.
    pub busy_poll_us: Option<i32>,
    /// Whether an IPv6 listener also takes IPv4 connections.
    pub ipv6: bool,
}

/// Begins to connect to `address`, from `source` if given. Does not block: if the second value is false, poll the socket
/// for writability and then ask [`take_error`](super::take_error) how it went. Stream options are already applied.
///
/// # Errors
///
/// The socket cannot be made (`EAFNOSUPPORT` without IPv6), configured or bound, or the connection is refused at once.
pub fn tcp_connect_start(
    address: SocketAddr,
    options: &TcpOptions,
    source: Option<SocketAddr>,
) -> io::Result<(Fd, bool)> {
    let fd = tcp_socket(address, options)?;
    apply_stream_options(&fd, options)?;
    if let Some(source) = source {
        // One local port may serve for connections to several peers.
        sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        if source.port() == 0 {
            // The kernel may then choose the port when it knows the peer, and has more of them. A kernel that does not
            // know the option chooses it now.
            let _ = sys::set_option(&fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
        }
        sys::bind(&fd, &RawAddress::from(source))?;
    }
    start_connect(fd, &RawAddress::from(address))
}

/// Listens on `address` with `SO_REUSEADDR`; an IPv6 socket takes IPv4 connections as well if `options.ipv6`. Buffer
/// sizes are inherited by the accepted sockets, the other stream options are not all: see [`apply_stream_options`].
///
/// # Errors
///
/// The socket cannot be made (`EAFNOSUPPORT` without IPv6), configured, or bound (`AddrInUse`, `AddrNotAvailable`,
/// `PermissionDenied`).
pub fn tcp_listen(address: SocketAddr, options: &TcpOptions, backlog: i32) -> io::Result<Fd> {
    let fd = tcp_socket(address, options)?;
    sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if address.is_ipv6() {
        let only = i32::from(!options.ipv6);
        sys::set_option(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only)?;
    }
    sys::bind(&fd, &RawAddress::from(address))?;
    sys::listen(&fd, backlog)?;
    Ok(fd)
}

/// Applies what concerns connected streams; accepted sockets need it, connecting ones have it.
///
/// # Errors
///
/// The kernel refuses an option: a value out of its range, or a privilege that we lack.
pub fn apply_stream_options(fd: &Fd, options: &TcpOptions) -> io::Result<()> {
    let tcp = libc::IPPROTO_TCP;
    sys::set_option(fd, tcp, libc::TCP_NODELAY, 1)?;
    apply_shared_options(fd, options)?;
    if let Some(keepalive) = options.keepalive {
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, keepalive.into())?;
        if keepalive {
            set_some(fd, tcp, libc::TCP_KEEPIDLE, options.keepalive_idle_s)?;
            set_some(fd, tcp, libc::TCP_KEEPINTVL, options.keepalive_interval_s)?;
            set_some(fd, tcp, libc::TCP_KEEPCNT, options.keepalive_count)?;
        }
    }
    let user_timeout_ms = options
        .user_timeout_ms
        .map(|value| i32::try_from(value).unwrap_or(i32::MAX));
    set_some(fd, tcp, libc::TCP_USER_TIMEOUT, user_timeout_ms)
}

/// Applies what concerns listeners (whose sockets inherit it) as well as streams.
fn apply_shared_options(fd: &Fd, options: &TcpOptions) -> io::Result<()> {
    let socket = libc::SOL_SOCKET;
    set_some(fd, socket, libc::SO_SNDBUF, options.send_buffer_bytes)?;
    set_some(fd, socket, libc::SO_RCVBUF, options.receive_buffer_bytes)?;
    set_some(fd, socket, libc::SO_BUSY_POLL, options.busy_poll_us)?;
    if let Some(tos) = options.tos {
        let domain = sys::get_option(fd, socket, libc::SO_DOMAIN)?;
        if domain == libc::AF_INET6 {
            sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos)?;
        }
        // On an IPv6 socket this is for the packets of IPv4 connections.
        sys::set_option(fd, libc::IPPROTO_IP, libc::IP_TOS, tos)?;
    }
    // Last, because a type of service sets a priority of its own.
    set_some(fd, socket, libc::SO_PRIORITY, options.priority)
}

/// A non-blocking TCP socket of the family of `address`, with the options that must precede bind and connect.
fn tcp_socket(address: SocketAddr, options: &TcpOptions) -> io::Result<Fd> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    let fd = Fd::from(sys::stream_socket(family)?);
    if let Some(device) = &options.bind_to_device {
        sys::bind_to_device(&fd, device)?;
    }
    apply_shared_options(&fd, options)?;
    Ok(fd)
}
