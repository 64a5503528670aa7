use std::{collections::VecDeque, rc::Rc, thread};

use proptest::prelude::*;

use super::*;

/// More values than the segments of a growing chain hold before they reach their full size, twice.
const MANY: usize = 4 * LARGEST;

fn spare_slots<T>(consumer: &ChainConsumer<T>) -> usize {
    let spare = consumer.shared.reader.spare.take_back();
    spare.map_or(0, |spare| {
        consumer.shared.reader.spare.put(spare);
        // SAFETY: the tests are alone with both handles, so the spare stays where it is.
        unsafe { spare.as_ref() }.slots.capacity().get()
    })
}

/// The slots of the segment that the consumer is in.
fn slots<T>(consumer: &ChainConsumer<T>) -> usize {
    // SAFETY: the segment of the consumer is alive.
    consumer
        .segment
        .map_or(0, |segment| unsafe { segment.as_ref() }.slots.capacity().get())
}

#[test]
fn values_come_out_in_order_across_the_wrap_of_positions() {
    let (mut producer, mut consumer) = chain_from(usize::MAX - 5);
    for round in 0..10 {
        (0..MANY).for_each(|value| producer.push(round * MANY + value));
        assert_eq!(consumer.len(), MANY);
        (0..MANY).for_each(|value| assert_eq!(consumer.pop(), Some(round * MANY + value)));
        assert_eq!((consumer.pop(), consumer.is_empty()), (None, true));
    }
}

#[test]
fn a_batch_in_many_segments_is_invisible_until_published() {
    let (mut producer, mut consumer) = chain();
    producer.push(0);
    (1..MANY).for_each(|value| producer.stage(value));
    assert_eq!((producer.staged(), consumer.len()), (MANY - 1, 1));
    assert_eq!(
        (consumer.pop(), consumer.pop(), consumer.peek()),
        (Some(0), None, None)
    );
    producer.publish();
    assert_eq!((producer.staged(), consumer.len()), (0, MANY - 1));
    assert_eq!(consumer.peek(), Some(&1));
    (1..MANY).for_each(|value| assert_eq!(consumer.pop(), Some(value)));
    assert_eq!(consumer.pop(), None);
}

#[test]
fn rollback_forgets_only_what_is_staged() {
    for published in [0, 1, FIRST - 1, FIRST, FIRST + 1] {
        for staged in [0, 1, FIRST, MANY] {
            let (mut producer, mut consumer) = chain();
            (0..published).for_each(|value| producer.push(value));
            (0..staged).for_each(|_| producer.stage(usize::MAX));
            producer.rollback();
            producer.publish();
            (published..MANY).for_each(|value| producer.push(value));
            (0..MANY).for_each(|value| assert_eq!(consumer.pop(), Some(value)));
            assert_eq!(consumer.pop(), None);
        }
    }
}

#[test]
fn segments_double_while_the_consumer_lags() {
    let (mut producer, mut consumer) = chain();
    assert_eq!(slots(&consumer), 0);
    (0..MANY).for_each(|value| producer.push(value));
    let mut seen = Vec::new();
    while consumer.pop().is_some() {
        if seen.last() != Some(&slots(&consumer)) {
            seen.push(slots(&consumer));
        }
    }
    assert_eq!(seen, [16, 32, 64, 128, 256, 512]);
    assert_eq!(spare_slots(&consumer), 512, "the larger segment is kept");
}

#[test]
fn a_trickle_stays_in_small_segments() {
    let (mut producer, mut consumer) = chain();
    for value in 0..MANY {
        producer.push(value);
        assert_eq!(consumer.pop(), Some(value));
        assert_eq!(consumer.pop(), None);
        assert!(slots(&consumer) <= SMALL && spare_slots(&consumer) <= SMALL);
    }
}

/// A consumer that has just emptied a queue with large segments.
fn after_a_burst() -> (ChainProducer<usize>, ChainConsumer<usize>) {
    let (mut producer, mut consumer) = chain();
    (0..MANY).for_each(|value| producer.push(value));
    while consumer.pop().is_some() {}
    assert_eq!((slots(&consumer), spare_slots(&consumer)), (LARGEST, LARGEST));
    (producer, consumer)
}

fn trickle(count: usize, producer: &mut ChainProducer<usize>, consumer: &mut ChainConsumer<usize>) {
    for value in 0..count {
        producer.push(value);
        assert_eq!((consumer.pop(), consumer.pop()), (Some(value), None));
    }
}

#[test]
fn a_rest_gives_up_the_spare_and_with_the_next_values_the_large_segment() {
    let (mut producer, mut consumer) = after_a_burst();
    consumer.rest();
    assert_eq!((slots(&consumer), spare_slots(&consumer)), (LARGEST, 0));
    trickle(2, &mut producer, &mut consumer);
    assert_eq!((slots(&consumer), spare_slots(&consumer)), (FIRST, 0));
    trickle(MANY, &mut producer, &mut consumer);
    assert!(slots(&consumer) <= SMALL);
}

