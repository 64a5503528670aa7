//! The rings, beside those of others: `rtrb`, and crossbeam's queue and channel.
//!
//! `between threads` moves bodies from one thread to another, each published by itself; all wait in the same way.
//! `on one thread` puts some in and takes them out: the instructions, without a line that travels between processors. The
//! shm ring is at a disadvantage there: it is mapped twice, and a processor that meets the same memory at two addresses
//! can neither forward what was just stored nor predict where it lies. Between processes there is only one address each;
//! for that see `cargo run --release -p ringmq-shm --example throughput`.

use std::{
    array,
    hint::{black_box, spin_loop},
    mem::MaybeUninit,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_queue::ArrayQueue;
use ringmq_queue::{
    chain, spsc,
    sync::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};
use ringmq_shm::{Bell, Body, PeerSegment, Receiver, Ringer, Segment, Sender, join};

/// Room for bodies in every ring, as in a segment of the default length.
const RING_BYTES: usize = 256 << 10;
const SEGMENT: usize = 4 * RING_BYTES;

/// How many bodies are put in before as many are taken out, on one thread.
const BURST: u64 = 32;

const fn slots(len: usize) -> usize {
    RING_BYTES / len
}

/// Waits a little for the other side; longer the more often it was in vain.
fn wait(vain: &mut u32) {
    *vain += 1;
    if *vain < 100 {
        spin_loop();
    } else {
        thread::yield_now();
    }
}

/// Puts a body in; false if there is no room.
trait Push<const N: usize>: FnMut(&[u8; N]) -> bool + Send {}
impl<const N: usize, F: FnMut(&[u8; N]) -> bool + Send> Push<N> for F {}

/// Takes a body out; false if there is none.
trait Pop: FnMut() -> bool {}
impl<F: FnMut() -> bool> Pop for F {}

fn body<const N: usize>() -> [u8; N] {
    array::from_fn(|index| index as u8)
}

/// How long `count` bodies take from one thread to another.
fn transfer<const N: usize>(count: u64, mut push: impl Push<N>, mut pop: impl Pop) -> Duration {
    thread::scope(|scope| {
        let begin = Instant::now();
        scope.spawn(move || {
            let body = body();
            for _ in 0..count {
                let mut vain = 0;
                while !push(black_box(&body)) {
                    wait(&mut vain);
                }
            }
        });
        for _ in 0..count {
            let mut vain = 0;
            while !pop() {
                wait(&mut vain);
            }
        }
        begin.elapsed()
    })
}

/// Both ways of measuring a ring, given a function that makes its two ends.
fn measure<const N: usize, A: Push<N>, B: Pop>(
    criterion: &mut Criterion,
    name: &str,
    make: impl Fn() -> (A, B),
) {
    let mut group = criterion.benchmark_group(format!("between threads, {N} B"));
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let (push, pop) = make();
            transfer(count, push, pop)
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group(format!("on one thread, {N} B"));
    group.throughput(Throughput::Elements(BURST));
    group.bench_function(name, |bencher| {
        let (mut push, mut pop) = make();
        let body = body();
        bencher.iter(|| {
            for _ in 0..BURST {
                assert!(push(black_box(&body)));
            }
            for _ in 0..BURST {
                assert!(pop());
            }
        });
    });
    group.finish();
}

/// One direction of a connection, both sides in this process.
fn connection() -> (Sender, Receiver, [Bell; 2]) {
    let [a, b] = [(); 2].map(|()| Segment::create(SEGMENT).expect("memory"));
    let [(bell_a, to_a), (bell_b, to_b)] = [(); 2].map(|()| Bell::new().expect("a pipe"));
    let open = |segment: &Segment| {
        let fd = segment.fd().try_clone_to_owned().expect("a descriptor");
        PeerSegment::open(fd, SEGMENT).expect("our own segment")
    };
    let (at_a, at_b) = (open(&b), open(&a));
    let (sender, _) = join(a, at_a, Ringer::from_peer(to_b).expect("our own bell"));
    let (_, receiver) = join(b, at_b, Ringer::from_peer(to_a).expect("our own bell"));
    (sender, receiver, [bell_a, bell_b])
}

fn shm<const N: usize>() -> (impl Push<N>, impl Pop) {
    let (mut sender, mut receiver, bells) = connection();
    let push = move |body: &[u8; N]| {
        let written = sender.write(body, false);
        sender.publish();
        written
    };
    let mut copy = [MaybeUninit::uninit(); N];
    let pop = move || {
        // Moved in here, to live as long.
        let _ = &bells;
        let record = receiver.next().expect("an honest peer");
        let found = record.is_some();
        match record.map(|record| record.body) {
            Some(Body::Bytes(bytes)) => _ = black_box(bytes.copy_to(&mut copy)),
            _ => receiver.release(),
        }
        found
    };
    (push, pop)
}

fn bounded<const N: usize>() -> (impl Push<N>, impl Pop) {
    let (mut producer, mut consumer) = spsc::ring::<[u8; N]>(slots(N));
    let push = move |body: &[u8; N]| producer.try_push(*body).is_ok();
    let pop = move || consumer.pop().map(black_box).is_some();
    (push, pop)
}

/// The chain has no bound, so that its users count; here in batches, as the sockets do.
fn unbounded<const N: usize>() -> (impl Push<N>, impl Pop) {
    let (mut producer, mut consumer) = chain::chain::<[u8; N]>();
    let credit = Arc::new(AtomicU64::new(0));
    let popped = Arc::clone(&credit);
    let (mut pushed, mut seen) = (0, 0);
    let push = move |body: &[u8; N]| {
        if pushed - seen >= slots(N) as u64 {
            // Acquire: of no importance here, but what a user would need.
            seen = credit.load(Acquire);
            if pushed - seen >= slots(N) as u64 {
                return false;
            }
        }
        pushed += 1;
        producer.push(*body);
        true
    };
    let mut count = 0;
    let pop = move || {
        let found = consumer.pop().map(black_box).is_some();
        count += u64::from(found);
        if !found || count.is_multiple_of(64) {
            // Release: partner of the load above.
            popped.store(count, Release);
        }
        found
    };
    (push, pop)
}

fn rtrb<const N: usize>() -> (impl Push<N>, impl Pop) {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u8; N]>::new(slots(N));
    let push = move |body: &[u8; N]| producer.push(*body).is_ok();
    let pop = move || consumer.pop().map(black_box).is_ok();
    (push, pop)
}

