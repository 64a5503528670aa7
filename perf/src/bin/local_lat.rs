//! Echoes messages to `remote_lat`, with the arguments of libzmq's `local_lat`.

use std::process::ExitCode;

use clap::Parser;
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineKind, Result};
use ringmq_perf::latency;
use ringmq_perf::tool::{self, ToolOptions};

/// Echo messages to remote_lat.
#[derive(Parser)]
struct Arguments {
    /// Endpoint to listen on, such as tcp://127.0.0.1:5555
    bind_to: String,
    /// Length of a message, bytes
    message_size: usize,
    /// How many messages to echo
    roundtrip_count: u64,
    #[command(flatten)]
    options: ToolOptions,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tool::finish(match arguments.options.engine {
        EngineKind::Ringmq => run::<RingMq>(&arguments),
        EngineKind::Libzmq => run::<Stock>(&arguments),
    })
}

fn run<E: Engine>(arguments: &Arguments) -> Result<()> {
    arguments.options.apply()?;
    let engine = E::new(arguments.options.tuning())?;
    let mut rep = engine.rep()?;
    rep.bind(&arguments.bind_to)?;
    latency::echo_count(&mut rep, arguments.message_size, arguments.roundtrip_count)
}
