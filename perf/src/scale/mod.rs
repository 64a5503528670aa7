//! What grows with the number of peers: publishing to many, routing to many, subscriptions, brokers.
//!
//! Unlike [`crate::engine`], which has two sockets per measurement and no branch between the clock and the library, this
//! has sockets of any type behind one interface; the branch on the type is a nanosecond on either side.

pub mod library;
pub mod parent;
pub mod roles;
