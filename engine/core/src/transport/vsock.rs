//! vsock: ZMTP over stream sockets between virtual machines and their host.

use std::io;

use ringmq_io::{Address, Credentials, Fd, UnixOptions, vsock_connect_start, vsock_listen};

use super::{Listening, Transport, clamp};
use crate::{endpoint::VsockEndpoint, error::Error, monitor::Side, options::Options};

fn stream_options(options: &Options) -> UnixOptions {
    UnixOptions {
        send_buffer_bytes: options.send_buffer.map(|bytes| clamp(bytes.into())),
        receive_buffer_bytes: options.receive_buffer.map(|bytes| clamp(bytes.into())),
    }
}

impl Transport for VsockEndpoint {
    fn listen(&self, text: &str, options: &Options, given: Option<Fd>) -> Result<Listening, Error> {
        if let Some(fd) = given {
            return Ok(Listening::new(fd, None)?);
        }
        let listening = vsock_listen(self.0, &stream_options(options), clamp(options.backlog.into()));
        let fd = listening.map_err(|error| Error::from_bind(text, error))?;
        Ok(Listening::new(fd, None)?)
    }

    /// Whether there is such a machine shows when it is tried, and may change.
    fn check_connect(&self, _: &Options) -> Result<(), Error> {
        Ok(())
    }

    fn literal_address(&self) -> Option<Address> {
        Some(Address::Vsock(self.0))
    }

    fn look_up(&self, _: bool) -> Result<Vec<Address>, Error> {
        Ok(vec![Address::Vsock(self.0)])
    }

    fn connect(&self, address: &Address, options: &Options) -> Result<(Fd, bool), Error> {
        match address {
            Address::Vsock(address) => Ok(vsock_connect_start(*address, &stream_options(options))?),
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT).into()),
        }
    }

    /// It knows machines and no users.
    fn credentials(&self, _: &Fd) -> io::Result<Option<Credentials>> {
        Ok(None)
    }

    fn admit(&self, _: &Fd, _: Side, _: Option<&Credentials>, _: &Options) -> io::Result<()> {
        Ok(())
    }
}
