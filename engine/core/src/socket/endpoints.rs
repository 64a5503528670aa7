//! Binding, connecting, and taking endpoints back.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::{Arc, mpsc},
    time::Duration,
};

use ringmq_io::{Fd, adopt_listener, own_listener};

use super::{Socket, SocketShared};
use crate::{
    datagram::Format,
    endpoint::{Endpoint, UdpEndpoint},
    error::Error,
    inproc::Party,
    limits,
    link::{UNATTACHED, lock},
    monitor::{Event, EventRecord, Side},
    options::{Options, Overflow},
    pattern::Datagrams,
    pipe::{self, Peer},
    presence::Presence,
    transport::{Datagrams as OpenDatagrams, Target, Transport},
    worker::{Command, DatagramCommand, Dial, NewListener, NewSession},
};

/// What a socket is bound and connected to.
#[derive(Default)]
pub(super) struct Endpoints {
    entries: Vec<Entry>,
    next_id: u64,
    last: String,
}

struct Entry {
    id: u64,
    name: String,
    bound: bool,
    /// The descriptor that listens there.
    listener: Option<i32>,
}

impl Endpoints {
    pub(super) fn contains(&self, id: u64) -> bool {
        self.entries.iter().any(|entry| entry.id == id)
    }

    /// On which side of the endpoint's connections the socket is, and its name, which is empty once it is removed.
    pub(super) fn describe(&self, id: u64) -> (Side, String) {
        match self.entries.iter().find(|entry| entry.id == id) {
            Some(entry) if !entry.bound => (Side::Connect, entry.name.clone()),
            Some(entry) => (Side::Bind, entry.name.clone()),
            None => (Side::Bind, String::new()),
        }
    }

    fn add(&mut self, name: &str, bound: bool) -> u64 {
        self.next_id += 1;
        self.entries.push(Entry {
            id: self.next_id,
            name: name.to_owned(),
            bound,
            listener: None,
        });
        self.last = name.to_owned();
        self.next_id
    }

    fn find(&self, name: &str, bound: bool) -> Option<u64> {
        self.entries
            .iter()
            .find(|entry| entry.bound == bound && entry.name == name)
            .map(|entry| entry.id)
    }

    /// The text of an endpoint, or nothing if it was removed.
    pub(super) fn name(&self, id: u64) -> &str {
        let entry = self.entries.iter().find(|entry| entry.id == id);
        entry.map_or("", |entry| &entry.name)
    }

    fn note_listener(&mut self, id: u64, listener: i32) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.listener = Some(listener);
        }
    }

    fn remove(&mut self, id: u64) {
        self.entries.retain(|entry| entry.id != id);
    }
}

impl Socket {
    /// The endpoint last bound, with its real address and port, or last connected, as it was given.
    pub fn last_endpoint(&self) -> &str {
        &self.endpoints.last
    }

    /// Listens on an endpoint. Returns when connections can be made to it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidEndpoint`], [`Error::UnsupportedTransport`], [`Error::IncompatibleTransport`],
    /// [`Error::AddressInUse`], [`Error::AddressNotAvailable`], [`Error::NoDevice`], [`Error::Terminated`], [`Error::Io`].
    pub fn bind(&mut self, endpoint: &str) -> Result<(), Error> {
        self.process_commands()?;
        let transport = match Target::to_bind(Endpoint::parse_bind(endpoint)?) {
            Target::Inproc(name) => {
                self.check_framed()?;
                return self.bind_inproc(&name, endpoint);
            }
            Target::Datagrams(udp) => return self.bind_datagrams(&udp, endpoint),
            Target::Kernel(transport) => transport,
        };
        self.check_carrier(&*transport, endpoint)?;
        let number = self
            .options
            .use_fd
            .map(|number| i32::try_from(number).unwrap_or(-1));
        self.listen(transport, number.map(adopt_listener), endpoint)?;
        // Given away once.
        self.options.use_fd = None;
        Ok(())
    }

