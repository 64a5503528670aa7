//! What a peer may send instead of a segment, what it may do to one afterwards, and that nothing is left behind.
#![cfg(not(loom))]

mod common;

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{fs::FileExt, net::UnixStream},
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use common::{duplicate, pair};
use memmap2::MmapOptions;
use nix::{
    fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
    unistd::{ftruncate, pipe},
};
use ringmq_shm::{OpenError, PeerSegment, Segment};

const LEN: usize = 64 << 10;
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SEAL;

/// The tests that count descriptors and mappings, and all others, one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is like a segment but for what a test changes.
struct Forgery {
    len: usize,
    allocated: usize,
    seals: i32,
    flags: MFdFlags,
    /// Eight bytes to write at an offset of the header.
    word: Option<(u64, u64)>,
}

const GOOD: Forgery = Forgery {
    len: LEN,
    allocated: LEN,
    seals: SEALS,
    flags: MFdFlags::MFD_ALLOW_SEALING,
    word: None,
};

impl Forgery {
    fn make(self) -> OwnedFd {
        let fd = memfd_create(c"forgery", self.flags).unwrap();
        ftruncate(&fd, self.len as i64).unwrap();
        if self.allocated > 0 {
            fallocate(&fd, FallocateFlags::empty(), 0, self.allocated as i64).unwrap();
        }
        let header_of = Segment::create(LEN.max(self.len).next_power_of_two().min(64 << 20)).unwrap();
        let mut header = [0; 4096];
        let file = File::from(fd);
        File::from(duplicate(header_of.fd()))
            .read_exact_at(&mut header, 0)
            .unwrap();
        if self.allocated >= header.len() {
            file.write_all_at(&header, 0).unwrap();
        }
        if let Some((at, word)) = self.word {
            file.write_all_at(&word.to_ne_bytes(), at).unwrap();
        }
        if self.flags.contains(MFdFlags::MFD_ALLOW_SEALING) {
            fcntl(
                &file,
                FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(self.seals)),
            )
            .unwrap();
        }
        OwnedFd::from(file)
    }

    fn open(self) -> Result<PeerSegment, OpenError> {
        PeerSegment::open(self.make(), LEN)
    }
}

#[test]
fn a_good_forgery_is_a_segment() {
    let _alone = alone();
    assert!(GOOD.open().is_ok());
}

#[test]
fn every_seal_is_needed() {
    let _alone = alone();
    for missing in [
        libc::F_SEAL_SHRINK,
        libc::F_SEAL_GROW,
        libc::F_SEAL_FUTURE_WRITE,
        libc::F_SEAL_SEAL,
        SEALS,
    ] {
        let forgery = Forgery {
            seals: SEALS & !missing,
            ..GOOD
        };
        assert!(
            matches!(forgery.open(), Err(OpenError::Unsealed)),
            "without {missing:#x}"
        );
    }
    let unsealable = Forgery {
        flags: MFdFlags::empty(),
        ..GOOD
    };
    assert!(matches!(unsealable.open(), Err(OpenError::Unsealed)));
}

#[test]
fn other_lengths_are_refused() {
    let _alone = alone();
    for len in [0, 1, 4096, LEN - 1, LEN + 4096, LEN * 2, 128 << 20] {
        let forgery = Forgery {
            len,
            allocated: len.min(LEN),
            ..GOOD
        };
        let opened = forgery.open();
        assert!(
            matches!(opened, Err(OpenError::Length(got)) if got == len as u64),
            "{len}: {opened:?}"
        );
    }
    // An honest one that is longer than we allow, and one that lies about its length.
    let long = Segment::create(LEN * 2).unwrap();
    assert!(matches!(
        PeerSegment::open(duplicate(long.fd()), LEN),
        Err(OpenError::Length(_))
    ));
    let short = Forgery {
        len: LEN * 2,
        allocated: LEN * 2,
        word: Some((16, LEN as u64)),
        ..GOOD
    };
    assert!(matches!(
        PeerSegment::open(short.make(), LEN * 2),
        Err(OpenError::Header)
    ));
}

#[test]
fn holes_are_refused() {
    let _alone = alone();
    for allocated in [4096, LEN - 4096] {
        let forgery = Forgery { allocated, ..GOOD };
        assert!(matches!(forgery.open(), Err(OpenError::Sparse)));
    }
}

#[test]
fn every_word_of_the_header_counts() {
    let _alone = alone();
    for at in [0, 8, 16, 24, 32, 40, 48, 56] {
        for word in [0, 2, u64::MAX, 1 << 63, 4104] {
            let forgery = Forgery {
                word: Some((at, word)),
                ..GOOD
            };
            assert!(matches!(forgery.open(), Err(OpenError::Header)), "{word} at {at}");
        }
    }
}

