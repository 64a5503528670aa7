//! Sending.

use std::time::Duration;

use ringmq_core::{Error, Wait};
use ringmq_message::{Buffer, Message, Multipart};

use super::{SendError, SendMultipartError, Socket};
use crate::{
    Payload,
    access::Access,
    kind::{HasParts, Sends},
};

impl<K: Sends> Socket<K> {
    /// Memory of `len` bytes to fill and then send, which is the way to send a large body without copying it.
    ///
    /// Over `ipc://` to another RingMQ process the peer reads the very bytes that were written here. This holds for
    /// [`Push`](crate::Push), [`Dealer`](crate::Dealer) and [`Pair`](crate::Pair), for bodies longer than an eighth of the
    /// ring (32 KiB by default) that fit its pool (three quarters of [`shm_segment_len`](Self::set_shm_segment_len)).
    /// Otherwise it is memory of the pool, from which a large body is sent without a copy over `tcp://` and `inproc://`.
    ///
    /// The bytes are initialised, but not always zero: they may be those of an earlier message of this socket. Does not
    /// block, except that it gives a peer some microseconds to return memory. A loan that is dropped is returned; one that
    /// is sent by another socket is copied.
    ///
    /// ```
    /// use ringmq::{Context, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// # let context = Context::new();
    /// # let pull = Pull::new(&context)?;
    /// # pull.bind("inproc://frames")?;
    /// # let push = Push::new(&context)?;
    /// # push.connect("inproc://frames")?;
    /// let mut frame = push.loan(100_000);
    /// frame.fill(7);
    /// push.send(frame)?;
    /// assert_eq!(*pull.recv()?, [7; 100_000]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn loan(&self, len: usize) -> Buffer {
        self.core().loan(len)
    }

    /// Sends a message of one part. Waits for room if need be, for as long as the
    /// [send timeout](Self::set_send_timeout) says. Success means that the message is queued, or that the socket's type
    /// drops what it cannot queue ([`Pub`](crate::Pub), [`Router`](crate::Router)). It does not mean that the peer has it.
    ///
    /// Messages that follow each other closely are gathered and sent together. No flush is needed: they leave as soon as
    /// the socket waits for anything, and normally within 0.2 ms if it does not.
    ///
    /// # Errors
    ///
    /// The message comes back with the reason: [`Error::TimedOut`] or, with a timeout of zero, [`Error::WouldBlock`];
    /// [`Error::State`] when it is not the socket's turn ([`Req`](crate::Req), [`Rep`](crate::Rep));
    /// [`Error::HostUnreachable`] ([`Router`](crate::Router) with mandatory routing, [`Stream`](crate::Stream),
    /// [`Server`](crate::Server), [`Peer`](crate::Peer)); [`Error::MessageTooLong`] beyond the context's
    /// [`send_len_max`](crate::ContextBuilder::send_len_max); [`Error::Terminated`].
    #[inline]
    pub fn send(&self, message: impl Payload) -> Result<(), SendError> {
        send_whole(&self.core, message, None)
    }

    /// Sends a message of one part, without waiting.
    ///
    /// ```
    /// use ringmq::{Context, Error, Pull, Push};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let context = Context::new();
    /// let (push, pull) = (Push::new(&context)?, Pull::new(&context)?);
    /// push.set_send_hwm(1);
    /// pull.set_receive_hwm(1);
    /// pull.bind("inproc://two")?;
    /// push.connect("inproc://two")?;
    /// push.try_send("one")?;
    /// push.try_send("two")?;
    /// let failed = push.try_send("three").unwrap_err();
    /// assert!(matches!(failed.error, Error::WouldBlock));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with [`Error::WouldBlock`] when there is no room or no peer.
    #[inline]
    pub fn try_send(&self, message: impl Payload) -> Result<(), SendError> {
        send_whole(&self.core, message, Some(Wait::No))
    }

    /// Sends a message of one part, and waits for room at most for `timeout`, whatever the socket's own timeout is.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_within(&self, message: impl Payload, timeout: Duration) -> Result<(), SendError> {
        send_whole(&self.core, message, Some(Wait::from(Some(timeout))))
    }
}

