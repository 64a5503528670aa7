//! What a child process does. It is told by arguments and by lines on its standard input, and answers with lines on its
//! standard output.

use std::io::{BufRead, Write};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use clap::Subcommand;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::library::{AnySocket, Library, Type};
use crate::engine::{EngineError, Result};

/// The parts that children play.
#[derive(Debug, Clone, Subcommand)]
pub enum Role {
    /// PUB: listens, and from the first line on sends without end.
    Publish { endpoint: String, size: usize },
    /// SUBs on a thread each: count what comes within a time, from when all have received something.
    Subscribe { endpoint: String, count: usize, ms: u64 },
    /// A SUB that never reads.
    Stuck { endpoint: String },
    /// XPUB: takes subscriptions in, sends to them, takes their end in.
    Xpub { endpoint: String, count: usize },
    /// SUB: subscribes to many topics.
    Topics { endpoint: String, count: usize },
    /// ROUTER: sends back what comes.
    Router { endpoint: String },
    /// DEALERs: connect, ask and are answered, all of them.
    Dealers { endpoint: String, count: usize, ms: u64 },
    /// PULL to PUSH, or ROUTER to DEALER.
    Broker {
        endpoint: String,
        #[arg(action = clap::ArgAction::Set)]
        requests: bool,
    },
    /// PUSH without end.
    Push { endpoint: String, size: usize },
    /// PULL: counts.
    Pull { endpoint: String, ms: u64 },
    /// REQs on a thread each: count round trips.
    Ask { endpoint: String, count: usize, ms: u64 },
    /// REPs on a thread each.
    Answer { endpoint: String, count: usize },
}

/// A count on a line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Count(AtomicU64);

impl Count {
    /// One more; nobody else adds.
    fn add(&self) {
        self.0.store(self.0.load(Relaxed) + 1, Relaxed);
    }
}

/// Says a line.
fn say(line: impl std::fmt::Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| EngineError::Failed("write", error.to_string()))
}

/// Waits for a line; ends the process when there is none.
fn told() -> String {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(1..) => line.trim().to_owned(),
        _ => std::process::exit(0),
    }
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Plays a part with a library.
pub fn play<L: Library>(role: &Role) -> Result<()> {
    match role {
        Role::Publish { endpoint, size } => publish::<L>(endpoint, *size),
        Role::Subscribe { endpoint, count, ms } => subscribe::<L>(endpoint, *count, *ms),
        Role::Stuck { endpoint } => stuck::<L>(endpoint),
        Role::Xpub { endpoint, count } => xpub::<L>(endpoint, *count),
        Role::Topics { endpoint, count } => topics::<L>(endpoint, *count),
        Role::Router { endpoint } => router::<L>(endpoint),
        Role::Dealers { endpoint, count, ms } => dealers::<L>(endpoint, *count, *ms),
        Role::Broker { endpoint, requests } => broker::<L>(endpoint, *requests),
        Role::Push { endpoint, size } => push::<L>(endpoint, *size),
        Role::Pull { endpoint, ms } => pull::<L>(endpoint, *ms),
        Role::Ask { endpoint, count, ms } => ask::<L>(endpoint, *count, *ms),
        Role::Answer { endpoint, count } => answer::<L>(endpoint, *count),
    }
}

fn publish<L: Library>(endpoint: &str, size: usize) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::Pub)?;
    say(socket.bind(endpoint)?)?;
    told();
    let body = vec![7; size];
    loop {
        socket.send(&body, false)?;
    }
}

