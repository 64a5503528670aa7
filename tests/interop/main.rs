//! RingMQ and stock libzmq, on good networks and bad ones.

#![forbid(unsafe_code)]

mod drafts;
mod meet;
mod news;
mod pairs;
mod peer;
mod proxy;
mod raw_peer;
mod reconnect;
mod sizes;
mod stream;
mod subscriptions;
mod udp;
