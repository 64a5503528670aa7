//! What stands in for mapped memory and for pipes under loom, with the same interfaces.
//!
//! The memory is a vector of cells, one per word, so that loom sees every access to a payload and reports a race.

use std::sync::Arc;

use loom::{
    cell::UnsafeCell,
    sync::{Condvar, Mutex},
};
use ringmq_queue::sync::{AtomicU32, AtomicU64};

use crate::{
    Receiver, Sender,
    fence::Light,
    layout::{
        Geometry, Header, Ident, NEVER, Publish, Release, Returned, State, WantData, WantReturns, WantRoom,
    },
    link::{Link, Own},
};

struct Memory {
    header: Header,
    words: Vec<UnsafeCell<u64>>,
}

/// A "mapping": a reference to memory that both sides hold.
#[derive(Clone)]
pub(crate) struct Map(Arc<Memory>);

impl Map {
    pub(crate) fn new(len: usize) -> Self {
        let word = || AtomicU64::new(0);
        let header = Header {
            ident: Ident {
                magic: word(),
                version: AtomicU32::new(0),
                flags: AtomicU32::new(0),
                len: word(),
                ring_at: word(),
                ring_len: word(),
                pool_at: word(),
                block_len: word(),
                blocks: word(),
                epoch: word(),
            },
            publish: Publish { tail: word() },
            release: Release {
                head: word(),
                taken: word(),
            },
            want_data: WantData {
                data_at: AtomicU64::new(NEVER),
            },
            want_room: WantRoom {
                head: AtomicU64::new(NEVER),
                taken: AtomicU64::new(NEVER),
            },
            want_returns: WantReturns { armed: word() },
            returned: Returned { blocks: word() },
            state: State {
                state: AtomicU32::new(0),
            },
        };
        let words = (0..len / 8).map(|_| UnsafeCell::new(0)).collect();
        Self(Arc::new(Memory { header, words }))
    }

    pub(crate) fn is_ours(&self) -> bool {
        true
    }

    pub(crate) fn area(&self) -> Area {
        Area(&raw const *self.0)
    }

    pub(crate) fn header(&self) -> HeaderRef {
        HeaderRef(&raw const self.0.header)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct HeaderRef(*const Header);

impl HeaderRef {
    /// # Safety
    ///
    /// The memory lives as long as the reference is used.
    pub(crate) unsafe fn get<'a>(self) -> &'a Header {
        // SAFETY: the caller's promise.
        unsafe { &*self.0 }
    }
}

/// The words behind the header. Offsets count from the first of them.
#[derive(Clone, Copy)]
pub(crate) struct Area(*const Memory);

impl Area {
    /// # Safety
    ///
    /// The memory lives, and `at` lies in it.
    unsafe fn word<'a>(self, at: usize) -> &'a UnsafeCell<u64> {
        // SAFETY: the caller's promise.
        unsafe { &(&(*self.0).words)[at / 8] }
    }

    /// # Safety
    ///
    /// The memory lives.
    pub(crate) unsafe fn load_word(self, at: usize) -> u64 {
        // SAFETY: the caller's promise; loom checks that nobody writes the cell now.
        unsafe { self.word(at).with(|word| *word) }
    }

    /// # Safety
    ///
    /// The memory lives.
    pub(crate) unsafe fn store_word(self, at: usize, value: u64) {
        // SAFETY: the caller's promise; loom checks that nobody else accesses the cell now.
        unsafe { self.word(at).with_mut(|word| *word = value) };
    }

    /// # Safety
    ///
    /// The memory lives.
    pub(crate) unsafe fn write(self, at: usize, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // SAFETY: the caller's promise.
            unsafe { self.store_word(at + 8 * index, u64::from_ne_bytes(word)) };
        }
    }

    /// # Safety
    ///
    /// The memory lives, and `to` has room for `len` bytes.
    pub(crate) unsafe fn read(self, at: usize, to: *mut u8, len: usize) {
        for index in 0..len {
            // SAFETY: the caller's promise.
            unsafe { *to.add(index) = self.load_word(at + index).to_ne_bytes()[index % 8] };
        }
    }
}

/// A pipe: whether it is readable, and a condition variable instead of `epoll_wait`.
#[derive(Default)]
struct Pipe {
    readable: Mutex<bool>,
    rung: Condvar,
}

/// The sleeper's end of a modelled pipe.
pub struct Bell(Arc<Pipe>);

impl Bell {
    /// A pipe and its other end.
    pub fn pair() -> (Self, Ringer) {
        let pipe = Arc::new(Pipe::default());
        (Self(Arc::clone(&pipe)), Ringer(pipe))
    }

    /// Stands for `epoll_wait` without a timeout, and for draining the pipe.
    pub fn sleep(&self) {
        let mut readable = self.0.readable.lock().unwrap();
        while !*readable {
            readable = self.0.rung.wait(readable).unwrap();
        }
        *readable = false;
    }
}

/// The waker's end of a modelled pipe.
pub struct Ringer(Arc<Pipe>);

impl Ringer {
    /// Makes the pipe readable.
    pub fn ring(&self) {
        *self.0.readable.lock().unwrap() = true;
        self.0.rung.notify_one();
    }
}

/// One side of a modelled connection.
pub struct Side {
    /// The writing end.
    pub sender: Sender,
    /// The reading end.
    pub receiver: Receiver,
    /// Where it sleeps.
    pub bell: Bell,
}

/// Which fences the busy sides run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fences {
    /// As in production without `membarrier`.
    Full,
    /// None: such a model has to fail.
    Missing,
}

/// Both sides of a connection with rings of `ring_len` bytes and pools of `blocks` blocks.
pub fn pair(ring_len: usize, blocks: usize, fences: Fences) -> (Side, Side) {
    let geometry = Geometry {
        len: ring_len + blocks * BLOCK_LEN,
        ring_at: 0,
        ring_len,
        pool_at: ring_len,
        block_len: BLOCK_LEN,
        blocks,
    };
    let (a, b) = (Map::new(geometry.len), Map::new(geometry.len));
    let (bell_a, ringer_a) = Bell::pair();
    let (bell_b, ringer_b) = Bell::pair();
    let light = match fences {
        Fences::Full => Light::towards(true),
        Fences::Missing => Light::MISSING,
    };
    let side = |own: &Map, theirs: &Map, ringer, bell| {
        let own = Own::new(own.clone(), geometry);
        let link = Arc::new(Link::new(own, theirs.clone(), geometry, light, ringer));
        Side {
            sender: Sender::new(Arc::clone(&link)),
            receiver: Receiver::new(link),
            bell,
        }
    };
    (side(&a, &b, ringer_b, bell_a), side(&b, &a, ringer_a, bell_b))
}

/// The length of a modelled block, and the longest chunk per block.
pub const BLOCK_LEN: usize = 16;
