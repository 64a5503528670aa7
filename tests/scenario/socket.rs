//! One face for the sockets of both engines, as close to libzmq's C interface as either allows: numbers for types and options, bytes
//! for values, errno for what fails.

use std::time::Duration;

use ringmq_core::{
    ContextOptions, SocketType, Wait,
    monitor::{EventMask, MonitorReceiver},
};
use ringmq_stock::constants::{event, flag, option};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, or an errno.
pub(crate) type Answer<T> = Result<T, i32>;

/// Whose sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    RingMq,
    Stock,
}

impl Engine {
    pub(crate) fn named(name: &str) -> Engine {
        match name {
            "RingMq" => Engine::RingMq,
            "Stock" => Engine::Stock,
            other => panic!("there is no {other}"),
        }
    }
}

/// One part, with what goes beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) body: Vec<u8>,
    pub(crate) more: bool,
    /// SERVER and PEER.
    pub(crate) number: u32,
    /// RADIO and DISH.
    pub(crate) group: String,
}

/// A socket of either engine.
pub(crate) trait Socket {
    fn bind(&mut self, endpoint: &str) -> Answer<()>;
    fn connect(&mut self, endpoint: &str) -> Answer<()>;
    fn connect_peer(&mut self, endpoint: &str) -> Answer<u32>;
    fn unbind(&mut self, endpoint: &str) -> Answer<()>;
    fn disconnect(&mut self, endpoint: &str) -> Answer<()>;
    fn set(&mut self, option: i32, value: &[u8]) -> Answer<()>;
    fn get(&mut self, option: i32) -> Answer<Vec<u8>>;
    fn join(&mut self, group: &str) -> Answer<()>;
    fn leave(&mut self, group: &str) -> Answer<()>;
    /// Does not wait.
    fn send(&mut self, part: &Part) -> Answer<()>;
    /// Does not wait.
    fn recv(&mut self) -> Answer<Part>;
    /// EVENTS: readable and writable.
    fn events(&mut self) -> Answer<(bool, bool)>;
    /// Watches what happens to the connections from now on.
    fn watch(&mut self) -> Box<dyn Watch>;
}

/// The events of a socket's monitor, which outlives the socket.
pub(crate) trait Watch {
    /// The next event, if there is one.
    fn next(&self) -> Option<u16>;
}

/// A context of either engine.
pub(crate) enum World {
    RingMq(ringmq_core::Context),
    Stock(ringmq_stock::Context),
}

impl World {
    pub(crate) fn new(engine: Engine) -> World {
        match engine {
            Engine::RingMq => World::RingMq(ringmq_core::Context::new(ContextOptions::default())),
            Engine::Stock => World::Stock(ringmq_stock::Context::new()),
        }
    }

    pub(crate) fn socket(&self, number: i32) -> Answer<Box<dyn Socket>> {
        Ok(match self {
            World::RingMq(context) => {
                let socket_type = u8::try_from(number).ok().and_then(SocketType::from_number);
                let socket = ringmq_core::Socket::new(context, socket_type.ok_or(nix::libc::EINVAL)?);
                Box::new(socket.map_err(|error| error.errno())?)
            }
            World::Stock(context) => Box::new(context.socket(number).map_err(ringmq_stock::Error::errno)?),
        })
    }

    /// Wakes all calls with ETERM.
    pub(crate) fn shutdown(&self) {
        match self {
            World::RingMq(context) => context.shutdown(),
            World::Stock(context) => context.shutdown().expect("the context lives"),
        }
    }
}

fn number<T>(outcome: Result<T, ringmq_core::Error>) -> Answer<T> {
    outcome.map_err(|error| error.errno())
}

/// A type without such a thing does not have the option, either.
fn no_such_option<T>(answer: Answer<T>) -> Answer<T> {
    answer.map_err(|errno| match errno {
        nix::libc::EOPNOTSUPP => nix::libc::EINVAL,
        other => other,
    })
}

