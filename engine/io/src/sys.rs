//! System calls behind safe functions.

use crate::{
    fd::Fd,
    slices::{self, MAX_SLICES, Position},
    socket::RawAddress,
};
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{
    io,
    marker::PhantomData,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    time::Duration,
};

/// Flags of a send that neither blocks nor raises `SIGPIPE`.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// The longest time-out that is passed on; a longer one is as good as this, and would overflow the kernel's types.
pub(crate) const LONGEST: Duration = Duration::from_secs(1 << 30);

/// Turns the C convention of -1 and errno into a result.
pub(crate) fn check(returned: i32) -> io::Result<i32> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}

/// As [`check`], for calls that return a count of bytes.
pub(crate) fn check_count(returned: isize) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Takes ownership of the descriptor that a call has returned, or of its error.
///
/// # Safety
///
/// `returned` comes from a call that makes descriptors, and nobody else has it.
unsafe fn own(returned: i32) -> io::Result<OwnedFd> {
    let number = check(returned)?;
    // SAFETY: a successful call has returned a descriptor that is open and, says the caller, nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A time-out in the kernel's form, cut to what it can represent.
pub(crate) fn timespec(timeout: Duration) -> libc::timespec {
    let timeout = timeout.min(LONGEST);
    libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    }
}

/// Sends as much of `slices`, in order, as the socket takes without blocking. Returns the count of bytes.
///
/// # Errors
///
/// `WouldBlock` if the socket has no room; otherwise what is wrong with the connection. An error means that no byte was
/// taken. `Interrupted` is not reported.
pub fn send_now<B: StableBytes>(fd: &Fd, slices: &[B]) -> io::Result<usize> {
    let mut position = Position::default();
    position.advance(slices, 0);
    loop {
        if position.is_done(slices) {
            return Ok(position.sent);
        }
        let before = position.slice;
        let result = match slices::last_slice(slices, &position) {
            // SAFETY: it is (the rest of) a slice that is borrowed.
            Some((start, len)) => unsafe { send_one(fd, start, len) },
            None => send_many(fd, &slices[before..], position.skip),
        };
        match result {
            Ok(count) => position.advance(slices, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if position.sent == 0 => return Err(error),
            Err(_) => return Ok(position.sent),
        }
        // Only a batch beyond one call's worth of slices, and all of them taken, is worth another call.
        if position.slice < before + MAX_SLICES {
            return Ok(position.sent);
        }
    }
}

/// Sends (part of) one slice without blocking.
///
/// # Safety
///
/// `len` bytes at `start` are readable during the call, as those of a borrowed [`StableBytes`] are.
pub(crate) unsafe fn send_one(fd: &Fd, start: *const u8, len: usize) -> io::Result<usize> {
    // SAFETY: says the caller; the call only reads, and has finished with the bytes when it returns.
    check_count(unsafe { libc::send(fd.as_raw_fd(), start.cast(), len, SEND_FLAGS) })
}

/// Sends (part of) several slices, less the first `skip` bytes, without blocking.
fn send_many<B: StableBytes>(fd: &Fd, slices: &[B], skip: usize) -> io::Result<usize> {
    let mut array = [const { MaybeUninit::<libc::iovec>::uninit() }; MAX_SLICES];
    let mut count = 0;
    for (place, bytes) in array.iter_mut().zip(slices) {
        let mut slice = slices::iovec(bytes);
        if count == 0 {
            slice.iov_base = slice.iov_base.wrapping_byte_add(skip);
            slice.iov_len -= skip;
        }
        place.write(slice);
        count += 1;
    }
    let mut header = slices::empty_header();
    header.msg_iov = array.as_mut_ptr().cast();
    header.msg_iovlen = count;
    // SAFETY: the first `count` elements of the array have just been written, from slices that are borrowed.
    unsafe { send_header(fd, &raw const header) }
}

/// Sends what the header points at, without blocking.
///
/// # Safety
///
/// The header, its array and the bytes that this names are readable during the call, as those of a borrowed batch of
/// [`StableBytes`] are. There is neither a name nor control data.
pub(crate) unsafe fn send_header(fd: &Fd, header: *const libc::msghdr) -> io::Result<usize> {
    // SAFETY: says the caller; the call only reads, and has finished with everything when it returns.
    check_count(unsafe { libc::sendmsg(fd.as_raw_fd(), header, SEND_FLAGS) })
}

/// Receives what is there into the spare room of `buffer`, without blocking, and advances it. Returns the count of
/// bytes; 0 is the end of the stream (or a buffer without spare room).
///
/// # Errors
///
/// `WouldBlock` if there is nothing to read; otherwise what is wrong with the connection. `Interrupted` is not reported.
pub fn recv_now<S: StableBytesMut>(fd: &Fd, buffer: &mut S) -> io::Result<usize> {
    let (start, room) = buffer.spare_bytes();
    let count = loop {
        // SAFETY: the contract of `StableBytesMut` makes `room` bytes at `start` writable by us alone; the call has
        // finished with them when it returns.
        let returned = unsafe { libc::recv(fd.as_raw_fd(), start.cast(), room, libc::MSG_DONTWAIT) };
        match check_count(returned) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    // SAFETY: the kernel has written `count` bytes, at most the `room` that it was given.
    unsafe { buffer.advance(count) };
    Ok(count)
}

/// A descriptor and what to await of it, for [`wait_fds`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct PollFd<'fd> {
    entry: libc::pollfd,
    fd: PhantomData<&'fd ()>,
}

impl<'fd> PollFd<'fd> {
    /// Awaits readability, writability or both. Hang-up and errors are always awaited.
    pub fn new(fd: &'fd impl AsFd, readable: bool, writable: bool) -> Self {
        Self::borrowed(fd.as_fd(), readable, writable)
    }

    /// [`new`](Self::new) of a descriptor that is borrowed already.
    pub fn borrowed(fd: BorrowedFd<'fd>, readable: bool, writable: bool) -> Self {
        let mut events = 0;
        if readable {
            events |= libc::POLLIN;
        }
        if writable {
            events |= libc::POLLOUT;
        }
        Self {
            entry: libc::pollfd {
                fd: fd.as_raw_fd(),
                events,
                revents: 0,
            },
            fd: PhantomData,
        }
    }

    /// Awaits urgent data (`POLLPRI`) as well.
    #[must_use]
    pub fn with_urgent(mut self) -> Self {
        self.entry.events |= libc::POLLPRI;
        self
    }

    /// Whether the last wait found urgent data.
    pub fn is_urgent(&self) -> bool {
        self.entry.revents & libc::POLLPRI != 0
    }

    /// Whether the last wait found bytes, a connection or the end of the stream to read.
    pub fn is_readable(&self) -> bool {
        self.entry.revents & libc::POLLIN != 0
    }

    /// Whether the last wait found room to write.
    pub fn is_writable(&self) -> bool {
        self.entry.revents & libc::POLLOUT != 0
    }

    /// Whether the last wait found a hang-up or an error; the next call on the descriptor tells which.
    pub fn is_broken(&self) -> bool {
        self.entry.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0
    }
}

impl std::fmt::Debug for PollFd<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.entry.fd)
            .field("events", &self.entry.events)
            .field("revents", &self.entry.revents)
            .finish()
    }
}

