//! An io_uring: set-up by degrees, submission that never loses an entry, and counted kernel entries.

use crate::{choice::FallbackReason, sys};
use io_uring::{Builder, EnterFlags, IoUring, cqueue, opcode, squeue, types};
use std::{collections::VecDeque, io, time::Duration};

/// Entries that fit in before the kernel has to be entered.
const SQ_ENTRIES: u32 = 256;

/// Completions that fit in before the kernel has to keep some aside. Every operation completes once, so this is how
/// many descriptors may become ready between two waits without a detour.
const CQ_ENTRIES: u32 = 4096;

/// User data of the poll on the waker's bell.
pub(crate) const BELL: u64 = u64::MAX;
/// User data of requests to cancel, whose own outcome interests nobody.
pub(crate) const CANCEL: u64 = u64::MAX - 1;

/// What a ring is set up with; less of it on older kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Entries are taken in ring order, without an index array (6.6).
    pub(crate) no_sqarray: bool,
    /// One thread submits, and completion work runs when it asks for it (6.1).
    pub(crate) defer_taskrun: bool,
    /// Completion work waits for the next kernel entry and says so in the ring's flags (5.19).
    pub(crate) taskrun_flag: bool,
    /// One bad entry does not stop the others (5.18).
    pub(crate) submit_all: bool,
}

/// From the best ring to the poorest that will do.
pub(crate) const LADDER: [Setup; 4] = [
    Setup {
        no_sqarray: true,
        defer_taskrun: true,
        taskrun_flag: true,
        submit_all: true,
    },
    Setup {
        no_sqarray: false,
        defer_taskrun: true,
        taskrun_flag: true,
        submit_all: true,
    },
    Setup {
        no_sqarray: false,
        defer_taskrun: false,
        taskrun_flag: true,
        submit_all: true,
    },
    Setup {
        no_sqarray: false,
        defer_taskrun: false,
        taskrun_flag: false,
        submit_all: false,
    },
];

impl Setup {
    /// Asks the kernel for a ring.
    pub(crate) fn build(self) -> io::Result<IoUring> {
        let mut builder: Builder = IoUring::builder();
        // A forked child must not find rings mapped that belong to its parent.
        builder.dontfork().setup_clamp().setup_cqsize(CQ_ENTRIES);
        if self.no_sqarray {
            builder.setup_no_sqarray();
        }
        if self.defer_taskrun {
            builder.setup_single_issuer().setup_defer_taskrun();
        } else if self.taskrun_flag {
            builder.setup_coop_taskrun();
        }
        if self.taskrun_flag {
            builder.setup_taskrun_flag();
        }
        if self.submit_all {
            builder.setup_submit_all();
        }
        builder.build(SQ_ENTRIES)
    }
}

/// A ring and what waits to get into it.
pub(crate) struct Ring {
    uring: IoUring,
    setup: Setup,
    /// Entries for which there was no room and no way to make some; they go in, in order, at the next kernel entry.
    backlog: VecDeque<squeue::Entry>,
    enter_flags: EnterFlags,
    skip_success: bool,
    enters: u64,
    /// Whether the kernel has ever accepted an entry.
    accepted: bool,
}

impl Ring {
    /// Builds the best ring that `build` grants. Refusals of a flag lead down the ladder, other refusals end it.
    pub(crate) fn new(mut build: impl FnMut(Setup) -> io::Result<IoUring>) -> Result<Self, FallbackReason> {
        let mut refusal = io::Error::from_raw_os_error(libc::EINVAL);
        for setup in LADDER {
            match build(setup) {
                Ok(uring) => return Self::with(uring, setup),
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => refusal = error,
                Err(error) => return Err(FallbackReason::Refused(error)),
            }
        }
        Err(FallbackReason::Refused(refusal))
    }

    fn with(uring: IoUring, setup: Setup) -> Result<Self, FallbackReason> {
        let params = uring.params();
        if !params.is_feature_nodrop() {
            return Err(FallbackReason::Missing("completions that are never dropped"));
        }
        if !params.is_feature_submit_stable() {
            return Err(FallbackReason::Missing("message headers copied on submission"));
        }
        if !params.is_feature_ext_arg() {
            return Err(FallbackReason::Missing("time-outs of a wait"));
        }
        let mut enter_flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if params.is_feature_no_iowait() {
            // An idle network thread is not waiting for a disk.
            enter_flags |= EnterFlags::NO_IOWAIT;
        }
        Ok(Self {
            skip_success: params.is_feature_skip_cqe_on_success(),
            uring,
            setup,
            backlog: VecDeque::new(),
            enter_flags,
            enters: 0,
            accepted: false,
        })
    }

