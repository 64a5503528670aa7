//! TCP sockets: made, configured and asked, without blocking.

use crate::{fd::Fd, sys};
use std::{
    io,
    mem::ManuallyDrop,
    net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream},
    os::fd::{AsRawFd, FromRawFd},
};

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
/// for writability and then ask [`take_error`] how it went. Stream options are already applied.
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
    match sys::connect(&fd, &RawAddress::from(address)) {
        Ok(()) => Ok((fd, true)),
        // A signal does not end the attempt: it goes on as if it had been reported to be in progress.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Ok((fd, false))
        }
        Err(error) => Err(error),
    }
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

/// Takes a connection from a listener, non-blocking, and its peer's address.
///
/// # Errors
///
/// `WouldBlock` if there is none; a lack of descriptors or memory; or what became of a connection before it was taken
/// (`ConnectionAborted` and network errors), which says nothing about the listener. `Interrupted` is not reported.
pub fn accept(listener: &Fd) -> io::Result<(Fd, SocketAddr)> {
    let mut address = RawAddress::empty();
    let owned = loop {
        match sys::accept(listener, &mut address) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    Ok((Fd::from(owned), address.decode()?))
}

/// What has gone wrong with a socket, most notably with its connect; asking clears it.
///
/// # Errors
///
/// The error that was pending.
pub fn take_error(fd: &Fd) -> io::Result<()> {
    match sys::get_option(fd, libc::SOL_SOCKET, libc::SO_ERROR)? {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The local address of a TCP socket.
///
/// # Errors
///
/// The descriptor is no such socket.
pub fn local_addr(fd: &Fd) -> io::Result<SocketAddr> {
    borrow_stream(fd).local_addr()
}

/// The address of the peer of a connected TCP socket.
///
/// # Errors
///
/// `NotConnected`, or the descriptor is no such socket.
pub fn peer_addr(fd: &Fd) -> io::Result<SocketAddr> {
    borrow_stream(fd).peer_addr()
}

/// Ends the outgoing stream: the peer reads what was sent and then the end.
///
/// # Errors
///
/// `NotConnected`, or the descriptor is no socket.
pub fn shutdown_write(fd: &Fd) -> io::Result<()> {
    borrow_stream(fd).shutdown(Shutdown::Write)
}

/// Ends both streams; operations in flight on the socket finish soon after.
///
/// # Errors
///
/// `NotConnected`, or the descriptor is no socket.
pub fn shutdown_both(fd: &Fd) -> io::Result<()> {
    borrow_stream(fd).shutdown(Shutdown::Both)
}

/// Bytes that the kernel holds for this socket to read.
///
/// # Errors
///
/// The descriptor is not readable in this sense; a listener, for example.
pub fn unread_bytes(fd: &Fd) -> io::Result<usize> {
    sys::unread_bytes(fd)
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
    set_some(fd, socket, libc::SO_PRIORITY, options.priority)?;
    set_some(fd, socket, libc::SO_BUSY_POLL, options.busy_poll_us)?;
    if let Some(tos) = options.tos {
        let domain = sys::get_option(fd, socket, libc::SO_DOMAIN)?;
        if domain == libc::AF_INET6 {
            sys::set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos)?;
        }
        // On an IPv6 socket this is for the packets of IPv4 connections.
        sys::set_option(fd, libc::IPPROTO_IP, libc::IP_TOS, tos)?;
    }
    Ok(())
}

fn set_some(fd: &Fd, level: i32, name: i32, value: Option<i32>) -> io::Result<()> {
    value.map_or(Ok(()), |value| sys::set_option(fd, level, name, value))
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

/// The standard library's view of the socket, which does not close it.
fn borrow_stream(fd: &Fd) -> ManuallyDrop<TcpStream> {
    // SAFETY: the descriptor is open as long as `fd`, which outlives every use of the view in this module, and is not
    // closed by it. Calls that do not fit the socket are answered with errors.
    ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd.as_raw_fd()) })
}

/// An address in the kernel's form.
pub(crate) struct RawAddress {
    pub(crate) storage: libc::sockaddr_storage,
    pub(crate) len: libc::socklen_t,
}

impl RawAddress {
    /// Room for an address that the kernel is to write.
    pub(crate) fn empty() -> Self {
        Self {
            // SAFETY: the type consists of integers, for which all bits zero is a value.
            storage: unsafe { std::mem::zeroed() },
            len: size_of::<libc::sockaddr_storage>() as libc::socklen_t,
        }
    }

    /// What the kernel has written.
    fn decode(&self) -> io::Result<SocketAddr> {
        let storage = &raw const self.storage;
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the storage is larger than, and at least as aligned as, any address, and all of it is
                // initialised; any bits are a value of this type of integers.
                let v4 = unsafe { storage.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { storage.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Ok(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        let mut raw = Self::empty();
        let storage = &raw mut raw.storage;
        match address {
            SocketAddr::V4(v4) => {
                let value = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from(*v4.ip()).to_be(),
                    },
                    sin_zero: [0; 8],
                };
                // SAFETY: the storage is larger than, and at least as aligned as, any address.
                unsafe { storage.cast::<libc::sockaddr_in>().write(value) };
                raw.len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(v6) => {
                let value = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: v6.ip().octets(),
                    },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: as above.
                unsafe { storage.cast::<libc::sockaddr_in6>().write(value) };
                raw.len = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        raw
    }
}
