//! One side of a connection in a process of its own.
//!
//! The child is this very executable with a first argument that no option parser ever sees. It is told what to
//! do by one line of JSON, its second argument, and answers with lines of JSON on its standard output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver as Incoming, Sender as Outgoing};
use std::time::Duration;
use std::{env, io, process, thread};

use serde::{Deserialize, Serialize};

use crate::engine::ringmq::RingMq;
use crate::engine::stock::Stock;
use crate::engine::{Endpoint, Engine, EngineError, EngineKind};
use crate::scenario::{Pattern, Sample, Scenario, Transport};
use crate::throughput::{self, Look};
use crate::{latency, machine, paced};

/// The first argument of a child.
const CHILD: &str = "__child";

/// What a child is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// With which library.
    pub engine: EngineKind,
    /// What is measured.
    pub scenario: Scenario,
    /// Which end of it to play.
    pub side: Side,
    /// Where to listen, or to connect.
    pub endpoint: String,
    /// How long to measure, ms.
    pub duration_ms: u64,
    /// How many messages a sender at a pace has to send in a second.
    pub rate_per_s: u32,
    /// The core to run on, if only one.
    pub pin: Option<usize>,
    /// The core of the connecting side where that is a thread of the listening one.
    pub thread_pin: Option<usize>,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// PULL or REP, which listens.
    Bind,
    /// PUSH or REQ, which connects.
    Connect,
}

/// What a child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Word {
    /// It listens.
    Listening {
        /// The address, wildcards resolved.
        endpoint: String,
        /// The library's version.
        version: String,
        /// How the library talks to the kernel.
        io_driver: String,
    },
    /// It has measured.
    Sample(Sample),
    /// The engine cannot run here.
    Unavailable(String),
    /// It failed.
    Failed(String),
    /// Its output has ended. Said by the parent's reader.
    Exited,
}

/// Plays a child's part if this process was started as one. To be called first of all in `main`.
pub fn run_if_child() -> Option<ExitCode> {
    let mut arguments = env::args().skip(1);
    if arguments.next()? != CHILD {
        return None;
    }
    // A parent that is killed takes its children along; they would flood each other for ever.
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        eprintln!("prctl: {error}");
    }
    let line = arguments.next().unwrap_or_default();
    let word = match serde_json::from_str::<Assignment>(&line) {
        Err(error) => Word::Failed(format!("not an assignment: {error}")),
        Ok(assignment) => match play_with(&assignment) {
            Ok(()) => return Some(ExitCode::SUCCESS),
            Err(EngineError::Unavailable(why)) => Word::Unavailable(why.to_owned()),
            Err(error) => Word::Failed(error.to_string()),
        },
    };
    say(&word);
    Some(ExitCode::SUCCESS)
}

/// Tells the parent. If it is gone, nobody is left to tell.
fn say(word: &Word) {
    let line = serde_json::to_string(word).expect("words have no maps with odd keys");
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        process::exit(1);
    }
}

fn play_with(assignment: &Assignment) -> Result<(), EngineError> {
    assignment.pin.map_or(Ok(()), machine::pin)?;
    match assignment.engine {
        EngineKind::Ringmq => play::<RingMq>(assignment),
        EngineKind::Libzmq => play::<Stock>(assignment),
    }
}

fn play<E: Engine + Sync>(assignment: &Assignment) -> Result<(), EngineError> {
    let engine = E::new(assignment.scenario.pattern.tuning())?;
    if assignment.scenario.transport != Transport::Inproc {
        return play_side(&engine, assignment, assignment.side);
    }
    // The name may be connected to before it is bound, with either library.
    thread::scope(|scope| {
        scope.spawn(|| {
            let played = assignment
                .thread_pin
                .map_or(Ok(()), machine::pin)
                .and_then(|()| play_side(&engine, assignment, Side::Connect));
            if let Err(error) = played {
                say(&Word::Failed(error.to_string()));
            }
        });
        play_side(&engine, assignment, Side::Bind)?;
        // The other side would go on for ever.
        process::exit(0)
    })
}

