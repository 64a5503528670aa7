//! TCP: addresses and socket options.

use std::io;

use ringmq_io::{
    Address, Credentials, Fd, TcpOptions, apply_stream_options, peer_addr, tcp_connect_start, tcp_listen,
};

use super::{Listening, Transport, clamp};
use crate::{endpoint::TcpEndpoint, error::Error, monitor::Side, options::Options};

/// What the kernel is told about each connection.
fn stream_options(options: &Options) -> TcpOptions {
    let seconds = |time: Option<std::time::Duration>| time.map(|time| clamp(time.as_secs()));
    TcpOptions {
        send_buffer_bytes: options.send_buffer.map(|bytes| clamp(bytes.into())),
        receive_buffer_bytes: options.receive_buffer.map(|bytes| clamp(bytes.into())),
        keepalive: options.tcp_keepalive,
        keepalive_idle_s: seconds(options.tcp_keepalive_idle),
        keepalive_interval_s: seconds(options.tcp_keepalive_interval),
        keepalive_count: options.tcp_keepalive_count.map(|count| clamp(count.into())),
        user_timeout_ms: options
            .tcp_max_retransmit
            .map(|time| time.as_millis().min(u32::MAX.into()) as u32),
        tos: (options.tos != 0).then(|| clamp(options.tos.into())),
        priority: (options.priority != 0).then(|| clamp(options.priority.into())),
        bind_to_device: options.bind_to_device.clone(),
        busy_poll_us: (options.busy_poll_us != 0).then(|| clamp(options.busy_poll_us.into())),
        ipv6: options.ipv6,
    }
}

/// Whether connections from there are taken.
fn is_wanted(peer: &Address, options: &Options) -> bool {
    let filter = &options.tcp_accept_filter;
    match peer {
        // A socket of IPv6 that takes IPv4 as well sees such peers by mapped addresses.
        Address::Inet(peer) => {
            filter.is_empty() || filter.iter().any(|net| net.contains(&peer.ip().to_canonical()))
        }
        _ => filter.is_empty(),
    }
}

impl Transport for TcpEndpoint {
    fn listen(&self, text: &str, options: &Options, given: Option<Fd>) -> Result<Listening, Error> {
        if let Some(fd) = given {
            return Ok(Listening::new(fd, None)?);
        }
        let address = self.resolve_bind(options.ipv6)?;
        let listening = tcp_listen(address, &stream_options(options), clamp(options.backlog.into()));
        let fd = listening.map_err(|error| Error::from_bind(text, error))?;
        Ok(Listening::new(fd, None)?)
    }

    fn check_connect(&self, options: &Options) -> Result<(), Error> {
        self.resolve_source(options.ipv6)?;
        if self.literal().is_some() {
            self.resolve_connect(options.ipv6)?;
        }
        Ok(())
    }

    fn literal_address(&self) -> Option<Address> {
        self.literal().map(Address::from)
    }

    fn look_up(&self, ipv6: bool) -> Result<Vec<Address>, Error> {
        let found = self.resolve_connect(ipv6)?;
        Ok(found.into_iter().map(Address::from).collect())
    }

    fn connect(&self, address: &Address, options: &Options) -> Result<(Fd, bool), Error> {
        let source = self.resolve_source(options.ipv6)?;
        match address {
            Address::Inet(address) => Ok(tcp_connect_start(*address, &stream_options(options), source)?),
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT).into()),
        }
    }

    /// TCP knows addresses and no users.
    fn credentials(&self, _: &Fd) -> io::Result<Option<Credentials>> {
        Ok(None)
    }

    fn admit(
        &self,
        connection: &Fd,
        side: Side,
        _: Option<&Credentials>,
        options: &Options,
    ) -> io::Result<()> {
        match side {
            Side::Bind => {
                if !is_wanted(&peer_addr(connection)?, options) {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                apply_stream_options(connection, &stream_options(options))
            }
            // It has them since before it connected.
            Side::Connect => Ok(()),
        }
    }
}
