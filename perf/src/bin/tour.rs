//! Half a minute that shows where RingMQ stands beside libzmq on this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ringmq_perf::engine::EngineKind;
use ringmq_perf::scenario::{Pattern, Scenario, Transport};
use ringmq_perf::suite::Suite;
use ringmq_perf::{child, console};

/// Compare RingMQ with libzmq on this machine, in about half a minute.
#[derive(Parser)]
struct Arguments {
    /// Take a quarter of the time; the figures scatter more
    #[arg(long)]
    quick: bool,
    /// Run the two processes of a connection on cores 0 and 1
    #[arg(long)]
    pin: bool,
    /// The engine of the first column
    #[arg(long, value_enum, default_value_t = EngineKind::Ringmq)]
    engine: EngineKind,
    /// The engine of the second column
    #[arg(long, value_enum, default_value_t = EngineKind::Libzmq)]
    against: EngineKind,
    /// Write every run's figures to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(code) = child::run_if_child() {
        return code;
    }
    let arguments = Arguments::parse();
    let scenario = |transport, pattern, size_bytes| Scenario {
        pattern,
        transport,
        size_bytes,
    };
    let suite = Suite {
        scenarios: vec![
            scenario(Transport::Tcp, Pattern::PushPull, 64),
            scenario(Transport::Tcp, Pattern::PushPull, 1 << 10),
            scenario(Transport::Tcp, Pattern::PushPull, 64 << 10),
            scenario(Transport::Tcp, Pattern::ReqRep, 64),
            scenario(Transport::Ipc, Pattern::PushPull, 64),
            scenario(Transport::Ipc, Pattern::PushPull, 1 << 10),
            scenario(Transport::Ipc, Pattern::InPlace, 64 << 10),
            scenario(Transport::Ipc, Pattern::ReqRep, 64),
            scenario(Transport::Ipc, Pattern::BusyReqRep, 64),
            scenario(Transport::Inproc, Pattern::PushPull, 64),
            scenario(Transport::Inproc, Pattern::BusyReqRep, 64),
        ],
        engines: [arguments.engine, arguments.against],
        repetitions: 3,
        duration_ms: if arguments.quick { 100 } else { 450 },
        pins: arguments.pin.then_some([0, 1]),
        rate_per_s: 1000,
        busy_loops: 0,
    };
    console::show(suite, arguments.json.as_deref())
}
