//! Runs of blocks: [`Chunk`] of our own pool, to be filled and sent, and [`Lent`] of the peer's, received.

use std::{
    ffi::c_void,
    fmt,
    mem::{ManuallyDrop, MaybeUninit},
    ptr,
    sync::Arc,
};
#[cfg(not(loom))]
use std::{
    ops::{Deref, DerefMut},
    slice,
};

use ringmq_queue::stable::FillBytes;
#[cfg(not(loom))]
use ringmq_queue::stable::Foreign;

use crate::link::{Link, Own};

/// A foreign buffer as C sees it: where it is, how long it is, and how to give it back.
///
/// Whoever holds the parts calls `free` once with `data` and `hint`, on any thread; it does not unwind. Until then the
/// bytes are valid.
#[derive(Debug)]
pub struct Adoptable {
    /// The first byte.
    pub data: *mut u8,
    /// How many bytes there are.
    pub len: usize,
    /// Gives the buffer back.
    pub free: unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void),
    /// The second argument of `free`.
    pub hint: *mut c_void,
}

/// Memory in the sender's own pool, to be filled in place and sent with
/// [`Sender::write_chunk`](crate::Sender::write_chunk). Nothing is copied.
///
/// The peer can read it from the beginning, though it does not know where to look: put nothing into it that is not meant
/// for that peer. Dropping it, on any thread, makes the memory free again. It keeps the mapping alive.
pub struct Chunk {
    own: Arc<Own>,
    first: u8,
    count: u8,
    len: usize,
}

impl Chunk {
    /// `count` blocks that have been taken out of the free ones.
    pub(crate) fn new(own: Arc<Own>, first: usize, count: usize, len: usize) -> Self {
        debug_assert!(len <= count * own.geometry.block_len);
        Self {
            own,
            first: first as u8,
            count: count as u8,
            len,
        }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets everything behind the first `len` bytes; does nothing if there are not that many.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Whether it is a chunk of this pool.
    pub(crate) fn is_of(&self, own: &Arc<Own>) -> bool {
        Arc::ptr_eq(&self.own, own)
    }

    /// First block, number of blocks, number of bytes; the blocks are the caller's to free.
    pub(crate) fn into_run(self) -> (usize, usize, usize) {
        let chunk = ManuallyDrop::new(self);
        // SAFETY: the chunk is forgotten, so its reference is moved out once.
        drop(unsafe { ptr::read(&chunk.own) });
        (usize::from(chunk.first), usize::from(chunk.count), chunk.len)
    }

    fn offset(&self) -> usize {
        self.own.geometry.pool_at + usize::from(self.first) * self.own.geometry.block_len
    }
}

#[cfg(not(loom))]
impl Chunk {
    fn data(&self) -> *mut u8 {
        // SAFETY: the run lies in the pool, and `self` keeps the mapping.
        unsafe { self.own.map.area().address(self.offset()) }
    }

    /// Gives the chunk away as a foreign buffer, which may be written until it is given back.
    pub fn into_adoptable(self) -> Adoptable {
        let data = self.data();
        let chunk = ManuallyDrop::new(self);
        // SAFETY: the chunk is forgotten, so its reference is moved out once.
        let own = unsafe { ptr::read(&chunk.own) };
        Adoptable {
            data,
            len: chunk.len,
            free: free_chunk,
            hint: Arc::into_raw(own).cast_mut().cast(),
        }
    }

    /// Undoes [`into_adoptable`](Self::into_adoptable).
    ///
    /// # Safety
    ///
    /// `data` and `hint` come from it, `free` has not been called and never will be, nobody else uses the bytes any more,
    /// and `len` is not more than it was.
    pub unsafe fn from_adoptable(data: *mut u8, len: usize, hint: *mut c_void) -> Self {
        // SAFETY: `hint` is a reference that was made into a pointer there.
        let own = unsafe { Arc::from_raw(hint.cast_const().cast::<Own>()) };
        let first = block_at(&own, data);
        Self {
            first: first as u8,
            count: own.free.count(first) as u8,
            own,
            len,
        }
    }
}

#[cfg(not(loom))]
impl From<Chunk> for Foreign {
    /// Gives the memory to whoever frees it. Allocates nothing.
    fn from(chunk: Chunk) -> Self {
        let Adoptable {
            data,
            len,
            free,
            hint,
        } = chunk.into_adoptable();
        // SAFETY: the bytes are initialised and only this chunk had them; `free` gives its blocks back, on any thread.
        unsafe { Self::new(data, len, free, hint, true) }
    }
}

#[cfg(not(loom))]
impl Chunk {
    /// Takes a chunk of this pool back from whoever was to free it, perhaps shortened. Anything else is returned as it was.
    pub(crate) fn reclaim(foreign: Foreign, own: &Arc<Own>) -> Result<Self, Foreign> {
        if !foreign.belongs_to(free_chunk, Arc::as_ptr(own).cast()) {
            return Err(foreign);
        }
        let (data, len, _, hint, _) = foreign.into_parts();
        // SAFETY: only `into_adoptable` makes foreign memory with this function and this hint, and whoever had it has
        // given it up without freeing it.
        Ok(unsafe { Self::from_adoptable(data, len, hint) })
    }
}

/// The block of our pool that an address lies in.
#[cfg(not(loom))]
fn block_at(own: &Own, data: *mut u8) -> usize {
    // SAFETY: the pool lies in the mapping.
    let pool = unsafe { own.map.area().address(own.geometry.pool_at) };
    (data.addr() - pool.addr()) / own.geometry.block_len
}

/// Drops a chunk.
///
/// # Safety
///
/// Those of [`Chunk::from_adoptable`].
#[cfg(not(loom))]
unsafe extern "C" fn free_chunk(data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Chunk::from_adoptable(data.cast(), 0, hint) });
}

