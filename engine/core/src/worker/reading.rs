//! The read side of sessions.

use std::{
    io,
    time::{Duration, Instant},
};

use ringmq_io::Interest;
use ringmq_message::Slab;

use super::{
    Op, Worker,
    session::{Cause, Phase, Reading},
    token,
};
use crate::{limits, link::lock, receive::Absorbed, socket::SocketCommand};

/// How often the worker looks whether a lent connection is read.
const ATTENDANCE: Duration = Duration::from_millis(limits::ATTEND_CHECK_MS);

impl Worker {
    /// Waits for something to read, without a buffer: memory is attached only when there is something.
    pub(super) fn poll_readable(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(fd) = &session.fd else { return };
        debug_assert!(session.reading != Reading::Waiting);
        if session.lend_wanted
            && session.phase == Phase::Established
            && session.retiring.is_none()
            && !session.is_upgraded
        {
            session.lend_wanted = false;
            session.reading = Reading::Lent;
            session.visits_seen = session.link.receive.attendance().0;
            session.attendance_deadline = Some(Instant::now() + ATTENDANCE);
            session.link.receive.lend(fd.clone());
            let fd = fd.clone();
            session.link.notify(|key| SocketCommand::Lent(key, fd));
            return;
        }
        session.reading = Reading::Waiting;
        session.ops += 1;
        self.driver.poll(token(slot, Op::Read), fd, Interest::Readable);
    }

    pub(super) fn read_ready(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.reading = Reading::Nothing;
        if session.phase != Phase::Ending {
            self.receive(slot);
        }
    }

    /// A poll came back cancelled: the connection is ending, or the attempt to connect took too long.
    pub(super) fn read_cancelled(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase == Phase::Connecting {
            self.attempt_failed(slot, false);
        } else {
            session.reading = Reading::Nothing;
            if session.phase != Phase::Ending {
                // The poll made way for lending, unless the connection has changed meanwhile.
                self.poll_readable(slot);
            }
        }
    }

    /// The application asks to read the connection itself. It gets the right when nothing is in flight.
    pub(super) fn lend(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.lend_wanted = true;
        if session.phase == Phase::Established && session.reading == Reading::Waiting {
            self.driver.cancel(token(slot, Op::Read));
        }
    }

    /// The application has given the right back: it rests, or found something that it cannot handle.
    pub(super) fn read_again(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.reading != Reading::Lent {
            return;
        }
        session.reading = Reading::Nothing;
        session.attendance_deadline = None;
        // A violation that the application met comes again here, and is reported from here.
        self.absorb(slot);
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.reading == Reading::Nothing && session.phase != Phase::Ending {
            self.receive(slot);
        }
    }

    /// Takes the right to read back from an application that has other things to do.
    pub(super) fn reclaim(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.link.receive.take_back() {
            self.read_again(slot);
        }
    }

    /// Whether the application still reads: somebody has to answer PINGs and notice the end of the connection.
    pub(super) fn check_attendance(&mut self, slot: u32, now: Instant) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let (visits, attended) = session.link.receive.attendance();
        if attended || visits != session.visits_seen {
            session.visits_seen = visits;
            session.attendance_deadline = Some(now + ATTENDANCE);
        } else {
            session.attendance_deadline = None;
            self.reclaim(slot);
        }
    }

    fn receive(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(fd) = session.fd.clone() else { return };
        let mut buffer = if session.phase == Phase::Finishing {
            Slab::with_capacity(limits::SLAB_LEN)
        } else {
            lock(&session.link.receive.side).take_buffer()
        };
        if session.takes_descriptors() && session.is_open() {
            let result = session.recv_with_descriptors(&fd, &mut buffer);
            self.received(slot, buffer, result, false);
            return;
        }
        session.reading = Reading::Waiting;
        session.ops += 1;
        self.driver.recv(token(slot, Op::Read), &fd, buffer);
    }

    pub(super) fn received(&mut self, slot: u32, buffer: Slab, result: io::Result<usize>, more_likely: bool) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.reading = Reading::Nothing;
        match session.phase {
            Phase::Ending => return,
            Phase::Finishing => {
                // Nobody reads any more; only the end of the stream is of interest.
                drop(buffer);
                match result {
                    Ok(1..) => self.receive(slot),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.poll_readable(slot),
                    _ => self.end(slot, Cause::Local),
                }
                return;
            }
            _ => lock(&session.link.receive.side).put_buffer(buffer),
        }
        match result {
            Ok(0) => self.end(slot, Cause::PeerClosed),
            Ok(count) => {
                self.absorb(slot);
                self.read_on(slot, count, more_likely);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                lock(&session.link.receive.side).rest();
                self.poll_readable(slot);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.poll_readable(slot),
            Err(error) => self.end(slot, Cause::Io(error)),
        }
    }

    fn read_on(&mut self, slot: u32, count: usize, more_likely: bool) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.reading == Reading::Stalled || session.phase == Phase::Ending {
            return;
        }
        if more_likely {
            self.receive(slot);
            return;
        }
        if count < limits::SLAB_LEN / 4 {
            lock(&session.link.receive.side).rest();
        }
        self.poll_readable(slot);
    }

    /// Makes messages of what was received, and hands over the whole ones.
    pub(super) fn absorb(&mut self, slot: u32) {
        let now = Instant::now();
        loop {
            let Some(session) = self.sessions.get_mut(slot) else {
                return;
            };
            if !session.is_open() {
                return;
            }
            let mut side = lock(&session.link.receive.side);
            let absorbed = side.absorb(now);
            if matches!(absorbed, Ok(Absorbed::Handshaken)) {
                drop(side);
                self.handshaken(slot);
                continue;
            }
            if let Ok(Absorbed::Upgrade(step)) = absorbed {
                drop(side);
                self.upgrade_step(slot, &step);
                continue;
            }
            // What came before a violation was in order, and is delivered.
            let delivered = session.link.receive.deliver(&mut side);
            let control = side.has_control();
            session.wire_deadline = side
                .connection
                .as_ref()
                .and_then(|connection| connection.deadline());
            drop(side);
            if delivered.notify {
                session.link.notify_readable();
            }
            if delivered.stalled {
                session.reading = Reading::Stalled;
            }
            if control {
                self.pump_control(slot);
            }
            if let Err(failure) = absorbed {
                self.end(slot, failure.into());
            }
            return;
        }
    }

    /// The application has taken messages.
    pub(super) fn resume_reading(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase == Phase::Delivering {
            self.conclude(slot);
            return;
        }
        // Without a connection nothing stalls, but something may be held.
        let delivered = {
            let mut side = lock(&session.link.receive.side);
            session.link.receive.deliver(&mut side)
        };
        if delivered.notify {
            session.link.notify_readable();
        }
        if session.reading == Reading::Stalled && !delivered.stalled {
            session.reading = Reading::Nothing;
            self.receive(slot);
        }
    }
}
