//! Addresses of sockets, and their form in the kernel.

use std::{
    ffi::OsStr,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use super::VsockAddress;

/// The most bytes of a unix socket's name: the kernel's structure holds 108, one of which ends a path or begins an abstract
/// name.
pub const UNIX_NAME_MAX: usize = 107;

/// The address of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An internet address and a port.
    Inet(SocketAddr),
    /// The name of a unix socket.
    Unix(UnixAddress),
    /// A machine and a port.
    Vsock(VsockAddress),
}

/// The name of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnixAddress {
    /// None, as the connecting end usually has.
    Unnamed,
    /// A path in the file system.
    Path(PathBuf),
    /// A name of the network namespace, without the zero byte that marks it.
    Abstract(Vec<u8>),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl From<UnixAddress> for Address {
    fn from(address: UnixAddress) -> Self {
        Self::Unix(address)
    }
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
    pub(crate) fn decode(&self) -> io::Result<Address> {
        let storage = &raw const self.storage;
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the storage is larger than, and at least as aligned as, any address, and all of it is
                // initialised; any bits are a value of this type of integers.
                let v4 = unsafe { storage.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Ok(SocketAddr::from(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { storage.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Ok(SocketAddr::from(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id)).into())
            }
            libc::AF_UNIX => {
                // SAFETY: as above.
                let unix = unsafe { storage.cast::<libc::sockaddr_un>().read() };
                Ok(Address::Unix(unix_name(&unix, self.len)))
            }
            libc::AF_VSOCK => {
                // SAFETY: as above.
                let vsock = unsafe { storage.cast::<libc::sockaddr_vm>().read() };
                Ok(Address::Vsock(VsockAddress {
                    cid: vsock.svm_cid,
                    port: vsock.svm_port,
                }))
            }
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }

    /// The address of a unix socket; an unnamed one makes the kernel choose an abstract name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the name is empty, longer than [`UNIX_NAME_MAX`], or a path that holds a zero byte.
    pub(crate) fn of_unix(address: &UnixAddress) -> io::Result<Self> {
        let mut raw = Self::empty();
        let mut value = libc::sockaddr_un {
            sun_family: libc::AF_UNIX as libc::sa_family_t,
            sun_path: [0; 108],
        };
        let (name, start) = match address {
            UnixAddress::Unnamed => (&[][..], 0),
            UnixAddress::Path(path) => (path.as_os_str().as_bytes(), 0),
            UnixAddress::Abstract(name) => (&name[..], 1),
        };
        let is_path = matches!(address, UnixAddress::Path(_));
        let is_named = *address != UnixAddress::Unnamed;
        if is_named && name.is_empty() || name.len() > UNIX_NAME_MAX || is_path && name.contains(&0) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (place, byte) in value.sun_path[start..].iter_mut().zip(name) {
            *place = *byte as libc::c_char;
        }
        // A path ends with a zero byte, an abstract name begins with one.
        let len = UNIX_NAME_OFFSET + name.len() + usize::from(is_named);
        raw.len = len as libc::socklen_t;
        // SAFETY: the storage is larger than, and at least as aligned as, any address.
        unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_un>().write(value) };
        Ok(raw)
    }
}

/// Where the name begins in the kernel's structure.
const UNIX_NAME_OFFSET: usize = std::mem::offset_of!(libc::sockaddr_un, sun_path);

/// The name in an address of `len` bytes, which may or may not count the zero byte behind a path.
fn unix_name(unix: &libc::sockaddr_un, len: libc::socklen_t) -> UnixAddress {
    let len = (len as usize)
        .saturating_sub(UNIX_NAME_OFFSET)
        .min(unix.sun_path.len());
    let bytes: Vec<u8> = unix.sun_path[..len].iter().map(|&byte| byte as u8).collect();
    match bytes.split_first() {
        None => UnixAddress::Unnamed,
        Some((0, [])) => UnixAddress::Unnamed,
        Some((0, name)) => UnixAddress::Abstract(name.to_vec()),
        Some(_) => {
            let path = bytes.split(|&byte| byte == 0).next().unwrap_or(&bytes);
            UnixAddress::Path(PathBuf::from(OsStr::from_bytes(path)))
        }
    }
}

impl From<VsockAddress> for RawAddress {
    fn from(address: VsockAddress) -> Self {
        let mut raw = Self::empty();
        // SAFETY: the type consists of integers, for which all bits zero is a value.
        let mut value: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
        value.svm_family = libc::AF_VSOCK as libc::sa_family_t;
        value.svm_cid = address.cid;
        value.svm_port = address.port;
        // SAFETY: the storage is larger than, and at least as aligned as, any address.
        unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_vm>().write(value) };
        raw.len = size_of::<libc::sockaddr_vm>() as libc::socklen_t;
        raw
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
