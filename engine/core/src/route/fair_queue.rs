//! One whole message from each pipe in turn (RFC 30 PULL, RFC 28 DEALER, ROUTER and REP, RFC 29 SUB).

use std::collections::VecDeque;

use ringmq_message::Message;

use super::{PipeKey, Pipes};
use crate::{inbound::SubscriptionRequest, pace::Dwell, pipe::Read};

/// Chooses the pipe to read next.
#[derive(Default)]
pub(crate) struct FairQueue {
    /// Pipes that may have something, in turn.
    active: Vec<PipeKey>,
    next: usize,
    /// The message in progress comes from the pipe at `next`.
    receiving: bool,
    /// The rest of the message that was being received when its pipe was taken away, and which pipe that was.
    rest: VecDeque<Message>,
    rest_from: PipeKey,
}

/// What the queue had.
pub(crate) enum Queued {
    /// A part, which lies where the caller wanted it.
    Part(PipeKey),
    Subscriptions(PipeKey, Vec<SubscriptionRequest>),
}

impl FairQueue {
    /// A new pipe, or one that reported something to read, comes last.
    pub(crate) fn activate(&mut self, pipes: &mut Pipes, key: PipeKey) {
        if let Some(pipe) = pipes.get(key)
            && !std::mem::replace(&mut pipe.in_fair_queue, true)
        {
            self.active.push(key);
        }
    }

    pub(crate) fn remove(&mut self, pipes: &mut Pipes, key: PipeKey) {
        let Some(place) = self.active.iter().position(|&k| k == key) else {
            return;
        };
        if place == self.next && std::mem::take(&mut self.receiving) {
            self.keep_rest(pipes, key);
        }
        self.take_out(pipes, place);
    }

    /// A message of which parts were received is received as a whole, whatever becomes of its pipe.
    #[cold]
    fn keep_rest(&mut self, pipes: &mut Pipes, key: PipeKey) {
        let Some(pipe) = pipes.get(key) else { return };
        self.rest_from = key;
        loop {
            let mut part = Message::new();
            if !matches!(pipe.read(&mut part, Dwell::Pauses), Read::Part) {
                return;
            }
            let more = part.more();
            self.rest.push_back(part);
            if !more {
                return;
            }
        }
    }

    fn take_out(&mut self, pipes: &mut Pipes, place: usize) {
        let key = if place == self.next {
            // The last one takes its turn, so that a crowd of pipes is not moved for each that falls silent.
            self.active.swap_remove(place)
        } else {
            self.active.remove(place)
        };
        if let Some(pipe) = pipes.get(key) {
            pipe.in_fair_queue = false;
        }
        if place < self.next {
            self.next -= 1;
        }
        if self.next >= self.active.len() {
            self.next = 0;
        }
    }

    /// The next part and its pipe.
    #[inline]
    pub(crate) fn recv(&mut self, pipes: &mut Pipes, message: &mut Message) -> Option<Queued> {
        if let Some(part) = self.rest.pop_front() {
            *message = part;
            return Some(Queued::Part(self.rest_from));
        }
        let dwell = if self.active.len() == 1 {
            pipes.dwell()
        } else {
            Dwell::Pauses
        };
        while let Some(&key) = self.active.get(self.next) {
            let read = match pipes.get(key) {
                Some(pipe) => pipe.read(message, dwell),
                None => Read::Empty,
            };
            match read {
                Read::Part => {
                    self.receiving = message.more();
                    if !self.receiving {
                        self.advance();
                    }
                    return Some(Queued::Part(key));
                }
                Read::Subscriptions(requests) => return Some(Queued::Subscriptions(key, requests)),
                Read::Empty => self.take_out(pipes, self.next),
                Read::Ended => {
                    self.take_out(pipes, self.next);
                    pipes.ended.push(key);
                }
            }
        }
        None
    }

    /// The next part, for types whose peers do not subscribe: requests of a peer that does are dropped.
    #[inline]
    pub(crate) fn part(&mut self, pipes: &mut Pipes, message: &mut Message) -> Option<PipeKey> {
        loop {
            if let Queued::Part(key) = self.recv(pipes, message)? {
                return Some(key);
            }
        }
    }

    /// The next message, for types whose messages have one part: others are thrown away.
    #[inline]
    pub(crate) fn single(&mut self, pipes: &mut Pipes, message: &mut Message) -> Option<PipeKey> {
        loop {
            let key = self.part(pipes, message)?;
            if !message.more() {
                return Some(key);
            }
            self.skip(pipes, true);
        }
    }

    /// Reads the rest of a message of which a part was read, to throw it away.
    pub(crate) fn skip(&mut self, pipes: &mut Pipes, mut more: bool) {
        let mut part = Message::new();
        while more {
            more = self.part(pipes, &mut part).is_some() && part.more();
        }
    }

    /// Throws away what lies there now. Unlike a receive it does not ask to be told of what comes next.
    pub(crate) fn discard(&mut self, pipes: &mut Pipes) {
        self.rest.clear();
        let mut part = Message::new();
        for &key in &self.active {
            let Some(pipe) = pipes.get(key) else { continue };
            while pipe.has_queued() {
                pipe.read(&mut part, Dwell::Pauses);
            }
        }
        self.receiving = false;
    }

    /// Whether a receive would find something; pipes that have nothing leave the round.
    pub(crate) fn has_queued(&mut self, pipes: &mut Pipes) -> bool {
        if !self.rest.is_empty() {
            return true;
        }
        while let Some(&key) = self.active.get(self.next) {
            let Some(pipe) = pipes.get(key) else {
                self.take_out(pipes, self.next);
                continue;
            };
            if pipe.has_queued() || pipe.watch() {
                return true;
            }
            if pipe.is_closed() {
                pipes.ended.push(key);
            }
            self.take_out(pipes, self.next);
        }
        false
    }

    #[inline]
    fn advance(&mut self) {
        self.next += 1;
        if self.next >= self.active.len() {
            self.next = 0;
        }
    }
}
