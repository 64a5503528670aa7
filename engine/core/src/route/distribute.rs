//! A copy for every chosen pipe that has room (RFC 29 PUB and XPUB).

use ringmq_message::Message;

use super::{PipeKey, Pipes};
use crate::{options::Overflow, pipe::Dismissal};

/// Sends each message to a set of pipes, chosen at its first part.
#[derive(Default)]
pub(crate) struct Distribute {
    /// The pipes that the message in progress goes to.
    chosen: Vec<PipeKey>,
    sending: bool,
    /// What to do about a pipe without room.
    pub(crate) overflow: Overflow,
}

impl Distribute {
    /// A message is in progress: its later parts go where the first one went.
    pub(crate) fn is_sending(&self) -> bool {
        self.sending
    }

    /// Starts the choice for a new message.
    pub(crate) fn clear(&mut self) {
        self.chosen.clear();
    }

    /// Adds a pipe to the choice; doubles are removed by `send`.
    #[inline]
    pub(crate) fn choose(&mut self, key: PipeKey) {
        self.chosen.push(key);
    }

    /// Chooses those of `all` that are not chosen, and no others.
    pub(crate) fn invert(&mut self, all: &[PipeKey]) {
        self.chosen.sort_unstable();
        let matching = std::mem::take(&mut self.chosen);
        self.chosen
            .extend(all.iter().filter(|key| matching.binary_search(key).is_err()));
    }

    /// Whether every chosen pipe has room. One that has not will report.
    pub(crate) fn all_have_room(&self, pipes: &mut Pipes) -> bool {
        self.chosen.iter().all(|&key| match pipes.get(key) {
            Some(pipe) => pipe.has_room() || !pipe.ask_for_room(),
            None => true,
        })
    }

    pub(crate) fn remove(&mut self, key: PipeKey) {
        self.chosen.retain(|&k| k != key);
    }

    /// Writes one part to all chosen pipes. At the first part a pipe without room leaves the choice: the message is
    /// lost for that peer alone, which is noted.
    pub(crate) fn send(&mut self, pipes: &mut Pipes, message: &mut Message) {
        if !self.sending {
            self.leave_full(pipes);
        }
        self.sending = message.more();
        let Some((&last, others)) = self.chosen.split_last() else {
            return;
        };
        pipes.pace.begin_copies();
        for &key in others {
            if let Some((pipe, pace)) = pipes.paced(key) {
                // A body that leaves by reference is taken out, so each pipe gets a share of it.
                pipe.write_shared(message, pace);
            }
        }
        if let Some((pipe, pace)) = pipes.paced(last) {
            pipe.write(message, pace);
        }
        pipes.pace.end_copies();
    }

    fn leave_full(&mut self, pipes: &mut Pipes) {
        if self.chosen.len() > 1 {
            self.chosen.sort_unstable();
            self.chosen.dedup();
        }
        let overflow = self.overflow;
        self.chosen.retain(|&key| {
            let Some(pipe) = pipes.get(key) else { return false };
            let (gone, accepts) = match overflow {
                Overflow::DropOldest => pipe.make_room(),
                Overflow::DropNewest | Overflow::Disconnect => (0, pipe.accepts()),
            };
            if !accepts && overflow == Overflow::Disconnect {
                pipes.dismiss(key, Dismissal::TooSlow);
            }
            for _ in 0..gone + u64::from(!accepts) {
                pipes.lose(key);
            }
            if accepts && gone == 0 {
                pipes.regain(key);
            }
            accepts
        });
    }
}
