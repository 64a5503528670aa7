//! WebSockets over TCP, with or without TLS.

use std::{io, sync::OnceLock};

use ringmq_io::{Address, Credentials, Fd};
use ringmq_zmtp::SocketType;

use super::{Listening, Transport};
use crate::{
    endpoint::{Host, WsEndpoint, last_endpoint},
    error::Error,
    layer::{Layer, Layers, Role, SharedLayers, TlsClient, TlsServer, Zws},
    monitor::Side,
    options::Options,
};

/// An endpoint, and what TLS needs for it, which is read from the options once.
pub(crate) struct WsTransport {
    endpoint: WsEndpoint,
    server: OnceLock<TlsServer>,
    client: OnceLock<TlsClient>,
}

impl WsTransport {
    pub(crate) fn new(endpoint: WsEndpoint) -> Self {
        Self {
            endpoint,
            server: OnceLock::new(),
            client: OnceLock::new(),
        }
    }

    /// The server as its certificate names it.
    fn host_name(&self) -> String {
        match &self.endpoint.tcp.host {
            Host::Ip(ip) => ip.to_string(),
            other => other.to_string(),
        }
    }

    fn tls(&self, side: Side) -> io::Result<Option<Box<dyn Layer>>> {
        if !self.endpoint.secure {
            return Ok(None);
        }
        // Whoever listened or connected has read the options before.
        let layer = match side {
            Side::Bind => self.server.get().map(TlsServer::layer),
            Side::Connect => self.client.get().map(TlsClient::layer),
        };
        layer.transpose().map_err(io::Error::other)
    }
}

impl Transport for WsTransport {
    fn listen(&self, text: &str, options: &Options, given: Option<Fd>) -> Result<Listening, Error> {
        if self.endpoint.secure {
            let _ = self.server.set(TlsServer::new(options)?);
        }
        let mut listening = self.endpoint.tcp.listen(text, options, given)?;
        listening.name = self.name(&ringmq_io::local_addr(&listening.fd)?) + &self.endpoint.path;
        Ok(listening)
    }

    fn check_connect(&self, options: &Options) -> Result<(), Error> {
        if self.endpoint.secure {
            let _ = self.client.set(TlsClient::new(options, &self.host_name())?);
        }
        self.endpoint.tcp.check_connect(options)
    }

    fn literal_address(&self) -> Option<Address> {
        self.endpoint.tcp.literal_address()
    }

    fn look_up(&self, ipv6: bool) -> Result<Vec<Address>, Error> {
        self.endpoint.tcp.look_up(ipv6)
    }

    fn connect(&self, address: &Address, options: &Options) -> Result<(Fd, bool), Error> {
        Transport::connect(&self.endpoint.tcp, address, options)
    }

    fn credentials(&self, connection: &Fd) -> io::Result<Option<Credentials>> {
        self.endpoint.tcp.credentials(connection)
    }

    fn admit(
        &self,
        connection: &Fd,
        side: Side,
        peer: Option<&Credentials>,
        options: &Options,
    ) -> io::Result<()> {
        self.endpoint.tcp.admit(connection, side, peer, options)
    }

    fn carries_anything(&self) -> bool {
        false
    }

    fn name(&self, address: &Address) -> String {
        let name = last_endpoint(address);
        let address = name.strip_prefix("tcp").unwrap_or(&name);
        format!("{}{address}", self.endpoint.scheme())
    }

    fn layers(&self, side: Side, socket_type: SocketType) -> io::Result<Option<SharedLayers>> {
        let role = match side {
            Side::Bind => Role::Server,
            Side::Connect => Role::Client {
                host: format!("{}:{}", self.endpoint.tcp.host, self.endpoint.tcp.port),
                path: self.endpoint.path.clone(),
            },
        };
        let mut stack: Vec<Box<dyn Layer>> = Vec::new();
        stack.extend(self.tls(side)?);
        stack.push(Box::new(Zws::new(role, socket_type)));
        Ok(Some(Layers::new(stack)))
    }
}
