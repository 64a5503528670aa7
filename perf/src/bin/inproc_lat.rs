//! Sends messages to another thread of the process one by one and prints half the mean round trip, with the arguments
//! and the output of libzmq's `inproc_lat`.

use std::{process::ExitCode, thread};

use clap::Parser;
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineKind, Result};
use ringmq_perf::latency;
use ringmq_perf::tool::{self, ToolOptions};

/// Send messages to another thread one by one and print half the mean round trip.
#[derive(Parser)]
struct Arguments {
    /// Length of a message, bytes
    message_size: usize,
    /// How many round trips to make
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
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

fn run<E: Engine<Rep: Send>>(arguments: &Arguments) -> Result<()> {
    let Arguments {
        message_size,
        roundtrip_count,
        ..
    } = *arguments;
    arguments.options.apply()?;
    let engine = E::new(arguments.options.tuning())?;
    let mut req = engine.req()?;
    req.bind("inproc://lat_test")?;
    let mut rep = engine.rep()?;
    let elapsed = thread::scope(|scope| {
        let echo = scope.spawn(move || {
            rep.connect("inproc://lat_test")?;
            latency::echo_count(&mut rep, message_size, roundtrip_count)
        });
        let elapsed = latency::ask_count(&mut req, message_size, roundtrip_count)?;
        tool::join(echo)?;
        Ok(elapsed)
    })?;
    tool::print_latency(message_size, roundtrip_count, elapsed);
    Ok(())
}
