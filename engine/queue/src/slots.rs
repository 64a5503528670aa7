//! The memory of a ring: slots that are written, read and dropped by position, without knowing who may.

use std::{mem::MaybeUninit, ptr::NonNull};

use crate::{
    cursor::{Capacity, advance},
    sync::UnsafeCell,
};

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// A copyable reference to the slots; whoever allocated them frees them once, last.
pub(crate) struct Slots<T> {
    first: NonNull<Slot<T>>,
    capacity: Capacity,
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slots<T> {}

impl<T> Slots<T> {
    /// Allocates empty slots; the memory behind them is not touched.
    pub(crate) fn allocate(capacity: Capacity) -> Self {
        let slots: Box<[Slot<T>]> = (0..capacity.get())
            .map(|_| UnsafeCell::new(MaybeUninit::uninit()))
            .collect();
        let first = NonNull::from(Box::leak(slots)).cast();
        Self { first, capacity }
    }

    /// No memory at all, for a handle that has not begun its first segment; no slot of it may be accessed.
    pub(crate) fn none() -> Self {
        Self {
            first: NonNull::dangling(),
            capacity: Capacity::at_least(1),
        }
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// # Safety
    ///
    /// The slots have not been freed.
    #[inline(always)]
    unsafe fn slot(&self, position: usize) -> &Slot<T> {
        // SAFETY: `Capacity::slot` is less than the number of slots allocated, and they live by the caller's promise.
        // A slot is an `UnsafeCell`, so that shared references to it may coexist.
        unsafe { self.first.add(self.capacity.slot(position)).as_ref() }
    }

    /// Moves a value into the slot of `position`; what the slot held is forgotten.
    ///
    /// # Safety
    ///
    /// The slots have not been freed, and the caller is the only one to access this slot now.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, position: usize, value: T) {
        // SAFETY: passed on to the caller.
        let slot = unsafe { self.slot(position) };
        slot.with_mut(|slot| {
            // SAFETY: the pointer comes from a live cell that nobody else accesses now.
            unsafe { (*slot).write(value) };
        });
    }

    /// Moves the value out of the slot of `position`.
    ///
    /// # Safety
    ///
    /// The slots have not been freed, the caller is the only one to access this slot now, and it holds a value that
    /// nobody reads or drops again.
    #[inline(always)]
    pub(crate) unsafe fn take(&self, position: usize) -> T {
        // SAFETY: passed on to the caller.
        let slot = unsafe { self.slot(position) };
        // SAFETY: the slot is initialised, and by the caller's promise this is the only copy that lives on.
        slot.with(|slot| unsafe { (*slot).assume_init_read() })
    }

    /// Address of the value in the slot of `position`, or of the room for one.
    ///
    /// # Safety
    ///
    /// The slots have not been freed, and nobody else writes to the slot while the address is used.
    #[inline(always)]
    pub(crate) unsafe fn value_at(&self, position: usize) -> *mut T {
        // SAFETY: passed on to the caller.
        let slot = unsafe { self.slot(position) };
        slot.with_mut(|slot| slot.cast())
    }

    /// Asks for the line of the slot of `position`, which is going to be written soon. Any position will do.
    #[inline(always)]
    pub(crate) fn expect_write(&self, position: usize) {
        let slot = self.first.as_ptr().wrapping_add(self.capacity.slot(position));
        crate::prefetch::for_writing(slot.cast());
    }

    /// Drops the values at the positions from `from` up to `to`, excluded.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take), for each of these positions; there are at most as many as slots.
    pub(crate) unsafe fn drop_range(&self, from: usize, to: usize) {
        let mut position = from;
        while position != to {
            // SAFETY: passed on to the caller.
            drop(unsafe { self.take(position) });
            position = advance(position, 1);
        }
    }

    /// Gives the memory back; values still in the slots are forgotten.
    ///
    /// # Safety
    ///
    /// No copy of `self` is used afterwards, and no reference into a slot is alive.
    pub(crate) unsafe fn free(self) {
        let slots = NonNull::slice_from_raw_parts(self.first, self.capacity.get());
        // SAFETY: `allocate` leaked a box of exactly this address and length, and the caller promises that this is the
        // end of it.
        drop(unsafe { Box::from_raw(slots.as_ptr()) });
    }
}
