//! How two peers on one machine move their messages from the connection to shared memory.
//!
//! Each announces in READY that it can. After the handshake, and before the first message, both take the same steps, in
//! commands that other peers would ignore:
//!
//! 1. *offer*: the high-water marks, a segment of its own, and the end of a pipe to ring it by, which pass as descriptors; or
//!    *nothing to offer*.
//! 2. *mapped* or *refused*: what came of the other side's offer.
//!
//! With *mapped* on both sides messages go by the rings from then on; in all other cases they go by the connection. What a
//! connecting application queued before is still sent by the connection, and the step
//!
//! 3. *switched* says that everything behind it lies in the ring.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Instant,
};

use ringmq_io::{Fd, Interest, recv_with_descriptors, send_with_descriptors};
use ringmq_message::{OriginId, Slab};
use ringmq_queue::sync::{AtomicUsize, Ordering};
use ringmq_shm::{Bell, PeerSegment, Ringer, Segment, join};

use super::{
    Command, Op, Worker,
    session::{Cause, Phase, Session},
    token,
};
use crate::{
    inbound::Mark,
    limits,
    link::lock,
    options::{Options, Overflow},
    pipe::{Rings, shared_mark},
    spill::Moved,
};

/// The property of READY that announces shared memory, and the version of everything here.
pub(super) const PROPERTY: (&[u8], &[u8]) = (b"X-Shm", b"1");

/// The command that carries the steps.
pub(crate) const UPGRADE_COMMAND: &[u8] = b"X-SHM";

const OFFER: u8 = 1;
const NOTHING_TO_OFFER: u8 = 2;
const MAPPED: u8 = 3;
const REFUSED: u8 = 4;
const SWITCHED: u8 = 5;

/// One of the shared connections that a context may have.
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// `None` if they are all taken.
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let permit = Self(count.clone());
        // Relaxed: nothing but the number of permits depends on it.
        (count.fetch_add(1, Ordering::Relaxed) < limits::SHARED_MAX).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What has been agreed on so far.
#[derive(Default)]
pub(super) struct Upgrade {
    ours: Option<Offer>,
    theirs: Option<Theirs>,
    /// Descriptors that came with what was received.
    pub(super) descriptors: Vec<OwnedFd>,
    have_offered: bool,
    have_answered: bool,
    peer_has_offered: bool,
    /// What the peer says of our offer.
    peer_has_mapped: Option<bool>,
}

struct Offer {
    segment: Segment,
    bell: Bell,
    bell_for_peer: OwnedFd,
    permit: Permit,
}

struct Theirs {
    segment: PeerSegment,
    ringer: Ringer,
    send_hwm: u64,
    receive_hwm: u64,
}

impl Offer {
    fn new(options: &Options, permit: Permit) -> io::Result<Self> {
        let len = options.shm_segment_len as usize;
        let len = len.clamp(limits::SEGMENT_LEN_MIN, limits::SEGMENT_LEN_MAX);
        let segment = Segment::create(len.next_power_of_two())?;
        let (bell, bell_for_peer) = Bell::new()?;
        Ok(Self {
            segment,
            bell,
            bell_for_peer,
            permit,
        })
    }
}

impl Theirs {
    /// Maps what the peer offers. `None` if it offers nothing, or nothing that can be used.
    fn open(step: &[u8], descriptors: Vec<OwnedFd>) -> Option<Self> {
        let marks = step.strip_prefix(&[OFFER])?.first_chunk::<8>()?;
        let marks = u64::from_be_bytes(*marks);
        let [segment, bell] = <[OwnedFd; 2]>::try_from(descriptors).ok()?;
        Some(Self {
            segment: PeerSegment::open(segment, limits::SEGMENT_LEN_MAX).ok()?,
            ringer: Ringer::from_peer(bell).ok()?,
            send_hwm: marks >> 32,
            receive_hwm: marks & u64::from(u32::MAX),
        })
    }
}

