//! How the kernel schedules the thread that asks.

use std::io;

use crate::sys::check;

/// The niceness of a thread that is to run before all others of its kind.
const NICEST: i32 = -20;

/// Sets the policy of the calling thread, by its number in sched(7), and its priority: that of a real-time policy is from 1 to
/// 99, and 1 if none is given; for the others any priority stands for the lowest niceness. What is not given stays.
///
/// # Errors
///
/// `PermissionDenied` without the right to it (`CAP_SYS_NICE`); `InvalidInput` for a policy or a priority that does not exist.
pub fn schedule_thread(policy: Option<i32>, priority: Option<i32>) -> io::Result<()> {
    let chosen = match policy {
        Some(policy) => policy,
        // SAFETY: takes a number; 0 is the calling thread.
        None => check(unsafe { libc::sched_getscheduler(0) })?,
    };
    let is_real_time = chosen == libc::SCHED_FIFO || chosen == libc::SCHED_RR;
    if policy.is_some() || is_real_time && priority.is_some() {
        // SAFETY: the type consists of integers, for which all bits zero is a value.
        let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
        parameters.sched_priority = if is_real_time { priority.unwrap_or(1) } else { 0 };
        // SAFETY: the parameters live as long as the call; 0 is the calling thread.
        check(unsafe { libc::sched_setscheduler(0, chosen, &raw const parameters) })?;
    }
    if !is_real_time && priority.is_some() {
        // SAFETY: takes numbers; on Linux 0 is the calling thread alone.
        check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICEST) })?;
    }
    Ok(())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn policy() -> i32 {
        // SAFETY: takes a number.
        unsafe { libc::sched_getscheduler(0) }
    }

    /// On a thread of its own, which takes the change with it.
    fn apart(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    #[test]
    fn a_policy_is_that_of_the_thread() {
        apart(|| {
            schedule_thread(None, None).unwrap();
            assert_eq!(policy(), libc::SCHED_OTHER);
            schedule_thread(Some(libc::SCHED_BATCH), None).unwrap();
            assert_eq!(policy(), libc::SCHED_BATCH);
        });
        assert_eq!(policy(), libc::SCHED_OTHER);
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        apart(|| {
            for (policy, priority) in [(999, None), (libc::SCHED_FIFO, Some(100))] {
                let refused = schedule_thread(Some(policy), priority).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{policy}");
            }
        });
    }

    #[test]
    fn priorities_need_a_right() {
        apart(|| {
            for (wanted, priority) in [(libc::SCHED_RR, Some(7)), (libc::SCHED_FIFO, None)] {
                match schedule_thread(Some(wanted), priority) {
                    Ok(()) => assert_eq!(policy(), wanted),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
                }
            }
            // A real-time policy stays that when only the priority is given.
            if policy() == libc::SCHED_FIFO {
                schedule_thread(None, Some(9)).unwrap();
                // SAFETY: as in `schedule_thread`.
                let mut found: libc::sched_param = unsafe { std::mem::zeroed() };
                // SAFETY: the parameters live as long as the call.
                unsafe { libc::sched_getparam(0, &raw mut found) };
                assert_eq!(found.sched_priority, 9);
            }
        });
    }
}
