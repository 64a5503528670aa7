//! Publishing to subscribers: finding who wants a message, among few and many subscriptions.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ringmq::{Context, Pub, Sub};

fn topics(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("market/{}/{number:05}", number % 7))
}

/// A publisher and a subscriber inside the process. The last subscription has arrived when this returns.
fn pair(context: &Context, count: usize) -> (Pub, Sub) {
    let publisher = Pub::new(context).expect("a socket");
    let endpoint = format!("inproc://subscriptions-{count}");
    publisher.bind(&endpoint).expect("a free name");
    let subscriber = Sub::new(context).expect("a socket");
    for topic in topics(count) {
        subscriber.subscribe(topic).expect("a subscription");
    }
    subscriber.subscribe("ready").expect("a subscription");
    subscriber.connect(&endpoint).expect("the publisher");
    while subscriber.try_recv().is_err() {
        publisher.send("ready").expect("never waits");
    }
    while subscriber.try_recv().is_ok() {}
    (publisher, subscriber)
}

fn matching(criterion: &mut Criterion) {
    let context = Context::new();
    let mut group = criterion.benchmark_group("publish");
    for count in [1, 100, 10_000] {
        let (publisher, subscriber) = pair(&context, count);
        let wanted = topics(count).last().expect("at least one") + "/and more";
        group.bench_with_input(
            BenchmarkId::new("nobody wants it", count),
            &count,
            |bencher, _| {
                bencher.iter(|| publisher.send(black_box("market/8/00000")));
            },
        );
        group.bench_with_input(
            BenchmarkId::new("wanted and received", count),
            &count,
            |bencher, _| {
                bencher.iter(|| {
                    publisher.send(black_box(wanted.as_str())).expect("never waits");
                    subscriber.recv().expect("the message")
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
    targets = matching
}
criterion_main!(all);
