//! The socket: what all patterns share. It runs on its owner's thread, without a lock.

mod attach;
mod endpoints;
mod event_fd;
mod observers;
mod peers;
mod rings;
mod roster;
mod shared;
mod sleeper;
mod wait;

use std::sync::Arc;

use ringmq_message::Message;
use ringmq_zmtp::SocketType;

pub use observers::Observer;
pub use roster::{Counters, PeerId, PeerInfo};
pub(crate) use shared::{Board, Change, SocketCommand, SocketShared};
pub use sleeper::Sleeper;
pub use wait::{Events, Wait};

use crate::{
    context::Context,
    error::Error,
    limits,
    link::lock,
    monitor::{self, Credentials, DropCause, Event, EventMask, EventRecord, Listener, MonitorReceiver},
    options::Options,
    pace::Dwell,
    pattern::{Admission, Nothing, Pattern, Refusal},
    route::Pipes,
};
use endpoints::Endpoints;
use wait::Outcome;

/// A socket of any type. Not to be used from two threads at once, which its `&mut self` methods see to.
pub struct Socket {
    context: Context,
    shared: Arc<SocketShared>,
    options: Options,
    pattern: Pattern,
    pipes: Pipes,
    endpoints: Endpoints,
    /// Reused for draining the mailbox.
    commands: Vec<SocketCommand>,
    lending: wait::Lending,
    patience: wait::Patience,
    shared_pipes: rings::SharedPipes,
    /// An event loop of the application's watches the socket's descriptor.
    watched: bool,
    /// The longest part that may be sent.
    send_len_max: usize,
}

impl Socket {
    /// Makes a socket. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NotSupported`] for a type that is not offered, [`Error::Terminated`], [`Error::TooManySockets`].
    pub fn new(context: &Context, socket_type: SocketType) -> Result<Self, Error> {
        let seed = context.next_seed();
        let (mut pattern, traits) = Pattern::new(socket_type, seed).ok_or(Error::NotSupported)?;
        let copies_bodies = !context.options().zero_copy_receive;
        let shared = Arc::new(SocketShared::new(socket_type, traits, copies_bodies));
        context.register(&shared)?;
        let options = context.default_options(socket_type);
        pattern.behaviour().configure(&options);
        pattern.behaviour().bind_shared(&shared);
        let pipes = Pipes::counting(shared.dropped.clone(), Dwell::new(options.busy_poll));
        Ok(Self {
            context: context.clone(),
            shared,
            options,
            pattern,
            pipes,
            endpoints: Endpoints::default(),
            commands: Vec::new(),
            lending: wait::Lending::default(),
            patience: wait::Patience::default(),
            shared_pipes: rings::SharedPipes::default(),
            watched: false,
            send_len_max: context.options().send_len_max,
        })
    }

    /// The type that it was made with.
    pub fn socket_type(&self) -> SocketType {
        self.shared.socket_type
    }

    /// Whether its type is one of those that several threads may use at once, by turns.
    pub fn is_concurrent(&self) -> bool {
        self.shared.traits.concurrent
    }

    /// The options as they are.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Changes options; those that are live take effect now, the others at the next bind or connect.
    pub fn set_options(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
        self.apply_options();
    }

    /// Sets one option by libzmq's number from libzmq's bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] names the option and what was wrong.
    pub fn set_raw_option(&mut self, number: i32, value: &[u8]) -> Result<(), Error> {
        self.options.set_raw(number, value, self.shared.socket_type)?;
        self.apply_options();
        Ok(())
    }

    /// Sets the longest part that may be sent; the default is the context's.
    pub fn set_send_len_max(&mut self, max: usize) {
        self.send_len_max = max;
    }

    fn apply_options(&mut self) {
        self.pattern.behaviour().configure(&self.options);
        self.pipes.patience = Dwell::new(self.options.busy_poll);
        for pipe in self.pipes.iter_mut() {
            pipe.limit(&self.options);
        }
    }

    /// How many connections the socket has pipes for: for a connecting socket, before they are established, too.
    pub fn pipe_count(&mut self) -> usize {
        self.drain_commands();
        // One that has ended and was read out is noticed by the next receive, which may not come.
        for key in self.pipes.keys() {
            if self
                .pipes
                .get(key)
                .is_some_and(|pipe| pipe.is_closed() && !pipe.has_queued())
            {
                self.detach(key);
            }
        }
        self.pipes.len()
    }

    /// Who the peers over `ipc://` are that the socket has pipes to, in the order of these.
    pub fn peer_credentials(&mut self) -> Vec<Credentials> {
        self.drain_commands();
        let keys = self.pipes.keys();
        keys.into_iter()
            .filter_map(|key| self.pipes.get(key)?.peer.credentials)
            .collect()
    }