    /// Binds to a stream endpoint with a socket that listens there already, or wherever its owner wants.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind); [`Error::IncompatibleTransport`] for transports without listening sockets; [`Error::Io`] if the
    /// descriptor is of none.
    pub fn bind_listener(&mut self, endpoint: &str, listener: OwnedFd) -> Result<(), Error> {
        self.process_commands()?;
        let Target::Kernel(transport) = Target::to_bind(Endpoint::parse_bind(endpoint)?) else {
            return Err(Error::IncompatibleTransport {
                scheme: endpoint.split("://").next().unwrap_or_default().to_owned(),
                socket_type: self.socket_type(),
            });
        };
        self.check_carrier(&*transport, endpoint)?;
        self.listen(transport, Some(own_listener(listener)), endpoint)
    }

    /// Listens, with a socket that does so already if there is one.
    fn listen(
        &mut self,
        transport: Arc<dyn Transport>,
        given: Option<io::Result<Fd>>,
        endpoint: &str,
    ) -> Result<(), Error> {
        let given = given.transpose().map_err(Error::from);
        let listening = given.and_then(|given| transport.listen(endpoint, &self.options, given));
        let listening = match listening {
            Ok(listening) => listening,
            Err(error) => {
                self.report_bind_failure(endpoint, &error);
                return Err(error);
            }
        };
        let worker = self.context.worker(self.options.affinity)?;
        let id = self.add_endpoint(&listening.name, true);
        self.endpoints.note_listener(id, listening.fd.as_raw_fd());
        let listener = NewListener {
            listening,
            transport,
            socket: self.shared.clone(),
            options: self.options.clone().into(),
            endpoint: id,
            presence: Presence::of(&self.shared),
        };
        worker.push(Command::Listen(Box::new(listener)));
        Ok(())
    }

    /// Takes a name in the context, and the connections that wait for it.
    fn bind_inproc(&mut self, name: &str, endpoint: &str) -> Result<(), Error> {
        let context = self.context.clone();
        let last = self.endpoints.last.clone();
        let id = self.add_endpoint(endpoint, true);
        let (shared, options) = (self.shared.clone(), self.options.clone());
        let Some(pipes) = context.inproc().bind(name, &party(&shared, &options, id)) else {
            self.remove_entry(id);
            self.endpoints.last = last;
            return Err(Error::AddressInUse {
                endpoint: endpoint.to_owned(),
            });
        };
        for pipe in pipes {
            self.attach(pipe, true);
        }
        Ok(())
    }

    /// Connects to a name in the context, which may be bound later.
    fn connect_inproc(&mut self, name: &str, endpoint: &str) {
        let context = self.context.clone();
        let id = self.add_endpoint(endpoint, false);
        let (shared, options) = (self.shared.clone(), self.options.clone());
        let named = std::mem::take(&mut self.options.connect_routing_id);
        context
            .inproc()
            .connect(name, &party(&shared, &options, id), |mut pipe, known| {
                if !named.is_empty() {
                    let found = std::mem::replace(&mut pipe.peer, Peer::named(named));
                    pipe.peer.introduce(found);
                }
                self.attach(pipe, known).unwrap_or(UNATTACHED)
            });
    }

    fn report_bind_failure(&self, endpoint: &str, error: &Error) {
        self.shared.emit(EventRecord {
            event: Event::BindFailed { errno: error.errno() },
            side: Side::Bind,
            local: endpoint.to_owned(),
            remote: String::new(),
            peer: None,
            credentials: None,
        });
    }

    /// Starts to connect to an endpoint and returns at once; the connection is made, and made again when it breaks, in
    /// the background. Unless IMMEDIATE is set, messages may be sent to it from now on.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidEndpoint`], [`Error::UnsupportedTransport`], [`Error::RoutingIdInUse`], [`Error::Terminated`],
    /// [`Error::Io`].
    pub fn connect(&mut self, endpoint: &str) -> Result<(), Error> {
        self.process_commands()?;
        self.check_name()?;
        let transport = match Target::to_connect(Endpoint::parse_connect(endpoint)?, &self.options)? {
            Target::Inproc(name) => {
                self.check_framed()?;
                self.connect_inproc(&name, endpoint);
                return Ok(());
            }
            Target::Datagrams(udp) => return self.connect_datagrams(&udp, endpoint),
            Target::Kernel(transport) => transport,
        };
        self.check_carrier(&*transport, endpoint)?;
        transport.check_connect(&self.options)?;
        if self.shared.traits.connects_once && self.endpoints.find(endpoint, false).is_some() {
            return Ok(());
        }
        let worker = self.context.worker(self.options.affinity)?;
        let id = self.add_endpoint(endpoint, false);
        let options: std::sync::Arc<_> = self.options.clone().into();
        let (link, mut pipe) = pipe::pair(&worker, &self.shared, &options, id, transport.is_local());
        pipe.peer = Peer::named(std::mem::take(&mut self.options.connect_routing_id));
        let immediate = options.immediate;
        let unattached = if immediate {
            Some(Box::new(pipe))
        } else {
            self.attach(pipe, false);
            None
        };
        let dial = Dial::new(transport, endpoint.to_owned(), &options, self.context.next_seed());
        let session = NewSession {
            socket: self.shared.clone(),
            options,
            endpoint: id,
            link,
            pipe: unattached,
            dial,
            presence: Presence::of(&self.shared),
        };
        worker.push(Command::Connect(Box::new(session)));
        Ok(())
    }

