//! Sockets of any type of either library.

use std::fmt;

use ringmq::{Context, Error, Message, Proxy, kind};
use ringmq_stock::constants::{context_option, errno, flag, option, socket_type};

use crate::engine::{EngineError, Result};

/// The types that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// One to many.
    Pub,
    /// One of many.
    Sub,
    /// One to many, and told of subscriptions.
    XPub,
    /// One way, out.
    Push,
    /// One way, in.
    Pull,
    /// Asks.
    Req,
    /// Answers.
    Rep,
    /// Either way.
    Dealer,
    /// Either way, by name.
    Router,
}

/// A library with a context of its own.
pub trait Library: Sync + Sized {
    /// Its sockets.
    type Socket: AnySocket;

    /// A context with the library's defaults, but for the number of sockets.
    fn new(sockets_max: usize) -> Result<Self>;
    /// A socket that does not linger.
    fn open(&self, of: Type) -> Result<Self::Socket>;
    /// Hands messages over between two sockets until the process ends.
    fn proxy(front: Self::Socket, back: Self::Socket) -> Result<()>;
}

/// A socket of any type. Calls that the type does not have fail.
pub trait AnySocket: Send + Sized {
    /// Listens, and returns the address with wildcards resolved.
    fn bind(&mut self, endpoint: &str) -> Result<String>;
    /// Connects in the background.
    fn connect(&mut self, endpoint: &str) -> Result<()>;
    /// Subscribes to a prefix.
    fn subscribe(&mut self, prefix: &[u8]) -> Result<()>;
    /// Lifts the high-water marks, for a library whose subscriptions are lost to them, and the backlog of listeners.
    fn unlimit(&mut self) -> Result<()>;
    /// Sends a part, copied; blocks.
    fn send(&mut self, body: &[u8], more: bool) -> Result<()>;
    /// Receives a part; blocks. Returns its length, and whether another follows.
    fn recv(&mut self) -> Result<(usize, bool)>;
    /// Receives a part if it is there.
    fn try_recv(&mut self) -> Result<Option<(usize, bool)>>;
    /// The part received last.
    fn body(&self) -> &[u8];
}

fn failed(call: &'static str, error: impl fmt::Display) -> EngineError {
    EngineError::Failed(call, error.to_string())
}

/// A RingMQ context.
pub struct Ring(Context);

macro_rules! ring_sockets {
    ($($kind:ident),*; sends $($sends:ident),*; receives $($receives:ident),*) => {
        /// A RingMQ socket.
        #[allow(missing_docs, reason = "the names say it all")]
        pub enum RingKind { $($kind(ringmq::Socket<kind::$kind>),)* }

        impl RingKind {
            fn open(context: &Context, of: Type) -> std::result::Result<Self, Error> {
                Ok(match of { $(Type::$kind => {
                    let socket = ringmq::Socket::new(context)?;
                    socket.set_linger(Some(std::time::Duration::ZERO));
                    Self::$kind(socket)
                })* })
            }

            fn bind(&self, endpoint: &str) -> std::result::Result<String, Error> {
                match self { $(Self::$kind(socket) => { socket.bind(endpoint)?; Ok(socket.last_endpoint()) })* }
            }

            fn connect(&self, endpoint: &str) -> std::result::Result<(), Error> {
                match self { $(Self::$kind(socket) => socket.connect(endpoint),)* }
            }

            #[inline]
            fn send(&self, body: &[u8]) -> std::result::Result<(), Error> {
                match self {
                    $(Self::$sends(socket) => Ok(socket.send(body)?),)*
                    _ => Err(Error::NotSupported),
                }
            }

            fn send_part(&self, part: Message) -> std::result::Result<(), Error> {
                match self {
                    $(Self::$sends(socket) => Ok(socket.send_part(part)?),)*
                    _ => Err(Error::NotSupported),
                }
            }

            #[inline]
            fn recv(&self, message: &mut Message) -> std::result::Result<(), Error> {
                match self {
                    $(Self::$receives(socket) => socket.recv_into(message),)*
                    _ => Err(Error::NotSupported),
                }
            }

            fn try_recv(&self) -> std::result::Result<Message, Error> {
                match self {
                    $(Self::$receives(socket) => socket.try_recv(),)*
                    _ => Err(Error::NotSupported),
                }
            }
        }
    };
}

ring_sockets! {
    Pub, Sub, XPub, Push, Pull, Req, Rep, Dealer, Router;
    sends Pub, XPub, Push, Req, Rep, Dealer, Router;
    receives Sub, XPub, Pull, Req, Rep, Dealer, Router
}

/// A RingMQ socket and the message that it receives into.
pub struct RingSocket {
    socket: RingKind,
    message: Message,
}

impl Library for Ring {
    type Socket = RingSocket;

    fn new(sockets_max: usize) -> Result<Self> {
        Ok(Self(Context::builder().sockets(sockets_max).build()))
    }

    fn open(&self, of: Type) -> Result<RingSocket> {
        Ok(RingSocket {
            socket: RingKind::open(&self.0, of).map_err(|error| failed("Socket::new", error))?,
            message: Message::new(),
        })
    }

