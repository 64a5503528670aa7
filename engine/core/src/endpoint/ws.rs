//! `ws://` and `wss://` endpoints: an address of TCP and a path.

use std::fmt;

use super::{TcpEndpoint, Use, parse_tcp};
use crate::error::EndpointFault;

/// Where a WebSocket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsEndpoint {
    /// The address.
    pub tcp: TcpEndpoint,
    /// The resource, from `/` on.
    pub path: String,
    /// Over TLS: `wss://`.
    pub secure: bool,
}

impl WsEndpoint {
    pub(super) fn parse(address: &str, secure: bool, usage: Use) -> Result<Self, EndpointFault> {
        let at = address.find('/').unwrap_or(address.len());
        let (address, path) = address.split_at(at);
        // It goes into a line of HTTP as it is.
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointFault::InvalidPath);
        }
        let tcp = parse_tcp(address, usage)?;
        if tcp.source.is_some() {
            return Err(EndpointFault::InvalidSource);
        }
        Ok(Self {
            tcp,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            secure,
        })
    }

    /// What stands before `://`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }
}

impl fmt::Display for WsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.tcp, self.path)
    }
}
