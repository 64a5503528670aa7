//! The contract of [`Driver`](crate::Driver) over epoll: readiness turned into completions.
//!
//! Receives and the first attempt of every send are made when they are prepared; what then has to wait for a descriptor
//! is chained to it. Descriptors are armed one-shot, so that a poll that was not asked for is not reported.

use crate::{
    completion::{Completion, Interest, Token},
    fd::Fd,
    ops::{NONE, Ops, SendWork, Work},
    slices::{self, Position},
    sys,
    waker::Waker,
};
use ringmq_queue::stable::{StableBytes, StableBytesMut};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::Arc,
    time::Duration,
};

/// Events taken per kernel entry. More wait for their turn in the kernel, which is fair about it. Few, because each may become
/// a receive that holds a buffer until the next entry.
const EVENTS: usize = 64;

/// Event data of the waker's bell; descriptors are named by their number.
const BELL: u64 = u64::MAX;

const READ_EVENTS: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP) as u32;
const WRITE_EVENTS: u32 = libc::EPOLLOUT as u32;
/// Reported whether asked for or not; everybody who waits has to know.
const BROKEN_EVENTS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

/// What the driver knows of a descriptor number.
#[derive(Clone, Copy)]
struct Watch {
    /// First of the chain of operations that wait for it.
    first: u32,
    /// Events that the kernel will report, once.
    armed: u32,
    /// Whether it has probably been added before; the kernel knows for certain.
    added: bool,
}

const UNWATCHED: Watch = Watch {
    first: NONE,
    armed: 0,
    added: false,
};

/// Operations in flight on an epoll instance.
pub(crate) struct EpollDriver<B: StableBytes, S: StableBytesMut> {
    epoll: OwnedFd,
    ops: Ops<B, S>,
    /// By descriptor number, of which the kernel always gives out the lowest.
    watches: Vec<Watch>,
    events: Vec<libc::epoll_event>,
    ready: Vec<Completion<B, S>>,
    waker: Waker,
    enters: u64,
}

impl<B: StableBytes, S: StableBytesMut> EpollDriver<B, S> {
    pub(crate) fn new(waker: Waker) -> io::Result<Self> {
        let epoll = sys::epoll_create()?;
        // Edge-triggered, so that the counter need not be read: every ring is an edge.
        let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
        sys::epoll_control(&epoll, libc::EPOLL_CTL_ADD, waker.bell(), events, BELL)?;
        Ok(Self {
            epoll,
            ops: Ops::new(),
            watches: Vec::new(),
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
            ready: Vec::new(),
            waker,
            enters: 0,
        })
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.ops.len() + self.ready.len()
    }

    pub(crate) fn enters(&self) -> u64 {
        self.enters
    }

    pub(crate) fn poll(&mut self, token: Token, fd: &Arc<Fd>, interest: Interest) {
        let key = self.ops.insert(token, fd, Work::Poll(interest));
        self.enlist(key.index);
    }

    pub(crate) fn recv(&mut self, token: Token, fd: &Arc<Fd>, mut buffer: S) {
        let (_, room) = buffer.spare_bytes();
        assert!(
            room > 0,
            "a receive without room could not be told from the end of the stream"
        );
        self.enters += 1;
        let result = sys::recv_now(fd, &mut buffer);
        let more_likely = matches!(result, Ok(count) if count == room);
        self.ready.push(Completion::Received {
            token,
            buffer,
            result,
            more_likely,
        });
    }

    pub(crate) fn send(&mut self, token: Token, fd: &Arc<Fd>, batch: Vec<B>) {
        let mut position = Position::default();
        position.advance(&batch, 0);
        let mut work = self.ops.send_work(batch, position);
        match attempt(&mut self.enters, fd, &mut work) {
            Some(result) => {
                let completion = self.ops.finish_send(token, work, result);
                self.ready.push(completion);
            }
            None => {
                let key = self.ops.insert(token, fd, Work::Send(work));
                self.enlist(key.index);
            }
        }
    }

