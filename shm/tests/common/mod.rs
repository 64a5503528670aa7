//! Connections within a process and to a child, and what tests do with them.
#![allow(dead_code, reason = "each test program uses a part")]

use std::{
    io::{IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, Stdio},
};

use nix::{
    cmsg_space,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
    },
};
use ringmq_shm::{
    Bell, Body, Lent, PeerSegment, Receiver, Ringer, Segment, Sender, SharedBytes, Violation, heavy_fence,
    join,
};

/// One side of a connection.
pub struct Side {
    pub sender: Sender,
    pub receiver: Receiver,
    pub bell: Bell,
    epoll: Epoll,
    /// How often it has slept.
    pub sleeps: u64,
    /// The peer is gone. The bell has said so once, and does not ring again.
    is_alone: bool,
}

impl Side {
    pub fn new(ends: (Sender, Receiver), bell: Bell) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
        epoll.add(bell.fd(), event).unwrap();
        Self {
            sender: ends.0,
            receiver: ends.1,
            bell,
            epoll,
            sleeps: 0,
            is_alone: false,
        }
    }

    /// Sleeps until the bell rings, without a limit. False if the peer is gone.
    pub fn sleep(&mut self) -> bool {
        if self.is_alone {
            return false;
        }
        self.sleeps += 1;
        let mut events = [EpollEvent::empty()];
        while self.epoll.wait(&mut events, EpollTimeout::NONE) == Err(nix::Error::EINTR) {}
        self.is_alone = !self.bell.drain();
        !self.is_alone
    }

    /// Sleeps until there is a record. False if the peer is gone and there is none.
    pub fn wait_for_data(&mut self) -> bool {
        while !self.receiver.has_data() {
            self.receiver.release();
            self.receiver.arm();
            heavy_fence().unwrap();
            let is_there = self.receiver.has_data() || self.sleep() || self.receiver.has_data();
            self.receiver.disarm();
            if !is_there {
                return false;
            }
        }
        true
    }

    /// Sleeps until there is room for `len` bytes. False if the peer is gone.
    pub fn wait_for_room(&mut self, len: usize) -> bool {
        while !self.sender.has_room(len).unwrap() {
            self.sender.ask_for_room(0, len).unwrap();
            heavy_fence().unwrap();
            let goes_on = self.sender.has_room(len).unwrap() || self.sleep();
            self.sender.stop_asking();
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Sleeps until the peer has taken so many messages. False if it is gone.
    pub fn wait_until_taken(&mut self, taken: u64) -> bool {
        while self.sender.taken().unwrap() < taken {
            self.sender.ask_for_room(taken, 0).unwrap();
            heavy_fence().unwrap();
            let goes_on = self.sender.taken().unwrap() >= taken || self.sleep();
            self.sender.stop_asking();
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Sends a message of one part, waiting for room. False if the peer is gone.
    pub fn send(&mut self, body: &[u8]) -> bool {
        let mut done = 0;
        while !self.sender.write(body, false) && !self.sender.write_pieces(body, &mut done, false) {
            if done > 0 {
                while !self.sender.write_pieces(body, &mut done, false) {
                    if !self.wait_for_room(body.len()) {
                        return false;
                    }
                }
                break;
            }
            if !self.wait_for_room(body.len()) {
                return false;
            }
        }
        self.sender.publish();
        true
    }

    /// Receives a message of one part, waiting for it. `None` if the peer is gone.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut collector = Collector::default();
        loop {
            if let Some(mut message) = collector.poll(&mut self.receiver).unwrap() {
                assert_eq!(message.len(), 1);
                return message.pop();
            }
            if !self.wait_for_data() {
                return None;
            }
        }
    }
}

/// Puts records together to messages, as a user has to.
#[derive(Default)]
pub struct Collector {
    /// The parts of the message in progress.
    parts: Vec<Vec<u8>>,
    /// The slices of the part in progress.
    slices: Vec<u8>,
    /// Chunks, kept until they are taken out of here, if that is wanted.
    pub held: Option<Vec<Lent>>,
}

impl Collector {
    /// The next whole message, if it is there.
    pub fn poll(&mut self, receiver: &mut Receiver) -> Result<Option<Vec<Vec<u8>>>, Violation> {
        while let Some(record) = receiver.next()? {
            let (more, streamed) = (record.more, record.streamed);
            assert!(!streamed || (self.parts.is_empty() && self.slices.is_empty()));
            let is_part = match record.body {
                Body::Bytes(bytes) => {
                    self.parts.push(bytes_of(bytes));
                    true
                }
                Body::Lent(lent) => {
                    self.parts.push(copy(lent.len(), |to| lent.copy_to(to).len()));
                    if let Some(held) = &mut self.held {
                        held.push(lent);
                    }
                    true
                }
                Body::Piece {
                    bytes,
                    total,
                    first,
                    last,
                } => {
                    assert_eq!(first, self.slices.is_empty());
                    self.slices.extend(bytes_of(bytes));
                    assert_eq!(last, self.slices.len() as u64 == total);
                    if last {
                        self.parts.push(std::mem::take(&mut self.slices));
                    }
                    last
                }
                Body::Abort => {
                    self.parts.clear();
                    self.slices.clear();
                    false
                }
            };
            if is_part && !more {
                return Ok(Some(std::mem::take(&mut self.parts)));
            }
        }
        Ok(None)
    }
}

fn bytes_of(bytes: SharedBytes<'_>) -> Vec<u8> {
    copy(bytes.len(), |to| bytes.copy_to(to).len())
}

/// What is copied out by `fill`.
pub fn copy(len: usize, fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    assert_eq!(fill(&mut bytes.spare_capacity_mut()[..len]), len);
    // SAFETY: `fill` is a `copy_to`, which has returned that many initialised bytes.
    unsafe { bytes.set_len(len) };
    bytes
}

/// Both sides of a connection, in one process.
pub fn pair(len: usize) -> (Side, Side) {
    let segments = [Segment::create(len).unwrap(), Segment::create(len).unwrap()];
    let [(bell_a, ringer_a), (bell_b, ringer_b)] = [Bell::new().unwrap(), Bell::new().unwrap()];
    let open = |segment: &Segment| PeerSegment::open(duplicate(segment.fd()), len).unwrap();
    let [at_b, at_a] = [open(&segments[0]), open(&segments[1])];
    let [a, b] = segments;
    (
        Side::new(join(a, at_a, Ringer::from_peer(ringer_b).unwrap()), bell_a),
        Side::new(join(b, at_b, Ringer::from_peer(ringer_a).unwrap()), bell_b),
    )
}

pub fn duplicate(fd: BorrowedFd<'_>) -> OwnedFd {
    fd.try_clone_to_owned().unwrap()
}

/// Makes a connection with the process at the other end of a socket. Both sides call it.
pub fn meet(stream: &UnixStream, len: usize) -> Side {
    let segment = Segment::create(len).unwrap();
    let (bell, ringer) = Bell::new().unwrap();
    send_descriptors(stream, &[segment.fd(), ringer.as_fd()]);
    drop(ringer);
    let [theirs, ringer] = receive_descriptors(stream);
    let theirs = PeerSegment::open(theirs, len).unwrap();
    Side::new(join(segment, theirs, Ringer::from_peer(ringer).unwrap()), bell)
}

fn send_descriptors(stream: &UnixStream, fds: &[BorrowedFd<'_>]) {
    let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let sent = sendmsg::<()>(
        stream.as_raw_fd(),
        &[IoSlice::new(b"x")],
        &[ControlMessage::ScmRights(&raw)],
        MsgFlags::empty(),
        None,
    );
    assert_eq!(sent, Ok(1));
}

fn receive_descriptors<const N: usize>(stream: &UnixStream) -> [OwnedFd; N] {
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    let mut space = cmsg_space!([i32; 4]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), flags).unwrap();
    let mut fds = Vec::new();
    for control in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(raw) = control {
            // SAFETY: the kernel has just given us these descriptors, and they are taken over once.
            fds.extend(raw.iter().map(|&fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    fds.try_into().expect("as many descriptors as were sent")
}

/// Says to this program, when it is started again, what it is to do as the child.
const ROLE: &str = "RINGMQ_SHM_ROLE";

/// A child that runs the same test with a role, and the socket that leads to it.
pub struct Peer {
    pub child: Child,
    pub stream: UnixStream,
}

impl Peer {
    /// Starts this test program again for the test named `test`, in the given role.
    pub fn start(test: &str, role: &str) -> Self {
        let (stream, theirs) = UnixStream::pair().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, stream }
    }

    /// Waits until the child has ended well.
    pub fn finish(mut self) {
        assert!(self.child.wait().unwrap().success());
    }

    /// Sends a word to the other side.
    pub fn say(&mut self, word: u64) {
        say(&self.stream, word);
    }

    /// Waits for a word of the other side.
    pub fn hear(&mut self) -> u64 {
        hear(&self.stream).unwrap()
    }
}

pub fn say(mut stream: &UnixStream, word: u64) {
    stream.write_all(&word.to_ne_bytes()).unwrap();
}

pub fn hear(mut stream: &UnixStream) -> Option<u64> {
    let mut word = [0; 8];
    stream.read_exact(&mut word).ok()?;
    Some(u64::from_ne_bytes(word))
}

/// In the child: its role and the socket that leads to the parent.
pub fn role() -> Option<(String, UnixStream)> {
    let role = std::env::var(ROLE).ok()?;
    let stream = duplicate(std::io::stdin().as_fd());
    Some((role, UnixStream::from(stream)))
}

/// A body that is different for every number and length.
pub fn pattern(number: u64, len: usize) -> Vec<u8> {
    let seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = (0..len.div_ceil(8) as u64).map(|at| (seed ^ at).wrapping_mul(0xd6e8_feb8_6659_fd93));
    let mut bytes: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
    bytes.truncate(len);
    bytes
}
