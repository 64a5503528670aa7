//! In the place of TLS, in a library that was built without. An endpoint that wants it is refused before it gets here.

use std::io;

use super::Layer;
use crate::{error::Error, options::Options};

/// What a listener would need: nobody has one.
pub(crate) enum TlsServer {}

/// What connecting would need: nobody has one.
pub(crate) enum TlsClient {}

impl TlsServer {
    pub(crate) fn new(_options: &Options) -> Result<Self, Error> {
        Err(Error::NotSupported)
    }

    pub(crate) fn layer(&self) -> io::Result<Box<dyn Layer>> {
        match *self {}
    }
}

impl TlsClient {
    pub(crate) fn new(_options: &Options, _host: &str) -> Result<Self, Error> {
        Err(Error::NotSupported)
    }

    pub(crate) fn layer(&self) -> io::Result<Box<dyn Layer>> {
        match *self {}
    }
}
