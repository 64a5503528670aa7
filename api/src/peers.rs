//! What libzmq does not tell: who the peers are, what has passed, and who listens.

use std::time::Duration;

pub use ringmq_core::{Counters, Drops, PeerId, PeerInfo, Statistics, Traffic};
use ringmq_core::{Error, Wait};

use crate::{
    Socket,
    access::Access,
    kind::{DropsOrWaits, Kind},
};

impl<K: Kind> Socket<K> {
    /// A handle to what has passed this socket: messages and bytes sent and received, and drops by cause. It may be read by
    /// any thread and at any time, also while the socket is used or blocked, and after it is gone. Counting is always on
    /// and costs next to nothing. Does not block.
    ///
    /// ```
    /// use ringmq::{Context, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let pull = Pull::new(&context)?;
    /// pull.bind("tcp://127.0.0.1:*")?;
    /// let push = Push::new(&context)?;
    /// push.connect(&pull.last_endpoint())?;
    /// let counters = push.counters();
    /// push.send("hello")?;
    /// push.send("world!")?;
    /// let sent = std::thread::spawn(move || counters.read().sent).join().unwrap();
    /// assert_eq!((sent.messages, sent.bytes), (2, 11));
    /// # Ok(())
    /// # }
    /// ```
    pub fn counters(&self) -> Counters {
        self.core().counters()
    }

    /// The peers that the socket has queues for: those that are connected, and those that it connects to and may queue
    /// for. Each with its address, routing id, socket type and credentials, what has passed, and what waits in its queues.
    /// Does not block.
    ///
    /// ```
    /// use ringmq::{Context, Dealer, Router, SocketType};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let router = Router::new(&context)?;
    /// router.bind("tcp://127.0.0.1:*")?;
    /// let dealer = Dealer::new(&context)?;
    /// dealer.set_routing_id(b"alice")?;
    /// dealer.connect(&router.last_endpoint())?;
    /// dealer.send("hello")?;
    /// router.recv_multipart()?;
    ///
    /// let peers = router.peers();
    /// assert_eq!(peers[0].routing_id, b"alice");
    /// assert_eq!(peers[0].socket_type, Some(SocketType::Dealer));
    /// assert_eq!(peers[0].transport(), "tcp");
    /// assert_eq!(peers[0].statistics.received.bytes, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.core().peers()
    }

    /// Ends the connection to a peer at once; what is queued for it is dropped, and what it sent and was not received is
    /// gone. One that this socket made is not made again, as if its endpoint had been [disconnected](Self::disconnect); a peer
    /// that connected to this socket may come back. Does not block.
    ///
    /// ```
    /// # use ringmq::{Context, Error, Pull, Push};
    /// # fn main() -> Result<(), ringmq::Error> {
    /// # let context = Context::new();
    /// # let pull = Pull::new(&context)?;
    /// # pull.bind("inproc://work")?;
    /// # let push = Push::new(&context)?;
    /// # push.connect("inproc://work")?;
    /// let unwanted = pull.peers()[0].id;
    /// pull.close_peer(unwanted)?;
    /// assert!(pull.peers().is_empty());
    /// assert!(matches!(pull.close_peer(unwanted), Err(Error::HostUnreachable)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if that connection has ended already; [`Error::Terminated`].
    pub fn close_peer(&self, peer: PeerId) -> Result<(), Error> {
        self.core().close_peer(peer)
    }
}

impl<K: DropsOrWaits> Socket<K> {
    /// How many peers have subscribed to anything, or for a [`Radio`](crate::Radio), joined any group. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn subscriber_count(&self) -> Result<usize, Error> {
        self.core().audience(None)
    }

    /// How many peers a message would get to now that begins with `topic`, or for a [`Radio`](crate::Radio), is sent to the
    /// group `topic`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn subscriber_count_of(&self, topic: impl AsRef<[u8]>) -> Result<usize, Error> {
        self.core().audience(Some(topic.as_ref()))
    }

    /// Waits until at least `count` peers have subscribed to anything, at most for `timeout` (`None` is for ever, zero only
    /// looks). What is sent then is not lost for want of subscribers.
    ///
    /// ```
    /// use ringmq::{Context, Pub, Sub};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let publisher = Pub::new(&context)?;
    /// publisher.bind("tcp://127.0.0.1:*")?;
    /// let subscriber = Sub::new(&context)?;
    /// subscriber.subscribe("weather.")?;
    /// subscriber.connect(&publisher.last_endpoint())?;
    ///
    /// publisher.wait_for_subscribers(1, None)?;
    /// publisher.send("weather.rain")?;
    /// assert_eq!(&*subscriber.recv()?, b"weather.rain");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] or, with a timeout of zero, [`Error::WouldBlock`]; [`Error::Terminated`].
    pub fn wait_for_subscribers(&self, count: usize, timeout: Option<Duration>) -> Result<(), Error> {
        self.core
            .wait_until(Wait::from(timeout), |core| Ok(core.audience(None)? >= count))
    }

    /// Waits until a message that begins with `topic`, or for a [`Radio`](crate::Radio), is sent to that group, would get to
    /// at least `count` peers; otherwise as [`wait_for_subscribers`](Self::wait_for_subscribers).
    ///
    /// # Errors
    ///
    /// As [`wait_for_subscribers`](Self::wait_for_subscribers).
    pub fn wait_for_subscribers_of(
        &self,
        topic: impl AsRef<[u8]>,
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let topic = topic.as_ref();
        self.core.wait_until(Wait::from(timeout), |core| {
            Ok(core.audience(Some(topic))? >= count)
        })
    }
}
