//! Sockets: made, configured and asked, without blocking. What TCP and unix sockets have in common is here.

mod address;
mod tcp;
mod udp;
mod unix;
mod vsock;

pub(crate) use address::RawAddress;
pub use address::{Address, UNIX_NAME_MAX, UnixAddress};
pub use tcp::{TcpOptions, apply_stream_options, tcp_connect_start, tcp_listen};
pub use udp::{
    MulticastInterface, UdpOptions, recv_datagram, send_datagram, udp_bind, udp_bind_group, udp_open,
};
pub use unix::{Credentials, UnixOptions, peer_credentials, peer_groups, unix_connect_start, unix_listen};
pub use vsock::{VsockAddress, vsock_connect_start, vsock_listen};

use std::{
    io,
    mem::ManuallyDrop,
    net::{Shutdown, TcpStream, UdpSocket},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use crate::{fd::Fd, sys};

/// Takes a connection from a listener, non-blocking, and its peer's address.
///
/// # Errors
///
/// `WouldBlock` if there is none; a lack of descriptors or memory; or what became of a connection before it was taken
/// (`ConnectionAborted` and network errors), which says nothing about the listener. `Interrupted` is not reported.
pub fn accept(listener: &Fd) -> io::Result<(Fd, Address)> {
    let mut address = RawAddress::empty();
    let owned = loop {
        match sys::accept(listener, &mut address) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    Ok((Fd::from(owned), address.decode()?))
}

fn not_listening() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// Takes over a socket that listens already, which was given away by its number, and makes it non-blocking. It stays with its
/// owner after an error.
///
/// # Errors
///
/// The number is of no open descriptor, of no socket, or (`InvalidInput`) of one that does not listen.
pub fn adopt_listener(number: RawFd) -> io::Result<Fd> {
    // Looked at before it is ours.
    if sys::get_option(&number, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? == 0 {
        return Err(not_listening());
    }
    sys::adopt(number)
}

/// [`adopt_listener`] for a descriptor that its owner gives away as such. It is closed after an error.
///
/// # Errors
///
/// As [`adopt_listener`].
pub fn own_listener(listener: OwnedFd) -> io::Result<Fd> {
    if sys::get_option(&listener, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? == 0 {
        return Err(not_listening());
    }
    sys::make_ready(listener.as_raw_fd())?;
    Ok(Fd::from(listener))
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

/// The local address of a socket.
///
/// # Errors
///
/// The descriptor is no socket.
pub fn local_addr(fd: &Fd) -> io::Result<Address> {
    sys::local_name(fd)?.decode()
}

/// The address of the peer of a connected socket.
///
/// # Errors
///
/// `NotConnected`, or the descriptor is no socket.
pub fn peer_addr(fd: &Fd) -> io::Result<Address> {
    sys::peer_name(fd)?.decode()
}

/// Begins to connect; the second value tells whether that is done.
fn start_connect(fd: Fd, address: &RawAddress) -> io::Result<(Fd, bool)> {
    match sys::connect(&fd, address) {
        Ok(()) => Ok((fd, true)),
        // A signal does not end the attempt: it goes on as if it had been reported to be in progress.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Ok((fd, false))
        }
        Err(error) => Err(error),
    }
}

fn set_some(fd: &Fd, level: i32, name: i32, value: Option<i32>) -> io::Result<()> {
    value.map_or(Ok(()), |value| sys::set_option(fd, level, name, value))
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

/// As [`borrow_stream`], of a datagram socket.
fn borrow_datagrams(fd: &Fd) -> ManuallyDrop<UdpSocket> {
    // SAFETY: as in `borrow_stream`.
    ManuallyDrop::new(unsafe { UdpSocket::from_raw_fd(fd.as_raw_fd()) })
}

/// The standard library's view of the socket, which does not close it.
fn borrow_stream(fd: &Fd) -> ManuallyDrop<TcpStream> {
    // SAFETY: the descriptor is open as long as `fd`, which outlives every use of the view in this module, and is not
    // closed by it. Calls that do not fit the socket are answered with errors.
    ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd.as_raw_fd()) })
}
