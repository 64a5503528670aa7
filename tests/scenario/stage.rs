//! Where scripts are played. What the verbs mean:
//!
//! | verb | what it does | what it shows |
//! |---|---|---|
//! | `open NAME TYPE ROLE` | makes a socket, which does not linger | |
//! | `set NAME OPTION VALUE` | | |
//! | `get NAME OPTION` | | the value |
//! | `bind NAME [TARGET]` | an endpoint of its own, another socket's, or the one that is written there | |
//! | `rebind NAME [TARGET]` | binds as soon as it works, what was bound before | |
//! | `connect`, `unbind`, `disconnect` `NAME TARGET` | | |
//! | `connect_peer NAME TARGET` | | the number of the peer |
//! | `join`, `leave` `NAME GROUP` | | |
//! | `send NAME PART…` | sends a message, and waits for room | |
//! | `try NAME PART…` | does not wait | |
//! | `part NAME PART…` | sends parts of a message that goes on | |
//! | `until NAME PART…` | tries until it works | |
//! | `lost NAME PART…` | sends until it does not work | |
//! | `recv NAME` | receives a message, and waits for it | the message |
//! | `take NAME` | does not wait | the message |
//! | `piece NAME` | receives one part | the part, and `more` if others follow |
//! | `events NAME` | | `in`, `out`, both or `none` |
//! | `ready NAME WHAT…` | waits until `events` shows that | |
//! | `met NAME COUNT` | waits until as many peers more have come; over `inproc://` they have | |
//! | `left NAME COUNT` | waits until as many connections have gone, not over `inproc://` | |
//! | `saw NAME EVENT` | waits for an event of the monitor | all events up to that |
//! | `tune NAME OTHER PART…` | publishes until the other one receives, and both agree on what comes next | |
//! | `flood NAME PART` | sends until there is no room for good | |
//! | `fill NAME PART` | sends until there is no room | how many messages there was room for |
//! | `drain NAME OTHER` | receives what the other one has sent in the flood | |
//! | `close NAME` | | |
//! | `shutdown NAME` | ends the context of the socket | |
//!
//! What is shown is `ok` if nothing else is said here, or the name of an errno. Endpoints of sockets are shown by the names of the sockets in angle
//! brackets, ports as `<port>`, and routing ids of five bytes that begin with a zero, which are random, by the order in which they were first seen.

use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use nix::libc::EAGAIN;
use ringmq_stock::constants::{event, option};

use crate::{
    cast::{Cast, Wire},
    names::{Form, errno_name, event_name, option_number, socket_type_number},
    script::{Step, bytes, word},
    socket::{Answer, PATIENCE, Part, Socket, Watch, World},
};

struct Actor {
    endpoint: String,
    world: Rc<World>,
    /// Declared before the monitor of it, so that it is gone first.
    socket: Option<Box<dyn Socket>>,
    watch: Box<dyn Watch>,
}

/// One play.
pub(crate) struct Stage {
    wire: Wire,
    worlds: [Rc<World>; 2],
    actors: BTreeMap<String, Actor>,
    /// The routing ids that were seen.
    ids: Vec<Vec<u8>>,
    /// The numbers of peers that were seen.
    peers: Vec<u32>,
    /// How many messages the last flood sent.
    flooded: usize,
}

/// What a step shows, or the errno of what failed.
type Shown = Answer<String>;

fn ok(answer: Answer<()>) -> Shown {
    answer.map(|()| "ok".to_owned())
}

impl Stage {
    pub(crate) fn new(wire: Wire, cast: Cast) -> Stage {
        let first = Rc::new(World::new(cast.first));
        let second = match wire {
            Wire::Inproc => Rc::clone(&first),
            Wire::Tcp | Wire::Ipc => Rc::new(World::new(cast.second)),
        };
        Stage {
            wire,
            worlds: [first, second],
            actors: BTreeMap::new(),
            ids: Vec::new(),
            peers: Vec::new(),
            flooded: 0,
        }
    }

