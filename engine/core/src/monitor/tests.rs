use super::*;

fn record(event: Event) -> EventRecord {
    EventRecord {
        event,
        side: Side::Connect,
        local: "tcp://127.0.0.1:40000".into(),
        remote: "tcp://127.0.0.1:5555".into(),
        peer: None,
        credentials: None,
    }
}

fn retry(ms: u64) -> EventRecord {
    record(Event::ConnectRetried {
        after: Duration::from_millis(ms),
    })
}

#[test]
fn numbers_and_values_are_libzmqs() {
    let protocol = HandshakeFault::Protocol(ProtocolFault::ZmtpMechanismMismatch);
    let rows = [
        (Event::Connected { fd: 7 }, 0x1, 7),
        (Event::ConnectDelayed { errno: 115 }, 0x2, 115),
        (
            Event::ConnectRetried {
                after: Duration::from_millis(100),
            },
            0x4,
            100,
        ),
        (Event::Listening { fd: 8 }, 0x8, 8),
        (Event::BindFailed { errno: 98 }, 0x10, 98),
        (Event::Accepted { fd: 9 }, 0x20, 9),
        (Event::AcceptFailed { errno: 24 }, 0x40, 24),
        (Event::Closed { fd: 10 }, 0x80, 10),
        (Event::CloseFailed { errno: 5 }, 0x100, 5),
        (
            Event::Disconnected {
                fd: 11,
                reason: DisconnectReason::PeerClosed,
            },
            0x200,
            11,
        ),
        (Event::MonitorStopped, 0x400, 0),
        (
            Event::HandshakeFailed {
                reason: HandshakeFault::NoDetail { errno: 104 },
            },
            0x800,
            104,
        ),
        (Event::Handshaken, 0x1000, 0),
        (Event::HandshakeFailed { reason: protocol }, 0x2000, 0x1100_0002),
        (
            Event::HandshakeFailed {
                reason: HandshakeFault::Auth { status: 400 },
            },
            0x4000,
            400,
        ),
        (
            Event::Dropped {
                cause: DropCause::PeerGone,
                count: 3,
            },
            1 << 32,
            3,
        ),
        (
            Event::QueueDepths {
                to_send: 5,
                to_receive: 6,
            },
            0x1_0000,
            5,
        ),
        (Event::Lost { count: 4 }, 1 << 33, 4),
        (Event::Closed { fd: -1 }, 0x80, 0xFFFF_FFFF),
    ];
    for (event, number, value) in rows {
        assert_eq!((event.number(), event.value()), (number, value), "{event:?}");
    }
}

#[test]
fn protocol_faults_are_libzmqs() {
    assert_eq!(ProtocolFault::ZmtpMalformedReady.code(), 0x1000_0016);
    assert_eq!(ProtocolFault::ZmtpInvalidMetadata.code(), 0x1000_0018);
    assert_eq!(ProtocolFault::ZapInvalidMetadata.code(), 0x2000_0005);
}

#[test]
fn the_first_version_names_one_endpoint() {
    let mut it = record(Event::Handshaken);
    assert_eq!(it.endpoint(), "tcp://127.0.0.1:5555");
    it.side = Side::Bind;
    assert_eq!(it.endpoint(), "tcp://127.0.0.1:40000");
}

#[test]
fn events_arrive_in_order() {
    let (sender, receiver) = channel(4, EventMask::ALL);
    assert_eq!(receiver.try_recv(), Err(MonitorError::Empty));
    (0..4).for_each(|ms| sender.emit(retry(ms)));
    (0..4).for_each(|ms| assert_eq!(receiver.try_recv(), Ok(retry(ms))));
    assert_eq!(
        receiver.recv_timeout(Some(Duration::ZERO)),
        Err(MonitorError::Empty)
    );
}

#[test]
fn what_finds_no_room_is_counted_in_its_place() {
    let (sender, receiver) = channel(2, EventMask::ALL);
    (0..7).for_each(|ms| sender.emit(retry(ms)));
    assert_eq!(receiver.try_recv(), Ok(retry(0)));
    sender.emit(retry(7));
    let lost = |count| Ok(EventRecord::bare(Event::Lost { count }));
    assert_eq!(receiver.try_recv(), Ok(retry(1)));
    assert_eq!(receiver.try_recv(), lost(5));
    assert_eq!(receiver.try_recv(), Ok(retry(7)));
    assert_eq!(receiver.try_recv(), Err(MonitorError::Empty));

    (0..5).for_each(|ms| sender.emit(retry(ms)));
    assert_eq!(receiver.try_recv(), Ok(retry(0)));
    assert_eq!(receiver.try_recv(), Ok(retry(1)));
    assert_eq!(receiver.try_recv(), lost(3));
    assert_eq!(receiver.try_recv(), Err(MonitorError::Empty));
}

