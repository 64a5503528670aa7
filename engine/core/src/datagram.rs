//! Datagrams: what a message looks like in one (as libzmq does it), and where their pipe and their worker meet.

use std::{net::SocketAddr, sync::Arc};

use ringmq_io::Fd;
use ringmq_message::Message;
use ringmq_queue::sync::{AtomicU32, Ordering};

use crate::{
    endpoint::{mapped, parse_peer_name, peer_name},
    link::Name,
    presence::Presence,
    receive::Receive,
    socket::{SocketCommand, SocketShared},
    worker::WorkerShared,
};

/// What the two parts of a message have to do with a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The first part is a group: a byte with its length, the group, and the body (RADIO and DISH).
    Group {
        /// Where all of them go.
        target: Option<SocketAddr>,
    },
    /// The first part is the other end's address, and the datagram is the body alone (DGRAM).
    Address {
        /// The socket is one of IPv6.
        v6: bool,
    },
}

impl Format {
    /// Puts the datagram of a message into `datagram`, and tells where it is to go. `None`: nowhere.
    pub(crate) fn encode(self, first: &[u8], body: &[u8], datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        datagram.clear();
        let target = match self {
            Self::Group { target } => {
                datagram.push(u8::try_from(first.len()).ok()?);
                datagram.extend_from_slice(first);
                target?
            }
            Self::Address { v6 } => mapped(parse_peer_name(first)?, v6),
        };
        datagram.extend_from_slice(body);
        Some(target)
    }

    /// The message of a datagram. `None`: it is shorter than it says, which means nothing.
    pub(crate) fn decode(self, datagram: &[u8], from: SocketAddr) -> Option<[Message; 2]> {
        let (first, body) = match self {
            Self::Group { .. } => {
                let (&len, rest) = datagram.split_first()?;
                let (group, body) = rest.split_at_checked(usize::from(len))?;
                (Message::from_slice(group), body)
            }
            Self::Address { .. } => (Message::from_slice(&peer_name(from)), datagram),
        };
        let mut parts = [first, Message::from_slice(body)];
        parts[0].set_more(true);
        Some(parts)
    }
}

/// The meeting place of a pipe and the worker that receives for it, alive as long as either.
pub(crate) struct DatagramLink {
    pub(crate) name: Name,
    /// The place at the worker.
    slot: AtomicU32,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) socket: Arc<SocketShared>,
    pub(crate) endpoint: u64,
    pub(crate) fd: Arc<Fd>,
    pub(crate) format: Format,
    pub(crate) receive: Receive,
    /// Keeps the context from ending.
    _presence: Presence,
}

impl DatagramLink {
    pub(crate) fn new(
        worker: Arc<WorkerShared>,
        socket: Arc<SocketShared>,
        endpoint: u64,
        fd: Fd,
        format: Format,
        receive: Receive,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: Name::none(),
            slot: AtomicU32::new(u32::MAX),
            worker,
            _presence: Presence::of(&socket),
            socket,
            endpoint,
            fd: Arc::new(fd),
            format,
            receive,
        })
    }

    /// Written and read by the worker only.
    pub(crate) fn set_slot(&self, slot: u32) {
        self.slot.store(slot, Ordering::Relaxed);
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot.load(Ordering::Relaxed)
    }

    /// Tells the socket something about the pipe, which looks by itself when it gets its key.
    pub(crate) fn notify(&self, command: impl FnOnce(u64) -> SocketCommand) {
        if let Some(key) = self.name.get() {
            self.socket.push(command(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "192.0.2.7:9";

    fn decoded(format: Format, datagram: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let [first, body] = format.decode(datagram, FROM.parse().unwrap())?;
        assert!(first.more() && !body.more());
        Some((first.to_vec(), body.to_vec()))
    }

    #[test]
    fn a_group_stands_in_front_of_the_body() {
        let target = "127.0.0.1:1".parse().ok();
        let format = Format::Group { target };
        let mut datagram = vec![1];
        assert_eq!(format.encode(b"tv", b"news", &mut datagram), target);
        assert_eq!(datagram, b"\x02tvnews");
        assert_eq!(decoded(format, &datagram), Some((b"tv".into(), b"news".into())));
        assert_eq!(decoded(format, b"\0"), Some((vec![], vec![])));
        let long = [b'g'; 255];
        assert_eq!(format.encode(&long, b"", &mut datagram), target);
        assert_eq!(decoded(format, &datagram), Some((long.into(), vec![])));
        assert_eq!(format.encode(&[b'g'; 256], b"", &mut datagram), None);
        for cut in [&b""[..], b"\x01", b"\xFFabc"] {
            assert_eq!(decoded(format, cut), None, "{cut:?}");
        }
    }

    #[test]
    fn an_address_stands_beside_the_body() {
        let format = Format::Address { v6: false };
        let mut datagram = Vec::new();
        let target = format.encode(b"127.0.0.1:5\0", b"x", &mut datagram);
        assert_eq!((target, &datagram[..]), ("127.0.0.1:5".parse().ok(), &b"x"[..]));
        assert_eq!(format.encode(b"nobody", b"x", &mut datagram), None);
        let found = decoded(format, b"");
        assert_eq!(found, Some((b"192.0.2.7:9\0".into(), vec![])));
        let v6 = Format::Address { v6: true }.encode(b"127.0.0.1:5", b"x", &mut datagram);
        assert_eq!(v6, "[::ffff:127.0.0.1]:5".parse().ok());
    }
}
