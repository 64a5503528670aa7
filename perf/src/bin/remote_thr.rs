//! Sends messages to `local_thr`, with the arguments of libzmq's `remote_thr`.

use std::process::ExitCode;

use clap::Parser;
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineKind, Result};
use ringmq_perf::throughput;
use ringmq_perf::tool::{self, SendOptions, ToolOptions};

/// Send messages to local_thr.
#[derive(Parser)]
struct Arguments {
    /// Endpoint of local_thr, such as tcp://127.0.0.1:5555
    connect_to: String,
    /// Length of a message, bytes
    message_size: usize,
    /// How many messages to send
    message_count: u64,
    #[command(flatten)]
    sending: SendOptions,
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
    let mut push = engine.push()?;
    push.connect(&arguments.connect_to)?;
    let Arguments {
        message_size,
        message_count,
        sending,
        ..
    } = *arguments;
    let body = vec![0; message_size];
    throughput::send_count(&mut push, &body, message_count, sending.messages)
}
