//! Measures what grows with the number of peers, beside stock libzmq. `METHOD.md` says how.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use ringmq_perf::engine::{EngineError, EngineKind, Result};
use ringmq_perf::machine::Machine;
use ringmq_perf::scale::library::{Ring, Zmq};
use ringmq_perf::scale::parent::{Process, Row, by_turns};
use ringmq_perf::scale::roles::{self, Role};
use ringmq_perf::tool;

/// Measure what grows with the number of peers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// How often each measurement runs with each engine
    #[arg(long, default_value_t = 3, global = true)]
    repetitions: usize,
    /// Length of one run, ms
    #[arg(long, default_value_t = 1000, global = true)]
    ms: u64,
    /// Only this engine
    #[arg(long, value_enum, global = true)]
    engine: Option<EngineKind>,
}

#[derive(Subcommand)]
enum What {
    /// PUB to many SUBs: deliveries per second
    Fanout {
        /// How many SUBs, separated by commas
        #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32])]
        subscribers: Vec<usize>,
        /// Over what, separated by commas: tcp, ipc
        #[arg(long, value_delimiter = ',', default_values_t = ["tcp".to_owned(), "ipc".to_owned()])]
        transports: Vec<String>,
        /// Lengths of messages, bytes, separated by commas
        #[arg(long, value_delimiter = ',', default_values_t = [64, 16384])]
        sizes: Vec<usize>,
        /// How many further SUBs never read: runs with and without them by turns
        #[arg(long, default_value_t = 0)]
        stuck: usize,
    },
    /// Many subscriptions at one XPUB: memory and time of each
    Subscriptions {
        /// How many
        #[arg(default_value_t = 1_000_000)]
        count: usize,
    },
    /// Many DEALERs at one ROUTER: messages per second, bytes per connection, time until all are there again
    Crowd {
        /// How many
        #[arg(default_value_t = 1000)]
        count: usize,
    },
    /// A proxy between two sockets: messages, or round trips, per second
    Broker {
        /// Length of the messages, bytes
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// How many REQs ask at a time
        #[arg(long, default_value_t = 8)]
        clients: usize,
    },
    /// Be a child
    #[command(hide = true)]
    Role {
        #[command(subcommand)]
        role: Role,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tool::finish(run(&arguments))
}

fn run(arguments: &Arguments) -> Result<()> {
    raise_descriptor_limit()?;
    let engines = match arguments.engine {
        Some(engine) => vec![engine],
        None => vec![EngineKind::Ringmq, EngineKind::Libzmq],
    };
    if let What::Role { role } = &arguments.what {
        // A parent that is killed takes its children along.
        let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
        return match engines[0] {
            EngineKind::Ringmq => roles::play::<Ring>(role),
            EngineKind::Libzmq => roles::play::<Zmq>(role),
        };
    }
    if let What::Crowd { count } = arguments.what {
        check_descriptors(&engines, count)?;
    }
    println!("{}\n", Machine::inspect());
    println!("| | RingMQ | libzmq | ratio |\n|---|---|---|---|");
    match &arguments.what {
        What::Fanout {
            subscribers,
            transports,
            sizes,
            stuck,
        } => {
            for transport in transports {
                for &size in sizes {
                    for &count in subscribers {
                        let what = Fanout {
                            transport,
                            size,
                            subscribers: count,
                            stuck: *stuck,
                            ms: arguments.ms,
                        };
                        match stuck {
                            0 => fanout(arguments, &engines, &what)?,
                            _ => fanout_beside(arguments, &engines, &what)?,
                        }
                    }
                }
            }
            Ok(())
        }
        What::Subscriptions { count } => subscriptions(arguments, &engines, *count),
        What::Crowd { count } => crowd(arguments, &engines, *count),
        What::Broker { size, clients } => broker(arguments, &engines, *size, *clients),
        What::Role { .. } => Ok(()),
    }
}

/// What libzmq needs for ten thousand sockets, and more.
const DESCRIPTORS: u64 = 65_536;

/// As many descriptors as the system allows, if not that many.
fn raise_descriptor_limit() -> Result<()> {
    let errno = |error: nix::Error| EngineError::Failed("setrlimit", error.to_string());
    if setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).is_ok() {
        return Ok(());
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(errno)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(errno)
}

/// Whether a process may have that many sockets with a connection each: who runs out of descriptors waits for ever.
fn check_descriptors(engines: &[EngineKind], sockets: usize) -> Result<()> {
    // The connection, with libzmq the socket's own descriptor, and what a process has anyway.
    let each = if engines.contains(&EngineKind::Libzmq) {
        2
    } else {
        1
    };
    let needed = (sockets * each + 100) as u64;
    let (allowed, _) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| EngineError::Failed("getrlimit", error.to_string()))?;
    if needed > allowed {
        let why = format!("{sockets} sockets need {needed} descriptors, and this process may have {allowed}");
        return Err(EngineError::Failed("crowd", why));
    }
    Ok(())
}

