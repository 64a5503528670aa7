//! UDP: an endpoint becomes a socket at once, for there is nobody to connect to.

use std::{io, net::SocketAddr};

use ringmq_io::{Address, Fd, UdpOptions, local_addr, udp_bind, udp_bind_group, udp_open};

use super::clamp;
use crate::{endpoint::UdpEndpoint, error::Error, options::Options};

/// A datagram socket.
pub(crate) struct Datagrams {
    pub(crate) fd: Fd,
    /// Where it sends to, or where it is bound.
    pub(crate) address: SocketAddr,
    /// What LAST_ENDPOINT reports.
    pub(crate) name: String,
}

fn udp_options(options: &Options) -> UdpOptions {
    UdpOptions {
        send_buffer_bytes: options.send_buffer.map(|bytes| clamp(bytes.into())),
        receive_buffer_bytes: options.receive_buffer.map(|bytes| clamp(bytes.into())),
        tos: (options.tos != 0).then(|| clamp(options.tos.into())),
        priority: (options.priority != 0).then(|| clamp(options.priority.into())),
        busy_poll_us: (options.busy_poll_us != 0).then(|| clamp(options.busy_poll_us.into())),
        bind_to_device: options.bind_to_device.clone(),
        multicast_hops: Some(clamp(options.multicast_hops.into())),
        multicast_loop: Some(options.multicast_loop),
    }
}

impl UdpEndpoint {
    /// A socket that receives what is sent to the endpoint; `text` is the endpoint as it was given. May block in the
    /// resolver.
    pub(crate) fn listen(&self, text: &str, options: &Options) -> Result<Datagrams, Error> {
        let address = self.resolve_bind(options.ipv6)?;
        let how = udp_options(options);
        let fd = if self.group().is_some() {
            let interface = self.resolve_interface(options.ipv6)?;
            udp_bind_group(address, &interface, &how)
        } else {
            udp_bind(address, &how)
        };
        let fd = fd.map_err(|error| Error::from_bind(text, error))?;
        let Address::Inet(address) = local_addr(&fd)? else {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT).into());
        };
        let name = self.bound_as(address);
        Ok(Datagrams { fd, address, name })
    }

    /// A socket that sends to the endpoint. May block in the resolver.
    pub(crate) fn open(&self, text: &str, options: &Options) -> Result<Datagrams, Error> {
        let address = self.resolve_connect(options.ipv6)?;
        let interface = self.resolve_interface(options.ipv6)?;
        let fd = udp_open(address, &interface, &udp_options(options))?;
        let name = text.to_owned();
        Ok(Datagrams { fd, address, name })
    }
}
