//! Unix sockets.

use super::fixture::*;
use crate::{
    Address, Fd, PollFd, UNIX_NAME_MAX, UnixAddress, UnixOptions, accept, local_addr, peer_addr,
    peer_credentials, peer_groups, recv_now, send_now, sys, take_error, tcp_connect_start, tcp_listen,
    unix_connect_start, unix_listen, wait_fds,
};
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// A path that nobody else uses, removed in the end.
struct OwnPath(PathBuf);

impl OwnPath {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringmq-io-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn address(&self) -> UnixAddress {
        UnixAddress::Path(self.0.clone())
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn listen(address: &UnixAddress, mode: Option<u32>) -> io::Result<Fd> {
    unix_listen(address, &UnixOptions::default(), mode, 4)
}

fn connect(address: &UnixAddress) -> io::Result<(Fd, bool)> {
    unix_connect_start(address, &UnixOptions::default())
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn a_connection_is_made_and_used() {
    let path = OwnPath::new();
    let name = format!("ringmq-io-{}", std::process::id()).into_bytes();
    for address in [path.address(), UnixAddress::Abstract(name)] {
        let listener = listen(&address, None).expect("listen");
        assert_eq!(local_addr(&listener).expect("address"), address.clone().into());
        let none = accept(&listener).expect_err("nobody yet");
        assert_eq!(none.kind(), io::ErrorKind::WouldBlock);
        let (client, done) = connect(&address).expect("connect");
        assert!(done);
        take_error(&client).expect("connected");
        assert_eq!(peer_addr(&client).expect("address"), address.clone().into());
        let (server, from) = accept(&listener).expect("accept");
        assert_eq!(from, Address::Unix(UnixAddress::Unnamed));
        assert_eq!(send_now(&client, &[Bytes::new(*b"hello")]).expect("send"), 5);
        let mut room = Room::new(100);
        assert_eq!(recv_now(&server, &mut room).expect("recv"), 5);
        assert_eq!(room.filled(), b"hello");
    }
}

#[test]
fn the_mode_is_there_from_the_start_and_the_umask_narrows_it() {
    // What the umask takes from 0666 is what it takes from any mode.
    let plain = OwnPath::new();
    fs::write(&plain.0, "").expect("a file");
    let umask = 0o666 & !mode_of(&plain.0);
    for mode in [0o600, 0o660, 0o666, 0o200] {
        let path = OwnPath::new();
        let _listener = listen(&path.address(), Some(mode)).expect("listen");
        assert_eq!(mode_of(&path.0), mode & !umask, "{mode:o}");
    }
    let path = OwnPath::new();
    let _listener = listen(&path.address(), None).expect("listen");
    assert_eq!(mode_of(&path.0) & 0o666, 0o666 & !umask);
}

#[test]
fn what_is_there_is_not_replaced() {
    let path = OwnPath::new();
    let taken = || listen(&path.address(), None).expect_err("taken").kind();
    fs::write(&path.0, "content").expect("a file");
    assert_eq!(taken(), io::ErrorKind::AddrInUse);
    assert_eq!(fs::read(&path.0).expect("a file"), b"content");
    fs::remove_file(&path.0).expect("a file");
    // A link that leads nowhere is not followed.
    let elsewhere = OwnPath::new();
    std::os::unix::fs::symlink(&elsewhere.0, &path.0).expect("a link");
    assert_eq!(taken(), io::ErrorKind::AddrInUse);
    assert!(!elsewhere.0.exists());
    fs::remove_file(&path.0).expect("a link");
    drop(listen(&path.address(), None).expect("listen"));
    assert!(
        fs::symlink_metadata(&path.0)
            .expect("left over")
            .file_type()
            .is_socket()
    );
    assert_eq!(taken(), io::ErrorKind::AddrInUse);
}

#[test]
fn each_way_to_find_nobody_is_told_apart() {
    let path = OwnPath::new();
    let fails = || connect(&path.address()).expect_err("nobody").kind();
    assert_eq!(fails(), io::ErrorKind::NotFound);
    let listener = listen(&path.address(), None).expect("listen");
    let mut waiting = Vec::new();
    let full = loop {
        match connect(&path.address()) {
            Ok(connection) => waiting.push(connection),
            Err(error) => break error,
        }
        assert!(waiting.len() < 100, "the backlog was 4");
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    drop(listener);
    assert_eq!(fails(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn names_that_are_none_are_refused() {
    let long = vec![b'x'; UNIX_NAME_MAX + 1];
    let path = |bytes: &[u8]| {
        use std::os::unix::ffi::OsStrExt;
        UnixAddress::Path(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
    };
    for address in [
        path(&long),
        path(b""),
        path(b"zero\0byte"),
        UnixAddress::Abstract(long.clone()),
        UnixAddress::Abstract(Vec::new()),
    ] {
        let error = connect(&address).expect_err("no name");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address:?}");
    }
    let longest = UnixAddress::Abstract(long[1..].to_vec());
    let listener = listen(&longest, None).expect("listen");
    assert_eq!(local_addr(&listener).expect("address"), longest.into());
}

#[test]
fn each_end_knows_who_the_other_is() {
    let path = OwnPath::new();
    let listener = listen(&path.address(), None).expect("listen");
    let (client, _) = connect(&path.address()).expect("connect");
    let (server, _) = accept(&listener).expect("accept");
    let own = fs::metadata("/proc/self").expect("proc");
    for fd in [&client, &server] {
        let who = peer_credentials(fd).expect("credentials");
        assert_eq!(who.pid, std::process::id().cast_signed());
        use std::os::unix::fs::MetadataExt;
        assert_eq!((who.uid, who.gid), (own.uid(), own.gid()));
        peer_groups(fd).expect("groups");
    }
    let address = "127.0.0.1:0".parse().expect("an address");
    let listener = tcp_listen(address, &crate::TcpOptions::default(), 1).expect("listen");
    let Address::Inet(bound) = local_addr(&listener).expect("address") else {
        panic!("not an internet address")
    };
    let (client, _) = tcp_connect_start(bound, &crate::TcpOptions::default(), None).expect("connect");
    wait_fds(&mut [PollFd::new(&client, false, true)], Some(PATIENCE)).expect("ppoll");
    assert!(peer_credentials(&client).is_err());
}

#[test]
fn buffers_are_sized() {
    let path = OwnPath::new();
    let options = UnixOptions {
        send_buffer_bytes: Some(50_000),
        receive_buffer_bytes: Some(60_000),
    };
    let listener = unix_listen(&path.address(), &options, None, 1).expect("listen");
    let size = sys::get_option(&listener, libc::SOL_SOCKET, libc::SO_SNDBUF).expect("option");
    assert_eq!(size, 100_000, "the kernel doubles it for its own bookkeeping");
    let size = sys::get_option(&listener, libc::SOL_SOCKET, libc::SO_RCVBUF).expect("option");
    assert_eq!(size, 120_000);
}
