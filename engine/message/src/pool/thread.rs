//! Which home the calling thread lives in.

use std::{
    cell::Cell,
    ptr,
    sync::{Mutex, PoisonError},
};

use super::home::Home;

/// Homes whose threads have ended, for the next threads.
static LEFT: Mutex<Vec<&'static Home>> = Mutex::new(Vec::new());

thread_local! {
    /// The home of this thread, or null before the first use and after the end. It needs no destructor, so it can be read at
    /// any time, even by destructors of other thread-local values.
    static HOME: Cell<*const Home> = const { Cell::new(ptr::null()) };

    /// Moves out when the thread ends.
    static TENANT: Tenant = const { Tenant };
}

struct Tenant;

impl Drop for Tenant {
    fn drop(&mut self) {
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

/// Frees what the home of this thread keeps.
pub(super) fn trim() {
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
