//! Handles: what a C program gets instead of our objects.
//!
//! A handle is the address of a slot in a static table, so that any pointer can be checked without looking at what it
//! points to: it is a slot's address or it is not, and the slot is taken or it is not. So NULL, foreign and freed handles
//! are told apart from live ones, and no misuse reaches memory that is not ours. Slots are taken in turn, so that a freed
//! handle stays dead for as long as the table allows.
//!
//! A slot has a lock, held for the length of one call. For a socket that moves from thread to thread it is the full fence
//! that libzmq asks its users for; two threads that use a socket at once, which libzmq forbids, wait for each other.

use std::{
    ffi::c_void,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
    sync::atomic::{
        AtomicPtr, AtomicU32, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use ringmq_queue::barrier::{heavy_fence, light_fence};

use crate::{
    fork,
    futex::{sleep_while, wake_one},
};

const FREE: u32 = 0;
const HELD: u32 = 1;

/// A place for one object.
#[repr(align(64))]
struct Slot<T> {
    lock: AtomicU32,
    /// Threads that wait for the lock.
    waiting: AtomicU32,
    /// How many forks the process had seen when the object was put here.
    generation: AtomicU32,
    object: AtomicPtr<T>,
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
                    lock: AtomicU32::new(FREE),
                    waiting: AtomicU32::new(0),
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
                slot.generation.store(fork::generation(), Relaxed);
                return Ok(ptr::from_ref(slot).cast_mut().cast());
            }
        }
        // SAFETY: it has just come from a box, and nobody else has seen it.
        Err(unsafe { Box::from_raw(object) })
    }

    /// The object behind a handle, locked. `None` for what is no live handle.
    #[inline]
    pub(crate) fn enter(&'static self, handle: *const c_void) -> Option<Entered<T>> {
        let slot = self.slot(handle)?;
        // Acquire: partner of the release in `Entered::drop`, also of another thread's.
        if slot.lock.swap(HELD, Acquire) != FREE && !slot.wait() {
            return None;
        }
        // Acquire: partner of the exchange in `insert`.
        match NonNull::new(slot.object.load(Acquire)) {
            Some(object) => Some(Entered { slot, object }),
            None => {
                slot.unlock();
                None
            }
        }
    }

    /// Ends a handle and returns its object, for which it waits until no call uses it. `None` for what is no live handle.
    pub(crate) fn remove(&'static self, handle: *const c_void) -> Option<Removed<T>> {
        let slot = self.slot(handle)?;
        if slot.is_inherited() {
            // The threads that may have held the lock are not in this process.
            slot.lock.store(FREE, Relaxed);
            slot.waiting.store(0, Relaxed);
            let object = slot.object.swap(ptr::null_mut(), Acquire);
            return (!object.is_null()).then_some(Removed::Inherited);
        }
        let entered = self.enter(handle)?;
        // Relaxed: `enter` has acquired it, and the lock is held.
        entered.slot.object.store(ptr::null_mut(), Relaxed);
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

    #[inline]
    fn slot(&'static self, handle: *const c_void) -> Option<&'static Slot<T>> {
        let offset = handle.addr().wrapping_sub(self.slots.as_ptr().addr());
        if !offset.is_multiple_of(size_of::<Slot<T>>()) {
            return None;
        }
        self.slots.get(offset / size_of::<Slot<T>>())
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

    /// Waits for the lock, and has it then. False if whoever holds it is not in this process.
    #[cold]
    fn wait(&self) -> bool {
        if self.is_inherited() {
            return false;
        }
        self.waiting.fetch_add(1, Relaxed);
        loop {
            // Partner of the light fence in `unlock`: it sees that we wait, or we see that the lock is free.
            heavy_fence();
            // Acquire: as in `enter`.
            if self.lock.swap(HELD, Acquire) == FREE {
                break;
            }
            // A signal is no reason to give up: whoever has the lock is in a call of its own.
            let _ = sleep_while(&self.lock, HELD, None);
        }
        self.waiting.fetch_sub(1, Relaxed);
        true
    }

    #[inline]
    fn unlock(&self) {
        // Release: what this thread did with the object is there for the next one to lock.
        self.lock.store(FREE, Release);
        light_fence();
        if self.waiting.load(Relaxed) != 0 {
            wake_one(&self.lock);
        }
    }
}

/// An object in use.
pub(crate) struct Entered<T: 'static> {
    slot: &'static Slot<T>,
    object: NonNull<T>,
}

impl<T> Deref for Entered<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the object lives until `remove`, which waits for the lock that we hold.
        unsafe { self.object.as_ref() }
    }
}

impl<T> DerefMut for Entered<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; only the holder of the lock makes references.
        unsafe { self.object.as_mut() }
    }
}

impl<T> Drop for Entered<T> {
    #[inline]
    fn drop(&mut self) {
        self.slot.unlock();
    }
}
