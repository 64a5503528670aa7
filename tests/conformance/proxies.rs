//! Proxies, the edges of pollers, and timers.

use std::cell::RefCell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ringmq::kind::{Kind, Receives, Sends};
use ringmq::{
    Context, Dealer, Error, Interest, Message, Pair, Poller, Proxy, ProxyStatistics, Pub, Pull, Push, Rep,
    Req, Router, Socket, Sub, Timers, XPub, XSub,
};

use crate::{MOMENT, PATIENCE, TRANSPORTS, Transport, assert_silent, join, receiver, sender, socket, texts};

/// Binds both sides of a proxy and tells where.
fn bind_both<A: Kind, B: Kind>(
    transport: Transport,
    front: &Socket<A>,
    back: &Socket<B>,
) -> (String, String) {
    front.bind(&transport.endpoint()).unwrap();
    back.bind(&transport.endpoint()).unwrap();
    (front.last_endpoint(), back.last_endpoint())
}

/// The sides of a proxy for a pipeline, and both ends of that.
fn pipeline(context: &Context, transport: Transport) -> ((Pull, Push), (Push, Pull)) {
    let (front, back): (Pull, Push) = (receiver(context), sender(context));
    let (source, drain) = bind_both(transport, &front, &back);
    let (push, pull): (Push, Pull) = (sender(context), receiver(context));
    push.connect(&source).unwrap();
    pull.connect(&drain).unwrap();
    ((front, back), (push, pull))
}

/// What steers a proxy, and the socket that it is steered by.
fn control<A, B>(context: &Context) -> (Socket<A>, Socket<B>)
where
    A: Kind + Sends + Receives,
    B: Kind + Sends + Receives,
{
    let (control, controlled) = (socket(context), socket(context));
    join(Transport::Inproc, &controlled, &control);
    (control, controlled)
}

/// Ends a proxy with its context.
fn stop(context: &Context, broker: JoinHandle<Result<ProxyStatistics, Error>>) {
    context.shutdown();
    assert!(matches!(broker.join().unwrap(), Err(Error::Terminated)));
}

#[test]
fn rfc28_requests_pass_a_broker_and_come_back() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (front, back): (Router, Dealer) = (socket(&context), socket(&context));
        let (clients, workers) = bind_both(transport, &front, &back);
        let (control, controlled): (Req, Rep) = control(&context);
        let broker = thread::spawn(move || Proxy::new(&front, &back).control(&controlled).run());
        for _ in 0..2 {
            let worker: Rep = socket(&context);
            worker.connect(&workers).unwrap();
            thread::spawn(move || {
                while let Ok(parts) = worker.recv_multipart() {
                    worker.send_multipart(parts).unwrap();
                }
            });
        }
        let asking: Vec<_> = (0..3)
            .map(|client| {
                let req: Req = socket(&context);
                req.connect(&clients).unwrap();
                thread::spawn(move || {
                    for number in 0..200 {
                        let question = format!("{client} {number}");
                        req.send_multipart([question.as_str(), "body"]).unwrap();
                        assert_eq!(texts(&req), [question.as_str(), "body"]);
                    }
                })
            })
            .collect();
        for asking in asking {
            asking.join().unwrap();
        }
        control.send("STATISTICS").unwrap();
        let parts = control.recv_multipart().unwrap();
        let numbers: Vec<u64> = parts
            .iter()
            .map(|part| u64::from_ne_bytes(part[..].try_into().unwrap()))
            .collect();
        assert_eq!(
            [numbers[0], numbers[2], numbers[4], numbers[6]],
            [600; 4],
            "over {transport:?}"
        );
        assert_eq!(
            (numbers[1], numbers[5]),
            (numbers[7], numbers[3]),
            "what comes in goes out"
        );
        control.send("TERMINATE").unwrap();
        assert_eq!(texts(&control), [""], "a REP answers everything");
        assert_eq!(broker.join().unwrap().unwrap().numbers()[..], numbers);
        context.shutdown();
    }
}

#[test]
fn rfc29_subscriptions_pass_the_other_way() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (front, back): (XSub, XPub) = (socket(&context), socket(&context));
        let (source, drain) = bind_both(transport, &front, &back);
        let broker = thread::spawn(move || Proxy::new(&front, &back).run());
        let (publisher, subscriber): (Pub, Sub) = (sender(&context), receiver(&context));
        publisher.connect(&source).unwrap();
        subscriber.subscribe("wanted").unwrap();
        subscriber.connect(&drain).unwrap();
        publisher
            .wait_for_subscribers_of("wanted", 1, Some(PATIENCE))
            .unwrap();
        publisher.send("unwanted").unwrap();
        for _ in 0..5_000 {
            publisher.send_multipart(["wanted", "body"]).unwrap();
            assert_eq!(texts(&subscriber), ["wanted", "body"]);
        }
        stop(&context, broker);
    }
}