impl<K: Sends + HasParts> Socket<K> {
    /// Sends one part of a message; [`Message::more`] says whether others follow. The peer gets the message when its
    /// last part is sent, or not at all. Waits like [`send`](Self::send).
    ///
    /// ```
    /// use ringmq::{Context, Message, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let pull = Pull::new(&context)?;
    /// pull.bind("inproc://parts")?;
    /// let push = Push::new(&context)?;
    /// push.connect("inproc://parts")?;
    /// let mut first = Message::from("first");
    /// first.set_more(true);
    /// push.send_part(first)?;
    /// push.send_part("last".into())?;
    /// assert!(pull.recv()?.more());
    /// assert!(!pull.recv()?.more());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); only the first part of a message waits or comes back for want of room.
    /// [`Error::InvalidArgument`] for a part that makes a message one of several parts where
    /// [conflate](Self::set_conflate) is set, or of another number than two where it is an address and a datagram
    /// ([`Dgram`](crate::Dgram)).
    pub fn send_part(&self, part: Message) -> Result<(), SendError> {
        send_part(&self.core, part, None)
    }

    /// Sends a message of several parts, which arrive together or not at all. Waits like [`send`](Self::send).
    ///
    /// ```
    /// use ringmq::{Context, Dealer, Router};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// let context = Context::new();
    /// let router = Router::new(&context)?;
    /// router.bind("tcp://127.0.0.1:*")?;
    /// let dealer = Dealer::new(&context)?;
    /// dealer.set_routing_id(b"alice")?;
    /// dealer.connect(&router.last_endpoint())?;
    /// dealer.send_multipart(["two", "parts"])?;
    /// let received = router.recv_multipart()?;
    /// assert_eq!(received.len(), 3);
    /// assert_eq!(&*received[0], b"alice");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send_part`](Self::send_part), with all parts coming back. [`Error::InvalidArgument`] when there are no parts.
    pub fn send_multipart<P>(&self, parts: impl IntoIterator<Item = P>) -> Result<(), SendMultipartError>
    where
        P: Into<Message>,
    {
        self.send_parts(parts.into_iter().map(Into::into).collect(), None)
    }

    /// Sends a message of several parts without waiting.
    ///
    /// # Errors
    ///
    /// As [`send_multipart`](Self::send_multipart), with [`Error::WouldBlock`] when there is no room.
    pub fn try_send_multipart<P>(&self, parts: impl IntoIterator<Item = P>) -> Result<(), SendMultipartError>
    where
        P: Into<Message>,
    {
        self.send_parts(parts.into_iter().map(Into::into).collect(), Some(Wait::No))
    }

    fn send_parts(&self, parts: Multipart, wait: Option<Wait>) -> Result<(), SendMultipartError> {
        let mut rest = parts.into_iter();
        let Some(mut part) = rest.next() else {
            let error = Error::InvalidArgument {
                rule: "a message has at least one part",
            };
            return Err(SendMultipartError {
                error,
                parts: Multipart::default(),
            });
        };
        loop {
            let next = rest.next();
            part.set_more(next.is_some());
            if let Err(SendError { error, message }) = send_part(&self.core, part, wait) {
                let parts = std::iter::once(message).chain(next).chain(rest).collect();
                return Err(SendMultipartError { error, parts });
            }
            match next {
                Some(next) => part = next,
                None => return Ok(()),
            }
        }
    }
}

#[inline]
fn send_whole(core: &impl Access, payload: impl Payload, wait: Option<Wait>) -> Result<(), SendError> {
    let Some(bytes) = payload.to_copy() else {
        let mut message: Message = payload.into();
        message.set_more(false);
        return send_part(core, message, wait);
    };
    match core.send_bytes(bytes, wait) {
        Ok(()) => Ok(()),
        Err(error) => Err(SendError {
            error,
            message: payload.into(),
        }),
    }
}

#[inline]
fn send_part(core: &impl Access, mut message: Message, wait: Option<Wait>) -> Result<(), SendError> {
    match core.send(&mut message, wait) {
        Ok(()) => Ok(()),
        Err(error) => Err(SendError { error, message }),
    }
}
