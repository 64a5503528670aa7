//! PUSH floods PULL.

use std::time::{Duration, Instant};

use crate::engine::{EngineError, Receiver, Result, Sender};
use crate::scenario::Flow;

/// Messages between two looks at the clock.
const STRIDE: u64 = 256;

/// Sends messages of `size_bytes` until the socket fails or the process ends. Each body starts with its number,
/// as far as there is room for eight bytes.
pub fn flood(push: &mut impl Sender, size_bytes: usize) -> Result<()> {
    let mut body = vec![0; size_bytes];
    for number in 0u64.. {
        if let Some(head) = body.first_chunk_mut() {
            *head = number.to_le_bytes();
        }
        push.send(&body)?;
    }
    Ok(())
}

/// As [`flood`], with bodies that are written in full where the library wants them: the number first, and its lowest byte
/// everywhere else.
pub fn flood_in_place(push: &mut impl Sender, size_bytes: usize) -> Result<()> {
    for number in 0u64.. {
        push.send_in_place(size_bytes, |body| {
            body.fill(number as u8);
            if let Some(head) = body.first_chunk_mut() {
                *head = number.to_le_bytes();
            }
        })?;
    }
    Ok(())
}

/// Sends `count` messages with a copy of `body` each, `messages` says whether by way of a message that is made first.
pub fn send_count(push: &mut impl Sender, body: &[u8], count: u64, messages: bool) -> Result<()> {
    for _ in 0..count {
        if messages {
            push.send_message(body)?;
        } else {
            push.send(body)?;
        }
    }
    Ok(())
}

/// How much of a body the receiver looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The number at its head.
    Head,
    /// Every byte, as [`flood_in_place`] writes them.
    All,
}

/// Receives what [`flood`] or [`flood_in_place`] sends for `duration` after the first message, and checks that every
/// message has the right size and comes in its turn.
pub fn receive_for(
    pull: &mut impl Receiver,
    size_bytes: usize,
    look: Look,
    duration: Duration,
) -> Result<Flow> {
    receive_in_turn(pull, size_bytes, look, 0)?;
    let start = Instant::now();
    let mut messages = 0;
    loop {
        for _ in 0..STRIDE {
            messages += 1;
            receive_in_turn(pull, size_bytes, look, messages)?;
        }
        let elapsed = start.elapsed();
        if elapsed >= duration {
            return Ok(Flow {
                messages,
                elapsed_ns: elapsed.as_nanos() as u64,
                size_bytes,
            });
        }
    }
}

fn receive_in_turn(pull: &mut impl Receiver, size_bytes: usize, look: Look, number: u64) -> Result<()> {
    let right = pull.recv(|body| {
        body.len() == size_bytes
            && body
                .first_chunk()
                .is_none_or(|&head| u64::from_le_bytes(head) == number)
            && (look == Look::Head || is_filled(body, number as u8))
    })?;
    if right {
        return Ok(());
    }
    Err(EngineError::Corrupt(format!(
        "message {number} is lost, damaged or out of turn"
    )))
}

/// Whether everything behind the number is `byte`. Looks at all of it, so that it costs what reading costs.
fn is_filled(body: &[u8], byte: u8) -> bool {
    let rest = body.get(size_of::<u64>()..).unwrap_or_default();
    rest.iter().fold(0, |differs, &found| differs | (found ^ byte)) == 0
}

/// Receives `count` messages; the clock starts after the first, as libzmq's `local_thr` does it. Returns the
/// time for the others.
pub fn receive_count(pull: &mut impl Receiver, taker: &mut Taker, count: u64) -> Result<Duration> {
    taker.take(pull)?;
    let start = Instant::now();
    for _ in 1..count {
        taker.take(pull)?;
    }
    Ok(start.elapsed())
}

/// Receives messages of one size.
pub struct Taker {
    size_bytes: usize,
    /// Where bodies are copied to, if they are.
    buffer: Option<Vec<u8>>,
}

