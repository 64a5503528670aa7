//! The contract of [`Driver`](crate::Driver) over io_uring.

use crate::{
    completion::{Completion, Interest, Token},
    fd::Fd,
    ops::{Key, Op, Ops, SendWork, Work},
    ring::{BELL, Ring},
    slices::{self, Position},
    waker::Waker,
};
use io_uring::{cqueue, opcode, squeue, types};
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{io, mem, os::fd::AsRawFd, sync::Arc, time::Duration};

/// The most that one receive or send asks for; the kernel cuts longer ones to about this itself.
const MAX_BYTES: usize = 1 << 30;

/// How often one wait enters the kernel again for what is ready beside what the first time brought, which is some twenty
/// completions. As many as epoll brings at a time are enough: each may become a receive, which holds a buffer.
const MORE_ENTERS: u32 = 3;

/// How often a dropped driver enters the kernel to see its operations end.
const DROP_ENTERS: u32 = 100;

/// How long each of these entries waits.
const DROP_WAIT: Duration = Duration::from_millis(10);

/// Operations in flight on a ring.
pub(crate) struct UringDriver<B: StableBytes, S: StableBytesMut> {
    ring: Option<Ring>,
    ops: Ops<B, S>,
    /// Completions that did not come through the ring.
    ready: Vec<Completion<B, S>>,
    reaped: Vec<cqueue::Entry>,
    waker: Waker,
    bell_is_watched: bool,
    /// Added to `MSG_WAITALL`, to play an old kernel that does not wait for room itself.
    #[cfg(test)]
    pub(crate) extra_send_flags: i32,
}

impl<B: StableBytes, S: StableBytesMut> UringDriver<B, S> {
    /// `bell_is_watched` tells of a ring that has served before whether it polls the bell of `waker`.
    pub(crate) fn new(ring: Ring, waker: Waker, bell_is_watched: bool) -> Self {
        Self {
            ring: Some(ring),
            ops: Ops::new(),
            ready: Vec::new(),
            reaped: Vec::new(),
            waker,
            bell_is_watched,
            #[cfg(test)]
            extra_send_flags: 0,
        }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.ops.len() + self.ready.len()
    }

    /// Gives back the ring, with nothing in flight on it, and whether it polls the bell.
    pub(crate) fn into_ring(mut self) -> (Ring, bool) {
        assert_eq!(
            self.ops.len(),
            0,
            "operations in flight own what the ring may touch"
        );
        let ring = self.ring.take().expect("the ring is there until here or drop");
        (ring, self.bell_is_watched)
    }

    pub(crate) fn ring(&mut self) -> &mut Ring {
        self.ring.as_mut().expect("the ring is there until drop")
    }

    pub(crate) fn enters(&self) -> u64 {
        self.ring.as_ref().map_or(0, Ring::enters)
    }

    pub(crate) fn poll(&mut self, token: Token, fd: &Arc<Fd>, interest: Interest) {
        let key = self.ops.insert(token, fd, Work::Poll(interest));
        self.start(key);
    }

    pub(crate) fn recv(&mut self, token: Token, fd: &Arc<Fd>, mut buffer: S) {
        let (_, room) = buffer.spare_bytes();
        assert!(
            room > 0,
            "a receive without room could not be told from the end of the stream"
        );
        let room = room.min(MAX_BYTES);
        let key = self.ops.insert(token, fd, Work::Recv { buffer, room });
        self.start(key);
    }

    pub(crate) fn send(&mut self, token: Token, fd: &Arc<Fd>, batch: Vec<B>) {
        let mut position = Position::default();
        position.advance(&batch, 0);
        if position.is_done(&batch) {
            let result = Ok(0);
            self.ready.push(Completion::Sent { token, batch, result });
            return;
        }
        let work = self.ops.send_work(batch, position);
        let key = self.ops.insert(token, fd, Work::Send(work));
        self.start(key);
    }

    pub(crate) fn cancel(&mut self, token: Token) {
        let Some(key) = self.ops.find(token) else {
            return;
        };
        self.ops.at(key.index).cancel_asked = true;
        self.ring().push_cancel(key.to_bits());
    }