    /// Does what a step says, and tells what it shows.
    pub(crate) fn perform(&mut self, step: &Step) -> String {
        let who = step.who.as_str();
        let words = &step.words;
        let shown = match step.verb.as_str() {
            "open" => self.open(who, &words[0], &words[1]),
            "close" => {
                self.actor(who).socket = None;
                Ok("ok".to_owned())
            }
            "shutdown" => {
                self.actor(who).world.shutdown();
                Ok("ok".to_owned())
            }
            "set" => self.set(who, &words[0], &words[1]),
            "get" => self.get(who, &words[0]),
            "send" => ok(self.wait(|stage| stage.send(who, words))),
            "try" => ok(self.send(who, words)),
            "lost" => ok(self.until(
                |errno| errno == 0,
                |stage| stage.send(who, words).map_or_else(Err, |()| Err(0)),
            )),
            "until" => ok(self.until(|_| true, |stage| stage.send(who, words))),
            "rebind" => self.until(
                |_| true,
                |stage| stage.meet("bind", who, words.first().map(String::as_str)),
            ),
            "part" => ok(self.parts(who, words)),
            "recv" => self.recv(who),
            "take" => self.take(who),
            "piece" => self.piece(who),
            "events" => self.events(who),
            "ready" => self.ready(who, &words.join(" ")),
            "met" => self.count(who, event::HANDSHAKE_SUCCEEDED, &words[0]),
            "left" => self.count(who, event::DISCONNECTED, &words[0]),
            "saw" => self.saw(who, &words[0]),
            "tune" => self.tune(who, &words[0], &words[1..]),
            "flood" => self.flood(who, &words[0]),
            "fill" => self.fill(who, &words[0]),
            "drain" => self.drain(who),
            "join" => ok(self.socket(who).join(&words[0])),
            "leave" => ok(self.socket(who).leave(&words[0])),
            verb => self.meet(verb, who, words.first().map(String::as_str)),
        };
        shown.unwrap_or_else(errno_name)
    }

    fn actor(&mut self, name: &str) -> &mut Actor {
        self.actors
            .get_mut(name)
            .unwrap_or_else(|| panic!("there is no {name}"))
    }

    fn socket(&mut self, name: &str) -> &mut dyn Socket {
        let socket = self.actor(name).socket.as_mut();
        &mut **socket.unwrap_or_else(|| panic!("{name} is closed"))
    }

    fn open(&mut self, name: &str, socket_type: &str, role: &str) -> Shown {
        let world = match role {
            "first" => &self.worlds[0],
            "second" => &self.worlds[1],
            other => panic!("there is no role {other}"),
        };
        let mut socket = world.socket(socket_type_number(socket_type))?;
        socket.set(option::LINGER, &0_i32.to_ne_bytes())?;
        let actor = Actor {
            endpoint: self.wire.own_endpoint(),
            world: Rc::clone(world),
            watch: socket.watch(),
            socket: Some(socket),
        };
        self.actors.insert(name.to_owned(), actor);
        Ok("ok".to_owned())
    }

    fn set(&mut self, name: &str, option: &str, value: &str) -> Shown {
        let (number, form) = option_number(option);
        let value = match form {
            Form::Int => value.parse::<i32>().expect("a number").to_ne_bytes().to_vec(),
            Form::Bytes | Form::Text => bytes(value),
        };
        ok(self.socket(name).set(number, &value))
    }

    fn get(&mut self, name: &str, option: &str) -> Shown {
        let (number, form) = option_number(option);
        let value = self.socket(name).get(number)?;
        Ok(match form {
            Form::Int => i32::from_ne_bytes(value[..].try_into().expect("four bytes")).to_string(),
            Form::Bytes => self.shown(&value),
            Form::Text => self.endpoint_shown(&value),
        })
    }

