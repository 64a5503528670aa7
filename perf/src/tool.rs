//! What the programs with libzmq's arguments share.

use std::{process::ExitCode, thread::ScopedJoinHandle, time::Duration};

use clap::Args;

use crate::engine::{EngineKind, Result, Tuning};
use crate::machine;

/// Options after libzmq's positional arguments.
#[derive(Clone, Copy, Debug, Args)]
pub struct ToolOptions {
    /// The library to measure.
    #[arg(long, value_enum, default_value_t = EngineKind::Ringmq)]
    pub engine: EngineKind,
    /// Spin for this long before sleeping; libzmq cannot
    #[arg(long, value_name = "MICROSECONDS")]
    pub busy_poll: Option<u64>,
    /// Run on this core only, I/O threads included.
    #[arg(long, value_name = "CORE")]
    pub pin: Option<usize>,
}

/// How the programs that measure throughput send.
#[derive(Clone, Copy, Debug, Args)]
pub struct SendOptions {
    /// Make a message of each body first, instead of sending bytes
    #[arg(long)]
    pub messages: bool,
}

/// How they receive.
#[derive(Clone, Copy, Debug, Args)]
pub struct ReceiveOptions {
    /// Copy each body into a buffer, instead of leaving it in the message
    #[arg(long)]
    pub copies: bool,
}

impl ToolOptions {
    /// Pins the process if asked to. To be called before the engine starts its threads, which inherit it.
    pub fn apply(&self) -> Result<()> {
        self.pin.map_or(Ok(()), machine::pin)
    }

    /// What is asked of the sockets.
    pub fn tuning(&self) -> Tuning {
        Tuning {
            busy_poll: self.busy_poll.map(Duration::from_micros),
            ..Tuning::default()
        }
    }
}

/// Turns a program's result into its exit code, and prints an error where libzmq's programs print theirs.
pub fn finish(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for a thread; its panic goes on here.
pub fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Prints a rate as libzmq's programs do.
pub fn print_throughput(message_size: usize, message_count: u64, elapsed: Duration) {
    let elapsed_us = elapsed.as_micros().max(1);
    let throughput = message_count as f64 / elapsed_us as f64 * 1e6;
    let megabits = throughput * message_size as f64 * 8.0 / 1e6;
    println!("message size: {message_size} [B]");
    println!("message count: {message_count}");
    println!("mean throughput: {} [msg/s]", throughput as u64);
    println!("mean throughput: {megabits:.3} [Mb/s]");
}

/// Prints how long it takes to send and to receive a message, in the manner of libzmq's programs.
pub fn print_calls(message_size: usize, message_count: u64, elapsed: Duration) {
    println!("message size: {message_size} [B]");
    println!("message count: {message_count}");
    let each = elapsed.as_nanos() as f64 / message_count as f64;
    println!("average time of both calls: {each:.1} [ns]");
}

/// Prints half a mean round trip as libzmq's programs do.
pub fn print_latency(message_size: usize, roundtrip_count: u64, elapsed: Duration) {
    let latency_us = elapsed.as_nanos() as f64 / 1e3 / (roundtrip_count * 2) as f64;
    println!("message size: {message_size} [B]");
    println!("roundtrip count: {roundtrip_count}");
    println!("average latency: {latency_us:.3} [us]");
}
