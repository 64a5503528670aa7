//! Handles: what a C program gets instead of our objects.
//!
//! A handle is the address of a slot in a static table, so that any pointer can be checked without looking at what it
//! points to: it is a slot's address or it is not, and the slot is taken or it is not. So NULL, foreign and freed handles
//! are told apart from live ones, and no misuse reaches memory that is not ours. Slots are taken in turn, so that a freed
//! handle stays dead for as long as the table allows.
//!
//! A slot has a lock, held for the length of one call. For a socket that moves from thread to thread it is the full fence
//! that libzmq asks its users for; two threads that use a socket at once, which libzmq forbids, wait for each other. The
//! lock costs next to nothing for the thread that uses the socket most of the time.

use std::{
    ffi::c_void,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
    sync::atomic::{
        AtomicPtr, AtomicU32, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use ringmq_queue::biased::{BiasedLock, Held};

use crate::fork;

/// A place for one object.
#[repr(align(64))]
struct Slot<T> {
    lock: BiasedLock,
    /// How many forks the process had seen when the object was put here.
    generation: AtomicU32,
    object: AtomicPtr<T>,
}

/// The number of the calling thread: the address of its own memory, which the C library gives to another thread, under a
/// lock of its own, when this one has ended.
#[inline(always)]
fn this_thread() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        let address;
        // SAFETY: the word at the beginning of a thread's memory holds the address of that memory, by the ABI. Reads
        // nothing else and changes nothing.
        unsafe {
            std::arch::asm!("mov {}, fs:0", out(reg) address, options(pure, readonly, nostack, preserves_flags));
        }
        address
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: it is always there.
    unsafe {
        libc::pthread_self() as usize
    }
}

/// All handles of one kind.
pub(crate) struct Handles<T, const N: usize> {
    slots: [Slot<T>; N],
    /// Where the search for a free slot begins.
    next: AtomicUsize,
}

impl<T: Send, const N: usize> Handles<T, N> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: [const {
                Slot {
                    lock: BiasedLock::new(),
                    generation: AtomicU32::new(0),
                    object: AtomicPtr::new(ptr::null_mut()),
                }
            }; N],
            next: AtomicUsize::new(0),
        }
    }

    /// Makes a handle of an object. Gives it back if the table is full.
    pub(crate) fn insert(&'static self, object: Box<T>) -> Result<*mut c_void, Box<T>> {
        let object = Box::into_raw(object);
        for _ in 0..N {
            let slot = &self.slots[self.next.fetch_add(1, Relaxed) % N];
            if !slot.object.load(Relaxed).is_null() {
                continue;
            }
            // Release: publishes the object to the load in `enter`.
            let taken = slot
                .object
                .compare_exchange(ptr::null_mut(), object, Release, Relaxed);
            if taken.is_ok() {
                if slot.is_inherited() {
                    // A thread that is not in this process may have had the lock of the free slot.
                    slot.lock.reset();
                }
                slot.generation.store(fork::generation(), Relaxed);
                return Ok(ptr::from_ref(slot).cast_mut().cast());
            }
        }
        // SAFETY: it has just come from a box, and nobody else has seen it.
        Err(unsafe { Box::from_raw(object) })
    }

    /// The object behind a handle, locked. `None` for what is no live handle.
    #[inline(always)]
    pub(crate) fn enter(&'static self, handle: *const c_void) -> Option<Entered<'static, T>> {
        let slot = self.slot(handle)?;
        slot.entered(slot.lock.enter(this_thread(), || slot.is_inherited())?)
    }

    /// [`enter`](Self::enter) for the thread that uses the handle most of the time. `None` for any other, and for what is no
    /// live handle.
    #[inline(always)]
    pub(crate) fn enter_privileged(&'static self, handle: *const c_void) -> Option<Entered<'static, T>> {
        let slot = self.slot(handle)?;
        slot.entered(slot.lock.enter_privileged(this_thread())?)
    }

    /// Ends a handle and returns its object, for which it waits until no call uses it. `None` for what is no live handle.
    pub(crate) fn remove(&'static self, handle: *const c_void) -> Option<Removed<T>> {
        let slot = self.slot(handle)?;
        if slot.is_inherited() {
            // The threads that may have held the lock are not in this process.
            slot.lock.reset();
            let object = slot.object.swap(ptr::null_mut(), Acquire);
            return (!object.is_null()).then_some(Removed::Inherited);
        }
        let entered = slot.entered(slot.lock.enter_last(this_thread(), || slot.is_inherited())?)?;
        // Relaxed: it has been acquired, and the lock is held.
        slot.object.store(ptr::null_mut(), Relaxed);
        let object = entered.object;
        drop(entered);
        // SAFETY: `insert` made it of a box; the slot does not have it any more, and whoever had the lock was done with it.
        Some(Removed::Own(unsafe { Box::from_raw(object.as_ptr()) }))
    }

    /// Whether the handle was made before the process was forked off.
    pub(crate) fn is_inherited(&'static self, handle: *const c_void) -> bool {
        let taken = |slot: &&Slot<T>| !slot.object.load(Relaxed).is_null();
        self.slot(handle).filter(taken).is_some_and(Slot::is_inherited)
    }

    #[inline(always)]
    fn slot(&'static self, handle: *const c_void) -> Option<&'static Slot<T>> {
        const { assert!(size_of::<Slot<T>>().is_power_of_two()) };
        let base = ptr::from_ref(&self.slots).cast::<Slot<T>>();
        let offset = handle.addr().wrapping_sub(base.addr());
        // A turn to the right leaves a large number of what is no multiple, so that one comparison tells both.
        if offset.rotate_right(size_of::<Slot<T>>().trailing_zeros()) >= N {
            return None;
        }
        // SAFETY: the address is a whole number of slots, and fewer than there are, behind that of the first.
        Some(unsafe { &*base.with_addr(handle.addr()) })
    }
}

/// What became of an object whose handle has ended.
pub(crate) enum Removed<T> {
    /// It is the caller's.
    Own(Box<T>),
    /// It was made before a fork, by the parent, with which it stays.
    Inherited,
}

impl<T> Slot<T> {
    /// It was taken before the process was forked off.
    fn is_inherited(&self) -> bool {
        self.generation.load(Relaxed) != fork::generation()
    }

    /// The object, if there is one, for whoever has the lock.
    #[inline(always)]
    fn entered<'a>(&self, held: Held<'a>) -> Option<Entered<'a, T>> {
        // Acquire: partner of the exchange in `insert`.
        let object = NonNull::new(self.object.load(Acquire))?;
        Some(Entered { object, _held: held })
    }
}

/// An object in use.
pub(crate) struct Entered<'a, T> {
    object: NonNull<T>,
    _held: Held<'a>,
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the object lives until `remove`, which waits for the lock that we hold.
        unsafe { self.object.as_ref() }
    }
}

impl<T> DerefMut for Entered<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; only the holder of the lock makes references.
        unsafe { self.object.as_mut() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_slot_that_a_thread_had_locked_before_a_fork_serves_again() {
        static HANDLES: Handles<u32, 1> = Handles::new();
        let slot = &HANDLES.slots[0];
        std::mem::forget(slot.lock.enter(1, || false));
        slot.generation.store(fork::generation().wrapping_sub(1), Relaxed);
        HANDLES.insert(Box::new(7)).unwrap();
        assert!(slot.lock.enter(2, || true).is_some());
    }
}
