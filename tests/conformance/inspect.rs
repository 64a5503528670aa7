//! What the kernel says of this process's sockets.

use std::fs;

/// The descriptor of the UDP socket that has a port of IPv4.
pub(crate) fn udp_socket(port: u16) -> i32 {
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    let port = format!(":{port:04X}");
    let row = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|row| row.get(1).is_some_and(|local| local.ends_with(&port)))
        .expect("a socket has the port");
    let link = format!("socket:[{}]", row[9]);
    let mut descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let entry = descriptors
        .find(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == &*link))
        .expect("the socket is ours");
    entry.file_name().to_str().unwrap().parse().unwrap()
}
