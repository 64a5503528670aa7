//! What the type parameter of a [`Socket`](crate::Socket) says: its ZeroMQ type, and what that type can do.
//!
//! A call that a type does not have does not compile:
//!
//! ```compile_fail,E0599
//! # fn main() -> Result<(), ringmq::Error> {
//! let pull = ringmq::Pull::new(&ringmq::Context::new())?;
//! pull.send("a PULL does not send")?;
//! # Ok(())
//! # }
//! ```
//!
//! and neither does using a socket from two threads at once, unless its type is one of those that allow it ([`Concurrent`]):
//!
//! ```compile_fail,E0277
//! # fn main() -> Result<(), ringmq::Error> {
//! let push = ringmq::Push::new(&ringmq::Context::new())?;
//! std::thread::scope(|scope| {
//!     scope.spawn(|| push.send("one"));
//! });
//! # Ok(())
//! # }
//! ```

use ringmq_core::SocketType;

use crate::access::{Access, Exclusive, Shared};

mod sealed {
    pub trait Sealed {}
}

/// A ZeroMQ socket type.
pub trait Kind: sealed::Sealed {
    /// Its number and name.
    const TYPE: SocketType;

    /// How threads take turns.
    #[doc(hidden)]
    type Access: Access + Send;
}

/// Types that send.
pub trait Sends: Kind {}

/// Types that receive.
pub trait Receives: Kind {}

/// Types whose messages may have several parts. They are used by one thread at a time.
pub trait HasParts: Kind<Access = Exclusive> {}

/// Types that any number of threads may use at once. Their messages have one part.
pub trait Concurrent: Kind<Access = Shared> {}

/// Types that know their peers by number.
pub trait NumbersPeers: Sends {}

/// Types with a routing id that peers of type ROUTER see.
pub trait HasRoutingId: Kind {}

/// Types that subscribe by a call.
pub trait Subscribes: Kind {}

/// Types between which subscriptions decide who gets what.
pub trait Matches: Kind {}

/// Types that can name the peers that they connect to.
pub trait NamesPeers: Kind {}

/// Types that can keep only the newest message.
pub trait Conflates: Kind {}

/// Types that can greet their peers.
pub trait Greets: Kind {}

/// Types that can be told of lost peers that had connected.
pub trait HearsDisconnects: Kind {}

/// Types that can be told of lost connections that they had made.
pub trait HearsHiccups: Kind {}

/// Types that drop messages for peers without room, or wait if that is wanted.
pub trait DropsOrWaits: Kind {}

/// Types that publish.
pub trait Publishes: Kind {}

macro_rules! kinds {
    ($access:ident $marker:ident: $($name:ident: $($can:ident)*;)*) => {
        $(
            #[doc = concat!("See [`", stringify!($name), "`](crate::", stringify!($name), ").")]
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Kind for $name {
                const TYPE: SocketType = SocketType::$name;
                type Access = $access;
            }
            impl $marker for $name {}
            $(impl $can for $name {})*
        )*
    };
}

kinds! {
    Exclusive HasParts:
    Push: Sends Conflates;
    Pull: Receives Conflates;
    Pub: Sends Publishes Matches Conflates DropsOrWaits;
    Sub: Receives Subscribes Matches Conflates;
    XPub: Sends Receives Publishes Matches DropsOrWaits;
    XSub: Sends Receives Subscribes Matches;
    Req: Sends Receives HasRoutingId Greets HearsHiccups;
    Rep: Sends Receives Greets HearsDisconnects;
    Dealer: Sends Receives HasRoutingId Greets HearsHiccups Conflates;
    Router: Sends Receives HasRoutingId Greets HearsDisconnects NamesPeers;
    Pair: Sends Receives;
    Stream: Sends Receives NamesPeers;
    Dgram: Sends Receives;
}

kinds! {
    Shared Concurrent:
    Client: Sends Receives Greets HearsHiccups;
    Server: Sends Receives Greets HearsDisconnects NumbersPeers;
    Radio: Sends DropsOrWaits;
    Dish: Receives;
    Scatter: Sends;
    Gather: Receives;
    Peer: Sends Receives Greets HearsDisconnects HearsHiccups NumbersPeers;
    Channel: Sends Receives;
}
