//! Receives messages from another thread of the process and prints their rate, with the arguments and the output of
//! libzmq's `inproc_thr`.

use std::{process::ExitCode, thread};

use clap::Parser;
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineKind, Result};
use ringmq_perf::throughput::{self, Taker};
use ringmq_perf::tool::{self, ReceiveOptions, SendOptions, ToolOptions};

/// Receive messages from another thread and print their rate.
#[derive(Parser)]
struct Arguments {
    /// Length of a message, bytes
    message_size: usize,
    /// How many messages to receive
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

fn run<E: Engine<Push: Send>>(arguments: &Arguments) -> Result<()> {
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
    pull.bind("inproc://thr_test")?;
    let mut push = engine.push()?;
    let elapsed = thread::scope(|scope| {
        let sender = scope.spawn(move || {
            push.connect("inproc://thr_test")?;
            let body = vec![0; message_size];
            throughput::send_count(&mut push, &body, message_count, sending.messages)
        });
        let mut taker = Taker::new(message_size, receiving.copies);
        let elapsed = throughput::receive_count(&mut pull, &mut taker, message_count)?;
        tool::join(sender)?;
        Ok(elapsed)
    })?;
    tool::print_throughput(message_size, message_count, elapsed);
    Ok(())
}
