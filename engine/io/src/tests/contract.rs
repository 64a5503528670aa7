//! Polls, receives, sends and their cancellation.

use super::{fixture::*, on_both_drivers};
use crate::{Completion, DriverChoice, Interest, send_now};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
    sync::Arc,
    time::{Duration, Instant},
};

on_both_drivers!(
    a_poll_waits_until_there_is_something_to_read,
    a_poll_of_something_ready_completes_at_once,
    a_reader_and_a_writer_share_a_descriptor,
    a_receive_tells_nothing_there_from_data_and_the_end,
    a_receive_that_fills_its_buffer_expects_more,
    a_receive_appends_to_what_is_there,
    slices_arrive_in_order,
    empty_batches_and_slices_are_sent,
    more_slices_than_one_call_takes_arrive,
    a_send_beyond_the_buffers_waits_for_the_reader,
    a_vectored_send_beyond_the_buffers_resumes_inside_slices,
    a_poll_can_be_cancelled,
    cancelling_what_is_not_in_flight_does_nothing,
    a_blocked_send_can_be_cancelled_and_has_sent_nothing,
    a_send_cancelled_halfway_tells_how_much_is_gone,
    a_cancelled_operation_completes_once,
    a_reset_in_the_middle_of_a_send_tells_how_much_is_gone,
    a_send_after_the_peer_is_gone_is_an_error,
    a_wait_ends_when_its_time_has_passed,
    a_hang_up_makes_polls_ready,
);

fn a_poll_waits_until_there_is_something_to_read(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    driver.poll(5, &ours, Interest::Readable);
    assert!(glance(&mut driver).is_empty());
    assert_eq!(driver.in_flight(), 1);
    theirs.write_all(b"x").expect("write");
    assert!(matches!(next(&mut driver), Completion::Ready { token: 5 }));
    assert_eq!(driver.in_flight(), 0);
    theirs.write_all(b"x").expect("write");
    assert!(glance(&mut driver).is_empty(), "a poll completes once");
}

fn a_poll_of_something_ready_completes_at_once(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    theirs.write_all(b"x").expect("write");
    for round in 0..3 {
        driver.poll(round, &ours, Interest::Readable);
        assert_eq!(next(&mut driver).token(), round);
        driver.poll(round, &ours, Interest::Writable);
        assert_eq!(next(&mut driver).token(), round);
    }
}

fn a_reader_and_a_writer_share_a_descriptor(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    driver.poll(1, &ours, Interest::Readable);
    driver.send(2, &ours, vec![Bytes::new(pattern(4 << 20))]);
    assert!(glance(&mut driver).is_empty());
    theirs.write_all(b"x").expect("write");
    assert_eq!(
        next(&mut driver).token(),
        1,
        "the reader does not wait for the writer"
    );
    let mut got = Vec::new();
    let completion = loop {
        read_available(&mut theirs, &mut got);
        if let Some(completion) = glance(&mut driver).pop() {
            break completion;
        }
    };
    assert_eq!(sent(completion).2.expect("sent"), 4 << 20);
}

