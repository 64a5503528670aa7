//! Looking up host names away from the workers, because the system's resolver blocks.

use std::{io, sync::Arc, thread};

use crate::{
    transport::Transport,
    worker::{Command, Resolved, WorkerShared},
};

/// What to look up, and for whom.
pub(crate) struct Request {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) ipv6: bool,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) slot: u32,
    pub(crate) serial: u64,
}

/// Looks a name up on a thread of its own; the worker gets the answer as a command. A session asks for one look-up at
/// a time, so there are never more threads than sessions that wait for a name.
pub(crate) fn resolve(request: Request) -> io::Result<()> {
    let look_up = move || {
        let Request {
            transport,
            ipv6,
            worker,
            slot,
            serial,
        } = request;
        let addresses = transport.look_up(ipv6);
        worker.push(Command::Resolved(Box::new(Resolved {
            slot,
            serial,
            addresses,
        })));
    };
    thread::Builder::new()
        .name("RingMQ/resolve".to_owned())
        .spawn(look_up)
        .map(drop)
}