    fn proxy(front: RingSocket, back: RingSocket) -> Result<()> {
        let done = match (&front.socket, &back.socket) {
            (RingKind::Pull(front), RingKind::Push(back)) => Proxy::new(front, back).run(),
            (RingKind::Router(front), RingKind::Dealer(back)) => Proxy::new(front, back).run(),
            _ => Err(Error::NotSupported),
        };
        done.map(drop).map_err(|error| failed("Proxy::run", error))
    }
}

impl AnySocket for RingSocket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        self.socket.bind(endpoint).map_err(|error| failed("bind", error))
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        self.socket
            .connect(endpoint)
            .map_err(|error| failed("connect", error))
    }

    fn subscribe(&mut self, prefix: &[u8]) -> Result<()> {
        match &self.socket {
            RingKind::Sub(socket) => socket
                .subscribe(prefix)
                .map_err(|error| failed("subscribe", error)),
            _ => Err(EngineError::Unavailable("this type does not subscribe")),
        }
    }

    fn unlimit(&mut self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn send(&mut self, body: &[u8], more: bool) -> Result<()> {
        let sent = if more {
            let mut part = Message::from_slice(body);
            part.set_more(true);
            self.socket.send_part(part)
        } else {
            self.socket.send(body)
        };
        sent.map_err(|error| failed("send", error))
    }

    #[inline]
    fn recv(&mut self) -> Result<(usize, bool)> {
        self.socket
            .recv(&mut self.message)
            .map_err(|error| failed("recv", error))?;
        Ok((self.message.len(), self.message.more()))
    }

    fn try_recv(&mut self) -> Result<Option<(usize, bool)>> {
        match self.socket.try_recv() {
            Ok(message) => {
                self.message = message;
                Ok(Some((self.message.len(), self.message.more())))
            }
            Err(Error::WouldBlock) => Ok(None),
            Err(error) => Err(failed("recv", error)),
        }
    }

    fn body(&self) -> &[u8] {
        &self.message
    }
}

/// A libzmq context.
pub struct Zmq(ringmq_stock::Context);

/// A libzmq socket and the `zmq_msg_t` that it receives into.
pub struct ZmqSocket {
    socket: ringmq_stock::Socket,
    message: ringmq_stock::Message,
}

impl Library for Zmq {
    type Socket = ZmqSocket;

    fn new(sockets_max: usize) -> Result<Self> {
        let context = ringmq_stock::Context::new();
        let most = i32::try_from(sockets_max).unwrap_or(i32::MAX);
        context
            .set(context_option::MAX_SOCKETS, most)
            .map_err(|error| failed("zmq_ctx_set", error))?;
        Ok(Self(context))
    }

    fn open(&self, of: Type) -> Result<ZmqSocket> {
        let number = match of {
            Type::Pub => socket_type::PUB,
            Type::Sub => socket_type::SUB,
            Type::XPub => socket_type::XPUB,
            Type::Push => socket_type::PUSH,
            Type::Pull => socket_type::PULL,
            Type::Req => socket_type::REQ,
            Type::Rep => socket_type::REP,
            Type::Dealer => socket_type::DEALER,
            Type::Router => socket_type::ROUTER,
        };
        let open = || {
            let socket = self.0.socket(number)?;
            socket.set_timeout_ms(-1)?;
            socket.set_int(option::LINGER, 0)?;
            Ok(socket)
        };
        Ok(ZmqSocket {
            socket: open().map_err(|error: ringmq_stock::Error| failed("zmq_socket", error))?,
            message: ringmq_stock::Message::new(),
        })
    }

    fn proxy(front: ZmqSocket, back: ZmqSocket) -> Result<()> {
        front
            .socket
            .proxy(&back.socket)
            .map_err(|error| failed("zmq_proxy", error))
    }
}

impl AnySocket for ZmqSocket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        self.socket
            .bind(endpoint)
            .map_err(|error| failed("zmq_bind", error))
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        self.socket
            .connect(endpoint)
            .map_err(|error| failed("zmq_connect", error))
    }

    fn subscribe(&mut self, prefix: &[u8]) -> Result<()> {
        self.socket
            .subscribe(prefix)
            .map_err(|error| failed("zmq_setsockopt", error))
    }

    fn unlimit(&mut self) -> Result<()> {
        [(option::SNDHWM, 0), (option::RCVHWM, 0), (option::BACKLOG, 4096)]
            .into_iter()
            .try_for_each(|(number, value)| self.socket.set_int(number, value))
            .map_err(|error| failed("zmq_setsockopt", error))
    }

    #[inline]
    fn send(&mut self, body: &[u8], more: bool) -> Result<()> {
        let flags = if more { flag::SNDMORE } else { 0 };
        self.socket
            .send(body, flags)
            .map_err(|error| failed("zmq_send", error))
    }

    #[inline]
    fn recv(&mut self) -> Result<(usize, bool)> {
        self.socket
            .msg_recv(&mut self.message, 0)
            .map_err(|error| failed("zmq_msg_recv", error))?;
        Ok((self.message.len(), self.message.more()))
    }

    fn try_recv(&mut self) -> Result<Option<(usize, bool)>> {
        match self.socket.msg_recv(&mut self.message, flag::DONTWAIT) {
            Ok(_) => Ok(Some((self.message.len(), self.message.more()))),
            Err(error) if error.errno() == errno::EAGAIN => Ok(None),
            Err(error) => Err(failed("zmq_msg_recv", error)),
        }
    }

    fn body(&self) -> &[u8] {
        self.message.as_slice()
    }
}
