//! In steady state an operation costs no allocation, whichever driver it is given to.

use ringmq_io::{Completion, Driver, DriverChoice, Fd, Interest, recv_now, send_now};
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Bytes(&'static [u8]);

// SAFETY: static bytes neither move nor change.
unsafe impl StableBytes for Bytes {
    fn stable_bytes(&self) -> (*const u8, usize) {
        (self.0.as_ptr(), self.0.len())
    }
}

struct Room(Vec<u8>);

// SAFETY: the spare capacity is on the heap and belongs to this value alone; only `advance` changes what is spare.
unsafe impl StableBytesMut for Room {
    fn spare_bytes(&mut self) -> (*mut u8, usize) {
        let spare = self.0.spare_capacity_mut();
        (spare.as_mut_ptr().cast(), spare.len())
    }

    unsafe fn advance(&mut self, count: usize) {
        // SAFETY: the caller vouches for `count` initialised bytes of the spare capacity.
        unsafe { self.0.set_len(self.0.len() + count) };
    }
}

const CONNECTIONS: usize = 300;

/// A connection of the exercise, and the buffers that it uses again and again.
struct Connection {
    ours: Arc<Fd>,
    theirs: Fd,
    batch: Option<Vec<Bytes>>,
    room: Option<Room>,
}

impl Connection {
    fn new() -> Self {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        let [ours, theirs] = [ours, theirs].map(|end| Fd::from(OwnedFd::from(end)));
        Self {
            ours: Arc::new(ours),
            theirs,
            batch: Some(vec![Bytes(b"head"), Bytes(b"body"), Bytes(b"tail")]),
            room: Some(Room(Vec::with_capacity(256))),
        }
    }
}

/// Sends on every connection, polls, receives and cancels, with more operations than the queues hold at once.
fn round(
    driver: &mut Driver<Bytes, Room>,
    connections: &mut [Connection],
    out: &mut Vec<Completion<Bytes, Room>>,
    echo: &mut Room,
) {
    let mut pending = 0;
    for (id, connection) in connections.iter_mut().enumerate() {
        let token = 4 * id as u64;
        driver.poll(token, &connection.ours, Interest::Readable);
        driver.poll(token + 3, &connection.ours, Interest::Readable);
        driver.send(
            token + 1,
            &connection.ours,
            connection.batch.take().expect("at rest"),
        );
        pending += 3;
    }
    driver.wait(Some(Duration::ZERO), out).expect("wait");
    for (id, connection) in connections.iter().enumerate() {
        driver.cancel(4 * id as u64 + 3);
        send_now(&connection.theirs, &[Bytes(b"an"), Bytes(b"swer")]).expect("send");
        echo.0.clear();
        while matches!(recv_now(&connection.theirs, echo), Ok(12)) {
            echo.0.clear();
        }
    }
    while pending > 0 {
        for completion in out.drain(..) {
            pending -= 1;
            let token = completion.token();
            let connection = &mut connections[token as usize / 4];
            match completion {
                Completion::Ready { .. } if token % 4 == 0 => {
                    let mut room = connection.room.take().expect("at rest");
                    room.0.clear();
                    driver.recv(token + 2, &connection.ours, room);
                    pending += 1;
                }
                Completion::Ready { .. } | Completion::Cancelled { .. } => {}
                Completion::Received { buffer, result, .. } => {
                    assert_eq!(result.expect("received"), 6);
                    connection.room = Some(buffer);
                }
                Completion::Sent { batch, result, .. } => {
                    assert_eq!(result.expect("sent"), 12);
                    connection.batch = Some(batch);
                }
            }
        }
        if pending > 0 {
            driver.wait(Some(Duration::from_secs(20)), out).expect("wait");
        }
    }
}

fn exercise(choice: DriverChoice) {
    let mut driver = Driver::new(choice).expect("both drivers work here");
    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| Connection::new()).collect();
    let mut out = Vec::new();
    let mut echo = Room(Vec::with_capacity(64));
    let warm_up = ALLOCATIONS.get();
    for _ in 0..10 {
        round(&mut driver, &mut connections, &mut out, &mut echo);
    }
    let before = ALLOCATIONS.get();
    assert!(before > warm_up, "the counter counts");
    for _ in 0..20 {
        round(&mut driver, &mut connections, &mut out, &mut echo);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

#[test]
fn io_uring_operations_allocate_nothing() {
    exercise(DriverChoice::Uring);
}

#[test]
fn epoll_operations_allocate_nothing() {
    exercise(DriverChoice::Epoll);
}
