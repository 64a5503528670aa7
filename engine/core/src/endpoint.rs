//! Endpoints: `tcp://host:port` and its relatives, from text to something that can be bound or connected.

mod ipc;
#[cfg(test)]
mod tests;
mod udp;
mod vsock;
mod ws;

pub use ipc::IpcEndpoint;
pub use udp::UdpEndpoint;
pub(crate) use udp::{mapped, parse_peer_name, peer_name};
pub use vsock::VsockEndpoint;
pub use ws::WsEndpoint;

use crate::{
    error::{EndpointFault, Error},
    layer::OFFERS_TLS,
};
use nix::{
    ifaddrs::getifaddrs,
    net::if_::{if_nameindex, if_nametoindex},
};
use ringmq_io::{Address, UnixAddress};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs},
};

/// Where a socket listens, or whom it connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// `tcp://host:port`, and for connecting `tcp://source;host:port`.
    Tcp(TcpEndpoint),
    /// `ipc:///path`, `ipc://relative/path`, `ipc://@name`, and for binding `ipc://*`.
    Ipc(IpcEndpoint),
    /// `udp://host:port`, `udp://group:port` and `udp://interface;group:port`.
    Udp(UdpEndpoint),
    /// `ws://host:port/path` and `wss://host:port/path`.
    Ws(WsEndpoint),
    /// `vsock://cid:port`.
    Vsock(VsockEndpoint),
    /// `inproc://name`, any text.
    Inproc(String),
}

/// The address of a tcp endpoint. Names are kept as names: they are looked up when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpEndpoint {
    /// What stands before the port.
    pub host: Host,
    /// What stands behind it.
    pub port: Port,
    /// Where a connection is to come from; never present in an endpoint to bind.
    pub source: Option<TcpSource>,
}

/// The near end of a connection that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSource {
    /// An address or the name of an interface.
    pub host: Host,
    /// The port, or the kernel's choice.
    pub port: Port,
}

/// A host, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// `*`: every interface.
    Any,
    /// A literal address.
    Ip(IpAddr),
    /// A literal IPv6 address with a zone, `fe80::1%eth0`: the name or the number of an interface.
    Zoned(Ipv6Addr, String),
    /// The name of an interface (for binding and for sources) or of a host.
    Name(String),
}

/// A tcp port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// `*` or 0: the kernel chooses.
    Wildcard,
    /// A number above 0.
    Number(u16),
}

/// What an endpoint is wanted for; each use allows other wildcards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Bind,
    Connect,
}

impl Endpoint {
    /// Parses an endpoint that is to be bound (or unbound).
    pub fn parse_bind(text: &str) -> Result<Self, Error> {
        parse(text, Use::Bind)
    }

    /// Parses an endpoint that is to be connected (or disconnected).
    pub fn parse_connect(text: &str) -> Result<Self, Error> {
        parse(text, Use::Connect)
    }
}

fn parse(text: &str, usage: Use) -> Result<Endpoint, Error> {
    let refuse = |why| Error::InvalidEndpoint {
        endpoint: text.to_owned(),
        why,
    };
    if text.contains('\0') {
        return Err(refuse(EndpointFault::EmbeddedNul));
    }
    let (scheme, address) = text
        .split_once("://")
        .ok_or_else(|| refuse(EndpointFault::NoScheme))?;
    if scheme.is_empty() {
        return Err(refuse(EndpointFault::NoScheme));
    }
    if address.is_empty() {
        return Err(refuse(EndpointFault::NoAddress));
    }
    match scheme {
        "tcp" => parse_tcp(address, usage).map(Endpoint::Tcp).map_err(refuse),
        "ipc" => IpcEndpoint::parse(address, usage)
            .map(Endpoint::Ipc)
            .map_err(refuse),
        "udp" => UdpEndpoint::parse(address, usage)
            .map(Endpoint::Udp)
            .map_err(refuse),
        "ws" => WsEndpoint::parse(address, false, usage)
            .map(Endpoint::Ws)
            .map_err(refuse),
        "wss" if OFFERS_TLS => WsEndpoint::parse(address, true, usage)
            .map(Endpoint::Ws)
            .map_err(refuse),
        "vsock" => VsockEndpoint::parse(address, usage)
            .map(Endpoint::Vsock)
            .map_err(refuse),
        "inproc" => Ok(Endpoint::Inproc(address.to_owned())),
        // Known to libzmq and not offered here, like `pgm`, or `wss` without TLS, are the same to the caller as never heard of.
        _ => Err(Error::UnsupportedTransport {
            scheme: scheme.to_owned(),
        }),
    }
}

fn parse_tcp(address: &str, usage: Use) -> Result<TcpEndpoint, EndpointFault> {
    let (source, target) = match address.rsplit_once(';') {
        Some((source, target)) => (Some(source), target),
        None => (None, address),
    };
    let (host, port) = split_port(target)?;
    let (host, port) = (parse_host(host)?, parse_port(port)?);
    if usage == Use::Connect {
        if host == Host::Any {
            return Err(EndpointFault::WildcardHost);
        }
        if port == Port::Wildcard {
            return Err(EndpointFault::WildcardPort);
        }
    }
    let source = match source {
        Some(_) if usage == Use::Bind => return Err(EndpointFault::SourceOnBind),
        Some(source) => Some(parse_source(source).map_err(|_| EndpointFault::InvalidSource)?),
        None => None,
    };
    Ok(TcpEndpoint { host, port, source })
}