#[test]
fn a_paused_proxy_leaves_messages_where_they_are_and_copies_what_passes() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let ((front, back), (push, pull)) = pipeline(&context, transport);
        let (capturing, captured): (Push, Pull) = (sender(&context), receiver(&context));
        join(Transport::Inproc, &captured, &capturing);
        let (control, controlled): (Pair, Pair) = control(&context);
        let broker = thread::spawn(move || {
            let proxy = Proxy::new(&front, &back).capture(&capturing).control(&controlled);
            (proxy.run(), front, back, capturing, controlled)
        });
        push.send_multipart(["one", "two"]).unwrap();
        assert_eq!(texts(&pull), ["one", "two"]);
        assert_eq!(texts(&captured), ["one", "two"]);
        control.send("PAUSE").unwrap();
        // Its answer shows that the command before was obeyed.
        control.send("STATISTICS").unwrap();
        assert_eq!(control.recv_multipart().unwrap().len(), 8);
        push.send("three").unwrap();
        assert_silent(&pull);
        control
            .send_multipart(["RESUME", "what follows means nothing"])
            .unwrap();
        assert_eq!(texts(&pull), ["three"]);
        assert_eq!(texts(&captured), ["three"]);
        control.send("NONSENSE").unwrap();
        push.send("four").unwrap();
        assert_eq!(texts(&pull), ["four"]);
        control.send("TERMINATE").unwrap();
        let (statistics, ..) = broker.join().unwrap();
        let statistics = statistics.unwrap();
        assert_eq!(
            (
                statistics.front_received.messages,
                statistics.front_received.bytes
            ),
            (3, 6 + 5 + 4)
        );
        assert_eq!(statistics.back_sent, statistics.front_received);
        assert_eq!(statistics.back_received.messages, 0);
    }
}

#[test]
fn a_side_without_room_holds_up_only_what_goes_there() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let [front, back, left, right]: [Pair; 4] = std::array::from_fn(|_| socket(&context));
        for pair in [&front, &back, &left, &right] {
            pair.set_send_hwm(2);
            pair.set_receive_hwm(2);
            pair.set_linger(Some(Duration::ZERO));
        }
        join(transport, &front, &left);
        join(transport, &back, &right);
        let broker = thread::spawn(move || Proxy::new(&front, &back).run());
        // Nobody reads on the right, until nothing goes there any more.
        let body = vec![0; 100_000];
        let mut sent = 0;
        while left
            .send_within(body.as_slice(), Duration::from_millis(200))
            .is_ok()
        {
            sent += 1;
        }
        for number in 0..1_000_u32 {
            right.send(&number.to_le_bytes()).unwrap();
            assert_eq!(*left.recv().unwrap(), number.to_le_bytes(), "over {transport:?}");
        }
        for _ in 0..sent {
            assert_eq!(right.recv().unwrap().len(), 100_000);
        }
        stop(&context, broker);
    }
}

#[test]
fn a_socket_can_be_its_own_back() {
    let context = Context::new();
    let (rep, req): (Rep, Req) = (socket(&context), socket(&context));
    join(Transport::Tcp, &rep, &req);
    let (control, controlled): (Pair, Pair) = control(&context);
    let echo = thread::spawn(move || Proxy::new(&rep, &rep).control(&controlled).run().map(|_| ()));
    for _ in 0..100 {
        req.send("echo").unwrap();
        assert_eq!(texts(&req), ["echo"]);
    }
    control.send("TERMINATE").unwrap();
    echo.join().unwrap().unwrap();
}

#[test]
fn wrong_proxies_are_refused() {
    let context = Context::new();
    let (pair, other): (Pair, Pair) = (socket(&context), socket(&context));
    let refused = Proxy::new(&pair, &other).capture(&pair).run();
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
    let refused = Proxy::new(&pair, &other).control(&other).run();
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
    // What comes from the left cannot be sent on the right.
    let (push, pull, wrong): (Push, Pull, Pull) = (sender(&context), receiver(&context), receiver(&context));
    join(Transport::Inproc, &pull, &push);
    push.send("nowhere to go").unwrap();
    assert!(matches!(
        Proxy::new(&pull, &wrong).run(),
        Err(Error::NotSupported)
    ));
}

#[test]
fn an_empty_poller_waits_for_a_time_only() {
    let mut poller = Poller::new();
    assert!(poller.is_empty());
    assert!(matches!(poller.wait(None), Err(Error::InvalidArgument { .. })));
    assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
    assert_eq!(poller.wait(Some(Duration::from_millis(1))).unwrap(), []);
    assert!(matches!(poller.remove(0), Err(Error::InvalidArgument { .. })));
    let (mine, mut theirs) = UnixStream::pair().unwrap();
    let item = poller.add_fd(&mine, Interest::Readable);
    theirs.write_all(b"x").unwrap();
    assert_eq!(poller.wait(None).unwrap().len(), 1);
    poller.remove(item).unwrap();
    assert!(
        poller.is_empty(),
        "what was removed while ready is not waited for"
    );
    assert!(matches!(poller.wait(None), Err(Error::InvalidArgument { .. })));
}

