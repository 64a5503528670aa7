//! What a peer may do to a pipe, and that it can neither block nor kill us nor go unheard.
#![cfg(not(loom))]

mod common;

use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

use common::{duplicate, pair};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        signal::{SigHandler, Signal, signal},
    },
};
use ringmq_shm::{Bell, OpenError, Ringer};

fn is_readable(bell: &Bell) -> bool {
    let mut fds = [PollFd::new(bell.fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap();
    fds[0].revents().unwrap().contains(PollFlags::POLLIN)
}

/// A bell, its ringer, and what the sleeper might have kept of the descriptor that it sent.
fn bell() -> (Bell, Ringer, OwnedFd) {
    let (bell, fd) = Bell::new().unwrap();
    let kept = duplicate(fd.as_fd());
    (bell, Ringer::from_peer(fd).unwrap(), kept)
}

#[test]
fn ringing_is_heard_and_drained() {
    let (bell, ringer, _kept) = bell();
    assert!(!is_readable(&bell));
    assert!(bell.drain(), "harmless when silent");
    ringer.ring();
    ringer.ring();
    assert!(is_readable(&bell));
    assert!(bell.drain() && !is_readable(&bell));
}

#[test]
fn the_end_of_the_peer_is_heard() {
    let (bell, ringer, kept) = bell();
    drop(kept);
    ringer.ring();
    drop(ringer);
    // Both were one edge, so that one call has to tell.
    assert!(!bell.drain() && !bell.drain());
}

#[test]
fn a_million_rings_neither_block_nor_get_lost() {
    let (bell, ringer, _kept) = bell();
    for _ in 0..1_000_000 {
        ringer.ring();
    }
    assert!(is_readable(&bell));
    assert!(
        bell.drain() && !is_readable(&bell),
        "one call empties a full pipe"
    );
    ringer.ring();
    assert!(is_readable(&bell));
}

/// Every ring is an edge, even if nobody has drained the ones before.
#[test]
fn each_ring_is_an_edge() {
    let (bell, ringer, _kept) = bell();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
    epoll.add(bell.fd(), event).unwrap();
    let mut events = [EpollEvent::empty()];
    for _ in 0..100 {
        assert_eq!(epoll.wait(&mut events, EpollTimeout::ZERO), Ok(0));
        ringer.ring();
        assert_eq!(epoll.wait(&mut events, EpollTimeout::ZERO), Ok(1));
    }
}

/// Runs `action` in a thread of its own. If it blocks for a minute, the test fails.
fn must_return(action: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        action();
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(60)).expect("it blocks");
}

/// Makes everything wait that does not say otherwise, through the description that both sides hold.
fn clear_nonblock(fd: &OwnedFd) {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn a_full_pipe_that_may_wait_does_not_block_the_waker() {
    let (bell, ringer, kept) = bell();
    let mut filler = File::from(duplicate(kept.as_fd()));
    while filler.write(&[0; 4096]).is_ok() {}
    clear_nonblock(&kept);
    must_return(move || (0..1000).for_each(|_| ringer.ring()));
    assert!(is_readable(&bell));
    must_return(move || {
        bell.drain();
        bell.drain();
    });
}

#[test]
fn an_emptied_pipe_that_may_wait_does_not_block_the_sleeper() {
    let (bell, ringer, kept) = bell();
    ringer.ring();
    clear_nonblock(&kept);
    let path = format!("/proc/self/fd/{}", kept.as_raw_fd());
    let mut thief = File::open(path).unwrap();
    assert!(thief.read(&mut [0; 64]).unwrap() > 0);
    must_return(move || assert!(bell.drain() && bell.drain()));
}

/// The default disposition of SIGPIPE kills, as it would in a C program. Run by itself in a child, because it is the
/// process's.
#[test]
fn a_closed_bell_does_not_kill_the_waker() {
    // SAFETY: no handler of Rust is installed, and other tests of this program do not write to closed pipes.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    let (bell, ringer, kept) = bell();
    drop((bell, kept));
    (0..100_000).for_each(|_| ringer.ring());
}

#[test]
fn other_descriptors_are_refused() {
    let (reading, writing): (PipeReader, PipeWriter) = pipe().unwrap();
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let eventfd = nix::sys::eventfd::EventFd::new().unwrap();
    let file = File::open("/dev/null").unwrap();
    let segment = ringmq_shm::Segment::create(64 << 10).unwrap();
    assert!(Ringer::from_peer(writing.into()).is_ok());
    let descriptors: [OwnedFd; 5] = [
        reading.into(),
        socket.into(),
        eventfd.into(),
        file.into(),
        duplicate(segment.fd()),
    ];
    for (index, fd) in descriptors.into_iter().enumerate() {
        let refused = Ringer::from_peer(fd);
        assert!(matches!(refused, Err(OpenError::NotBell)), "descriptor {index}");
    }
}

#[test]
fn nobody_rings_while_nobody_sleeps() {
    let (mut a, mut b) = pair(64 << 10);
    b.bell.drain();
    a.bell.drain();
    for _ in 0..1000 {
        assert!(a.send(&[1; 64]));
        assert_eq!(b.receive(), Some(vec![1; 64]));
    }
    b.receiver.release();
    assert!(!is_readable(&b.bell) && !is_readable(&a.bell));
    assert_eq!((a.sleeps, b.sleeps), (0, 0));
}

#[test]
fn a_sleeper_is_rung_once_per_crossing() {
    let (mut a, mut b) = pair(64 << 10);
    b.bell.drain();
    b.receiver.arm();
    assert!(a.send(&[1]));
    assert!(is_readable(&b.bell));
    b.bell.drain();
    assert!(a.send(&[2]));
    assert!(!is_readable(&b.bell), "it has been woken");
    b.receiver.arm();
    b.receiver.disarm();
    assert!(a.send(&[3]));
    assert!(!is_readable(&b.bell), "it has disarmed");
    b.receiver.arm();
    a.sender.close();
    assert!(is_readable(&b.bell) && b.receiver.peer_closed());
}
