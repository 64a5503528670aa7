//! The cache that a thread's blocks belong to.

use std::ptr::{self, NonNull};

use ringmq_queue::sync::{AtomicUsize, Ordering::Relaxed, UnsafeCell};

use super::{Header, class, remote::RemoteList};

/// How many bytes a thread keeps of the blocks that it freed itself.
pub const OWN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many bytes wait for a thread that others gave back.
///
/// A returned chain counts in full until its last block is used, so the blocks in circulation may take half of this.
pub const RETURNED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A thread's cache. Everything but `give_back` is for the owner alone.
///
/// Homes live as long as the program, because blocks refer to them: the next thread moves into one that was left.
pub(super) struct Home {
    own: UnsafeCell<Own>,
    others: Others,
}

/// What only the owner touches.
struct Own {
    /// Blocks that the owner freed, by class.
    free: [Chain; class::COUNT],
    free_bytes: usize,
    /// Blocks that others gave back and the owner has taken over, by class.
    returned: [Chain; class::COUNT],
    /// Bytes of returned blocks that were used since, and still count in `Others::bytes`.
    returned_bytes_used: usize,
    /// The class that has to give room next.
    victim: usize,
}

/// What other threads touch, on cache lines of its own.
#[repr(align(128))]
struct Others {
    lists: [RemoteList; class::COUNT],
    /// Bytes in the lists and in the chains taken from them. It only bounds memory, so no order matters.
    bytes: AtomicUsize,
}

// SAFETY: `own` is used by the owner alone, by the contract of the functions that touch it; the rest is atomic.
unsafe impl Sync for Home {}
// SAFETY: the blocks in a home belong to it and have no other holder. A home moves between threads through a lock.
unsafe impl Send for Home {}

/// Free blocks linked by their headers. Dropping a chain leaks them; its user frees them first.
#[derive(Clone, Copy)]
struct Chain(*mut Header);

impl Chain {
    const EMPTY: Self = Self(ptr::null_mut());

    /// # Safety
    ///
    /// The block is alive, and neither referenced nor in a list.
    #[inline(always)]
    unsafe fn push(&mut self, block: NonNull<Header>) {
        // SAFETY: nobody else knows the block.
        unsafe { block.as_ref().next.with_mut(|next| *next = self.0) };
        self.0 = block.as_ptr();
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<NonNull<Header>> {
        let block = NonNull::new(self.0)?;
        // SAFETY: the blocks of a chain are alive and belong to it.
        self.0 = unsafe { block.as_ref().next.with(|next| *next) };
        Some(block)
    }

    /// Gives all blocks to the allocator and says how many they were.
    fn free(&mut self) -> usize {
        let mut count = 0;
        while let Some(block) = self.pop() {
            // SAFETY: the blocks of a chain are alive and nobody refers to them.
            unsafe { Header::free(block) };
            count += 1;
        }
        count
    }
}

impl Home {
    pub(super) fn new() -> Self {
        Self {
            own: UnsafeCell::new(Own {
                free: [Chain::EMPTY; class::COUNT],
                free_bytes: 0,
                returned: [Chain::EMPTY; class::COUNT],
                returned_bytes_used: 0,
                victim: 0,
            }),
            others: Others {
                lists: std::array::from_fn(|_| RemoteList::new()),
                bytes: AtomicUsize::new(0),
            },
        }
    }

    /// Takes a free block of this class, if there is one.
    ///
    /// # Safety
    ///
    /// The calling thread owns this home.
    #[inline]
    pub(super) unsafe fn take(&self, class: usize) -> Option<NonNull<Header>> {
        // SAFETY: the owner is here, and nothing below enters a home again.
        self.own
            .with_mut(|own| unsafe { &mut *own }.take(class, &self.others))
    }

    /// Keeps a block for the next `take`, or frees it.
    ///
    /// # Safety
    ///
    /// The calling thread owns this home. The block belongs to it and to this class, is alive, and neither referenced nor
    /// in a list.
    #[inline]
    pub(super) unsafe fn put(&self, block: NonNull<Header>, class: usize) {
        self.own.with_mut(|own| {
            // SAFETY: the owner is here, and nothing below enters a home again.
            let own = unsafe { &mut *own };
            let len = class::capacity(class);
            if own.free_bytes + len > OWN_BYTES_MAX && !own.make_room(class) {
                // SAFETY: the caller hands the block over.
                return unsafe { Header::free(block) };
            }
            own.free_bytes += len;
            // SAFETY: the caller hands the block over.
            unsafe { own.free[class].push(block) };
        });
    }

