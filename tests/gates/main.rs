//! Gates: properties that no compiler checks, of the source tree and of processes at rest.

#![forbid(unsafe_code)]

mod idle;
mod layers;
mod tree;
