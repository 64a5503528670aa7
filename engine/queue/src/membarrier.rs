//! `membarrier(2)`: a full barrier in the instruction stream of every running thread of the processes that registered for it.
//!
//! The pairs of fences that build on it are [`barrier`](crate::barrier), between threads, and that of the crate for shared memory,
//! between processes.

use std::{
    io,
    sync::atomic::{AtomicU8, Ordering::Relaxed, compiler_fence},
    thread,
    time::Duration,
};

use crate::sync::Ordering::SeqCst;

/// Nobody has asked the kernel yet.
const UNKNOWN: u8 = 0;
/// The process is registered and can issue the barrier.
const GRANTED: u8 = 1;
/// The kernel refused.
const REFUSED: u8 = 2;
/// The kernel has begun to refuse.
const REVOKING: u8 = 3;

/// How long is waited for store buffers when the kernel takes the barrier away from a running process.
const DRAIN: Duration = Duration::from_millis(2);

/// One of the kernel's barriers, and whether this process may use it.
///
/// The answer leaves `UNKNOWN` once, by compare-and-swap, after registration was tried. Its accesses are relaxed: it publishes
/// nothing, and why it may be read late is said where it is used. A loom atomic cannot be static and the models have no barrier,
/// hence not from `sync`.
#[derive(Debug)]
pub struct Membarrier {
    answer: AtomicU8,
    register: libc::c_int,
    issue: libc::c_int,
}

/// For the threads of this process.
pub static PRIVATE: Membarrier = Membarrier {
    answer: AtomicU8::new(UNKNOWN),
    register: libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    issue: libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED,
};

/// For the threads of all processes that registered for it.
pub static GLOBAL: Membarrier = Membarrier {
    answer: AtomicU8::new(UNKNOWN),
    register: libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
    issue: libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED,
};

impl Membarrier {
    /// Whether the process may issue the barrier; the first call asks the kernel, which can take some milliseconds when other
    /// threads already run.
    pub fn register(&self) -> bool {
        let answer = self.answer.load(Relaxed);
        if answer != UNKNOWN {
            return answer == GRANTED;
        }
        // The barrier is issued once as well: a filter may let one command pass and not the other.
        let granted = command(self.register).is_ok() && command(self.issue).is_ok();
        let wanted = if granted { GRANTED } else { REFUSED };
        // Two threads can get different answers when only one of them is sandboxed; the first decision binds both.
        let decided = match self.answer.compare_exchange(UNKNOWN, wanted, Relaxed, Relaxed) {
            Ok(_) => wanted,
            Err(other) => other,
        };
        decided == GRANTED
    }

    /// Whether [`register`](Self::register) said yes and the barrier has not been [revoked](Self::revoke) since.
    #[inline(always)]
    pub fn is_granted(&self) -> bool {
        self.answer.load(Relaxed) == GRANTED
    }

    /// Issues the barrier, which is one of the caller as well. Costs 0.2 to 5 µs, and does not block.
    ///
    /// # Errors
    ///
    /// The process is not registered, or a sandbox that was installed meanwhile refuses the call.
    pub fn issue(&self) -> io::Result<()> {
        // The call orders the processors; these keep the compiler from moving the caller's accesses across it.
        compiler_fence(SeqCst);
        command(self.issue)?;
        compiler_fence(SeqCst);
        Ok(())
    }

    /// Nobody shall rely on the barrier any more, because the kernel has refused it. Outlasts the threads that have just
    /// read that they may.
    pub fn revoke(&self) {
        let _ = self.answer.compare_exchange(GRANTED, REVOKING, Relaxed, Relaxed);
        if self.answer.load(Relaxed) == REVOKING {
            thread::sleep(DRAIN);
            self.answer.store(REFUSED, Relaxed);
        }
    }
}

fn command(command: libc::c_int) -> io::Result<()> {
    // SAFETY: membarrier takes three integers and touches no memory of the caller.
    if unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn the_answer_stays_until_it_is_revoked() {
        let membarrier = Membarrier {
            answer: AtomicU8::new(UNKNOWN),
            register: PRIVATE.register,
            issue: PRIVATE.issue,
        };
        assert!(!membarrier.is_granted(), "nobody has asked");
        let granted = membarrier.register();
        assert_eq!(
            (membarrier.register(), membarrier.is_granted()),
            (granted, granted)
        );
        assert_eq!(membarrier.issue().is_ok(), granted);
        membarrier.revoke();
        assert!(!membarrier.is_granted() && !membarrier.register());
    }

    #[test]
    fn what_the_kernel_does_not_have_is_refused() {
        let membarrier = Membarrier {
            answer: AtomicU8::new(UNKNOWN),
            register: -1,
            issue: -1,
        };
        assert!(!membarrier.register());
        membarrier.issue().unwrap_err();
    }
}
