//! Descriptors that pass through a local socket, beside its bytes (unix(7), SCM_RIGHTS).

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use crate::{fd::Fd, sys};

/// The most descriptors that one receive takes; what is beyond is closed by the kernel, and reported.
pub const DESCRIPTORS_MAX: usize = 4;

/// Room for a control message with exactly that many descriptors, aligned as its header wants.
type ControlSpace = [MaybeUninit<u64>; 4];

const _: () = {
    // SAFETY: the macro only computes.
    let needed = unsafe { libc::CMSG_SPACE((DESCRIPTORS_MAX * size_of::<RawFd>()) as u32) };
    assert!(needed as usize == size_of::<ControlSpace>());
    assert!(align_of::<libc::cmsghdr>() <= align_of::<ControlSpace>());
};

/// Sends bytes, and with the first of them descriptors. Does not block; returns how many bytes were taken.
///
/// # Errors
///
/// `WouldBlock`, or what is wrong with the connection; `ETOOMANYREFS` if too many descriptors are on their way already.
///
/// # Panics
///
/// If these are more than [`DESCRIPTORS_MAX`].
pub fn send_with_descriptors(fd: &Fd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    assert!(descriptors.len() <= DESCRIPTORS_MAX, "too many descriptors");
    let mut space: ControlSpace = [MaybeUninit::zeroed(); 4];
    let mut slice = io_slice(bytes.as_ptr().cast_mut(), bytes.len());
    let mut header = message_header(&mut slice, &mut space);
    // SAFETY: the space has room for `DESCRIPTORS_MAX` of them.
    unsafe { put_descriptors(&mut header, descriptors) };
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the header refers to locals and to the caller's bytes, which are only read.
    sys::check_count(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, flags) })
}

/// Receives bytes, and the descriptors that came with them, which are closed on exec. Does not block; 0 is the end of the
/// stream.
///
/// # Errors
///
/// `WouldBlock`; `InvalidData` if more than [`DESCRIPTORS_MAX`] came, or this process has no room for them: those that
/// did arrive are closed; or what is wrong with the connection.
pub fn recv_with_descriptors(fd: &Fd, bytes: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space: ControlSpace = [MaybeUninit::zeroed(); 4];
    let mut slice = io_slice(bytes.as_mut_ptr(), bytes.len());
    let mut header = message_header(&mut slice, &mut space);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the header refers to locals and to the caller's bytes, all of which may be written.
    let count = sys::check_count(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) })?;
    // SAFETY: the kernel has just filled the header and the space behind it.
    let mut arrived = unsafe { take_descriptors(&header) };
    if header.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "descriptors of the peer were lost",
        ));
    }
    descriptors.append(&mut arrived);
    Ok(count)
}

fn io_slice(start: *mut u8, len: usize) -> libc::iovec {
    libc::iovec {
        iov_base: start.cast(),
        iov_len: len,
    }
}

fn message_header(slice: &mut libc::iovec, space: &mut ControlSpace) -> libc::msghdr {
    libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: slice,
        msg_iovlen: 1,
        msg_control: space.as_mut_ptr().cast(),
        msg_controllen: size_of::<ControlSpace>(),
        msg_flags: 0,
    }
}

/// Writes a control message with the descriptors, or none if there are none.
///
/// # Safety
///
/// The control space of the header is there, aligned, zeroed, and large enough.
unsafe fn put_descriptors(header: &mut libc::msghdr, descriptors: &[BorrowedFd<'_>]) {
    if descriptors.is_empty() {
        header.msg_controllen = 0;
        return;
    }
    let payload = size_of_val(descriptors) as u32;
    // SAFETY: the macros compute places for one control message of this length within the space, which the caller has
    // made large enough.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(payload) as usize;
        let control = libc::CMSG_FIRSTHDR(header);
        (*control).cmsg_level = libc::SOL_SOCKET;
        (*control).cmsg_type = libc::SCM_RIGHTS;
        (*control).cmsg_len = libc::CMSG_LEN(payload) as usize;
        let numbers = libc::CMSG_DATA(control).cast::<RawFd>();
        for (place, descriptor) in descriptors.iter().enumerate() {
            numbers.add(place).write_unaligned(descriptor.as_raw_fd());
        }
    }
}

/// Owns every descriptor in the control messages, also when the kernel cut them short.
///
/// # Safety
///
/// A successful `recvmsg` has filled the header, its control space is still there, and this is the first call for it.
unsafe fn take_descriptors(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut taken = Vec::new();
    // SAFETY: the macros walk what the kernel wrote into the space that the header refers to. Each descriptor there was
    // made for this process just now, and nobody else knows its number.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            if (*control).cmsg_level == libc::SOL_SOCKET && (*control).cmsg_type == libc::SCM_RIGHTS {
                let len = (*control).cmsg_len - libc::CMSG_LEN(0) as usize;
                let numbers = libc::CMSG_DATA(control).cast::<RawFd>();
                for place in 0..len / size_of::<RawFd>() {
                    taken.push(OwnedFd::from_raw_fd(numbers.add(place).read_unaligned()));
                }
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    taken
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        io::Read,
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use super::*;

    fn pair() -> (Fd, Fd) {
        let (one, other) = UnixStream::pair().unwrap();
        (OwnedFd::from(one).into(), OwnedFd::from(other).into())
    }

    #[test]
    fn descriptors_arrive_with_their_bytes() {
        let (one, other) = pair();
        let (mut reader, writer) = io::pipe().unwrap();
        assert_eq!(
            send_with_descriptors(&one, b"hello", &[writer.as_fd()]).unwrap(),
            5
        );
        drop(writer);
        let (mut bytes, mut descriptors) = ([0; 64], Vec::new());
        let count = recv_with_descriptors(&other, &mut bytes, &mut descriptors).unwrap();
        assert_eq!((&bytes[..count], descriptors.len()), (&b"hello"[..], 1));
        // The one that passed is the last write end: the pipe ends with it.
        drop(descriptors);
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn too_many_are_refused_and_none_is_left() {
        let (one, other) = pair();
        let (mut reader, writer) = io::pipe().unwrap();
        send_many(&one, &[writer.as_fd(); DESCRIPTORS_MAX + 5]);
        drop(writer);
        let mut descriptors = Vec::new();
        let error = recv_with_descriptors(&other, &mut [0; 64], &mut descriptors).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(descriptors.is_empty());
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0, "all copies are closed");
    }

    /// What our own side never sends.
    fn send_many(fd: &Fd, descriptors: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::<u64>::zeroed(); 64];
        let mut slice = io_slice(c"x".as_ptr().cast_mut().cast(), 1);
        let mut header = message_header(&mut slice, &mut [MaybeUninit::zeroed(); 4]);
        header.msg_control = space.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&space);
        // SAFETY: the space has room for 124 descriptors.
        unsafe { put_descriptors(&mut header, descriptors) };
        // SAFETY: the header refers to locals.
        assert_eq!(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, 0) }, 1);
    }

    #[test]
    fn nothing_to_receive_does_not_block() {
        let (_one, other) = pair();
        let error = recv_with_descriptors(&other, &mut [0; 8], &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
