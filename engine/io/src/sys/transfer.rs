//! Sending and receiving without waiting.

use std::{io, mem::MaybeUninit, os::fd::AsRawFd};

use ringmq_queue::stable::{StableBytes, StableBytesMut};

use super::check_count;
use crate::{
    fd::Fd,
    slices::{self, MAX_SLICES, Position},
};

/// Flags of a send that neither blocks nor raises `SIGPIPE`.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

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
