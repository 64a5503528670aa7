//! What some types can do beside sending and receiving: subscribe, join groups, and deal with single peers.

use super::{Socket, Wait, wait::Outcome};
use crate::error::Error;

impl Socket {
    /// Adds a subscription to a prefix (SUB and XSUB). An XPUB whose owner decides about subscriptions adds it for the peer
    /// whose request was received last, if that is still there.
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for other types.
    pub fn subscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        self.process_commands()?;
        self.pattern
            .behaviour()
            .subscribe(&mut self.pipes, &self.shared, prefix)
    }

    /// Takes one subscription to a prefix back; without one, nothing happens.
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for other types.
    pub fn unsubscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        self.process_commands()?;
        self.pattern
            .behaviour()
            .unsubscribe(&mut self.pipes, &self.shared, prefix)
    }

    /// How many distinct prefixes are subscribed to: by the socket itself (SUB, XSUB) or by its peers (PUB, XPUB).
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for other types.
    pub fn topics_count(&mut self) -> Result<usize, Error> {
        self.process_commands()?;
        let count = self.pattern.behaviour().topics_count(&mut self.pipes);
        self.bury();
        count.ok_or(Error::NotSupported)
    }

    /// How many peers a message of this topic, or to this group, would go to now; without one, how many peers have
    /// subscribed to anything (PUB, XPUB and RADIO).
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for other types, [`Error::Terminated`].
    pub fn audience(&mut self, topic: Option<&[u8]>) -> Result<usize, Error> {
        self.process_commands()?;
        let count = self.pattern.behaviour().audience(&mut self.pipes, topic);
        self.bury();
        count.ok_or(Error::NotSupported)
    }

    /// Waits until something holds that depends on what peers do; it is looked at whenever something may have changed.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] or [`Error::TimedOut`] as `wait` asks, [`Error::Terminated`], [`Error::Interrupted`], and
    /// those of `holds`.
    pub fn wait_until(
        &mut self,
        wait: Wait,
        mut holds: impl FnMut(&mut Self) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut waiting = self.start_waiting(wait, true);
        loop {
            if holds(self)? {
                self.finish_waiting(waiting);
                return Ok(());
            }
            match self.wait_for_commands(&mut waiting)? {
                Outcome::Again => self.process_commands()?,
                Outcome::Expired(error) => return Err(error),
            }
        }
    }

    /// Joins a group of at most 255 bytes (DISH).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a longer one, or one that is joined already; [`Error::NotSupported`] for other types.
    pub fn join(&mut self, group: &[u8]) -> Result<(), Error> {
        self.process_commands()?;
        self.pattern.behaviour().join(&mut self.pipes, group)
    }

    /// Leaves a group (DISH).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for one that is not joined; [`Error::NotSupported`] for other types.
    pub fn leave(&mut self, group: &[u8]) -> Result<(), Error> {
        self.process_commands()?;
        self.pattern.behaviour().leave(&mut self.pipes, group)
    }

    /// Whether a message to the peer with that routing id would find room now (ROUTER and STREAM). Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if nobody has the routing id; [`Error::NotSupported`] for other types.
    pub fn has_room_for(&mut self, routing_id: &[u8]) -> Result<bool, Error> {
        self.process_commands()?;
        let room = self.pattern.behaviour().has_room(&mut self.pipes, routing_id)?;
        room.ok_or(Error::HostUnreachable)
    }

    /// Ends the connection to the peer with that number (SERVER and PEER); what is queued for it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::HostUnreachable`] if nobody has the number; [`Error::NotSupported`] for other types.
    pub fn disconnect_peer(&mut self, number: u32) -> Result<(), Error> {
        self.process_commands()?;
        let peer = self.pattern.behaviour().numbered(number);
        let key = peer.ok_or(Error::NotSupported)?.ok_or(Error::HostUnreachable)?;
        self.detach(key);
        Ok(())
    }

    /// The routing id that the peer connected or accepted last got from a STREAM or a raw ROUTER: after a connect, by which
    /// it is given, that of the new peer.
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for other types.
    pub fn last_given_routing_id(&mut self) -> Result<Vec<u8>, Error> {
        let given = self.pattern.behaviour().last_given().map(<[u8]>::to_vec);
        given.ok_or(Error::NotSupported)
    }
}
