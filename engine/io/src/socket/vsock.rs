//! Sockets between virtual machines and their host: made and configured.

use std::io;

use super::{RawAddress, UnixOptions, set_some, start_connect};
use crate::{fd::Fd, sys};

/// The address of a vsock socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VsockAddress {
    /// The machine: [`CID_ANY`](Self::CID_ANY), [`CID_LOCAL`](Self::CID_LOCAL), 2 for the host, or that of a guest.
    pub cid: u32,
    /// The port; [`PORT_ANY`](Self::PORT_ANY) leaves the choice to the kernel.
    pub port: u32,
}

impl VsockAddress {
    /// Every way to this machine.
    pub const CID_ANY: u32 = libc::VMADDR_CID_ANY;
    /// This machine, for itself.
    pub const CID_LOCAL: u32 = libc::VMADDR_CID_LOCAL;
    /// A port that the kernel chooses.
    pub const PORT_ANY: u32 = libc::VMADDR_PORT_ANY;
}

/// Begins to connect to `address`, as [`tcp_connect_start`](super::tcp_connect_start) does.
///
/// # Errors
///
/// The kernel has no vsock (`EAFNOSUPPORT`), no way to the machine (`ENODEV`), or refuses at once.
pub fn vsock_connect_start(address: VsockAddress, options: &UnixOptions) -> io::Result<(Fd, bool)> {
    start_connect(vsock_socket(options)?, &RawAddress::from(address))
}

/// Listens on `address`.
///
/// # Errors
///
/// The kernel has no vsock (`EAFNOSUPPORT`), or the address is taken (`AddrInUse`) or not ours (`AddrNotAvailable`).
pub fn vsock_listen(address: VsockAddress, options: &UnixOptions, backlog: i32) -> io::Result<Fd> {
    let fd = vsock_socket(options)?;
    sys::bind(&fd, &RawAddress::from(address))?;
    sys::listen(&fd, backlog)?;
    Ok(fd)
}

fn vsock_socket(options: &UnixOptions) -> io::Result<Fd> {
    let fd = Fd::from(sys::stream_socket(libc::AF_VSOCK)?);
    set_some(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, options.send_buffer_bytes)?;
    set_some(
        &fd,
        libc::SOL_SOCKET,
        libc::SO_RCVBUF,
        options.receive_buffer_bytes,
    )?;
    Ok(fd)
}
