//! Pollers: sets of sockets and descriptors that are kept between the waits.

use std::{
    ffi::{c_int, c_long, c_short, c_void},
    os::fd::AsRawFd,
    ptr,
};

use ringmq_core::{Observer, Wait};

use crate::{
    error::{DONE, Errno, call, call_ptr, checked},
    handle::{Entered, Handles, Removed},
    msg::length,
    poll::{Target, event, observe, stop_observing, wait, wait_for},
    socket::socket,
};

static POLLERS: Handles<Poller, 16_384> = Handles::new();

/// What a poller's handle stands for.
#[derive(Default)]
struct Poller {
    items: Vec<(Target, UserData)>,
    /// What tells of thread-safe sockets, once somebody has asked for its descriptor.
    observer: Option<Observer>,
}

/// A pointer that only the application uses.
#[derive(Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: handles and user data are addresses that are never followed here; targets are used under the handles' own locks.
unsafe impl Send for Poller {}

/// `zmq_poller_event_t`.
#[repr(C)]
pub struct ZmqPollerEvent {
    socket: *mut c_void,
    fd: c_int,
    user_data: *mut c_void,
    events: c_short,
}

impl Poller {
    fn find(&mut self, socket: *mut c_void, fd: c_int) -> Option<usize> {
        let same = |(target, _): &(Target, UserData)| target.socket == socket && target.fd == fd;
        self.items.iter().position(same)
    }

    fn add(&mut self, target: Target, user_data: *mut c_void) -> Result<c_int, Errno> {
        check_events(target.events)?;
        if self.find(target.socket, target.fd).is_some() {
            return Err(Errno(libc::EINVAL));
        }
        self.items.push((target, UserData(user_data)));
        self.observe(&target);
        DONE
    }

    fn modify(&mut self, target: Target) -> Result<c_int, Errno> {
        check_events(target.events)?;
        let place = self.find(target.socket, target.fd).ok_or(Errno(libc::EINVAL))?;
        self.items[place].0.events = target.events;
        DONE
    }

    fn remove(&mut self, socket: *mut c_void, fd: c_int) -> Result<c_int, Errno> {
        let place = self.find(socket, fd).ok_or(Errno(libc::EINVAL))?;
        let (target, _) = self.items.remove(place);
        if let Some(observer) = self.observer.as_ref().filter(|_| target.is_shared()) {
            stop_observing(target.socket, observer);
        }
        DONE
    }

    fn observe(&self, target: &Target) {
        if let Some(observer) = self.observer.as_ref().filter(|_| target.is_shared()) {
            observe(target.socket, observer);
        }
    }

    /// A descriptor that is readable while a wait may find something at a thread-safe socket; EINVAL without any.
    fn fd(&mut self) -> Result<c_int, Errno> {
        if !self.items.iter().any(|(target, _)| target.is_shared()) {
            return Err(Errno(libc::EINVAL));
        }
        if self.observer.is_none() {
            self.observer = Some(Observer::new()?);
            for (target, _) in &self.items {
                self.observe(target);
            }
        }
        let observer = self.observer.as_ref().ok_or(Errno(libc::EINVAL))?;
        Ok(observer.fd()?.as_raw_fd())
    }

    /// The sockets outlive the poller.
    fn forget_sockets(&mut self) {
        if let Some(observer) = self.observer.take() {
            for (target, _) in self.items.iter().filter(|(target, _)| target.is_shared()) {
                stop_observing(target.socket, &observer);
            }
        }
    }

    /// Waits, and fills as many events as there are and as have room; EAGAIN when the time is up.
    fn wait(&self, events: &mut [ZmqPollerEvent], timeout_ms: c_long) -> Result<c_int, Errno> {
        let wait = wait(timeout_ms);
        if wait == Wait::Forever && self.items.iter().all(|(target, _)| target.events == 0) {
            // It would never end.
            return Err(Errno(libc::EFAULT));
        }
        let targets: Vec<_> = self.items.iter().map(|(target, _)| *target).collect();
        if let Some(observer) = &self.observer {
            observer.settle();
        }
        let found = wait_for(&targets, wait, None)?;
        if let Some(observer) = self
            .observer
            .as_ref()
            .filter(|_| found.iter().any(|&bits| bits != 0))
        {
            // There may be more than what is taken now.
            observer.ring();
        }
        let mut filled = 0;
        let ready = self.items.iter().zip(found).filter(|(_, bits)| *bits != 0);
        for (((target, user_data), bits), place) in ready.zip(events) {
            *place = ZmqPollerEvent {
                socket: target.socket,
                fd: target.fd,
                user_data: user_data.0,
                events: bits,
            };
            filled += 1;
        }
        if filled == 0 {
            return Err(Errno(libc::EAGAIN));
        }
        Ok(length(filled))
    }
}

