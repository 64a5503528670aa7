//! Receiving.

use std::time::Duration;

use ringmq_core::{Error, Wait};
use ringmq_message::{Message, Multipart};

use super::Socket;
use crate::{
    access::Access,
    kind::{HasParts, Receives},
};

impl<K: Receives> Socket<K> {
    /// Receives the next part. Waits for as long as the [receive timeout](Self::set_receive_timeout) says.
    /// [`Message::more`] tells whether other parts of the same message follow; those are there already.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] or, with a timeout of zero, [`Error::WouldBlock`]; [`Error::State`] when it is not the socket's
    /// turn ([`Req`](crate::Req), [`Rep`](crate::Rep)); [`Error::Terminated`].
    #[inline]
    pub fn recv(&self) -> Result<Message, Error> {
        let mut message = Message::new();
        self.recv_into(&mut message)?;
        Ok(message)
    }

    /// Receives the next part into `message`, whose former content is released; otherwise as [`recv`](Self::recv). In a
    /// tight loop this saves moving messages around.
    ///
    /// ```
    /// use ringmq::{Context, Message, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// # let context = Context::new();
    /// # let pull = Pull::new(&context)?;
    /// # pull.bind("inproc://numbers")?;
    /// # let push = Push::new(&context)?;
    /// # push.connect("inproc://numbers")?;
    /// # for number in ["1", "2", "3"] {
    /// #     push.send(number)?;
    /// # }
    /// let mut message = Message::new();
    /// let mut len = 0;
    /// for _ in 0..3 {
    ///     pull.recv_into(&mut message)?;
    ///     len += message.len();
    /// }
    /// assert_eq!(len, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); `message` may have lost its former content.
    #[inline]
    pub fn recv_into(&self, message: &mut Message) -> Result<(), Error> {
        self.core.recv(message, None)
    }

    /// Receives the next part if it is there. Does not wait.
    ///
    /// ```
    /// use ringmq::{Context, Error, Pull};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let pull = Pull::new(&Context::new())?;
    /// pull.bind("inproc://work")?;
    /// assert!(matches!(pull.try_recv(), Err(Error::WouldBlock)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), with [`Error::WouldBlock`] when nothing is there.
    #[inline]
    pub fn try_recv(&self) -> Result<Message, Error> {
        let mut message = Message::new();
        self.core.recv(&mut message, Some(Wait::No))?;
        Ok(message)
    }

    /// Receives the next part, and waits for it at most for `timeout`, whatever the socket's own timeout is.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv): [`Error::TimedOut`], or [`Error::WouldBlock`] when `timeout` is zero.
    pub fn recv_within(&self, timeout: Duration) -> Result<Message, Error> {
        let mut message = Message::new();
        self.core.recv(&mut message, Some(Wait::from(Some(timeout))))?;
        Ok(message)
    }
}

impl<K: Receives + HasParts> Socket<K> {
    /// Receives all parts of the next message, or those that are left of the present one. Waits like
    /// [`recv`](Self::recv).
    ///
    /// ```
    /// use ringmq::{Context, Pull, Push};
    ///
    /// # fn main() -> Result<(), ringmq::Error> {
    /// # let context = Context::new();
    /// # let pull = Pull::new(&context)?;
    /// # pull.bind("inproc://parts")?;
    /// # let push = Push::new(&context)?;
    /// # push.connect("inproc://parts")?;
    /// push.send_multipart(["head", "body"])?;
    /// for part in pull.recv_multipart()? {
    ///     println!("{} bytes", part.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_multipart(&self) -> Result<Multipart, Error> {
        recv_parts(&self.core, None)
    }

    /// Receives all parts of the next message if it is there, or those that are left of the present one. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_multipart(&self) -> Result<Multipart, Error> {
        recv_parts(&self.core, Some(Wait::No))
    }
}

fn recv_parts(core: &impl Access, wait: Option<Wait>) -> Result<Multipart, Error> {
    let mut parts = Multipart::default();
    loop {
        let mut part = Message::new();
        core.recv(&mut part, wait)?;
        let more = part.more();
        parts.push(part);
        if !more {
            return Ok(parts);
        }
    }
}