/// Blocks until one of `fds` has what is awaited of it, or `timeout` has passed (`None`: for ever). Returns how many
/// have; 0 after a time-out.
///
/// # Errors
///
/// `Interrupted` if a signal was caught: the caller decides whether to go on waiting, and for how long.
pub fn wait_fds(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    wait_fds_masked(fds, timeout, None)
}

/// [`wait_fds`] with another signal mask for the length of the wait, if there is one.
///
/// # Errors
///
/// As [`wait_fds`].
pub fn wait_fds_masked(
    fds: &mut [PollFd<'_>],
    timeout: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<usize> {
    let limit = timeout.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `PollFd` is a transparent wrapper of `pollfd`, so this is an array of `fds.len()` of them that we alone
    // borrow; `limit` is null or points to a local that outlives the call; `mask` is null, which leaves the mask alone, or a
    // reference.
    let returned = unsafe {
        libc::ppoll(
            fds.as_mut_ptr().cast(),
            fds.len() as libc::nfds_t,
            limit,
            mask.map_or(ptr::null(), ptr::from_ref),
        )
    };
    check(returned).map(|ready| ready as usize)
}

/// A non-blocking event counter.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed, and what is returned is owned here.
    unsafe { own(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }
}

/// Adds one to an event counter. It cannot fail but by overflow, in which case the counter is readable anyway.
pub(crate) fn ring_eventfd(bell: &impl AsFd) {
    let one = 1_u64;
    // SAFETY: eight bytes are read from a local.
    let _ = unsafe {
        libc::write(
            bell.as_fd().as_raw_fd(),
            ptr::from_ref(&one).cast(),
            size_of::<u64>(),
        )
    };
}

/// A new epoll instance.
pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed, and what is returned is owned here.
    unsafe { own(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }
}

/// Adds, changes or removes (`operation`) what an epoll instance awaits of `fd`.
pub(crate) fn epoll_control(
    epoll: &OwnedFd,
    operation: i32,
    fd: RawFd,
    events: u32,
    data: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: the event is a local; descriptors that are not open are answered with an error.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd, &raw mut event) }).map(drop)
}

