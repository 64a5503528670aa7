//! Transports: how an endpoint becomes a descriptor. Everything above works on descriptors alone, and `inproc://`, which
//! needs none, is the context's own (`inproc.rs`).

mod tcp;

pub(crate) use tcp::{check_connect, listen, stream_options};
