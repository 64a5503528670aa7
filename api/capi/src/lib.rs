//! libzmq's C interface on RingMQ's engine: a drop-in `libzmq.so.5`.
//!
//! Programs that were built for libzmq run on it unchanged: the symbols, the sizes, the numbers and the defaults are
//! libzmq's. `include/zmq.h` is its header, `install` puts library, headers and the pkg-config file where they belong.
//!
//! Each function is a coat of paint over `ringmq_core`. What all have in common:
//!
//! - A function that fails answers −1 or NULL and sets `errno`. Handles that are NULL, freed or foreign are found out
//!   (`handle.rs`) and answered with libzmq's number.
//! - A panic goes no further than the function in which it happens; that would be a fault of ours, and answers
//!   ENOTRECOVERABLE.
//! - A `zmq_msg_t` holds a [`ringmq_message::Message`], which may be moved as plain bytes.
//! - In a forked child, inherited handles can be closed, and new contexts made.
//!
//! # Defaults
//!
//! Those of libzmq, where a program can see them, LINGER −1 and HWM 1000 included. These differ, because libzmq's would put
//! a program into a peer's hands:
//!
//! | setting | libzmq | here |
//! |---|---|---|
//! | peers of ZMTP 1.0 and 2.0 | accepted with NULL | refused |
//! | parts of a message | any number | a million |
//! | commands before the handshake is done | any length | 64 KiB |
//! | handshake | 30 s each | 30 s each, and 1024 connections at a time that have not done it |
//! | subscriptions of one peer | any number | a million |
//! | properties of a message whose connection has ended | as long as the message | until those of later ones fill 4 MiB, unless `zmq_msg_gets` was called |
//! | a peer that announces `User-Id` or `Peer-Address` | believed for `User-Id` without ZAP | not believed |
//! | identities that begin with a zero byte | accepted | the connection ends |
//! | a second peer with a routing id in use | connected and ignored | disconnected |
//! | a monitor that nobody reads | stops the I/O thread | loses its oldest events |
//! | faults inside the library | abort the process | ENOTRECOVERABLE |
#![deny(missing_docs)]

mod atomic;
mod capability;
mod context;
mod draft;
mod error;
mod fork;
mod futex;
mod handle;
mod monitor;
mod msg;
mod option;
mod poll;
mod poller;
mod proxy;
mod socket;
mod timers;
mod transfer;
mod turns;
mod utility;
mod z85;