/// Waits for events and returns how many were written to the front of `events`.
pub(crate) fn epoll_wait(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let room = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let limit = timeout.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `room` events may be written to a slice that we alone borrow; `limit` is null or points to a local that
    // outlives the call; a null signal mask leaves the mask alone.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            room,
            limit,
            ptr::null::<libc::sigset_t>(),
            size_of::<libc::sigset_t>(),
        )
    };
    match check_count(returned as isize) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            epoll_wait_coarse(epoll, events, timeout)
        }
        other => other,
    }
}

/// [`epoll_wait`] for kernels before 5.11 and filters that do not know the finer call: time-outs in whole
/// milliseconds, rounded up so that nobody wakes before his time and spins.
pub(crate) fn epoll_wait_coarse(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let room = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let timeout_ms = timeout.map_or(-1, |timeout| {
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: `room` events may be written to a slice that we alone borrow.
    let returned = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, timeout_ms) };
    check(returned).map(|ready| ready as usize)
}

/// A non-blocking stream socket of an address family.
pub(crate) fn stream_socket(family: i32) -> io::Result<OwnedFd> {
    new_socket(family, libc::SOCK_STREAM)
}

/// A non-blocking datagram socket of an address family.
pub(crate) fn datagram_socket(family: i32) -> io::Result<OwnedFd> {
    new_socket(family, libc::SOCK_DGRAM)
}

fn new_socket(family: i32, kind: i32) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed, and what is returned is owned here.
    unsafe { own(libc::socket(family, kind, 0)) }
}

/// Binds a socket to a local address.
pub(crate) fn bind(fd: &Fd, address: &RawAddress) -> io::Result<()> {
    let start = (&raw const address.storage).cast();
    // SAFETY: `len` bytes at `start` are part of the storage.
    check(unsafe { libc::bind(fd.as_raw_fd(), start, address.len) }).map(drop)
}

/// Connects a socket; `EINPROGRESS` if that takes time.
pub(crate) fn connect(fd: &Fd, address: &RawAddress) -> io::Result<()> {
    let start = (&raw const address.storage).cast();
    // SAFETY: `len` bytes at `start` are part of the storage.
    check(unsafe { libc::connect(fd.as_raw_fd(), start, address.len) }).map(drop)
}

