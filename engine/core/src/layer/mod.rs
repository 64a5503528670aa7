//! What may stand between the ZMTP of a connection and its wire: a WebSocket, TLS, the way through a proxy.
//!
//! A layer is a state machine, as ZMTP is: bytes in, bytes out, no I/O and no clock. Towards the wire it wraps what ZMTP has to
//! say, from the wire it unwraps what ZMTP is to read, and it has things to say of its own. Both directions belong to the
//! worker, apart from reads by an application to which the right to read is lent, so the stack has a lock.

mod http;
#[cfg(not(feature = "wss"))]
mod no_tls;
mod socks;
#[cfg(feature = "wss")]
mod tls;
mod zws;

use ringmq_queue::sync::{Arc, Mutex};

#[cfg(not(feature = "wss"))]
pub(crate) use no_tls::{TlsClient, TlsServer};
pub(crate) use socks::{Socks, SocksTarget};
#[cfg(feature = "wss")]
pub(crate) use tls::{TlsClient, TlsServer};
pub(crate) use zws::{Role, Zws};

/// Whether this library was built with TLS, and offers `wss://`.
pub(crate) const OFFERS_TLS: bool = cfg!(feature = "wss");

/// One layer.
pub(crate) trait Layer: Send {
    /// Takes in what came from the wire, and appends what it means to `plain`.
    ///
    /// # Errors
    ///
    /// The layer has failed for good. What was appended before is in order.
    fn unwrap(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault>;

    /// Takes in what is to be sent, and appends to `wire` how that goes out, behind what the layer itself has to say.
    fn wrap(&mut self, plain: &[u8], wire: &mut Vec<u8>);

    /// Whether [`wrap`](Self::wrap) has something to say without being given anything.
    fn has_output(&self) -> bool;

    /// Nothing more will be sent: says so to the peer.
    fn finish(&mut self) {}

    /// From now on what comes and goes is passed on as it is.
    fn is_done(&self) -> bool {
        false
    }
}

/// Why a layer has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerFault {
    /// The peer broke the protocol of WebSockets or of ZeroMQ over them.
    WebSocket,
    /// TLS came to no agreement, or the peer broke it.
    #[cfg_attr(
        not(feature = "wss"),
        expect(dead_code, reason = "the monitor tells of it, and nothing is it")
    )]
    Tls,
    /// The proxy would not let us through.
    Proxy,
    /// The peer has closed the connection in order.
    Closed,
}

/// The layers of one connection.
pub(crate) type SharedLayers = Arc<Mutex<Layers>>;

/// All layers of a connection, the one next to the wire first.
pub(crate) struct Layers {
    stack: Vec<Box<dyn Layer>>,
    /// Reused on the way from layer to layer.
    spare: Vec<u8>,
    failed: Option<LayerFault>,
}

impl Layers {
    pub(crate) fn new(stack: Vec<Box<dyn Layer>>) -> SharedLayers {
        Arc::new(Mutex::new(Self {
            stack,
            spare: Vec::new(),
            failed: None,
        }))
    }

    /// Takes in what came from the wire, and appends what ZMTP is to read to `plain`.
    ///
    /// # Errors
    ///
    /// A layer has failed, now or before. What was appended is in order.
    pub(crate) fn unwrap(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        let mut input = wire.to_vec();
        for layer in &mut self.stack {
            let mut output = std::mem::take(&mut self.spare);
            output.clear();
            // What came in order before the fault is passed on.
            let outcome = layer.unwrap(&input, &mut output);
            self.failed = self.failed.or(outcome.err());
            self.spare = std::mem::replace(&mut input, output);
        }
        plain.extend_from_slice(&input);
        self.stack.retain(|layer| !layer.is_done() || layer.has_output());
        self.failed.map_or(Ok(()), Err)
    }

    /// Takes in what ZMTP has to say, and appends what goes out to `wire`.
    pub(crate) fn wrap(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        let mut input = plain.to_vec();
        for layer in self.stack.iter_mut().rev() {
            let mut output = std::mem::take(&mut self.spare);
            output.clear();
            layer.wrap(&input, &mut output);
            self.spare = std::mem::replace(&mut input, output);
        }
        wire.extend_from_slice(&input);
    }

    /// Whether a layer has something to say by itself.
    pub(crate) fn has_output(&self) -> bool {
        self.stack.iter().any(|layer| layer.has_output())
    }

    /// Nothing more will be sent: tells the peer.
    pub(crate) fn finish(&mut self) {
        for layer in self.stack.iter_mut().rev() {
            layer.finish();
        }
    }

    /// What comes and goes is passed on as it is, for ever.
    pub(crate) fn is_empty(&self) -> bool {
        self.stack.is_empty() && self.failed.is_none()
    }
}

#[cfg(test)]
mod tests;