#[test]
fn a_rest_is_harmless_at_any_time() {
    let (mut producer, mut consumer) = chain();
    consumer.rest();
    for value in 0..MANY {
        producer.stage(value);
        consumer.rest();
        producer.stage(value);
        producer.publish();
        consumer.rest();
        assert_eq!((consumer.pop(), consumer.pop()), (Some(value), Some(value)));
    }
}

#[test]
fn little_traffic_gives_up_large_segments() {
    let (mut producer, mut consumer) = after_a_burst();
    trickle(usize::from(QUIET_LOOKS) + 2, &mut producer, &mut consumer);
    assert_eq!((slots(&consumer), spare_slots(&consumer)), (FIRST, 0));
}

#[test]
fn looking_often_gives_up_nothing() {
    let (_producer, mut consumer) = after_a_burst();
    (0..1000).for_each(|_| assert_eq!(consumer.pop(), None));
    assert_eq!(spare_slots(&consumer), LARGEST);
}

#[test]
fn a_parted_value_is_taken_later() {
    let (mut producer, mut consumer) = chain();
    producer.push(vec![1, 2]);
    assert_eq!(consumer.peek_mut().unwrap().pop(), Some(2));
    assert_eq!(consumer.pop(), Some(vec![1]));
}

#[test]
fn each_side_learns_that_the_other_is_gone() {
    let (mut producer, mut consumer) = chain();
    assert!(!producer.is_abandoned() && !consumer.is_abandoned());
    (0..MANY).for_each(|value| producer.push(value));
    producer.stage(MANY);
    drop(producer);
    assert!(consumer.is_abandoned());
    (0..MANY).for_each(|value| assert_eq!(consumer.pop(), Some(value)));
    assert_eq!(consumer.pop(), None);

    let (mut producer, consumer) = chain();
    drop(consumer);
    assert!(producer.is_abandoned());
    (0..MANY).for_each(|value| producer.push(value));
}

#[test]
fn dropping_both_drops_everything_once() {
    for (published, taken, staged) in [
        (0, 0, 3),
        (MANY, 0, 0),
        (MANY, MANY, MANY),
        (FIRST, FIRST, 1),
        (90, 50, 90),
    ] {
        for producer_first in [true, false] {
            let token = Rc::new(());
            let (mut producer, mut consumer) = chain_from(usize::MAX - 20);
            (0..published).for_each(|_| producer.push(Rc::clone(&token)));
            (0..staged).for_each(|_| producer.stage(Rc::clone(&token)));
            (0..taken).for_each(|_| drop(consumer.pop().unwrap()));
            let unread = published - taken;
            if producer_first {
                drop(producer);
                assert_eq!(
                    Rc::strong_count(&token),
                    1 + unread,
                    "only what was staged is gone"
                );
                drop(consumer);
            } else {
                drop(consumer);
                assert_eq!(Rc::strong_count(&token), 1 + unread + staged);
                drop(producer);
            }
            assert_eq!(Rc::strong_count(&token), 1);
        }
    }
}

#[test]
fn values_without_size_work() {
    let (mut producer, mut consumer) = chain();
    (0..100).for_each(|_| producer.push(()));
    assert_eq!(std::iter::from_fn(|| consumer.pop()).count(), 100);
}

/// Each value tells its number, its batch and how long that is, in the size of a message.
type Wide = [u64; 8];

#[test]
fn batches_cross_threads_whole_and_in_order() {
    let batches = if cfg!(miri) { 60 } else { 100_000u64 };
    let (mut producer, mut consumer) = chain::<Wide>();
    let pushing = thread::spawn(move || {
        let mut number = 0;
        for batch in 0..batches {
            let length = 1 + batch * 7 % 41;
            for place in 0..length {
                producer.stage([number, batch, place, length, !number, !batch, !place, !length]);
                number += 1;
            }
            if batch % 5 == 4 {
                // The numbers of a batch that is taken back come again.
                producer.rollback();
                number -= length;
            }
            producer.publish();
        }
        number
    });
    let (mut expected, mut gone) = (0, false);
    loop {
        match consumer.pop() {
            Some([number, batch, place, length, complements @ ..]) => {
                assert_eq!(
                    (number, complements),
                    (expected, [!number, !batch, !place, !length])
                );
                assert!(
                    place + 1 == length || !consumer.is_empty(),
                    "part of a batch is missing"
                );
                expected += 1;
                gone = false;
            }
            None if gone => break,
            None if expected % 3 == 0 => consumer.rest(),
            None => thread::yield_now(),
        }
        gone = gone || consumer.is_abandoned();
    }
    assert_eq!(pushing.join().unwrap(), expected);
}

#[test]
fn boxed_values_cross_threads_in_order() {
    let count = if cfg!(miri) { 200 } else { 200_000u64 };
    let (mut producer, mut consumer) = chain();
    let pushing = thread::spawn(move || (0..count).for_each(|value| producer.push(Box::new(value))));
    for expected in 0..count {
        let value = loop {
            match consumer.pop() {
                Some(value) => break value,
                None => thread::yield_now(),
            }
        };
        assert_eq!(*value, expected);
    }
    pushing.join().unwrap();
}

