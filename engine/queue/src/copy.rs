//! Copies of short byte strings without a call: a `memcpy` of unknown length costs more than the bytes do.
//!
//! They take addresses and not slices, because either side may be memory to which no reference is allowed: of a ring that
//! another thread reads, or of another process.

use std::ptr;

/// What is moved at a time where there is enough: a vector register, or two general ones.
#[cfg(target_arch = "x86_64")]
type Unit = std::arch::x86_64::__m128i;
#[cfg(not(target_arch = "x86_64"))]
type Unit = u128;

const UNIT: usize = size_of::<Unit>();

/// Copies `len` bytes, by a call only if they are more than 128.
///
/// Nothing beyond `len` is read or written on either side.
///
/// # Safety
///
/// `from` is valid for reading and `to` for writing `len` bytes, and the two do not overlap.
#[inline(always)]
pub unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise, which is both functions' as well.
    unsafe {
        if len < 32 {
            copy_at_most_64(from, to, len);
        } else {
            copy_32_or_more(from, to, len);
        }
    }
}

/// Copies `len` bytes in fixed-size pieces that may overlap, picked by the class of the length.
///
/// Nothing beyond `len` is read or written on either side.
///
/// # Safety
///
/// `from` is valid for reading and `to` for writing `len` bytes, `len` is at most 64, and the two do not overlap.
#[inline(always)]
pub unsafe fn copy_at_most_64(from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(len <= 64);
    // SAFETY: each pair of pieces begins at 0 and ends at `len`, and the length of a piece is at most `len`.
    unsafe {
        if len >= 32 {
            copy_two_units(from, to, len);
        } else if len >= 16 {
            copy_ends::<Unit>(from, to, len);
        } else if len >= 8 {
            copy_ends::<u64>(from, to, len);
        } else if len >= 4 {
            copy_ends::<u32>(from, to, len);
        } else if len >= 2 {
            copy_ends::<u16>(from, to, len);
        } else if len == 1 {
            *to = *from;
        }
    }
}

/// Copies `len` bytes, by a call only if they are more than 128.
///
/// # Safety
///
/// `from` is valid for reading and `to` for writing `len` bytes, and the two do not overlap. `len` is at least 32.
#[inline(always)]
pub unsafe fn copy_32_or_more(from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(len >= 2 * UNIT);
    // SAFETY: the caller's promise, with pieces not longer than `len`.
    unsafe {
        match len {
            0..=64 => copy_two_units(from, to, len),
            65..=128 => {
                copy_two_units(from, to, 4 * UNIT);
                copy_two_units(from.add(len - 4 * UNIT), to.add(len - 4 * UNIT), 4 * UNIT);
            }
            _ => ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Copies the first and the last value of type `T` of `len` bytes.
///
/// # Safety
///
/// Both are valid for `len` bytes and do not overlap, `T` is at most that long, and a plain number.
#[inline(always)]
unsafe fn copy_ends<T: Copy>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - size_of::<T>();
    // SAFETY: both values lie within the `len` bytes. Both are read before one is written, so that the moves run side by
    // side.
    unsafe {
        let (a, b) = (read::<T>(from, 0), read::<T>(from, last));
        write(to, 0, a);
        write(to, last, b);
    }
}

/// Copies the first and the last two units of `len` bytes.
///
/// # Safety
///
/// As for [`copy_ends`], and `len` is at least two units.
#[inline(always)]
unsafe fn copy_two_units(from: *const u8, to: *mut u8, len: usize) {
    // One by one: an array of units would take the way over the stack.
    let (last, end) = (len - 2 * UNIT, len - UNIT);
    // SAFETY: as in `copy_ends`.
    unsafe {
        let (a, b) = (read::<Unit>(from, 0), read::<Unit>(from, UNIT));
        let (c, d) = (read::<Unit>(from, last), read::<Unit>(from, end));
        write(to, 0, a);
        write(to, UNIT, b);
        write(to, last, c);
        write(to, end, d);
    }
}

/// # Safety
///
/// A value lies at that distance from the address.
#[inline(always)]
unsafe fn read<T>(from: *const u8, at: usize) -> T {
    // SAFETY: the caller's promise.
    unsafe { ptr::read_unaligned(from.add(at).cast()) }
}

/// # Safety
///
/// There is room for a value at that distance from the address.
#[inline(always)]
unsafe fn write<T>(to: *mut u8, at: usize, value: T) {
    // SAFETY: the caller's promise.
    unsafe { ptr::write_unaligned(to.add(at).cast(), value) };
}

#[cfg(test)]
mod tests {
    use super::{copy, copy_32_or_more, copy_at_most_64};

    /// Runs a copy for a range of lengths, and looks at what is copied and at what lies around it.
    fn check(lens: impl Iterator<Item = usize>, copy: unsafe fn(*const u8, *mut u8, usize)) {
        let from: Vec<u8> = (0..=255).collect();
        for len in lens {
            let exact = from[..len].to_vec();
            let mut to = vec![0xaa; len + 2];
            // SAFETY: `exact` has `len` bytes, and so has `to` from its second byte on.
            unsafe { copy(exact.as_ptr(), to.as_mut_ptr().add(1), len) };
            assert_eq!(to[1..=len], from[..len]);
            assert_eq!((to[0], to[len + 1]), (0xaa, 0xaa), "length {len}");
        }
    }

    #[test]
    fn copies_every_length_and_nothing_around_it() {
        check(0..=200, |from, to, len| {
            // SAFETY: `check` promises the same.
            unsafe { copy(from, to, len) }
        });
        check(0..=64, |from, to, len| {
            // SAFETY: `check` promises the same, for at most 64 bytes.
            unsafe { copy_at_most_64(from, to, len) }
        });
        check(32..=200, |from, to, len| {
            // SAFETY: `check` promises the same, for at least 32 bytes.
            unsafe { copy_32_or_more(from, to, len) }
        });
    }
}
