//! The lock-free parts of RingMQ: what threads of one process hand each other, and how they sleep in between.
//!
//! A tour, in the order in which a message meets the modules:
//!
//! * [`spsc`]: the ring that every pipe is made of. One producer, one consumer, no lock, and no waking inside.
//!   [`cursor`] is its arithmetic, without atomics.
//! * [`chain`]: the ring's unbounded sibling for pipes inside the process, whose users count what they put in.
//! * [`mailbox`]: rare commands from many threads to one, where a lock is cheap enough.
//! * [`wake`]: the [`Parker`](wake::Parker), the one place where the owner of any number of rings and mailboxes sleeps.
//! * [`barrier`]: the pair of fences that keeps a busy producer free of fence instructions and lets the sleeper pay.
//! * `membarrier`: the system call behind it, which is not there under loom.
//! * [`biased`]: a lock that costs the thread which has the habit of taking it no exchange.
//! * [`prefetch`]: a line that is about to be written is asked for ahead.
//! * [`copy`]: short copies without a call.
//! * [`stable`]: what a value has to promise before its bytes may be given to the kernel.
//! * [`sync`]: the door to atomics, cells and locks, so that loom models run the production code.
//!
//! # Sleeping without lost wake-ups
//!
//! A ring and a parker are combined by their user, always in this order:
//!
//! ```
//! use ringmq_queue::{spsc, sync::{Arc, thread}, wake::{ParkOn, Parker}};
//!
//! let (mut producer, mut consumer) = spsc::ring::<u32>(64);
//! let parker = Arc::new(Parker::new());
//!
//! let waker = Arc::clone(&parker);
//! let busy = thread::spawn(move || {
//!     producer.try_push(7).unwrap(); // First the store that makes work visible,
//!     waker.wake(); // then the fence and the look at the sleeper, both in here.
//! });
//!
//! let received = loop {
//!     if let Some(value) = consumer.pop() {
//!         break value; // Work is taken without touching the parker.
//!     }
//!     parker.arm(ParkOn::Futex); // First announce the sleep and fence,
//!     if consumer.is_empty() {
//!         parker.park(None); // then sleep only if a second look still finds nothing.
//!     } else {
//!         parker.disarm();
//!     }
//! };
//! busy.join().unwrap();
//! assert_eq!(received, 7);
//! ```
//!
//! Each side stores, fences, then loads what the other side stores. At least one of the two loads sees the other's
//! store: either the sleeper finds the work, or the producer finds the sleeper. No timer stands behind this; a lost
//! wake-up would hang, and the models in `tests/loom.rs` show that it hangs as soon as either fence is left out.

pub mod barrier;
pub mod biased;
pub mod chain;
pub mod copy;
pub mod cursor;
#[cfg(not(loom))]
mod eventfd;
#[cfg(not(loom))]
mod futex;
pub mod mailbox;
#[cfg(not(loom))]
pub mod membarrier;
#[cfg(loom)]
mod model;
pub mod prefetch;
mod slots;
pub mod spsc;
pub mod stable;
pub mod sync;
pub mod wake;
