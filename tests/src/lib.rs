//! What the tests of the whole share: a network that misbehaves, peers that do, and a clock that ends them.

#![forbid(unsafe_code)]

pub mod endpoint;
pub mod process;
pub mod proxy;
pub mod random;
pub mod raw_peer;
pub mod recipe;
pub mod subject;
pub mod watchdog;
