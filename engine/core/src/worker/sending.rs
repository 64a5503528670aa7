//! The send side of sessions: one send in flight per connection; what is written meanwhile is the next batch.

use std::io;

use ringmq_message::wire::WireSlice;
use ringmq_queue::barrier::heavy_fence;

use super::{
    Op, Worker,
    session::{Cause, Sending},
    token,
};
use crate::{limits, link::lock};

impl Worker {
    /// Moves the connection's protocol traffic to where it is sent from, unless earlier traffic still waits there: what
    /// a peer provokes and does not read stays in the connection, which bounds it.
    pub(super) fn pump_control(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let may_be_held = session.may_make_room();
        {
            let mut side = lock(&session.link.receive.side);
            let layer_speaks = side.has_layer_output();
            let Some(connection) = &mut side.connection else {
                return;
            };
            if session.link.transmit.has_control() {
                return;
            }
            let mut held = if may_be_held { connection.answer_len() } else { 0 };
            if held > 0
                && self
                    .half_open
                    .may_answer(&mut session.answer, slot, session.serial)
            {
                held = 0;
            }
            let count = connection.transmit().len() - held;
            if count == 0 && !layer_speaks {
                return;
            }
            session
                .link
                .transmit
                .push_control(&connection.transmit()[..count]);
            connection.transmitted(count);
        }
        self.list_for_sending(slot);
    }

    /// The session holds the right to send and may have something to send.
    pub(super) fn list_for_sending(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.idle_looks = 0;
        if session.sending == Sending::Nothing {
            session.sending = Sending::Listed;
            self.sending.push(slot);
        }
    }

    /// Starts a send for each listed session that has something to send.
    pub(super) fn start_sends(&mut self) {
        let mut place = 0;
        while place < self.sending.len() {
            let slot = self.sending[place];
            if self.keep_listed(slot) {
                place += 1;
            } else {
                self.sending.swap_remove(place);
            }
        }
        self.confirm_letting_go(|worker, slot, has_gone| {
            if let Some(session) = worker.sessions.get_mut(slot) {
                session.sending = Sending::Nothing;
            }
            if !has_gone {
                worker.list_for_sending(slot);
            }
        });
    }

    /// Lets go of the right to send. False when it stays; otherwise what came of it is for
    /// [`confirm_letting_go`](Self::confirm_letting_go) to say.
    pub(super) fn let_go(&mut self, slot: u32) -> bool {
        let session = self.sessions.get(slot);
        let was = session.and_then(|session| session.link.transmit.let_go());
        self.letting_go.extend(was.map(|was| (slot, was)));
        was.is_some()
    }

    /// Looks once more at the links whose right was let go of, for which one fence serves, and says which are free.
    pub(super) fn confirm_letting_go(&mut self, mut settle: impl FnMut(&mut Self, u32, bool)) {
        if self.letting_go.is_empty() {
            return;
        }
        heavy_fence();
        let mut letting_go = std::mem::take(&mut self.letting_go);
        for (slot, was) in letting_go.drain(..) {
            let session = self.sessions.get(slot);
            let has_gone = session.is_none_or(|session| session.link.transmit.has_let_go(was));
            settle(self, slot, has_gone);
        }
        self.letting_go = letting_go;
    }

    /// False when the session leaves the list.
    fn keep_listed(&mut self, slot: u32) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else {
            return false;
        };
        if session.sending != Sending::Listed {
            return false;
        }
        if !session.is_open() {
            // Without a connection the right stays with the worker; connecting lists the session again.
            session.sending = Sending::Nothing;
            return false;
        }
        if let Some((fd, batch, room)) = session.link.transmit.begin() {
            session.sending = Sending::InFlight;
            session.ops += 1;
            self.driver.send(token(slot, Op::Send), &fd, batch);
            if room {
                session.link.notify_writable();
            }
            return false;
        }
        if session.link.transmit.return_to_gathering() {
            session.sending = Sending::Nothing;
            self.watch(slot);
            return false;
        }
        session.idle_looks += 1;
        if session.idle_looks < limits::IDLE_LOOKS_MAX {
            return true;
        }
        if session.phase.is_handshaking() {
            session.sending = Sending::Nothing;
            return false;
        }
        session.idle_looks = 0;
        !self.let_go(slot)
    }

    pub(super) fn sent(&mut self, slot: u32, batch: Vec<WireSlice>, result: io::Result<usize>) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let taken = *result.as_ref().unwrap_or(&0);
        session.link.transmit.finish(batch, taken);
        session.sending = Sending::Nothing;
        if !session.is_open() {
            return;
        }
        if let Err(error) = result {
            self.end(slot, Cause::Io(error));
            return;
        }
        self.list_for_sending(slot);
        self.pump_control(slot);
        self.advance_upgrade(slot);
        self.pay_switch(slot);
        self.finish_if_drained(slot);
    }
}
