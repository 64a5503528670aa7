//! io_uring refused, by the kernel's word or by its deeds.

use super::fixture::*;
use crate::{
    Driver, DriverChoice, DriverKind, FallbackReason, Interest,
    ring::{LADDER, Ring, Setup},
};
use std::io;

fn refuse(errno: i32) -> impl FnMut(Setup) -> io::Result<io_uring::IoUring> {
    move |_| Err(io::Error::from_raw_os_error(errno))
}

/// `Auto` asks the environment first, which a test run with `RINGMQ_IO` has answered.
fn environment_decides() -> bool {
    DriverChoice::from_env().expect("a known choice") != DriverChoice::Auto
}

#[test]
fn a_refused_ring_means_epoll_and_a_reason() {
    if environment_decides() {
        return;
    }
    for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL, libc::ENOMEM] {
        let mut driver: TestDriver = Driver::with_rings(DriverChoice::Auto, refuse(errno)).expect("epoll");
        assert_eq!(driver.kind(), DriverKind::Epoll);
        match driver.why_epoll() {
            Some(FallbackReason::Refused(error)) => {
                assert_eq!(error.raw_os_error(), Some(errno));
            }
            other => panic!("{other:?}"),
        }
        let (ours, _theirs) = unix_pair();
        driver.poll(1, &ours, Interest::Writable);
        assert_eq!(next(&mut driver).token(), 1);
    }
}

#[test]
fn whoever_insists_on_a_refused_ring_gets_the_refusal() {
    let refused = TestDriver::with_rings(DriverChoice::Uring, refuse(libc::EPERM)).expect_err("refused");
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    assert!(refused.to_string().contains("io_uring is refused"), "{refused}");
}

#[test]
fn a_ring_that_does_not_work_means_epoll_and_a_reason() {
    if environment_decides() {
        return;
    }
    // A ring that was never enabled can be created and not entered.
    let disabled = |_| {
        io_uring::IoUring::<io_uring::squeue::Entry, io_uring::cqueue::Entry>::builder()
            .setup_r_disabled()
            .build(8)
    };
    let driver: TestDriver = Driver::with_rings(DriverChoice::Auto, disabled).expect("epoll");
    assert_eq!(driver.kind(), DriverKind::Epoll);
    assert!(matches!(driver.why_epoll(), Some(FallbackReason::SelfTest(_))));
}

#[test]
fn nobody_explains_what_was_asked_for() {
    for choice in [DriverChoice::Uring, DriverChoice::Epoll] {
        assert!(driver(choice).why_epoll().is_none());
    }
}

#[test]
fn refused_flags_lead_to_a_poorer_ring_that_works() {
    for poorest in 0..LADDER.len() {
        let mut tried = Vec::new();
        let build = |setup: Setup| {
            tried.push(setup);
            if setup == LADDER[poorest] {
                setup.build()
            } else {
                Err(io::Error::from_raw_os_error(libc::EINVAL))
            }
        };
        let mut driver = TestDriver::with_rings(DriverChoice::Uring, build).expect("a ring");
        assert_eq!(tried, LADDER[..=poorest]);
        let got =
            super::contract::send_to_slow_reader(&mut driver, vec![Bytes::new(pattern(16 << 20))], 16 << 20);
        assert!(got == pattern(16 << 20));
    }
}

#[test]
fn a_refusal_that_is_no_matter_of_flags_is_not_repeated() {
    let mut attempts = 0;
    let result = Ring::new(|_| {
        attempts += 1;
        Err(io::Error::from_raw_os_error(libc::EPERM))
    });
    assert!(matches!(result, Err(FallbackReason::Refused(_))));
    assert_eq!(attempts, 1);
}

/// Has the kernel answer one system call of this thread, and no other, with `EPERM`, as a container's filter does.
pub(super) fn forbid(call: libc::c_long) {
    let step = |code: u32, jump_if_not, value| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: jump_if_not,
        k: value,
    };
    let number = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, number),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the first call takes no pointers; the second reads the program and its steps, which outlive it.
    let results = unsafe {
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ),
        ]
    };
    assert_eq!(results, [0, 0], "{}", io::Error::last_os_error());
}

#[test]
fn a_container_that_filters_io_uring_gets_epoll() {
    if environment_decides() {
        return;
    }
    let cases = [
        (libc::SYS_io_uring_setup, "io_uring is refused"),
        (libc::SYS_io_uring_enter, "io_uring failed its self-test"),
    ];
    for (call, explanation) in cases {
        // The filter ends with its thread.
        let thread = std::thread::spawn(move || {
            forbid(call);
            let mut driver = driver(DriverChoice::Auto);
            assert_eq!(driver.kind(), DriverKind::Epoll);
            let reason = driver.why_epoll().expect("a reason").to_string();
            assert!(reason.contains(explanation), "{reason}");
            let (ours, _theirs) = unix_pair();
            driver.poll(1, &ours, Interest::Writable);
            assert_eq!(next(&mut driver).token(), 1);
        });
        thread.join().expect("epoll works");
    }
}

#[test]
fn an_old_kernel_or_filter_without_the_finer_wait_gets_the_coarse_one() {
    let thread = std::thread::spawn(|| {
        forbid(libc::SYS_epoll_pwait2);
        let mut driver = driver(DriverChoice::Epoll);
        let (ours, _theirs) = unix_pair();
        driver.poll(1, &ours, Interest::Writable);
        assert_eq!(next(&mut driver).token(), 1);
        assert!(glance(&mut driver).is_empty());
    });
    thread.join().expect("epoll works");
}
