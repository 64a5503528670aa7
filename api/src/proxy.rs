//! A broker in one call.

use std::cell::RefCell;

use ringmq_core::Error;
pub use ringmq_core::ProxyStatistics;

use crate::{
    Socket,
    access::Exclusive,
    kind::{HasParts, Receives, Sends},
};

/// Hands messages from each of two sockets to the other: a broker between a [`Router`](crate::Router) and a
/// [`Dealer`](crate::Dealer), a [`Pull`](crate::Pull) and a [`Push`](crate::Push), or an [`XSub`](crate::XSub) and an
/// [`XPub`](crate::XPub), whose subscriptions go the other way.
///
/// Messages that follow each other closely are moved in batches, without a wake-up for each. A side without room holds
/// up only what goes there.
///
/// ```
/// use std::thread;
/// use ringmq::{Context, Dealer, Error, Pair, Proxy, Rep, Req, Router};
///
/// # fn main() -> Result<(), Error> {
/// let context = Context::new();
/// let (front, back) = (Router::new(&context)?, Dealer::new(&context)?);
/// front.bind("inproc://clients")?;
/// back.bind("inproc://workers")?;
/// let (control, controlled) = (Pair::new(&context)?, Pair::new(&context)?);
/// controlled.bind("inproc://control")?;
/// control.connect("inproc://control")?;
/// let broker = thread::spawn(move || Proxy::new(&front, &back).control(&controlled).run());
///
/// let (client, worker) = (Req::new(&context)?, Rep::new(&context)?);
/// client.connect("inproc://clients")?;
/// worker.connect("inproc://workers")?;
/// client.send("question")?;
/// assert_eq!(&*worker.recv()?, b"question");
/// worker.send("answer")?;
/// assert_eq!(&*client.recv()?, b"answer");
///
/// control.send("TERMINATE")?;
/// let statistics = broker.join().unwrap()?;
/// assert_eq!(statistics.front_received.messages, 1);
/// # Ok(())
/// # }
/// ```
pub struct Proxy<'a> {
    front: &'a RefCell<ringmq_core::Socket>,
    back: &'a RefCell<ringmq_core::Socket>,
    capture: Option<&'a RefCell<ringmq_core::Socket>>,
    control: Option<&'a RefCell<ringmq_core::Socket>>,
}

fn core<K: HasParts>(socket: &Socket<K>) -> &RefCell<ringmq_core::Socket> {
    let Exclusive(core) = &socket.core;
    core
}

impl<'a> Proxy<'a> {
    /// A proxy between two sockets, which may be one and the same: then it answers itself.
    pub fn new<F: HasParts, B: HasParts>(front: &'a Socket<F>, back: &'a Socket<B>) -> Self {
        Self {
            front: core(front),
            back: core(back),
            capture: None,
            control: None,
        }
    }

    /// Sends a copy of every message, of either way, to that socket as well. The proxy waits for it if it has no room; a
    /// [`Pub`](crate::Pub) always has.
    pub fn capture<K: Sends + HasParts>(mut self, socket: &'a Socket<K>) -> Self {
        self.capture = Some(core(socket));
        self
    }

    /// Obeys that socket, which may be a [`Pair`](crate::Pair), [`Rep`](crate::Rep), [`Pull`](crate::Pull) or
    /// [`Sub`](crate::Sub): `PAUSE` leaves messages where they are, `RESUME` goes on, `TERMINATE` ends, and `STATISTICS` is
    /// answered by eight parts, the numbers of [`ProxyStatistics::numbers`] with eight bytes each, in the machine's order. A
    /// `Rep` answers everything else by an empty message.
    pub fn control<K: Receives + HasParts>(mut self, socket: &'a Socket<K>) -> Self {
        self.control = Some(core(socket));
        self
    }

    /// Hands over messages until the control socket says `TERMINATE`, and tells what has passed. Blocks. A socket that
    /// takes part must not be used meanwhile, which its borrow sees to.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`] when the context is shut down; [`Error::NotSupported`] if a message comes from one side
    /// that the other cannot send, or `STATISTICS` from a control socket that cannot answer; [`Error::InvalidArgument`] if
    /// the capturing or controlling socket is one of the other two.
    pub fn run(self) -> Result<ProxyStatistics, Error> {
        let is_same = |one: &RefCell<_>, other: &RefCell<_>| std::ptr::eq(one, other);
        let mut used = vec![self.front, self.back];
        for socket in self.capture.into_iter().chain(self.control) {
            if used.iter().any(|other| is_same(socket, other)) {
                let rule = "a socket has one part in a proxy";
                return Err(Error::InvalidArgument { rule });
            }
            used.push(socket);
        }
        let mut back = (!is_same(self.front, self.back)).then(|| self.back.borrow_mut());
        let mut capture = self.capture.map(RefCell::borrow_mut);
        let mut control = self.control.map(RefCell::borrow_mut);
        let proxy = ringmq_core::Proxy {
            front: &mut self.front.borrow_mut(),
            back: back.as_deref_mut(),
            capture: capture.as_deref_mut(),
            control: control.as_deref_mut(),
        };
        proxy.run()
    }
}
