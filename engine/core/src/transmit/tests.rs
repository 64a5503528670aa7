use std::{
    io::Read,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use ringmq_io::{PollFd, wait_fds};
use ringmq_message::{
    Message,
    wire::{WireWriter, ring},
};
use ringmq_queue::barrier::{heavy_fence, light_fence};
use ringmq_zmtp::frame::{COMMAND, encode_header, next_frame};

use super::*;
use crate::limits;

/// A connection whose other end the test reads.
fn connection() -> (Arc<Fd>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (Arc::new(Fd::from(OwnedFd::from(near))), far)
}

/// Both halves with an established connection, the right with the worker.
fn established() -> (WireWriter, Transmit, UnixStream) {
    let (writer, reader) = ring();
    let transmit = Transmit::new(reader, true, limits::SEND_BATCH_BYTES_MAX);
    let (fd, far) = connection();
    transmit.connected(fd, None);
    transmit.established();
    (writer, transmit, far)
}

fn write(writer: &mut WireWriter, body: &[u8]) {
    let header = encode_header(0, body.len() as u64);
    writer.frame(header.as_slice(), body);
    writer.commit();
}

/// Plays an asynchronous send of which the kernel is said to have taken at most `most` bytes.
fn send_some(transmit: &Transmit, most: usize) -> usize {
    let Some((fd, batch, _)) = transmit.begin() else {
        return 0;
    };
    // A worker's send is not over before it is complete; here the first bytes, commands among them, go in one piece.
    wait_fds(&mut [PollFd::new(&*fd, false, true)], None).unwrap();
    let sent = send_now(&fd, &batch).unwrap_or(0).min(most);
    transmit.finish(batch, sent);
    sent
}

fn read_exactly(far: &mut UnixStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    far.read_exact(&mut bytes).unwrap();
    bytes
}

/// Lets go as the worker does.
fn let_go(transmit: &Transmit) -> bool {
    transmit.let_go().is_some_and(|was| {
        heavy_fence();
        transmit.has_let_go(was)
    })
}

#[test]
fn the_right_goes_round() {
    let (mut writer, transmit, mut far) = established();
    assert_eq!(transmit.right(), Right::Worker);
    assert!(let_go(&transmit), "nothing is queued");
    assert_eq!(transmit.right(), Right::Free);

    write(&mut writer, b"inline");
    assert!(!let_go(&transmit), "something is queued");
    assert_eq!(transmit.send_inline(), Inline::Drained);
    assert_eq!(transmit.right(), Right::Free);
    assert_eq!(read_exactly(&mut far, 8)[2..], *b"inline");

    assert!(transmit.watch());
    assert!(!transmit.watch(), "it is watched already");
    assert_eq!(transmit.look(), Look::Empty);
    write(&mut writer, b"gathered");
    assert_eq!(transmit.look(), Look::Queued(1));
    assert!(transmit.hand_over());
    assert!(!transmit.hand_over(), "the worker has it already");
    assert_eq!(transmit.look(), Look::Elsewhere);
    assert_eq!(transmit.send_inline(), Inline::Busy);
    assert_eq!(send_some(&transmit, usize::MAX), 10);
    assert!(transmit.is_drained() && let_go(&transmit));
}

#[test]
fn a_full_socket_hands_over_and_gathering_resumes() {
    let (mut writer, transmit, mut far) = established();
    assert!(let_go(&transmit) && transmit.watch());
    let body = vec![7; 4 << 20];
    write(&mut writer, &body);
    assert_eq!(transmit.send_inline(), Inline::HandOver);
    assert_eq!(transmit.right(), Right::Worker);
    assert!(!transmit.return_to_gathering(), "the rest is not sent");
    let reader = thread::spawn(move || read_exactly(&mut far, (4 << 20) + 9));
    while !transmit.is_drained() {
        if send_some(&transmit, usize::MAX) == 0 {
            thread::yield_now();
        }
    }
    assert!(transmit.return_to_gathering());
    assert_eq!(transmit.right(), Right::Watched);
    assert_eq!(reader.join().unwrap()[9..], body);
}

#[test]
fn commands_stand_between_messages() {
    let (mut writer, transmit, mut far) = established();
    let body = vec![7; 4 << 20];
    write(&mut writer, &body);
    write(&mut writer, b"next");
    // The kernel takes a part of the first message, and then a command turns up.
    let begun = send_some(&transmit, usize::MAX);
    assert!(begun > 0 && begun < body.len());
    let command = b"\x04\x05\x04PING";
    transmit.push_control(command);
    let len = (body.len() + 9) + (4 + 2) + command.len();
    let reader = thread::spawn(move || read_exactly(&mut far, len));
    while !transmit.is_drained() {
        if send_some(&transmit, usize::MAX) == 0 {
            thread::yield_now();
        }
    }
    let bytes = reader.join().unwrap();
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some((flags, body, next)) = next_frame(&bytes, at) {
        frames.push((flags, body.len()));
        at = next;
    }
    assert_eq!(at, len);
    frames.retain(|&(_, len)| len != body.len());
    frames.sort_unstable();
    assert_eq!(frames, [(0, 4), (COMMAND, 5)]);
}

#[test]
fn a_cut_connection_resumes_with_the_first_message_not_begun() {
    let (mut writer, transmit, _far) = established();
    for number in 0..10_u8 {
        write(&mut writer, &[number; 100]);
    }
    // Two messages and a half of the third.
    assert_eq!(send_some(&transmit, 2 * 102 + 50), 2 * 102 + 50);
    assert_eq!(transmit.disconnected(), 1, "one message is cut");
    let (fd, mut far) = connection();
    transmit.connected(fd, None);
    assert!(transmit.begin().is_none(), "not before the handshake");
    transmit.established();
    assert_eq!(send_some(&transmit, usize::MAX), 7 * 102);
    let bytes = read_exactly(&mut far, 7 * 102);
    let mut at = 0;
    for number in 3..10 {
        let (_, body, next) = next_frame(&bytes, at).unwrap();
        assert_eq!(bytes[body], [number; 100]);
        at = next;
    }
}

#[test]
fn a_connection_cut_between_messages_loses_none() {
    let (mut writer, transmit, _far) = established();
    write(&mut writer, &[1; 100]);
    assert_eq!(send_some(&transmit, usize::MAX), 102);
    write(&mut writer, &[2; 100]);
    assert_eq!(transmit.disconnected(), 0);
    assert_eq!(transmit.discard(), 1);
}

#[test]
fn credit_is_given_when_a_batch_starts_and_reported_at_the_threshold() {
    let (mut writer, transmit, _far) = established();
    for _ in 0..10 {
        write(&mut writer, b"x");
    }
    assert_eq!(transmit.taken(), 0);
    assert_eq!(transmit.ask_for_room(5), 0);
    let (_, batch, room) = transmit.begin().unwrap();
    assert!(room, "the producer waits for five, and ten are taken");
    assert_eq!(transmit.taken(), 10);
    transmit.finish(batch, 30);
    write(&mut writer, b"x");
    let (_, batch, room) = transmit.begin().unwrap();
    assert!(!room, "it has been told");
    transmit.finish(batch, 3);
}

#[test]
fn protocol_traffic_goes_first_and_before_the_handshake_alone() {
    let (mut writer, reader) = ring();
    let transmit = Transmit::new(reader, true, limits::SEND_BATCH_BYTES_MAX);
    write(&mut writer, b"message");
    assert!(transmit.begin().is_none(), "there is no connection");
    let (fd, mut far) = connection();
    transmit.connected(fd, None);
    transmit.push_control(b"greeting");
    assert!(transmit.has_control());
    assert_eq!(send_some(&transmit, usize::MAX), 8);
    transmit.push_control(b"ready");
    transmit.established();
    assert_eq!(send_some(&transmit, usize::MAX), 5 + 9);
    assert_eq!(read_exactly(&mut far, 22), *b"greetingready\0\x07message");
}

/// The producer gathers or sends at once, the worker watches, takes over and lets go, and every byte arrives once and in
/// order. Nothing here waits with a time limit: a message that is left lying hangs the test.
fn stress(look_again: bool) -> u64 {
    const MESSAGES: u64 = 30_002;
    let (mut writer, transmit, far) = established();
    let done = AtomicBool::new(false);
    // Held while the right is let go of, so that whoever has the lock and finds it free knows that it stays so.
    let letting_go = Mutex::new(());
    let worker_lets_go = || {
        let _between = lock(&letting_go);
        let_go(&transmit);
    };
    let is_settled = || {
        let _between = lock(&letting_go);
        transmit.right() == Right::Free
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                match transmit.right() {
                    Right::Worker => {
                        if send_some(&transmit, usize::MAX) == 0 && !transmit.return_to_gathering() {
                            worker_lets_go();
                        }
                    }
                    Right::Watched => match transmit.look() {
                        Look::Empty => worker_lets_go(),
                        Look::Queued(_) => drop(transmit.hand_over()),
                        Look::Elsewhere => {}
                    },
                    Right::Free => thread::yield_now(),
                }
            }
        });
        let reader = scope.spawn(|| {
            let mut far = std::io::BufReader::new(far);
            let mut frame = [0; 10];
            let mut next = 0;
            while next < MESSAGES && far.read_exact(&mut frame).is_ok() {
                assert_eq!(frame[2..], next.to_le_bytes());
                next += 1;
            }
            next
        });
        for number in 0..MESSAGES {
            // The control's last message meets a free right.
            while !look_again && number + 1 == MESSAGES && !is_settled() {
                thread::yield_now();
            }
            writer.small_frame(0, &number.to_le_bytes());
            writer.commit();
            light_fence();
            match transmit.right() {
                Right::Worker => {}
                Right::Watched if number % 7 != 0 => {}
                Right::Free if number % 3 == 0 => drop(transmit.watch()),
                _ if look_again => drop(transmit.send_inline()),
                _ => {}
            }
        }
        if !look_again {
            let lying = !lock(&transmit.side).ring.is_empty();
            assert!(lying, "nobody looks at the ring any more");
            transmit.hand_over();
            let read = reader.join().unwrap();
            done.store(true, Relaxed);
            return read;
        }
        let read = reader.join().unwrap();
        done.store(true, Relaxed);
        read
    })
}

