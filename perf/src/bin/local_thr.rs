//! Receives messages and prints their rate, with the arguments and the output of libzmq's `local_thr`.

use std::process::ExitCode;

use clap::Parser;
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineKind, Result};
use ringmq_perf::throughput::{self, Taker};
use ringmq_perf::tool::{self, ReceiveOptions, ToolOptions};

/// Receive messages and print their rate.
#[derive(Parser)]
struct Arguments {
    /// Endpoint to listen on, such as tcp://127.0.0.1:5555
    bind_to: String,
    /// Length of a message, bytes
    message_size: usize,
    /// How many messages to receive
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    message_count: u64,
    #[command(flatten)]
    receiving: ReceiveOptions,
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
    let Arguments {
        message_size,
        message_count,
        receiving,
        ..
    } = *arguments;
    arguments.options.apply()?;
    let engine = E::new(arguments.options.tuning())?;
    let mut pull = engine.pull()?;
    pull.bind(&arguments.bind_to)?;

    let mut taker = Taker::new(message_size, receiving.copies);
    let elapsed = throughput::receive_count(&mut pull, &mut taker, message_count)?;
    tool::print_throughput(message_size, message_count, elapsed);
    Ok(())
}