impl Taker {
    /// One that looks at the length only, or `copies` each body into a buffer of the caller's first, as `zmq_recv` does.
    pub fn new(size_bytes: usize, copies: bool) -> Self {
        Self {
            size_bytes,
            buffer: copies.then(|| vec![0; size_bytes]),
        }
    }

    /// Receives one.
    pub fn take(&mut self, pull: &mut impl Receiver) -> Result<()> {
        let Self { size_bytes, buffer } = self;
        let len = pull.recv(|body| {
            if let Some(buffer) = buffer {
                let room = buffer.len().min(body.len());
                buffer[..room].copy_from_slice(&body[..room]);
            }
            body.len()
        })?;
        if len == *size_bytes {
            return Ok(());
        }
        Err(EngineError::Corrupt(
            "message of incorrect size received".to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stock::Stock;
    use crate::engine::{Endpoint, Engine, Tuning};

    /// A PULL whose messages are made up by a function of their number.
    struct Scripted<F> {
        next: u64,
        body: F,
    }

    impl<F> Endpoint for Scripted<F> {
        fn bind(&mut self, endpoint: &str) -> Result<String> {
            Ok(endpoint.to_owned())
        }

        fn connect(&mut self, _endpoint: &str) -> Result<()> {
            Ok(())
        }
    }

    impl<F: Fn(u64) -> Vec<u8>> Receiver for Scripted<F> {
        fn recv<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
            let body = (self.body)(self.next);
            self.next += 1;
            Ok(read(&body))
        }
    }

    #[test]
    fn messages_in_turn_are_counted_after_the_first() {
        let mut pull = Scripted {
            next: 0,
            body: |number: u64| number.to_le_bytes().to_vec(),
        };
        let flow = receive_for(&mut pull, 8, Look::Head, Duration::ZERO).unwrap();
        assert_eq!((flow.messages, pull.next), (STRIDE, STRIDE + 1));
    }

    #[test]
    fn a_lost_message_fails_the_run() {
        let lossy = |number: u64| (number + u64::from(number >= 100)).to_le_bytes().to_vec();
        let error = receive_for(
            &mut Scripted { next: 0, body: lossy },
            8,
            Look::Head,
            Duration::ZERO,
        )
        .unwrap_err();
        assert!(error.to_string().starts_with("message 100 "), "{error}");
    }

    #[test]
    fn a_byte_that_nobody_wrote_fails_a_run_that_looks_at_all() {
        let body = |number: u64, last: u8| [&number.to_le_bytes()[..], &[number as u8; 91], &[last]].concat();
        let run = |look, spoiled: bool| {
            let body = |number: u64| body(number, number as u8 ^ u8::from(spoiled && number == 50));
            receive_for(&mut Scripted { next: 0, body }, 100, look, Duration::ZERO)
        };
        assert!(run(Look::All, false).is_ok() && run(Look::Head, true).is_ok());
        assert!(run(Look::All, true).is_err());
    }

    #[test]
    fn a_message_of_another_size_fails_the_run() {
        let mut pull = Scripted {
            next: 0,
            body: |_| vec![0; 9],
        };
        assert!(receive_count(&mut pull, &mut Taker::new(8, true), 1).is_err());
    }

    #[test]
    fn flood_and_receive_for_agree() {
        let engine = Stock::new(Tuning::default()).unwrap();
        let mut pull = engine.pull().unwrap();
        let mut push = engine.push().unwrap();
        push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        let sender = std::thread::spawn(move || {
            let body = |number: u64| [number.to_le_bytes(), [0; 8]].concat();
            (0..=STRIDE).try_for_each(|number| push.send(&body(number)))
        });
        assert_eq!(
            receive_for(&mut pull, 16, Look::Head, Duration::ZERO)
                .unwrap()
                .messages,
            STRIDE
        );
        sender.join().unwrap().unwrap();
    }
}
