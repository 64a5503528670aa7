//! `tcp://` endpoints and socket addresses.

use std::net::SocketAddr;

/// The address of a numeric `tcp://` endpoint, such as LAST_ENDPOINT yields it.
///
/// # Panics
///
/// If `endpoint` is anything else.
pub fn address(endpoint: &str) -> SocketAddr {
    let address = endpoint.strip_prefix("tcp://").and_then(|rest| rest.parse().ok());
    address.unwrap_or_else(|| panic!("{endpoint} is not a numeric tcp endpoint"))
}

/// The endpoint to reach `address` by.
pub fn tcp(address: SocketAddr) -> String {
    format!("tcp://{address}")
}
