//! Reference-counted memory blocks that are used again instead of being freed.
//!
//! A block belongs to the thread that allocated it, for good. That thread takes blocks from its own lists without an atomic
//! operation. A block whose last reference is dropped by another thread goes back to the owner through a lock-free list that
//! the owner empties when it runs dry. So a stream from one thread to another allocates only until as many blocks exist as
//! are in flight.
//!
//! # Bounds
//!
//! Blocks come in powers of two from 128 B to 256 KiB; longer ones come straight from the allocator and return to it. For
//! each thread the pool keeps at most [`OWN_BYTES_MAX`] that the thread freed itself and [`RETURNED_BYTES_MAX`] that other
//! threads gave back; what exceeds them is freed. A block that no longer finds room pushes out blocks of other sizes, so a
//! change of traffic does not leave the cache full of sizes that nobody wants. [`trim`] empties the cache of the calling
//! thread, and the end of a thread empties its cache as well; blocks in use at that time are freed when they are dropped.

mod class;
#[cfg_attr(
    loom,
    expect(dead_code, reason = "a model has no thread that keeps its own blocks")
)]
mod home;
#[cfg(loom)]
pub mod model;
mod remote;
#[cfg(not(loom))]
mod thread;

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    mem::ManuallyDrop,
    ptr::{self, NonNull},
};

use ringmq_queue::sync::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
    UnsafeCell, fence,
};

use self::home::Home;
pub use self::home::{OWN_BYTES_MAX, RETURNED_BYTES_MAX};

/// What lies in front of every payload.
#[repr(C, align(64))]
pub(crate) struct Header {
    /// As wide as an address: the count cannot overflow before memory for the references runs out.
    references: AtomicUsize,
    capacity: usize,
    /// Which cache the block returns to; null if it came straight from the allocator.
    home: *const Home,
    /// The next block of the list that this one is in while it is free.
    next: UnsafeCell<*mut Header>,
    /// Stands for the payload, so that models check who uses it.
    #[cfg(loom)]
    payload: UnsafeCell<()>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Header>() == 64);

/// A reference to a block of memory, whose payload is aligned to 64 bytes. The bytes are not initialised.
///
/// The block itself neither reads nor writes the payload: its users agree on who may.
#[repr(transparent)]
pub(crate) struct Block(NonNull<Header>);

// SAFETY: the count is atomic, the other fields are written only by the holder of the last reference, and the payload is
// only reached through the unsafe code of users.
unsafe impl Send for Block {}
// SAFETY: as for `Send`.
unsafe impl Sync for Block {}

impl Block {
    /// A block with room for at least `capacity` bytes and no other holder.
    #[inline]
    pub(crate) fn alloc(capacity: usize) -> Self {
        #[cfg(not(loom))]
        if let Some(class) = class::of(capacity)
            && let Some(home) = thread::home()
        {
            // SAFETY: `home` is the cache of this thread.
            return unsafe { Self::from_home(home, class) };
        }
        Self(Header::allocate(capacity, ptr::null()))
    }

    /// A block of this class that returns to `home`.
    ///
    /// # Safety
    ///
    /// The calling thread owns `home`, which lives as long as the block.
    #[inline]
    unsafe fn from_home(home: &Home, class: usize) -> Self {
        // SAFETY: the caller owns `home`.
        if let Some(header) = unsafe { home.take(class) } {
            // SAFETY: a block in a free list is alive and has no holder, so this thread is the only one to look at it.
            let references = unsafe { &header.as_ref().references };
            references.store(1, Relaxed);
            return Self(header);
        }
        Self(Header::allocate(class::capacity(class), home))
    }

    /// The first byte of the payload.
    #[inline(always)]
    pub(crate) fn ptr(&self) -> NonNull<u8> {
        // SAFETY: the payload begins right behind the header, in the same allocation.
        unsafe { self.0.add(1) }.cast()
    }

