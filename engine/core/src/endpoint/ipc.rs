//! `ipc://` endpoints: paths and abstract names.

use std::fmt;

use ringmq_io::UNIX_NAME_MAX;

use super::Use;
use crate::error::EndpointFault;

/// The address of an ipc endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpcEndpoint {
    /// A path, from the root or from the working directory.
    Path(String),
    /// `@name`: a name in the network namespace, which no file stands for.
    Abstract(String),
    /// `*`: a path in a directory of its own; for binding only.
    Wildcard,
}

impl IpcEndpoint {
    pub(super) fn parse(text: &str, usage: Use) -> Result<Self, EndpointFault> {
        if text == "*" {
            return match usage {
                Use::Bind => Ok(Self::Wildcard),
                Use::Connect => Err(EndpointFault::WildcardPath),
            };
        }
        if text.len() > UNIX_NAME_MAX {
            return Err(EndpointFault::PathTooLong);
        }
        match text.strip_prefix('@') {
            None => Ok(Self::Path(text.to_owned())),
            Some("") => Err(EndpointFault::NoName),
            Some(name) => Ok(Self::Abstract(name.to_owned())),
        }
    }
}

impl fmt::Display for IpcEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Wildcard => f.write_str("*"),
        }
    }
}