/// A source may leave out the port: `192.168.1.1` and `[fe80::1]` mean any.
fn parse_source(text: &str) -> Result<TcpSource, EndpointFault> {
    let portless = !text.contains(':') || text.ends_with(']');
    let (host, port) = if portless { (text, "*") } else { split_port(text)? };
    Ok(TcpSource {
        host: parse_host(host)?,
        port: parse_port(port)?,
    })
}

/// The last colon separates the port, for IPv6 addresses have colons of their own.
fn split_port(text: &str) -> Result<(&str, &str), EndpointFault> {
    let (host, port) = text.rsplit_once(':').ok_or(EndpointFault::NoPort)?;
    // A port cannot end in a bracket: "[::1]" is a host without one.
    if port.ends_with(']') || port.is_empty() {
        return Err(EndpointFault::NoPort);
    }
    Ok((host, port))
}

fn parse_port(text: &str) -> Result<Port, EndpointFault> {
    if text == "*" {
        return Ok(Port::Wildcard);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EndpointFault::InvalidPort);
    }
    match text.parse() {
        Ok(0) => Ok(Port::Wildcard),
        Ok(number) => Ok(Port::Number(number)),
        Err(_) => Err(EndpointFault::InvalidPort),
    }
}

fn parse_host(text: &str) -> Result<Host, EndpointFault> {
    if text.is_empty() {
        return Err(EndpointFault::NoHost);
    }
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let inner = rest.strip_suffix(']').ok_or(EndpointFault::InvalidBrackets)?;
        return parse_ipv6(inner, EndpointFault::InvalidBrackets);
    }
    if text.ends_with(']') {
        return Err(EndpointFault::InvalidBrackets);
    }
    // Like libzmq, the brackets may be left out, because the port is always there.
    if text.contains(':') {
        return parse_ipv6(text, EndpointFault::InvalidHost);
    }
    if text.contains('%') {
        return Err(EndpointFault::InvalidZone);
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(address.into()));
    }
    if is_name(text) {
        Ok(Host::Name(text.to_owned()))
    } else {
        Err(EndpointFault::InvalidHost)
    }
}

fn parse_ipv6(text: &str, otherwise: EndpointFault) -> Result<Host, EndpointFault> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| otherwise)?;
    match zone {
        None => Ok(Host::Ip(address.into())),
        Some(zone) if is_name(zone) && zone.parse() != Ok(0u32) => Ok(Host::Zoned(address, zone.to_owned())),
        Some(_) => Err(EndpointFault::InvalidZone),
    }
}

/// Names of hosts and interfaces: letters, digits, `-`, `_` and `.`, up to the 253 characters that DNS can carry.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 253 && text.bytes().all(allowed)
}

impl TcpEndpoint {
    /// The address to bind. Blocks in the resolver if the host is a name that no interface has.
    ///
    /// With `ipv6`, `*` is the wildcard of both families, and of a name's addresses an IPv6 one comes first; without
    /// it only IPv4 is used.
    pub fn resolve_bind(&self, ipv6: bool) -> Result<SocketAddr, Error> {
        near_address(&self.host, self.port, ipv6, Lookup::InterfacesAndHosts)
    }

    /// The address that a connection is to come from, if the endpoint names one.
    pub fn resolve_source(&self, ipv6: bool) -> Result<Option<SocketAddr>, Error> {
        self.source
            .as_ref()
            .map(|source| near_address(&source.host, source.port, ipv6, Lookup::Interfaces))
            .transpose()
    }

    /// The addresses to connect to, best first and at least one. Blocks in the resolver if the host is a name.
    pub fn resolve_connect(&self, ipv6: bool) -> Result<Vec<SocketAddr>, Error> {
        match self.literal() {
            Some(address) => allow_family(address, ipv6, &self.host).map(|address| vec![address]),
            None => match &self.host {
                Host::Name(name) => look_up(name, self.port.number(), ipv6),
                host => near_address(host, self.port, ipv6, Lookup::Interfaces).map(|address| vec![address]),
            },
        }
    }

    /// The address to connect to, if the endpoint says it without any look-up.
    pub fn literal(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Ip(address) => Some(SocketAddr::new(address, self.port.number())),
            Host::Any | Host::Zoned(..) | Host::Name(_) => None,
        }
    }
}

impl Port {
    /// The number for the kernel, to which 0 leaves the choice.
    pub fn number(self) -> u16 {
        match self {
            Self::Wildcard => 0,
            Self::Number(number) => number,
        }
    }
}

/// Where a name for our own end of a connection may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    Interfaces,
    InterfacesAndHosts,
}