    /// Connects to an endpoint, as [`connect`](Self::connect) does, and returns the number by which messages are sent to the
    /// peer (PEER).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect). [`Error::NotSupported`] for other types, [`Error::InvalidArgument`] for an immediate
    /// socket, whose peers get their number with the connection.
    pub fn connect_peer(&mut self, endpoint: &str) -> Result<u32, Error> {
        if !self.shared.traits.numbers_peers {
            return Err(Error::NotSupported);
        }
        if self.options.immediate {
            let rule = "a peer of an immediate socket has a number only once it is connected";
            return Err(Error::InvalidArgument { rule });
        }
        self.connect(endpoint)?;
        self.pattern.behaviour().peer_number().ok_or(Error::NotSupported)
    }

    /// A socket whose peers speak no ZMTP has none in its own process.
    fn check_framed(&self) -> Result<(), Error> {
        if self.shared.is_raw(&self.options) {
            return Err(self.incompatible("inproc://"));
        }
        self.check_streams("inproc://")
    }

    /// Whether the transport can carry what the socket says.
    fn check_carrier(&self, transport: &dyn Transport, endpoint: &str) -> Result<(), Error> {
        if self.shared.is_raw(&self.options) && !transport.carries_anything() {
            return Err(self.incompatible(endpoint));
        }
        self.check_streams(endpoint)
    }

    /// A socket for nothing but datagrams has no connections.
    fn check_streams(&self, endpoint: &str) -> Result<(), Error> {
        if self.shared.traits.datagrams == Datagrams::Only {
            return Err(self.incompatible(endpoint));
        }
        Ok(())
    }

    fn incompatible(&self, endpoint: &str) -> Error {
        let scheme = endpoint.split_once("://").map_or("", |(scheme, _)| scheme);
        Error::IncompatibleTransport {
            scheme: scheme.to_owned(),
            socket_type: self.shared.socket_type,
        }
    }

    /// Receives datagrams from now on.
    fn bind_datagrams(&mut self, udp: &UdpEndpoint, endpoint: &str) -> Result<(), Error> {
        let addressed = match self.shared.traits.datagrams {
            Datagrams::FromGroups => false,
            Datagrams::Only => true,
            Datagrams::None | Datagrams::Groups => return Err(self.incompatible(endpoint)),
        };
        let opened = match udp.listen(endpoint, &self.options) {
            Ok(opened) => opened,
            Err(error) => {
                self.report_bind_failure(endpoint, &error);
                return Err(error);
            }
        };
        let format = if addressed {
            let v6 = opened.address.is_ipv6();
            Format::Address { v6 }
        } else {
            Format::Group { target: None }
        };
        self.attach_datagrams(opened, format, true)
    }

    /// Sends datagrams from now on.
    fn connect_datagrams(&mut self, udp: &UdpEndpoint, endpoint: &str) -> Result<(), Error> {
        if self.shared.traits.datagrams != Datagrams::Groups {
            return Err(self.incompatible(endpoint));
        }
        let opened = udp.open(endpoint, &self.options)?;
        let target = Some(opened.address);
        self.attach_datagrams(opened, Format::Group { target }, false)
    }

