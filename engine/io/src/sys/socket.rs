//! Sockets: how they are made, named and asked.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use super::{check, own};
use crate::{fd::Fd, socket::RawAddress};

/// A non-blocking stream socket of an address family.
pub(crate) fn stream_socket(family: i32) -> io::Result<OwnedFd> {
    new_socket(family, libc::SOCK_STREAM)
}

/// A non-blocking datagram socket of an address family.
pub(crate) fn datagram_socket(family: i32) -> io::Result<OwnedFd> {
    new_socket(family, libc::SOCK_DGRAM)
}

fn new_socket(family: i32, kind: i32) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed, and what is returned is owned here.
    unsafe { own(libc::socket(family, kind, 0)) }
}

/// Binds a socket to a local address.
pub(crate) fn bind(fd: &Fd, address: &RawAddress) -> io::Result<()> {
    let start = (&raw const address.storage).cast();
    // SAFETY: `len` bytes at `start` are part of the storage.
    check(unsafe { libc::bind(fd.as_raw_fd(), start, address.len) }).map(drop)
}

/// Connects a socket; `EINPROGRESS` if that takes time.
pub(crate) fn connect(fd: &Fd, address: &RawAddress) -> io::Result<()> {
    let start = (&raw const address.storage).cast();
    // SAFETY: `len` bytes at `start` are part of the storage.
    check(unsafe { libc::connect(fd.as_raw_fd(), start, address.len) }).map(drop)
}

/// Lets a bound socket take connections.
pub(crate) fn listen(fd: &Fd, backlog: i32) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// Takes a connection; its peer's address is written to `address`.
pub(crate) fn accept(listener: &Fd, address: &mut RawAddress) -> io::Result<OwnedFd> {
    *address = RawAddress::empty();
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes at most `len` bytes to the storage, which has that size, and then `len`; what is
    // returned is owned here.
    unsafe {
        own(libc::accept4(
            listener.as_raw_fd(),
            (&raw mut address.storage).cast(),
            &raw mut address.len,
            flags,
        ))
    }
}

/// The name of our end of a socket.
pub(crate) fn local_name(fd: &Fd) -> io::Result<RawAddress> {
    let mut address = RawAddress::empty();
    let start = (&raw mut address.storage).cast();
    // SAFETY: the kernel writes at most `len` bytes to the storage, which has that size, and then `len`.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), start, &raw mut address.len) })?;
    Ok(address)
}

/// The name of the other end of a socket.
pub(crate) fn peer_name(fd: &Fd) -> io::Result<RawAddress> {
    let mut address = RawAddress::empty();
    let start = (&raw mut address.storage).cast();
    // SAFETY: as in `local_name`.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), start, &raw mut address.len) })?;
    Ok(address)
}

/// Who is at the other end of a unix socket.
pub(crate) fn peer_credentials(fd: &Fd) -> io::Result<libc::ucred> {
    let mut found = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: at most `len` bytes are written to a local of that size, which consists of integers.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut len,
        )
    })?;
    Ok(found)
}

/// The supplementary groups of the process at the other end of a unix socket.
pub(crate) fn peer_groups(fd: &Fd) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut len = (groups.len() * size_of::<libc::gid_t>()) as libc::socklen_t;
        // SAFETY: at most `len` bytes are written to the vector, which has that many and holds integers.
        let outcome = check(unsafe {
            libc::getsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut len,
            )
        });
        let count = len as usize / size_of::<libc::gid_t>();
        match outcome {
            Ok(_) => {
                groups.truncate(count);
                return Ok(groups);
            }
            // The kernel has said how many there are, and they do not change any more.
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => {
                groups.resize(count, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Sets a socket option that is an `int`.
pub(crate) fn set_option(fd: &Fd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: four bytes are read from a local.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) }).map(drop)
}

/// Reads a socket option that is an `int`, also of a descriptor that is known by its number only.
///
/// # Errors
///
/// The descriptor is not open, is no socket, or has no such option.
pub fn get_option(fd: &impl AsRawFd, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0_i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: at most four bytes are written to a local of that size.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// Restricts a socket to one network device.
pub(crate) fn bind_to_device(fd: &Fd, device: &str) -> io::Result<()> {
    let len = device.len() as libc::socklen_t;
    // SAFETY: the kernel reads at most `len` bytes of the name, which need not be terminated.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            device.as_ptr().cast(),
            len,
        )
    })
    .map(drop)
}

/// Bytes that the kernel holds for reading.
pub(crate) fn unread_bytes(fd: &Fd) -> io::Result<usize> {
    let mut count = 0_i32;
    // SAFETY: the request writes an `int` to a local.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}
