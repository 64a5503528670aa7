//! The layout of a segment, and the only description of it: what lies where, who writes it, who reads it.
//!
//! ```text
//!      0 ┌ ident      written once, read once                              ┐
//!    128 │ publish    tail of the owner's ring                             │
//!    256 │ release      head and count of what the owner took of the peer's │ header, one page;
//!    384 │ want data    where the owner sleeps for the peer's tail          │ every group has
//!    512 │ want room    where the owner sleeps for the peer's release       │ 128 bytes of its own
//!    640 │ want returns whether the owner sleeps for chunks                 │
//!    768 │ returned     the peer's chunks that the owner gave back          │
//!    896 └ state                                                            ┘
//!   4096 ┌ ring       a power of two, a quarter of the segment
//!        └
//!        ┌ pool       at most 64 blocks of equal length, whole pages
//!        └
//! ```
//!
//! A segment has one writer: the process that created it. Numbers are in the byte order of the machine, which both
//! processes run on. Positions count bytes since the segment was made and never turn back.

use ringmq_queue::sync::{AtomicU32, AtomicU64};

/// Says that a file is a segment of this kind, in the byte order that the reader expects.
pub(crate) const MAGIC: u64 = u64::from_be_bytes(*b"RINGMQ\x00S");
/// Changes with every change to this file that a peer would notice.
pub(crate) const VERSION: u32 = 1;

/// The length of the header, and the granularity of everything else.
pub(crate) const PAGE: usize = 4096;
/// The shortest and the longest segment.
pub(crate) const SEGMENT_MIN: usize = 64 << 10;
pub(crate) const SEGMENT_MAX: usize = 64 << 20;
/// As many blocks as a word has bits, so that one word is the whole allocator.
pub(crate) const BLOCKS_MAX: usize = 64;

/// Flag of [`Ident`]: the owner runs `membarrier` over all processes before it sleeps, so that the peer need not fence.
pub(crate) const PROMISES_MEMBARRIER: u32 = 1;

/// A threshold that no position reaches: the owner does not sleep.
pub(crate) const NEVER: u64 = u64::MAX;

/// The value of [`State::state`] after [`Sender::close`](crate::Sender::close); it begins as zero.
pub(crate) const CLOSED: u32 = 1;

/// What a segment says about itself. All of it follows from the length and is compared with what the reader computes.
#[repr(C, align(128))]
pub(crate) struct Ident {
    pub(crate) magic: AtomicU64,
    pub(crate) version: AtomicU32,
    pub(crate) flags: AtomicU32,
    pub(crate) len: AtomicU64,
    pub(crate) ring_at: AtomicU64,
    pub(crate) ring_len: AtomicU64,
    pub(crate) pool_at: AtomicU64,
    pub(crate) block_len: AtomicU64,
    pub(crate) blocks: AtomicU64,
    /// A random number, so that a record of an earlier connection cannot be taken for one of this.
    pub(crate) epoch: AtomicU64,
}

/// Written by the owner's [`Sender`](crate::Sender) with every publish.
#[repr(C, align(128))]
pub(crate) struct Publish {
    pub(crate) tail: AtomicU64,
}

/// Written by the owner's [`Receiver`](crate::Receiver) now and then; about the peer's ring.
#[repr(C, align(128))]
pub(crate) struct Release {
    pub(crate) head: AtomicU64,
    pub(crate) taken: AtomicU64,
}

/// Written by the owner's receiver around sleeps, read by the peer with every publish.
#[repr(C, align(128))]
pub(crate) struct WantData {
    pub(crate) data_at: AtomicU64,
}

/// Written by the owner's sender around sleeps, read by the peer with every release.
#[repr(C, align(128))]
pub(crate) struct WantRoom {
    pub(crate) head: AtomicU64,
    pub(crate) taken: AtomicU64,
}

/// Written by the owner's sender around sleeps, read by the peer with every chunk that it returns.
#[repr(C, align(128))]
pub(crate) struct WantReturns {
    pub(crate) armed: AtomicU64,
}

/// One bit per block of the peer's pool, toggled when the chunk that begins there is returned. Any thread of the owner.
#[repr(C, align(128))]
pub(crate) struct Returned {
    pub(crate) blocks: AtomicU64,
}

/// Whether more will come.
#[repr(C, align(128))]
pub(crate) struct State {
    pub(crate) state: AtomicU32,
}

/// The first page of a segment.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) ident: Ident,
    pub(crate) publish: Publish,
    pub(crate) release: Release,
    pub(crate) want_data: WantData,
    pub(crate) want_room: WantRoom,
    pub(crate) want_returns: WantReturns,
    pub(crate) returned: Returned,
    pub(crate) state: State,
}

