//! iovec arrays and message headers, kept at stable addresses and reused.

use ringmq_queue::stable::StableBytes;

/// As many slices as the kernel takes in one call (`UIO_MAXIOV`).
pub(crate) const MAX_SLICES: usize = 1024;

/// The header of a `sendmsg` and the array that it points to.
///
/// It is boxed by its users, so that neither moves while the kernel may read it, and reused, so that a send costs no
/// allocation once the array has grown to the size of the usual batch.
pub(crate) struct Slices {
    header: libc::msghdr,
    array: Vec<libc::iovec>,
}

impl Slices {
    pub(crate) fn new() -> Self {
        Self {
            header: empty_header(),
            array: Vec::new(),
        }
    }

    /// Points at the first [`MAX_SLICES`] slices of `batch`, less the first `skip` bytes of the first one.
    ///
    /// The address is valid until the next call or until `self` is dropped, as long as `batch` lives.
    pub(crate) fn point_at<B: StableBytes>(&mut self, batch: &[B], skip: usize) -> *const libc::msghdr {
        self.array.clear();
        self.array.extend(batch.iter().take(MAX_SLICES).map(iovec));
        if let Some(first) = self.array.first_mut() {
            debug_assert!(skip <= first.iov_len);
            first.iov_base = first.iov_base.wrapping_byte_add(skip);
            first.iov_len -= skip;
        }
        self.header.msg_iov = self.array.as_mut_ptr();
        self.header.msg_iovlen = self.array.len();
        &raw const self.header
    }

    /// Slices for which there is memory.
    pub(crate) fn capacity(&self) -> usize {
        self.array.capacity()
    }
}

/// The kernel's form of a slice. `sendmsg` only reads through the pointer, whose type has no const form.
pub(crate) fn iovec<B: StableBytes>(bytes: &B) -> libc::iovec {
    let (start, len) = bytes.stable_bytes();
    libc::iovec {
        iov_base: start.cast_mut().cast(),
        iov_len: len,
    }
}

/// A message header without address, data or control.
pub(crate) fn empty_header() -> libc::msghdr {
    // SAFETY: `msghdr` consists of integers and raw pointers, for which all bits zero is a value. It cannot be written
    // as a literal, because some targets have private padding fields.
    unsafe { std::mem::zeroed() }
}

/// Progress of a batch through partial sends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Position {
    /// Bytes sent altogether.
    pub(crate) sent: usize,
    /// Index of the first slice that is not sent entirely.
    pub(crate) slice: usize,
    /// Bytes of that slice that are sent.
    pub(crate) skip: usize,
}

impl Position {
    /// Accounts for `count` more bytes, and moves over empty slices.
    pub(crate) fn advance<B: StableBytes>(&mut self, batch: &[B], count: usize) {
        self.sent += count;
        let mut left = self.skip + count;
        while let Some(slice) = batch.get(self.slice) {
            let (_, len) = slice.stable_bytes();
            if left < len {
                break;
            }
            left -= len;
            self.slice += 1;
        }
        self.skip = left;
        debug_assert!(self.slice < batch.len() || left == 0, "more sent than was there");
    }

    /// Whether everything has been sent.
    pub(crate) fn is_done<B>(&self, batch: &[B]) -> bool {
        self.slice == batch.len()
    }
}

/// The one slice that is left of `batch` at `position`, or `None` if there are more.
pub(crate) fn last_slice<B: StableBytes>(batch: &[B], position: &Position) -> Option<(*const u8, usize)> {
    if position.slice + 1 != batch.len() {
        return None;
    }
    let (start, len) = batch[position.slice].stable_bytes();
    Some((start.wrapping_add(position.skip), len - position.skip))
}