#[test]
fn a_reader_that_does_not_read_costs_a_bounded_queue() {
    let (sender, receiver) = channel(8, EventMask::ALL);
    for round in 0..1000 {
        (0..50).for_each(|ms| sender.emit(retry(ms)));
        let waiting = sender.0.lock().records.len();
        assert!(waiting <= 8 + 1, "{waiting} records in round {round}");
        let _ = receiver.try_recv();
    }
    sender.emit(record(Event::MonitorStopped));
    assert!(sender.0.lock().records.len() <= 8 + 3);
}

#[test]
fn every_event_is_read_or_counted() {
    let (sender, receiver) = channel(3, EventMask::ALL);
    let mut told = 0;
    let mut known = 0;
    for round in 0..200u64 {
        for _ in 0..round % 7 {
            sender.emit(retry(round));
            told += 1;
        }
        for _ in 0..round % 5 {
            known += receiver.try_recv().map_or(0, |it| {
                if let Event::Lost { count } = it.event {
                    count
                } else {
                    1
                }
            });
        }
    }
    while let Ok(it) = receiver.try_recv() {
        known += if let Event::Lost { count } = it.event {
            count
        } else {
            1
        };
    }
    assert_eq!(known, told);
}

#[test]
fn the_end_is_never_lost_and_nothing_follows() {
    let (sender, receiver) = channel(1, EventMask::ALL);
    (0..3).for_each(|ms| sender.emit(retry(ms)));
    sender.emit(record(Event::MonitorStopped));
    sender.emit(retry(9));
    sender.emit(record(Event::MonitorStopped));
    assert_eq!(receiver.try_recv(), Ok(retry(0)));
    assert_eq!(receiver.try_recv().unwrap().event, Event::Lost { count: 2 });
    assert_eq!(receiver.try_recv().unwrap().event, Event::MonitorStopped);
    assert_eq!(receiver.recv_timeout(None), Err(MonitorError::Closed));
}

#[test]
fn the_mask_selects() {
    let (sender, receiver) = channel(1, EventMask(0x1000));
    assert!(sender.wants(&Event::Handshaken) && !sender.wants(&Event::Connected { fd: 1 }));
    (0..3).for_each(|ms| sender.emit(retry(ms)));
    (0..2).for_each(|_| sender.emit(record(Event::Handshaken)));
    sender.emit(record(Event::MonitorStopped));
    assert_eq!(receiver.try_recv().unwrap().event, Event::Handshaken);
    assert_eq!(receiver.try_recv().unwrap().event, Event::Lost { count: 1 });
    assert_eq!(
        receiver.try_recv(),
        Err(MonitorError::Closed),
        "the end was not wanted as an event"
    );
}

#[test]
fn the_stream_ends_with_the_last_sender() {
    let (sender, receiver) = channel(2, EventMask::ALL);
    let clone = sender.clone();
    clone.emit(retry(1));
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(retry(1)));
    assert_eq!(receiver.try_recv(), Err(MonitorError::Empty));
    drop(clone);
    assert_eq!(receiver.recv_timeout(None), Err(MonitorError::Closed));
}

#[test]
fn without_a_reader_nothing_is_kept() {
    let (sender, receiver) = channel(2, EventMask::ALL);
    sender.emit(retry(1));
    drop(receiver);
    sender.emit(retry(2));
    assert!(sender.0.lock().records.is_empty());
}

#[test]
fn several_workers_tell_one_waiting_reader() {
    let (sender, receiver) = channel(1000, EventMask::ALL);
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let sender = sender.clone();
            std::thread::spawn(move || (0..200).for_each(|at| sender.emit(retry(worker * 1000 + at))))
        })
        .collect();
    drop(sender);
    let mut next = [0; 4];
    while let Ok(it) = receiver.recv_timeout(None) {
        let told = it.event.value();
        let worker = usize::try_from(told / 1000).unwrap();
        assert_eq!(told % 1000, next[worker], "worker {worker} is told out of order");
        next[worker] += 1;
    }
    assert_eq!(next, [200; 4]);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}
