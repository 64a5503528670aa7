//! The end of a pipe whose other end is a session: encodes into the wire ring, reads spans.

use std::sync::Arc;

use ringmq_message::{Message, wire::WireWriter};
use ringmq_queue::{barrier::light_fence, spsc::Consumer};
use ringmq_zmtp::frame::{MORE, encode_header, next_frame};

use super::Read;
use crate::{
    inbound::{Frames, Inbound, Mark, read_part},
    limits,
    link::Link,
    pace::Pace,
    transmit::Right,
    worker::Command,
};

/// A pipe's end towards a session.
pub(crate) struct WireEnd {
    pub(crate) link: Arc<Link>,
    /// The length from which on a body is no small frame: 0 where there are no frames.
    small_end: usize,
    writer: WireWriter,
    /// Bytes that may still be gathered before they are sent; 0 when nothing is gathered.
    window: usize,
    /// The socket's pace knows that the pipe gathers.
    listed: bool,
    /// Messages that had been written when one last found the socket idle.
    written_before: u64,
    queue: Consumer<Inbound>,
    cursor: Cursor,
    /// Messages read so far, and how many of them the session knows of.
    consumed: u64,
    published: u64,
    /// Bytes of the entries that were read, and of the one that is being read.
    consumed_bytes: u64,
    entry_bytes: u64,
}

/// What lies under the reader's finger.
enum Cursor {
    Empty,
    Frames(Frames, usize),
    Scattered(std::vec::IntoIter<Inbound>, Option<(Frames, usize)>),
}

impl WireEnd {
    pub(crate) fn new(link: Arc<Link>, writer: WireWriter, queue: Consumer<Inbound>, framed: bool) -> Self {
        Self {
            link,
            small_end: if framed { 256 } else { 0 },
            writer,
            window: 0,
            listed: false,
            written_before: 0,
            queue,
            cursor: Cursor::Empty,
            consumed: 0,
            published: 0,
            consumed_bytes: 0,
            entry_bytes: 0,
        }
    }

    pub(crate) fn attach(&mut self, key: u64) {
        self.link.attach(key);
    }

    /// Takes the socket's high-water marks; returns the one for sending.
    pub(crate) fn set_hwm(&mut self, send: u64, receive: u64) -> u64 {
        self.link.receive.set_hwm(receive);
        send
    }

    /// Takes how many bytes may wait either way; returns those for sending.
    pub(crate) fn set_bytes_max(&mut self, send: u64, receive: u64) -> u64 {
        self.link.receive.set_bytes_max(receive);
        send
    }

    pub(crate) fn taken(&self) -> u64 {
        self.link.transmit.taken()
    }

    pub(crate) fn ask_for_room(&mut self, threshold: u64) -> u64 {
        self.link.transmit.ask_for_room(threshold)
    }

    pub(crate) fn stop_asking(&mut self) {
        self.link.transmit.stop_asking();
    }

    /// Whole messages written so far.
    #[inline]
    pub(crate) fn written(&self) -> u64 {
        self.writer.messages()
    }

    /// Writes one part; a large body is taken out of `message`, a small one copied.
    #[inline]
    pub(crate) fn write(&mut self, message: &mut Message, pace: &mut Pace) {
        if message.len() < limits::REFERENCE_BODY_MIN {
            let more = message.more();
            self.write_bytes(message, more, pace);
        } else {
            self.write_by_reference(message, pace);
        }
    }

    /// Writes one part by copying it, for which it must be small enough.
    #[inline]
    pub(crate) fn write_bytes(&mut self, body: &[u8], more: bool, pace: &mut Pace) {
        let flags = if more { MORE } else { 0 };
        if body.len() < self.small_end {
            self.writer.small_frame(flags, body);
        } else if self.small_end == 0 {
            self.writer.frame(&[], body);
        } else {
            let header = encode_header(flags, body.len() as u64);
            self.writer.frame(header.as_slice(), body);
        }
        self.finish_part(more, body.len(), pace);
    }

