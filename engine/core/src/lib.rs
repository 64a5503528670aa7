//! ZeroMQ's semantics on RingMQ's rings.
//!
//! The modules in the order in which a message meets them: a [`Socket`] hands it to its `pattern`, which picks a pipe
//! with the pieces in `route`; a `pipe` encodes it into its wire ring; a `link` is where the pipe (application thread)
//! and the `session` (worker) meet; the `worker` moves bytes between rings and the kernel. On the way in a session
//! cuts what it received into spans of whole messages, and the pipe of the other side reads them.
//!
//! Two threads meet in `link.rs`, in `pipe/local.rs` and in the two mailboxes, nowhere else.
#![forbid(unsafe_code)]

mod capability;
mod context;
mod datagram;
mod endpoint;
mod error;
mod inbound;
mod inproc;
mod kept;
mod layer;
mod limits;
mod link;
pub mod monitor;
pub mod options;
mod pace;
mod pattern;
mod pipe;
mod poll;
mod presence;
mod proxy;
mod receive;
mod reconnect;
mod resolver;
mod route;
mod shm_inbox;
mod socket;
mod spill;
mod subscription;
mod tally;
mod timers;
mod transmit;
mod transport;
mod worker;

pub use capability::has;
pub use context::{Context, ContextOptions, Pinning, Scheduling};
pub use error::{EndpointFault, Error, OptionFault, errno};
pub use poll::{PollItem, Readiness, Source, poll};
pub use presence::Blocker;
pub use proxy::{Proxy, ProxyStatistics};
pub use ringmq_io::DriverKind;
pub use ringmq_zmtp::SocketType;
pub use socket::{Counters, Events, Observer, PeerId, PeerInfo, Sleeper, Socket, Wait};
pub use tally::{Drops, Statistics, Traffic};
pub use timers::{Due, Schedule};
