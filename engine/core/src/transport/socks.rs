//! TCP through a SOCKS5 proxy: connections are made to the proxy, which makes them to the endpoint.

use std::io;

use ringmq_io::{Address, Credentials, Fd};
use ringmq_zmtp::SocketType;

use super::{Listening, Transport};
use crate::{
    endpoint::{Endpoint, TcpEndpoint},
    error::{Error, OptionFault},
    layer::{Layers, SharedLayers, Socks, SocksTarget},
    monitor::Side,
    options::{Options, number},
};

/// An endpoint behind a proxy.
pub(crate) struct SocksTransport {
    proxy: TcpEndpoint,
    target: SocksTarget,
}

impl SocksTransport {
    /// The endpoint, through the proxy of the options.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if the proxy is not `host:port`.
    pub(crate) fn new(endpoint: &TcpEndpoint, proxy: &str, options: &Options) -> Result<Self, Error> {
        let Ok(Endpoint::Tcp(mut proxy)) = Endpoint::parse_connect(&format!("tcp://{proxy}")) else {
            return Err(Error::InvalidOption {
                number: number::SOCKS_PROXY,
                name: "SOCKS_PROXY",
                why: OptionFault::Malformed,
            });
        };
        proxy.source.clone_from(&endpoint.source);
        let password = || options.socks_password.clone().unwrap_or_default();
        let credentials = options.socks_username.clone().map(|name| (name, password()));
        Ok(Self {
            proxy,
            target: SocksTarget {
                host: endpoint.host.clone(),
                port: endpoint.port.number(),
                credentials,
            },
        })
    }
}

impl Transport for SocksTransport {
    /// A proxy is for connecting.
    fn listen(&self, _: &str, _: &Options, _: Option<Fd>) -> Result<Listening, Error> {
        Err(Error::NotSupported)
    }

    fn check_connect(&self, options: &Options) -> Result<(), Error> {
        self.proxy.check_connect(options)
    }

    fn literal_address(&self) -> Option<Address> {
        self.proxy.literal_address()
    }

    fn look_up(&self, ipv6: bool) -> Result<Vec<Address>, Error> {
        self.proxy.look_up(ipv6)
    }

    fn connect(&self, address: &Address, options: &Options) -> Result<(Fd, bool), Error> {
        Transport::connect(&self.proxy, address, options)
    }

    fn credentials(&self, connection: &Fd) -> io::Result<Option<Credentials>> {
        self.proxy.credentials(connection)
    }

    fn admit(
        &self,
        connection: &Fd,
        side: Side,
        peer: Option<&Credentials>,
        options: &Options,
    ) -> io::Result<()> {
        self.proxy.admit(connection, side, peer, options)
    }

    fn layers(&self, _: Side, _: SocketType) -> io::Result<Option<SharedLayers>> {
        let socks = Socks::new(self.target.clone());
        Ok(Some(Layers::new(vec![Box::new(socks)])))
    }
}