fn near_address(host: &Host, port: Port, ipv6: bool, lookup: Lookup) -> Result<SocketAddr, Error> {
    let port = port.number();
    match host {
        Host::Any if ipv6 => Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
        Host::Any => Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
        Host::Ip(address) => allow_family(SocketAddr::new(*address, port), ipv6, host),
        Host::Zoned(address, zone) => {
            let scope = zone_index(zone).ok_or_else(|| Error::NoDevice { name: zone.clone() })?;
            allow_family(SocketAddrV6::new(*address, port, 0, scope).into(), ipv6, host)
        }
        Host::Name(name) => match interface_address(name, port, ipv6) {
            Some(address) => Ok(address),
            None if lookup == Lookup::InterfacesAndHosts => look_up(name, port, ipv6).map(|found| found[0]),
            None => Err(Error::NoDevice { name: name.clone() }),
        },
    }
}

/// IPv6 has to be switched on by its option.
fn allow_family(address: SocketAddr, ipv6: bool, host: &Host) -> Result<SocketAddr, Error> {
    if address.is_ipv6() && !ipv6 {
        Err(Error::NoDevice {
            name: host.to_string(),
        })
    } else {
        Ok(address)
    }
}

/// The addresses of a host, IPv6 ones (if allowed) first, and at least one.
fn look_up(name: &str, port: u16, ipv6: bool) -> Result<Vec<SocketAddr>, Error> {
    let nothing = || Error::NoDevice {
        name: name.to_owned(),
    };
    let mut found: Vec<SocketAddr> = (name, port).to_socket_addrs().map_err(|_| nothing())?.collect();
    found.retain(|address| ipv6 || address.is_ipv4());
    found.sort_by_key(SocketAddr::is_ipv4);
    if found.is_empty() {
        Err(nothing())
    } else {
        Ok(found)
    }
}

/// The first address of an interface: IPv6 before IPv4 if allowed, like the wildcard.
fn interface_address(name: &str, port: u16, ipv6: bool) -> Option<SocketAddr> {
    let of_interface = getifaddrs().ok()?.filter(|entry| entry.interface_name == name);
    let addresses = of_interface.filter_map(|entry| {
        let address = entry.address?;
        if let Some(v4) = address.as_sockaddr_in() {
            return Some(SocketAddrV4::new(v4.ip(), port).into());
        }
        let v6 = address.as_sockaddr_in6()?;
        Some(SocketAddrV6::new(v6.ip(), port, 0, v6.scope_id()).into())
    });
    addresses
        .filter(|address: &SocketAddr| ipv6 || address.is_ipv4())
        .min_by_key(SocketAddr::is_ipv4)
}

/// The number of a zone's interface, never 0.
fn zone_index(zone: &str) -> Option<u32> {
    let by_name = if_nametoindex(zone).ok();
    by_name.or_else(|| zone.parse().ok()).filter(|index| *index != 0)
}

/// The text that LAST_ENDPOINT reports for a bound address; unbind wants the same text.
///
/// Numeric, with the zone of a link-local address by the name of its interface: `tcp://0.0.0.0:5555`,
/// `tcp://[::1]:5555`, `tcp://[fe80::1%eth0]:5555`. A unix socket without a name, as connecting ones are, is `ipc://`.
pub fn last_endpoint(address: &Address) -> String {
    match address {
        Address::Inet(SocketAddr::V4(v4)) => format!("tcp://{v4}"),
        Address::Inet(SocketAddr::V6(v6)) if v6.scope_id() == 0 => {
            format!("tcp://[{}]:{}", v6.ip(), v6.port())
        }
        Address::Inet(SocketAddr::V6(v6)) => {
            format!("tcp://[{}%{}]:{}", v6.ip(), zone_name(v6.scope_id()), v6.port())
        }
        Address::Vsock(address) => format!("vsock://{}", VsockEndpoint(*address)),
        Address::Unix(UnixAddress::Unnamed) => "ipc://".to_owned(),
        Address::Unix(UnixAddress::Path(path)) => format!("ipc://{}", path.display()),
        Address::Unix(UnixAddress::Abstract(name)) => format!("ipc://@{}", String::from_utf8_lossy(name)),
    }
}

/// The name of an interface, or its number if it has none any more.
fn zone_name(index: u32) -> String {
    let interfaces = if_nameindex().ok();
    let named = interfaces
        .iter()
        .flatten()
        .find(|interface| interface.index() == index);
    named.map_or_else(
        || index.to_string(),
        |interface| interface.name().to_string_lossy().into_owned(),
    )
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => write!(f, "tcp://{tcp}"),
            Self::Ipc(ipc) => write!(f, "ipc://{ipc}"),
            Self::Udp(udp) => write!(f, "udp://{udp}"),
            Self::Ws(ws) => write!(f, "{}://{ws}", ws.scheme()),
            Self::Vsock(vsock) => write!(f, "vsock://{vsock}"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
        }
    }
}

impl fmt::Display for TcpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{}:{};", source.host, source.port)?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Zoned(address, zone) => write!(f, "[{address}%{zone}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard => f.write_str("*"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}
