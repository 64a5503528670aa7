//! A TCP proxy between two peers that plays the bad network.
//!
//! What it does to a connection is its [`Plan`], made anew for every connection that it accepts, so that a test
//! can break the first and let the second through. Everything is a function of the plan and of the bytes that
//! pass; the only clock is the one by which a blocked thread looks from time to time whether it should stop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use crate::random::Random;

/// How often a blocked read or write looks whether the connection is to be abandoned.
const TICK: Duration = Duration::from_millis(10);

/// What happens to one connection.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// From the side that connected to the proxy towards the one behind it.
    pub upstream: Course,
    /// Back.
    pub downstream: Course,
}

/// What happens to the bytes of one direction.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The pieces that they are sent in.
    pub segments: Segments,
    /// What happens once a number of bytes has passed.
    pub fault: Option<(u64, Fault)>,
}

/// How a direction is cut into TCP segments. The receiving kernel may join them again if its reader is slow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Segments {
    /// As they come.
    #[default]
    AsRead,
    /// Byte by byte.
    OneByte,
    /// Pieces of 1 to `highest` bytes, by a seed.
    Random {
        /// Chooses the sequence of lengths.
        seed: u64,
        /// The longest piece, bytes; at least 1.
        highest: usize,
    },
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both sides see the connection closed in order (FIN).
    Fin,
    /// Both sides see the connection aborted (RST).
    Rst,
    /// The receiver of this direction sees its end (FIN), and what its sender still sends is thrown away; the
    /// other direction goes on.
    HalfClose,
    /// Nothing more is read from the sender, and the connection stays open, until [`Proxy::thaw`]. At byte 0 this
    /// is a peer that never reads.
    Freeze,
}

/// A running proxy. Dropping it closes all its connections and waits for its threads.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    faults: usize,
    thawed: bool,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panicking test thread leaves plain counters behind, which are as good as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `reached`, or for `limit`; says whether it was reached.
    fn wait(&self, limit: Duration, reached: impl Fn(&State) -> bool) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), limit, |state| !reached(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        reached(&state)
    }
}

