//! ZMTP frames: encoding and decoding headers, and walking over what was received.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringmq_zmtp::frame::{FrameCursor, decode_header, encode_header};

fn headers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame header");
    for len in [64_u64, 1024] {
        group.bench_with_input(BenchmarkId::new("encode", len), &len, |bencher, &len| {
            bencher.iter(|| encode_header(0, black_box(len)));
        });
        let header = encode_header(0, len);
        group.bench_with_input(BenchmarkId::new("decode", len), &header, |bencher, header| {
            bencher.iter(|| decode_header(black_box(header.as_slice())));
        });
    }
    group.finish();
}

/// What a slab of 64 KiB holds.
fn walking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames of 64 KiB");
    for len in [8, 64, 1024] {
        let mut bytes = Vec::new();
        let mut count = 0;
        while bytes.len() + len + 9 <= 64 << 10 {
            bytes.extend(encode_header(0, len as u64).as_slice());
            bytes.extend(std::iter::repeat_n(7, len));
            count += 1;
        }
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("walk", len), &bytes, |bencher, bytes| {
            bencher.iter(|| {
                FrameCursor::new(black_box(bytes))
                    .map(|(_, body)| body.len())
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(900));
    targets = headers, walking
}
criterion_main!(all);
