//! Polling sockets and descriptors.

use std::{
    cell::OnceCell,
    ffi::{c_int, c_long, c_short, c_void},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
    time::{Duration, Instant},
};

use ringmq_core::{Observer, PollItem, Readiness, Source, Wait, poll};

use crate::{
    error::{Errno, call},
    handle::Entered,
    socket::{SOCKETS, Socket, socket},
};

/// The bits of `events` and `revents`.
pub(crate) mod event {
    pub(crate) const IN: i16 = 1;
    pub(crate) const OUT: i16 = 2;
    pub(crate) const ERR: i16 = 4;
    pub(crate) const PRI: i16 = 8;
    pub(crate) const ALL: i16 = IN | OUT | ERR | PRI;
}

/// `zmq_pollitem_t`.
#[repr(C)]
pub struct ZmqPollItem {
    socket: *mut c_void,
    fd: c_int,
    events: c_short,
    revents: c_short,
}

/// What to look at, and for what.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// A socket's handle, or NULL for a descriptor.
    pub(crate) socket: *mut c_void,
    pub(crate) fd: c_int,
    pub(crate) events: i16,
}

impl Target {
    /// It is a socket that several threads may use at once.
    pub(crate) fn is_shared(&self) -> bool {
        let entered = SOCKETS.enter(self.socket);
        entered.is_some_and(|socket| socket.turns.is_some())
    }
}

/// Milliseconds as these functions take them: a negative number is for ever.
pub(crate) fn wait(timeout_ms: c_long) -> Wait {
    Wait::from(u64::try_from(timeout_ms).ok().map(Duration::from_millis))
}

thread_local! {
    /// What this thread waits at for sockets that other threads use.
    static OBSERVER: OnceCell<Observer> = const { OnceCell::new() };
}

/// Waits until a target is ready, or the time is up; returns the events of each.
pub(crate) fn wait_for(
    targets: &[Target],
    wait: Wait,
    mask: Option<&libc::sigset_t>,
) -> Result<Vec<i16>, Errno> {
    let shared: Vec<_> = targets.iter().filter(|target| target.is_shared()).collect();
    if shared.is_empty() {
        return look(targets, wait, mask);
    }
    OBSERVER.with(|observer| {
        let observer = match observer.get() {
            Some(observer) => observer,
            None => {
                let new = Observer::new()?;
                observer.get_or_init(|| new)
            }
        };
        let _observed = Observed::new(&shared, observer);
        wait_among_others(targets, observer, wait, mask)
    })
}

/// Waits for sockets of which others use some: not with those in hand, because that would keep the others from them.
fn wait_among_others(
    targets: &[Target],
    observer: &Observer,
    wait: Wait,
    mask: Option<&libc::sigset_t>,
) -> Result<Vec<i16>, Errno> {
    let mut own: Vec<_> = targets
        .iter()
        .filter(|target| !target.is_shared())
        .copied()
        .collect();
    own.push(Target {
        socket: ptr::null_mut(),
        fd: observer.fd()?.as_raw_fd(),
        events: event::IN,
    });
    loop {
        observer.settle();
        let found = look(targets, Wait::No, None)?;
        let expired = match wait {
            Wait::No => true,
            Wait::Forever => false,
            Wait::Until(deadline) => Instant::now() >= deadline,
        };
        if expired || found.iter().any(|&events| events != 0) {
            return Ok(found);
        }
        look(&own, wait, mask)?;
    }
}

/// Sockets that tell an observer of themselves, until this is dropped.
struct Observed<'a> {
    sockets: Vec<*mut c_void>,
    observer: &'a Observer,
}

impl<'a> Observed<'a> {
    fn new(targets: &[&Target], observer: &'a Observer) -> Self {
        let sockets: Vec<_> = targets.iter().map(|target| target.socket).collect();
        for &handle in &sockets {
            observe(handle, observer);
        }
        Self { sockets, observer }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        for &handle in &self.sockets {
            stop_observing(handle, self.observer);
        }
    }
}

/// Tells an observer of a socket; one that is closed has nothing to tell.
pub(crate) fn observe(handle: *mut c_void, observer: &Observer) {
    if let Some(mut socket) = SOCKETS.enter(handle) {
        socket.engine.observe(observer);
    }
}

/// Ends [`observe`].
pub(crate) fn stop_observing(handle: *mut c_void, observer: &Observer) {
    if let Some(mut socket) = SOCKETS.enter(handle) {
        socket.engine.stop_observing(observer);
    }
}

