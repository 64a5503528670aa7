//! Positions in a ring: pure arithmetic, no atomics.
//!
//! Head and tail count values since the ring was made and never turn back; they wrap with `usize` and are masked only
//! to find a slot. So a full and an empty ring differ without wasting a slot, and `tail - head` is the fill.

/// How many slots a ring has: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    mask: usize,
}

impl Capacity {
    /// The smallest capacity that holds `slots` values, and at least one.
    ///
    /// # Panics
    ///
    /// If no power of two that fits half of `usize` is large enough: positions could not tell full from empty.
    pub const fn at_least(slots: usize) -> Self {
        assert!(
            slots <= (usize::MAX >> 2) + 1,
            "ring capacity exceeds the address space"
        );
        // `next_power_of_two` of zero is one.
        Self {
            mask: slots.next_power_of_two() - 1,
        }
    }

    /// The number of slots.
    #[inline(always)]
    pub const fn get(self) -> usize {
        self.mask + 1
    }

    /// The slot of a position: less than [`get`](Self::get).
    #[inline(always)]
    pub const fn slot(self, position: usize) -> usize {
        position & self.mask
    }

    /// How many values may still be written at `tail` while the reader is at `head`.
    #[inline(always)]
    pub const fn free(self, head: usize, tail: usize) -> usize {
        debug_assert!(used(head, tail) <= self.get());
        self.get() - used(head, tail)
    }

    /// Whether a reader at `head` that last announced `released` has used up half of the ring since.
    #[inline(always)]
    pub const fn is_release_due(self, released: usize, head: usize) -> bool {
        // A ring of one slot has no half: there every value counts.
        used(released, head) > self.mask >> 1
    }
}

/// How many values lie between two positions.
#[inline(always)]
pub const fn used(head: usize, tail: usize) -> usize {
    tail.wrapping_sub(head)
}

/// The position `count` values after `position`.
#[inline(always)]
pub const fn advance(position: usize, count: usize) -> usize {
    position.wrapping_add(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_are_rounded_up_to_powers_of_two() {
        for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (64, 64), (65, 128)] {
            assert_eq!(Capacity::at_least(asked).get(), got);
        }
    }

    #[test]
    #[should_panic(expected = "exceeds the address space")]
    fn absurd_capacities_are_refused() {
        Capacity::at_least(usize::MAX / 2);
    }

    #[test]
    fn fill_survives_the_wrap_of_usize() {
        let capacity = Capacity::at_least(8);
        let head = usize::MAX - 2;
        let tail = advance(head, 5);
        assert_eq!(tail, 2);
        assert_eq!(used(head, tail), 5);
        assert_eq!(capacity.free(head, tail), 3);
        assert_eq!(capacity.slot(usize::MAX), 7);
        assert_eq!(capacity.slot(advance(usize::MAX, 1)), 0);
    }

    #[test]
    fn release_is_due_after_half_a_ring() {
        let four = Capacity::at_least(4);
        assert!(!four.is_release_due(0, 1));
        assert!(four.is_release_due(0, 2));
        assert!(four.is_release_due(usize::MAX, 1));
        let one = Capacity::at_least(1);
        assert!(!one.is_release_due(7, 7));
        assert!(one.is_release_due(7, 8));
    }
}