/// Runs `count` threads that each call `step` over and over; returns how many calls there were per second, within `ms`
/// from when every thread has finished its first.
fn count_on_threads<S: Send>(
    sockets: Vec<S>,
    ms: u64,
    step: impl Fn(&mut S) -> Result<()> + Sync,
) -> Result<f64> {
    let counts: Vec<Count> = sockets.iter().map(|_| Count::default()).collect();
    let (begun, over) = (Barrier::new(sockets.len() + 1), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (mut socket, count) in sockets.into_iter().zip(&counts) {
            let (begun, over, step) = (&begun, &over, &step);
            scope.spawn(move || {
                let first = step(&mut socket);
                begun.wait();
                let mut outcome = first;
                while outcome.is_ok() && over.load(Relaxed) == 0 {
                    outcome = step(&mut socket);
                    count.add();
                }
                // The other end may be gone first, in which case nothing is wrong.
                std::mem::forget(socket);
            });
        }
        begun.wait();
        let sum = || counts.iter().map(|count| count.0.load(Relaxed)).sum::<u64>();
        let (start, before) = (Instant::now(), sum());
        thread::sleep(Duration::from_millis(ms));
        let rate = (sum() - before) as f64 / start.elapsed().as_secs_f64();
        over.store(1, Relaxed);
        say(rate)?;
        // Threads that wait for messages are not waited for.
        std::process::exit(0);
    })
}

fn subscribe<L: Library>(endpoint: &str, count: usize, ms: u64) -> Result<()> {
    let library = L::new(count + 10)?;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut socket = library.open(Type::Sub)?;
        socket.subscribe(b"")?;
        socket.connect(endpoint)?;
        sockets.push(socket);
    }
    say("connected")?;
    count_on_threads(sockets, ms, |socket| socket.recv().map(drop)).map(drop)
}

fn stuck<L: Library>(endpoint: &str) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::Sub)?;
    socket.subscribe(b"")?;
    socket.connect(endpoint)?;
    say("connected")?;
    told();
    Ok(())
}

fn topic(number: usize) -> Vec<u8> {
    format!("market/{:02}/{number:07}", number % 64).into_bytes()
}

/// Time that all threads of this process have spent so far, seconds.
fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel knows this process");
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Takes in `count` notices.
fn take_notices(socket: &mut impl AnySocket, count: usize) -> Result<()> {
    (0..count).try_for_each(|_| socket.recv().map(drop))
}

fn xpub<L: Library>(endpoint: &str, count: usize) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::XPub)?;
    socket.unlimit()?;
    say(socket.bind(endpoint)?)?;
    let before = resident();
    let spent = cpu_seconds();
    take_notices(&mut socket, count)?;
    let taking = cpu_seconds() - spent;
    // What was only on its way is given back by then.
    thread::sleep(Duration::from_millis(300));
    let grown = resident().saturating_sub(before);
    let start = Instant::now();
    let sends = 200_000;
    for number in 0..sends {
        socket.send(&topic(number * 7 % count), false)?;
    }
    let sending = start.elapsed().as_secs_f64() / sends as f64;
    say(format!(
        "{} {} {}",
        grown as f64 / count as f64,
        taking / count as f64 * 1e9,
        sending * 1e9
    ))?;
    let spent = cpu_seconds();
    take_notices(&mut socket, count)?;
    say((cpu_seconds() - spent) / count as f64 * 1e9)
}

fn topics<L: Library>(endpoint: &str, count: usize) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::Sub)?;
    socket.unlimit()?;
    for number in 0..count {
        socket.subscribe(&topic(number))?;
    }
    socket.connect(endpoint)?;
    say("connected")?;
    loop {
        socket.recv()?;
    }
}

/// Binds an address that a process has had which was killed: the kernel may hold it a little longer.
fn bind_patiently(socket: &mut impl AnySocket, endpoint: &str) -> Result<String> {
    let start = Instant::now();
    loop {
        match socket.bind(endpoint) {
            Err(_) if start.elapsed() < Duration::from_secs(5) => thread::sleep(Duration::from_millis(5)),
            outcome => return outcome,
        }
    }
}

fn router<L: Library>(endpoint: &str) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::Router)?;
    socket.unlimit()?;
    say(bind_patiently(&mut socket, endpoint)?)?;
    let before = resident();
    thread::spawn(move || {
        loop {
            told();
            let _ = say(resident().saturating_sub(before));
        }
    });
    loop {
        socket.recv()?;
        let name = socket.body().to_vec();
        let (_, mut more) = socket.recv()?;
        socket.send(&name, true)?;
        while more {
            let part = socket.body().to_vec();
            more = socket.recv()?.1;
            socket.send(&part, true)?;
        }
        let last = socket.body().to_vec();
        socket.send(&last, false)?;
    }
}

