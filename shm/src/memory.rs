//! The mapped memory of a segment, and every access to its bytes.
//!
//! Bytes of the peer's segment may change at any time, so no Rust reference to them ever exists: words are loaded as
//! atomics, and bodies are copied through raw pointers and looked at afterwards. The language has no copy for memory that
//! another process writes; the copies here are plain reads whose results are only stored, never branched on, so the worst
//! that a hostile writer achieves is a copy of some bytes of its own choice.

use std::{
    io,
    mem::ManuallyDrop,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
};

use memmap2::{Advice, MmapOptions, MmapRaw};
use ringmq_queue::{
    copy::copy,
    sync::{AtomicU64, Ordering::Relaxed},
};

use crate::{fork, layout::Header};

/// A shared mapping of a whole segment, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Map {
    raw: ManuallyDrop<MmapRaw>,
    forks: u32,
}

impl Map {
    /// Maps the first `len` bytes for reading and writing.
    pub(crate) fn read_write(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Self::adopt(MmapOptions::new().len(len).populate().map_raw(fd.as_raw_fd())?)
    }

    /// Maps the first `len` bytes for reading.
    pub(crate) fn read_only(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Self::adopt(
            MmapOptions::new()
                .len(len)
                .populate()
                .map_raw_read_only(fd.as_raw_fd())?,
        )
    }

    fn adopt(raw: MmapRaw) -> io::Result<Self> {
        raw.advise(Advice::DontFork)?;
        Ok(Self {
            raw: ManuallyDrop::new(raw),
            forks: fork::watch(),
        })
    }

    /// Whether this is still the process that made the mapping.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        fork::is_same_process(self.forks)
    }

    /// The bytes, for as long as the mapping lives.
    pub(crate) fn area(&self) -> Area {
        // SAFETY: a mapping never begins at null.
        Area(unsafe { NonNull::new_unchecked(self.raw.as_mut_ptr()) })
    }

    /// The header, for as long as the mapping lives.
    pub(crate) fn header(&self) -> HeaderRef {
        HeaderRef(self.area().0.cast())
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.raw) };
        }
    }
}

/// A header in a mapping. Whoever keeps it keeps the mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderRef(NonNull<Header>);

impl HeaderRef {
    /// The words.
    ///
    /// # Safety
    ///
    /// The mapping lives as long as the reference is used.
    #[inline(always)]
    pub(crate) unsafe fn get<'a>(self) -> &'a Header {
        // SAFETY: a mapping has at least a page, which the header fits, begins at a page, and lives by the caller's
        // promise. The header consists of atomics only, for which any bytes are valid and which may change.
        unsafe { self.0.as_ref() }
    }
}

/// The bytes of a mapping. Whoever keeps it keeps the mapping.
///
/// Offsets count from the beginning of the segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area(NonNull<u8>);

impl Area {
    /// # Safety
    ///
    /// The offset lies within the mapping, which lives as long as the address is used.
    #[inline(always)]
    pub(crate) unsafe fn address(self, at: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(at).as_ptr() }
    }

    /// # Safety
    ///
    /// `at` is a multiple of 8, the eight bytes lie in the mapping, and it lives.
    #[inline(always)]
    pub(crate) unsafe fn load_word(self, at: usize) -> u64 {
        // SAFETY: aligned and mapped by the caller's promise. A relaxed load of a word does not write, so that a
        // read-only mapping will do, and it happens once.
        unsafe { (*self.address(at).cast::<AtomicU64>()).load(Relaxed) }
    }

    /// # Safety
    ///
    /// As for [`load_word`](Self::load_word), and the mapping is writable.
    #[inline(always)]
    pub(crate) unsafe fn store_word(self, at: usize, word: u64) {
        // SAFETY: aligned, mapped and writable by the caller's promise.
        unsafe { (*self.address(at).cast::<AtomicU64>()).store(word, Relaxed) };
    }

    /// Copies `bytes` to `at`.
    ///
    /// # Safety
    ///
    /// The room lies in the mapping, which is writable and lives, and `bytes` does not overlap it.
    #[inline(always)]
    pub(crate) unsafe fn write(self, at: usize, bytes: &[u8]) {
        // SAFETY: the caller's promise.
        unsafe { copy(bytes.as_ptr(), self.address(at), bytes.len()) };
    }

    /// Copies `len` bytes from `at`; whatever they are when they are read.
    ///
    /// # Safety
    ///
    /// They lie in the mapping, which lives, and `to` has room for them and does not overlap it.
    #[inline(always)]
    pub(crate) unsafe fn read(self, at: usize, to: *mut u8, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { copy(self.address(at), to, len) };
    }
}
