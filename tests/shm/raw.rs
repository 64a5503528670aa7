//! A peer at the local socket that takes the steps to shared memory by hand, well or badly.

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use ringmq_io::{Fd, PollFd, recv_with_descriptors, wait_fds};
use ringmq_shm::{Bell, PeerSegment, Receiver, Ringer, Segment, Sender, join};
use ringmq_tests::recipe::{COMMAND, LONG, command, frame, greeting, property};

use crate::PATIENCE;

pub(crate) const OFFER: u8 = 1;
pub(crate) const NOTHING_TO_OFFER: u8 = 2;
pub(crate) const MAPPED: u8 = 3;
pub(crate) const REFUSED: u8 = 4;
pub(crate) const SWITCHED: u8 = 5;

pub(crate) struct Raw {
    fd: Fd,
    received: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// An honest end of the rings, and the bell that has to live as long.
pub(crate) struct Rings {
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) memory: Memory,
    /// Wakes the peer with nothing to say.
    pub(crate) ringer: Ringer,
    _bell: Bell,
}

/// The segment that the peer believes in, to be written at any place.
pub(crate) struct Memory {
    mem: File,
    base: u64,
}

impl Memory {
    /// Finds where this process has mapped the segment.
    fn of(segment: &Segment) -> Memory {
        let file = File::from(segment.fd().try_clone_to_owned().unwrap());
        let inode = file.metadata().unwrap().ino().to_string();
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps.lines().find(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields[1].starts_with("rw") && fields[4] == inode && line.contains("memfd:ringmq")
        });
        let start = line
            .and_then(|line| line.split('-').next())
            .expect("the segment is mapped");
        Memory {
            // The process's own memory as a file: it can be written without a pointer.
            mem: fs::OpenOptions::new().write(true).open("/proc/self/mem").unwrap(),
            base: u64::from_str_radix(start, 16).unwrap(),
        }
    }

    pub(crate) fn put(&self, offset: u64, word: u64) {
        self.mem
            .write_all_at(&word.to_ne_bytes(), self.base + offset)
            .unwrap();
    }
}

/// An offer's marks: 1000 messages each way.
pub(crate) fn offer() -> Vec<u8> {
    [&[OFFER][..], &1000_u32.to_be_bytes(), &1000_u32.to_be_bytes()].concat()
}

pub(crate) fn nothing_to_offer() -> Vec<u8> {
    let mut step = offer();
    step[0] = NOTHING_TO_OFFER;
    step
}

impl Raw {
    pub(crate) fn connect(endpoint: &str) -> Raw {
        let name = endpoint.strip_prefix("ipc://@").expect("an abstract name");
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let stream = UnixStream::connect_addr(&address).unwrap();
        Raw {
            fd: OwnedFd::from(stream).into(),
            received: Vec::new(),
            descriptors: Vec::new(),
        }
    }

