//! libzmq behind the [`Engine`] trait.

use ringmq_stock::constants::{option, socket_type};
use ringmq_stock::{Context, Error, Message};

use super::{Echo, Endpoint, Engine, EngineError, Receiver, Result, Sender, Tuning};

/// A libzmq context with its defaults: one I/O thread, high-water marks of 1000 messages.
#[derive(Debug)]
pub struct Stock {
    context: Context,
}

/// A libzmq socket and the `zmq_msg_t` that it receives into, as libzmq's own performance programs do.
#[derive(Debug)]
pub struct Socket {
    socket: ringmq_stock::Socket,
    message: Message,
}

fn failed(call: &'static str) -> impl FnOnce(Error) -> EngineError {
    move |error| EngineError::Failed(call, error.to_string())
}

impl Stock {
    /// A socket without the timeouts that the wrapper sets for tests.
    fn socket(&self, kind: i32) -> Result<Socket> {
        let socket = self.context.socket(kind).map_err(failed("zmq_socket"))?;
        socket.set_timeout_ms(-1).map_err(failed("zmq_setsockopt"))?;
        socket
            .set_int(option::LINGER, -1)
            .map_err(failed("zmq_setsockopt"))?;
        Ok(Socket {
            socket,
            message: Message::new(),
        })
    }
}

impl Engine for Stock {
    type Push = Socket;
    type Pull = Socket;
    type Req = Socket;
    type Rep = Socket;

    fn new(_tuning: Tuning) -> Result<Stock> {
        Ok(Stock {
            context: Context::new(),
        })
    }

    fn version() -> String {
        let (major, minor, patch) = ringmq_stock::version();
        format!("{major}.{minor}.{patch}")
    }

    fn io_driver(&self) -> String {
        "epoll".to_owned()
    }

    fn push(&self) -> Result<Socket> {
        self.socket(socket_type::PUSH)
    }

    fn pull(&self) -> Result<Socket> {
        self.socket(socket_type::PULL)
    }

    fn req(&self) -> Result<Socket> {
        self.socket(socket_type::REQ)
    }

    fn rep(&self) -> Result<Socket> {
        self.socket(socket_type::REP)
    }
}

impl Endpoint for Socket {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        self.socket.bind(endpoint).map_err(failed("zmq_bind"))
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        self.socket.connect(endpoint).map_err(failed("zmq_connect"))
    }
}

impl Sender for Socket {
    fn send(&mut self, body: &[u8]) -> Result<()> {
        self.socket.send(body, 0).map_err(failed("zmq_send"))
    }

    fn send_message(&mut self, body: &[u8]) -> Result<()> {
        self.send_in_place(body.len(), |place| place.copy_from_slice(body))
    }

    fn send_in_place(&mut self, size_bytes: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut message = Message::with_size(size_bytes).map_err(failed("zmq_msg_init_size"))?;
        fill(message.as_mut_slice());
        self.socket
            .msg_send(&mut message, 0)
            .map_err(failed("zmq_msg_send"))?;
        Ok(())
    }
}

impl Receiver for Socket {
    fn recv<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        self.socket
            .msg_recv(&mut self.message, 0)
            .map_err(failed("zmq_msg_recv"))?;
        Ok(read(self.message.as_slice()))
    }
}

impl Echo for Socket {
    fn echo(&mut self) -> Result<usize> {
        let length = self
            .socket
            .msg_recv(&mut self.message, 0)
            .map_err(failed("zmq_msg_recv"))?;
        self.socket
            .msg_send(&mut self.message, 0)
            .map_err(failed("zmq_msg_send"))?;
        Ok(length)
    }
}
