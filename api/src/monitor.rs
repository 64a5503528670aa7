//! What happens to a socket's connections, as it happens.
//!
//! ```
//! use ringmq::{Context, Pull, monitor::Event};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pull = Pull::new(&Context::new())?;
//! let events = pull.monitor();
//! pull.bind("tcp://127.0.0.1:*")?;
//! let first = events.recv_timeout(Some(std::time::Duration::from_secs(10)))?;
//! assert!(matches!(first.event, Event::Listening { .. }));
//! assert_eq!(first.local, pull.last_endpoint());
//! # Ok(())
//! # }
//! ```

pub use ringmq_core::monitor::{
    Credentials, DisconnectReason, DropCause, Event, EventMask, EventRecord, HandshakeFault, MonitorError,
    MonitorReceiver, ProtocolFault, Side,
};
