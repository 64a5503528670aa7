//! Round robin over pipes with room, by whole messages (RFC 30 PUSH, RFC 28 DEALER and REQ).

use ringmq_message::Message;

use super::{PipeKey, Pipes};
use crate::{pace::Pace, pipe::Pipe};

/// Chooses the pipe for each message sent.
#[derive(Default)]
pub(crate) struct LoadBalance {
    /// Pipes with room, in turn.
    active: Vec<PipeKey>,
    next: usize,
    /// Parts of a message have gone to the pipe at `next`.
    sending: bool,
    /// The pipe of the message in progress is gone: its remaining parts are swallowed.
    dropping: bool,
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Balanced {
    /// Written to this pipe.
    Sent(PipeKey),
    /// Its message had lost its pipe; the part is gone, as the ones before it are.
    Dropped,
}

impl LoadBalance {
    /// A new pipe, or one with room again, comes last.
    pub(crate) fn activate(&mut self, pipes: &mut Pipes, key: PipeKey) {
        if let Some(pipe) = pipes.get(key)
            && !std::mem::replace(&mut pipe.in_balance, true)
        {
            self.active.push(key);
        }
    }

    pub(crate) fn remove(&mut self, pipes: &mut Pipes, key: PipeKey) {
        let Some(place) = self.active.iter().position(|&k| k == key) else {
            return;
        };
        if self.sending && place == self.next {
            self.sending = false;
            self.dropping = true;
        }
        self.take_out(pipes, place);
    }

    fn take_out(&mut self, pipes: &mut Pipes, place: usize) {
        let key = self.active.remove(place);
        if let Some(pipe) = pipes.get(key) {
            pipe.in_balance = false;
        }
        if place < self.next {
            self.next -= 1;
        }
        if self.next >= self.active.len() {
            self.next = 0;
        }
    }

    /// Sends one part. `None`: no pipe has room, and the part is still there.
    #[inline(always)]
    pub(crate) fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Option<Balanced> {
        let more = message.more();
        self.send_with(pipes, more, |pipe, pace| pipe.write(message, pace))
    }

    /// Sends a message of one part by copying it, for which it must be small enough.
    #[inline(always)]
    pub(crate) fn send_bytes(&mut self, pipes: &mut Pipes, body: &[u8]) -> Option<Balanced> {
        self.send_with(pipes, false, |pipe, pace| pipe.write_bytes(body, false, pace))
    }

    #[inline(always)]
    fn send_with(
        &mut self,
        pipes: &mut Pipes,
        more: bool,
        write: impl FnOnce(&mut Pipe, &mut Pace),
    ) -> Option<Balanced> {
        if self.dropping {
            self.dropping = more;
            return Some(Balanced::Dropped);
        }
        loop {
            if let Some(&key) = self.active.get(self.next)
                && let Some((pipe, pace)) = pipes.paced(key)
                && (self.sending || pipe.has_room())
            {
                write(pipe, pace);
                self.end_part(more);
                return Some(Balanced::Sent(key));
            }
            if self.sending || !self.find_room(pipes) {
                return None;
            }
        }
    }

    /// A part has been written; after the last one it is the next pipe's turn.
    #[inline]
    fn end_part(&mut self, more: bool) {
        self.sending = more;
        if !more {
            self.next += 1;
            if self.next >= self.active.len() {
                self.next = 0;
            }
        }
    }

    /// The pipe that the next part goes to, if one has room.
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Option<PipeKey> {
        if self.sending || (!self.dropping && self.find_room(pipes)) {
            self.active.get(self.next).copied()
        } else {
            None
        }
    }

    /// Moves `next` to a pipe with room; pipes without leave the round until they report.
    pub(crate) fn find_room(&mut self, pipes: &mut Pipes) -> bool {
        while let Some(&key) = self.active.get(self.next) {
            if pipes
                .get(key)
                .is_some_and(|pipe| pipe.has_room() || !pipe.ask_for_room())
            {
                return true;
            }
            self.take_out(pipes, self.next);
        }
        false
    }

    /// A message is in progress, so the next part does not wait.
    pub(crate) fn is_sending(&self) -> bool {
        self.sending || self.dropping
    }
}