    fn attach_datagrams(&mut self, opened: OpenDatagrams, format: Format, bound: bool) -> Result<(), Error> {
        let worker = self.context.worker(self.options.affinity)?;
        let last = self.endpoints.last.clone();
        let id = self.add_endpoint(&opened.name, bound);
        let (link, pipe) = pipe::datagrams(&worker, &self.shared, &self.options, id, opened.fd, format);
        worker.push(DatagramCommand::Open(link, bound).into());
        let key = self.attach(pipe, true);
        if key.is_none_or(|key| self.pipes.get(key).is_none()) {
            self.remove_entry(id);
            self.endpoints.last = last;
            let rule = "this socket has one endpoint";
            return Err(Error::InvalidArgument { rule });
        }
        Ok(())
    }

    /// Whether the name for the next peer, if there is one, is free.
    fn check_name(&mut self) -> Result<(), Error> {
        let name = &self.options.connect_routing_id;
        if name.is_empty() || self.pattern.behaviour().is_free(name) {
            Ok(())
        } else {
            Err(Error::RoutingIdInUse)
        }
    }

    /// Stops listening; connections that were accepted there are closed, with LINGER for what they still have to send.
    /// The address is free when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`]; the text must be what [`last_endpoint`](Self::last_endpoint) said.
    pub fn unbind(&mut self, endpoint: &str) -> Result<(), Error> {
        self.remove_endpoint(endpoint, true)
    }

    /// Ends a connection, with LINGER for what it still has to send.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEndpoint`]; the text must be what was given to [`connect`](Self::connect).
    pub fn disconnect(&mut self, endpoint: &str) -> Result<(), Error> {
        self.remove_endpoint(endpoint, false)
    }

    fn remove_endpoint(&mut self, endpoint: &str, bound: bool) -> Result<(), Error> {
        self.process_commands()?;
        let no_such = || Error::NoSuchEndpoint {
            endpoint: endpoint.to_owned(),
        };
        let id = self.endpoints.find(endpoint, bound).ok_or_else(no_such)?;
        if bound && let Some(name) = endpoint.strip_prefix("inproc://") {
            self.context.inproc().unbind(name);
        }
        for key in self.pipes.keys() {
            if self.pipes.get(key).is_some_and(|pipe| pipe.endpoint == id) {
                self.leave_to_session(key);
            }
        }
        self.remove_entry(id);
        let (done, closed) = mpsc::channel();
        self.context
            .close_endpoint(&self.shared, id, self.options.linger, &done);
        drop(done);
        // Workers answer as soon as they see the command; the bound is for a worker that is gone.
        while closed
            .recv_timeout(Duration::from_millis(limits::CLOSE_ANSWER_MS))
            .is_ok()
        {}
        Ok(())
    }

    fn add_endpoint(&mut self, name: &str, bound: bool) -> u64 {
        lock(&self.shared.endpoints).push(name.to_owned());
        self.endpoints.add(name, bound)
    }

    /// Tells of the listeners that end with the socket, and that nothing follows.
    pub(super) fn end_monitor(&mut self) {
        for entry in &self.endpoints.entries {
            let Some(fd) = entry.listener else { continue };
            self.shared.emit(EventRecord {
                local: entry.name.clone(),
                ..EventRecord::bare(Event::Closed { fd })
            });
        }
        self.set_listener(None);
    }

    pub(super) fn remove_entry(&mut self, id: u64) {
        let name = self.endpoints.name(id);
        let mut names = lock(&self.shared.endpoints);
        if let Some(place) = names.iter().position(|other| other == name) {
            names.remove(place);
        }
        drop(names);
        self.endpoints.remove(id);
    }

    /// Takes a pipe out while its session goes on to send what is queued.
    fn leave_to_session(&mut self, key: crate::route::PipeKey) {
        self.pattern.behaviour().detached(&mut self.pipes, key);
        self.pipes.regain(key);
        self.report_drops();
        lock(&self.shared.ledger).leave(key);
        if let Some(mut pipe) = self.pipes.remove(key) {
            pipe.rollback();
        }
    }
}

/// This socket as the other side of an in-process connection sees it.
fn party<'a>(socket: &'a Arc<SocketShared>, options: &'a Options, endpoint: u64) -> Party<'a> {
    let hwm = (u64::from(options.send_hwm), u64::from(options.receive_hwm));
    Party {
        socket,
        endpoint,
        identity: &options.routing_id,
        hello: &options.hello_message,
        disconnect: &options.disconnect_message,
        hwm,
        receive_bytes_max: options.receive_bytes_max.unwrap_or(0),
        drops_oldest: options.overflow == Overflow::DropOldest,
        conflate: options.conflate,
    }
}