fn a_receive_tells_nothing_there_from_data_and_the_end(choice: DriverChoice) {
    let (ours, mut theirs) = tcp_pair();
    let mut driver = driver(choice);
    driver.recv(1, &ours, Room::new(64));
    let (_, room, result, more_likely) = received(next(&mut driver));
    assert_eq!(result.expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
    assert!(!more_likely);
    theirs.write_all(b"hello").expect("write");
    driver.poll(2, &ours, Interest::Readable);
    assert_eq!(next(&mut driver).token(), 2);
    driver.recv(1, &ours, room);
    let (_, room, result, more_likely) = received(next(&mut driver));
    assert_eq!(result.expect("data"), 5);
    assert_eq!(room.filled(), b"hello");
    assert!(!more_likely, "the socket is empty and the buffer is not full");
    theirs.shutdown(Shutdown::Write).expect("shutdown");
    driver.poll(2, &ours, Interest::Readable);
    assert_eq!(next(&mut driver).token(), 2);
    driver.recv(1, &ours, room);
    let (_, room, result, _) = received(next(&mut driver));
    assert_eq!(result.expect("the end"), 0);
    assert_eq!(room.filled(), b"hello");
}

fn a_receive_that_fills_its_buffer_expects_more(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    theirs.write_all(b"0123456789").expect("write");
    driver.recv(1, &ours, Room::new(4));
    let (_, room, result, more_likely) = received(next(&mut driver));
    assert_eq!(result.expect("data"), 4);
    assert_eq!(room.filled(), b"0123");
    assert!(more_likely);
}

fn a_receive_appends_to_what_is_there(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    let mut room = Room::new(64);
    for (text, all) in [(&b"ab"[..], &b"ab"[..]), (b"cd", b"abcd")] {
        theirs.write_all(text).expect("write");
        driver.recv(1, &ours, room);
        room = received(next(&mut driver)).1;
        assert_eq!(room.filled(), all);
    }
}

fn slices_arrive_in_order(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = tcp_pair();
    let parts = ["one ", "two ", "three"];
    let batch = parts.map(|part| Bytes::new(part.as_bytes())).into();
    driver.send(9, &ours, batch);
    let (token, batch, result) = sent(next(&mut driver));
    assert_eq!((token, result.expect("sent")), (9, 13));
    assert_eq!(batch.len(), 3, "the batch comes back as it was");
    theirs.set_nonblocking(false).expect("blocking");
    let mut got = [0; 13];
    theirs.read_exact(&mut got).expect("read");
    assert_eq!(&got, b"one two three");
}

fn empty_batches_and_slices_are_sent(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    let empty = || Bytes::new([]);
    driver.send(1, &ours, Vec::new());
    assert_eq!(driver.in_flight(), 1);
    assert_eq!(sent(next(&mut driver)).2.expect("sent"), 0);
    driver.send(1, &ours, vec![empty(), empty()]);
    assert_eq!(sent(next(&mut driver)).2.expect("sent"), 0);
    let batch = vec![empty(), Bytes::new(*b"a"), empty(), Bytes::new(*b"b"), empty()];
    driver.send(1, &ours, batch);
    assert_eq!(sent(next(&mut driver)).2.expect("sent"), 2);
    driver.send(1, &ours, vec![empty(), Bytes::new(*b"c")]);
    assert_eq!(sent(next(&mut driver)).2.expect("sent"), 1);
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert_eq!(got, b"abc");
}

fn more_slices_than_one_call_takes_arrive(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    let all = pattern(2500);
    let batch = all.iter().map(|&byte| Bytes::new([byte])).collect();
    driver.send(1, &ours, batch);
    assert_eq!(sent(next(&mut driver)).2.expect("sent"), all.len());
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert_eq!(got, all);
}

/// Sends `batch` to a peer that reads only now and then, and returns what it got.
pub(super) fn send_to_slow_reader(driver: &mut TestDriver, batch: Vec<Bytes>, total: usize) -> Vec<u8> {
    let (ours, mut theirs) = tcp_pair();
    driver.send(1, &ours, batch);
    assert!(glance(driver).is_empty(), "the buffers are smaller than this");
    assert_eq!(driver.in_flight(), 1);
    let mut got = Vec::new();
    let start = Instant::now();
    let completion = loop {
        assert!(start.elapsed() < PATIENCE, "{} of {total} came", got.len());
        read_available(&mut theirs, &mut got);
        if let Some(completion) = glance(driver).pop() {
            break completion;
        }
    };
    assert_eq!(sent(completion).2.expect("sent"), total);
    theirs.set_nonblocking(false).expect("blocking");
    let at = got.len();
    got.resize(total, 0);
    theirs.read_exact(&mut got[at..]).expect("the rest is on its way");
    assert_eq!(driver.in_flight(), 0);
    got
}

fn a_send_beyond_the_buffers_waits_for_the_reader(choice: DriverChoice) {
    let all = pattern(16 << 20);
    let batch = vec![Bytes::new(&all[..])];
    let got = send_to_slow_reader(&mut driver(choice), batch, all.len());
    assert!(got == all);
}

fn a_vectored_send_beyond_the_buffers_resumes_inside_slices(choice: DriverChoice) {
    let all = pattern(24 << 20);
    let batch = all.chunks(9973).map(Bytes::new).collect();
    let got = send_to_slow_reader(&mut driver(choice), batch, all.len());
    assert!(got == all);
}

fn a_poll_can_be_cancelled(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    driver.poll(1, &ours, Interest::Readable);
    assert!(glance(&mut driver).is_empty());
    driver.cancel(1);
    assert!(matches!(next(&mut driver), Completion::Cancelled { token: 1 }));
    theirs.write_all(b"x").expect("write");
    let (start, timeout) = (Instant::now(), Duration::from_millis(2));
    driver.wait(Some(timeout), &mut Vec::new()).expect("wait");
    assert!(
        start.elapsed() >= timeout,
        "nothing of it is left to disturb a sleep"
    );
    driver.poll(2, &ours, Interest::Readable);
    driver.poll(1, &ours, Interest::Readable);
    let tokens: Vec<_> = take(&mut driver, 2).iter().map(Completion::token).collect();
    assert!(tokens.contains(&1) && tokens.contains(&2));
    driver.poll(1, &ours, Interest::Writable);
    driver.cancel(1);
    assert_eq!(
        next(&mut driver).token(),
        1,
        "cancelled before it was submitted, or not"
    );
}

fn cancelling_what_is_not_in_flight_does_nothing(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, _theirs) = unix_pair();
    driver.cancel(77);
    driver.poll(1, &ours, Interest::Writable);
    assert_eq!(next(&mut driver).token(), 1);
    driver.cancel(1);
    assert!(glance(&mut driver).is_empty());
    assert_eq!(driver.in_flight(), 0);
}

