//! In steady state a message costs no allocation: counted, for bodies of all sizes, on one thread and between two.
#![cfg(not(loom))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use ringmq_message::{Buffer, Message, Slab, pool};
use ringmq_queue::spsc;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is part of a test: the harness allocates as well, whenever another test ends.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: passes everything on to the system's allocator, and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(usize::from(IS_COUNTED.get()), SeqCst);
        LIVE_BYTES.fetch_add(layout.size(), SeqCst);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time, as the counters are those of the process.
static TURN: Mutex<()> = Mutex::new(());

const LENS: [usize; 6] = [8, 64, 1024, 16 * 1024, 64 * 1024, 256 * 1024];

/// Messages in flight for a length: a few MiB at most.
fn window(len: usize) -> usize {
    (2 * 1024 * 1024 / len).clamp(2, 256)
}

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(SeqCst);
    IS_COUNTED.set(true);
    work();
    IS_COUNTED.set(false);
    ALLOCATIONS.load(SeqCst) - before
}

#[test]
fn none_per_message_on_one_thread() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = vec![1; 256 * 1024];
    for len in LENS {
        let mut in_flight = Vec::with_capacity(window(len));
        let mut round = |count| {
            for _ in 0..count {
                let mut message = Message::from_slice(&bytes[..len]);
                in_flight.push(message.share());
                if in_flight.len() == window(len) {
                    in_flight.clear();
                }
                drop(Buffer::with_len(len).into_message());
                let mut slab = Slab::with_capacity(len);
                slab.extend_from_slice(&message);
                drop(slab.split(len).into_message());
            }
        };
        round(2 * window(len));
        assert_eq!(allocations(|| round(1000)), 0, "length {len}");
    }
}

/// Sends messages to a thread that drops them, and counts once the blocks that are in flight exist.
///
/// The reader answers each window, so that no more than that are in flight.
fn between_threads(len: usize) -> usize {
    let window = window(len);
    let bytes = vec![1; len];
    let (mut there, mut here) = spsc::ring::<Message>(window);
    let (mut answer, mut answers) = spsc::ring::<()>(4);
    let (end, ended) = mpsc::channel::<()>();
    let reader = thread::spawn(move || {
        IS_COUNTED.set(true);
        let mut seen = 0;
        while ended.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            let Some(message) = here.pop() else {
                thread::yield_now();
                continue;
            };
            assert_eq!(message.len(), len);
            drop(message);
            seen += 1;
            if seen % window == 0 {
                answer.try_push(()).unwrap();
            }
        }
    });
    let mut round = || {
        for _ in 0..window {
            let mut message = Message::from_slice(&bytes);
            while let Err(back) = there.try_push(message) {
                message = back.0;
                thread::yield_now();
            }
        }
        while answers.pop().is_none() {
            thread::yield_now();
        }
    };
    // As many blocks as are ever in flight, so that the steady state does not depend on the scheduler either.
    drop(
        (0..window + 2)
            .map(|_| Message::from_slice(&bytes))
            .collect::<Vec<_>>(),
    );
    (0..4).for_each(|_| round());
    let counted = allocations(|| (0..50).for_each(|_| round()));
    drop(end);
    reader.join().unwrap();
    counted
}

#[test]
fn none_per_message_between_threads() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for len in LENS {
        assert_eq!(between_threads(len), 0, "length {len}");
    }
}

#[test]
fn longer_bodies_than_the_pool_keeps_are_counted() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = vec![1; 300_000];
    let counted = allocations(|| (0..10).for_each(|_| drop(Message::from_slice(&bytes))));
    assert_eq!(counted, 10, "the counter works");
}

#[test]
fn adopting_allocates_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = vec![1; 1000];
    assert_eq!(allocations(|| drop(Message::from(bytes))), 0);
}

#[test]
fn what_threads_keep_is_bounded_and_given_back() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let live_before = LIVE_BYTES.load(SeqCst);
    let owner = thread::spawn(move || {
        let kept = || LIVE_BYTES.load(SeqCst).saturating_sub(live_before);
        let bytes = vec![1; 100_000];
        let many = |count: usize| -> Vec<_> { (0..count).map(|_| Message::from_slice(&bytes)).collect() };
        let own = many(500);
        let others = many(500);
        drop(own);
        thread::spawn(move || drop(others)).join().unwrap();
        let slack = 1024 * 1024;
        assert!(kept() > pool::OWN_BYTES_MAX / 2, "something is kept");
        assert!(
            kept() < pool::OWN_BYTES_MAX + pool::RETURNED_BYTES_MAX + slack,
            "kept {}",
            kept()
        );
        pool::trim();
        assert!(kept() < slack, "kept {} after trim", kept());
        drop(many(50));
    });
    owner.join().unwrap();
    let kept = LIVE_BYTES.load(SeqCst).saturating_sub(live_before);
    assert!(kept < 64 * 1024, "kept {kept} after the end of the thread");
}
