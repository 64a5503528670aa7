//! Tests that need to reach behind the interface: to write what an honest peer does not, and to die where it hurts.

#[path = "../tests/common/mod.rs"]
mod common;
pub(crate) mod deaths;
mod forgeries;
mod hostile;

use ringmq_queue::sync::{AtomicU64, Ordering::Relaxed};

use self::common::{Side, duplicate};
use crate::{
    Bell, PeerSegment, Ringer, Segment, join,
    layout::{Geometry, Header},
    memory::{Area, HeaderRef},
};

/// The shortest segment: a ring of 16 KiB, bodies of up to 2 KiB in it, and a pool of eleven pages.
const LEN: usize = 64 << 10;

/// What the owner of a segment can write, without its library. Usable while one of the sides lives.
#[derive(Clone, Copy)]
struct Memory {
    header: HeaderRef,
    area: Area,
    geometry: Geometry,
}

// SAFETY: everything shared is accessed as atomics.
unsafe impl Send for Memory {}

impl Memory {
    fn header(&self) -> &Header {
        // SAFETY: the tests keep the sides for as long as this.
        unsafe { self.header.get() }
    }

    /// The words of the header that change.
    fn words(&self) -> [&AtomicU64; 8] {
        let header = self.header();
        [
            &header.publish.tail,
            &header.release.head,
            &header.release.taken,
            &header.want_data.data_at,
            &header.want_room.head,
            &header.want_room.taken,
            &header.want_returns.armed,
            &header.returned.blocks,
        ]
    }

    /// Writes a word at a position of the ring.
    fn put(&self, position: usize, word: u64) {
        assert!(position.is_multiple_of(8));
        let at = self.geometry.ring_at + position % self.geometry.ring_len;
        // SAFETY: a word of the ring, in a mapping that the tests keep.
        unsafe { self.area.store_word(at, word) };
    }

    fn set_tail(&self, tail: usize) {
        self.header().publish.tail.store(tail as u64, Relaxed);
    }
}

/// A victim, its peer, and what the peer can write.
fn pair() -> (Side, Side, Memory) {
    let segments = [Segment::create(LEN).unwrap(), Segment::create(LEN).unwrap()];
    let memory = Memory {
        header: segments[1].map.header(),
        area: segments[1].map.area(),
        geometry: segments[1].geometry,
    };
    let [(bell_a, ringer_a), (bell_b, ringer_b)] = [Bell::new().unwrap(), Bell::new().unwrap()];
    let open = |segment: &Segment| PeerSegment::open(duplicate(segment.fd()), LEN).unwrap();
    let [at_b, at_a] = [open(&segments[0]), open(&segments[1])];
    let [a, b] = segments;
    (
        Side::new(join(a, at_a, Ringer::from_peer(ringer_b).unwrap()), bell_a),
        Side::new(join(b, at_b, Ringer::from_peer(ringer_a).unwrap()), bell_b),
        memory,
    )
}