fn check_events(events: c_short) -> Result<(), Errno> {
    if events & !event::ALL != 0 {
        return Err(Errno(libc::EINVAL));
    }
    Ok(())
}

fn poller(handle: *mut c_void) -> Result<Entered<'static, Poller>, Errno> {
    POLLERS.enter(handle).ok_or(Errno(libc::EFAULT))
}

/// The socket of a handle as a target, or ENOTSOCK.
fn socket_target(handle: *mut c_void, events: c_short) -> Result<Target, Errno> {
    socket(handle)?;
    Ok(Target {
        socket: handle,
        fd: -1,
        events,
    })
}

/// A descriptor as a target, or EBADF.
fn fd_target(fd: c_int, events: c_short) -> Result<Target, Errno> {
    if fd < 0 {
        return Err(Errno(libc::EBADF));
    }
    Ok(Target {
        socket: ptr::null_mut(),
        fd,
        events,
    })
}

/// Makes an empty poller.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_new() -> *mut c_void {
    call_ptr(|| POLLERS.insert(Box::default()).map_err(|_| Errno(libc::EMFILE)))
}

/// Frees a poller and sets the caller's pointer to NULL.
///
/// # Safety
///
/// `poller` is null or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_destroy(poller: *mut *mut c_void) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        let handle = unsafe { checked(poller) }?;
        if let Removed::Own(mut poller) = POLLERS.remove(*handle).ok_or(Errno(libc::EFAULT))? {
            poller.forget_sockets();
        }
        *handle = ptr::null_mut();
        DONE
    })
}

/// How many sockets and descriptors a poller has.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_size(poller: *mut c_void) -> c_int {
    call(|| Ok(length(self::poller(poller)?.items.len())))
}

/// Adds a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_add(
    poller: *mut c_void,
    socket: *mut c_void,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    call(|| self::poller(poller)?.add(socket_target(socket, events)?, user_data))
}

/// Changes what is waited for at a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_modify(poller: *mut c_void, socket: *mut c_void, events: c_short) -> c_int {
    call(|| self::poller(poller)?.modify(socket_target(socket, events)?))
}

/// Takes a socket out.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_remove(poller: *mut c_void, socket: *mut c_void) -> c_int {
    call(|| {
        let mut poller = self::poller(poller)?;
        let target = socket_target(socket, 0)?;
        poller.remove(target.socket, target.fd)
    })
}

/// Adds a descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_add_fd(
    poller: *mut c_void,
    fd: c_int,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    call(|| self::poller(poller)?.add(fd_target(fd, events)?, user_data))
}

/// Changes what is waited for at a descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_modify_fd(poller: *mut c_void, fd: c_int, events: c_short) -> c_int {
    call(|| self::poller(poller)?.modify(fd_target(fd, events)?))
}

/// Takes a descriptor out.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_remove_fd(poller: *mut c_void, fd: c_int) -> c_int {
    call(|| {
        let mut poller = self::poller(poller)?;
        let target = fd_target(fd, 0)?;
        poller.remove(target.socket, target.fd)
    })
}

/// Waits for one event.
///
/// # Safety
///
/// `event` is null or valid for writing an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait(
    poller: *mut c_void,
    event: *mut ZmqPollerEvent,
    timeout_ms: c_long,
) -> c_int {
    // SAFETY: the caller promises it.
    match unsafe { zmq_poller_wait_all(poller, event, 1, timeout_ms) } {
        -1 => {
            if !event.is_null() {
                // SAFETY: the caller promises it, and an event may be all zeros.
                unsafe { event.write_bytes(0, 1) };
            }
            -1
        }
        _ => 0,
    }
}

/// Waits for events, and returns how many there are, at most `count`.
///
/// # Safety
///
/// `events` is null or valid for writing `count` events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait_all(
    poller: *mut c_void,
    events: *mut ZmqPollerEvent,
    count: c_int,
    timeout_ms: c_long,
) -> c_int {
    call(|| {
        let poller = self::poller(poller)?;
        if events.is_null() {
            return Err(Errno(libc::EFAULT));
        }
        let count = usize::try_from(count).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: the caller promises that many, which may be all zeros.
        let events = unsafe {
            events.write_bytes(0, count);
            std::slice::from_raw_parts_mut(events, count)
        };
        poller.wait(events, timeout_ms)
    })
}

/// A descriptor that becomes readable when a wait may find something at a thread-safe socket of the poller; it stays so until
/// a wait finds nothing. EINVAL for a poller without such sockets.
///
/// # Safety
///
/// `fd` is null or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_fd(poller: *mut c_void, fd: *mut c_int) -> c_int {
    call(|| {
        let mut poller = self::poller(poller)?;
        // SAFETY: the caller promises it.
        *unsafe { checked(fd) }? = poller.fd()?;
        DONE
    })
}
