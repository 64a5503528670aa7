//! Measures RingMQ beside stock libzmq, each side of a connection in a process of its own.
//!
//! [`suite`] runs [`scenario`]s with both [`engine`]s by turns; [`child`] is one such process, which runs one
//! side of [`throughput`], [`latency`] or [`paced`]; [`report`] prints what came out. `METHOD.md` says how the figures
//! are made and what they do not say.

#![forbid(unsafe_code)]

pub mod child;
pub mod console;
pub mod engine;
pub mod histogram;
pub mod latency;
pub mod machine;
pub mod paced;
pub mod report;
pub mod scale;
pub mod scenario;
pub mod suite;
pub mod throughput;
pub mod tool;