    /// Kernel entries so far.
    pub(crate) fn enters(&self) -> u64 {
        self.enters
    }

    /// Whether the kernel has never seen an entry, and so knows of no memory of ours.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.accepted
    }

    /// Puts an entry in, entering the kernel if the queue is full.
    ///
    /// # Safety
    ///
    /// The memory that the entry names stays valid, and is touched by nobody else, until its completion was reaped.
    /// (A message header and its array may go once the entry was submitted; the bytes that they name may not.)
    pub(crate) unsafe fn push(&mut self, entry: squeue::Entry) {
        if self.backlog.is_empty() {
            // SAFETY: passed on to the caller.
            if unsafe { self.uring.submission().push(&entry) }.is_ok() {
                return;
            }
            self.submit();
        }
        self.backlog.push_back(entry);
        self.refill();
    }

    /// Asks for the end of the operation with this user data.
    pub(crate) fn push_cancel(&mut self, user_data: u64) {
        let entry = opcode::AsyncCancel::new(user_data).build();
        self.push_quiet(entry.user_data(CANCEL));
    }

    /// Asks for the end of everything.
    pub(crate) fn push_cancel_all(&mut self) {
        let entry = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build();
        self.push_quiet(entry.user_data(CANCEL));
    }

    fn push_quiet(&mut self, mut entry: squeue::Entry) {
        if self.skip_success {
            entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
        }
        // SAFETY: requests to cancel name no memory.
        unsafe { self.push(entry) };
    }

    /// Moves the backlog into the queue, as far as the kernel makes room.
    fn refill(&mut self) {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: the entry came through `push`, whose caller has vouched for its memory.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                self.backlog.pop_front();
            } else if !self.submit() {
                return;
            }
        }
    }

    /// Hands the queue to the kernel without waiting. Returns whether that has made room; if not, the next
    /// [`enter`](Self::enter) meets the same obstacle and tells the caller.
    fn submit(&mut self) -> bool {
        let to_submit = self.uring.submission().len() as u32;
        self.enters += 1;
        // SAFETY: no argument is passed, and the entries are vouched for by the callers of `push`.
        let submitted = unsafe { self.uring.submitter().enter::<()>(to_submit, 0, 0, None) };
        let accepted = matches!(submitted, Ok(count) if count > 0);
        self.accepted |= accepted;
        accepted
    }

    /// Submits what was pushed, runs what the kernel has put off, and, if `want` is 1, sleeps until there is a
    /// completion or `timeout` has passed. One kernel entry, or none if there is nothing to do and nobody to wait for.
    ///
    /// # Errors
    ///
    /// What keeps the kernel from accepting entries. Time-outs and signals are not errors.
    pub(crate) fn enter(&mut self, want: u32, timeout: Option<Duration>) -> io::Result<()> {
        self.refill();
        let queue = self.uring.submission();
        let to_submit = queue.len() as u32;
        drop(queue);
        if want == 0 && to_submit == 0 && self.setup.taskrun_flag && !self.has_put_off() {
            return Ok(());
        }
        let want = if self.backlog.is_empty() { want } else { 0 };
        let limit = timeout.map(|timeout| types::Timespec::from(timeout.min(sys::LONGEST)));
        let mut args = types::SubmitArgs::new();
        if let Some(limit) = &limit {
            args = args.timespec(limit);
        }
        self.enters += 1;
        // SAFETY: `args` is what EXT_ARG calls for and, like the time it points to, a local that outlives the call. The
        // entries are vouched for by the callers of `push`.
        let entered = unsafe {
            self.uring
                .submitter()
                .enter(to_submit, want, self.enter_flags.bits(), Some(&args))
        };
        match entered {
            Ok(count) => {
                self.accepted |= count > 0;
                Ok(())
            }
            // Nothing to report, or reported by what is (not) in the completion queue: the entries stay in the queue.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether completions wait for the next kernel entry: since 6.13 one entry brings some twenty of them, however many there
    /// are, unless it is told to wait for more. The ring's flags tell, so that the look costs no system call.
    pub(crate) fn has_put_off(&mut self) -> bool {
        let queue = self.uring.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    /// Moves the completions that are there to `out`.
    pub(crate) fn reap(&mut self, out: &mut Vec<cqueue::Entry>) {
        out.extend(self.uring.completion());
    }
}
