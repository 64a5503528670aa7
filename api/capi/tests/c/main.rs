//! The library as C programs see it.

mod interface;
mod programs;
mod support;
