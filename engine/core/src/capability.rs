//! What this library was built with, by libzmq's names.

use crate::layer::OFFERS_TLS;

/// Whether the library has something that it could have been built without, by the name that libzmq's `zmq_has` has for it:
/// `ipc`, `vsock`, `draft`, `WS`, and `WSS` if the feature `wss` is on. Does not block.
///
/// ```
/// assert!(ringmq_core::has("WS"));
/// assert!(!ringmq_core::has("pgm"));
/// ```
pub fn has(capability: &str) -> bool {
    match capability {
        "draft" | "ipc" | "vsock" | "WS" => true,
        "WSS" => OFFERS_TLS,
        _ => false,
    }
}
