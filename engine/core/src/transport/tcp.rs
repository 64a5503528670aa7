//! TCP: addresses and socket options.

use ringmq_io::{Fd, TcpOptions, local_addr, tcp_listen};

use crate::{
    endpoint::{TcpEndpoint, last_endpoint},
    error::Error,
    options::Options,
};

/// What the kernel is told about each connection.
pub(crate) fn stream_options(options: &Options) -> TcpOptions {
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

fn clamp(number: u64) -> i32 {
    number.min(i32::MAX as u64) as i32
}

/// Listens; returns the descriptor and the text that LAST_ENDPOINT reports.
pub(crate) fn listen(endpoint: &TcpEndpoint, text: &str, options: &Options) -> Result<(Fd, String), Error> {
    let address = endpoint.resolve_bind(options.ipv6)?;
    let listening = tcp_listen(address, &stream_options(options), clamp(options.backlog.into()));
    let fd = listening.map_err(|error| Error::from_bind(text, error))?;
    let name = last_endpoint(local_addr(&fd)?);
    Ok((fd, name))
}

/// Finds what is wrong with an endpoint to connect to as far as that can be known at once.
pub(crate) fn check_connect(endpoint: &TcpEndpoint, options: &Options) -> Result<(), Error> {
    endpoint.resolve_source(options.ipv6)?;
    if endpoint.literal_address().is_some() {
        endpoint.resolve_connect(options.ipv6)?;
    }
    Ok(())
}