    /// Pushes the entry for (what is left of) an operation.
    fn start(&mut self, key: Key) {
        #[cfg(test)]
        let extra_send_flags = self.extra_send_flags;
        #[cfg(not(test))]
        let extra_send_flags = 0;
        let entry = entry(self.ops.at(key.index), extra_send_flags).user_data(key.to_bits());
        // SAFETY: the bytes that the entry names belong to a buffer or batch whose contract keeps them where they are.
        // It lies in the slab, as does the boxed message header, until `complete` has seen the final completion of this
        // key; when a driver is dropped before that, the slab is leaked.
        unsafe { self.ring().push(entry) };
    }

    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        out: &mut Vec<Completion<B, S>>,
    ) -> io::Result<()> {
        self.watch_bell();
        let sleeps =
            timeout != Some(Duration::ZERO) && self.ready.is_empty() && !self.waker.word().is_notified();
        if sleeps && !self.waker.word().is_prepared() {
            self.waker.word().prepare();
        }
        let result = self.ring().enter(u32::from(sleeps), timeout);
        self.waker.word().awake();
        out.append(&mut self.ready);
        self.collect(out);
        // More of what is ready, so that a round of the caller's does not serve a few of many.
        for _ in 0..MORE_ENTERS {
            if result.is_err() || !self.ring().has_put_off() {
                break;
            }
            self.ring().enter(0, Some(Duration::ZERO))?;
            self.collect(out);
        }
        result
    }

    /// Keeps a multishot poll on the waker's bell. The counter is never read: every ring wakes the poll anew.
    fn watch_bell(&mut self) {
        if self.bell_is_watched {
            return;
        }
        let bell = types::Fd(self.waker.bell());
        let entry = opcode::PollAdd::new(bell, libc::POLLIN as u32)
            .multi(true)
            .build()
            .user_data(BELL);
        // SAFETY: a poll names no memory.
        unsafe { self.ring().push(entry) };
        self.bell_is_watched = true;
    }

    /// Turns what the kernel has completed into completions.
    fn collect(&mut self, out: &mut Vec<Completion<B, S>>) {
        let mut reaped = mem::take(&mut self.reaped);
        self.ring().reap(&mut reaped);
        for entry in reaped.drain(..) {
            if entry.user_data() == BELL {
                self.bell_is_watched = cqueue::more(entry.flags());
            } else {
                out.extend(self.complete(&entry));
            }
        }
        self.reaped = reaped;
    }

    /// Finishes the operation that a CQE is for, or sends it in again for the rest of its work.
    fn complete(&mut self, cqe: &cqueue::Entry) -> Option<Completion<B, S>> {
        // Requests to cancel, and whatever comes late, match no operation.
        let key = Key::from_bits(cqe.user_data());
        let op = self.ops.get_mut(key)?;
        let result = match cqe.result() {
            count @ 0.. => Ok(count as usize),
            error => Err(io::Error::from_raw_os_error(-error)),
        };
        let result = match &mut op.work {
            Work::Send(work) => match after_send(work, result, op.cancel_asked) {
                Some(result) => result,
                None => {
                    self.start(key);
                    return None;
                }
            },
            Work::Poll(_) | Work::Recv { .. } => result,
        };
        let op = self.ops.remove(key.index);
        Some(self.finish(op, result, cqe.flags()))
    }

    fn finish(&mut self, op: Op<B, S>, result: io::Result<usize>, flags: u32) -> Completion<B, S> {
        let token = op.token;
        match op.work {
            Work::Poll(_) => match result {
                Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => {
                    Completion::Cancelled { token }
                }
                // Whatever else went wrong, the next call on the descriptor tells.
                _ => Completion::Ready { token },
            },
            Work::Recv { mut buffer, room } => {
                let count = *result.as_ref().unwrap_or(&0);
                assert!(
                    count <= room,
                    "the kernel received more than it was given room for"
                );
                // SAFETY: the kernel has written `count` bytes, at most the room that `spare_bytes` had returned.
                unsafe { buffer.advance(count) };
                let more_likely = count > 0 && (count == room || cqueue::sock_nonempty(flags));
                Completion::Received {
                    token,
                    buffer,
                    result,
                    more_likely,
                }
            }
            Work::Send(work) => self.ops.finish_send(token, work, result),
        }
    }

    /// Asks for the end of everything and waits for it. Returns whether nothing is left with the kernel.
    pub(crate) fn quiesce(&mut self) -> bool {
        self.ring().push_cancel_all();
        let mut out = Vec::new();
        for _ in 0..DROP_ENTERS {
            if self.ops.len() == 0 {
                return true;
            }
            // Short sends must not be continued.
            self.ops.for_each(|op| op.cancel_asked = true);
            if self.ring().enter(1, Some(DROP_WAIT)).is_err() {
                return false;
            }
            self.collect(&mut out);
        }
        self.ops.len() == 0
    }
}

