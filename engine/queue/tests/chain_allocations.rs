//! What a chain of segments allocates, and what it keeps.
#![cfg(not(loom))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use ringmq_queue::chain::{ChainConsumer, ChainProducer, chain};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// May be negative: memory of one thread may be freed by another.
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting calls and bytes per thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting in thread-local cells allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as isize);
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as isize);
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(address, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A value of the size of a message.
type Wide = [u64; 8];
type Ends = (ChainProducer<Wide>, ChainConsumer<Wide>);

/// Rounds of `batch` values each, after each of which the consumer finds the queue empty.
fn rounds(count: u64, batch: u64, (producer, consumer): &mut Ends) {
    for round in 0..count {
        (0..batch).for_each(|value| producer.stage([round + value; 8]));
        producer.publish();
        (0..batch).for_each(|value| assert_eq!(consumer.pop(), Some([round + value; 8])));
        assert_eq!(consumer.pop(), None);
    }
}

#[test]
fn nothing_is_allocated_before_the_first_value() {
    let bytes = BYTES.get();
    let (mut producer, mut consumer) = chain::<Wide>();
    let header = BYTES.get() - bytes;
    assert!(header < 512);
    consumer.rest();
    producer.publish();
    producer.rollback();
    assert_eq!(consumer.pop(), None);
    assert_eq!(BYTES.get() - bytes, header);
    producer.push([0; 8]);
    assert!(BYTES.get() - bytes > header, "otherwise this counts nothing");
    drop((producer, consumer));
    assert_eq!(BYTES.get(), bytes);
}

#[test]
fn a_steady_stream_allocates_nothing() {
    for batch in [1, 3, 15, 16, 17, 100, 400, 512] {
        let mut ends = chain();
        rounds(200, batch, &mut ends);
        let allocations = ALLOCATIONS.get();
        rounds(1000, batch, &mut ends);
        assert_eq!(ALLOCATIONS.get(), allocations, "batches of {batch}");
    }
}

#[test]
fn a_backlog_moving_along_allocates_nothing() {
    let (mut producer, mut consumer) = chain::<Wide>();
    (0..1000).for_each(|value| producer.push([value; 8]));
    let mut allocations = 0;
    for value in 1000..50_000 {
        producer.push([value; 8]);
        assert_eq!(consumer.pop(), Some([value - 1000; 8]));
        if value == 10_000 {
            allocations = ALLOCATIONS.get();
        }
    }
    assert_eq!(ALLOCATIONS.get(), allocations);
}

#[test]
fn taking_back_batches_of_one_segment_allocates_nothing() {
    let (mut producer, _consumer) = chain::<Wide>();
    producer.push([0; 8]);
    let allocations = ALLOCATIONS.get();
    for _ in 0..100 {
        (0..10).for_each(|_| producer.stage([1; 8]));
        producer.rollback();
    }
    assert_eq!(ALLOCATIONS.get(), allocations);
}

#[test]
fn a_queue_at_rest_keeps_at_most_one_small_segment() {
    const SMALL_BYTES: isize = 32 * size_of::<Wide>() as isize + 64;
    let bytes = BYTES.get();
    let mut ends = chain();
    let header = BYTES.get() - bytes;
    rounds(1, 10_000, &mut ends);
    assert!(BYTES.get() - bytes > 512 * size_of::<Wide>() as isize);
    ends.1.rest();
    rounds(2, 1, &mut ends);
    assert!(BYTES.get() - bytes - header <= SMALL_BYTES);
    drop(ends);
    assert_eq!(BYTES.get(), bytes);
}
