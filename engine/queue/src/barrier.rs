//! Two fences of unequal cost that together order a store before a load on both sides.
//!
//! Going to sleep is a store-buffer race: the busy side stores work and loads the sleeper's flag, the sleeper stores its
//! flag and loads the work. Each side needs its store visible before its load. The busy side runs once per message and
//! the sleeper once per sleep, so the busy side gets a fence that costs nothing and the sleeper pays for both with
//! `membarrier(2)`, which makes every running thread of the process execute a full barrier.
//!
//! # Why the pair is right in every mode
//!
//! The mode is one static word. It leaves `UNKNOWN` once, by compare-and-swap, after registration was tried: to
//! `MEMBARRIER` if the kernel registered the process, to `FENCE` if it refused.
//!
//! | light side read | what it does | heavy side can only have acted in | why the pair orders |
//! |---|---|---|---|
//! | `UNKNOWN` | full fence | any mode | the system call is a full barrier of its caller, so there are two full fences |
//! | `FENCE` | full fence | any mode | two full fences |
//! | `MEMBARRIER` | compiler fence | `MEMBARRIER` | the system call puts a full barrier into the light side's instruction stream |
//!
//! For the last row: program order is store, light fence, load. If the barrier lands before the load, the load comes
//! after everything the heavy side stored before the call and sees the flag. If it lands after the load, it also lands
//! after the store, which is then visible when the call returns, and the heavy side's second look finds the work. A
//! thread that is not running when the call is made passes through the scheduler, which is a full barrier as well.
//! The heavy side never acts on `UNKNOWN`: it decides first, and a lost compare-and-swap tells it the other's decision.
//!
//! A sandbox installed after registration can make the call fail later. Then the mode leaves `MEMBARRIER` by way of
//! `REVOKING` to `FENCE`. A light side that had just read `MEMBARRIER` may still have its store in a store buffer. Its
//! load of the mode lies between its store and its load of the flag and those retire in order, so that store is visible
//! within the time a processor needs to drain a store buffer, which is well below a microsecond. A heavy side that
//! meets `REVOKING` waits two milliseconds, more than a thousand times that, before its second look. Unlike the table,
//! this argument is about processors and not about the memory model; it is needed at most once in a process.
//!
//! loom and Miri do not know `membarrier`; there, both sides are a sequentially consistent fence.

#[cfg(not(any(loom, miri)))]
use std::sync::atomic::{AtomicU8, Ordering::Relaxed, compiler_fence};
#[cfg(not(any(loom, miri)))]
use std::time::Duration;

use crate::sync::{Ordering::SeqCst, fence};

/// Nobody has asked the kernel yet.
#[cfg(not(any(loom, miri)))]
const UNKNOWN: u8 = 0;
/// The process is registered: the heavy side issues the barrier for everybody.
#[cfg(not(any(loom, miri)))]
const MEMBARRIER: u8 = 1;
/// The kernel refused: both sides fence.
#[cfg(not(any(loom, miri)))]
const FENCE: u8 = 2;
/// The kernel has begun to refuse: light sides already fence, heavy sides wait for those that did not.
#[cfg(not(any(loom, miri)))]
const REVOKING: u8 = 3;

/// How long a heavy side waits for store buffers when the kernel takes `membarrier` away from a running process.
#[cfg(not(any(loom, miri)))]
const DRAIN: Duration = Duration::from_millis(2);

/// The mode of the process. A loom atomic cannot be static and the model has no modes, hence not from `sync`.
#[cfg(not(any(loom, miri)))]
static MODE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Orders the busy side's earlier stores before its later loads, as seen by a thread that calls [`heavy_fence`].
///
/// Call it after the store that makes work visible and before the load of the sleeper's flag. It orders nothing between
/// two threads that both call `light_fence`. Never blocks; usually compiles to a load and a predicted branch.
#[inline(always)]
pub fn light_fence() {
    #[cfg(not(any(loom, miri)))]
    {
        // Keeps the load of the mode behind the caller's store, which the argument for revocation relies on.
        compiler_fence(SeqCst);
        if MODE.load(Relaxed) == MEMBARRIER {
            compiler_fence(SeqCst);
            return;
        }
    }
    // Partner: the system call or the fence in `heavy_fence`.
    fence(SeqCst);
}

/// Orders the sleeper's earlier stores before its later loads, as seen by threads that call [`light_fence`] or this.
///
/// Call it after storing the flag that announces the sleep and before the second look for work. Costs a system call
/// that interrupts the processors on which other threads of the process run: roughly 0.2 to 5 µs. Does not sleep,
/// except for 2 ms once in a process whose sandbox withdraws `membarrier` after [`register`] succeeded.
#[cold]
#[inline(never)]
pub fn heavy_fence() {
    #[cfg(not(any(loom, miri)))]
    {
        // The calls order the processors; these keep the compiler from moving the caller's accesses across them.
        compiler_fence(SeqCst);
        if decided() == MEMBARRIER && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            compiler_fence(SeqCst);
            return;
        }
        revoke();
    }
    // Partner: the fence in `light_fence`, which no longer relies on the system call.
    fence(SeqCst);
}

/// Asks the kernel for `membarrier(2)` on behalf of the process; later calls return at once.
///
/// Registration can take some milliseconds when other threads already run, so a context does it when it is created.
/// Without this call the first [`heavy_fence`] registers, and light fences are full fences until then.
pub fn register() {
    #[cfg(not(any(loom, miri)))]
    decided();
}

/// Whether light fences are free in this process: the kernel offers `membarrier(2)` and the process is registered.
pub fn is_asymmetric() -> bool {
    #[cfg(not(any(loom, miri)))]
    {
        MODE.load(Relaxed) == MEMBARRIER
    }
    #[cfg(any(loom, miri))]
    {
        false
    }
}

/// The mode, which is never `UNKNOWN` afterwards.
#[cfg(not(any(loom, miri)))]
fn decided() -> u8 {
    let mode = MODE.load(Relaxed);
    if mode != UNKNOWN {
        return mode;
    }
    let registered = membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    let wanted = if registered { MEMBARRIER } else { FENCE };
    // Two threads can get different answers when only one of them is sandboxed; the first decision binds both.
    match MODE.compare_exchange(UNKNOWN, wanted, Relaxed, Relaxed) {
        Ok(_) => wanted,
        Err(other) => other,
    }
}

/// Leaves `MEMBARRIER` when the call was refused, and outlasts the light fences that still relied on it.
#[cfg(not(any(loom, miri)))]
fn revoke() {
    let _ = MODE.compare_exchange(MEMBARRIER, REVOKING, Relaxed, Relaxed);
    if MODE.load(Relaxed) == REVOKING {
        std::thread::sleep(DRAIN);
        MODE.store(FENCE, Relaxed);
    }
}

/// Issues one `membarrier` command; false if the kernel or a sandbox refuses it.
#[cfg(not(any(loom, miri)))]
fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: membarrier takes three integers and touches no memory of the caller.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn registering_twice_is_harmless_and_decides_the_mode() {
        register();
        let asymmetric = is_asymmetric();
        register();
        heavy_fence();
        light_fence();
        assert_eq!(asymmetric, is_asymmetric());
    }
}