#[test]
fn nothing_is_left_lying_between_producer_and_worker() {
    assert_eq!(stress(true), 30_002);
}

#[test]
fn control_a_producer_that_ignores_a_free_right_leaves_its_message_lying() {
    assert_eq!(stress(false), 30_002, "handing over by hand brings it on its way");
}

#[test]
fn large_bodies_leave_by_reference() {
    let (mut writer, transmit, mut far) = established();
    let header = encode_header(0, 100_000);
    writer.frame_by_reference(header.as_slice(), Message::from(vec![9; 100_000]));
    writer.commit();
    let reader = thread::spawn(move || read_exactly(&mut far, 100_009));
    while !transmit.is_drained() {
        send_some(&transmit, usize::MAX);
    }
    assert_eq!(reader.join().unwrap()[9..], vec![9; 100_000]);
}

#[test]
fn of_a_cut_byte_stream_nothing_is_taken_for_a_frame() {
    let (mut writer, reader) = ring();
    let transmit = Transmit::new(reader, false, limits::SEND_BATCH_BYTES_MAX);
    // Bytes that would be the header of a long frame.
    for bytes in [&[2, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF][..], b"more", b"the rest"] {
        writer.frame(&[], bytes);
        writer.commit();
    }
    let mut batch = Vec::new();
    {
        let mut side = lock(&transmit.side);
        side.ring.batch(limits::SEND_BATCH_BYTES_MAX, &mut batch);
        side.ring.advance(3);
    }
    assert_eq!(transmit.disconnected(), 1, "what the kernel has in part is lost");
    assert!(transmit.discard() <= 2);
    assert!(transmit.is_drained());
}