/// Lets a bound socket take connections.
pub(crate) fn listen(fd: &Fd, backlog: i32) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// Takes a connection; its peer's address is written to `address`.
pub(crate) fn accept(listener: &Fd, address: &mut RawAddress) -> io::Result<OwnedFd> {
    *address = RawAddress::empty();
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes at most `len` bytes to the storage, which has that size, and then `len`; what is
    // returned is owned here.
    unsafe {
        own(libc::accept4(
            listener.as_raw_fd(),
            (&raw mut address.storage).cast(),
            &raw mut address.len,
            flags,
        ))
    }
}

/// The name of our end of a socket.
pub(crate) fn local_name(fd: &Fd) -> io::Result<RawAddress> {
    let mut address = RawAddress::empty();
    let start = (&raw mut address.storage).cast();
    // SAFETY: the kernel writes at most `len` bytes to the storage, which has that size, and then `len`.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), start, &raw mut address.len) })?;
    Ok(address)
}

/// The name of the other end of a socket.
pub(crate) fn peer_name(fd: &Fd) -> io::Result<RawAddress> {
    let mut address = RawAddress::empty();
    let start = (&raw mut address.storage).cast();
    // SAFETY: as in `local_name`.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), start, &raw mut address.len) })?;
    Ok(address)
}

/// Who is at the other end of a unix socket.
pub(crate) fn peer_credentials(fd: &Fd) -> io::Result<libc::ucred> {
    let mut found = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: at most `len` bytes are written to a local of that size, which consists of integers.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut len,
        )
    })?;
    Ok(found)
}

/// The supplementary groups of the process at the other end of a unix socket.
pub(crate) fn peer_groups(fd: &Fd) -> io::Result<Vec<u32>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut len = (groups.len() * size_of::<libc::gid_t>()) as libc::socklen_t;
        // SAFETY: at most `len` bytes are written to the vector, which has that many and holds integers.
        let outcome = check(unsafe {
            libc::getsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut len,
            )
        });
        let count = len as usize / size_of::<libc::gid_t>();
        match outcome {
            Ok(_) => {
                groups.truncate(count);
                return Ok(groups);
            }
            // The kernel has said how many there are, and they do not change any more.
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => {
                groups.resize(count, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Sets the mode of an open file.
pub(crate) fn set_mode(fd: &Fd, mode: u32) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::fchmod(fd.as_raw_fd(), mode) }).map(drop)
}

/// Sets a socket option that is an `int`.
pub(crate) fn set_option(fd: &Fd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: four bytes are read from a local.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) }).map(drop)
}

/// Reads a socket option that is an `int`, also of a descriptor that is known by its number only.
///
/// # Errors
///
/// The descriptor is not open, is no socket, or has no such option.
pub fn get_option(fd: &impl AsRawFd, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0_i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: at most four bytes are written to a local of that size.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) })?;
    Ok(value)
}

/// Makes a descriptor non-blocking and close-on-exec.
pub(crate) fn make_ready(number: i32) -> io::Result<()> {
    // SAFETY: reads flags, of whichever descriptor that is.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFL) })?;
    // SAFETY: sets flags, likewise.
    check(unsafe { libc::fcntl(number, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    // SAFETY: sets flags, likewise.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// Takes over an open descriptor, and makes it ready for use.
pub(crate) fn adopt(number: i32) -> io::Result<Fd> {
    make_ready(number)?;
    // SAFETY: it is open, as its flags have just been set. Who gave the number gave the descriptor away with it: that is what
    // the option says by which it comes here.
    Ok(Fd::from(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Restricts a socket to one network device.
pub(crate) fn bind_to_device(fd: &Fd, device: &str) -> io::Result<()> {
    let len = device.len() as libc::socklen_t;
    // SAFETY: the kernel reads at most `len` bytes of the name, which need not be terminated.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            device.as_ptr().cast(),
            len,
        )
    })
    .map(drop)
}

/// Bytes that the kernel holds for reading.
pub(crate) fn unread_bytes(fd: &Fd) -> io::Result<usize> {
    let mut count = 0_i32;
    // SAFETY: the request writes an `int` to a local.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}