/// So many messages to and from each.
fn round(sockets: &mut [impl AnySocket], messages: usize) -> Result<()> {
    for socket in sockets.iter_mut() {
        for _ in 0..messages {
            socket.send(&[7; 64], false)?;
        }
    }
    for socket in sockets.iter_mut() {
        for _ in 0..messages {
            socket.recv()?;
        }
    }
    Ok(())
}

/// Messages that a DEALER sends before it waits for their answers.
const BURST: usize = 10;

/// How long a DEALER waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_millis(500);

/// A message to and from each. Who is not answered asks again: what is sent to a connection before its end is noticed is
/// lost with it.
fn insist(sockets: &mut [impl AnySocket]) -> Result<()> {
    let mut unanswered: Vec<_> = sockets.iter_mut().collect();
    while !unanswered.is_empty() {
        for socket in &mut unanswered {
            socket.send(&[7; 64], false)?;
        }
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE && !unanswered.is_empty() {
            let mut silent = Vec::new();
            for socket in unanswered {
                if socket.try_recv()?.is_none() {
                    silent.push(socket);
                }
            }
            unanswered = silent;
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

fn dealers<L: Library>(endpoint: &str, count: usize, ms: u64) -> Result<()> {
    let library = L::new(count + 10)?;
    let before = resident();
    let start = Instant::now();
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut socket = library.open(Type::Dealer)?;
        socket.connect(endpoint)?;
        sockets.push(socket);
    }
    round(&mut sockets, 1)?;
    say(start.elapsed().as_secs_f64())?;
    told();
    say(resident().saturating_sub(before))?;
    told();
    let (start, mut messages) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(ms) {
        round(&mut sockets, BURST)?;
        messages += count * BURST;
    }
    say(messages as f64 / start.elapsed().as_secs_f64())?;
    // The ROUTER is gone, and another is about to come.
    told();
    let start = Instant::now();
    insist(&mut sockets)?;
    say(start.elapsed().as_secs_f64())?;
    std::process::exit(0);
}

fn broker<L: Library>(endpoint: &str, requests: bool) -> Result<()> {
    let library = L::new(10)?;
    let types = if requests {
        [Type::Router, Type::Dealer]
    } else {
        [Type::Pull, Type::Push]
    };
    let (mut front, mut back) = (library.open(types[0])?, library.open(types[1])?);
    say(front.bind(endpoint)?)?;
    say(back.bind(endpoint)?)?;
    L::proxy(front, back)
}

fn push<L: Library>(endpoint: &str, size: usize) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::Push)?;
    socket.connect(endpoint)?;
    let body = vec![7; size];
    loop {
        socket.send(&body, false)?;
    }
}

fn pull<L: Library>(endpoint: &str, ms: u64) -> Result<()> {
    let library = L::new(10)?;
    let mut socket = library.open(Type::Pull)?;
    socket.connect(endpoint)?;
    count_on_threads(vec![socket], ms, |socket| socket.recv().map(drop)).map(drop)
}

fn open_connected<L: Library>(library: &L, of: Type, endpoint: &str, count: usize) -> Result<Vec<L::Socket>> {
    let open = |_| {
        let mut socket = library.open(of)?;
        socket.connect(endpoint)?;
        Ok(socket)
    };
    (0..count).map(open).collect()
}

fn ask<L: Library>(endpoint: &str, count: usize, ms: u64) -> Result<()> {
    let library = L::new(count + 10)?;
    let sockets = open_connected(&library, Type::Req, endpoint, count)?;
    let step = |socket: &mut L::Socket| {
        socket.send(&[7; 64], false)?;
        socket.recv().map(drop)
    };
    count_on_threads(sockets, ms, step).map(drop)
}

fn answer<L: Library>(endpoint: &str, count: usize) -> Result<()> {
    let library = L::new(count + 10)?;
    let sockets = open_connected(&library, Type::Rep, endpoint, count)?;
    thread::scope(|scope| {
        for mut socket in sockets {
            scope.spawn(move || -> Result<()> {
                loop {
                    socket.recv()?;
                    let body = socket.body().to_vec();
                    socket.send(&body, false)?;
                }
            });
        }
    });
    Ok(())
}
