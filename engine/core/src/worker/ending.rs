//! How sessions end: retired by their owner, finished in order, cut by their peer, and what follows from it.

use std::time::{Duration, Instant};

use ringmq_io::shutdown_write;
use ringmq_zmtp::{Failure, Violation};

use super::{
    Op, Worker,
    session::{Cause, Phase, Reading, Sending, Session},
    timers::Due,
    token,
};
use crate::{
    inbound::Mark,
    layer::LayerFault,
    limits,
    link::lock,
    monitor::{DisconnectReason, DropCause, Event, HandshakeFault, ProtocolFault},
    pipe::{self, Dismissal},
    socket::SocketCommand,
};

impl Session {
    /// Nothing waits to be given to the kernel or to the peer's memory.
    fn has_sent_everything(&self) -> bool {
        !self.owes_switch && self.link.transmit.is_drained() && self.link.spill.is_empty()
    }

    /// The connection and its shared rings are gone, and another one follows. What was received is read before what comes
    /// then; what waits for room goes by the next connection.
    fn sever(&mut self) {
        self.bell = None;
        self.owes_switch = false;
        if !std::mem::take(&mut self.is_upgraded) {
            return;
        }
        let delivered = {
            let mut side = lock(&self.link.receive.side);
            side.mark(Mark::Cut);
            self.link.receive.deliver(&mut side)
        };
        if delivered.notify {
            self.link.notify_readable();
        }
        self.link.notify(SocketCommand::Severed);
    }
}

impl Session {
    /// Puts the reason for the end in place of what waits to be sent. False if the connection is not fit for it: it is down,
    /// speaks no ZMTP, or is in the middle of a message.
    fn explain(&mut self, text: &[u8]) -> bool {
        if self.phase != Phase::Established || self.socket.is_raw(&self.options) {
            return false;
        }
        let Some(mut dropped) = self.link.transmit.discard_between() else {
            return false;
        };
        let spill = self.link.spill.take();
        dropped += spill.map_or(0, |spill| spill.whole_messages());
        if dropped > 0 {
            self.note_drop(DropCause::PeerGone, dropped);
        }
        if let Some(connection) = &mut lock(&self.link.receive.side).connection {
            connection.queue_error(text);
        }
        true
    }
}