impl Proxy {
    /// Listens on a loopback port and connects every connection on to `target`. `plan` is given the number of
    /// connections before.
    pub fn start(target: SocketAddr, plan: impl Fn(usize) -> Plan + Send + 'static) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let sharing = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept_all(&listener, target, &plan, &sharing));
        Ok(Proxy {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until `count` connections have been accepted; says whether that happened within `limit`.
    pub fn wait_for_connections(&self, count: usize, limit: Duration) -> bool {
        self.shared.wait(limit, |state| state.connections >= count)
    }

    /// Waits until `count` faults have happened; says whether that happened within `limit`.
    pub fn wait_for_faults(&self, count: usize, limit: Duration) -> bool {
        self.shared.wait(limit, |state| state.faults >= count)
    }

    /// Lets every frozen direction go on, now and from now on.
    pub fn thaw(&self) {
        self.shared.change(|state| state.thawed = true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(|state| state.closing = true);
        // Wakes the acceptor. If that fails it is not blocked in `accept`.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic in there has been printed by its own thread.
            let _ = acceptor.join();
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    target: SocketAddr,
    plan: &(impl Fn(usize) -> Plan + Send),
    shared: &Arc<Shared>,
) {
    let mut threads = Vec::new();
    for connection in 0.. {
        let accepted = listener.accept();
        if shared.lock().closing {
            break;
        }
        // A client that has gone again, or a target that is down, is what the network does.
        let opened = accepted.and_then(|(client, _)| Link::open(client, target));
        if let Ok(link) = opened {
            let link = Arc::new(link);
            let Plan { upstream, downstream } = plan(connection);
            for (course, up) in [(upstream, true), (downstream, false)] {
                let (link, shared) = (Arc::clone(&link), Arc::clone(shared));
                threads.push(thread::spawn(move || forward(&link, up, &course, &shared)));
            }
        }
        shared.change(|state| state.connections += 1);
    }
    for thread in threads {
        // As in `drop`.
        let _ = thread.join();
    }
}

/// Both halves of a proxied connection. They close when both directions have let go of them.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Bytes pass.
    Carrying,
    /// Both sides have been told of the end. What they still send is read, because closing a socket with unread
    /// bytes would send RST behind the FIN.
    Discarding,
    /// Both directions let go.
    Broken,
}

impl Link {
    fn open(client: TcpStream, target: SocketAddr) -> io::Result<Link> {
        let server = TcpStream::connect(target)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(TICK))?;
            stream.set_write_timeout(Some(TICK))?;
        }
        Ok(Link {
            client,
            server,
            phase: Mutex::new(Phase::Carrying),
        })
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Ends both directions in order.
    fn finish(&self) {
        self.enter(Phase::Discarding);
        for stream in [&self.client, &self.server] {
            // Fails only if the connection has gone, which the test will see.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// Makes the coming close an abort: with a linger time of zero the kernel sends RST instead of FIN.
    fn reset_on_close(&self) {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        for stream in [&self.client, &self.server] {
            setsockopt(stream, sockopt::Linger, &linger).expect("a TCP socket has SO_LINGER");
        }
    }
}

/// Carries one direction until it ends, breaks, or the proxy closes.
fn forward(link: &Link, up: bool, course: &Course, shared: &Shared) {
    let (from, to) = if up {
        (&link.client, &link.server)
    } else {
        (&link.server, &link.client)
    };
    let stop = || link.phase() == Phase::Broken || shared.lock().closing;
    let mut cutter = Cutter::new(&course.segments);
    let mut fault = course.fault;
    let mut half_closed = false;
    let mut passed = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some((_, kind)) = fault.take_if(|(after, _)| *after == passed) {
            half_closed = kind == Fault::HalfClose;
            if suffer(kind, link, to, shared) {
                return;
            }
        }
        let room = fault.map_or(buffer.len(), |(after, _)| {
            buffer.len().min((after - passed) as usize)
        });
        match patiently(&stop, || (&*from).read(&mut buffer[..room])) {
            Ok(0) => {
                // The end of this direction is passed on; the other one may still be in use.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) => {
                passed += count as u64;
                if half_closed || link.phase() == Phase::Discarding {
                    continue;
                }
                let written = cutter.write(&buffer[..count], to, &stop);
                // The other direction may have ended this one meanwhile.
                if written.is_err() && link.phase() != Phase::Discarding {
                    return link.enter(Phase::Broken);
                }
            }
            Err(error) => {
                if error.kind() == ErrorKind::ConnectionReset {
                    link.reset_on_close();
                }
                return link.enter(Phase::Broken);
            }
        }
    }
}

/// Makes `fault` happen; says whether the direction is over.
fn suffer(fault: Fault, link: &Link, to: &TcpStream, shared: &Shared) -> bool {
    match fault {
        Fault::Fin => link.finish(),
        Fault::Rst => {
            link.reset_on_close();
            link.enter(Phase::Broken);
        }
        Fault::HalfClose => {
            // Fails only if the connection has gone, which the test will see.
            let _ = to.shutdown(Shutdown::Write);
        }
        Fault::Freeze => {}
    }
    shared.change(|state| state.faults += 1);
    if fault != Fault::Freeze {
        return fault == Fault::Rst;
    }
    while !shared.wait(TICK, |state| state.thawed || state.closing) {
        if link.phase() == Phase::Broken {
            return true;
        }
    }
    false
}

/// Repeats `call` while it times out, until `stop`.
fn patiently(stop: &impl Fn() -> bool, mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        if stop() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        match call() {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            answer => return answer,
        }
    }
}

/// Sends bytes in pieces.
struct Cutter {
    segments: Segments,
    random: Random,
}

impl Cutter {
    fn new(segments: &Segments) -> Cutter {
        let seed = match segments {
            Segments::Random { seed, .. } => *seed,
            Segments::AsRead | Segments::OneByte => 0,
        };
        Cutter {
            segments: segments.clone(),
            random: Random::new(seed),
        }
    }

    fn write(&mut self, mut bytes: &[u8], to: &TcpStream, stop: &impl Fn() -> bool) -> io::Result<()> {
        while !bytes.is_empty() {
            let length = match self.segments {
                Segments::AsRead => bytes.len(),
                Segments::OneByte => 1,
                Segments::Random { highest, .. } => self.random.up_to(highest).min(bytes.len()),
            };
            let (mut piece, rest) = bytes.split_at(length);
            while !piece.is_empty() {
                let written = patiently(stop, || (&*to).write(piece))?;
                piece = &piece[written..];
            }
            bytes = rest;
        }
        Ok(())
    }
}

/// Waits until `reached` by asking again every few milliseconds; says whether that happened within `limit`. For states
/// that nobody announces.
pub fn wait_until(limit: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if reached() {
            return true;
        }
        if start.elapsed() >= limit {
            return false;
        }
        thread::park_timeout(TICK);
    }
}