#[cfg(not(loom))]
impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the run lies in our pool, which only this process writes and which was zero from the beginning. Only
        // this chunk has it, because it was taken out of the free blocks, and `self` keeps the mapping.
        unsafe { slice::from_raw_parts(self.data(), self.len) }
    }
}

#[cfg(not(loom))]
impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`. The peer may read the bytes while they are written; it sees what it sees.
        unsafe { slice::from_raw_parts_mut(self.data(), self.len) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.own
            .free
            .insert(usize::from(self.first), usize::from(self.count));
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} B at {})", self.len, self.offset())
    }
}

/// A body in the peer's pool. Dropping it, on any thread, gives the memory back to the peer. It keeps the mapping alive.
///
/// The peer may write the bytes at any time, so that they can only be copied; see [`as_slice`](Self::as_slice).
pub struct Lent {
    link: Arc<Link>,
    first: u8,
    count: u8,
    len: usize,
}

impl Lent {
    /// `count` blocks that have been noted as held.
    pub(crate) fn new(link: Arc<Link>, first: usize, count: usize, len: usize) -> Self {
        link.held.set_count(first, count);
        Self {
            link,
            first: first as u8,
            count: count as u8,
            len,
        }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies the bytes as they are now, and returns the copy.
    ///
    /// # Panics
    ///
    /// If `to` is not [`len`](Self::len) bytes long.
    pub fn copy_to<'t>(&self, to: &'t mut [MaybeUninit<u8>]) -> &'t mut [u8] {
        assert_eq!(to.len(), self.len, "a copy of another length");
        // SAFETY: the run lies in the peer's pool, and `self` keeps the mapping.
        unsafe {
            self.link
                .theirs
                .area()
                .read(self.offset(), to.as_mut_ptr().cast(), self.len)
        };
        // SAFETY: all bytes have just been initialised.
        unsafe { &mut *(&raw mut *to as *mut [u8]) }
    }

    fn offset(&self) -> usize {
        let geometry = &self.link.their_geometry;
        geometry.pool_at + usize::from(self.first) * geometry.block_len
    }
}

#[cfg(not(loom))]
impl Lent {
    fn data(&self) -> *mut u8 {
        // SAFETY: the run lies in the peer's pool, and `self` keeps the mapping.
        unsafe { self.link.theirs.area().address(self.offset()) }
    }

    /// The bytes where they are.
    ///
    /// # Safety
    ///
    /// The peer is trusted: it does not write to a chunk that it has lent. A bug there is undefined behaviour here.
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped and initialised, and not written by the caller's promise.
        unsafe { slice::from_raw_parts(self.data(), self.len) }
    }

    /// Gives the body away as a foreign buffer. The memory must not be written: the mapping does not allow it.
    ///
    /// # Safety
    ///
    /// Those of [`as_slice`](Self::as_slice) for whoever looks at the bytes.
    pub unsafe fn into_adoptable(self) -> Adoptable {
        let data = self.data();
        let lent = ManuallyDrop::new(self);
        // SAFETY: `lent` is forgotten, so its reference is moved out once.
        let link = unsafe { ptr::read(&lent.link) };
        Adoptable {
            data,
            len: lent.len,
            free: free_lent,
            hint: Arc::into_raw(link).cast_mut().cast(),
        }
    }
}

#[cfg(not(loom))]
impl Lent {
    /// The body as memory that can be read where it is, by somebody who trusts the peer as himself: a peer that breaks its
    /// word changes the bytes while they are read, which no program is prepared for. [Copy](Self::copy_to) it otherwise.
    pub fn trust(self) -> Foreign {
        // SAFETY: the caller takes the peer's word for it that the bytes do not change until they are returned.
        let Adoptable {
            data,
            len,
            free,
            hint,
        } = unsafe { self.into_adoptable() };
        // SAFETY: they can be read until `free` returns them, on any thread, and are not to be written.
        unsafe { Foreign::new(data, len, free, hint, false) }
    }
}

/// Drops a lent body.
///
/// # Safety
///
/// `data` and `hint` come from [`Lent::into_adoptable`], and this is called once for them.
#[cfg(not(loom))]
unsafe extern "C" fn free_lent(data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `hint` is a reference that was made into a pointer there.
    let link = unsafe { Arc::from_raw(hint.cast_const().cast::<Link>()) };
    let geometry = &link.their_geometry;
    // SAFETY: the pool lies in the mapping.
    let pool = unsafe { link.theirs.area().address(geometry.pool_at) };
    let first = (data.addr() - pool.addr()) / geometry.block_len;
    link.return_run(first, link.held.count(first));
}

// SAFETY: `fill` initialises all bytes or panics, and the length never changes.
unsafe impl FillBytes for Lent {
    fn len(&self) -> usize {
        self.len
    }

    fn fill(&self, to: &mut [MaybeUninit<u8>]) {
        self.copy_to(to);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.link
            .return_run(usize::from(self.first), usize::from(self.count));
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lent({} B at {})", self.len, self.offset())
    }
}