/// What a PUB sends to.
struct Fanout<'a> {
    transport: &'a str,
    size: usize,
    subscribers: usize,
    /// Further ones that never read.
    stuck: usize,
    ms: u64,
}

impl Fanout<'_> {
    fn name(&self) -> String {
        let Self {
            transport,
            size,
            subscribers,
            stuck,
            ..
        } = self;
        match stuck {
            0 => format!("{transport}, {size} B, {subscribers} SUB"),
            _ => format!("{transport}, {size} B, {subscribers} SUB beside {stuck} that never read"),
        }
    }

    /// Deliveries per second in one run.
    fn run(&self, engine: EngineKind) -> Result<f64> {
        let bind = match self.transport {
            "tcp" => "tcp://127.0.0.1:*".to_owned(),
            // A name of its own: the kernel may hold that of a killed process a little longer.
            _ => {
                static NAMES: AtomicUsize = AtomicUsize::new(0);
                let number = NAMES.fetch_add(1, Relaxed);
                format!("ipc://@ringmq-scale-{}-{number}", std::process::id())
            }
        };
        let mut publisher = Process::start(engine, &["publish", &bind, &self.size.to_string()])?;
        let endpoint = publisher.hear()?;
        let mut idle = Vec::new();
        for _ in 0..self.stuck {
            let mut process = Process::start(engine, &["stuck", &endpoint])?;
            process.hear()?;
            idle.push(process);
        }
        let (count, ms) = (self.subscribers.to_string(), self.ms.to_string());
        let mut subscribers = Process::start(engine, &["subscribe", &endpoint, &count, &ms])?;
        subscribers.hear()?;
        publisher.tell("go")?;
        let rates = subscribers.numbers()?;
        Ok(rates.into_iter().sum())
    }
}

fn fanout(arguments: &Arguments, engines: &[EngineKind], fanout: &Fanout<'_>) -> Result<()> {
    let mut row = Row::new(fanout.name(), "deliveries/s", true);
    by_turns(arguments.repetitions, engines, |engine, place| {
        row.runs[place].push(fanout.run(engine)?);
        Ok(())
    })?;
    row.print();
    Ok(())
}

/// What the stuck ones cost the others: runs with and without them follow each other closely, in either order, because the
/// rate of a shared machine drifts by more than that; each pair gives one quotient.
fn fanout_beside(arguments: &Arguments, engines: &[EngineKind], with: &Fanout<'_>) -> Result<()> {
    let without = Fanout { stuck: 0, ..*with };
    let mut rows = [&without, with].map(|fanout| Row::new(fanout.name(), "deliveries/s", true));
    let mut quotients = Row::new("the latter of the former, pair by pair", "%", true);
    let mut turn = 0;
    by_turns(arguments.repetitions, engines, |engine, place| {
        turn += 1;
        let mut rates = [0.0; 2];
        for step in 0..2 {
            let which = (step + turn / engines.len()) % 2;
            rates[which] = [&without, with][which].run(engine)?;
            rows[which].runs[place].push(rates[which]);
        }
        quotients.runs[place].push(rates[1] / rates[0] * 100.0);
        Ok(())
    })?;
    rows.iter_mut().for_each(Row::print);
    quotients.print();
    Ok(())
}

