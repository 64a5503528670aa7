//! `udp://` endpoints: a host or a multicast group, and by which interface that is reached.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use nix::net::if_::if_nametoindex;
use ringmq_io::MulticastInterface;

use super::{Host, Lookup, Port, Use, look_up, near_address, parse_host, parse_port, split_port};
use crate::error::{EndpointFault, Error};

/// The address of a udp endpoint. Names are kept as names: they are looked up when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpEndpoint {
    /// What stands before `;`: the interface by which a group is reached, by its name or an address.
    pub interface: Option<Host>,
    /// What stands before the port.
    pub host: Host,
    /// What stands behind it.
    pub port: Port,
}

impl UdpEndpoint {
    pub(super) fn parse(address: &str, usage: Use) -> Result<Self, EndpointFault> {
        let (interface, target) = match address.rsplit_once(';') {
            Some((interface, target)) => (Some(interface), target),
            None => (None, address),
        };
        let (host, port) = split_port(target)?;
        let (host, port) = (parse_host(host)?, parse_port(port)?);
        let is_group = matches!(&host, Host::Ip(ip) if ip.is_multicast());
        if usage == Use::Connect && host == Host::Any {
            return Err(EndpointFault::WildcardHost);
        }
        // A group is a meeting place, whose port its members have to know.
        if port == Port::Wildcard && (usage == Use::Connect || is_group) {
            return Err(EndpointFault::WildcardPort);
        }
        let interface = match interface {
            Some(_) if !is_group => return Err(EndpointFault::InterfaceWithoutGroup),
            Some(interface) => Some(parse_host(interface).map_err(|_| EndpointFault::InvalidSource)?),
            None => None,
        };
        Ok(Self {
            interface,
            host,
            port,
        })
    }

    /// The group, if the endpoint is one.
    pub fn group(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ip(ip) if ip.is_multicast() => Some(ip),
            _ => None,
        }
    }

    /// The address to bind; for a group, the group itself. Blocks in the resolver if the host is a name that no interface
    /// has.
    pub fn resolve_bind(&self, ipv6: bool) -> Result<SocketAddr, Error> {
        near_address(&self.host, self.port, ipv6, Lookup::InterfacesAndHosts)
    }

    /// The address to send to. Blocks in the resolver if the host is a name.
    pub fn resolve_connect(&self, ipv6: bool) -> Result<SocketAddr, Error> {
        match &self.host {
            Host::Name(name) => look_up(name, self.port.number(), ipv6).map(|found| found[0]),
            host => near_address(host, self.port, ipv6, Lookup::Interfaces),
        }
    }

    /// By which interface the group is reached.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`] for an interface that is not there, or that has no address of the group's family.
    pub fn resolve_interface(&self, ipv6: bool) -> Result<MulticastInterface, Error> {
        let (Some(interface), Some(group)) = (&self.interface, self.group()) else {
            return Ok(MulticastInterface::default());
        };
        if *interface == Host::Any {
            return Ok(MulticastInterface::default());
        }
        let no_device = || Error::NoDevice {
            name: interface.to_string(),
        };
        if group.is_ipv6()
            && let Host::Name(name) = interface
        {
            let index = if_nametoindex(name.as_str()).map_err(|_| no_device())?;
            return Ok(MulticastInterface { v4: None, v6: index });
        }
        let address = near_address(
            interface,
            Port::Wildcard,
            ipv6 && group.is_ipv6(),
            Lookup::Interfaces,
        )?;
        match address {
            SocketAddr::V4(v4) if group.is_ipv4() => Ok(MulticastInterface {
                v4: Some(*v4.ip()),
                v6: 0,
            }),
            // An address of IPv6 names an interface by its zone only.
            SocketAddr::V6(v6) if group.is_ipv6() && v6.scope_id() != 0 => Ok(MulticastInterface {
                v4: None,
                v6: v6.scope_id(),
            }),
            _ => Err(no_device()),
        }
    }

    /// What LAST_ENDPOINT reports once the socket is bound to `address`: the text, with the port that the kernel chose.
    pub fn bound_as(&self, address: SocketAddr) -> String {
        let port = Port::Number(address.port());
        format!("udp://{}", Self { port, ..self.clone() })
    }
}

impl fmt::Display for UdpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, "{interface};")?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The text by which a DGRAM names a peer, as libzmq writes it: `127.0.0.1:5555`, or `[::1]:5555`, and a zero byte.
pub(crate) fn peer_name(address: SocketAddr) -> Vec<u8> {
    // A socket of IPv6 that takes IPv4 as well sees such peers by mapped addresses.
    let address = match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddrV4::new(v4, v6.port()).into(),
            None => v6.into(),
        },
        v4 => v4,
    };
    let mut name = address.to_string().into_bytes();
    name.push(0);
    name
}

/// The address that such a text names, with or without its zero byte.
pub(crate) fn parse_peer_name(name: &[u8]) -> Option<SocketAddr> {
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    let address: SocketAddr = std::str::from_utf8(name).ok()?.parse().ok()?;
    (address.port() != 0).then_some(address)
}

/// The address in the form that sockets of IPv6 want, if `as_v6`.
pub(crate) fn mapped(address: SocketAddr, as_v6: bool) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if as_v6 => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_named_as_in_libzmq() {
        for (text, name) in [
            ("127.0.0.1:5555", "127.0.0.1:5555\0"),
            ("[::1]:9", "[::1]:9\0"),
            ("[::ffff:10.0.0.1]:9", "10.0.0.1:9\0"),
        ] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(peer_name(address), name.as_bytes());
            assert_eq!(parse_peer_name(text.as_bytes()), Some(address));
            assert_eq!(
                parse_peer_name(&peer_name(address)),
                name.trim_end_matches('\0').parse().ok()
            );
        }
        for wrong in [
            "",
            "\0",
            "localhost:1",
            "127.0.0.1",
            "127.0.0.1:0",
            "1.1.1.1:5\0\0",
            "\u{ff}:1",
        ] {
            assert_eq!(parse_peer_name(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(parse_peer_name(&[0xFF, b':', b'1']), None);
    }

    #[test]
    fn an_address_is_mapped_where_that_is_wanted() {
        let v4: SocketAddr = "1.2.3.4:5".parse().unwrap();
        assert_eq!(mapped(v4, false), v4);
        assert_eq!(mapped(v4, true), "[::ffff:1.2.3.4]:5".parse().unwrap());
    }
}
