//! Does one thing in a process of its own, for tests that look at it from outside. See `ringmq_tests::subject`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::Permissions;
use std::io::{self, BufRead, Lines, Read, StdinLock, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use ringmq::{Context, Pub, Pull, Push, Rep, Req};
use ringmq_tests::raw_peer::RawPeer;
use ringmq_tests::recipe;

type Outcome = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match *arguments.as_slice() {
        ["pull"] => pull(),
        ["pull", descriptors] => limit_descriptors(descriptors).and_then(|()| pull()),
        ["pub"] => publish(),
        ["idle"] => idle(),
        ["restless"] => restless(),
        ["churn", sockets] => churn(sockets),
        ["clients", address, count] => clients(address, count),
        ["knock", path_or_name] => knock(path_or_name),
        ["receive", path_or_name] => receive(path_or_name),
        _ => Err(format!("what is {arguments:?}?").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("subject {arguments:?}: {error}");
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

fn told() -> Lines<StdinLock<'static>> {
    io::stdin().lock().lines()
}

fn limit_descriptors(most: &str) -> Outcome {
    let most = most.parse()?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

fn raise_descriptors() -> Outcome {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// Says events as they happen, on a thread that ends with the socket.
fn report_events(events: ringmq::monitor::MonitorReceiver) {
    thread::spawn(move || {
        while let Ok(record) = events.recv_timeout(None) {
            say(&format!("event {} {:?}", record.remote, record.event));
        }
    });
}

/// Receives and says what it receives, until it is told to end.
fn pull() -> Outcome {
    let context = Context::new();
    let pull = Pull::new(&context)?;
    report_events(pull.monitor());
    pull.bind("tcp://127.0.0.1:*")?;
    say(&format!("listening {}", pull.last_endpoint()));
    let ending = context.clone();
    thread::spawn(move || {
        for _line in told() {}
        ending.shutdown();
    });
    loop {
        match pull.recv() {
            Ok(message) => say(&format!(
                "message {} {}",
                message.len(),
                message[..message.len().min(64)].escape_ascii()
            )),
            Err(ringmq::Error::Terminated) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Publishes what it is told.
fn publish() -> Outcome {
    let context = Context::new();
    let publisher = Pub::new(&context)?;
    report_events(publisher.monitor());
    publisher.bind("tcp://127.0.0.1:*")?;
    say(&format!("listening {}", publisher.last_endpoint()));
    for line in told() {
        publisher.send(line?.into_bytes())?;
    }
    Ok(())
}

/// Has connected sockets with threads that wait on them, and nothing to do.
fn idle() -> Outcome {
    let context = Context::new();
    let pull = Pull::new(&context)?;
    pull.bind("tcp://127.0.0.1:*")?;
    let push = Push::new(&context)?;
    push.connect(&pull.last_endpoint())?;
    let rep = Rep::new(&context)?;
    rep.bind("tcp://127.0.0.1:*")?;
    let req = Req::new(&context)?;
    req.connect(&rep.last_endpoint())?;
    req.send("question")?;
    rep.recv()?;
    rep.send("answer")?;
    req.recv()?;
    push.send("message")?;
    pull.recv()?;
    thread::spawn(move || pull.recv().map(drop));
    say(&format!("idle {:?}", context.io_driver()?));
    for _line in told() {}
    // The thread that waits keeps its socket for ever, and the context waits for sockets.
    std::process::exit(0);
}

/// Has a thread that wakes up now and then: what a test of [`idle`] has to find.
fn restless() -> Outcome {
    thread::spawn(|| {
        loop {
            thread::park_timeout(Duration::from_millis(10));
        }
    });
    say("restless");
    for _line in told() {}
    Ok(())
}

/// Opens and closes sockets, one step per line.
fn churn(sockets: &str) -> Outcome {
    let pairs = sockets.parse::<usize>()? / 2;
    say("empty");
    let mut told = told();
    told.next();
    let context = Context::builder().workers(2).build();
    drop(open_pairs(&context, 2)?);
    say("ready");
    for _round in 0..2 {
        told.next();
        let open = open_pairs(&context, pairs)?;
        say("open");
        told.next();
        drop(open);
        say("closed");
    }
    told.next();
    drop(context);
    say("gone");
    told.next();
    Ok(())
}

fn open_pairs(context: &Context, count: usize) -> Result<Vec<(Push, Pull)>, Box<dyn Error>> {
    let mut pairs = Vec::new();
    for _ in 0..count {
        let pull = Pull::new(context)?;
        pull.bind("tcp://127.0.0.1:*")?;
        let push = Push::new(context)?;
        push.connect(&pull.last_endpoint())?;
        push.send("hello")?;
        if pull.recv_within(PATIENCE)? != *b"hello" {
            return Err("another message".into());
        }
        pairs.push((push, pull));
    }
    Ok(pairs)
}

/// Opens connections as a PUSH and leaves them idle; each line opens as many again.
fn clients(address: &str, count: &str) -> Outcome {
    raise_descriptors()?;
    let address: std::net::SocketAddr = address.parse()?;
    let count: usize = count.parse()?;
    let mut peers = Vec::new();
    let mut told = told();
    loop {
        for _ in 0..count {
            let mut peer = RawPeer::connect(address)?;
            peer.handshake(1, "PUSH", None)?;
            // The answer shows that the server is done with the handshake.
            peer.send(&recipe::ping(0, b""))?;
            peer.read_frame()?;
            peers.push(peer);
        }
        say("connected");
        if told.next().is_none() {
            return Ok(());
        }
    }
}

/// Connects to a unix socket and says what came of it.
fn knock(path_or_name: &str) -> Outcome {
    let connected = UnixStream::connect_addr(&unix_address(path_or_name)?);
    let Ok(mut stream) = connected.inspect_err(|error| println!("refused {:?}", error.kind())) else {
        return Ok(());
    };
    println!("connected");
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        // Bytes on their way make the kernel say so, and not just that the end is there.
        Ok(_) => println!("ended after {}", heard.len()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            println!("ended after {}", heard.len())
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Listens on a unix socket that anybody may write, and says how the connections begin.
fn receive(path_or_name: &str) -> Outcome {
    let listener = UnixListener::bind_addr(&unix_address(path_or_name)?)?;
    if !path_or_name.starts_with('@') {
        std::fs::set_permissions(path_or_name, Permissions::from_mode(0o666))?;
    }
    println!("listening");
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut heard = [0; 10];
        let outcome = stream.read_exact(&mut heard);
        println!("{}", if outcome.is_ok() { "greeted" } else { "left" });
    }
}

fn unix_address(path_or_name: &str) -> io::Result<SocketAddr> {
    match path_or_name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path_or_name),
    }
}