    /// Sends bytes, and descriptors with the first of them. False if the other side has ended the connection.
    pub(crate) fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> bool {
        let numbers: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let rights = if numbers.is_empty() { &[][..] } else { &rights[..] };
        let flags = MsgFlags::MSG_NOSIGNAL;
        match sendmsg::<()>(self.fd.as_raw_fd(), &[IoSlice::new(bytes)], rights, flags, None) {
            Ok(count) => {
                assert_eq!(count, bytes.len());
                true
            }
            Err(nix::Error::EPIPE | nix::Error::ECONNRESET) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a step.
    pub(crate) fn say(&self, step: &[u8], descriptors: &[BorrowedFd<'_>]) -> bool {
        self.send(&command(b"X-SHM", step), descriptors)
    }

    /// The whole handshake, with the announcement of shared memory.
    pub(crate) fn greet(&mut self, socket_type: &str) {
        self.send(&greeting(1), &[]);
        let properties = [
            property(b"Socket-Type", socket_type.as_bytes()),
            property(b"X-Shm", b"1"),
        ];
        self.send(&command(b"READY", &properties.concat()), &[]);
        assert!(self.fill(64));
        self.received.drain(..64);
        let (flags, body) = self.frame().expect("READY comes");
        assert!(flags & COMMAND != 0 && body.starts_with(b"\x05READY"));
    }

    /// Reads until there are so many bytes. False at the end of the connection.
    fn fill(&mut self, count: usize) -> bool {
        let mut bytes = [0; 4096];
        while self.received.len() < count {
            match recv_with_descriptors(&self.fd, &mut bytes, &mut self.descriptors) {
                Ok(0) => return false,
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = wait_fds(&mut [PollFd::new(&self.fd, true, false)], Some(PATIENCE)).unwrap();
                    assert!(ready > 0, "nothing comes");
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("{error}"),
            }
        }
        true
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        if !self.fill(2) {
            return None;
        }
        let flags = self.received[0];
        assert!(flags & LONG == 0, "frames are short here");
        let len = usize::from(self.received[1]) + 2;
        if !self.fill(len) {
            return None;
        }
        let frame: Vec<u8> = self.received.drain(..len).collect();
        Some((flags, frame[2..].to_vec()))
    }

    /// The other side's next step, without the frames in between; `None` at the end of the connection.
    pub(crate) fn step(&mut self) -> Option<Vec<u8>> {
        loop {
            let (flags, body) = self.frame()?;
            if flags & COMMAND != 0
                && let Some(step) = body.strip_prefix(b"\x05X-SHM")
            {
                return Some(step.to_vec());
            }
        }
    }

    /// Takes all steps as they should be, and switches.
    pub(crate) fn upgrade(&mut self) -> Rings {
        let segment = Segment::create(64 << 10).unwrap();
        let (bell, bell_for_peer) = Bell::new().unwrap();
        self.say(&offer(), &[segment.fd(), bell_for_peer.as_fd()]);
        drop(bell_for_peer);
        assert_eq!(self.step().expect("an offer comes")[0], OFFER);
        let [theirs, ringer] = <[OwnedFd; 2]>::try_from(std::mem::take(&mut self.descriptors)).unwrap();
        let theirs = PeerSegment::open(theirs, 64 << 20).unwrap();
        let again = Ringer::from_peer(ringer.try_clone().unwrap()).unwrap();
        let ringer = Ringer::from_peer(ringer).unwrap();
        self.say(&[MAPPED], &[]);
        assert_eq!(self.step().expect("an answer comes"), [MAPPED]);
        let memory = Memory::of(&segment);
        let (sender, receiver) = join(segment, theirs, ringer);
        self.say(&[SWITCHED], &[]);
        Rings {
            sender,
            receiver,
            memory,
            ringer: again,
            _bell: bell,
        }
    }

    /// Sends a message by the stream.
    pub(crate) fn send_message(&self, body: &[u8]) -> bool {
        self.send(&frame(0, body), &[])
    }

    /// The next message of one part that comes by the stream; `None` at the end of the connection.
    pub(crate) fn message(&mut self) -> Option<Vec<u8>> {
        loop {
            let (flags, body) = self.frame()?;
            if flags & COMMAND == 0 {
                return Some(body);
            }
        }
    }

    /// Reads until the end of the connection. True if it comes.
    pub(crate) fn read_to_end(&mut self) -> bool {
        !self.fill(usize::MAX)
    }

    /// Whether the connection ends within a moment.
    pub(crate) fn ends_within(&mut self, moment: Duration) -> bool {
        let mut bytes = [0; 4096];
        loop {
            match recv_with_descriptors(&self.fd, &mut bytes, &mut self.descriptors) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if wait_fds(&mut [PollFd::new(&self.fd, true, false)], Some(moment)).unwrap() == 0 {
                        return false;
                    }
                }
                Err(_) => return true,
            }
        }
    }
}
