//! The other process of tests over `ipc://`. It is told what to be by its arguments and by lines on its standard input, and
//! answers with lines on its standard output; see `ringmq_tests::subject`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringmq::kind::Kind;
use ringmq::monitor::Event;
use ringmq::{Context, Dealer, Message, Pair, Pull, Push, Router, Socket};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments.as_slice() {
        ["router", endpoint] => router(endpoint),
        ["echo", endpoint] => echo(endpoint),
        ["send", endpoint, count, len] => send(endpoint, count, len),
        ["receive", "bind", endpoint, count] => receive(endpoint, count, Socket::bind),
        ["receive", "connect", endpoint, count] => receive(endpoint, count, Socket::connect),
        ["churn", rounds] => churn(rounds),
        _ => Err(format!("what is {arguments:?}?").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("neighbour {arguments:?}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
        // Nobody listens any more.
        std::process::exit(1);
    }
}

/// Ends the process as soon as it is told to, whatever else it does.
fn end_when_told() {
    thread::spawn(|| {
        for _line in io::stdin().lock().lines() {}
        std::process::exit(0);
    });
}

/// Dies without a chance to say goodbye.
fn die() -> ! {
    let _ = kill(Pid::this(), Signal::SIGKILL);
    unreachable!("nothing survives that signal")
}

/// Waits until messages go by shared memory.
fn await_sharing<K: Kind>(socket: &Socket<K>, meet: impl FnOnce() -> Result<(), ringmq::Error>) -> Outcome {
    let events = socket.monitor();
    meet()?;
    while events.recv_timeout(None)?.event != Event::SharedMemory {}
    Ok(())
}

/// Sends everything back to whom it came from.
fn router(endpoint: &str) -> Outcome {
    end_when_told();
    let router = Router::new(&Context::new())?;
    router.bind(endpoint)?;
    say("ready");
    loop {
        router.send_multipart(router.recv_multipart()?)?;
    }
}

/// Sends everything back, and sleeps before each message.
fn echo(endpoint: &str) -> Outcome {
    end_when_told();
    let pair = Pair::new(&Context::new())?;
    pair.set_busy_poll(Some(Duration::ZERO));
    await_sharing(&pair, || pair.connect(endpoint))?;
    say("ready");
    let mut message = Message::new();
    loop {
        pair.recv_into(&mut message)?;
        pair.send(std::mem::take(&mut message))?;
    }
}

fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![number as u8; len.max(8)];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Sends so many messages, and dies with the last.
fn send(endpoint: &str, count: &str, len: &str) -> Outcome {
    let (count, len) = (count.parse()?, len.parse()?);
    end_when_told();
    let dealer = Dealer::new(&Context::new())?;
    dealer.set_send_hwm(0);
    await_sharing(&dealer, || dealer.connect(endpoint))?;
    // The other side's answer shows that it reads, and that our end has its ring.
    dealer.send("hello")?;
    dealer.recv()?;
    for number in 0..count {
        dealer.send(numbered(number, len))?;
    }
    die()
}

/// Receives so many messages in order, says the first and the last number and how many are missing in between, and dies.
fn receive(
    endpoint: &str,
    count: &str,
    meet: fn(&Socket<ringmq::kind::Pull>, &str) -> Result<(), ringmq::Error>,
) -> Outcome {
    let count: u64 = count.parse()?;
    end_when_told();
    let pull = Pull::new(&Context::new())?;
    await_sharing(&pull, || meet(&pull, endpoint))?;
    say("ready");
    let (mut first, mut next, mut missing) = (None, 0, 0);
    for _ in 0..count {
        let message = pull.recv()?;
        let number = u64::from_le_bytes(*message.first_chunk().ok_or("a short message")?);
        first.get_or_insert(number);
        if number < next || message[8..].iter().any(|&byte| byte != number as u8) {
            return Err(format!("{number} instead of {next}").into());
        }
        missing += if first == Some(number) { 0 } else { number - next };
        next = number + 1;
    }
    say(&format!("got {} {} {missing}", first.unwrap_or(0), next - 1));
    die()
}

/// Makes and ends so many connections for each line.
fn churn(rounds: &str) -> Outcome {
    let rounds: usize = rounds.parse()?;
    let context = Context::new();
    let pull = Pull::new(&context)?;
    pull.bind("ipc://*")?;
    let endpoint = pull.last_endpoint();
    say("ready");
    for line in io::stdin().lock().lines() {
        let rounds = if line? == "look" { 0 } else { rounds };
        for round in 0..rounds {
            let push = Push::new(&context)?;
            // The smallest, and which side goes first changes.
            push.set_shm_segment_len(65536);
            await_sharing(&push, || push.connect(&endpoint))?;
            push.send(&(round as u64).to_le_bytes())?;
            if round % 2 == 0 {
                drop(push);
            }
            if *pull.recv()? != (round as u64).to_le_bytes() {
                return Err("another message".into());
            }
        }
        // A socket lets go of what has ended with its next call.
        if !matches!(pull.try_recv(), Err(ringmq::Error::WouldBlock)) {
            return Err("one message more".into());
        }
        say("done");
    }
    Ok(())
}