impl Worker {
    /// The socket does not want the connection any more. Where that can be told, the peer learns why.
    pub(super) fn dismiss(&mut self, slot: u32, linger: Option<Duration>, why: Dismissal) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.dismissal = why;
        let told = why.explanation().is_some_and(|text| session.explain(text));
        if told {
            self.pump_control(slot);
        }
        let grace = Duration::from_millis(limits::FINISH_GRACE_MS);
        self.retire(slot, if told { Some(grace) } else { linger });
    }

    /// The owner has closed the socket or the endpoint. Unsent messages are tried for as long as `linger` says.
    pub(super) fn retire(&mut self, slot: u32, linger: Option<Duration>) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let now = Instant::now();
        session.retiring = Some(linger.and_then(|linger| now.checked_add(linger)));
        session.lend_wanted = false;
        if session.reading == Reading::Lent {
            self.reclaim(slot);
        }
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        // A pipe that the socket never got cannot have anything to send.
        let nothing_to_send = session.pipe.is_some() || session.has_sent_everything();
        match session.phase {
            _ if linger == Some(Duration::ZERO) => self.end(slot, Cause::Local),
            Phase::Established if nothing_to_send => self.finish(slot),
            Phase::Established => {
                session.link.transmit.hand_over();
                self.list_for_sending(slot);
                self.move_spilled(slot);
            }
            Phase::Delivering => self.remove_session(slot),
            Phase::Ending | Phase::Finishing => {}
            _ if nothing_to_send => self.end(slot, Cause::Local),
            _ => {}
        }
        self.settle(slot);
    }

    /// Everything is sent: says so to the peer, and waits for its end of the stream, because closing with unread bytes
    /// would make the kernel reset the connection and lose what the peer has not read.
    pub(super) fn finish(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase == Phase::Finishing || session.phase == Phase::Ending {
            return;
        }
        if session.link.transmit.say_goodbye() {
            // That comes back here once it is sent.
            session.link.transmit.hand_over();
            self.list_for_sending(slot);
            return;
        }
        session.phase = Phase::Finishing;
        let grace = Instant::now() + Duration::from_millis(limits::FINISH_GRACE_MS);
        session.phase_deadline = Some(grace);
        session.wire_deadline = None;
        // An error means that the connection is gone, which reading will show.
        let _ = session.fd.as_ref().map(|fd| shutdown_write(fd));
        if session.reading != Reading::Waiting {
            self.poll_readable(slot);
        }
    }

    /// Too many connections wait for their handshake, and this is the oldest.
    pub(super) fn refuse_half_open(&mut self, slot: u32) {
        self.end(slot, Cause::Crowded);
        self.settle(slot);
    }

    /// Ends the present connection.
    pub(super) fn end(&mut self, slot: u32, cause: Cause) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase == Phase::Ending {
            return;
        }
        let was_half_open = session.is_half_open();
        if was_half_open {
            self.half_open.done(session);
        }
        // libzmq ends the session for good when the peer broke the protocol.
        let broken = match &cause {
            Cause::Protocol(failure) => !is_timeout(failure) && dismissed_by_peer(failure).is_none(),
            Cause::Layer(fault) => *fault == LayerFault::WebSocket,
            _ => false,
        };
        let stop = session.options.reconnect_stop.on_handshake_failed() && session.phase.is_handshaking();
        session.last_connection |=
            broken || stop || session.retiring.is_some() && matches!(cause, Cause::Local);
        session.last_connection |= session.phase == Phase::Finishing;
        session.link.transmit.send_last_words();
        // Before it is told, so that whoever hears of it sends nothing more that could get lost.
        if let Some(fd) = &session.fd {
            let _ = ringmq_io::shutdown_both(fd);
        }
        if session.dial.is_some() && !session.last_connection {
            session.sever();
        }
        report_end(session, &cause);
        session.phase = Phase::Ending;
        session.phase_deadline = None;
        session.wire_deadline = None;
        if session.reading == Reading::Lent {
            session.link.receive.take_back();
            session.reading = Reading::Nothing;
        }
        session.attendance_deadline = None;
        if session.ops > 0 {
            for op in [Op::Read, Op::Send, Op::Connect, Op::Bell] {
                self.driver.cancel(token(slot, op));
            }
        }
        if was_half_open {
            self.answer_held();
        }
    }

    /// To be called after anything that happened to a session: goes on from `Ending` once nothing is in flight, and
    /// keeps the timers up to date.
    pub(super) fn settle(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if session.phase == Phase::Ending && session.ops == 0 {
            self.ended(slot);
        }
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if let Some(next) = session.next_deadline()
            && session.timer.is_none_or(|timer| next < timer)
        {
            session.timer = Some(next);
            self.timers.add(next, Due::Session(slot));
        }
    }

    /// Nothing is in flight any more: the connection is taken down.
    fn ended(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let cut = session.link.transmit.disconnected();
        if cut > 0 {
            session.note_drop(DropCause::FateUnknown, cut);
        }
        lock(&session.link.receive.side).disconnected();
        session.upgrade = None;
        session.fd = None;
        session.reading = Reading::Nothing;
        if session.sending == Sending::InFlight {
            session.sending = Sending::Nothing;
        }
        if session.dial.is_none() || session.last_connection {
            self.conclude(slot);
            return;
        }
        if session.pipe_per_connection && session.pipe.is_none() {
            let dropped = session.link.transmit.discard();
            if dropped > 0 {
                session.note_drop(DropCause::PeerGone, dropped);
            }
            session.link.close();
            let worker = session.link.worker.clone();
            let (link, pipe) = pipe::pair(
                &worker,
                &session.socket,
                &session.options,
                session.endpoint,
                session.is_local,
            );
            link.set_slot(slot);
            session.link = link;
            session.pipe = Some(Box::new(pipe));
        }
        self.pause(slot);
    }

    /// Everything is sent, and the owner has closed: so ends the connection.
    pub(super) fn finish_if_drained(&mut self, slot: u32) {
        let Some(session) = self.sessions.get(slot) else {
            return;
        };
        if session.retiring.is_some() && session.phase == Phase::Established && session.has_sent_everything()
        {
            self.finish(slot);
        }
    }

    /// The session has no further connection; it goes once the application has room for what was received.
    pub(super) fn conclude(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let keep = session.retiring.is_none() && {
            let mut side = lock(&session.link.receive.side);
            let delivered = session.link.receive.deliver(&mut side);
            drop(side);
            if delivered.notify {
                session.link.notify_readable();
            }
            lock(&session.link.receive.side).has_held()
        };
        if keep {
            session.phase = Phase::Delivering;
        } else {
            self.remove_session(slot);
        }
    }

    fn remove_session(&mut self, slot: u32) {
        let Some(session) = self.sessions.remove(slot) else {
            return;
        };
        let mut dropped = session.link.transmit.discard();
        dropped += session
            .link
            .spill
            .take()
            .map_or(0, |spill| spill.whole_messages());
        if dropped > 0 {
            let cause = if session.retiring.is_some() && session.dismissal == Dismissal::Unwanted {
                DropCause::LingerExpired
            } else {
                DropCause::PeerGone
            };
            session.note_drop(cause, dropped);
        }
        session.link.close();
        self.sending.retain(|&listed| listed != slot);
        self.publish_load();
    }
}