/// Sends what we offer, which may be nothing.
fn send_offer(session: &mut Session) -> io::Result<()> {
    let (Some(fd), Some(upgrade)) = (&session.fd, &session.upgrade) else {
        return Ok(());
    };
    let mut side = lock(&session.link.receive.side);
    let Some(connection) = &mut side.connection else {
        return Ok(());
    };
    let mut step = vec![if upgrade.ours.is_some() {
        OFFER
    } else {
        NOTHING_TO_OFFER
    }];
    step.extend(session.options.send_hwm.to_be_bytes());
    step.extend(session.options.receive_hwm.to_be_bytes());
    connection.queue_extension(UPGRADE_COMMAND, &step);
    let bytes = connection.transmit();
    let descriptors: Vec<_> = upgrade
        .ours
        .iter()
        .flat_map(|ours| [ours.segment.fd(), ours.bell_for_peer.as_fd()])
        .collect();
    let sent = send_with_descriptors(fd, bytes, &descriptors)?;
    if sent != bytes.len() {
        // Not with an empty socket and a hundred bytes; what follows would be out of step.
        return Err(io::ErrorKind::WriteZero.into());
    }
    connection.transmitted(sent);
    Ok(())
}

impl Session {
    /// Whether this side offers to share memory on the connection.
    pub(super) fn offers_upgrade(&self) -> bool {
        // What lies in the peer's reach cannot be replaced or dropped any more.
        let takes_back = self.options.conflate || self.options.overflow == Overflow::DropOldest;
        let suits = !takes_back && !self.socket.is_raw(&self.options) && !self.socket.traits.concurrent;
        self.is_local && suits && self.options.shm_segment_len > 0
    }