    pub(crate) fn cancel(&mut self, token: Token) {
        let Some(key) = self.ops.find(token) else {
            return;
        };
        let number = self.ops.at(key.index).fd.as_raw_fd();
        self.delist(number, key.index);
        self.rearm(number);
        self.finish(key.index, Err(io::Error::from_raw_os_error(libc::ECANCELED)));
    }

    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        out: &mut Vec<Completion<B, S>>,
    ) -> io::Result<()> {
        let word = self.waker.word();
        let sleeps = timeout != Some(Duration::ZERO) && self.ready.is_empty() && !word.is_notified();
        if sleeps && !word.is_prepared() {
            word.prepare();
        }
        let timeout = if sleeps { timeout } else { Some(Duration::ZERO) };
        self.enters += 1;
        let result = sys::epoll_wait(&self.epoll, &mut self.events, timeout);
        self.waker.word().awake();
        let result = match result {
            Ok(count) => {
                self.fire_all(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        };
        out.append(&mut self.ready);
        result
    }

    fn fire_all(&mut self, count: usize) {
        for place in 0..count {
            let libc::epoll_event { events, u64: data } = self.events[place];
            if data == BELL {
                continue;
            }
            let number = data as RawFd;
            // One-shot: the kernel has disarmed it.
            self.watch(number).armed = 0;
            self.fire(number, events);
            self.rearm(number);
        }
    }

    /// Lets everybody who waits for `events` of a descriptor go on.
    fn fire(&mut self, number: RawFd, events: u32) {
        let mut index = self.watch(number).first;
        while index != NONE {
            let op = self.ops.at(index);
            let next = op.next;
            if events & (wanted(&op.work) | BROKEN_EVENTS) != 0 {
                let outcome = match &mut op.work {
                    Work::Send(work) => attempt(&mut self.enters, &op.fd, work),
                    Work::Poll(_) | Work::Recv { .. } => Some(Ok(0)),
                };
                if let Some(result) = outcome {
                    self.delist(number, index);
                    self.finish(index, result);
                }
            }
            index = next;
        }
    }

    /// Takes an operation, which waits for nothing any more, out of flight.
    fn finish(&mut self, index: u32, result: io::Result<usize>) {
        let op = self.ops.remove(index);
        let token = op.token;
        let completion = match op.work {
            Work::Poll(_) => match result {
                Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => {
                    Completion::Cancelled { token }
                }
                // Whatever else went wrong, the next call on the descriptor tells.
                _ => Completion::Ready { token },
            },
            Work::Recv { buffer, .. } => Completion::Received {
                token,
                buffer,
                result,
                more_likely: false,
            },
            Work::Send(work) => {
                let result = result.or_else(|error| work.result_after(error));
                self.ops.finish_send(token, work, result)
            }
        };
        self.ready.push(completion);
    }

    fn watch(&mut self, number: RawFd) -> &mut Watch {
        let place = usize::try_from(number).expect("an open descriptor has a number");
        if place >= self.watches.len() {
            self.watches.resize(place + 1, UNWATCHED);
        }
        &mut self.watches[place]
    }

    /// Chains an operation to the descriptor that it waits for.
    fn enlist(&mut self, index: u32) {
        let number = self.ops.at(index).fd.as_raw_fd();
        let watch = self.watch(number);
        let armed = watch.armed;
        let first = std::mem::replace(&mut watch.first, index);
        let op = self.ops.at(index);
        op.next = first;
        if wanted(&op.work) & !armed != 0 {
            self.rearm(number);
        }
    }

    /// Unchains an operation.
    fn delist(&mut self, number: RawFd, index: u32) {
        let next = self.ops.at(index).next;
        if self.watch(number).first == index {
            self.watch(number).first = next;
            return;
        }
        let mut before = self.watch(number).first;
        while self.ops.at(before).next != index {
            before = self.ops.at(before).next;
        }
        self.ops.at(before).next = next;
    }

    /// Makes the kernel report what the operations chained to a descriptor wait for.
    fn rearm(&mut self, number: RawFd) {
        let mut events = 0;
        let mut index = self.watch(number).first;
        while index != NONE {
            let op = self.ops.at(index);
            events |= wanted(&op.work);
            index = op.next;
        }
        let Watch { armed, added, .. } = *self.watch(number);
        if events & !armed == 0 && (events != 0 || armed == 0) {
            return;
        }
        self.enters += 1;
        let result = if events == 0 {
            sys::epoll_control(&self.epoll, libc::EPOLL_CTL_DEL, number, 0, 0)
        } else {
            arm(&self.epoll, number, events, added)
        };
        let watch = self.watch(number);
        watch.armed = events;
        watch.added = events != 0;
        if let Err(error) = result {
            self.watch(number).armed = 0;
            self.fail_all(number, &error);
        }
    }

    /// Ends whatever waits for a descriptor that the kernel will not report on.
    fn fail_all(&mut self, number: RawFd, error: &io::Error) {
        let mut index = std::mem::replace(&mut self.watch(number).first, NONE);
        while index != NONE {
            let next = self.ops.at(index).next;
            let error = error.raw_os_error().unwrap_or(libc::EIO);
            self.finish(index, Err(io::Error::from_raw_os_error(error)));
            index = next;
        }
    }
}

/// Sends until all is sent (or nothing more can be): the result; or until there is no room: `None`.
fn attempt<B: StableBytes>(enters: &mut u64, fd: &Fd, work: &mut SendWork<B>) -> Option<io::Result<usize>> {
    while !work.position.is_done(&work.batch) {
        *enters += 1;
        let result = match slices::last_slice(&work.batch, &work.position) {
            // SAFETY: it is (the rest of) a slice of the batch, which is borrowed.
            Some((start, len)) => unsafe { sys::send_one(fd, start, len) },
            None => {
                let rest = &work.batch[work.position.slice..];
                let header = work.slices.point_at(rest, work.position.skip);
                // SAFETY: header and array belong to `work`, whose batch they point into.
                unsafe { sys::send_header(fd, header) }
            }
        };
        match result {
            Ok(count) => work.position.advance(&work.batch, count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) => return Some(work.result_after(error)),
        }
    }
    Some(Ok(work.position.sent))
}

/// The events that let an operation go on.
fn wanted<B, S>(work: &Work<B, S>) -> u32 {
    match work {
        Work::Poll(Interest::Readable) | Work::Recv { .. } => READ_EVENTS,
        Work::Poll(Interest::Writable) | Work::Send(_) => WRITE_EVENTS,
    }
}

/// Has `events` of a descriptor reported once.
///
/// The kernel forgets a descriptor when it is closed, and the number may come back with another file behind it, so
/// `added` is only the better guess.
fn arm(epoll: &OwnedFd, number: RawFd, events: u32, added: bool) -> io::Result<()> {
    let events = events | libc::EPOLLONESHOT as u32;
    let (first, second, wrong_guess) = if added {
        (libc::EPOLL_CTL_MOD, libc::EPOLL_CTL_ADD, libc::ENOENT)
    } else {
        (libc::EPOLL_CTL_ADD, libc::EPOLL_CTL_MOD, libc::EEXIST)
    };
    let data = number as u64;
    match sys::epoll_control(epoll, first, number, events, data) {
        Err(error) if error.raw_os_error() == Some(wrong_guess) => {
            sys::epoll_control(epoll, second, number, events, data)
        }
        other => other,
    }
}