    /// Returns a block from another thread, or frees it if nobody waits for it or too many wait already.
    ///
    /// # Safety
    ///
    /// The block belongs to this home and class, is alive, and neither referenced nor in a list.
    #[inline]
    pub(super) unsafe fn give_back(&self, block: NonNull<Header>, class: usize) {
        let others = &self.others;
        let len = class::capacity(class);
        // Counted first, so that the owner never takes off more than was added.
        let has_room = others.bytes.fetch_add(len, Relaxed) + len <= RETURNED_BYTES_MAX;
        // SAFETY: the caller hands the block over.
        if !has_room || !unsafe { others.lists[class].push(block) } {
            others.bytes.fetch_sub(len, Relaxed);
            // SAFETY: the block has not been given away.
            unsafe { Header::free(block) };
        }
    }

    /// Frees all that is kept.
    ///
    /// # Safety
    ///
    /// The calling thread owns this home.
    pub(super) unsafe fn trim(&self) {
        self.own.with_mut(|own| {
            // SAFETY: the owner is here, and nothing below enters a home again.
            let own = unsafe { &mut *own };
            own.free.iter_mut().for_each(|chain| _ = chain.free());
            own.free_bytes = 0;
            own.free_returned(&self.others, RemoteList::take_all);
        });
    }

    /// Frees all that is kept, and lets other threads free what they would give back.
    ///
    /// # Safety
    ///
    /// The calling thread owns this home, and does not use it afterwards unless it opens it again.
    pub(super) unsafe fn close(&self) {
        // SAFETY: the caller owns this home.
        unsafe { self.trim() };
        self.own.with_mut(|own| {
            // SAFETY: the owner is here, and nothing below enters a home again.
            unsafe { &mut *own }.free_returned(&self.others, RemoteList::close);
        });
    }

    /// How many blocks of a class wait that the owner freed.
    ///
    /// # Safety
    ///
    /// The calling thread owns this home.
    #[cfg(all(test, not(loom)))]
    pub(super) unsafe fn free_count(&self, class: usize) -> usize {
        self.own.with(|own| {
            // SAFETY: the owner is here.
            let mut chain = unsafe { (*own).free[class] };
            std::iter::from_fn(|| chain.pop()).count()
        })
    }

    /// Begins to keep blocks again, for the calling thread.
    pub(super) fn open(&self) {
        self.others.lists.iter().for_each(RemoteList::open);
    }
}

impl Own {
    #[inline]
    fn take(&mut self, class: usize, others: &Others) -> Option<NonNull<Header>> {
        if let Some(block) = self.free[class].pop() {
            self.free_bytes -= class::capacity(class);
            return Some(block);
        }
        if self.returned[class].0.is_null() && !self.refill(class, others) {
            return None;
        }
        self.returned_bytes_used += class::capacity(class);
        self.returned[class].pop()
    }

    /// Takes over what others gave back, and says whether that is anything.
    #[inline(never)]
    fn refill(&mut self, class: usize, others: &Others) -> bool {
        others
            .bytes
            .fetch_sub(std::mem::take(&mut self.returned_bytes_used), Relaxed);
        self.returned[class] = Chain(others.lists[class].take_all());
        if !self.returned[class].0.is_null() {
            return true;
        }
        // A new block is about to be allocated. If much waits in other sizes, it is of no use there.
        if others.bytes.load(Relaxed) > RETURNED_BYTES_MAX / 2 {
            self.free_returned(others, RemoteList::take_all);
        }
        false
    }

    /// Frees blocks of other classes until one more of this class fits, and says whether it does.
    #[cold]
    fn make_room(&mut self, class: usize) -> bool {
        let len = class::capacity(class);
        for _ in 0..class::COUNT {
            while self.victim != class && self.free_bytes + len > OWN_BYTES_MAX {
                let Some(block) = self.free[self.victim].pop() else {
                    break;
                };
                self.free_bytes -= class::capacity(self.victim);
                // SAFETY: the blocks of a chain are alive and nobody refers to them.
                unsafe { Header::free(block) };
            }
            if self.free_bytes + len <= OWN_BYTES_MAX {
                return true;
            }
            self.victim = (self.victim + 1) % class::COUNT;
        }
        false
    }

    /// Frees what others gave back, with `take` as the way to get at the lists.
    fn free_returned(&mut self, others: &Others, take: fn(&RemoteList) -> *mut Header) {
        let mut bytes = std::mem::take(&mut self.returned_bytes_used);
        for class in 0..class::COUNT {
            let mut waiting = Chain(take(&others.lists[class]));
            bytes += (waiting.free() + self.returned[class].free()) * class::capacity(class);
        }
        others.bytes.fetch_sub(bytes, Relaxed);
    }
}