    /// Sends one part; `message.more()` says that others of the same message follow. On success the part has been taken:
    /// what is left in `message` means nothing.
    ///
    /// # Errors
    ///
    /// The part is still there, and the error is the reason: [`Error::WouldBlock`] or [`Error::TimedOut`] as `wait` asks,
    /// [`Error::State`], [`Error::HostUnreachable`], [`Error::InvalidArgument`] for a part of several where messages have
    /// only one, [`Error::MessageTooLong`], [`Error::NotSupported`], [`Error::Terminated`].
    #[inline(always)]
    pub fn send(&mut self, message: &mut Message, wait: Wait) -> Result<(), Error> {
        if !self.shared.is_quiet() {
            self.process_commands()?;
        }
        if message.len() > self.send_len_max {
            return Err(self.too_long());
        }
        match self.pattern.send(&mut self.pipes, message) {
            Ok(()) if self.pipes.drops.is_empty() => Ok(()),
            Ok(()) => {
                self.bury();
                self.report_drops();
                Ok(())
            }
            Err(refusal) => self.send_slow(message, refusal, wait),
        }
    }

    /// Sends a message of one part, copied from `body`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline(always)]
    pub fn send_bytes(&mut self, body: &[u8], wait: Wait) -> Result<(), Error> {
        if !self.shared.is_quiet() {
            self.process_commands()?;
        }
        if body.len() < limits::REFERENCE_BODY_MIN.min(self.send_len_max)
            && let Some(Ok(())) = self.pattern.send_bytes(&mut self.pipes, body)
        {
            return Ok(());
        }
        self.send_copy(body, wait)
    }

    /// Away from the usual path, which is shorter without a message in it.
    #[inline(never)]
    fn send_copy(&mut self, body: &[u8], wait: Wait) -> Result<(), Error> {
        self.send(&mut Message::from_slice(body), wait)
    }

    #[cold]
    fn too_long(&self) -> Error {
        let max = self.send_len_max;
        Error::MessageTooLong { max }
    }

    #[cold]
    fn send_slow(&mut self, message: &mut Message, mut refusal: Refusal, wait: Wait) -> Result<(), Error> {
        let mut waiting = self.start_waiting(wait, false);
        loop {
            match refusal {
                Refusal::Full => {}
                Refusal::State => return Err(Error::State),
                Refusal::Unroutable => return Err(Error::HostUnreachable),
                Refusal::Parts => {
                    let rule = "a message of this socket has one part";
                    return Err(Error::InvalidArgument { rule });
                }
                Refusal::TwoParts => {
                    let rule = "a message of this socket has two parts, an address and a body";
                    return Err(Error::InvalidArgument { rule });
                }
                Refusal::NotSupported => return Err(Error::NotSupported),
            }
            match self.wait_for_commands(&mut waiting)? {
                Outcome::Again => {}
                Outcome::Expired(error) => return Err(error),
            }
            self.process_commands()?;
            match self.pattern.send(&mut self.pipes, message) {
                Ok(()) => {
                    self.finish_waiting(waiting);
                    self.report_drops();
                    return Ok(());
                }
                Err(again) => refusal = again,
            }
        }
    }

    /// Receives one part into `message`, whose former content is released; `message.more()` says whether others of the same
    /// message follow. A message is received as a whole: once its first part was, the others are there.
    ///
    /// # Errors
    ///
    /// [`Error::WouldBlock`] or [`Error::TimedOut`] as `wait` asks, [`Error::State`], [`Error::NotSupported`],
    /// [`Error::Terminated`].
    #[inline(always)]
    pub fn recv(&mut self, message: &mut Message, wait: Wait) -> Result<(), Error> {
        if !self.shared.is_quiet() {
            self.process_commands()?;
        }
        self.pipes.may_wait = wait != Wait::No;
        match self.pattern.recv(&mut self.pipes, message) {
            Ok(()) => Ok(()),
            Err(nothing) => self.recv_slow(message, nothing, wait),
        }
    }

    #[cold]
    fn recv_slow(&mut self, message: &mut Message, mut nothing: Nothing, wait: Wait) -> Result<(), Error> {
        let mut waiting = self.start_waiting(wait, true);
        // A receive that found nothing marks the end of a burst.
        self.pipes.pace.has_waited();
        loop {
            match nothing {
                Nothing::Empty => {}
                Nothing::State => return Err(Error::State),
                Nothing::NotSupported => return Err(Error::NotSupported),
            }
            self.bury();
            match self.wait_for_commands(&mut waiting)? {
                Outcome::Again => {}
                Outcome::Expired(error) => return Err(error),
            }
            self.process_commands()?;
            match self.pattern.recv(&mut self.pipes, message) {
                Ok(()) => {
                    self.finish_waiting(waiting);
                    return Ok(());
                }
                Err(again) => nothing = again,
            }
        }
    }

