//! In steady state a message over tcp costs no allocation, neither where it is sent nor where it is received.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use ringmq::{Context, Message, Pull, Push, Rep, Req};

/// The allocator of the system, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator, and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LENS: [usize; 4] = [8, 64, 1024, 64 * 1024];
/// Measurements at most, of which one has to be quiet.
const RUNS: usize = 30;
/// Round trips that are measured, or fewer long ones; and as many to warm up.
const ROUND_TRIPS: usize = 10_000;
/// Round trips between two looks at whether anybody was interrupted.
const SLICE: usize = 4;
/// Most bytes of messages in either queue: half of what the pool keeps of a thread's own blocks.
const QUEUE_BYTES_MAX: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(300);

/// Messages that are measured, and as many to warm up.
fn count(len: usize) -> usize {
    ((32 << 20) / len.max(2048)).max(4096)
}

/// High-water mark for both ends: the default, or fewer where that many would exceed [`QUEUE_BYTES_MAX`].
fn queue_len(len: usize) -> u32 {
    (QUEUE_BYTES_MAX / len).min(1000) as u32
}

/// Allocations of all threads during `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Relaxed);
    work();
    ALLOCATIONS.load(Relaxed) - before
}

fn message(len: usize) -> Message {
    Message::from_slice(&[0x5A; 64 * 1024][..len])
}

/// Sends `count` messages of `len` bytes as fast as they go, and receives them on another thread.
fn stream(push: &Push, pull: &mut Option<Pull>, len: usize, count: usize) {
    let receiver = pull.take().expect("given back each time");
    let thread = thread::spawn(move || {
        for _ in 0..count {
            assert_eq!(receiver.recv().unwrap().len(), len);
        }
        receiver
    });
    for _ in 0..count {
        push.send(message(len)).unwrap();
    }
    *pull = Some(thread.join().unwrap());
}

/// One thing at a time: this must remain the only test of the program.
#[test]
fn messages_cost_no_allocation() {
    a_kept_message_is_seen();
    for len in LENS {
        one_way(len);
        round_trips(len);
    }
}

/// What a new thread allocates: the price of the way in which [`stream`] is measured.
fn thread_cost() -> usize {
    let spawn = || thread::spawn(|| {}).join().unwrap();
    spawn();
    (0..5).map(|_| allocations(spawn)).max().unwrap_or(0)
}

fn one_way(len: usize) {
    let context = Context::new();
    let pull = Pull::new(&context).unwrap();
    pull.set_receive_timeout(Some(PATIENCE));
    pull.set_receive_hwm(queue_len(len));
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = Push::new(&context).unwrap();
    push.set_send_timeout(Some(PATIENCE));
    // The pool keeps a bounded amount of memory, and what a queue holds beyond it is freed when the queue runs empty.
    push.set_send_hwm(queue_len(len));
    push.connect(&pull.last_endpoint()).unwrap();
    let mut pull = Some(pull);
    for _ in 0..3 {
        stream(&push, &mut pull, len, count(len));
    }
    let count = count(len);
    let thread = thread_cost();
    // A backlog that is larger than any before it needs memory once, and a machine that is busy with other things makes large
    // ones. A run with a message that costs something is never quiet.
    let found = (0..RUNS)
        .map(|_| allocations(|| stream(&push, &mut pull, len, count)))
        .find(|found| found.saturating_sub(thread) * 1000 < count);
    println!("PUSH/PULL, {count} of {len} bytes: {found:?} allocations, {thread} of them for a thread");
    assert!(
        found.is_some(),
        "PUSH/PULL, {count} of {len} bytes: every run allocates"
    );
}

fn round_trips(len: usize) {
    let context = Context::new();
    let rep = Rep::new(&context).unwrap();
    rep.set_receive_timeout(Some(PATIENCE));
    rep.bind("tcp://127.0.0.1:*").unwrap();
    let req = Req::new(&context).unwrap();
    req.set_receive_timeout(Some(PATIENCE));
    req.connect(&rep.last_endpoint()).unwrap();
    let ask = |times: usize| {
        for _ in 0..times {
            req.send(message(len)).unwrap();
            rep.send(rep.recv().unwrap()).unwrap();
            assert_eq!(req.recv().unwrap().len(), len);
        }
    };
    let wanted = count(len).min(ROUND_TRIPS);
    ask(wanted);
    // A connection that changes hands between worker and application may cost one; a message may not. It changes hands when the
    // application is held up, so what counts are the round trips during which no thread has stopped running.
    let (mut quiet, mut found, mut all) = (0, 0, 0);
    let deadline = Instant::now() + PATIENCE;
    while quiet < wanted {
        let before = interruptions();
        let slice = allocations(|| ask(SLICE));
        all += SLICE;
        if interruptions() == before {
            quiet += SLICE;
            found += slice;
        }
        assert!(
            Instant::now() < deadline,
            "only {quiet} of {all} round trips without a thread that stopped"
        );
    }
    println!("REQ/REP, {quiet} quiet ones of {all} round trips of {len} bytes: {found} allocations");
    assert!(
        found * 1000 < wanted,
        "REQ/REP, {wanted} round trips of {len} bytes: {found} allocations"
    );
}

/// How often a thread of this process has gone to sleep or was made to pause.
fn interruptions() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    usage.voluntary_context_switches() + usage.involuntary_context_switches()
}

/// The negative control: whoever keeps a message has its memory.
fn a_kept_message_is_seen() {
    let mut kept = Vec::with_capacity(1000);
    let found = allocations(|| kept.extend((0..1000).map(|_| message(1024))));
    assert!(
        found >= 10,
        "{found} allocations for {} kept messages",
        kept.len()
    );
}
