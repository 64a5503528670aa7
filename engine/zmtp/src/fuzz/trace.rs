//! What a connection makes of a stream, in a form that does not depend on how it was cut.

use std::time::Instant;

use crate::config::Config;
use crate::connection::Connection;
use crate::error::Failure;
use crate::event::Event;
use crate::frame;

/// One thing that a stream meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Handshaken,
    Frame { more: bool, body: Vec<u8> },
    Subscribe(Vec<u8>),
    Cancel(Vec<u8>),
    Join(Vec<u8>),
    Leave(Vec<u8>),
    Extension(Vec<u8>, Vec<u8>),
    Failed(Failure),
}

/// All that a stream meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) items: Vec<Item>,
    /// What was sent to the peer.
    pub(crate) sent: Vec<u8>,
}

/// A driver that takes large bodies out of the same stream.
struct Driver<'a> {
    config: &'a Config,
    connection: Connection,
    now: Instant,
    trace: Trace,
    /// Bytes that are not consumed yet.
    input: Vec<u8>,
    /// The large frame being received: MORE, length, what there is of it.
    large: Option<(bool, u64, Vec<u8>)>,
}

/// Feeds a connection with the pieces of a stream until it ends or the connection fails.
pub(crate) fn trace<'a>(config: &Config, pieces: impl IntoIterator<Item = &'a [u8]>) -> Trace {
    let now = Instant::now();
    let mut driver = Driver {
        config,
        connection: Connection::new(config.clone(), now),
        now,
        trace: Trace {
            items: Vec::new(),
            sent: Vec::new(),
        },
        input: Vec::new(),
        large: None,
    };
    driver.send();
    for piece in pieces {
        driver.input.extend_from_slice(piece);
        if let Err(failure) = driver.run() {
            assert!(!driver.connection.is_established());
            let again = driver.connection.receive(&driver.input, now);
            assert_eq!(again, Err(failure.clone()), "a failure is final");
            driver.trace.items.push(Item::Failed(failure));
            break;
        }
    }
    driver.trace
}

impl Driver<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            if self.take_large() {
                return Ok(());
            }
            let progress = self.connection.receive(&self.input, self.now)?;
            let consumed: Vec<u8> = self.input.drain(..progress.consumed).collect();
            self.send();
            match progress.event {
                Some(event) => self.note(event, &consumed),
                None if consumed.is_empty() => {
                    assert!(self.input.len() < self.config.slab_len, "room for more");
                    return Ok(());
                }
                None => {}
            }
        }
    }

    fn send(&mut self) {
        let bytes = self.connection.transmit();
        let count = bytes.len();
        self.trace.sent.extend_from_slice(bytes);
        self.connection.transmitted(count);
    }

    /// Whether a large body is outstanding and takes all that there is.
    fn take_large(&mut self) -> bool {
        let Some((more, len, mut body)) = self.large.take() else {
            return false;
        };
        let missing = usize::try_from(len - body.len() as u64).unwrap_or(usize::MAX);
        let count = missing.min(self.input.len());
        body.extend(self.input.drain(..count));
        if (body.len() as u64) < len {
            self.large = Some((more, len, body));
            return true;
        }
        self.connection.large_done(self.now);
        self.trace.items.push(Item::Frame { more, body });
        false
    }

    fn note(&mut self, event: Event, consumed: &[u8]) {
        let item = match event {
            Event::Handshaken => {
                let peer = self.connection.peer().expect("handshaken");
                assert!(self.config.socket_type.accepts(peer.socket_type));
                Item::Handshaken
            }
            Event::Frames {
                messages,
                at_boundary,
            } => return self.note_frames(messages, at_boundary, consumed),
            Event::Large { header, body, more } => {
                assert_eq!(header, consumed.len());
                assert!(header as u64 + body > self.config.slab_len as u64);
                self.large = Some((more, body, Vec::new()));
                return;
            }
            Event::Subscribe { topic } => Item::Subscribe(consumed[topic].to_vec()),
            Event::Cancel { topic } => Item::Cancel(consumed[topic].to_vec()),
            Event::Raw => unreachable!("no raw connection is traced"),
            Event::Join { group } => Item::Join(consumed[group].to_vec()),
            Event::Leave { group } => Item::Leave(consumed[group].to_vec()),
            Event::Extension { name, data } => {
                Item::Extension(consumed[name].to_vec(), consumed[data].to_vec())
            }
        };
        self.trace.items.push(item);
    }

    fn note_frames(&mut self, messages: u32, at_boundary: bool, consumed: &[u8]) {
        let mut cursor = frame::FrameCursor::new(consumed);
        let mut ends = 0;
        let mut last_more = true;
        let mut start = 0;
        while let Some((more, body)) = cursor.next() {
            assert!(cursor.position() - start <= self.config.slab_len);
            start = cursor.position();
            ends += u32::from(!more);
            last_more = more;
            self.trace.items.push(Item::Frame {
                more,
                body: body.to_vec(),
            });
        }
        assert_eq!(cursor.position(), consumed.len(), "whole frames only");
        assert_eq!(ends, messages);
        assert_eq!(at_boundary, !last_more);
        assert!(at_boundary || messages == 0, "ends on a message if one ends");
    }
}
