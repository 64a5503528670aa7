//! Every interleaving and every reordering of the chain that the memory model allows, on the production code, whose segments
//! are so small in models that every few values reach a border.
//!
//! The boxes make loom check every access to a slot, and report what is not freed or freed twice.
#![cfg(loom)]

mod models;

use loom::thread;
use models::{explore, must_fail};
use ringmq_queue::chain::{ChainConsumer, ChainProducer, chain};

fn next(consumer: &mut ChainConsumer<Box<u32>>) -> u32 {
    loop {
        match consumer.pop() {
            Some(value) => return *value,
            None => thread::yield_now(),
        }
    }
}

/// One thread writes values, another reads them, over several segments, of which some are used again.
fn values_cross_segments(publish: fn(&mut ChainProducer<Box<u32>>)) {
    let (mut producer, mut consumer) = chain();
    let pushing = thread::spawn(move || {
        for value in 0..5 {
            producer.stage(Box::new(value));
            publish(&mut producer);
        }
    });
    for expected in 0..5 {
        assert_eq!(next(&mut consumer), expected);
    }
    pushing.join().unwrap();
    assert!(consumer.pop().is_none());
}

#[test]
fn values_arrive_in_order_over_segments_that_are_used_again() {
    explore(3, || values_cross_segments(ChainProducer::publish));
}

#[test]
fn without_the_order_of_publishing_a_slot_is_read_while_it_is_written() {
    let test = "without_the_order_of_publishing_a_slot_is_read_while_it_is_written";
    must_fail(test, "Causality violation", 3, || {
        values_cross_segments(ChainProducer::publish_unordered);
    });
}

#[test]
fn a_batch_over_several_segments_is_seen_whole_or_not_at_all() {
    explore(4, || {
        let (mut producer, mut consumer) = chain();
        let pushing = thread::spawn(move || {
            for value in 1..=3 {
                producer.stage(Box::new(value));
            }
            producer.publish();
            producer.stage(Box::new(4));
            producer.stage(Box::new(5));
        });
        if let Some(first) = consumer.pop() {
            assert_eq!(*first, 1);
            assert_eq!([next(&mut consumer), next(&mut consumer)], [2, 3]);
        }
        pushing.join().unwrap();
        while let Some(value) = consumer.pop() {
            assert!(*value < 4, "never published");
        }
    });
}

#[test]
fn what_is_taken_back_is_not_seen_and_its_segments_serve_again() {
    explore(3, || {
        let (mut producer, mut consumer) = chain();
        let pushing = thread::spawn(move || {
            producer.push(Box::new(1));
            for value in 10..13 {
                producer.stage(Box::new(value));
            }
            producer.rollback();
            producer.push(Box::new(2));
            producer.push(Box::new(3));
        });
        for expected in 1..=3 {
            assert_eq!(next(&mut consumer), expected);
        }
        pushing.join().unwrap();
    });
}

#[test]
fn a_consumer_that_rests_gives_segments_up_while_values_come() {
    explore(3, || {
        let (mut producer, mut consumer) = chain();
        for value in 0..3 {
            producer.push(Box::new(value));
        }
        let pushing = thread::spawn(move || {
            producer.push(Box::new(3));
            producer.push(Box::new(4));
        });
        for expected in 0..3 {
            assert_eq!(next(&mut consumer), expected);
        }
        consumer.rest();
        for expected in 3..5 {
            assert_eq!(next(&mut consumer), expected);
        }
        pushing.join().unwrap();
    });
}

#[test]
fn every_value_is_dropped_once_whoever_goes_first() {
    explore(4, || {
        let (mut producer, mut consumer) = chain();
        let pushing = thread::spawn(move || {
            producer.push(Box::new(1));
            producer.push(Box::new(2));
            producer.stage(Box::new(3));
        });
        consumer.pop();
        drop(consumer);
        pushing.join().unwrap();
    });
}