fn is_timeout(failure: &Failure) -> bool {
    matches!(failure, Failure::HandshakeTimeout | Failure::HeartbeatTimeout)
}

/// Why a RingMQ peer did not want us any more, if it said so.
fn dismissed_by_peer(failure: &Failure) -> Option<Dismissal> {
    match failure {
        Failure::PeerError { reason } => Dismissal::explained_by(reason),
        _ => None,
    }
}

/// Reports the end of a connection as libzmq does: a failed handshake with what is known of it, then the end itself.
fn report_end(session: &Session, cause: &Cause) {
    if session.fd.is_none() {
        return;
    }
    if session.phase.is_handshaking() {
        let reason = match cause {
            Cause::PeerClosed => HandshakeFault::NoDetail { errno: libc::EPIPE },
            Cause::Io(error) => HandshakeFault::NoDetail {
                errno: error.raw_os_error().unwrap_or(0),
            },
            Cause::Protocol(Failure::HandshakeTimeout) => HandshakeFault::NoDetail {
                errno: libc::ETIMEDOUT,
            },
            Cause::Protocol(failure) => match failure.status_code() {
                Some(status) => HandshakeFault::Auth { status },
                None => HandshakeFault::Protocol(fault(failure)),
            },
            Cause::Layer(LayerFault::WebSocket) => HandshakeFault::Protocol(ProtocolFault::WsUnspecified),
            Cause::Layer(LayerFault::Proxy) => HandshakeFault::NoDetail {
                errno: libc::EHOSTUNREACH,
            },
            Cause::Layer(_) | Cause::SharedMemory => HandshakeFault::NoDetail { errno: libc::EPROTO },
            Cause::Crowded => HandshakeFault::NoDetail {
                errno: libc::ECONNABORTED,
            },
            Cause::Local => HandshakeFault::NoDetail {
                errno: libc::ECANCELED,
            },
        };
        session.emit(Event::HandshakeFailed { reason });
    }
    if matches!(
        session.phase,
        Phase::Handshaking | Phase::Upgrading | Phase::Established | Phase::Finishing
    ) {
        let reason = match cause {
            Cause::PeerClosed => DisconnectReason::PeerClosed,
            Cause::Io(error) => DisconnectReason::Io(error.raw_os_error().unwrap_or(0)),
            Cause::Protocol(Failure::HandshakeTimeout) => DisconnectReason::HandshakeTimeout,
            Cause::Protocol(Failure::HeartbeatTimeout) => DisconnectReason::HeartbeatTimeout,
            Cause::Protocol(Failure::Violation(violation)) if is_limit(violation) => {
                DisconnectReason::LimitExceeded
            }
            Cause::Protocol(failure) => match dismissed_by_peer(failure) {
                Some(why) => why.reason(),
                None => DisconnectReason::Protocol(fault(failure)),
            },
            Cause::Layer(LayerFault::WebSocket) => DisconnectReason::Protocol(ProtocolFault::WsUnspecified),
            Cause::Layer(LayerFault::Proxy) => DisconnectReason::Io(libc::EHOSTUNREACH),
            Cause::Layer(_) => DisconnectReason::Io(libc::EPROTO),
            Cause::SharedMemory => DisconnectReason::Protocol(ProtocolFault::ZmtpUnspecified),
            Cause::Crowded => DisconnectReason::LimitExceeded,
            Cause::Local => session.dismissal.reason(),
        };
        session.emit(Event::Disconnected {
            fd: session.raw_fd(),
            reason,
        });
    }
}

/// The peer's bytes follow the grammar, but there are too many of them.
fn is_limit(violation: &Violation) -> bool {
    matches!(
        violation,
        Violation::FrameTooLarge { .. }
            | Violation::MessageTooLarge { .. }
            | Violation::TooManyParts { .. }
            | Violation::CommandTooLarge { .. }
            | Violation::Backlog { .. }
    )
}

/// libzmq's number for what the peer did.
fn fault(failure: &Failure) -> ProtocolFault {
    if let Failure::Incompatible { .. } = failure {
        // Under NULL libzmq names no cause; this is the one that it names under the other mechanisms.
        return ProtocolFault::ZmtpInvalidMetadata;
    }
    let code = failure.protocol_code().unwrap_or(0);
    ProtocolFault::from_code(code).unwrap_or(ProtocolFault::ZmtpUnspecified)
}
