//! What a sender works with: the consumer of the ring, the connection, and the batches that go from one to the other.

use std::sync::Arc;

use ringmq_io::Fd;
use ringmq_message::wire::{Batch, WireReader, WireSlice};
use ringmq_zmtp::frame::{MORE, encode_header};

use crate::{kept::Kept, layer::SharedLayers, limits, link::lock};

/// The ring's consumer, and all else that whoever sends needs. It is used under the lock of its [`Transmit`](super::Transmit).
pub(super) struct TransmitSide {
    pub(super) ring: WireReader,
    /// The ring holds ZMTP frames, and not just bytes.
    pub(super) framed: bool,
    /// Bytes of one batch, at most.
    pub(super) batch_max: usize,
    /// What waits beside the ring, and can be replaced or dropped until its turn comes: the newest message of a link that
    /// keeps only that, or the messages of one that drops the oldest.
    pub(super) kept: Kept,
    /// Messages taken from there, or dropped.
    pub(super) kept_taken: u64,
    /// Messages of which the last connection may have got a part.
    pub(super) cut: u64,
    /// What stands between the ring and the wire, if anything does. It is the worker's business then to send.
    pub(super) layers: Option<SharedLayers>,
    /// Protocol traffic (greeting, commands) that goes out before the next batch, never inside one.
    pub(super) control: Vec<u8>,
    /// The connection, once it may carry something.
    pub(super) fd: Option<Arc<Fd>>,
    /// Messages may flow: the handshake is done.
    pub(super) established: bool,
    pub(super) in_flight: Option<InFlight>,
    /// The application was gathering when its socket was full: it goes on as soon as the worker has caught up.
    pub(super) gathering: bool,
    /// The vector of the last batch, kept for its allocation.
    pub(super) spare: Vec<WireSlice>,
}

/// What an asynchronous send was given.
pub(super) struct InFlight {
    pub(super) control: usize,
    pub(super) ring: usize,
    /// Messages that are not in the ring.
    pub(super) kept: u64,
}

impl TransmitSide {
    pub(super) fn new(ring: WireReader, framed: bool, batch_max: usize) -> Self {
        Self {
            ring,
            framed,
            batch_max,
            kept: Kept::default(),
            kept_taken: 0,
            cut: 0,
            layers: None,
            control: Vec::new(),
            fd: None,
            established: false,
            in_flight: None,
            gathering: false,
            spare: Vec::new(),
        }
    }

    /// Collects what the next batch takes from the ring.
    pub(super) fn plan(&mut self, batch: &mut Vec<WireSlice>) -> Batch {
        self.ring.batch(self.batch_max, batch)
    }

    /// Puts protocol traffic in front of a batch, and returns how many bytes. It stands between messages: one of which the
    /// kernel has a part goes on first.
    pub(super) fn take_control(&mut self, batch: &mut Vec<WireSlice>) -> usize {
        let len = self.control.len();
        if len == 0 || !self.ring.at_boundary() {
            return 0;
        }
        batch.push(WireSlice::copied(&self.control));
        self.control.clear();
        len
    }

    /// Adds messages that wait beside the ring to a batch, and returns how many, and how many bytes they are there.
    pub(super) fn take_kept(&mut self, batch: &mut Vec<WireSlice>) -> (u64, usize) {
        let first = batch.len();
        let messages = encode_kept(&mut self.kept, batch);
        self.kept_taken += messages;
        let added = batch[first..].iter().map(|slice| slice.as_slice().len());
        (messages, added.sum())
    }

    /// Something waits to be sent.
    pub(super) fn has_queued(&mut self) -> bool {
        let layers = self.layers.as_ref();
        !self.control.is_empty()
            || !self.kept.is_empty()
            || !self.ring.is_empty()
            || layers.is_some_and(|layers| lock(layers).has_output())
    }

    /// Replaces a batch by what becomes of it on the wire, of which the length is returned. The bytes of the ring in it count
    /// as gone from then on.
    pub(super) fn wrap(&mut self, layers: &SharedLayers, batch: &mut Vec<WireSlice>, ring: usize) -> usize {
        let mut layers = lock(layers);
        let mut wire = Vec::new();
        for slice in batch.drain(..) {
            layers.wrap(slice.as_slice(), &mut wire);
        }
        layers.wrap(&[], &mut wire);
        if layers.is_empty() {
            self.layers = None;
        }
        self.ring.advance(ring);
        if !wire.is_empty() {
            batch.push(WireSlice::copied(&wire));
        }
        wire.len()
    }
}

/// Takes messages for one batch, at least one, and returns how many.
fn encode_kept(kept: &mut Kept, batch: &mut Vec<WireSlice>) -> u64 {
    let (mut messages, mut bytes) = (0, 0);
    let mut run = Vec::new();
    while let Some(part) = kept.pop() {
        let more = part.more();
        bytes += part.len();
        run.extend_from_slice(encode_header(if more { MORE } else { 0 }, part.len() as u64).as_slice());
        if part.len() < limits::REFERENCE_BODY_MIN {
            run.extend_from_slice(&part);
        } else {
            batch.push(WireSlice::copied(&run));
            run.clear();
            batch.push(WireSlice::body(part));
        }
        messages += u64::from(!more);
        if !more && (bytes >= limits::SEND_BATCH_BYTES_MAX || batch.len() >= limits::KEPT_SLICES_MAX) {
            break;
        }
    }
    if !run.is_empty() {
        batch.push(WireSlice::copied(&run));
    }
    messages
}
