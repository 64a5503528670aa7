//! What RingMQ moves: messages, the memory behind them, and the ring of encoded frames.
//!
//! * [`Message`]: one part of what an application sends or receives, 64 bytes that may be moved freely; [`Buffer`] is one
//!   that is filled in place, [`Multipart`] keeps several together.
//! * [`Origin`]: where received messages come from, and what is known of it.
//! * [`lane`]: the queue in which they go from thread to thread, short bodies included.
//! * [`wire`]: the ring between an application that encodes frames and whoever sends them.
//! * [`Slab`] and [`Span`]: what a connection receives into, and what is split off from it without copying.
//! * [`pool`]: the reference-counted blocks that all of these are made of, and that are used again instead of being freed.
//!
//! In steady state none of this allocates; `tests/allocations.rs` counts.

mod buffer;
mod lane;
pub mod message;
mod multipart;
mod origin;
pub mod pool;
mod slab;
pub mod wire;

pub use buffer::Buffer;
pub use lane::{LaneConsumer, LaneProducer, SPREAD_MAX, lane};
pub use message::Message;
pub use multipart::Multipart;
pub use origin::{Origin, OriginId, Properties};
pub use slab::{Slab, Span};