impl<B: StableBytes, S: StableBytesMut> Drop for UringDriver<B, S> {
    fn drop(&mut self) {
        if self.ops.len() == 0 || self.quiesce() || self.ring().is_untouched() {
            return;
        }
        // The kernel may still write to these buffers. Closing the ring ends the operations, but not at once, and there
        // is no way to learn when: what they may touch is never freed.
        mem::forget(mem::replace(&mut self.ops, Ops::new()));
    }
}

/// The entry for (what is left of) an operation.
fn entry<B: StableBytes, S: StableBytesMut>(op: &mut Op<B, S>, extra_send_flags: i32) -> squeue::Entry {
    let fd = types::Fd(op.fd.as_raw_fd());
    match &mut op.work {
        Work::Poll(interest) => opcode::PollAdd::new(fd, mask(*interest)).build(),
        Work::Recv { buffer, room } => {
            let (start, _) = buffer.spare_bytes();
            opcode::Recv::new(fd, start, *room as u32)
                .flags(libc::MSG_DONTWAIT)
                .build()
        }
        Work::Send(work) if work.waits_for_room => opcode::PollAdd::new(fd, mask(Interest::Writable)).build(),
        Work::Send(work) => {
            let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL | extra_send_flags;
            match slices::last_slice(&work.batch, &work.position) {
                Some((start, len)) => opcode::Send::new(fd, start, len.min(MAX_BYTES) as u32)
                    .flags(flags)
                    .build(),
                None => {
                    let rest = &work.batch[work.position.slice..];
                    let header = work.slices.point_at(rest, work.position.skip);
                    opcode::SendMsg::new(fd, header).flags(flags as u32).build()
                }
            }
        }
    }
}

/// What `poll(2)` calls an interest.
fn mask(interest: Interest) -> u32 {
    let events = match interest {
        Interest::Readable => libc::POLLIN | libc::POLLRDHUP,
        Interest::Writable => libc::POLLOUT,
    };
    events as u32
}

/// Accounts for what the kernel says of a send; the result of the whole, or `None` if it goes on.
///
/// A send can end short in spite of `MSG_WAITALL`: the batch has more slices than one call takes, or it met an error
/// on the way, which the next attempt brings to light.
fn after_send<B: StableBytes>(
    work: &mut SendWork<B>,
    result: io::Result<usize>,
    cancel_asked: bool,
) -> Option<io::Result<usize>> {
    let waited = mem::take(&mut work.waits_for_room);
    match result {
        // The poll for room has finished; its result is a mask of events.
        Ok(_) if waited => {}
        Ok(0) => return Some(work.result_after(io::ErrorKind::WriteZero.into())),
        Ok(count) => {
            work.position.advance(&work.batch, count);
            if work.position.is_done(&work.batch) {
                return Some(Ok(work.position.sent));
            }
        }
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN) => work.waits_for_room = true,
            Some(libc::EINTR) => {}
            _ => return Some(work.result_after(error)),
        },
    }
    if cancel_asked {
        return Some(work.result_after(io::Error::from_raw_os_error(libc::ECANCELED)));
    }
    None
}
