//! Sealed memory files: making one's own, and checking the peer's before touching it.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use nix::{
    fcntl::{FallocateFlags, FcntlArg, OFlag, SealFlag, fallocate, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        stat::fstat,
        statfs::{TMPFS_MAGIC, fstatfs},
    },
    unistd::ftruncate,
};
use ringmq_queue::sync::Ordering::Relaxed;

use crate::{
    error::OpenError,
    fence,
    layout::{Geometry, MAGIC, NEVER, PAGE, PROMISES_MEMBARRIER, VERSION},
    memory::Map,
};

/// Nobody but who has mapped it already can ever write the file or change its length, and this cannot be undone.
const SEALS: SealFlag = SealFlag::from_bits_retain(
    libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SEAL,
);

/// The memory that this process writes and the peer reads: its outgoing ring, its pool, and what it says about the
/// peer's ring. One per connection, never used again.
#[derive(Debug)]
pub struct Segment {
    fd: OwnedFd,
    pub(crate) map: Map,
    pub(crate) geometry: Geometry,
    epoch: u64,
}

impl Segment {
    /// Creates, allocates, maps and seals a segment of `len` bytes: a power of two from 64 KiB to 64 MiB.
    ///
    /// The memory exists when this returns: neither side can run out of it later. It is not inherited over `fork`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for another length; otherwise the system has no memory, no descriptor, or does not support sealed
    /// memory files, which came with Linux 5.1.
    pub fn create(len: usize) -> io::Result<Self> {
        let Some(geometry) = Geometry::of(len) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let fd = memory_file()?;
        ftruncate(&fd, len as i64)?;
        // Without this, pages would be missing when they are touched, which is a signal instead of an error.
        fallocate(&fd, FallocateFlags::empty(), 0, len as i64)?;
        let map = Map::read_write(fd.as_fd(), len)?;
        let epoch = random()?;
        describe(&map, &geometry, epoch);
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SEALS))?;
        Ok(Self {
            fd,
            map,
            geometry,
            epoch,
        })
    }

    /// The descriptor to send to the peer. The segment keeps it until it is joined.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a segment is never empty")]
    pub fn len(&self) -> usize {
        self.geometry.len
    }

    /// A random number that no other segment has.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// The peer's segment, checked and mapped for reading.
#[derive(Debug)]
pub struct PeerSegment {
    pub(crate) map: Map,
    pub(crate) geometry: Geometry,
    pub(crate) promises_membarrier: bool,
    epoch: u64,
}

impl PeerSegment {
    /// Checks a received descriptor and maps it. The descriptor is closed in any case.
    ///
    /// Nothing is mapped before the kernel has confirmed that the peer can neither take the memory away nor let somebody
    /// else write it.
    ///
    /// # Errors
    ///
    /// What the descriptor lacks; see [`OpenError`]. `len_max` is in bytes.
    pub fn open(fd: OwnedFd, len_max: usize) -> Result<Self, OpenError> {
        let file = File::from(fd);
        check_type(&file)?;
        let geometry = check_length(&file, len_max)?;
        let (flags, epoch) = check_header(&file, &geometry)?;
        let map = Map::read_only(file.as_fd(), geometry.len)?;
        Ok(Self {
            map,
            geometry,
            promises_membarrier: flags & PROMISES_MEMBARRIER != 0,
            epoch,
        })
    }

    /// The random number of the peer's segment.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// An empty memory file that may be sealed, and not be executed where the kernel knows how to forbid it.
fn memory_file() -> io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let no_exec = MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    match memfd_create(c"ringmq", flags | no_exec) {
        // Before Linux 6.3.
        Err(nix::Error::EINVAL) => Ok(memfd_create(c"ringmq", flags)?),
        other => Ok(other?),
    }
}

/// Writes the header of a new segment.
fn describe(map: &Map, geometry: &Geometry, epoch: u64) {
    // SAFETY: `map` lives as long as this function.
    let header = unsafe { map.header().get() };
    let ident = &header.ident;
    // Relaxed throughout: the descriptor is sent later, by a system call.
    header.want_data.data_at.store(NEVER, Relaxed);
    header.want_room.head.store(NEVER, Relaxed);
    header.want_room.taken.store(NEVER, Relaxed);
    if fence::register() {
        ident.flags.store(PROMISES_MEMBARRIER, Relaxed);
    }
    ident.version.store(VERSION, Relaxed);
    let words = [
        (&ident.magic, MAGIC),
        (&ident.len, geometry.len as u64),
        (&ident.ring_at, geometry.ring_at as u64),
        (&ident.ring_len, geometry.ring_len as u64),
        (&ident.pool_at, geometry.pool_at as u64),
        (&ident.block_len, geometry.block_len as u64),
        (&ident.blocks, geometry.blocks as u64),
        (&ident.epoch, epoch),
    ];
    for (word, value) in words {
        word.store(value, Relaxed);
    }
}

/// A memory file, open for reading and writing, sealed.
fn check_type(file: &File) -> Result<(), OpenError> {
    let mode = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?) & OFlag::O_ACCMODE;
    if mode != OFlag::O_RDWR {
        return Err(OpenError::Access);
    }
    // Fails for whatever cannot be sealed: pipes, sockets, devices, files on disk.
    let seals = SealFlag::from_bits_retain(fcntl(file, FcntlArg::F_GET_SEALS)?);
    // Files of huge pages can be sealed too, and are missing pages when memory is short.
    if fstatfs(file)?.filesystem_type() != TMPFS_MAGIC {
        return Err(OpenError::NotMemory);
    }
    if !seals.contains(SEALS) {
        return Err(OpenError::Unsealed);
    }
    Ok(())
}

/// An allowed length, and all of it allocated: the seals see to it that it stays so.
fn check_length(file: &File, len_max: usize) -> Result<Geometry, OpenError> {
    let stat = fstat(file)?;
    let len = u64::try_from(stat.st_size).unwrap_or(0);
    let geometry = usize::try_from(len)
        .ok()
        .filter(|&len| len <= len_max)
        .and_then(Geometry::of)
        .ok_or(OpenError::Length(len))?;
    // `st_blocks` counts units of 512 bytes.
    if u64::try_from(stat.st_blocks).unwrap_or(0) < len / 512 {
        return Err(OpenError::Sparse);
    }
    Ok(geometry)
}

/// The header describes just what we compute. Reads a copy, so that nothing can change after it was checked.
fn check_header(file: &File, geometry: &Geometry) -> Result<(u32, u64), OpenError> {
    let mut page = [0; PAGE];
    file.read_exact_at(&mut page, 0)?;
    let half = |at: usize| u32::from_ne_bytes(std::array::from_fn(|index| page[at + index]));
    let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|index| page[at + index]));
    let said = Geometry {
        len: word(16) as usize,
        ring_at: word(24) as usize,
        ring_len: word(32) as usize,
        pool_at: word(40) as usize,
        block_len: word(48) as usize,
        blocks: word(56) as usize,
    };
    let flags = half(12);
    if word(0) != MAGIC || half(8) != VERSION || flags & !PROMISES_MEMBARRIER != 0 || said != *geometry {
        return Err(OpenError::Header);
    }
    Ok((flags, word(64)))
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: eight writable bytes for the length of the call.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len() as isize {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::from_ne_bytes(bytes))
}
