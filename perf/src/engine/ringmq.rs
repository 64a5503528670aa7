//! RingMQ behind the [`Engine`] trait, with its defaults.

use ::ringmq::{
    Context, Error, Message,
    kind::{self, Kind, Receives, Sends},
};

use super::{Echo, Endpoint, Engine, EngineError, Receiver, Result, Sender, Tuning};

/// A RingMQ context.
#[derive(Debug)]
pub struct RingMq {
    context: Context,
    tuning: Tuning,
}

fn failed(call: &'static str) -> impl FnOnce(Error) -> EngineError {
    move |error| EngineError::Failed(call, error.to_string())
}

impl Engine for RingMq {
    type Push = Socket<kind::Push>;
    type Pull = Socket<kind::Pull>;
    type Req = Socket<kind::Req>;
    type Rep = Socket<kind::Rep>;

    fn new(tuning: Tuning) -> Result<RingMq> {
        // libzmq waits for ever as well.
        Ok(RingMq {
            context: Context::builder().linger(None).build(),
            tuning,
        })
    }

    fn version() -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn io_driver(&self) -> String {
        match self.context.io_driver() {
            Ok(driver) => driver.to_string(),
            Err(error) => error.to_string(),
        }
    }

    fn push(&self) -> Result<Self::Push> {
        Socket::new(self)
    }

    fn pull(&self) -> Result<Self::Pull> {
        Socket::new(self)
    }

    fn req(&self) -> Result<Self::Req> {
        Socket::new(self)
    }

    fn rep(&self) -> Result<Self::Rep> {
        Socket::new(self)
    }
}

/// A socket and the message that it receives into, as on libzmq's side.
#[derive(Debug)]
pub struct Socket<K: Kind> {
    socket: ::ringmq::Socket<K>,
    message: Message,
}

impl<K: Kind> Socket<K> {
    fn new(engine: &RingMq) -> Result<Self> {
        let socket = ::ringmq::Socket::new(&engine.context).map_err(failed("Socket::new"))?;
        socket.set_busy_poll(engine.tuning.busy_poll);
        socket.set_shm_trust_peers(engine.tuning.trusting);
        Ok(Self {
            socket,
            message: Message::new(),
        })
    }
}

impl<K: Kind> Endpoint for Socket<K> {
    fn bind(&mut self, endpoint: &str) -> Result<String> {
        self.socket.bind(endpoint).map_err(failed("bind"))?;
        Ok(self.socket.last_endpoint())
    }

    fn connect(&mut self, endpoint: &str) -> Result<()> {
        self.socket.connect(endpoint).map_err(failed("connect"))
    }
}

impl<K: Sends> Sender for Socket<K> {
    fn send(&mut self, body: &[u8]) -> Result<()> {
        self.socket
            .send(body)
            .map_err(|error| failed("send")(error.into()))
    }

    fn send_message(&mut self, body: &[u8]) -> Result<()> {
        self.socket
            .send(Message::from(body))
            .map_err(|error| failed("send")(error.into()))
    }

    fn send_in_place(&mut self, size_bytes: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut loan = self.socket.loan(size_bytes);
        fill(&mut loan);
        self.socket
            .send(loan)
            .map_err(|error| failed("send")(error.into()))
    }
}

impl<K: Receives> Receiver for Socket<K> {
    fn recv<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
        self.socket.recv_into(&mut self.message).map_err(failed("recv"))?;
        Ok(read(&self.message))
    }
}

impl<K: Sends + Receives> Echo for Socket<K> {
    fn echo(&mut self) -> Result<usize> {
        let message = self.socket.recv().map_err(failed("recv"))?;
        let length = message.len();
        self.socket
            .send(message)
            .map_err(|error| failed("send")(error.into()))?;
        Ok(length)
    }
}
