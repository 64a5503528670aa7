//! The slab of operations in flight: it owns whatever the kernel may touch.

use crate::{
    completion::{Completion, Interest, Token},
    fd::Fd,
    slices::{Position, Slices},
};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    io,
    sync::Arc,
};

/// Marks the end of a chain through [`Op::next`].
pub(crate) const NONE: u32 = u32::MAX;

/// Memory, counted in slices of 16 bytes, that is kept for further sends: a mebibyte. That is enough for the batches of
/// many connections and yet nothing that a storm of sends leaves behind for ever.
const SPARE_SLICES: usize = 1 << 16;

/// What a send needs besides its slices, counted in the same way.
const SLICES_OF_HEADER: usize = 12;

/// Names one use of one slot: what the kernel carries as user data.
///
/// A slot's generation changes when its operation is finished, so a completion that comes late matches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Key {
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// What an operation does, and what it was given to do it.
pub(crate) enum Work<B, S> {
    Poll(Interest),
    Recv { buffer: S, room: usize },
    Send(Box<SendWork<B>>),
}

/// A batch on its way out. Boxed and reused, so that the message header has a stable address.
pub(crate) struct SendWork<B> {
    pub(crate) batch: Vec<B>,
    pub(crate) position: Position,
    pub(crate) slices: Slices,
    /// The kernel has asked us to wait for room instead of doing so itself.
    pub(crate) waits_for_room: bool,
}

impl<B> SendWork<B> {
    fn new() -> Self {
        Self {
            batch: Vec::new(),
            position: Position::default(),
            slices: Slices::new(),
            waits_for_room: false,
        }
    }

    /// The result of a send that ends early: bytes that are gone count for more than the reason why no more are.
    pub(crate) fn result_after(&self, error: io::Error) -> io::Result<usize> {
        match self.position.sent {
            0 => Err(error),
            sent => Ok(sent),
        }
    }
}

/// What a finished send takes, as [`SPARE_SLICES`] counts.
fn cost<B>(work: &SendWork<B>) -> usize {
    work.slices.capacity() + SLICES_OF_HEADER
}

/// An operation in flight.
pub(crate) struct Op<B, S> {
    pub(crate) token: Token,
    /// Keeps the descriptor open, and its number ours, until the operation is finished.
    pub(crate) fd: Arc<Fd>,
    pub(crate) work: Work<B, S>,
    /// A short send is not continued once the caller has asked for its end.
    pub(crate) cancel_asked: bool,
    /// The next operation that waits for the same descriptor (epoll only).
    pub(crate) next: u32,
}

struct Slot<B, S> {
    generation: u32,
    op: Option<Op<B, S>>,
}

/// The operations in flight, found by slot or by token.
pub(crate) struct Ops<B, S> {
    slots: Vec<Slot<B, S>>,
    free: Vec<u32>,
    by_token: HashMap<Token, u32, BuildHasherDefault<TokenHasher>>,
    #[expect(
        clippy::vec_box,
        reason = "the boxes are what is reused, and go back and forth"
    )]
    spare: Vec<Box<SendWork<B>>>,
    /// What `spare` takes, as [`SPARE_SLICES`] counts.
    spare_slices: usize,
}