    /// How many bytes the payload has.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.header().capacity
    }

    /// Whether this is the only reference. Then whatever other holders did with the payload has happened before.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        // Acquire observes the Release decrement in `into_last` of every other holder.
        self.header().references.load(Acquire) == 1
    }

    /// Drops the reference. If it was the last one, hands the block back, unique and still alive.
    #[inline]
    pub(crate) fn into_last(self) -> Option<Self> {
        let block = ManuallyDrop::new(self);
        block.drop_reference().then(|| {
            block.header().references.store(1, Relaxed);
            Self(block.0)
        })
    }

    /// Gives up one reference and says whether it was the last.
    #[inline]
    fn drop_reference(&self) -> bool {
        // A count of one cannot rise while this holder does not clone, so the usual case needs no locked instruction.
        if !self.is_unique() {
            // Release publishes what this holder did with the payload to the holder that finds itself the last.
            if self.header().references.fetch_sub(1, Release) != 1 {
                return false;
            }
            // Acquire observes the Release decrements of all other holders.
            fence(Acquire);
        }
        #[cfg(loom)]
        self.header().payload.with_mut(|_| ());
        true
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: a block lives as long as there is a reference to it.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Block {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: the new reference is handed on by whatever publishes it.
        self.header().references.fetch_add(1, Relaxed);
        Self(self.0)
    }
}

impl Drop for Block {
    #[inline]
    fn drop(&mut self) {
        if self.drop_reference() {
            // SAFETY: that was the last reference.
            unsafe { Header::recycle(self.0) };
        }
    }
}

impl Header {
    /// A new block, with one reference.
    #[cold]
    fn allocate(capacity: usize, home: *const Home) -> NonNull<Self> {
        let capacity = class::of(capacity).map_or(capacity, class::capacity);
        let layout = Self::layout(capacity);
        // SAFETY: the layout is not empty, as it holds a header.
        let Some(header) = NonNull::new(unsafe { alloc(layout) }.cast::<Self>()) else {
            handle_alloc_error(layout)
        };
        let value = Self {
            references: AtomicUsize::new(1),
            capacity,
            home,
            next: UnsafeCell::new(ptr::null_mut()),
            #[cfg(loom)]
            payload: UnsafeCell::new(()),
        };
        // SAFETY: the memory is new, large enough and aligned.
        unsafe { header.write(value) };
        header
    }

    /// Gives a block to the cache it came from, or to the allocator.
    ///
    /// # Safety
    ///
    /// The block is alive, and neither referenced nor in a list.
    #[inline]
    unsafe fn recycle(header: NonNull<Self>) {
        // SAFETY: the block is alive.
        let (home, capacity) = unsafe { (header.as_ref().home, header.as_ref().capacity) };
        if home.is_null() {
            // SAFETY: the caller hands the block over.
            return unsafe { Self::free(header) };
        }
        let class = class::exact(capacity);
        #[cfg(not(loom))]
        if thread::is_home(home) {
            // SAFETY: it is this thread's own cache, and the caller hands the block over.
            return unsafe { (*home).put(header, class) };
        }
        // SAFETY: homes outlive their blocks, and the caller hands the block over.
        unsafe { (*home).give_back(header, class) };
    }

    /// Gives a block to the allocator.
    ///
    /// # Safety
    ///
    /// The block is alive, and neither referenced nor in a list.
    #[cold]
    unsafe fn free(header: NonNull<Self>) {
        // SAFETY: the block is alive, and the layout is the one it was allocated with.
        unsafe {
            let layout = Self::layout(header.as_ref().capacity);
            header.drop_in_place();
            dealloc(header.as_ptr().cast(), layout);
        }
    }

    fn layout(capacity: usize) -> Layout {
        let len = size_of::<Self>()
            .checked_add(capacity)
            .expect("a length in memory");
        Layout::from_size_align(len, align_of::<Self>()).expect("a length in memory")
    }
}

/// Frees the blocks that the pool keeps for the calling thread. Blocks in use are not touched.
///
/// Worth calling before a thread rests for long. Does not block.
pub fn trim() {
    #[cfg(not(loom))]
    thread::trim();
}

#[cfg(all(test, not(loom)))]
mod tests;
