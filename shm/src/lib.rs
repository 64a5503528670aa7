//! Single-producer single-consumer rings in sealed memory files, between two processes that need not trust each other.
//!
//! A connection has two *segments*, one per process. A segment is written by the process that made it and by nobody else:
//! the kernel sees to that. It holds the ring and the pool for what that process sends, and the words in which it says
//! how far it has read the other's ring, and where it sleeps. So each of the two can rely on what it finds in its own
//! segment, and believes nothing that it finds in the other's.
//!
//! ```text
//!      process A                                          process B
//!  ┌─ segment of A, mapped by B for reading ─┐
//!  │ tail ───────────────────────────────────┼─▶ how far B may read
//!  │ ring │▒▒▒▒ records ▒▒▒▒│                │   Receiver of B copies out of it
//!  │ pool │▒ chunk ▒│     │▒ chunk ▒▒▒│      │   Lent: B reads in place, or copies
//!  │ head, taken: how far A has read B's ring│
//!  │ wants: where A sleeps · returned: chunks│
//!  └─────────────────────────────────────────┘
//!                          ┌─ segment of B, mapped by A for reading ─┐
//!     Receiver of A   ◀────┼ the same, the other way round           │
//!                          └─────────────────────────────────────────┘
//!        Bell of A ◀───── a byte in a pipe, only if A sleeps ── Ringer of B
//! ```
//!
//! What lies where in a segment is in the file `layout.rs`, and only there. Nothing has a name in a file system: the
//! descriptors of segment and bell are passed over a socket, which also tells when the other process is gone.
//!
//! # Use
//!
//! ```
//! use std::mem::MaybeUninit;
//! use ringmq_shm::{Bell, Body, PeerSegment, Ringer, Segment, join};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Each side makes a segment and a bell, and sends both descriptors to the other; here both are the same process.
//! let (ours, theirs) = (Segment::create(1 << 20)?, Segment::create(1 << 20)?);
//! let ((our_bell, to_us), (their_bell, to_them)) = (Bell::new()?, Bell::new()?);
//! let at_them = PeerSegment::open(ours.fd().try_clone_to_owned()?, 1 << 20)?;
//! let at_us = PeerSegment::open(theirs.fd().try_clone_to_owned()?, 1 << 20)?;
//! let (mut sender, _) = join(ours, at_us, Ringer::from_peer(to_them)?);
//! let (_, mut receiver) = join(theirs, at_them, Ringer::from_peer(to_us)?);
//!
//! // A message of two parts, which is seen whole or not at all.
//! assert!(sender.write(b"hello", true) && sender.write(b"world", false));
//! sender.publish();
//!
//! let mut room = [MaybeUninit::uninit(); 5];
//! for expected in [b"hello", b"world"] {
//!     let record = receiver.next()?.expect("it was published");
//!     let Body::Bytes(bytes) = record.body else { unreachable!("short bodies lie in the ring") };
//!     assert_eq!(bytes.copy_to(&mut room), expected);
//! }
//!
//! // A long body, written where the peer will read it: nothing is copied.
//! let mut loan = sender.loan(100_000).expect("nobody has borrowed anything");
//! loan.fill(7);
//! sender.write_chunk(loan, false).expect("the ring is empty");
//! sender.publish();
//! let Some(Body::Lent(lent)) = receiver.next()?.map(|record| record.body) else { unreachable!("one was sent") };
//! assert_eq!(lent.len(), 100_000);
//! # Ok(())
//! # }
//! ```
//!
//! # Bodies of every length
//!
//! | body | lies in | copies | written by |
//! |---|---|---|---|
//! | up to [`Sender::body_max`], an eighth of the ring | the ring | one in, one out | [`Sender::write`] |
//! | up to [`Sender::chunk_max`] | the pool, if a long enough run of blocks is free | one in, one out | [`Sender::write`] |
//! | the same, as a [loan](Sender::loan) | the pool | none in; none out between those who [trust](Lent::trust) each other | [`Sender::write_chunk`] |
//! | any | the ring, in slices that are published one by one | one in, one out | [`Sender::write_pieces`] |
//!
//! Parts of a message become visible together, by one [`publish`](Sender::publish). A message that does not fit is
//! published as it is written, and its first record says so; if it is given up, a record says that too. The receiver of
//! such a message keeps its parts to itself until the last has come.
//!
//! # Sleeping without lost wake-ups
//!
//! There are four things to wait for: data, room in the ring, messages to have been taken, and chunks to come back. They
//! work alike. The sleeper stores in *its own* segment at which value of the other's word it wants to be woken
//! ([`Receiver::arm`], [`Sender::ask_for_room`]), runs [`heavy_fence`], and looks once more; only if that finds nothing does
//! it sleep. The other side moves its word, runs a light fence, loads the threshold, and rings the [`Bell`] if it has just
//! passed it. Then
//!
//! 1. either the load finds the threshold, or the second look finds the word moved, because each side has a fence between
//!    its store and its load, and of two such pairs at least one sees the other's store;
//! 2. of the moves whose load finds the threshold, the first finds the word below it, as otherwise an earlier move would
//!    have been visible to the second look; so the first that ends above it rings;
//! 3. a ring is a byte in a pipe, which stays there however late the sleeper gets to its sleep.
//!
//! No timer stands behind this. The light fence costs nothing between processes that the kernel allows `membarrier(2)`:
//! the sleeper pays for both. The models in `tests/loom.rs` run this code with either fence left out, and hang.
//!
//! The words themselves are ordered as in any ring. A tail is stored with Release after the records before it, and loaded
//! before they are read; a head is stored with Release after the last read of what it gives back, and loaded before that
//! is written; a chunk's bit likewise. As the other's segment is mapped for reading, these loads are relaxed ones followed
//! by an Acquire fence.
//!
//! # What a hostile peer can do
//!
//! It has our segment to read, its own to write, and the pipes. It can
//!
//! * send us any bytes at all, as over a socket, and bytes that change while we copy them: the copy is what counts;
//! * read all of our pool and ring, including loans that are not sent yet: one segment per peer, so only what is for it;
//! * never read, never return a chunk, or not wake us: then we wait, as for a socket that nobody reads;
//! * ring without end, which costs us one system call per ring that we take notice of;
//! * keep its memory allocated for as long as we keep it mapped, at most the length that we allow.
//!
//! It cannot
//!
//! * take the memory away under us or make it shorter (seals, checked before it is mapped, and all of it allocated), nor
//!   have others write it;
//! * write ours, so that nothing of ours that is read back there is of its making;
//! * make us read or write outside of the mappings, loop, or panic: every word is loaded once, checked against what *we*
//!   know, and used from a private copy. A lie is a [`Violation`], which stays;
//! * make us take bytes that it may change for a slice. The only way to one is to say that the peer is trusted
//!   ([`Lent::trust`]), and then a peer that breaks its word can do anything;
//! * block us or kill us through the pipe (see [`Bell`]);
//! * bring back an old connection: segments are used once and have a random [epoch](Segment::epoch).
//!
//! A process of the same user can attach a debugger to ours. No ring helps against that.
//!
//! # Death
//!
//! The end of a process is noticed by the socket that the descriptors came through, or by [`Bell::drain`]; nothing here is
//! locked, so nothing is left locked. What was published can still be received, what was not has never existed. There
//! is nothing to repair and nothing to reuse: a new connection gets new segments.
//!
//! # Fork
//!
//! Mappings are not inherited. In a child that was forked, a use of either end or of a borrowed body faults; dropping them
//! there is harmless, and the parent does not notice. Descriptors are closed by `exec`.

