//! Copies of short byte strings without a call: a `memcpy` of unknown length costs more than the bytes do.

use std::ptr;

/// Copies `len` bytes, by a call only if they are more than 128.
///
/// # Safety
///
/// `from` is valid for reading and `to` for writing `len` bytes, and the two do not overlap.
#[inline(always)]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise, which is both functions' as well.
    unsafe {
        if len <= 32 {
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
unsafe fn copy_at_most_64(from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(len <= 64);
    // SAFETY: each pair of pieces begins at 0 and ends at `len`, and the length of a piece is at most `len`.
    unsafe {
        if len >= 32 {
            copy_ends::<32>(from, to, len);
        } else if len >= 16 {
            copy_ends::<16>(from, to, len);
        } else if len >= 8 {
            copy_ends::<8>(from, to, len);
        } else if len >= 4 {
            copy_ends::<4>(from, to, len);
        } else if len >= 2 {
            copy_ends::<2>(from, to, len);
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
unsafe fn copy_32_or_more(from: *const u8, to: *mut u8, len: usize) {
    debug_assert!(len >= 32);
    // SAFETY: the caller's promise, with pieces not longer than `len`.
    unsafe {
        match len {
            0..=64 => copy_ends::<32>(from, to, len),
            65..=128 => copy_ends::<64>(from, to, len),
            _ => ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Copies the first and the last `N` of `len` bytes.
///
/// # Safety
///
/// Both are valid for `len` bytes and do not overlap, and `N` is at most `len`.
#[inline(always)]
unsafe fn copy_ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: both pieces lie within the `len` bytes. Arrays of bytes have no alignment. Reading both before writing
    // lets the two moves run side by side.
    unsafe {
        let first = ptr::read(from.cast::<[u8; N]>());
        let last = ptr::read(from.add(len - N).cast::<[u8; N]>());
        ptr::write(to.cast(), first);
        ptr::write(to.add(len - N).cast(), last);
    }
}

#[cfg(test)]
mod tests {
    use super::{copy_32_or_more, copy_at_most_64};

    #[test]
    fn copies_every_length_and_nothing_around_it() {
        let from: Vec<u8> = (0..64).collect();
        for len in 0..=64 {
            let exact = from[..len].to_vec();
            let mut to = [0xaa; 66];
            // SAFETY: `exact` has `len` bytes and `to` has room for 65 from its second byte on.
            unsafe { copy_at_most_64(exact.as_ptr(), to.as_mut_ptr().add(1), len) };
            assert_eq!(to[1..=len], from[..len]);
            assert_eq!(to[0], 0xaa);
            assert!(to[len + 1..].iter().all(|&byte| byte == 0xaa), "length {len}");
        }
    }

    #[test]
    fn copies_longer_strings_and_nothing_around_them() {
        let from: Vec<u8> = (0..200).collect();
        for len in 32..=200 {
            let exact = from[..len].to_vec();
            let mut to = [0xaa; 202];
            // SAFETY: `exact` has `len` bytes and `to` has room for 201 from its second byte on.
            unsafe { copy_32_or_more(exact.as_ptr(), to.as_mut_ptr().add(1), len) };
            assert_eq!(to[1..=len], from[..len]);
            assert_eq!(to[0], 0xaa);
            assert!(to[len + 1..].iter().all(|&byte| byte == 0xaa), "length {len}");
        }
    }
}
