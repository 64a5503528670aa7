use std::{collections::VecDeque, rc::Rc, thread};

use proptest::prelude::*;

use super::*;

#[test]
fn values_come_out_in_order_across_the_wrap_of_positions() {
    let (mut producer, mut consumer) = ring_from(4, usize::MAX - 5);
    for round in 0..10 {
        for value in 0..4 {
            producer.try_push(round * 4 + value).unwrap();
        }
        assert_eq!(producer.try_push(-1), Err(Full(-1)));
        assert_eq!(consumer.len(), 4);
        for value in 0..4 {
            assert_eq!(consumer.pop(), Some(round * 4 + value));
        }
        assert_eq!(consumer.pop(), None);
    }
}

#[test]
fn a_batch_is_invisible_until_published() {
    let (mut producer, mut consumer) = ring(4);
    producer.stage(1).unwrap();
    producer.stage(2).unwrap();
    assert_eq!((consumer.pop(), consumer.is_empty()), (None, true));
    assert_eq!((producer.staged(), producer.free()), (2, 2));
    producer.try_push(3).unwrap();
    assert_eq!((producer.staged(), consumer.len()), (0, 3));
    assert_eq!(consumer.peek(), Some(&1));
    assert_eq!(consumer.pop(), Some(1));
}

#[test]
fn rollback_forgets_only_what_is_staged() {
    let (mut producer, mut consumer) = ring(4);
    producer.try_push(1).unwrap();
    producer.stage(2).unwrap();
    producer.rollback();
    producer.publish();
    producer.try_push(3).unwrap();
    assert_eq!(
        (consumer.pop(), consumer.pop(), consumer.pop()),
        (Some(1), Some(3), None)
    );
}

#[test]
fn slots_go_back_after_half_a_ring_when_empty_or_on_demand() {
    let (mut producer, mut consumer) = ring(8);
    (0..8).for_each(|value| producer.try_push(value).unwrap());
    (0..3).for_each(|value| assert_eq!(consumer.pop(), Some(value)));
    assert_eq!((producer.free(), consumer.take_released()), (0, false));
    consumer.pop();
    assert_eq!((producer.free(), consumer.take_released()), (4, true));
    assert!(!consumer.release());
    consumer.pop();
    assert!(consumer.release());
    assert_eq!((producer.free(), consumer.take_released()), (5, true));
    (5..8).for_each(|value| assert_eq!(consumer.pop(), Some(value)));
    assert_eq!((producer.free(), consumer.take_released()), (5, false));
    assert_eq!(consumer.pop(), None);
    assert_eq!((producer.free(), consumer.take_released()), (8, true));
}

#[test]
fn a_parted_value_is_taken_later() {
    let (mut producer, mut consumer) = ring(1);
    producer.try_push(vec![1, 2]).unwrap();
    assert_eq!(consumer.peek_mut().unwrap().pop(), Some(2));
    assert_eq!(consumer.pop(), Some(vec![1]));
}

#[test]
fn each_side_learns_that_the_other_is_gone() {
    let (mut producer, mut consumer) = ring(2);
    assert!(!producer.is_abandoned() && !consumer.is_abandoned());
    producer.try_push(1).unwrap();
    drop(producer);
    assert!(consumer.is_abandoned());
    assert_eq!(consumer.pop(), Some(1));

    let (producer, consumer) = ring::<u8>(2);
    drop(consumer);
    assert!(producer.is_abandoned());
}

#[test]
fn dropping_both_drops_everything_once() {
    for producer_first in [true, false] {
        let token = Rc::new(());
        let (mut producer, mut consumer) = ring_from(8, usize::MAX - 1);
        (0..5).for_each(|_| producer.try_push(Rc::clone(&token)).unwrap());
        (0..2).for_each(|_| producer.stage(Rc::clone(&token)).unwrap());
        drop(consumer.pop());
        if producer_first {
            drop(producer);
            assert_eq!(Rc::strong_count(&token), 5, "only what was staged is gone");
            drop(consumer);
        } else {
            drop(consumer);
            assert_eq!(Rc::strong_count(&token), 7);
            drop(producer);
        }
        assert_eq!(Rc::strong_count(&token), 1);
    }
}

#[test]
fn a_ring_without_size_works() {
    let (mut producer, mut consumer) = ring(2);
    producer.try_push(()).unwrap();
    producer.try_push(()).unwrap();
    assert_eq!(producer.try_push(()), Err(Full(())));
    assert_eq!(consumer.pop(), Some(()));
}