fn subscriptions(arguments: &Arguments, engines: &[EngineKind], count: usize) -> Result<()> {
    let mut rows = [
        Row::new(format!("memory of each of {count} subscriptions"), "B", false),
        Row::new("processor time to take each in, and tell of it", "ns", false),
        Row::new("time to send a message that matches one", "ns", false),
        Row::new(
            "processor time for each when its holder goes, and to tell of it",
            "ns",
            false,
        ),
    ];
    let text = count.to_string();
    by_turns(arguments.repetitions, engines, |engine, place| {
        let mut xpub = Process::start(engine, &["xpub", "tcp://127.0.0.1:*", &text])?;
        let endpoint = xpub.hear()?;
        let mut holder = Process::start(engine, &["topics", &endpoint, &text])?;
        holder.hear()?;
        let numbers = xpub.numbers()?;
        drop(holder);
        let all = numbers.into_iter().chain(xpub.numbers()?);
        for (row, number) in rows.iter_mut().zip(all) {
            row.runs[place].push(number);
        }
        Ok(())
    })?;
    rows.iter_mut().for_each(Row::print);
    Ok(())
}

fn crowd(arguments: &Arguments, engines: &[EngineKind], count: usize) -> Result<()> {
    let mut rows = [
        Row::new(
            format!("{count} DEALERs connect, and are answered once"),
            "s",
            false,
        ),
        Row::new("memory of each at the ROUTER, after an exchange", "B", false),
        Row::new("memory of each DEALER, with its connection", "B", false),
        Row::new(
            "messages to the ROUTER, ten of each at a time, all answered",
            "/s",
            true,
        ),
        Row::new(
            "another ROUTER takes its place: all are there again and answered",
            "s",
            false,
        ),
    ];
    let (text, ms) = (count.to_string(), arguments.ms.to_string());
    by_turns(arguments.repetitions, engines, |engine, place| {
        let mut router = Process::start(engine, &["router", "tcp://127.0.0.1:*"])?;
        let endpoint = router.hear()?;
        let mut dealers = Process::start(engine, &["dealers", &endpoint, &text, &ms])?;
        let connecting = dealers.numbers()?[0];
        std::thread::sleep(std::time::Duration::from_millis(300));
        let memory = |process: &mut Process| -> Result<f64> {
            process.tell("memory")?;
            Ok(process.numbers()?[0] / count as f64)
        };
        let memory = [memory(&mut router)?, memory(&mut dealers)?];
        dealers.tell("run")?;
        let rate = dealers.numbers()?[0];
        drop(router);
        dealers.tell("again")?;
        let mut router = Process::start(engine, &["router", &endpoint])?;
        router.hear()?;
        let back = dealers.numbers()?[0];
        let numbers = [connecting, memory[0], memory[1], rate, back];
        for (row, number) in rows.iter_mut().zip(numbers) {
            row.runs[place].push(number);
        }
        Ok(())
    })?;
    rows.iter_mut().for_each(Row::print);
    Ok(())
}

fn broker(arguments: &Arguments, engines: &[EngineKind], size: usize, clients: usize) -> Result<()> {
    let (size, ms) = (size.to_string(), arguments.ms.to_string());
    let mut row = Row::new(format!("PUSH → PULL, PUSH → PULL, {size} B"), "msg/s", true);
    by_turns(arguments.repetitions, engines, |engine, place| {
        let mut proxy = Process::start(engine, &["broker", "tcp://127.0.0.1:*", "false"])?;
        let (front, back) = (proxy.hear()?, proxy.hear()?);
        let mut pull = Process::start(engine, &["pull", &back, &ms])?;
        let _push = Process::start(engine, &["push", &front, &size])?;
        row.runs[place].extend(pull.numbers()?);
        Ok(())
    })?;
    row.print();
    for count in [1, clients] {
        let name = format!("{count} REQ → ROUTER, DEALER → 2 REP, 64 B");
        let mut row = Row::new(name, "round trips/s", true);
        by_turns(arguments.repetitions, engines, |engine, place| {
            let mut proxy = Process::start(engine, &["broker", "tcp://127.0.0.1:*", "true"])?;
            let (front, back) = (proxy.hear()?, proxy.hear()?);
            let _answering = Process::start(engine, &["answer", &back, "2"])?;
            let mut asking = Process::start(engine, &["ask", &front, &count.to_string(), &ms])?;
            row.runs[place].extend(asking.numbers()?);
            Ok(())
        })?;
        row.print();
    }
    Ok(())
}
