//! What a socket wants to receive: subscriptions, and groups that it joins.

use ringmq_core::Error;

use super::Socket;
use crate::kind::{Dish, Subscribes};

impl<K: Subscribes> Socket<K> {
    /// Subscribes to all messages whose first part begins with `prefix`; the empty prefix is every message. Repeated
    /// subscriptions count, so that it takes as many cancellations to end one. Does not block: the publishers learn of it
    /// in the background, also those that connect later.
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
    /// // Messages sent before the subscription has arrived are not for us, so this one is sent until it comes.
    /// let message = loop {
    ///     publisher.send("weather.rain")?;
    ///     match subscriber.recv_within(std::time::Duration::from_millis(10)) {
    ///         Err(ringmq::Error::TimedOut) => continue,
    ///         received => break received?,
    ///     }
    /// };
    /// assert_eq!(&*message, b"weather.rain");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().subscribe(prefix.as_ref())
    }

    /// Takes one subscription to `prefix` back; if there is none, nothing happens. Does not block: messages that are on
    /// their way may still come to an [`XSub`](crate::XSub), while a [`Sub`](crate::Sub) filters them out.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().unsubscribe(prefix.as_ref())
    }
}

impl Socket<Dish> {
    /// Joins a group of at most 255 bytes, whose messages are received from now on;
    /// [`send_to_group`](Self::send_to_group) has an example. Does not block: senders learn of it in the background, also those
    /// that connect later.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a group that is too long or joined already; [`Error::Terminated`].
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().join(group.as_ref())
    }

    /// Leaves a group; messages of it that are on their way are not received any more. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a group that is not joined; [`Error::Terminated`].
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), Error> {
        self.core().leave(group.as_ref())
    }
}
