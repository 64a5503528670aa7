//! Unix stream sockets: made, configured, and asked who is at the other end.

use std::io;

use super::{RawAddress, UnixAddress, set_some, start_connect};
use crate::{fd::Fd, sys};

/// What unix sockets are configured with; `None` leaves the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnixOptions {
    /// Size of the kernel's send buffer in bytes.
    pub send_buffer_bytes: Option<i32>,
    /// Size of the kernel's receive buffer in bytes.
    pub receive_buffer_bytes: Option<i32>,
}

/// Who is at the other end of a unix socket: the process that connected, or that listened, as it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The process; 0 if our namespace does not show it.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// Connects to `address`. Does not block: a listener whose backlog is full is `WouldBlock`, and the attempt is over. The
/// second value is as that of [`tcp_connect_start`](super::tcp_connect_start).
///
/// # Errors
///
/// Nobody listens (`NotFound`, `ConnectionRefused`), the file may not be written (`PermissionDenied`), the name is no name
/// (`InvalidInput`), or the socket cannot be made.
pub fn unix_connect_start(address: &UnixAddress, options: &UnixOptions) -> io::Result<(Fd, bool)> {
    let address = RawAddress::of_unix(address)?;
    start_connect(unix_socket(options)?, &address)
}

/// Listens on `address`. A path comes into being with `mode`, less what the process's umask takes from it, and never has a
/// wider one; `None` leaves it to the umask alone. A file that is there is never replaced.
///
/// # Errors
///
/// The name is taken (`AddrInUse`) or is no name (`InvalidInput`), its directory is not there or may not be written, or the
/// socket cannot be made.
pub fn unix_listen(
    address: &UnixAddress,
    options: &UnixOptions,
    mode: Option<u32>,
    backlog: i32,
) -> io::Result<Fd> {
    let address = RawAddress::of_unix(address)?;
    let fd = unix_socket(options)?;
    if let Some(mode) = mode {
        // bind(2) makes the file with the mode of the socket itself, so there is no moment at which it is wider.
        sys::set_mode(&fd, mode)?;
    }
    sys::bind(&fd, &address)?;
    sys::listen(&fd, backlog)?;
    Ok(fd)
}

/// Who is at the other end.
///
/// # Errors
///
/// The descriptor is no connected unix socket.
pub fn peer_credentials(fd: &Fd) -> io::Result<Credentials> {
    let found = sys::peer_credentials(fd)?;
    if found.pid == 0 && found.uid == u32::MAX {
        // What the kernel says of an internet socket.
        return Err(io::ErrorKind::NotConnected.into());
    }
    Ok(Credentials {
        pid: found.pid,
        uid: found.uid,
        gid: found.gid,
    })
}

/// The supplementary groups of the process at the other end.
///
/// # Errors
///
/// The descriptor is no connected unix socket.
pub fn peer_groups(fd: &Fd) -> io::Result<Vec<u32>> {
    sys::peer_groups(fd)
}

fn unix_socket(options: &UnixOptions) -> io::Result<Fd> {
    let fd = Fd::from(sys::stream_socket(libc::AF_UNIX)?);
    set_some(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, options.send_buffer_bytes)?;
    set_some(
        &fd,
        libc::SOL_SOCKET,
        libc::SO_RCVBUF,
        options.receive_buffer_bytes,
    )?;
    Ok(fd)
}