#[test]
fn values_cross_threads_in_order() {
    let count = if cfg!(miri) { 200 } else { 200_000u64 };
    let (mut producer, mut consumer) = ring(64);
    let pushing = thread::spawn(move || {
        for value in 0..count {
            let mut value = Box::new(value);
            while let Err(Full(back)) = producer.try_push(value) {
                value = back;
                thread::yield_now();
            }
        }
    });
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
fn the_header_stays_small() {
    assert!(size_of::<Shared<u64>>() <= 3 * size_of::<CachePadded<u8>>());
}

/// One call on one of the two ends.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Push,
    Stage,
    Publish,
    Rollback,
    Pop,
    Peek,
    Release,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => Just(Operation::Push),
        3 => Just(Operation::Stage),
        1 => Just(Operation::Publish),
        1 => Just(Operation::Rollback),
        5 => Just(Operation::Pop),
        1 => Just(Operation::Peek),
        1 => Just(Operation::Release),
    ]
}

/// What the ring ought to hold, as plain queues.
struct Model {
    capacity: usize,
    published: VecDeque<u32>,
    staged: VecDeque<u32>,
    /// Slots emptied but not given back yet.
    kept: usize,
    next: u32,
}

impl Model {
    fn free(&self) -> usize {
        self.capacity - self.published.len() - self.staged.len() - self.kept
    }

    fn stage(&mut self) -> Option<u32> {
        let value = (self.free() > 0).then_some(self.next)?;
        self.staged.push_back(value);
        self.next += 1;
        Some(value)
    }

    fn publish(&mut self) {
        self.published.append(&mut self.staged);
    }

    fn pop(&mut self) -> Option<u32> {
        let value = self.published.pop_front();
        self.kept += usize::from(value.is_some());
        if value.is_none() || self.kept * 2 >= self.capacity {
            self.kept = 0;
        }
        value
    }
}

type Ends = (Producer<(u32, Rc<()>)>, Consumer<(u32, Rc<()>)>);

fn apply(operation: Operation, (producer, consumer): &mut Ends, model: &mut Model, token: &Rc<()>) {
    let value = (model.next, Rc::clone(token));
    match operation {
        Operation::Push => {
            let pushed = producer.try_push(value).is_ok();
            assert_eq!(pushed, model.stage().is_some());
            if pushed {
                model.publish();
            }
        }
        Operation::Stage => assert_eq!(producer.stage(value).is_ok(), model.stage().is_some()),
        Operation::Publish => {
            producer.publish();
            model.publish();
        }
        Operation::Rollback => {
            producer.rollback();
            model.staged.clear();
        }
        Operation::Pop => assert_eq!(consumer.pop().map(|value| value.0), model.pop()),
        Operation::Peek => {
            let front = model.published.front().copied();
            assert_eq!(consumer.peek().map(|value| value.0), front);
            if front.is_none() {
                model.kept = 0;
            }
        }
        Operation::Release => {
            assert_eq!(consumer.release(), model.kept > 0);
            model.kept = 0;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 512 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn behaves_like_two_queues(
        asked in 1usize..9,
        start in prop_oneof![Just(0), any::<usize>(), usize::MAX - 40..=usize::MAX],
        operations in prop::collection::vec(operation(), 1..200),
        producer_first: bool,
    ) {
        let token = Rc::new(());
        let mut ends = ring_from(asked, start);
        let capacity = ends.0.capacity();
        prop_assert!(capacity >= asked && capacity == ends.1.capacity());
        let mut model = Model { capacity, published: VecDeque::new(), staged: VecDeque::new(), kept: 0, next: 0 };
        for operation in operations {
            apply(operation, &mut ends, &mut model, &token);
            prop_assert_eq!(ends.0.free(), model.free());
            prop_assert_eq!(ends.0.staged(), model.staged.len());
            prop_assert_eq!(ends.1.len(), model.published.len());
            let alive = model.published.len() + model.staged.len();
            prop_assert_eq!(Rc::strong_count(&token), 1 + alive);
        }
        let (producer, consumer) = ends;
        if producer_first {
            drop(producer);
            drop(consumer);
        } else {
            drop(consumer);
            drop(producer);
        }
        prop_assert_eq!(Rc::strong_count(&token), 1);
    }
}
