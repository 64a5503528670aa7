//! Size classes: powers of two from 128 B to 256 KiB.

const SMALLEST_LOG2: u32 = 7;

/// How many classes there are.
pub(super) const COUNT: usize = 12;

/// The class of the smallest blocks that hold `len` bytes, or none if only the allocator has such blocks.
#[inline(always)]
pub(super) fn of(len: usize) -> Option<usize> {
    if len > capacity(COUNT - 1) {
        return None;
    }
    // The lowest bits are set so that everything up to the smallest capacity falls in the first class.
    let last = len.saturating_sub(1) | (capacity(0) - 1);
    Some((last.ilog2() + 1 - SMALLEST_LOG2) as usize)
}

/// How many bytes the blocks of a class hold.
#[inline(always)]
pub(super) const fn capacity(class: usize) -> usize {
    1 << (class as u32 + SMALLEST_LOG2)
}

/// The class whose blocks hold exactly `capacity` bytes.
#[inline(always)]
pub(super) fn exact(capacity: usize) -> usize {
    debug_assert!(capacity.is_power_of_two());
    (capacity.trailing_zeros() - SMALLEST_LOG2) as usize
}

#[cfg(test)]
mod tests {
    use super::{COUNT, capacity, exact, of};

    #[test]
    fn every_length_gets_the_smallest_class_that_holds_it() {
        assert_eq!((capacity(0), capacity(COUNT - 1)), (128, 256 * 1024));
        assert_eq!((of(0), of(1)), (Some(0), Some(0)));
        for class in 0..COUNT {
            assert_eq!(of(capacity(class)), Some(class));
            assert_eq!(exact(capacity(class)), class);
            assert_eq!(of(capacity(class) + 1), (class + 1 < COUNT).then_some(class + 1));
        }
    }
}