/// Waits with all sockets in hand.
fn look(targets: &[Target], wait: Wait, mask: Option<&libc::sigset_t>) -> Result<Vec<i16>, Errno> {
    // A socket may be there more than once, and is used once.
    let mut handles: Vec<_> = targets.iter().map(|target| target.socket).collect();
    handles.retain(|handle| !handle.is_null());
    handles.sort_unstable();
    handles.dedup();
    let entered: Result<Vec<Entered<'static, Socket>>, _> =
        handles.iter().map(|&handle| socket(handle)).collect();
    let mut entered = entered?;
    let wanted = |handle: *mut c_void| {
        let same = targets.iter().filter(|target| target.socket == handle);
        readiness(same.fold(0, |bits, target| bits | target.events))
    };
    let sockets = handles.iter().zip(&mut entered);
    let mut items: Vec<_> = sockets
        .map(|(&handle, socket)| PollItem::new(Source::Socket(&mut socket.engine), wanted(handle)))
        .collect();
    // As poll(2) does, a negative descriptor is passed over.
    let is_fd = |target: &&Target| target.socket.is_null() && target.fd >= 0;
    items.extend(targets.iter().filter(is_fd).map(|target| {
        // SAFETY: not −1. That nobody closes it while this polls is up to the caller, as with poll(2), which is all that
        // happens to it.
        let fd = unsafe { BorrowedFd::borrow_raw(target.fd) };
        PollItem::new(Source::Fd(fd), readiness(target.events))
    }));
    poll(&mut items, wait, mask)?;
    let mut fds = items[handles.len()..].iter();
    let found = targets.iter().map(|target| {
        let item = match handles.binary_search(&target.socket) {
            Ok(place) => &items[place],
            Err(_) if is_fd(&target) => match fds.next() {
                Some(item) => item,
                None => return 0,
            },
            Err(_) => return 0,
        };
        bits(item.ready()) & (target.events | event::ERR)
    });
    Ok(found.collect())
}

fn readiness(events: i16) -> Readiness {
    Readiness {
        readable: events & event::IN != 0,
        writable: events & event::OUT != 0,
        urgent: events & event::PRI != 0,
        broken: events & event::ERR != 0,
    }
}

fn bits(found: Readiness) -> i16 {
    let bit = |is: bool, bit: i16| if is { bit } else { 0 };
    bit(found.readable, event::IN)
        | bit(found.writable, event::OUT)
        | bit(found.urgent, event::PRI)
        | bit(found.broken, event::ERR)
}

/// Polls the items of an array and returns how many are ready.
///
/// # Safety
///
/// `items` is null or points to `count` items; `mask` is null or a signal set.
unsafe fn poll_array(
    items: *mut ZmqPollItem,
    count: c_int,
    timeout_ms: c_long,
    mask: *const libc::sigset_t,
) -> Result<c_int, Errno> {
    let count = usize::try_from(count).map_err(|_| Errno(libc::EINVAL))?;
    let items = match count {
        0 => &mut [],
        _ if items.is_null() => return Err(Errno(libc::EFAULT)),
        // SAFETY: the caller promises that many.
        count => unsafe { std::slice::from_raw_parts_mut(items, count) },
    };
    let target = |item: &ZmqPollItem| Target {
        socket: item.socket,
        fd: item.fd,
        events: item.events,
    };
    let targets: Vec<_> = items.iter().map(target).collect();
    // SAFETY: the caller promises null or a signal set.
    let found = wait_for(&targets, wait(timeout_ms), unsafe { mask.as_ref() })?;
    let mut ready = 0;
    for (item, events) in items.iter_mut().zip(found) {
        item.revents = events;
        ready += c_int::from(events != 0);
    }
    Ok(ready)
}

/// Waits until an item is ready, at most for `timeout_ms`, or for ever if it is negative.
///
/// # Safety
///
/// `items` is null or points to `count` items.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poll(items: *mut ZmqPollItem, count: c_int, timeout_ms: c_long) -> c_int {
    // SAFETY: the caller promises it.
    call(|| unsafe { poll_array(items, count, timeout_ms, ptr::null()) })
}

/// `zmq_poll` with another signal mask while it sleeps.
///
/// # Safety
///
/// `items` is null or points to `count` items; `mask` is null or a signal set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ppoll(
    items: *mut ZmqPollItem,
    count: c_int,
    timeout_ms: c_long,
    mask: *const libc::sigset_t,
) -> c_int {
    // SAFETY: the caller promises it.
    call(|| unsafe { poll_array(items, count, timeout_ms, mask) })
}
