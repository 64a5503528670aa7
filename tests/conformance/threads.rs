//! Sockets that many threads use at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use ringmq::{Channel, Client, Context, Dish, Error, Gather, Peer, Radio, Scatter, Server, Socket};

use crate::{MOMENT, PATIENCE, TRANSPORTS, Transport, join, receiver, sender, socket};

const THREADS: usize = 4;
const MESSAGES: u64 = 3_000;

fn assert_shareable<T: Send + Sync>() {}

#[test]
fn eight_types_are_shareable() {
    assert_shareable::<Client>();
    assert_shareable::<Server>();
    assert_shareable::<Radio>();
    assert_shareable::<Dish>();
    assert_shareable::<Scatter>();
    assert_shareable::<Gather>();
    assert_shareable::<Peer>();
    assert_shareable::<Channel>();
}

/// Sends numbers from several threads and receives them in several others; every number comes once.
fn flood<A, B>(from: &Socket<A>, to: &Socket<B>)
where
    A: ringmq::kind::Concurrent + ringmq::kind::Sends,
    B: ringmq::kind::Concurrent + ringmq::kind::Receives,
{
    let total = MESSAGES * THREADS as u64;
    let (count, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let number = thread * MESSAGES + number;
                    from.send(&number.to_le_bytes()).unwrap();
                }
            });
            let (count, sum) = (&count, &sum);
            scope.spawn(move || {
                // Each takes its share, whichever messages these are.
                for _ in 0..MESSAGES {
                    let message = to.recv().unwrap();
                    sum.fetch_add(u64::from_le_bytes((*message).try_into().unwrap()), Relaxed);
                    count.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert_eq!(count.into_inner(), total);
    assert_eq!(sum.into_inner(), total * (total - 1) / 2);
}

#[test]
fn many_threads_send_and_many_receive() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (scatter, gather): (Scatter, Gather) = (sender(&context), receiver(&context));
        scatter.set_send_hwm(50);
        gather.set_receive_hwm(50);
        join(transport, &gather, &scatter);
        flood(&scatter, &gather);
        let [one, other]: [Channel; 2] = std::array::from_fn(|_| socket(&context));
        join(transport, &one, &other);
        flood(&one, &other);
        flood(&other, &one);
    }
}

#[test]
fn a_channel_carries_both_ways_at_once() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [one, other]: [Channel; 2] = std::array::from_fn(|_| socket(&context));
        for channel in [&one, &other] {
            channel.set_send_hwm(20);
            channel.set_receive_hwm(20);
        }
        join(transport, &one, &other);
        thread::scope(|scope| {
            scope.spawn(|| flood(&one, &other));
            scope.spawn(|| flood(&other, &one));
        });
    }
}

#[test]
fn clients_and_a_server_that_works_in_many_threads() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let server: Server = socket(&context);
        server.bind(&transport.endpoint()).unwrap();
        let served = AtomicUsize::new(0);
        let asked = 500;
        let clients: Vec<Client> = (0..2).map(|_| socket(&context)).collect();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..asked {
                        let request = server.recv().unwrap();
                        served.fetch_add(1, Relaxed);
                        server.send(request).unwrap();
                    }
                });
            }
            for client in &clients {
                client.connect(&server.last_endpoint()).unwrap();
                for thread in 0..THREADS / 2 {
                    scope.spawn(move || {
                        for number in 0..asked {
                            client.send(format!("{thread} {number}")).unwrap();
                            // The answer to this thread's question or to another's: as many come as were sent.
                            client.recv().unwrap();
                        }
                    });
                }
            }
        });
        assert_eq!(served.into_inner(), THREADS * asked);
    }
}

#[test]
fn a_thread_that_waits_for_a_message_keeps_nobody_from_sending() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [one, other]: [Channel; 2] = std::array::from_fn(|_| socket(&context));
        join(transport, &one, &other);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| one.recv());
            // Whether it waits already or not: the others are not held up, and not by each other.
            for _ in 0..100 {
                one.send("question").unwrap();
                assert_eq!(&*other.recv().unwrap(), b"question");
                assert!(matches!(one.try_recv(), Err(Error::WouldBlock)));
            }
            thread::sleep(MOMENT);
            one.send("question").unwrap();
            assert_eq!(&*other.recv().unwrap(), b"question");
            other.send("answer").unwrap();
            assert_eq!(&*waiting.join().unwrap().unwrap(), b"answer");
        });
    }
}

#[test]
fn waits_end_in_time_and_with_the_context() {
    let context = Context::new();
    let gather: Gather = receiver(&context);
    gather.bind(&Transport::Tcp.endpoint()).unwrap();
    thread::scope(|scope| {
        let short: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| gather.recv_within(Duration::from_millis(20))))
            .collect();
        for short in short {
            assert!(matches!(short.join().unwrap(), Err(Error::TimedOut)));
        }
        let long: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| gather.recv_within(PATIENCE)))
            .collect();
        // One that gives up leaves its place to another.
        let short = scope.spawn(|| gather.recv_within(Duration::from_millis(20)));
        assert!(matches!(short.join().unwrap(), Err(Error::TimedOut)));
        context.shutdown();
        for long in long {
            assert!(matches!(long.join().unwrap(), Err(Error::Terminated)));
        }
    });
}

#[test]
fn radios_and_dishes_are_used_by_many_threads() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (radio, dish): (Radio, Dish) = (sender(&context), receiver(&context));
        radio.set_xpub_nodrop(true);
        dish.join("group").unwrap();
        join(transport, &radio, &dish);
        crate::drafts::tune_in(&radio, &dish, "group");
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..500 {
                        radio.send_to_group("group", "message").unwrap();
                    }
                });
                scope.spawn(|| {
                    for _ in 0..500 {
                        assert_eq!(dish.recv().unwrap().group(), b"group");
                    }
                });
            }
            for name in 0..100 {
                dish.join(format!("{name}")).unwrap();
            }
        });
    }
}