    /// Descriptors may come with what is received now.
    pub(super) fn takes_descriptors(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Receives on the worker's own account, because only that way descriptors arrive.
    pub(super) fn recv_with_descriptors(&mut self, fd: &Fd, buffer: &mut Slab) -> io::Result<usize> {
        let mut bytes = [0; limits::HANDSHAKE_READ_LEN];
        let room = buffer.spare_len().min(bytes.len());
        let Some(upgrade) = &mut self.upgrade else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let count = recv_with_descriptors(fd, &mut bytes[..room], &mut upgrade.descriptors)?;
        if upgrade.descriptors.len() > ringmq_io::DESCRIPTORS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

impl Worker {
    /// The handshake is complete. True if both sides announced shared memory, so that messages have to wait for what comes
    /// of that.
    pub(super) fn begin_upgrade(&mut self, slot: u32) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else {
            return false;
        };
        let (name, version) = PROPERTY;
        let peer_can = {
            let side = lock(&session.link.receive.side);
            let peer = side.connection.as_ref().and_then(|connection| connection.peer());
            peer.is_some_and(|peer| peer.property(name) == Some(version))
        };
        let Some(upgrade) = session.upgrade.as_mut().filter(|_| peer_can) else {
            session.upgrade = None;
            return false;
        };
        // What the system refuses is no reason not to go on without.
        let permit = Permit::take(&self.pool.shared);
        upgrade.ours = permit.and_then(|permit| Offer::new(&session.options, permit).ok());
        session.phase = Phase::Upgrading;
        let limit = session.options.handshake_interval;
        session.phase_deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        true
    }

    /// A step of the peer. What comes at the wrong time is an unknown command, and ignored.
    pub(super) fn upgrade_step(&mut self, slot: u32, step: &[u8]) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        match (step.first(), &mut session.upgrade) {
            (Some(&SWITCHED), None) if session.is_upgraded => {
                lock(&session.link.receive.side).mark(Mark::Ring);
                return;
            }
            (Some(&(OFFER | NOTHING_TO_OFFER)), Some(upgrade)) if !upgrade.peer_has_offered => {
                upgrade.peer_has_offered = true;
                upgrade.theirs = Theirs::open(step, std::mem::take(&mut upgrade.descriptors));
            }
            (Some(&(MAPPED | REFUSED)), Some(upgrade)) if upgrade.have_offered => {
                upgrade.peer_has_mapped = Some(step[0] == MAPPED);
            }
            _ => return,
        }
        self.advance_upgrade(slot);
    }

    /// Takes those steps of ours whose time has come.
    pub(super) fn advance_upgrade(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(upgrade) = session
            .upgrade
            .as_mut()
            .filter(|_| session.phase == Phase::Upgrading)
        else {
            return;
        };
        // The offer's descriptors go with its bytes, by a call of their own, so whatever precedes it has to be out.
        if !upgrade.have_offered && !session.link.transmit.has_control() {
            upgrade.have_offered = true;
            if let Err(error) = send_offer(session) {
                self.end(slot, Cause::Io(error));
                return;
            }
        }
        let Some(Session {
            upgrade: Some(upgrade),
            link,
            ..
        }) = self.sessions.get_mut(slot)
        else {
            return;
        };
        if upgrade.have_offered && upgrade.peer_has_offered && !upgrade.have_answered {
            upgrade.have_answered = true;
            let answer = if upgrade.theirs.is_some() && upgrade.ours.is_some() {
                MAPPED
            } else {
                REFUSED
            };
            if let Some(connection) = &mut lock(&link.receive.side).connection {
                connection.queue_extension(UPGRADE_COMMAND, &[answer]);
            }
        }
        let is_settled = upgrade.have_answered && upgrade.peer_has_mapped.is_some();
        self.pump_control(slot);
        if is_settled {
            self.settle_upgrade(slot);
        }
    }

    /// Both sides know where the messages go.
    fn settle_upgrade(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.phase_deadline = None;
        let Some(upgrade) = session.upgrade.take() else {
            return;
        };
        let (Some(ours), Some(theirs), Some(true)) = (upgrade.ours, upgrade.theirs, upgrade.peer_has_mapped)
        else {
            self.establish(slot, None);
            return;
        };
        let (sender, mut receiver) = join(ours.segment, theirs.segment, theirs.ringer);
        // At half of the mark, as in libzmq, a peer that waits may go on.
        let mark = shared_mark(theirs.send_hwm, u64::from(session.options.receive_hwm));
        if mark > 0 {
            receiver.release_every(mark / 2);
        }
        session.is_upgraded = true;
        let bell = Arc::new(ours.bell);
        session.bell = Some(bell.clone());
        let rings = Rings {
            sender,
            receiver,
            bell,
            peer_hwm: theirs.receive_hwm,
            part_len_max: session.options.max_message_size.unwrap_or(u64::MAX),
            trusting: session.options.shm_trust_peers,
            permit: ours.permit,
            // The connection gets its number when it is established.
            origin: OriginId::NONE,
        };
        self.establish(slot, Some(rings));
    }

    /// The application writes to the ring from now on. The peer is told behind the last message on the connection.
    pub(super) fn switched(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.owes_switch = session.is_upgraded;
        session.link.transmit.hand_over();
        self.list_for_sending(slot);
        self.pay_switch(slot);
    }

    /// Tells the peer of the switch, once everything before it is out.
    pub(super) fn pay_switch(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if !session.owes_switch || session.phase != Phase::Established || !session.link.transmit.is_drained()
        {
            return;
        }
        session.owes_switch = false;
        if let Some(connection) = &mut lock(&session.link.receive.side).connection {
            connection.queue_extension(UPGRADE_COMMAND, &[SWITCHED]);
        }
        self.pump_control(slot);
    }

    /// Moves messages that found no room in the ring, and if some are left has the peer's bell wake this worker.
    pub(super) fn move_spilled(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        if !session.is_upgraded || session.phase != Phase::Established {
            return;
        }
        let link = session.link.clone();
        let mut moved = link.spill.advance();
        if moved == Moved::Nothing {
            // Either the peer sees what it is asked for, or the second look sees what it has done.
            moved = match ringmq_shm::heavy_fence() {
                Ok(()) => link.spill.advance(),
                Err(_) => Moved::Broken,
            };
        }
        match moved {
            Moved::Broken => self.end(slot, Cause::SharedMemory),
            Moved::Nothing => self.await_bell(slot),
            // The peer keeps up: again, after the others have had their turn.
            Moved::Some => self.shared.push(Command::Spilled(link)),
            Moved::All | Moved::Elsewhere => {
                // The application may wait for this, or the last messages of a closed socket have gone.
                session.link.notify_writable();
                self.finish_if_drained(slot);
            }
        }
    }

    fn await_bell(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        let Some(bell) = session.bell.as_ref().filter(|_| !session.bell_polled) else {
            return;
        };
        // The driver wants a descriptor of its own. Without one the application moves what is left with its next call.
        if let Ok(fd) = bell.fd().try_clone_to_owned() {
            session.bell_polled = true;
            session.ops += 1;
            let fd = Arc::new(Fd::from(fd));
            self.driver.poll(token(slot, Op::Bell), &fd, Interest::Readable);
        }
    }

    /// The peer has rung, or the poll was cancelled.
    pub(super) fn bell_rang(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot) else {
            return;
        };
        session.bell_polled = false;
        if session.phase == Phase::Ending {
            return;
        }
        // It may have been meant for the application, which sees no edge once the pipe is empty.
        if let Some(bell) = &session.bell {
            bell.drain();
        }
        session.link.notify_readable();
        session.link.notify_writable();
        self.move_spilled(slot);
    }
}