    /// What could be done now without waiting. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`].
    pub fn events(&mut self) -> Result<Events, Error> {
        self.settle();
        self.flush();
        loop {
            self.process_commands()?;
            self.pump();
            let events = self.look();
            if events.readable {
                self.bury();
                return Ok(events);
            }
            self.pipes.pace.has_waited();
            self.bury();
            if self.stay_announced()? {
                return Ok(events);
            }
        }
    }

    fn look(&mut self) -> Events {
        let behaviour = self.pattern.behaviour();
        let mut events = Events {
            readable: behaviour.can_recv(&mut self.pipes),
            writable: behaviour.can_send(&mut self.pipes),
        };
        if !events.writable && self.let_spill() {
            events.writable = self.pattern.behaviour().can_send(&mut self.pipes);
        }
        events
    }

    /// Starts to report events to the returned listener; an earlier one ends. A listener that does not read loses
    /// events, and is told how many, but never holds anything up.
    pub fn monitor(&mut self, mask: EventMask) -> MonitorReceiver {
        let (sender, receiver) = monitor::channel(limits::MONITOR_QUEUE_LEN, mask);
        self.shared.set_monitor(Some(Box::new(sender)));
        receiver
    }

    /// Reports events to `listener` from now on; an earlier one is told that it is over. `None` reports to nobody.
    pub fn set_listener(&mut self, listener: Option<Box<dyn Listener>>) {
        self.shared.emit(EventRecord::bare(Event::MonitorStopped));
        self.shared.set_monitor(listener);
    }

    fn check_alive(&self) -> Result<(), Error> {
        if self.shared.is_terminated() {
            Err(Error::Terminated)
        } else {
            Ok(())
        }
    }

    /// Does what workers have asked for. After the end of the context nothing is done any more, so that the mailbox is
    /// never quiet again, and every call comes here and learns of it.
    fn process_commands(&mut self) -> Result<(), Error> {
        self.check_alive()?;
        while !self.shared.is_quiet() {
            self.drain_commands();
            self.settle();
            self.check_alive()?;
        }
        Ok(())
    }

    fn drain_commands(&mut self) {
        if self.shared.is_quiet() {
            return;
        }
        let mut commands = std::mem::take(&mut self.commands);
        self.shared.drain(&mut commands);
        for command in commands.drain(..) {
            self.process(command);
        }
        self.commands = commands;
        self.bury();
    }

    fn process(&mut self, command: SocketCommand) {
        let Self {
            pattern,
            pipes,
            options,
            ..
        } = self;
        match command {
            SocketCommand::Readable(key) => pattern.behaviour().readable(pipes, key),
            SocketCommand::Writable(key) => pattern.behaviour().writable(pipes, key),
            SocketCommand::Attach(pipe) => {
                self.attach(*pipe, true);
            }
            SocketCommand::Up(key, peer) => {
                let Some(pipe) = pipes.get(key) else { return };
                pipe.peer.introduce(*peer);
                // The other side's allowances are known now.
                pipe.limit(options);
                if let Admission::Refused(why) = pattern.behaviour().up(pipes, key) {
                    pipes.dismiss(key, why);
                }
            }
            SocketCommand::Upgraded(key, rings) => self.upgraded(key, *rings),
            SocketCommand::Severed(key) => self.severed(key),
            SocketCommand::Lent(key, fd) => self.take_lent(key, fd),
            SocketCommand::Closed(key) => self.end(key),
            SocketCommand::Terminated => {}
        }
    }
}

impl Drop for Socket {
    /// Hands unsent messages to the workers, which try for as long as LINGER says; does not block.
    fn drop(&mut self) {
        self.shared.close();
        self.context.inproc().forget(&self.shared);
        self.drain_commands();
        for key in self.pipes.keys() {
            self.pipes.regain(key);
        }
        for key in self.pipes.keys() {
            let Some(pipe) = self.pipes.get(key) else { continue };
            pipe.rollback();
            let unread = pipe.unread().unwrap_or(0);
            lock(&self.shared.leftovers).extend(pipe.leftover());
            self.pipes.note_drop(key, DropCause::Closed, unread);
        }
        self.report_drops();
        lock(&self.shared.ledger).leave_all();
        // First, because workers would tell of the same and of the connections, in an order that nobody could rely on.
        self.end_monitor();
        self.context.close_socket(&self.shared, self.options.linger);
        self.shared.open_gate();
    }
}
