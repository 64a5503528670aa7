//! Two fences of unequal cost that together order a store before a load on both sides.
//!
//! Going to sleep is a store-buffer race: the busy side stores work and loads the sleeper's flag, the sleeper stores its
//! flag and loads the work. Each side needs its store visible before its load. The busy side runs once per message and
//! the sleeper once per sleep, so the busy side gets a fence that costs nothing and the sleeper pays for both with
//! `membarrier(2)`, which makes every running thread of the process execute a full barrier.
//!
//! # Why the pair is right whatever the kernel has answered
//!
//! The answer is one static word of [`PRIVATE`]. It leaves `UNKNOWN` once, after registration was
//! tried: to `GRANTED`, or to `REFUSED`.
//!
//! | light side read | what it does | heavy side can only have acted in | why the pair orders |
//! |---|---|---|---|
//! | `UNKNOWN` | full fence | any state | the system call is a full barrier of its caller, so there are two full fences |
//! | `REFUSED` | full fence | any state | two full fences |
//! | `GRANTED` | compiler fence | `GRANTED` | the system call puts a full barrier into the light side's instruction stream |
//!
//! For the last row: program order is store, light fence, load. If the barrier lands before the load, the load comes
//! after everything the heavy side stored before the call and sees the flag. If it lands after the load, it also lands
//! after the store, which is then visible when the call returns, and the heavy side's second look finds the work. A
//! thread that is not running when the call is made passes through the scheduler, which is a full barrier as well.
//! The heavy side never acts on `UNKNOWN`: it decides first, and a lost compare-and-swap tells it the other's decision.
//!
//! A sandbox installed after registration can make the call fail later. Then the answer leaves `GRANTED` by way of
//! `REVOKING` to `REFUSED`. A light side that had just read `GRANTED` may still have its store in a store buffer. Its
//! load of the answer lies between its store and its load of the flag and those retire in order, so that store is visible
//! within the time a processor needs to drain a store buffer, which is well below a microsecond. A heavy side that
//! meets `REVOKING` waits two milliseconds, more than a thousand times that, before its second look. Unlike the table,
//! this argument is about processors and not about the memory model; it is needed at most once in a process.
//!
//! loom and Miri do not know `membarrier`; there, both sides are a sequentially consistent fence.

#[cfg(not(any(loom, miri)))]
use std::sync::atomic::compiler_fence;

#[cfg(not(any(loom, miri)))]
use crate::membarrier::PRIVATE;
use crate::sync::{Ordering::SeqCst, fence};

/// Orders the busy side's earlier stores before its later loads, as seen by a thread that calls [`heavy_fence`].
///
/// Call it after the store that makes work visible and before the load of the sleeper's flag. It orders nothing between
/// two threads that both call `light_fence`. Never blocks; usually compiles to a load and a predicted branch.
#[inline(always)]
pub fn light_fence() {
    #[cfg(not(any(loom, miri)))]
    {
        // Keeps the load of the answer behind the caller's store, which the argument for revocation relies on.
        compiler_fence(SeqCst);
        if PRIVATE.is_granted() {
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
        if PRIVATE.register() && PRIVATE.issue().is_ok() {
            return;
        }
        PRIVATE.revoke();
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
    PRIVATE.register();
}

/// Whether light fences are free in this process: the kernel offers `membarrier(2)` and the process is registered.
pub fn is_asymmetric() -> bool {
    #[cfg(not(any(loom, miri)))]
    {
        PRIVATE.is_granted()
    }
    #[cfg(any(loom, miri))]
    {
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn registering_twice_is_harmless_and_keeps_the_answer() {
        register();
        let asymmetric = is_asymmetric();
        register();
        heavy_fence();
        light_fence();
        assert_eq!(asymmetric, is_asymmetric());
    }
}