#[test]
fn the_newest_message_waits_alone() {
    let (_writer, reader) = ring();
    let transmit = Transmit::new(reader, true, limits::SEND_BATCH_BYTES_MAX);
    for text in ["old", "older", "new"] {
        assert!(
            !transmit.replace(Message::from(text)),
            "the worker has the right already"
        );
    }
    assert!(!transmit.is_drained());
    assert!(!let_go(&transmit), "there is something to send");
    assert_eq!(transmit.discard(), 1);
    assert!(transmit.is_drained());
}

#[test]
fn a_batch_has_no_more_bytes_than_the_option_says() {
    let batch_of = |batch_max: usize| {
        let (mut writer, reader) = ring();
        let transmit = Transmit::new(reader, true, batch_max);
        transmit.connected(
            Arc::new(Fd::from(std::os::fd::OwnedFd::from(
                std::net::UdpSocket::bind("127.0.0.1:0").unwrap(),
            ))),
            None,
        );
        transmit.established();
        for _ in 0..1000 {
            writer.small_frame(0, &[7; 98]);
            writer.commit();
        }
        let (_, batch, _) = transmit.begin().unwrap();
        let bytes: usize = batch.iter().map(|slice| slice.as_slice().len()).sum();
        transmit.finish(batch, bytes);
        bytes
    };
    let whole = batch_of(limits::SEND_BATCH_BYTES_MAX);
    assert_eq!(whole, 100_000);
    let half = batch_of(10_000);
    assert!((5_000..=10_000).contains(&half), "{half}");
    // Less than the distance between two places at which a batch can end is not possible.
    assert!(batch_of(1) <= 4096);
}
