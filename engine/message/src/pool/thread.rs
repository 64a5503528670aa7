//! Which home the calling thread lives in.

use std::{
    cell::Cell,
    ptr::{self, NonNull},
    sync::{Mutex, PoisonError},
};

use super::{Header, class, home::Home};

/// How many blocks of other threads wait here to be given back together: each time takes two locked instructions on a line
/// that several threads use.
const OUTGOING_MAX: usize = 16;

/// Blocks that are larger are given back at once, so that what waits is never much.
const OUTGOING_BYTES_MAX: usize = 4096;

/// Homes whose threads have ended, for the next threads.
static LEFT: Mutex<Vec<&'static Home>> = Mutex::new(Vec::new());

thread_local! {
    /// The home of this thread, or null before the first use and after the end. It needs no destructor, so it can be read at
    /// any time, even by destructors of other thread-local values.
    static HOME: Cell<*const Home> = const { Cell::new(ptr::null()) };

    /// Blocks of another thread's that this one has dropped.
    static OUTGOING: Cell<Outgoing> = const { Cell::new(Outgoing::NONE) };

    /// Moves out when the thread ends.
    static TENANT: Tenant = const { Tenant };
}

struct Tenant;

/// A chain of blocks of one home and class, not given back yet.
#[derive(Clone, Copy)]
struct Outgoing {
    home: *const Home,
    class: usize,
    first: *mut Header,
    last: *mut Header,
    count: usize,
}

impl Outgoing {
    const NONE: Self = Self {
        home: ptr::null(),
        class: 0,
        first: ptr::null_mut(),
        last: ptr::null_mut(),
        count: 0,
    };

    /// Gives the blocks to their owner.
    fn give_back(self) {
        let (Some(first), Some(last)) = (NonNull::new(self.first), NonNull::new(self.last)) else {
            return;
        };
        // SAFETY: homes are never freed. The blocks were handed over to `give_back` as its caller promised, and linked there.
        unsafe { (*self.home).give_back_all(first, last, self.count, self.class) };
    }
}

/// Gives a block back to another thread's home, now or with the next ones.
///
/// # Safety
///
/// The block belongs to this home and class, is alive, and neither referenced nor in a list.
#[inline]
pub(super) unsafe fn give_back(home: *const Home, block: NonNull<Header>, class: usize) {
    let waiting = OUTGOING.get();
    // A thread without a home has no tenant to give the rest back when it ends.
    if class::capacity(class) > OUTGOING_BYTES_MAX || self::home().is_none() {
        // SAFETY: homes are never freed; passed on to the caller.
        return unsafe { (*home).give_back(block, class) };
    }
    let joins = ptr::eq(waiting.home, home) && waiting.class == class && waiting.count < OUTGOING_MAX;
    let (rest, last, count) = if joins {
        (waiting.first, waiting.last, waiting.count + 1)
    } else {
        (ptr::null_mut(), block.as_ptr(), 1)
    };
    // SAFETY: the caller hands the block over, so that nobody else looks at it.
    unsafe { block.as_ref().next.with_mut(|next| *next = rest) };
    OUTGOING.set(Outgoing {
        home,
        class,
        first: block.as_ptr(),
        last,
        count,
    });
    if !joins {
        waiting.give_back();
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        OUTGOING.replace(Outgoing::NONE).give_back();
        let home = HOME.replace(ptr::null());
        // SAFETY: homes are never freed.
        if let Some(home) = unsafe { home.as_ref() } {
            // SAFETY: it was this thread's, which has just forgotten it.
            unsafe { home.close() };
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(home);
        }
    }
}

/// The home of this thread, or none if the thread is ending.
#[inline(always)]
pub(super) fn home() -> Option<&'static Home> {
    // SAFETY: homes are never freed.
    unsafe { HOME.get().as_ref() }.or_else(move_in)
}

/// Whether the calling thread owns this home.
#[inline(always)]
pub(super) fn is_home(home: *const Home) -> bool {
    ptr::eq(HOME.get(), home)
}

/// Frees what the home of this thread keeps, and gives back what belongs to others.
pub(super) fn trim() {
    OUTGOING.replace(Outgoing::NONE).give_back();
    // SAFETY: homes are never freed.
    if let Some(home) = unsafe { HOME.get().as_ref() } {
        // SAFETY: it is this thread's.
        unsafe { home.trim() };
    }
}

#[cold]
fn move_in() -> Option<&'static Home> {
    // Touching the tenant registers its destructor. It cannot be touched any more after it has run.
    TENANT.try_with(|_| ()).ok()?;
    let left = LEFT.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let home = match left {
        Some(home) => {
            home.open();
            home
        }
        None => Box::leak(Box::new(Home::new())),
    };
    HOME.set(home);
    Some(home)
}
