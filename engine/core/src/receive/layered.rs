//! What was received through layers and not looked at yet.

use ringmq_message::Slab;

use crate::{
    layer::{LayerFault, SharedLayers},
    limits,
    link::lock,
};

/// Unwraps what comes from the wire.
pub(super) struct Layered {
    layers: SharedLayers,
    /// What ZMTP is to read, and how much of that it has.
    plain: Vec<u8>,
    taken: usize,
    fault: Option<LayerFault>,
}

impl Layered {
    pub(super) fn new(layers: SharedLayers) -> Self {
        Self {
            layers,
            plain: Vec::new(),
            taken: 0,
            fault: None,
        }
    }

    /// A buffer for what comes next from the wire.
    pub(super) fn buffer() -> Slab {
        Slab::with_capacity(limits::SLAB_LEN)
    }

    /// Takes in what came from the wire.
    pub(super) fn put(&mut self, wire: &[u8]) {
        if self.taken == self.plain.len() {
            self.plain.clear();
            self.taken = 0;
        }
        if self.fault.is_none() {
            self.fault = lock(&self.layers).unwrap(wire, &mut self.plain).err();
        }
    }

    /// Moves what ZMTP is to read into a buffer with room. True if there was anything.
    ///
    /// # Errors
    ///
    /// A layer has failed, and what came before is read.
    pub(super) fn refill(&mut self, buffer: &mut Slab) -> Result<bool, LayerFault> {
        let rest = &self.plain[self.taken..];
        let count = rest.len().min(buffer.spare_len());
        buffer.extend_from_slice(&rest[..count]);
        self.taken += count;
        if self.taken == self.plain.len() {
            self.plain = Vec::new();
            self.taken = 0;
        }
        match self.fault {
            Some(fault) if count == 0 => Err(fault),
            _ => Ok(count > 0),
        }
    }

    /// A layer has something to say.
    pub(super) fn has_output(&self) -> bool {
        lock(&self.layers).has_output()
    }

    /// From now on the wire carries nothing but ZMTP.
    pub(super) fn is_over(&self) -> bool {
        self.plain.is_empty() && lock(&self.layers).is_empty()
    }
}
