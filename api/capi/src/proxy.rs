//! Proxies: messages are handed from one socket to another, both ways.

use std::ffi::{c_int, c_void};

use ringmq_core::{Error, Events, PollItem, Readiness, Source, Wait, poll};
use ringmq_message::Message;

use crate::{
    error::{Errno, call},
    socket::socket,
};

/// Messages that go one way before the other is looked at.
const BURST: usize = 1000;

const IN: Readiness = Readiness {
    readable: true,
    writable: false,
    urgent: false,
    broken: false,
};
const OUT: Readiness = Readiness {
    readable: false,
    writable: true,
    ..IN
};

/// What passed one side.
#[derive(Default, Clone, Copy)]
struct Count {
    messages: u64,
    bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

/// The sockets of a proxy, and what passed them.
struct Proxy<'a> {
    front: &'a mut ringmq_core::Socket,
    /// `None`: the front is the back as well.
    back: Option<&'a mut ringmq_core::Socket>,
    capture: Option<&'a mut ringmq_core::Socket>,
    control: Option<&'a mut ringmq_core::Socket>,
    /// Into the front, out of it, into the back, out of it.
    counts: [Count; 4],
    paused: bool,
}

/// Whether the proxy goes on.
#[derive(PartialEq, Eq)]
enum Next {
    On,
    Over,
}

impl Proxy<'_> {
    fn run(&mut self) -> Result<c_int, Errno> {
        loop {
            if self.obey()? == Next::Over {
                return Ok(0);
            }
            if self.paused {
                self.sleep(None, None)?;
                continue;
            }
            let front = self.front.events()?;
            let Some(back) = &mut self.back else {
                // A socket that answers itself need not be ready to send before it has received.
                self.sleep(Some(IN), None)?;
                self.forward(true)?;
                continue;
            };
            let back = back.events()?;
            let there = front.readable && back.writable;
            let here = back.readable && front.writable;
            if there {
                self.forward(true)?;
            }
            if here {
                self.forward(false)?;
            }
            if !there && !here {
                self.sleep(interest(front, back), interest(back, front))?;
            }
        }
    }

    /// Sleeps until one of the sockets may go on.
    fn sleep(&mut self, front: Option<Readiness>, back: Option<Readiness>) -> Result<(), Error> {
        let mut items = Vec::with_capacity(3);
        let front = front.map(|interest| (&mut *self.front, interest));
        let back = self.back.as_deref_mut().zip(back);
        let control = self.control.as_deref_mut().map(|control| (control, IN));
        for (socket, interest) in front.into_iter().chain(back).chain(control) {
            items.push(PollItem::new(Source::Socket(socket), interest));
        }
        poll(&mut items, Wait::Forever, None).map(drop)
    }

    /// Hands over what one side has, as far as the other has room.
    fn forward(&mut self, there: bool) -> Result<(), Error> {
        let mut part = Message::new();
        for _ in 0..BURST {
            let mut bytes = 0;
            loop {
                let (from, to) = match (&mut self.back, there) {
                    (None, _) => (&mut *self.front, None),
                    (Some(back), true) => (&mut *self.front, Some(&mut **back)),
                    (Some(back), false) => (&mut **back, Some(&mut *self.front)),
                };
                match from.recv(&mut part, Wait::No) {
                    Err(Error::WouldBlock) => return Ok(()),
                    other => other?,
                }
                let more = part.more();
                bytes += part.len() as u64;
                if let Some(capture) = &mut self.capture {
                    let mut copy = part.share();
                    copy.set_more(more);
                    capture.send(&mut copy, Wait::Forever)?;
                }
                to.unwrap_or(from).send(&mut part, Wait::Forever)?;
                if !more {
                    break;
                }
            }
            let [front_in, front_out, back_in, back_out] = &mut self.counts;
            let (source, target) = if there {
                (front_in, back_out)
            } else {
                (back_in, front_out)
            };
            source.add(bytes);
            target.add(bytes);
        }
        Ok(())
    }

    /// Does what the control socket says, if it says something.
    fn obey(&mut self) -> Result<Next, Errno> {
        let Some(control) = &mut self.control else {
            return Ok(Next::On);
        };
        let mut command = Message::new();
        match control.recv(&mut command, Wait::No) {
            Err(Error::WouldBlock) => return Ok(Next::On),
            other => other?,
        }
        let mut part = command.clone();
        while part.more() {
            control.recv(&mut part, Wait::No)?;
        }
        let mut answers = vec![Message::new()];
        let mut next = Next::On;
        let mut answered = control.socket_type() == ringmq_core::SocketType::Rep;
        match &*command {
            b"PAUSE" => self.paused = true,
            b"RESUME" => self.paused = false,
            b"TERMINATE" => next = Next::Over,
            b"STATISTICS" => {
                let numbers = self.counts.iter().flat_map(|count| [count.messages, count.bytes]);
                answers = numbers
                    .map(|number| Message::from(&number.to_ne_bytes()))
                    .collect();
                answered = true;
            }
            _ => {}
        }
        if answered {
            let last = answers.len() - 1;
            for (index, answer) in answers.iter_mut().enumerate() {
                answer.set_more(index < last);
                control.send(answer, Wait::Forever)?;
            }
        }
        Ok(next)
    }
}

/// What to wait for at a side: its messages, or if it has some that the other side has no room for, the room that the
/// other way waits for.
fn interest(side: Events, other: Events) -> Option<Readiness> {
    match (side.readable, other.readable && !side.writable) {
        (false, false) => Some(IN),
        (false, true) => Some(Readiness { writable: true, ..IN }),
        (true, true) => Some(OUT),
        (true, false) => None,
    }
}

/// Runs a proxy until the context is terminated or the control socket says so.
fn run(
    front: *mut c_void,
    back: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> Result<c_int, Errno> {
    if front.is_null() || back.is_null() {
        return Err(Errno(libc::EFAULT));
    }
    let other = |handle: *mut c_void, used: &[*mut c_void]| match handle.is_null() || used.contains(&handle) {
        true => Ok(None),
        false => socket(handle).map(Some),
    };
    let mut frontend = socket(front)?;
    let mut backend = other(back, &[front])?;
    let mut capturing = other(capture, &[front, back])?;
    let mut controlling = other(control, &[front, back, capture])?;
    Proxy {
        front: &mut frontend.engine,
        back: backend.as_mut().map(|socket| &mut socket.engine),
        capture: capturing.as_mut().map(|socket| &mut socket.engine),
        control: controlling.as_mut().map(|socket| &mut socket.engine),
        counts: [Count::default(); 4],
        paused: false,
    }
    .run()
}

/// Hands messages from each socket to the other, and copies to `capture` if it is not NULL, until the context is
/// terminated.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int {
    call(|| run(frontend, backend, capture, std::ptr::null_mut()))
}

/// `zmq_proxy` that obeys PAUSE, RESUME, TERMINATE and STATISTICS from `control`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_proxy_steerable(
    frontend: *mut c_void,
    backend: *mut c_void,
    capture: *mut c_void,
    control: *mut c_void,
) -> c_int {
    call(|| run(frontend, backend, capture, control))
}

/// `zmq_proxy`, as it was called once; the kind of device makes no difference.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_device(_kind: c_int, frontend: *mut c_void, backend: *mut c_void) -> c_int {
    zmq_proxy(frontend, backend, std::ptr::null_mut())
}
