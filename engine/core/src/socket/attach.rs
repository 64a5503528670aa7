//! How a socket's connections come and go: pipes are taken in, end, are read out and taken out again.

use super::Socket;
use crate::{
    link::lock,
    monitor::{DropCause, Event, EventRecord, Side},
    pattern::Admission,
    pipe::{Dismissal, Pipe},
    route::PipeKey,
};

impl Socket {
    /// Takes a pipe in. One whose endpoint was removed meanwhile, or that the pattern does not want, is closed.
    /// Returns its key, if it has been taken in.
    pub(super) fn attach(&mut self, mut pipe: Pipe, known: bool) -> Option<PipeKey> {
        if !self.endpoints.contains(pipe.endpoint) {
            pipe.refuse();
            return None;
        }
        // Reading on this thread is for sockets with a single connection.
        self.give_back();
        let key = self.pipes.insert(pipe);
        if let Some(pipe) = self.pipes.get(key) {
            pipe.limit(&self.options);
            pipe.attach(key);
            let tally = pipe.tally.clone();
            lock(&self.shared.ledger).enter(key, &tally);
        }
        self.watch_rings(key);
        if let Admission::Refused(why) = self.pattern.behaviour().attached(&mut self.pipes, key, known) {
            self.pipes.dismiss(key, why);
            self.bury();
        } else if self.pipes.get(key).is_some_and(|pipe| pipe.has_ended()) {
            self.end(key);
        }
        Some(key)
    }

    /// The session behind a pipe has ended; the pipe goes when it is read out.
    pub(super) fn end(&mut self, key: PipeKey) {
        let Some(pipe) = self.pipes.get(key) else { return };
        let dismissed = pipe.dismissed();
        pipe.mark_closed();
        let cut = pipe.rollback();
        self.cut_rings(key);
        if let Some(why) = dismissed {
            self.report_dismissal(key, why);
        }
        if cut {
            self.pipes.note_drop(key, DropCause::PeerGone, 1);
        }
        let Some(pipe) = self.pipes.get(key) else { return };
        if pipe.has_queued() {
            self.pattern.behaviour().ending(&mut self.pipes, key);
        } else {
            self.detach(key);
        }
    }

    /// Takes out the pipes that were read to their end.
    pub(super) fn bury(&mut self) {
        while let Some(key) = self.pipes.ended.pop() {
            self.detach(key);
        }
    }

    /// Takes a pipe out, whether it has ended or is to end now.
    pub(super) fn detach(&mut self, key: PipeKey) {
        let Some(pipe) = self.pipes.get(key) else { return };
        let why = pipe.dismissal;
        if why != Dismissal::Unwanted && !pipe.is_foreign() {
            self.report_dismissal(key, why);
        }
        self.shared_pipes.remove(key);
        self.pattern.behaviour().detached(&mut self.pipes, key);
        self.pipes.regain(key);
        self.report_drops();
        lock(&self.shared.ledger).leave(key);
        if let Some(mut pipe) = self.pipes.remove(key)
            && !pipe.is_closed()
        {
            pipe.refuse();
        }
    }

    /// Tells the monitor of messages that were dropped.
    #[cold]
    pub(super) fn report_drops(&mut self) {
        for dropped in self.pipes.drops.drain(..) {
            let (side, name) = self.endpoints.describe(dropped.endpoint);
            let (local, remote) = match side {
                Side::Bind => (name, String::new()),
                Side::Connect => (String::new(), name),
            };
            self.shared.emit(EventRecord {
                event: Event::Dropped {
                    cause: dropped.cause,
                    count: dropped.count,
                },
                side,
                local,
                remote,
                credentials: dropped.peer.credentials,
                peer: (!dropped.peer.identity.is_empty()).then(|| dropped.peer.identity.into()),
            });
        }
    }

    /// A connection within the process has ended for a reason that one of the two sockets had.
    fn report_dismissal(&mut self, key: PipeKey, why: Dismissal) {
        let Some(pipe) = self.pipes.get(key) else { return };
        let (side, name) = self.endpoints.describe(pipe.endpoint);
        let peer = &pipe.peer;
        let record = EventRecord {
            event: Event::Disconnected {
                fd: -1,
                reason: why.reason(),
            },
            side,
            local: name.clone(),
            remote: name,
            peer: (!peer.identity.is_empty()).then(|| peer.identity.as_slice().into()),
            credentials: None,
        };
        self.shared.emit(record);
    }
}