fn a_blocked_send_can_be_cancelled_and_has_sent_nothing(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    let filler = [Bytes::new(vec![1; 65_536])];
    let mut before = 0;
    while let Ok(count) = send_now(&ours, &filler) {
        before += count;
    }
    driver.send(4, &ours, vec![Bytes::new(*b"never"), Bytes::new(*b"sent")]);
    assert!(glance(&mut driver).is_empty());
    driver.cancel(4);
    let (token, batch, result) = sent(next(&mut driver));
    assert_eq!((token, batch.len()), (4, 2));
    assert_eq!(
        result.expect_err("cancelled").raw_os_error(),
        Some(libc::ECANCELED)
    );
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert_eq!(got.len(), before);
}

fn a_send_cancelled_halfway_tells_how_much_is_gone(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    let all = pattern(8 << 20);
    driver.send(4, &ours, all.chunks(10_000).map(Bytes::new).collect());
    assert!(glance(&mut driver).is_empty());
    let mut got = Vec::new();
    read_available(&mut theirs, &mut got);
    assert!(glance(&mut driver).is_empty());
    driver.cancel(4);
    let count = sent(next(&mut driver)).2.expect("some bytes are gone");
    assert!(count > 0 && count < all.len());
    assert!(glance(&mut driver).is_empty(), "a short send is not continued");
    drop(driver);
    drop(ours);
    assert!(read_available(&mut theirs, &mut got), "the end");
    assert_eq!(got.len(), count);
    assert!(got == all[..count]);
}

fn a_cancelled_operation_completes_once(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = unix_pair();
    for round in 0..100 {
        driver.poll(1, &ours, Interest::Readable);
        assert!(glance(&mut driver).is_empty());
        // The cancellation and its cause arrive together; whoever wins, there is one completion.
        theirs.write_all(b"x").expect("write");
        driver.cancel(1);
        driver.cancel(1);
        assert_eq!(next(&mut driver).token(), 1, "round {round}");
        assert!(glance(&mut driver).is_empty());
        read_available(&mut borrow(&ours), &mut Vec::new());
    }
}

fn borrow(fd: &Arc<crate::Fd>) -> std::os::unix::net::UnixStream {
    use std::os::fd::AsFd;
    let copy = fd.as_fd().try_clone_to_owned().expect("dup");
    copy.into()
}

fn a_reset_in_the_middle_of_a_send_tells_how_much_is_gone(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, mut theirs) = tcp_pair();
    let total = 32 << 20;
    driver.send(1, &ours, vec![Bytes::new(vec![7; total])]);
    assert!(glance(&mut driver).is_empty());
    theirs.read_exact(&mut [0; 4096]).expect("some of it is there");
    // Closing a socket that has unread bytes resets the connection.
    drop(theirs);
    let count = sent(next(&mut driver)).2.expect("some bytes are gone");
    assert!(count >= 4096 && count < total, "{count}");
    driver.send(1, &ours, vec![Bytes::new(*b"x")]);
    assert!(
        sent(next(&mut driver)).2.is_err(),
        "the next send shows the error"
    );
}

fn a_send_after_the_peer_is_gone_is_an_error(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, theirs) = unix_pair();
    drop(theirs);
    for batch in [
        vec![Bytes::new(*b"x")],
        vec![Bytes::new(*b"x"), Bytes::new(*b"y")],
    ] {
        driver.send(1, &ours, batch);
        let error = sent(next(&mut driver)).2.expect_err("nobody there");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "and no SIGPIPE");
    }
}

fn a_wait_ends_when_its_time_has_passed(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, _theirs) = unix_pair();
    driver.poll(1, &ours, Interest::Readable);
    // The first wait submits, the second has nothing but its time-out; fractions of a millisecond count.
    for timeout in [Duration::from_millis(5), Duration::from_micros(1500)] {
        let start = Instant::now();
        let mut out = Vec::new();
        driver.wait(Some(timeout), &mut out).expect("wait");
        assert!(out.is_empty());
        assert!(start.elapsed() >= timeout);
    }
    driver.cancel(1);
    driver
        .wait(Some(Duration::MAX), &mut Vec::new())
        .expect("no time-out is too long");
}

fn a_hang_up_makes_polls_ready(choice: DriverChoice) {
    let mut driver = driver(choice);
    let (ours, theirs) = tcp_pair();
    driver.poll(1, &ours, Interest::Readable);
    assert!(glance(&mut driver).is_empty());
    drop(theirs);
    assert!(matches!(next(&mut driver), Completion::Ready { token: 1 }));
}
