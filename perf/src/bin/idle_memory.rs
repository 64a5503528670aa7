//! Prints what an idle connection costs a bound PULL: the growth of its resident memory divided by their number.
//!
//! The socket lives in a process of its own. The connections are plain sockets of this one that shake hands and then stay
//! silent, so that nothing but the measured engine's memory is counted.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use ringmq_perf::engine::ringmq::RingMq;
use ringmq_perf::engine::stock::Stock;
use ringmq_perf::engine::{Endpoint, Engine, EngineError, EngineKind, Result, Tuning};
use ringmq_perf::tool;

/// Connections made before the first look, which pay for what all of them share.
const FIRST: usize = 100;
/// The greeting of ZMTP 3.1 up to the mechanism's padding (RFC 37).
const GREETING_HEAD: &[u8] = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL";
const GREETING_LEN: usize = 64;
const READY: &[u8] = b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH";

/// Print what an idle connection costs a bound PULL.
#[derive(Parser)]
struct Arguments {
    /// How many connections to make
    #[arg(default_value_t = 5000)]
    count: usize,
    /// The library to measure
    #[arg(long, value_enum, default_value_t = EngineKind::Ringmq)]
    engine: EngineKind,
    /// Be the measured process
    #[arg(long, hide = true)]
    serve: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tool::finish(match (arguments.serve, arguments.engine) {
        (false, _) => measure(&arguments),
        (true, EngineKind::Ringmq) => serve::<RingMq>(),
        (true, EngineKind::Libzmq) => serve::<Stock>(),
    })
}

fn failed(call: &'static str) -> impl FnOnce(std::io::Error) -> EngineError {
    move |error| EngineError::Failed(call, error.to_string())
}

/// As many descriptors as the system allows.
fn raise_descriptor_limit() -> Result<()> {
    let errno = |error: nix::Error| EngineError::Failed("setrlimit", error.to_string());
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(errno)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(errno)
}

/// Binds, says where, and lives until its input ends.
fn serve<E: Engine>() -> Result<()> {
    raise_descriptor_limit()?;
    let engine = E::new(Tuning::default())?;
    let mut pull = engine.pull()?;
    println!("{}", pull.bind("tcp://127.0.0.1:*")?);
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).map_err(failed("read"))?;
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<()> {
    raise_descriptor_limit()?;
    let mut server = start_server(arguments.engine)?;
    let output = server
        .stdout
        .take()
        .ok_or(EngineError::Unavailable("the server has no output"))?;
    let mut endpoint = String::new();
    BufReader::new(output)
        .read_line(&mut endpoint)
        .map_err(failed("read"))?;
    let address = endpoint.trim().trim_start_matches("tcp://").to_owned();
    let mut connections = Vec::with_capacity(FIRST + arguments.count);
    connect_many(&address, FIRST, &mut connections)?;
    let before = settled_bytes(server.id())?;
    connect_many(&address, arguments.count, &mut connections)?;
    let growth = settled_bytes(server.id())?.saturating_sub(before);
    println!("engine: {}", arguments.engine);
    println!("connections: {}", arguments.count);
    println!(
        "memory per idle connection: {:.2} [KiB]",
        growth as f64 / 1024.0 / arguments.count as f64
    );
    drop(server.stdin.take());
    server.wait().map_err(failed("wait"))?;
    Ok(())
}

fn start_server(engine: EngineKind) -> Result<Child> {
    let program = std::env::current_exe().map_err(failed("current_exe"))?;
    let mut command = Command::new(program);
    command.args(["--serve", "--engine", &engine.to_string()]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed("spawn"))
}

fn connect_many(address: &str, count: usize, connections: &mut Vec<TcpStream>) -> Result<()> {
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).map_err(failed("connect"))?;
        let mut greeting = [0; GREETING_LEN];
        greeting[..GREETING_HEAD.len()].copy_from_slice(GREETING_HEAD);
        stream
            .write_all(&greeting)
            .and_then(|()| stream.write_all(READY))
            .map_err(failed("write"))?;
        // The peer's greeting and the header of its READY: the handshake is done when they are here.
        let mut answer = [0; GREETING_LEN + 2];
        stream.read_exact(&mut answer).map_err(failed("read"))?;
        connections.push(stream);
    }
    Ok(())
}

/// Resident memory once it has stopped to change.
fn settled_bytes(pid: u32) -> Result<usize> {
    let mut last = 0;
    loop {
        thread::sleep(Duration::from_millis(200));
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).map_err(failed("read"))?;
        let pages = statm
            .split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse::<usize>().ok());
        let now = pages.ok_or(EngineError::Unavailable("the kernel tells no resident size"))? * page_bytes();
        if now == last {
            return Ok(now);
        }
        last = now;
    }
}

fn page_bytes() -> usize {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .map_or(4096, |bytes| bytes as usize)
}
