//! The part of a socket that workers see: a mailbox, a parking place and a few shared facts.

use std::sync::{Arc, OnceLock};

use ringmq_io::Fd;
use ringmq_queue::{
    barrier::light_fence,
    mailbox::Mailbox,
    sync::{AtomicBool, AtomicUsize, Mutex, Ordering},
    wake::Parker,
};

use super::observers::Observers;
use crate::{
    link::lock,
    monitor::{EventRecord, Listener},
    options::Options,
    pattern::Traits,
    pipe::{Peer, Pipe, Rings},
    presence::{Gate, Leftover},
    subscription::SubscriptionSet,
    tally::{DropTally, Ledger},
};

/// What workers tell a socket.
pub(crate) enum SocketCommand {
    /// A connection is ready, with a pipe of its own.
    Attach(Box<Pipe>),
    /// The pipe has something to read.
    Readable(u64),
    /// The pipe has room again.
    Writable(u64),
    /// The handshake of a pipe that the socket has already is done.
    Up(u64, Box<Peer>),
    /// The connection shares memory with the peer from now on.
    Upgraded(u64, Box<Rings>),
    /// The connection that shared memory is gone.
    Severed(u64),
    /// The worker lends the right to read this pipe's connection.
    Lent(u64, Arc<Fd>),
    /// Nothing more comes from this pipe.
    Closed(u64),
    /// The context is terminating. Stays in the mailbox, where every call comes across it.
    Terminated,
}

/// The subscriptions of a SUB, XSUB or DISH: state, which every connection announces in full when it comes up.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) set: SubscriptionSet,
    /// Counts the changes, so that a session knows which of them its announcement contained.
    pub(crate) sequence: u64,
    /// The last change. A connection may come up between the look into the mailbox, with which every call begins, and the change
    /// that the call makes: its session has announced what was there before, and the socket did not know it. A session announces and
    /// attaches under the lock, so that the next call finds the pipe, and no more than one change falls in between.
    last: Option<Change>,
}

/// A change that publishers have to know.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) subscribe: bool,
    pub(crate) prefix: Arc<[u8]>,
    sequence: u64,
}

impl Change {
    /// Whether an announcement that contained everything up to a number lacks this.
    pub(crate) fn is_after(&self, sequence: u64) -> bool {
        self.sequence > sequence
    }
}

impl Board {
    /// Notes a change of the set that is to be told.
    pub(crate) fn changed(&mut self, subscribe: bool, prefix: &[u8]) -> Change {
        self.sequence += 1;
        let change = Change {
            subscribe,
            prefix: prefix.into(),
            sequence: self.sequence,
        };
        self.last = Some(change.clone());
        change
    }

    /// The change that came after the one of that number, if there was one before the socket learned of a connection.
    pub(crate) fn change_since(&self, sequence: u64) -> Option<Change> {
        debug_assert!(self.sequence <= sequence + 1);
        self.last.clone().filter(|change| change.is_after(sequence))
    }
}

/// Shared between a socket and the sessions and listeners that serve it.
pub(crate) struct SocketShared {
    pub(crate) socket_type: ringmq_zmtp::SocketType,
    pub(crate) traits: Traits,
    mailbox: Mailbox<SocketCommand>,
    pub(crate) parker: Parker,
    /// Received bodies are copied even if they are large.
    pub(crate) copies_bodies: bool,
    /// Other threads that wait for the socket, among others.
    pub(crate) observers: Observers,
    closed: AtomicBool,
    terminated: AtomicBool,
    pub(crate) subscriptions: Mutex<Board>,
    monitor: Mutex<Option<Box<dyn Listener>>>,
    /// The counts of the socket's pipes.
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) dropped: Arc<DropTally>,
    /// What works for the socket on workers.
    pub(crate) presences: AtomicUsize,
    /// Where its end is waited for.
    gate: OnceLock<Arc<Gate>>,
    /// What the socket is bound and connected to, for those who wait for its end.
    pub(crate) endpoints: Mutex<Vec<String>>,
    pub(crate) leftovers: Mutex<Vec<Leftover>>,
}

impl SocketShared {
    pub(crate) fn new(socket_type: ringmq_zmtp::SocketType, traits: Traits, copies_bodies: bool) -> Self {
        Self {
            socket_type,
            traits,
            mailbox: Mailbox::new(),
            parker: Parker::new(),
            copies_bodies,
            observers: Observers::default(),
            closed: AtomicBool::new(false),
            terminated: AtomicBool::new(false),
            subscriptions: Mutex::new(Board::default()),
            monitor: Mutex::new(None),
            ledger: Mutex::default(),
            dropped: Arc::default(),
            presences: AtomicUsize::new(0),
            gate: OnceLock::new(),
            endpoints: Mutex::default(),
            leftovers: Mutex::default(),
        }
    }

    /// Whether connections made with these options speak no ZMTP.
    pub(crate) fn is_raw(&self, options: &Options) -> bool {
        self.traits.raw || options.router_raw
    }

    /// Tells the socket something, and wakes whoever waits for it.
    pub(crate) fn push(&self, command: SocketCommand) {
        self.mailbox.push(command);
        self.parker.wake();
        self.observers.wake();
    }

    /// Nothing waits in the mailbox. One load: this stands on the path of every message.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.mailbox.is_empty()
    }

    pub(crate) fn drain(&self, into: &mut Vec<SocketCommand>) {
        self.mailbox.drain(into);
    }

    /// The socket is gone. What is pushed from now on is seen by nobody, so a worker that attaches a pipe looks at
    /// `is_closed` afterwards.
    pub(crate) fn close(&self) {
        // SeqCst: partner of `is_closed` after a push; either the closing socket drains the command, or the worker
        // sees the flag.
        self.closed.store(true, Ordering::SeqCst);
        light_fence();
        self.observers.wake();
    }

    /// The socket's end is waited for there.
    pub(crate) fn set_gate(&self, gate: &Arc<Gate>) {
        let _ = self.gate.set(gate.clone());
    }

    /// Something that a wait for the socket's end depends on has changed.
    pub(crate) fn open_gate(&self) {
        if let Some(gate) = self.gate.get() {
            gate.open();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The context is terminating: blocked calls return, and so does every later one.
    pub(crate) fn terminate(&self) {
        self.terminated.store(true, Ordering::SeqCst);
        self.push(SocketCommand::Terminated);
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::SeqCst)
    }

    /// Replaces the listener to the socket's events.
    pub(crate) fn set_monitor(&self, listener: Option<Box<dyn Listener>>) {
        let former = std::mem::replace(&mut *lock(&self.monitor), listener);
        // Outside of the lock: a listener may take its time to go.
        drop(former);
    }

    /// Reports an event, without ever waiting for whoever listens.
    pub(crate) fn emit(&self, record: EventRecord) {
        if let Some(monitor) = &mut *lock(&self.monitor) {
            monitor.hear(record);
        }
    }
}