#[test]
fn a_socket_that_is_added_twice_is_one_item() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (left, right): (Pair, Pair) = (socket(&context), socket(&context));
        join(transport, &left, &right);
        right.send("hello").unwrap();
        let mut poller = Poller::new();
        let item = poller.add(&left, Interest::Readable);
        assert_eq!(poller.add(&left, Interest::Writable), item);
        let ready = loop {
            let ready = poller.wait(Some(PATIENCE)).unwrap();
            if ready.iter().any(|event| event.readable) {
                break ready;
            }
        };
        assert_eq!(ready.len(), 1);
        assert!(ready[0].readable && ready[0].writable, "over {transport:?}");
        poller.set_interest(item, Interest::Writable).unwrap();
        let ready = poller.wait(Some(PATIENCE)).unwrap();
        assert!(!ready[0].readable && ready[0].writable);
        poller.remove(item).unwrap();
        assert!(matches!(
            poller.set_interest(item, Interest::Both),
            Err(Error::InvalidArgument { .. })
        ));
        let again = poller.add(&left, Interest::Readable);
        assert_ne!(again, item, "numbers are not given out twice");
        assert_eq!(poller.wait(Some(PATIENCE)).unwrap()[0].item, again);
        assert_eq!(texts(&left), ["hello"]);
        assert_eq!(poller.wait(Some(MOMENT)).unwrap(), []);
    }
}

#[test]
fn sockets_and_descriptors_are_waited_for_together() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (push, pull): (Push, Pull) = (sender(&context), receiver(&context));
        join(transport, &pull, &push);
        let (mine, mut theirs) = UnixStream::pair().unwrap();
        let nothing = std::fs::File::open("/dev/null").unwrap();
        let mut poller = Poller::new();
        let fd = poller.add_fd(&mine, Interest::Readable);
        let socket = poller.add(&pull, Interest::Readable);
        let unused = poller.add_fd(&nothing, Interest::Readable);
        poller.remove(unused).unwrap();
        for round in 0..100 {
            let from_socket = round % 2 == 0;
            let ready = ready_after(&mut poller, || {
                if from_socket {
                    push.send("x").unwrap();
                } else {
                    theirs.write_all(b"x").unwrap();
                }
            });
            assert_eq!(
                ready,
                [if from_socket { socket } else { fd }],
                "over {transport:?}"
            );
            if from_socket {
                pull.recv().unwrap();
            } else {
                std::io::Read::read_exact(&mut (&mine), &mut [0]).unwrap();
            }
        }
    }
}

#[test]
fn handlers_may_do_anything_with_their_timers() {
    let log = RefCell::new(Vec::new());
    let victim = RefCell::new(None);
    let mut timers = Timers::new();
    assert_eq!((timers.timeout(), timers.execute()), (None, 0));
    timers.add(Duration::ZERO, |timers, id| {
        log.borrow_mut().push("first");
        if let Some(victim) = victim.borrow_mut().take() {
            timers.cancel(victim).unwrap();
            assert!(matches!(
                timers.cancel(victim),
                Err(Error::InvalidArgument { .. })
            ));
        }
        // It is due again, and yet does not run inside of itself.
        assert_eq!(timers.execute(), 0);
        timers.set_interval(id, Duration::from_secs(3600)).unwrap();
        timers.add(Duration::ZERO, |_, _| log.borrow_mut().push("added"));
    });
    let second = timers.add(Duration::ZERO, |_, _| log.borrow_mut().push("never"));
    *victim.borrow_mut() = Some(second);
    assert_eq!(
        timers.execute(),
        1,
        "what was added or cancelled meanwhile does not run"
    );
    assert_eq!(*log.borrow(), ["first"]);
    assert_eq!(timers.timeout(), Some(Duration::ZERO));
    assert_eq!(timers.execute(), 1);
    assert_eq!(*log.borrow(), ["first", "added"]);
    assert!(matches!(timers.reset(second), Err(Error::InvalidArgument { .. })));
}

/// What is ready once `act` is done; nothing was before.
fn ready_after(poller: &mut Poller<'_>, act: impl FnOnce()) -> Vec<usize> {
    assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
    act();
    let ready = poller.wait(Some(PATIENCE)).unwrap();
    ready.iter().map(|event| event.item).collect()
}

#[test]
fn long_and_short_messages_pass_in_order() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let ((front, back), (push, pull)) = pipeline(&context, transport);
        let broker = thread::spawn(move || Proxy::new(&front, &back).run());
        let sending = thread::spawn(move || {
            for number in 0..5_000_usize {
                let body = vec![number as u8; number % 13 * 3_000];
                push.send_multipart([Message::from(&number.to_le_bytes()), Message::from(body)])
                    .unwrap();
            }
            push
        });
        for number in 0..5_000_usize {
            let parts = pull.recv_multipart().unwrap();
            assert_eq!(*parts[0], number.to_le_bytes(), "over {transport:?}");
            assert_eq!(parts[1].len(), number % 13 * 3_000);
        }
        drop(sending.join().unwrap());
        stop(&context, broker);
    }
}
