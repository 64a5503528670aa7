//! Transports: how an endpoint becomes a descriptor. Everything above works on descriptors alone, and `inproc://`, which
//! needs none, is the context's own (`inproc.rs`).

mod ipc;
mod path_lock;
mod socket_file;
mod socks;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod vsock;
mod ws;

use std::{io, sync::Arc};

use ringmq_io::{Address, Credentials, Fd};
use ringmq_zmtp::SocketType;

use crate::{
    endpoint::{Endpoint, UdpEndpoint, last_endpoint},
    error::Error,
    layer::SharedLayers,
    monitor::Side,
    options::Options,
};

pub(crate) use socket_file::SocketFile;
use socks::SocksTransport;
pub(crate) use udp::Datagrams;
use ws::WsTransport;

/// An endpoint whose connections are descriptors.
pub(crate) trait Transport: Send + Sync {
    /// Listens; `text` is the endpoint as it was given. A socket that was `given` listens already, somewhere. May block in the
    /// resolver.
    fn listen(&self, text: &str, options: &Options, given: Option<Fd>) -> Result<Listening, Error>;

    /// Finds what is wrong with an endpoint to connect to as far as that can be known at once.
    fn check_connect(&self, options: &Options) -> Result<(), Error>;

    /// The address to connect to, if the endpoint says it without any look-up.
    fn literal_address(&self) -> Option<Address>;

    /// The addresses to connect to, best first and at least one. Blocks.
    fn look_up(&self, ipv6: bool) -> Result<Vec<Address>, Error>;

    /// Begins to connect to one of the addresses; the second value tells whether that is done.
    fn connect(&self, address: &Address, options: &Options) -> Result<(Fd, bool), Error>;

    /// Whether connections stay on this machine and descriptors can pass through them.
    fn is_local(&self) -> bool {
        false
    }

    /// Who is at the other end, if the kernel knows.
    fn credentials(&self, connection: &Fd) -> io::Result<Option<Credentials>>;

    /// Refuses a new connection, or makes it ready for use. `side` says which end of it we are.
    fn admit(
        &self,
        connection: &Fd,
        side: Side,
        peer: Option<&Credentials>,
        options: &Options,
    ) -> io::Result<()>;

    /// Whether connections can carry bytes that are not ZMTP.
    fn carries_anything(&self) -> bool {
        true
    }

    /// An address as an endpoint of this transport.
    fn name(&self, address: &Address) -> String {
        last_endpoint(address)
    }

    /// What stands between the ZMTP of a new connection and the wire; `None` is nothing.
    fn layers(&self, _side: Side, _socket_type: SocketType) -> io::Result<Option<SharedLayers>> {
        Ok(None)
    }
}

/// A bound endpoint.
pub(crate) struct Listening {
    /// What stands for it in the file system. Goes before the descriptor, which is how it knows that the file is ours.
    pub(crate) file: Option<SocketFile>,
    pub(crate) fd: Fd,
    /// What LAST_ENDPOINT reports.
    pub(crate) name: String,
}

impl Listening {
    fn new(fd: Fd, file: Option<SocketFile>) -> io::Result<Self> {
        let name = last_endpoint(&ringmq_io::local_addr(&fd)?);
        Ok(Self { file, fd, name })
    }
}

/// What becomes of an endpoint.
pub(crate) enum Target {
    /// Connections of the kernel's.
    Kernel(Arc<dyn Transport>),
    /// A datagram socket.
    Datagrams(UdpEndpoint),
    /// A name in the context.
    Inproc(String),
}

impl Target {
    /// What becomes of an endpoint that is bound.
    pub(crate) fn to_bind(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Tcp(tcp) => Self::Kernel(Arc::new(tcp)),
            Endpoint::Ipc(ipc) => Self::Kernel(Arc::new(ipc)),
            Endpoint::Ws(ws) => Self::Kernel(Arc::new(WsTransport::new(ws))),
            Endpoint::Vsock(vsock) => Self::Kernel(Arc::new(vsock)),
            Endpoint::Udp(udp) => Self::Datagrams(udp),
            Endpoint::Inproc(name) => Self::Inproc(name),
        }
    }

    /// What becomes of an endpoint that is connected to.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a proxy that is none.
    pub(crate) fn to_connect(endpoint: Endpoint, options: &Options) -> Result<Self, Error> {
        match (&endpoint, &options.socks_proxy) {
            (Endpoint::Tcp(tcp), Some(proxy)) => {
                let transport = SocksTransport::new(tcp, proxy, options)?;
                Ok(Self::Kernel(Arc::new(transport)))
            }
            _ => Ok(Self::to_bind(endpoint)),
        }
    }
}

/// The address is taken, as bind(2) says it.
fn in_use() -> io::Error {
    io::Error::from_raw_os_error(libc::EADDRINUSE)
}

/// A number for the kernel, which counts in C `int`s.
fn clamp(number: u64) -> i32 {
    number.min(i32::MAX as u64) as i32
}