fn crossbeam_queue<const N: usize>() -> (impl Push<N>, impl Pop) {
    let queue = Arc::new(ArrayQueue::<[u8; N]>::new(slots(N)));
    let other = Arc::clone(&queue);
    let push = move |body: &[u8; N]| queue.push(*body).is_ok();
    let pop = move || other.pop().map(black_box).is_some();
    (push, pop)
}

fn crossbeam_channel<const N: usize>() -> (impl Push<N>, impl Pop) {
    let (sender, receiver) = crossbeam_channel::bounded::<[u8; N]>(slots(N));
    let push = move |body: &[u8; N]| sender.try_send(*body).is_ok();
    let pop = move || receiver.try_recv().map(black_box).is_ok();
    (push, pop)
}

fn of_length<const N: usize>(criterion: &mut Criterion) {
    measure::<N, _, _>(criterion, "shm", shm);
    measure::<N, _, _>(criterion, "queue::spsc", bounded);
    measure::<N, _, _>(criterion, "queue::chain", unbounded);
    measure::<N, _, _>(criterion, "rtrb", rtrb);
    measure::<N, _, _>(criterion, "crossbeam ArrayQueue", crossbeam_queue);
    measure::<N, _, _>(criterion, "crossbeam channel", crossbeam_channel);
}

fn rings(criterion: &mut Criterion) {
    of_length::<8>(criterion);
    of_length::<64>(criterion);
    of_length::<256>(criterion);
    of_length::<1024>(criterion);
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900));
    targets = rings
}
criterion_main!(all);