/// Where a test may have the process killed; nothing otherwise.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(all(test, not(loom)))]
        crate::tests::deaths::pass($name);
    };
}

#[cfg(not(loom))]
mod bell;
mod error;
mod fence;
#[cfg(not(loom))]
mod fork;
#[cfg_attr(loom, allow(dead_code, reason = "a modelled segment has no header to check"))]
mod layout;
mod link;
#[cfg(not(loom))]
mod memory;
#[cfg(loom)]
pub mod model;
mod pool;
mod receiver;
mod record;
#[cfg(not(loom))]
mod segment;
mod sender;
#[cfg(all(test, not(loom)))]
mod tests;

// So that the tests in here and those outside can share their tools.
#[cfg(all(test, not(loom)))]
extern crate self as ringmq_shm;

#[cfg(not(loom))]
use std::sync::Arc;

#[cfg(loom)]
pub use crate::model::{Bell, Ringer};
#[cfg(not(loom))]
pub use crate::{
    bell::{Bell, Ringer},
    segment::{PeerSegment, Segment},
};
pub use crate::{
    error::{OpenError, Violation},
    fence::heavy_fence,
    pool::{Adoptable, Chunk, Lent},
    receiver::{Body, Receiver, Record, SharedBytes},
    sender::Sender,
};

/// Makes the two ends of a connection out of both segments and the way to wake the peer.
///
/// Closes our descriptor of our own segment: send it before. The mappings live as long as anything that is borrowed from
/// them.
#[cfg(not(loom))]
pub fn join(mine: Segment, theirs: PeerSegment, ringer: Ringer) -> (Sender, Receiver) {
    let own = link::Own::new(mine.map, mine.geometry);
    let light = fence::Light::towards(theirs.promises_membarrier);
    let link = Arc::new(link::Link::new(own, theirs.map, theirs.geometry, light, ringer));
    (Sender::new(Arc::clone(&link)), Receiver::new(link))
}
