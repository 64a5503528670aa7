//! Messages: making, filling, cloning, dropping; and the memory behind them.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringmq_message::{Message, wire};

/// Inline, the shortest that is not, a block, and what goes by reference.
const LENS: [usize; 4] = [8, 64, 1024, 65536];

fn making(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    for len in LENS {
        let bytes = vec![7; len];
        group.bench_with_input(
            BenchmarkId::new("from_slice and drop", len),
            &bytes,
            |bencher, bytes| {
                bencher.iter(|| Message::from_slice(black_box(bytes)));
            },
        );
        group.bench_with_input(BenchmarkId::new("set_slice", len), &bytes, |bencher, bytes| {
            let mut message = Message::new();
            bencher.iter(|| {
                message.set_slice(black_box(bytes));
                black_box(&message);
            });
        });
        group.bench_with_input(
            BenchmarkId::new("clone and drop", len),
            &bytes,
            |bencher, bytes| {
                let message = Message::from_slice(bytes);
                bencher.iter(|| black_box(&message).clone());
            },
        );
    }
    group.finish();
}

/// What another thread frees comes back through a list without a lock.
fn freeing_elsewhere(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    group.bench_function("freed by another thread/1024", |bencher| {
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Vec<Message>>(4);
        let freeing = std::thread::spawn(move || receiver.into_iter().for_each(drop));
        bencher.iter_batched(
            || (),
            |()| {
                let batch: Vec<_> = (0..256).map(|_| Message::from_slice(&[7; 1024])).collect();
                sender.send(batch).expect("the thread");
            },
            BatchSize::SmallInput,
        );
        drop(sender);
        freeing.join().expect("the thread");
    });
    group.finish();
}

/// A frame into the wire ring, and out again as slices.
fn wire_ring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire ring");
    for len in [8, 64, 200] {
        let body = vec![7; len];
        group.throughput(Throughput::Elements(64));
        group.bench_with_input(
            BenchmarkId::new("64 frames in and out", len),
            &body,
            |bencher, body| {
                let (mut writer, mut reader) = wire::ring();
                let mut slices = Vec::new();
                bencher.iter(|| {
                    for _ in 0..64 {
                        writer.small_frame(0, black_box(body));
                        writer.commit();
                    }
                    slices.clear();
                    reader.batch(256 << 10, &mut slices);
                    let bytes = slices.iter().map(|slice| slice.as_slice().len()).sum();
                    reader.advance(bytes);
                    black_box(bytes)
                });
            },
        );
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900));
    targets = making, freeing_elsewhere, wire_ring
}
criterion_main!(all);
