//! Messages for a certain peer, group or address.

use std::net::SocketAddr;

use ringmq_core::Error;
use ringmq_message::Message;

use super::{SendError, Socket};
use crate::{
    Payload,
    kind::{Dgram, NamesPeers, NumbersPeers, Peer, Radio},
};

impl<K: NamesPeers> Socket<K> {
    /// Whether a message to the peer with that routing id would find room now. Does not block.
    ///
    /// ```
    /// use ringmq::{Context, Dealer, Error, Router};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let context = Context::new();
    /// let router = Router::new(&context)?;
    /// router.bind("inproc://router")?;
    /// let dealer = Dealer::new(&context)?;
    /// dealer.set_routing_id("alice")?;
    /// dealer.connect("inproc://router")?;
    /// assert!(router.has_room_for("alice")?);
    /// assert!(matches!(router.has_room_for("bob"), Err(Error::HostUnreachable)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if nobody has the routing id; [`Error::Terminated`].
    pub fn has_room_for(&self, routing_id: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.core().has_room_for(routing_id.as_ref())
    }
}

impl<K: NumbersPeers> Socket<K> {
    /// Sends a message to the peer with that number, which is the [`routing_id`](Message::routing_id) of what came from it.
    /// Waits like [`send`](Self::send), which takes the number from the message.
    ///
    /// ```
    /// use ringmq::{Client, Context, Server};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let server = Server::new(&context)?;
    /// server.bind("inproc://server")?;
    /// let client = Client::new(&context)?;
    /// client.connect("inproc://server")?;
    /// client.send("question")?;
    /// let question = server.recv()?;
    /// server.send_to(question.routing_id(), "answer")?;
    /// assert_eq!(&*client.recv()?, b"answer");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::HostUnreachable`] if nobody has the number.
    pub fn send_to(&self, peer: u32, message: impl Payload) -> Result<(), SendError> {
        let mut message: Message = message.into();
        message.set_routing_id(peer);
        self.send(message)
    }

    /// Ends the connection to the peer with that number; what is queued for it is dropped. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if nobody has the number; [`Error::Terminated`].
    pub fn disconnect_peer(&self, peer: u32) -> Result<(), Error> {
        self.core().disconnect_peer(peer)
    }
}

impl Socket<Peer> {
    /// Connects to an endpoint, as [`connect`](Self::connect) does, and returns the number of the peer there, to which
    /// messages can be sent at once.
    ///
    /// ```
    /// use ringmq::{Context, Peer};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let (one, other) = (Peer::new(&context)?, Peer::new(&context)?);
    /// other.bind("tcp://127.0.0.1:*")?;
    /// let number = one.connect_peer(&other.last_endpoint())?;
    /// one.send_to(number, "hello")?;
    /// assert_eq!(&*other.recv()?, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`Error::InvalidArgument`] if the socket is [immediate](Self::set_immediate).
    pub fn connect_peer(&self, endpoint: &str) -> Result<u32, Error> {
        self.core().connect_peer(endpoint)
    }
}

impl Socket<Radio> {
    /// Sends a message to a group of at most 255 bytes: to the peers that have joined it. Waits like [`send`](Self::send),
    /// which takes the group from the message.
    ///
    /// ```
    /// use ringmq::{Context, Dish, Radio};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let radio = Radio::new(&context)?;
    /// radio.bind("tcp://127.0.0.1:*")?;
    /// let dish = Dish::new(&context)?;
    /// dish.join("weather")?;
    /// dish.connect(&radio.last_endpoint())?;
    /// radio.wait_for_subscribers_of("weather", 1, None)?;
    /// radio.send_to_group("weather", "rain")?;
    /// let message = dish.recv()?;
    /// assert_eq!((message.group(), &*message), (&b"weather"[..], &b"rain"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::InvalidArgument`] for a group that is too long.
    pub fn send_to_group(&self, group: impl AsRef<[u8]>, message: impl Payload) -> Result<(), SendError> {
        let mut message: Message = message.into();
        if message.set_group(group.as_ref()).is_err() {
            let rule = "a group has at most 255 bytes";
            let error = Error::InvalidArgument { rule };
            return Err(SendError { error, message });
        }
        self.send(message)
    }
}

impl Socket<Dgram> {
    /// Sends a datagram to an address. Waits like [`send`](Self::send), until the system has room.
    ///
    /// ```
    /// use ringmq::{Context, Dgram};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let server = Dgram::new(&context)?;
    /// server.bind("udp://127.0.0.1:*")?;
    /// let client = Dgram::new(&context)?;
    /// client.bind("udp://127.0.0.1:*")?;
    /// let address = server.last_endpoint().trim_start_matches("udp://").parse().unwrap();
    /// client.send_datagram(address, "ping")?;
    /// let (from, ping) = server.recv_datagram()?;
    /// server.send_datagram(from, ping)?;
    /// assert_eq!(&*client.recv_datagram()?.1, b"ping");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::HostUnreachable`] while the socket is not bound. A datagram that the system does not
    /// take, because it is too long or the network cannot be reached, is lost and told by the [monitor](Self::monitor).
    pub fn send_datagram(&self, to: SocketAddr, datagram: impl Payload) -> Result<(), SendError> {
        let mut address = Message::from(to.to_string());
        address.set_more(true);
        if let Err(SendError { error, .. }) = self.send_part(address) {
            let message = datagram.into();
            return Err(SendError { error, message });
        }
        self.send(datagram)
    }

    /// Receives a datagram, and who sent it. Waits like [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`Error::State`] if a part of a message was received by itself before.
    pub fn recv_datagram(&self) -> Result<(SocketAddr, Message), Error> {
        let name = self.recv()?;
        let text = std::str::from_utf8(&name).unwrap_or_default();
        let from = text.trim_end_matches('\0').parse().ok();
        match from.filter(|_| name.more()) {
            Some(from) => Ok((from, self.recv()?)),
            None => Err(Error::State),
        }
    }
}