#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Header>() == 1024 && size_of::<Header>() <= PAGE);
    assert!(offset_of!(Header, ident) == 0);
    assert!(offset_of!(Header, publish) == 128);
    assert!(offset_of!(Header, release) == 256);
    assert!(offset_of!(Header, want_data) == 384);
    assert!(offset_of!(Header, want_room) == 512);
    assert!(offset_of!(Header, want_returns) == 640);
    assert!(offset_of!(Header, returned) == 768);
    assert!(offset_of!(Header, state) == 896);
    assert!(
        offset_of!(Ident, version) == 8 && offset_of!(Ident, flags) == 12 && offset_of!(Ident, len) == 16
    );
    assert!(offset_of!(Ident, ring_at) == 24 && offset_of!(Ident, ring_len) == 32);
    assert!(offset_of!(Ident, pool_at) == 40 && offset_of!(Ident, block_len) == 48);
    assert!(offset_of!(Ident, blocks) == 56 && offset_of!(Ident, epoch) == 64);
    assert!(offset_of!(Release, head) == 0 && offset_of!(Release, taken) == 8);
    assert!(offset_of!(WantRoom, head) == 0 && offset_of!(WantRoom, taken) == 8);
};

/// Where things lie in a segment. A private copy, never read back from shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) len: usize,
    pub(crate) ring_at: usize,
    pub(crate) ring_len: usize,
    pub(crate) pool_at: usize,
    pub(crate) block_len: usize,
    pub(crate) blocks: usize,
}

impl Geometry {
    /// The layout of a segment of `len` bytes; `None` if there is no segment of that length.
    pub(crate) const fn of(len: usize) -> Option<Self> {
        if len < SEGMENT_MIN || len > SEGMENT_MAX || !len.is_power_of_two() {
            return None;
        }
        let ring_len = len / 4;
        let pool_at = PAGE + ring_len;
        let pages = (len - pool_at) / PAGE;
        let block_pages = pages.div_ceil(BLOCKS_MAX);
        Some(Self {
            len,
            ring_at: PAGE,
            ring_len,
            pool_at,
            block_len: block_pages * PAGE,
            blocks: pages / block_pages,
        })
    }

    /// The longest body that is written into the ring as one record.
    pub(crate) const fn body_max(&self) -> usize {
        self.ring_len / 8
    }

    /// The longest chunk.
    pub(crate) const fn pool_len(&self) -> usize {
        self.block_len * self.blocks
    }
}

/// The bits of `count` blocks from `first` on.
pub(crate) const fn run_mask(first: usize, count: usize) -> u64 {
    debug_assert!(count > 0 && first + count <= BLOCKS_MAX);
    (u64::MAX >> (BLOCKS_MAX - count)) << first
}

/// The first of `count` consecutive blocks that are all set in `free`.
pub(crate) const fn first_run(free: u64, count: usize) -> Option<usize> {
    if count == 0 || count > BLOCKS_MAX {
        return None;
    }
    // After each step a bit says that `covered` blocks from it on are free.
    let mut starts = free;
    let mut covered = 1;
    while covered < count {
        let step = if covered < count - covered {
            covered
        } else {
            count - covered
        };
        starts &= starts >> step;
        covered += step;
    }
    if starts == 0 {
        None
    } else {
        Some(starts.trailing_zeros() as usize)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_room_for_header_ring_and_pool() {
        let mut len = SEGMENT_MIN;
        while len <= SEGMENT_MAX {
            let geometry = Geometry::of(len).unwrap();
            assert_eq!(geometry.ring_len, len / 4);
            assert!((1..=BLOCKS_MAX).contains(&geometry.blocks));
            assert!(geometry.pool_at + geometry.pool_len() <= len);
            assert_eq!(geometry.block_len % PAGE, 0);
            // Not more than a block per 64 is lost to rounding.
            assert!(geometry.pool_len() * 2 > len);
            len *= 2;
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for len in [
            0,
            1,
            PAGE,
            SEGMENT_MIN - 1,
            SEGMENT_MIN + PAGE,
            SEGMENT_MAX * 2,
            usize::MAX,
        ] {
            assert_eq!(Geometry::of(len), None);
        }
    }

    #[test]
    fn runs_are_found_first_fit() {
        assert_eq!(first_run(0, 1), None);
        assert_eq!(first_run(u64::MAX, 64), Some(0));
        assert_eq!(first_run(u64::MAX, 65), None);
        assert_eq!(first_run(u64::MAX, 0), None);
        assert_eq!(first_run(0b1011_1000, 3), Some(3));
        assert_eq!(first_run(0b1011_1011, 2), Some(0));
        assert_eq!(first_run(0b1011_1001, 4), None);
        assert_eq!(first_run(1 << 63, 1), Some(63));
        assert_eq!(first_run(0xff << 56, 8), Some(56));
        assert_eq!(first_run(0xff << 56, 9), None);
    }

    #[test]
    fn runs_agree_with_a_search_block_by_block() {
        let mut free = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..2000 {
            free ^= free << 13;
            free ^= free >> 7;
            free ^= free << 17;
            let dense = free | free.rotate_left(1) | free.rotate_left(11);
            for count in 1..=64 {
                let slow =
                    (0..=64 - count).find(|&first| dense & run_mask(first, count) == run_mask(first, count));
                assert_eq!(first_run(dense, count), slow);
            }
        }
    }
}