#[test]
fn other_types_are_refused() {
    let _alone = alone();
    let (reading, writing) = pipe().unwrap();
    let (socket, _other) = UnixStream::pair().unwrap();
    let open = |path: &str| OpenOptions::new().read(true).write(true).open(path).unwrap();
    let on_disk = open_temporary("/var/tmp");
    let on_tmpfs = open_temporary("/dev/shm");
    on_tmpfs.set_len(LEN as u64).unwrap();
    let descriptors: [OwnedFd; 7] = [
        reading,
        writing,
        socket.into(),
        open("/dev/zero").into(),
        on_disk.into(),
        on_tmpfs.into(),
        nix::sys::eventfd::EventFd::new().unwrap().into(),
    ];
    for (index, fd) in descriptors.into_iter().enumerate() {
        assert!(PeerSegment::open(fd, LEN).is_err(), "descriptor {index}");
    }
}

fn open_temporary(folder: &str) -> File {
    let path = format!("{folder}/ringmq-shm-{}", std::process::id());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    fs::remove_file(path).unwrap();
    file
}

#[test]
fn other_access_is_refused() {
    let _alone = alone();
    let good = GOOD.make();
    let path = format!("/proc/self/fd/{}", good.as_raw_fd());
    let reading = File::open(&path).unwrap();
    assert!(matches!(
        PeerSegment::open(reading.into(), LEN),
        Err(OpenError::Access)
    ));
    let writing = OpenOptions::new().write(true).open(&path).unwrap();
    assert!(matches!(
        PeerSegment::open(writing.into(), LEN),
        Err(OpenError::Access)
    ));
}

#[test]
fn huge_pages_are_refused() {
    let _alone = alone();
    // Making the file does not need a huge page, only touching it does.
    let Ok(fd) = memfd_create(c"huge", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_HUGETLB) else {
        return;
    };
    fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(SEALS))).unwrap();
    assert!(matches!(PeerSegment::open(fd, LEN), Err(OpenError::NotMemory)));
}

#[test]
fn nobody_can_take_the_memory_away_or_write_it() {
    let _alone = alone();
    let segment = Segment::create(LEN).unwrap();
    let fd = duplicate(segment.fd());
    let peer = PeerSegment::open(duplicate(segment.fd()), LEN).unwrap();
    assert_eq!(segment.epoch(), peer.epoch());
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let again = OpenOptions::new().read(true).write(true).open(path).unwrap();
    for file in [File::from(fd), again] {
        assert!(file.set_len(0).is_err() && file.set_len(LEN as u64 * 2).is_err());
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        assert!(fallocate(&file, punch, 0, 4096).is_err());
        assert_eq!(
            file.write_at(&[1], 0).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        // SAFETY: never accessed.
        assert!(unsafe { MmapOptions::new().map_mut(&file) }.is_err());
        // SAFETY: never accessed.
        let reading = unsafe { MmapOptions::new().map(&file) }.unwrap();
        assert_eq!(
            reading.make_mut().unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        for seals in [SealFlag::F_SEAL_WRITE, SealFlag::F_SEAL_SEAL] {
            assert!(fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).is_err());
        }
    }
}

#[test]
fn segments_have_lengths_between_the_limits() {
    let _alone = alone();
    for len in [0, 1, LEN / 2, LEN + 4096, 128 << 20] {
        assert_eq!(Segment::create(len).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let other = Segment::create(LEN).unwrap();
    assert_ne!(Segment::create(LEN).unwrap().epoch(), other.epoch());
    assert_eq!(other.len(), LEN);
    // Not inherited by programs that we start.
    assert_eq!(fcntl(other.fd(), FcntlArg::F_GETFD), Ok(libc::FD_CLOEXEC));
}

fn count_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn count_mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("memfd:ringmq")).count()
}

#[test]
fn nothing_is_left_after_ten_thousand_connections() {
    let _alone = alone();
    let before = (count_descriptors(), count_mappings());
    let mut kept = Vec::new();
    for round in 0..10_000 {
        let (mut a, mut b) = pair(LEN);
        assert!(a.send(&[1; 4096]) && a.send(&[2; 64]));
        if round % 1000 == 0 {
            let lent = b.receiver.next().unwrap().unwrap().body;
            let ringmq_shm::Body::Lent(lent) = lent else {
                unreachable!("a long body")
            };
            kept.push((lent, a.sender.loan(1).unwrap()));
        }
        assert_eq!(
            b.receive().map(|body| body.len()),
            Some(if round % 1000 == 0 { 64 } else { 4096 })
        );
    }
    // Both segments for each body, and our own for each loan.
    assert_eq!(count_mappings(), before.1 + 3 * kept.len());
    kept.clear();
    assert_eq!((count_descriptors(), count_mappings()), before);
}

#[test]
fn refused_descriptors_are_closed() {
    let _alone = alone();
    let before = (count_descriptors(), count_mappings());
    for _ in 0..100 {
        let unsealed = Forgery { seals: 0, ..GOOD };
        assert!(unsealed.open().is_err());
        let holes = Forgery {
            allocated: 4096,
            ..GOOD
        };
        assert!(holes.open().is_err());
        let (reading, _writing) = pipe().unwrap();
        assert!(ringmq_shm::Ringer::from_peer(reading).is_err());
    }
    assert_eq!((count_descriptors(), count_mappings()), before);
}
