//! Proxies: messages are handed from one socket to another, both ways, without a wake-up for each.

use ringmq_message::Message;

use crate::{
    PollItem, Readiness, Socket, SocketType, Source, Wait, error::Error, limits, poll::poll, tally::Traffic,
};

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

/// What has passed a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProxyStatistics {
    /// Received from the front.
    pub front_received: Traffic,
    /// Sent to the front.
    pub front_sent: Traffic,
    /// Received from the back.
    pub back_received: Traffic,
    /// Sent to the back.
    pub back_sent: Traffic,
}

impl ProxyStatistics {
    /// In libzmq's order: messages and bytes from the front, to the front, from the back, to the back.
    pub fn numbers(&self) -> [u64; 8] {
        let (a, b) = (self.front_received, self.front_sent);
        let (c, d) = (self.back_received, self.back_sent);
        [
            a.messages, a.bytes, b.messages, b.bytes, c.messages, c.bytes, d.messages, d.bytes,
        ]
    }
}

/// The sockets of a proxy.
pub struct Proxy<'a> {
    /// One side.
    pub front: &'a mut Socket,
    /// The other side; `None`: the front answers itself.
    pub back: Option<&'a mut Socket>,
    /// Who gets a copy of every message, of either way. The proxy waits for it.
    pub capture: Option<&'a mut Socket>,
    /// Who says PAUSE, RESUME, TERMINATE and STATISTICS.
    pub control: Option<&'a mut Socket>,
}

/// A proxy at work.
struct Running<'a> {
    sockets: Proxy<'a>,
    /// From the front to the back, and from the back to the front.
    ways: [Way; 2],
    statistics: ProxyStatistics,
    paused: bool,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// The first part of a message that the other side had no room for. Its other parts lie where it came from.
    held: Option<Message>,
}

/// What came of moving messages one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// Nothing more was there.
    All,
    /// There may be more.
    Some,
    /// The other side has no room.
    Blocked,
}

const THERE: usize = 0;
const BACK: usize = 1;

impl Proxy<'_> {
    /// Hands over messages until the control socket says TERMINATE. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Terminated`], and whatever else ends a call of one of the sockets.
    pub fn run(self) -> Result<ProxyStatistics, Error> {
        let mut running = Running {
            sockets: self,
            ways: <[Way; 2]>::default(),
            statistics: ProxyStatistics::default(),
            paused: false,
        };
        running.run()?;
        Ok(running.statistics)
    }
}

impl Running<'_> {
    fn run(&mut self) -> Result<(), Error> {
        loop {
            if self.obey()? {
                return Ok(());
            }
            if self.paused {
                self.sleep([None, None])?;
                continue;
            }
            let there = self.forward(THERE)?;
            let back = match self.sockets.back {
                Some(_) => self.forward(BACK)?,
                None => Moved::All,
            };
            // Whoever moved something looks again before it sleeps: what follows closely costs no wake-up.
            if there != Moved::Some && back != Moved::Some {
                self.sleep(self.interests([there, back]))?;
            }
        }
    }

    /// What to wait for at the front and at the back.
    fn interests(&self, [there, back]: [Moved; 2]) -> [Option<Readiness>; 2] {
        if self.sockets.back.is_none() {
            // A socket that answers itself need not be ready to send before it has received.
            return [Some(if there == Moved::Blocked { OUT } else { IN }), None];
        }
        let interest = |own: Moved, other: Moved| {
            let interest = Readiness {
                // What lies here and finds no room there is no news.
                readable: own != Moved::Blocked,
                writable: other == Moved::Blocked,
                ..Readiness::default()
            };
            (interest != Readiness::default()).then_some(interest)
        };
        [interest(there, back), interest(back, there)]
    }

    /// Sleeps until one of the sockets may go on.
    fn sleep(&mut self, [front, back]: [Option<Readiness>; 2]) -> Result<(), Error> {
        let Proxy {
            front: first,
            back: second,
            control,
            ..
        } = &mut self.sockets;
        let mut items = Vec::with_capacity(3);
        let front = front.map(|interest| (&mut **first, interest));
        let back = second.as_deref_mut().zip(back);
        let control = control.as_deref_mut().map(|control| (control, IN));
        for (socket, interest) in front.into_iter().chain(back).chain(control) {
            items.push(PollItem::new(Source::Socket(socket), interest));
        }
        poll(&mut items, Wait::Forever, None).map(drop)
    }

    /// Hands over what one side has, as far as the other has room, and not for ever.
    fn forward(&mut self, way: usize) -> Result<Moved, Error> {
        let Proxy {
            front, back, capture, ..
        } = &mut self.sockets;
        let (from, mut to) = match (back, way) {
            (None, _) => (&mut **front, None),
            (Some(back), THERE) => (&mut **front, Some(&mut **back)),
            (Some(back), _) => (&mut **back, Some(&mut **front)),
        };
        let held = &mut self.ways[way].held;
        let mut part = Message::new();
        let mut moved = Moved::All;
        for _ in 0..limits::PROXY_BURST {
            let mut bytes = 0;
            let is_fresh = held.is_none();
            match held.take() {
                Some(first) => part = first,
                None => match from.recv(&mut part, Wait::No) {
                    // A socket that does not receive, or not now, has nothing.
                    Err(Error::WouldBlock | Error::State | Error::NotSupported) => return Ok(moved),
                    other => other?,
                },
            }
            let mut first = true;
            loop {
                let more = part.more();
                if (!first || is_fresh)
                    && let Some(capture) = capture
                {
                    let mut copy = part.share();
                    copy.set_more(more);
                    capture.send(&mut copy, Wait::Forever)?;
                }
                let len = part.len() as u64;
                let target = to.as_deref_mut().unwrap_or(from);
                // Only a first part may find no room.
                match target.send(&mut part, if first { Wait::No } else { Wait::Forever }) {
                    Err(Error::WouldBlock | Error::State) if first => {
                        *held = Some(part);
                        return Ok(Moved::Blocked);
                    }
                    other => other?,
                }
                bytes += len;
                first = false;
                if !more {
                    break;
                }
                // The parts of a message are there together.
                from.recv(&mut part, Wait::Forever)?;
            }
            self.statistics.add(way, bytes);
            moved = Moved::Some;
        }
        Ok(moved)
    }

    /// Does what the control socket says, if it says something. True if it is the end.
    fn obey(&mut self) -> Result<bool, Error> {
        let Some(control) = &mut self.sockets.control else {
            return Ok(false);
        };
        let mut command = Message::new();
        match control.recv(&mut command, Wait::No) {
            Err(Error::WouldBlock) => return Ok(false),
            other => other?,
        }
        let mut part = command.clone();
        while part.more() {
            control.recv(&mut part, Wait::No)?;
        }
        let mut answers = vec![Message::new()];
        let mut answered = control.socket_type() == SocketType::Rep;
        let mut over = false;
        match &*command {
            b"PAUSE" => self.paused = true,
            b"RESUME" => self.paused = false,
            b"TERMINATE" => over = true,
            b"STATISTICS" => {
                let numbers = self.statistics.numbers();
                answers = numbers.map(|number| Message::from(&number.to_ne_bytes())).into();
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
        Ok(over)
    }
}

impl ProxyStatistics {
    fn add(&mut self, way: usize, bytes: u64) {
        let (source, target) = if way == THERE {
            (&mut self.front_received, &mut self.back_sent)
        } else {
            (&mut self.back_received, &mut self.front_sent)
        };
        for traffic in [source, target] {
            traffic.messages += 1;
            traffic.bytes += bytes;
        }
    }
}
