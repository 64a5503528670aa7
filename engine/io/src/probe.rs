//! A self-test of a new ring with real operations.
//!
//! A filter may grant the creation of a ring and refuse to let it be used, and an emulated kernel may know the call
//! and not the operations. What a driver relies on is therefore tried once, on the ring that it will use.

use crate::{
    choice::FallbackReason,
    completion::{Completion, Interest},
    fd::Fd,
    ring::Ring,
    sys,
    uring::UringDriver,
    waker::Waker,
};
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

/// How often, and how long each time, the self-test waits for a completion that should be there at once.
const WAITS: usize = 10;
const WAIT: Duration = Duration::from_millis(100);

const TEXT: &[u8] = b"probe";

/// Bytes to send.
struct Text(&'static [u8]);

// SAFETY: static bytes neither move nor change, and the reference to them is the same on every call.
unsafe impl StableBytes for Text {
    fn stable_bytes(&self) -> (*const u8, usize) {
        (self.0.as_ptr(), self.0.len())
    }
}

/// Room to receive into.
struct Room {
    bytes: Box<[u8; 16]>,
    filled: usize,
}

// SAFETY: the array is on the heap and owned by this value alone, so it stays where it is when the value moves, and
// nobody else can reach it; its pointer depends on `filled`, which only `advance` changes.
unsafe impl StableBytesMut for Room {
    fn spare_bytes(&mut self) -> (*mut u8, usize) {
        let spare = &mut self.bytes[self.filled..];
        (spare.as_mut_ptr(), spare.len())
    }

    unsafe fn advance(&mut self, count: usize) {
        self.filled += count;
    }
}

type Driver = UringDriver<Text, Room>;

/// Tries out `ring`. Returns it and whether it polls the bell of `waker`.
pub(crate) fn self_test(ring: Ring, waker: &Waker) -> Result<(Ring, bool), FallbackReason> {
    let mut driver = Driver::new(ring, waker.clone(), false);
    match exercise(&mut driver) {
        Ok(()) => Ok(driver.into_ring()),
        Err(error) => Err(FallbackReason::SelfTest(error)),
    }
}

/// A poll that has to wait, a vectored send, a receive, and a cancelled poll.
fn exercise(driver: &mut Driver) -> io::Result<()> {
    let bell = Arc::new(Fd::from(sys::eventfd()?));
    driver.poll(0, &bell, Interest::Readable);
    let (ours, theirs) = UnixStream::pair()?;
    let [ours, theirs] = [ours, theirs].map(|end| Arc::new(Fd::from(OwnedFd::from(end))));
    driver.send(1, &ours, vec![Text(TEXT), Text(TEXT)]);
    match next(driver)? {
        Completion::Sent { result, .. } => expect(result? == 2 * TEXT.len())?,
        _ => expect(false)?,
    }
    sys::ring_eventfd(&*bell);
    expect(matches!(next(driver)?, Completion::Ready { token: 0 }))?;
    let room = Room {
        bytes: Box::new([0; 16]),
        filled: 0,
    };
    driver.recv(2, &theirs, room);
    match next(driver)? {
        Completion::Received { result, buffer, .. } => {
            let count = result?;
            expect(buffer.bytes[..count] == [TEXT, TEXT].concat())?;
        }
        _ => expect(false)?,
    }
    driver.poll(3, &theirs, Interest::Readable);
    driver.cancel(3);
    expect(matches!(next(driver)?, Completion::Cancelled { token: 3 }))
}

/// The next completion, which must be the only one.
fn next(driver: &mut Driver) -> io::Result<Completion<Text, Room>> {
    let mut out = Vec::new();
    for _ in 0..WAITS {
        driver.wait(Some(WAIT), &mut out)?;
        if let Some(completion) = out.pop() {
            expect(out.is_empty())?;
            return Ok(completion);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Turns a result that an ordinary kernel does not give into an error.
fn expect(holds: bool) -> io::Result<()> {
    if holds {
        Ok(())
    } else {
        Err(io::ErrorKind::Unsupported.into())
    }
}
