//! Buffers, sockets and a driver to try them with.

use crate::{Completion, Driver, DriverChoice, Fd, Token};
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{
    io::{self, Read},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long a test waits for what must happen before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Counts the buffers that are alive.
#[derive(Clone, Default)]
pub(crate) struct Census(Arc<AtomicUsize>);

impl Census {
    pub(crate) fn alive(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.clone()
    }
}

/// Bytes to send.
pub(crate) struct Bytes {
    bytes: Box<[u8]>,
    census: Option<Census>,
}

impl Bytes {
    pub(crate) fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self {
            bytes: bytes.into(),
            census: None,
        }
    }

    pub(crate) fn counted(bytes: impl Into<Box<[u8]>>, census: &Census) -> Self {
        Self {
            bytes: bytes.into(),
            census: Some(census.enter()),
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.bytes.fill(0xDD);
        if let Some(Census(count)) = &self.census {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: the bytes are on the heap, are never written before the drop, and belong to this value alone.
unsafe impl StableBytes for Bytes {
    fn stable_bytes(&self) -> (*const u8, usize) {
        (self.bytes.as_ptr(), self.bytes.len())
    }
}

/// Room to receive into.
pub(crate) struct Room {
    bytes: Vec<u8>,
    filled: usize,
}

impl Room {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            bytes: vec![0; size],
            filled: 0,
        }
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

// SAFETY: the bytes are on the heap and belong to this value alone; what `spare_bytes` returns depends on `filled`,
// which only `advance` changes.
unsafe impl StableBytesMut for Room {
    fn spare_bytes(&mut self) -> (*mut u8, usize) {
        let spare = &mut self.bytes[self.filled..];
        (spare.as_mut_ptr(), spare.len())
    }

    unsafe fn advance(&mut self, count: usize) {
        self.filled += count;
    }
}

pub(crate) type TestDriver = Driver<Bytes, Room>;
pub(crate) type TestCompletion = Completion<Bytes, Room>;

pub(crate) fn driver(choice: DriverChoice) -> TestDriver {
    Driver::new(choice).expect("both drivers work here")
}

/// Waits for exactly one completion.
pub(crate) fn next(driver: &mut TestDriver) -> TestCompletion {
    let mut some = take(driver, 1);
    some.pop().expect("one was taken")
}

/// Waits for exactly `count` completions.
pub(crate) fn take(driver: &mut TestDriver, count: usize) -> Vec<TestCompletion> {
    let start = std::time::Instant::now();
    let mut out = Vec::new();
    while out.len() < count {
        driver.wait(Some(PATIENCE), &mut out).expect("wait");
        assert!(
            start.elapsed() < PATIENCE,
            "{} of {count} came in time",
            out.len()
        );
    }
    assert_eq!(out.len(), count, "more came than was awaited");
    out
}

/// Gives the driver the opportunity to complete something, without sleeping.
pub(crate) fn glance(driver: &mut TestDriver) -> Vec<TestCompletion> {
    let mut out = Vec::new();
    driver.wait(Some(Duration::ZERO), &mut out).expect("wait");
    out
}

pub(crate) fn sent(completion: TestCompletion) -> (Token, Vec<Bytes>, io::Result<usize>) {
    match completion {
        Completion::Sent { token, batch, result } => (token, batch, result),
        _ => panic!("not a send: token {}", completion.token()),
    }
}

pub(crate) fn received(completion: TestCompletion) -> (Token, Room, io::Result<usize>, bool) {
    match completion {
        Completion::Received {
            token,
            buffer,
            result,
            more_likely,
        } => (token, buffer, result, more_likely),
        _ => panic!("not a receive: token {}", completion.token()),
    }
}

pub(crate) fn shared(owned: impl Into<OwnedFd>) -> Arc<Fd> {
    Arc::new(Fd::from(owned.into()))
}

/// One end for the driver, the other for the test; both non-blocking.
pub(crate) fn unix_pair() -> (Arc<Fd>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("socketpair");
    ours.set_nonblocking(true).expect("non-blocking");
    theirs.set_nonblocking(true).expect("non-blocking");
    (shared(ours), theirs)
}

/// As [`unix_pair`], over TCP on the loopback device.
pub(crate) fn tcp_pair() -> (Arc<Fd>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let ours = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (theirs, _) = listener.accept().expect("accept");
    ours.set_nonblocking(true).expect("non-blocking");
    theirs.set_nonblocking(true).expect("non-blocking");
    (shared(ours), theirs)
}

/// Appends what is there to `into`; whether the stream has ended.
pub(crate) fn read_available(from: &mut impl Read, into: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 65_536];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return true,
            Ok(count) => into.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => panic!("read: {error}"),
        }
    }
}

/// Bytes that tell where in the stream they belong.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}