    fn write_by_reference(&mut self, message: &mut Message, pace: &mut Pace) {
        let (more, len) = (message.more(), message.len());
        let header = encode_header(if more { MORE } else { 0 }, len as u64);
        let header = if self.small_end == 0 {
            &[]
        } else {
            header.as_slice()
        };
        self.writer.frame_by_reference(header, std::mem::take(message));
        self.finish_part(more, len, pace);
    }

    #[inline]
    fn finish_part(&mut self, more: bool, len: usize, pace: &mut Pace) {
        if more {
            return;
        }
        self.writer.commit();
        // Partner of the heavy fence before `Transmit::has_let_go`.
        light_fence();
        match self.link.transmit.right() {
            Right::Worker => {}
            Right::Watched if self.window > len => self.window -= len,
            right => self.kick(right, len, pace),
        }
    }

    /// A message that finds its socket idle is sent here and now; messages that follow each other closely are gathered, until
    /// they are many bytes.
    #[cold]
    fn kick(&mut self, right: Right, len: usize, pace: &mut Pace) {
        let is_due = right == Right::Watched && self.window > 0;
        if !(is_due || pace.is_idle() && self.stands_alone()) {
            if right == Right::Free {
                self.link.watch();
            }
            if !self.listed
                && let Some(key) = self.link.key()
            {
                self.listed = true;
                pace.gathers(key);
            }
            self.window = limits::GATHER_BYTES.saturating_sub(len);
            if self.window > 0 {
                return;
            }
        }
        self.window = 0;
        self.link.send_inline();
        pace.has_sent();
    }

    /// Whether the message that finds the socket idle is likely to be the only one for the moment, as it was the last time. The
    /// first of a burst is better sent with the others.
    fn stands_alone(&mut self) -> bool {
        let written = self.written();
        written - std::mem::replace(&mut self.written_before, written) < limits::BURST_MESSAGES
    }

    /// Sends what was gathered.
    pub(crate) fn flush(&mut self) {
        self.window = 0;
        if self.link.transmit.right() == Right::Watched {
            self.link.send_inline();
        }
    }

    /// Sends what was gathered; the socket's pace does not list the pipe any more.
    pub(crate) fn flush_listed(&mut self) {
        self.listed = false;
        self.flush();
    }

    /// Writes one part and leaves it with the caller.
    #[inline]
    pub(crate) fn write_shared(&mut self, message: &mut Message, pace: &mut Pace) {
        if message.len() < limits::SHARED_REFERENCE_MIN {
            let more = message.more();
            self.write_bytes(message, more, pace);
        } else {
            let mut share = message.share();
            share.set_more(message.more());
            self.write_by_reference(&mut share, pace);
        }
    }

    /// Takes back the parts of an incomplete message.
    pub(crate) fn rollback(&mut self) {
        self.writer.rollback();
    }

    /// The next part, in order; a message's parts follow each other without a gap.
    #[inline]
    pub(crate) fn read(&mut self, message: &mut Message, closed: bool) -> Read {
        if let Cursor::Frames(frames, at) = &mut self.cursor
            && let Some((flags, body, next)) = next_frame(&frames.span, *at)
        {
            *at = next;
            read_part(frames, flags & MORE != 0, body, message);
            if flags & MORE == 0 {
                self.took_message();
            }
            return Read::Part;
        }
        self.read_slow(message, closed)
    }

    #[inline]
    fn took_message(&mut self) {
        self.consumed += 1;
        if self.consumed - self.published >= limits::CONSUMED_STEP {
            self.publish_consumed();
        }
    }

