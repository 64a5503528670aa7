//! Sends and receives by turns on one thread, so that nothing but the calls counts, and prints how long both take. libzmq
//! has no such program; arguments and output are like those of its `inproc_thr`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineKind, Result};
use ringmq_perf::throughput::{self, Taker};
use ringmq_perf::tool::{self, ReceiveOptions, SendOptions, ToolOptions};

/// So many messages are sent before they are received.
const BATCH: u64 = 100;

/// Send and receive by turns on one thread, and print how long both take.
#[derive(Parser)]
struct Arguments {
    /// Length of a message, bytes
    message_size: usize,
    /// How many messages to pass, in batches of a hundred
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    message_count: u64,
    #[command(flatten)]
    sending: SendOptions,
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
        sending,
        receiving,
        ..
    } = *arguments;
    arguments.options.apply()?;
    let engine = E::new(arguments.options.tuning())?;
    let mut pull = engine.pull()?;
    pull.bind("inproc://calls")?;
    let mut push = engine.push()?;
    push.connect("inproc://calls")?;
    let body = vec![0; message_size];
    let mut taker = Taker::new(message_size, receiving.copies);
    let batches = message_count.div_ceil(BATCH);
    let started = Instant::now();
    for _ in 0..batches {
        throughput::send_count(&mut push, &body, BATCH, sending.messages)?;
        for _ in 0..BATCH {
            taker.take(&mut pull)?;
        }
    }
    tool::print_calls(message_size, batches * BATCH, started.elapsed());
    Ok(())
}
