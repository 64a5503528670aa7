//! `vsock://` endpoints: a virtual machine, or its host, and a port.

use std::fmt;

use ringmq_io::VsockAddress;

use super::Use;
use crate::error::EndpointFault;

/// The address of a vsock endpoint: `cid:port`, where `*` stands for any and `@` for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VsockEndpoint(pub VsockAddress);

impl VsockEndpoint {
    pub(super) fn parse(address: &str, usage: Use) -> Result<Self, EndpointFault> {
        let (cid, port) = address.rsplit_once(':').ok_or(EndpointFault::NoPort)?;
        let cid = match cid {
            "" => return Err(EndpointFault::NoHost),
            "*" => VsockAddress::CID_ANY,
            "@" => VsockAddress::CID_LOCAL,
            number => parse_number(number).ok_or(EndpointFault::InvalidHost)?,
        };
        let port = match port {
            "" => return Err(EndpointFault::NoPort),
            "*" => VsockAddress::PORT_ANY,
            number => parse_number(number).ok_or(EndpointFault::InvalidPort)?,
        };
        if usage == Use::Connect && cid == VsockAddress::CID_ANY {
            return Err(EndpointFault::WildcardHost);
        }
        if usage == Use::Connect && port == VsockAddress::PORT_ANY {
            return Err(EndpointFault::WildcardPort);
        }
        Ok(Self(VsockAddress { cid, port }))
    }
}

/// A number other than the one that stands for any.
fn parse_number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| digits && number != u32::MAX)
}

impl fmt::Display for VsockEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.cid {
            VsockAddress::CID_ANY => f.write_str("*")?,
            cid => write!(f, "{cid}")?,
        }
        match self.0.port {
            VsockAddress::PORT_ANY => f.write_str(":*"),
            port => write!(f, ":{port}"),
        }
    }
}