/// Samples are reported before the sockets close: how long a library takes for that is not measured.
fn play_side<E: Engine>(engine: &E, assignment: &Assignment, side: Side) -> Result<(), EngineError> {
    let Scenario {
        pattern, size_bytes, ..
    } = assignment.scenario;
    let duration = Duration::from_millis(assignment.duration_ms);
    match (pattern, side) {
        (Pattern::PushPull | Pattern::InPlace, Side::Bind) => {
            let mut pull = engine.pull()?;
            listen(engine, &mut pull, assignment)?;
            let look = match pattern {
                Pattern::InPlace => Look::All,
                _ => Look::Head,
            };
            let flow = throughput::receive_for(&mut pull, size_bytes, look, duration)?;
            say(&Word::Sample(Sample::Flow(flow)));
            Ok(())
        }
        (Pattern::PushPull | Pattern::InPlace, Side::Connect) => {
            let mut push = engine.push()?;
            push.connect(&assignment.endpoint)?;
            match pattern {
                Pattern::InPlace => throughput::flood_in_place(&mut push, size_bytes),
                _ => throughput::flood(&mut push, size_bytes),
            }
        }
        (Pattern::Paced, Side::Bind) => {
            let mut pull = engine.pull()?;
            listen(engine, &mut pull, assignment)?;
            let delays = paced::receive_for(&mut pull, size_bytes, duration)?;
            say(&Word::Sample(Sample::Delays(delays)));
            Ok(())
        }
        (Pattern::Paced, Side::Connect) => {
            let mut push = engine.push()?;
            push.connect(&assignment.endpoint)?;
            paced::send(&mut push, size_bytes, assignment.rate_per_s)
        }
        (Pattern::ReqRep | Pattern::BusyReqRep, Side::Bind) => {
            let mut rep = engine.rep()?;
            listen(engine, &mut rep, assignment)?;
            latency::echo_forever(&mut rep)
        }
        (Pattern::ReqRep | Pattern::BusyReqRep, Side::Connect) => {
            let mut req = engine.req()?;
            req.connect(&assignment.endpoint)?;
            let round_trips = latency::ask_for(&mut req, size_bytes, duration)?;
            say(&Word::Sample(Sample::RoundTrips(round_trips)));
            Ok(())
        }
    }
}

fn listen<E: Engine>(
    engine: &E,
    socket: &mut impl Endpoint,
    assignment: &Assignment,
) -> Result<(), EngineError> {
    let endpoint = socket.bind(&assignment.endpoint)?;
    say(&Word::Listening {
        endpoint,
        version: E::version(),
        io_driver: engine.io_driver(),
    });
    Ok(())
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
}

impl Child {
    /// Starts a child, whose words go to `words` with its side.
    pub fn spawn(assignment: &Assignment, words: Outgoing<(Side, Word)>) -> io::Result<Child> {
        let line = serde_json::to_string(assignment).map_err(io::Error::other)?;
        let mut process = Command::new(env::current_exe()?)
            .args([CHILD, &line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take();
        let child = Child { process };
        let side = assignment.side;
        thread::spawn(move || {
            for line in stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).lines())
            {
                let word = line.and_then(|line| serde_json::from_str(&line).map_err(io::Error::other));
                // A closed channel means that the run is over; nobody wants to hear more.
                let _ = words.send((side, word.unwrap_or_else(|error| Word::Failed(error.to_string()))));
            }
            let _ = words.send((side, Word::Exited));
        });
        Ok(child)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only if the process has gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The next word of either child, or `Failed` when none comes within `timeout`.
pub fn next_word(words: &Incoming<(Side, Word)>, timeout: Duration) -> (Side, Word) {
    words.recv_timeout(timeout).unwrap_or_else(|_| {
        (
            Side::Bind,
            Word::Failed(format!("nothing happened for {:.1} s", timeout.as_secs_f64())),
        )
    })
}