    fn read_slow(&mut self, message: &mut Message, closed: bool) -> Read {
        loop {
            if let Some(part) = self.next_scattered() {
                *message = part;
                if !message.more() {
                    self.took_message();
                }
                return Read::Part;
            }
            self.cursor = Cursor::Empty;
            let Some(entry) = self.pop() else {
                return if closed { Read::Ended } else { Read::Empty };
            };
            match entry {
                Inbound::Frames(frames) => {
                    self.cursor = Cursor::Frames(frames, 0);
                    if let Read::Part = self.read(message, closed) {
                        return Read::Part;
                    }
                }
                Inbound::Body(body) => {
                    *message = body;
                    if !message.more() {
                        self.took_message();
                    }
                    return Read::Part;
                }
                Inbound::Scattered(pieces) => self.cursor = Cursor::Scattered(pieces.into_iter(), None),
                Inbound::Subscriptions(requests) => return Read::Subscriptions(requests),
                // Only local connections have marks, and their end looks for them before it reads.
                Inbound::Mark(_) => debug_assert!(false, "a mark was read as a message"),
            }
        }
    }

    fn next_scattered(&mut self) -> Option<Message> {
        let Cursor::Scattered(pieces, current) = &mut self.cursor else {
            return None;
        };
        loop {
            if let Some((frames, at)) = current
                && let Some((flags, body, next)) = next_frame(&frames.span, *at)
            {
                *at = next;
                let mut message = Message::new();
                read_part(frames, flags & MORE != 0, body, &mut message);
                return Some(message);
            }
            match pieces.next()? {
                Inbound::Body(message) => return Some(message),
                Inbound::Frames(frames) => *current = Some((frames, 0)),
                // A session nests no deeper and puts requests into entries of their own.
                Inbound::Scattered(_) | Inbound::Subscriptions(_) | Inbound::Mark(_) => debug_assert!(false),
            }
        }
    }

    /// The next entry; before finding nothing for good the session is given its credit and asked to report.
    fn pop(&mut self) -> Option<Inbound> {
        self.consumed_bytes += std::mem::take(&mut self.entry_bytes);
        let mut entry = self.queue.pop();
        if entry.is_none() && self.watch() {
            entry = self.queue.pop();
        }
        self.entry_bytes = entry.as_ref()?.bytes();
        if self.link.receive.is_bounded_by_bytes() {
            self.publish_consumed();
        }
        entry
    }

    /// Asks the session to report the next arrival. True when something arrived meanwhile.
    pub(crate) fn watch(&mut self) -> bool {
        self.publish_consumed();
        self.link.receive.wait();
        let arrived = !self.queue.is_empty();
        if arrived {
            self.link.receive.stop_waiting();
        }
        arrived
    }

    fn publish_consumed(&mut self) {
        self.published = self.consumed;
        self.queue.release();
        if self
            .link
            .receive
            .publish_consumed(self.consumed, self.consumed_bytes)
        {
            self.link.worker.push(Command::Credit(self.link.clone()));
        }
    }

    /// The mark that comes next, if one does.
    pub(crate) fn mark(&mut self) -> Option<Mark> {
        if self.is_within_entry() {
            return None;
        }
        match self.queue.peek() {
            Some(Inbound::Mark(mark)) => Some(*mark),
            _ => None,
        }
    }

    /// Goes beyond the mark.
    pub(crate) fn pop_mark(&mut self) {
        let mark = self.queue.pop();
        debug_assert!(matches!(mark, Some(Inbound::Mark(_))));
        self.publish_consumed();
    }

    fn is_within_entry(&self) -> bool {
        match &self.cursor {
            Cursor::Frames(frames, at) => *at < frames.span.len(),
            Cursor::Scattered(pieces, current) => {
                pieces.len() > 0
                    || current
                        .as_ref()
                        .is_some_and(|(frames, at)| *at < frames.span.len())
            }
            Cursor::Empty => false,
        }
    }

    /// Whether the session is still to report the next arrival. Once its report has come, the answer is no.
    pub(crate) fn is_watched(&self) -> bool {
        self.link.receive.is_waited_for()
    }

    /// Whether the session has pushed an entry that was not looked at yet.
    pub(crate) fn is_queue_occupied(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether a read would find a message, without taking it.
    pub(crate) fn has_queued(&self) -> bool {
        self.is_within_entry() || self.is_queue_occupied()
    }
}