/// The options that are no settings are functions of the engine.
impl Socket for ringmq_core::Socket {
    fn bind(&mut self, endpoint: &str) -> Answer<()> {
        number(self.bind(endpoint))
    }
    fn connect(&mut self, endpoint: &str) -> Answer<()> {
        number(self.connect(endpoint))
    }
    fn connect_peer(&mut self, endpoint: &str) -> Answer<u32> {
        number(self.connect_peer(endpoint))
    }
    fn unbind(&mut self, endpoint: &str) -> Answer<()> {
        number(self.unbind(endpoint))
    }
    fn disconnect(&mut self, endpoint: &str) -> Answer<()> {
        number(self.disconnect(endpoint))
    }
    fn set(&mut self, option: i32, value: &[u8]) -> Answer<()> {
        match option {
            option::SUBSCRIBE => no_such_option(number(self.subscribe(value))),
            option::UNSUBSCRIBE => no_such_option(number(self.unsubscribe(value))),
            _ => number(self.set_raw_option(option, value)),
        }
    }
    fn get(&mut self, option: i32) -> Answer<Vec<u8>> {
        match option {
            option::TOPICS_COUNT => {
                let count = no_such_option(number(self.topics_count()))?;
                Ok((count as i32).to_ne_bytes().to_vec())
            }
            option::ROUTING_ID if self.last_given_routing_id().is_ok() => {
                number(self.last_given_routing_id())
            }
            option::TYPE => Ok(i32::from(self.socket_type().number()).to_ne_bytes().to_vec()),
            option::LAST_ENDPOINT => Ok([self.last_endpoint().as_bytes(), &[0]].concat()),
            option::THREAD_SAFE => Ok(i32::from(self.is_concurrent()).to_ne_bytes().to_vec()),
            _ => {
                let mut value = [0; 256];
                let socket_type = self.socket_type();
                let length = match self.options().get_raw(option, &mut value[..4], socket_type) {
                    Ok(length) => length,
                    Err(_) => number(self.options().get_raw(option, &mut value, socket_type))?,
                };
                Ok(value[..length].to_vec())
            }
        }
    }
    fn join(&mut self, group: &str) -> Answer<()> {
        number(self.join(group.as_bytes()))
    }
    fn leave(&mut self, group: &str) -> Answer<()> {
        number(self.leave(group.as_bytes()))
    }
    fn send(&mut self, part: &Part) -> Answer<()> {
        let mut message = ringmq_message::Message::from_slice(&part.body);
        message.set_more(part.more);
        message.set_routing_id(part.number);
        message
            .set_group(part.group.as_bytes())
            .map_err(|_| nix::libc::EINVAL)?;
        number(self.send(&mut message, Wait::No))
    }
    fn recv(&mut self) -> Answer<Part> {
        let mut message = ringmq_message::Message::new();
        number(self.recv(&mut message, Wait::No))?;
        Ok(Part {
            body: message.to_vec(),
            more: message.more(),
            number: message.routing_id(),
            group: String::from_utf8_lossy(message.group()).into_owned(),
        })
    }
    fn events(&mut self) -> Answer<(bool, bool)> {
        let events = number(self.events())?;
        Ok((events.readable, events.writable))
    }
    fn watch(&mut self) -> Box<dyn Watch> {
        Box::new(self.monitor(EventMask(event::ALL.into())))
    }
}

impl Watch for MonitorReceiver {
    fn next(&self) -> Option<u16> {
        let record = self.try_recv().ok()?;
        u16::try_from(record.event.number()).ok()
    }
}

fn stock<T>(outcome: ringmq_stock::Result<T>) -> Answer<T> {
    outcome.map_err(ringmq_stock::Error::errno)
}

impl Socket for ringmq_stock::Socket {
    fn bind(&mut self, endpoint: &str) -> Answer<()> {
        stock(ringmq_stock::Socket::bind(self, endpoint)).map(drop)
    }
    fn connect(&mut self, endpoint: &str) -> Answer<()> {
        stock(ringmq_stock::Socket::connect(self, endpoint))
    }
    fn connect_peer(&mut self, endpoint: &str) -> Answer<u32> {
        stock(ringmq_stock::Socket::connect_peer(self, endpoint))
    }
    fn unbind(&mut self, endpoint: &str) -> Answer<()> {
        stock(ringmq_stock::Socket::unbind(self, endpoint))
    }
    fn disconnect(&mut self, endpoint: &str) -> Answer<()> {
        stock(ringmq_stock::Socket::disconnect(self, endpoint))
    }
    fn set(&mut self, option: i32, value: &[u8]) -> Answer<()> {
        stock(self.set_bytes(option, value))
    }
    fn get(&mut self, option: i32) -> Answer<Vec<u8>> {
        // Numbers want four bytes, no more.
        match self.get_int(option) {
            Ok(value) => Ok(value.to_ne_bytes().to_vec()),
            Err(_) => stock(self.get_bytes(option)),
        }
    }
    fn join(&mut self, group: &str) -> Answer<()> {
        stock(ringmq_stock::Socket::join(self, group))
    }
    fn leave(&mut self, group: &str) -> Answer<()> {
        stock(ringmq_stock::Socket::leave(self, group))
    }
    fn send(&mut self, part: &Part) -> Answer<()> {
        let mut message = stock(ringmq_stock::Message::from_bytes(&part.body))?;
        if part.number != 0 {
            stock(message.set_routing_id(part.number))?;
        }
        if !part.group.is_empty() {
            stock(message.set_group(&part.group))?;
        }
        let more = if part.more { flag::SNDMORE } else { 0 };
        stock(self.msg_send(&mut message, more | flag::DONTWAIT))
    }
    fn recv(&mut self) -> Answer<Part> {
        let mut message = ringmq_stock::Message::new();
        stock(self.msg_recv(&mut message, flag::DONTWAIT))?;
        Ok(Part {
            body: message.as_slice().to_vec(),
            more: message.more(),
            number: message.routing_id(),
            group: message.group(),
        })
    }
    fn events(&mut self) -> Answer<(bool, bool)> {
        let events = stock(self.get_int(option::EVENTS))?;
        Ok((events & 1 != 0, events & 2 != 0))
    }
    fn watch(&mut self) -> Box<dyn Watch> {
        Box::new(self.monitor(event::ALL).expect("the socket can be monitored"))
    }
}

impl Watch for ringmq_stock::Monitor {
    fn next(&self) -> Option<u16> {
        Some(self.poll(0).ok()??.event)
    }
}
