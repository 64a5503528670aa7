//! Bad input to live sockets: every bad peer is sent away with one event that says why, costs no more memory than it
//! has sent, and disturbs nobody.

#![forbid(unsafe_code)]

mod arena;
mod crowds;
mod descriptors;
mod floods;
mod frames;
mod greetings;
mod handshakes;
