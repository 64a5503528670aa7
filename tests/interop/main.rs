//! RingMQ and stock libzmq, on good networks and bad ones.

#![forbid(unsafe_code)]

mod meet;
mod pairs;
mod peer;
mod proxy;
mod raw_peer;
mod reconnect;
mod sizes;
mod subscriptions;