    /// An endpoint in a form that is the same in every play.
    fn endpoint_shown(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text));
        for (name, actor) in &self.actors {
            if actor.endpoint == text {
                return format!("<{name}>");
            }
        }
        match text.rsplit_once(':') {
            Some((head, port)) if port.parse::<u16>().is_ok() => format!("{head}:<port>"),
            _ => word(text.as_bytes()),
        }
    }

    /// Bind, connect and their opposites.
    fn meet(&mut self, verb: &str, name: &str, target: Option<&str>) -> Shown {
        let endpoint = match target {
            Some(text) if text.contains("://") || !self.actors.contains_key(text) => text.to_owned(),
            Some(other) => self.actor(other).endpoint.clone(),
            None => self.actor(name).endpoint.clone(),
        };
        let socket = self.socket(name);
        match verb {
            "bind" => ok(socket.bind(&endpoint)),
            "connect" => ok(socket.connect(&endpoint)),
            "unbind" => ok(socket.unbind(&endpoint)),
            "disconnect" => ok(socket.disconnect(&endpoint)),
            "connect_peer" => {
                let number = socket.connect_peer(&endpoint)?;
                Ok(self.peer_shown(number))
            }
            other => panic!("there is no verb {other}"),
        }
    }

    /// The bytes of one part; a routing id that was seen by its number.
    fn part_of(&self, text: &str) -> Vec<u8> {
        match text.strip_prefix('$') {
            Some(index) => self.ids[index.parse::<usize>().expect("a number")].clone(),
            None => bytes(text),
        }
    }

    /// The parts of a message, with what stands before them.
    fn message(&self, words: &[String]) -> Vec<Part> {
        let mut part = Part::default();
        let mut rest = words;
        while let [word, others @ ..] = rest {
            if let Some(index) = word.strip_prefix('#') {
                // A number that nobody has.
                part.number = index.parse().map_or(4_711, |index: usize| self.peers[index]);
            } else if let Some(group) = word.strip_prefix('@') {
                part.group = group.to_owned();
            } else {
                break;
            }
            rest = others;
        }
        let body = |word: &String| Part {
            body: self.part_of(word),
            more: true,
            ..part.clone()
        };
        rest.iter().map(body).collect()
    }

    /// Sends parts that others follow.
    fn parts(&mut self, name: &str, words: &[String]) -> Answer<()> {
        let message = self.message(words);
        let socket = self.socket(name);
        message.iter().try_for_each(|part| socket.send(part))
    }

    /// Sends a message, and does not wait.
    fn send(&mut self, name: &str, words: &[String]) -> Answer<()> {
        let mut message = self.message(words);
        message.last_mut().expect("a message has a part").more = false;
        let socket = self.socket(name);
        message.iter().try_for_each(|part| socket.send(part))
    }

    /// Tries again for as long as there is nothing or no room.
    fn wait<T>(&mut self, attempt: impl FnMut(&mut Stage) -> Answer<T>) -> Answer<T> {
        self.until(|errno| errno == EAGAIN, attempt)
    }

    /// Tries until it works, patience ends, or an error is none to wait for. All sockets are looked at meanwhile, as their owners would do: libzmq's subscribe,
    /// disconnect and much else in calls only.
    fn until<T>(
        &mut self,
        again: impl Fn(i32) -> bool,
        mut attempt: impl FnMut(&mut Stage) -> Answer<T>,
    ) -> Answer<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match attempt(self) {
                Err(errno) if again(errno) && Instant::now() < deadline => {}
                answer => return answer,
            }
            for socket in self.actors.values_mut().filter_map(|actor| actor.socket.as_mut()) {
                // Not of a context that has ended.
                let _ = socket.events();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn shown(&mut self, body: &[u8]) -> String {
        if let [0, _, _, _, _] = body {
            let known = self.ids.iter().position(|id| id == body);
            let index = known.unwrap_or_else(|| {
                self.ids.push(body.to_vec());
                self.ids.len() - 1
            });
            return format!("${index}");
        }
        word(body)
    }

    fn peer_shown(&mut self, number: u32) -> String {
        let known = self.peers.iter().position(|&peer| peer == number);
        let index = known.unwrap_or_else(|| {
            self.peers.push(number);
            self.peers.len() - 1
        });
        format!("#{index}")
    }

    fn part_shown(&mut self, part: &Part, first: bool) -> String {
        let mut words = Vec::new();
        if first && part.number != 0 {
            words.push(self.peer_shown(part.number));
        }
        if first && !part.group.is_empty() {
            words.push(format!("@{}", part.group));
        }
        words.push(self.shown(&part.body));
        words.join(" ")
    }

    fn recv(&mut self, name: &str) -> Shown {
        self.wait(|stage| stage.take(name))
    }

    /// Receives a message, and does not wait.
    fn take(&mut self, name: &str) -> Shown {
        let mut words = Vec::new();
        loop {
            let part = self.socket(name).recv()?;
            words.push(self.part_shown(&part, words.is_empty()));
            if !part.more {
                return Ok(words.join(" "));
            }
        }
    }

    fn piece(&mut self, name: &str) -> Shown {
        let part = self.wait(|stage| stage.socket(name).recv())?;
        let shown = self.part_shown(&part, true);
        Ok(if part.more { format!("{shown} more") } else { shown })
    }

    fn events(&mut self, name: &str) -> Shown {
        Ok(match self.socket(name).events()? {
            (true, true) => "in out",
            (true, false) => "in",
            (false, true) => "out",
            (false, false) => "none",
        }
        .to_owned())
    }

    fn ready(&mut self, name: &str, wanted: &str) -> Shown {
        let found = self.wait(|stage| match stage.events(name)? {
            found if found == wanted => Ok(()),
            _ => Err(EAGAIN),
        });
        match found {
            Err(EAGAIN) => self.events(name),
            found => ok(found),
        }
    }

    /// The next event of a monitor, if it comes in time.
    fn next_event(&mut self, name: &str) -> Option<u16> {
        self.wait(|stage| stage.actor(name).watch.next().ok_or(EAGAIN))
            .ok()
    }

    /// Waits for a number of events, and then for what they mean to the socket.
    fn count(&mut self, name: &str, wanted: u16, count: &str) -> Shown {
        if self.wire != Wire::Inproc {
            let mut missing: usize = count.parse().expect("a number");
            while missing > 0 {
                match self.next_event(name) {
                    Some(event) if event == wanted => missing -= 1,
                    Some(_) => {}
                    None => return Ok(format!("{missing} missing")),
                }
            }
        }
        self.events(name)?;
        Ok("ok".to_owned())
    }

    fn saw(&mut self, name: &str, wanted: &str) -> Shown {
        let mut seen = Vec::new();
        while seen.last() != Some(&wanted) {
            match self.next_event(name) {
                Some(event) => seen.push(event_name(event)),
                None => break,
            }
        }
        Ok(seen.join(" "))
    }

    /// Publishes until it is heard, and then once more, so that nothing of it is left.
    fn tune(&mut self, publisher: &str, subscriber: &str, call: &[String]) -> Shown {
        let mut over = call.to_vec();
        over.last_mut().expect("a call has words").push_str("!over");
        self.wait(|stage| {
            stage.send(publisher, call)?;
            stage.take(subscriber)
        })?;
        self.send(publisher, &over)?;
        while self.recv(subscriber)? != over.join(" ") {}
        Ok("ok".to_owned())
    }

    fn fill(&mut self, name: &str, body: &str) -> Shown {
        let message = [body.to_owned()];
        let mut count = 0;
        loop {
            match self.send(name, &message) {
                Ok(()) => count += 1,
                Err(EAGAIN) => return Ok(count.to_string()),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// A worker takes what waits to the kernel, so that there is room again some time after there was none.
    fn flood(&mut self, name: &str, body: &str) -> Shown {
        const LONG: Duration = Duration::from_millis(100);
        let message = [body.to_owned()];
        self.flooded = 0;
        let mut last = Instant::now();
        while last.elapsed() < LONG {
            match self.send(name, &message) {
                Ok(()) => {
                    self.flooded += 1;
                    last = Instant::now();
                }
                Err(EAGAIN) => std::thread::sleep(Duration::from_millis(1)),
                Err(errno) => return Err(errno),
            }
        }
        Ok("ok".to_owned())
    }

    fn drain(&mut self, name: &str) -> Shown {
        for _ in 0..self.flooded {
            self.recv(name)?;
        }
        Ok("ok".to_owned())
    }
}
