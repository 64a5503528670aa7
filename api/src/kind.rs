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
//! and neither does using a socket from two threads at once:
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

mod sealed {
    pub trait Sealed {}
}

/// A ZeroMQ socket type.
pub trait Kind: sealed::Sealed {
    /// Its number and name.
    const TYPE: SocketType;
}

/// Types that send.
pub trait Sends: Kind {}

/// Types that receive.
pub trait Receives: Kind {}

/// Types with a routing id that peers of type ROUTER see.
pub trait HasRoutingId: Kind {}

/// Types that subscribe by a call.
pub trait Subscribes: Kind {}

/// Types between which subscriptions decide who gets what.
pub trait Matches: Kind {}

/// Types that publish.
pub trait Publishes: Kind {}

macro_rules! kinds {
    ($($name:ident: $($can:ident)*;)*) => {
        $(
            #[doc = concat!("See [`", stringify!($name), "`](crate::", stringify!($name), ").")]
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Kind for $name {
                const TYPE: SocketType = SocketType::$name;
            }
            $(impl $can for $name {})*
        )*
    };
}

kinds! {
    Push: Sends;
    Pull: Receives;
    Pub: Sends Publishes Matches;
    Sub: Receives Subscribes Matches;
    XPub: Sends Receives Publishes Matches;
    XSub: Sends Receives Subscribes Matches;
    Req: Sends Receives HasRoutingId;
    Rep: Sends Receives;
    Dealer: Sends Receives HasRoutingId;
    Router: Sends Receives HasRoutingId;
    Pair: Sends Receives;
}