impl<B, S> Ops<B, S> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_token: HashMap::default(),
            spare: Vec::new(),
            spare_slices: 0,
        }
    }

    /// Operations in flight.
    pub(crate) fn len(&self) -> usize {
        self.by_token.len()
    }

    /// Takes an operation in.
    ///
    /// # Panics
    ///
    /// If an operation of this token is in flight: the caller could not tell their completions apart.
    pub(crate) fn insert(&mut self, token: Token, fd: &Arc<Fd>, work: Work<B, S>) -> Key {
        let op = Op {
            token,
            fd: Arc::clone(fd),
            work,
            cancel_asked: false,
            next: NONE,
        };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot {
                    generation: 0,
                    op: None,
                });
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 operations in flight")
            }
        };
        let before = self.by_token.insert(token, index);
        assert!(before.is_none(), "token {token} names an operation in flight");
        let slot = &mut self.slots[index as usize];
        slot.op = Some(op);
        Key {
            index,
            generation: slot.generation,
        }
    }

    /// The operation that a completion is for, unless it is finished already.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Op<B, S>> {
        self.slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.generation == key.generation)?
            .op
            .as_mut()
    }

    /// The operation in a slot that is known to be occupied.
    pub(crate) fn at(&mut self, index: u32) -> &mut Op<B, S> {
        self.slots[index as usize]
            .op
            .as_mut()
            .expect("a waiting operation is in flight")
    }

    /// The name under which the operation of `token` is in flight.
    pub(crate) fn find(&self, token: Token) -> Option<Key> {
        let index = *self.by_token.get(&token)?;
        Some(Key {
            index,
            generation: self.slots[index as usize].generation,
        })
    }

    /// Visits every operation in flight.
    pub(crate) fn for_each(&mut self, visit: impl FnMut(&mut Op<B, S>)) {
        self.slots
            .iter_mut()
            .filter_map(|slot| slot.op.as_mut())
            .for_each(visit);
    }

    /// Takes a finished operation out; its key becomes void.
    pub(crate) fn remove(&mut self, index: u32) -> Op<B, S> {
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let op = slot.op.take().expect("a finished operation was in flight");
        self.free.push(index);
        self.by_token.remove(&op.token);
        op
    }

    /// The memory for a send of `batch`, reused if there is some.
    pub(crate) fn send_work(&mut self, batch: Vec<B>, position: Position) -> Box<SendWork<B>> {
        let mut work = match self.spare.pop() {
            Some(work) => {
                self.spare_slices -= cost(&work);
                work
            }
            None => Box::new(SendWork::new()),
        };
        work.batch = batch;
        work.position = position;
        work.waits_for_room = false;
        work
    }

    /// Ends a send: gives the batch back and keeps the rest for reuse.
    pub(crate) fn finish_send(
        &mut self,
        token: Token,
        mut work: Box<SendWork<B>>,
        result: io::Result<usize>,
    ) -> Completion<B, S> {
        let batch = std::mem::take(&mut work.batch);
        let after = self.spare_slices + cost(&work);
        if after <= SPARE_SLICES {
            self.spare_slices = after;
            self.spare.push(work);
        }
        Completion::Sent { token, batch, result }
    }
}

/// Spreads tokens, which are the caller's own numbers, over the table. Nobody outside chooses them, so nobody can
/// choose them to collide, and a keyed hash would cost more than the rest of the slab.
#[derive(Default)]
pub(crate) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Fibonacci hashing; the rotation brings the well mixed upper bits down to where the table takes its index.
        self.0 = (self.0 ^ value)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    fn some_fd() -> Arc<Fd> {
        let (socket, _) = std::os::unix::net::UnixStream::pair().expect("socketpair");
        Arc::new(Fd::from(OwnedFd::from(socket)))
    }

    #[test]
    fn a_late_completion_does_not_match_the_next_user_of_the_slot() {
        let mut ops = Ops::<Vec<u8>, Vec<u8>>::new();
        let fd = some_fd();
        let first = ops.insert(1, &fd, Work::Poll(Interest::Readable));
        assert!(ops.get_mut(first).is_some());
        ops.remove(first.index);
        let second = ops.insert(2, &fd, Work::Poll(Interest::Readable));
        assert_eq!(first.index, second.index);
        assert!(ops.get_mut(first).is_none());
        assert_eq!(ops.get_mut(second).map(|op| op.token), Some(2));
        assert_eq!(Key::from_bits(second.to_bits()), second);
    }

    #[test]
    fn an_index_out_of_range_matches_nothing() {
        let mut ops = Ops::<Vec<u8>, Vec<u8>>::new();
        assert!(ops.get_mut(Key::from_bits(u64::MAX)).is_none());
    }

    #[test]
    #[should_panic(expected = "names an operation in flight")]
    fn a_token_names_one_operation() {
        let mut ops = Ops::<Vec<u8>, Vec<u8>>::new();
        let fd = some_fd();
        ops.insert(7, &fd, Work::Poll(Interest::Readable));
        ops.insert(7, &fd, Work::Poll(Interest::Writable));
    }
}