#[test]
fn an_end_leaving_during_traffic_loses_and_leaks_nothing() {
    let token = std::sync::Arc::new(());
    for round in 0..if cfg!(miri) { 3 } else { 300 } {
        let (mut producer, mut consumer) = chain();
        let copy = std::sync::Arc::clone(&token);
        let pushing = thread::spawn(move || {
            while !producer.is_abandoned() {
                producer.push(std::sync::Arc::clone(&copy));
            }
            producer.stage(copy);
        });
        (0..round).for_each(|_| drop(consumer.pop()));
        drop(consumer);
        pushing.join().unwrap();
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
    }
}

/// One call on one of the two ends; those with a number are made so often.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(usize),
    Stage(usize),
    Publish,
    Rollback,
    Pop(usize),
    Peek,
    Rest,
    DropProducer,
    DropConsumer,
}

fn operation() -> impl Strategy<Value = Operation> {
    let times = || prop_oneof![4 => 1usize..4, 4 => 10usize..40, 1 => 100usize..1200];
    prop_oneof![
        12 => times().prop_map(Operation::Push),
        12 => times().prop_map(Operation::Stage),
        8 => Just(Operation::Publish),
        4 => Just(Operation::Rollback),
        24 => times().prop_map(Operation::Pop),
        4 => Just(Operation::Peek),
        2 => Just(Operation::Rest),
        1 => Just(Operation::DropProducer),
        1 => Just(Operation::DropConsumer),
    ]
}

type Counted = (u32, Rc<()>);

/// The two ends beside plain queues of what they ought to hold.
struct Pair {
    producer: Option<ChainProducer<Counted>>,
    consumer: Option<ChainConsumer<Counted>>,
    published: VecDeque<u32>,
    staged: VecDeque<u32>,
    next: u32,
    token: Rc<()>,
}

impl Pair {
    fn new(start: usize) -> Self {
        let (producer, consumer) = chain_from(start);
        Self {
            producer: Some(producer),
            consumer: Some(consumer),
            published: VecDeque::new(),
            staged: VecDeque::new(),
            next: 0,
            token: Rc::new(()),
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Push(_) | Operation::Stage(_) | Operation::Publish | Operation::Rollback => {
                self.produce(operation);
            }
            Operation::Pop(_) | Operation::Peek | Operation::Rest => self.consume(operation),
            Operation::DropProducer => {
                self.producer = None;
                self.staged.clear();
            }
            Operation::DropConsumer => self.consumer = None,
        }
        if self.producer.is_none() && self.consumer.is_none() {
            self.published.clear();
        }
    }

    fn produce(&mut self, operation: Operation) {
        let Some(producer) = &mut self.producer else {
            return;
        };
        match operation {
            Operation::Push(times) | Operation::Stage(times) => {
                for _ in 0..times {
                    let value = (self.next, Rc::clone(&self.token));
                    self.staged.push_back(self.next);
                    self.next += 1;
                    if matches!(operation, Operation::Push(_)) {
                        producer.push(value);
                        self.published.append(&mut self.staged);
                    } else {
                        producer.stage(value);
                    }
                }
            }
            Operation::Publish => {
                producer.publish();
                self.published.append(&mut self.staged);
            }
            _ => {
                producer.rollback();
                self.staged.clear();
            }
        }
        assert_eq!(producer.staged(), self.staged.len());
        assert_eq!(producer.is_abandoned(), self.consumer.is_none());
    }

    fn consume(&mut self, operation: Operation) {
        let Some(consumer) = &mut self.consumer else {
            return;
        };
        match operation {
            Operation::Pop(times) => {
                for _ in 0..times {
                    assert_eq!(consumer.pop().map(|value| value.0), self.published.pop_front());
                }
            }
            Operation::Peek => {
                assert_eq!(consumer.peek().map(|value| &value.0), self.published.front());
            }
            _ => consumer.rest(),
        }
        assert_eq!(consumer.len(), self.published.len());
        assert_eq!(consumer.is_abandoned(), self.producer.is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 512 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn behaves_like_two_queues(
        start in prop_oneof![Just(0), any::<usize>(), usize::MAX - 400..=usize::MAX],
        operations in prop::collection::vec(operation(), 1..120),
        producer_first: bool,
    ) {
        let mut pair = Pair::new(start);
        for operation in operations {
            pair.apply(operation);
            let alive = pair.published.len() + pair.staged.len();
            prop_assert_eq!(Rc::strong_count(&pair.token), 1 + alive);
        }
        let ends = [Operation::DropProducer, Operation::DropConsumer];
        pair.apply(ends[usize::from(!producer_first)]);
        let alive = pair.published.len() + pair.staged.len();
        prop_assert_eq!(Rc::strong_count(&pair.token), 1 + alive);
        pair.apply(ends[usize::from(producer_first)]);
        prop_assert_eq!(Rc::strong_count(&pair.token), 1);
    }
}
