//! What comes back when a send fails: the reason, and the message.

use std::fmt;

use ringmq_core::Error;
use ringmq_message::{Message, Multipart};

/// A part that could not be sent, given back with the reason. `?` turns it into an [`Error`] and lets the part go.
///
/// ```
/// use ringmq::{Context, Error, Push};
///
/// # fn main() -> Result<(), Error> {
/// let push = Push::new(&Context::new())?;
/// let failed = push.try_send("nobody is there").unwrap_err();
/// assert!(matches!(failed.error, Error::WouldBlock));
/// assert_eq!(failed.message, b"nobody is there");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SendError {
    /// Why.
    pub error: Error,
    /// The part.
    pub message: Message,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendError> for Error {
    fn from(failed: SendError) -> Self {
        failed.error
    }
}

/// A message of several parts that could not be sent, given back with the reason. `?` turns it into an [`Error`] and lets
/// the parts go.
///
/// ```
/// use ringmq::{Context, Error, Push};
///
/// # fn main() -> Result<(), Error> {
/// let push = Push::new(&Context::new())?;
/// let failed = push.try_send_multipart(["nobody", "is there"]).unwrap_err();
/// assert!(matches!(failed.error, Error::WouldBlock));
/// assert_eq!(failed.parts.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SendMultipartError {
    /// Why.
    pub error: Error,
    /// All parts, from the first on.
    pub parts: Multipart,
}

impl fmt::Display for SendMultipartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SendMultipartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<SendMultipartError> for Error {
    fn from(failed: SendMultipartError) -> Self {
        failed.error
    }
}
