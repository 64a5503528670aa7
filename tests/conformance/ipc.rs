//! ipc: names, the files that stand for them, and who may connect.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use ringmq::monitor::{Event, EventRecord, HandshakeFault, MonitorReceiver};
use ringmq::{Context, EndpointFault, Error, Pull, Push};
use ringmq_tests::watchdog::within;

use crate::{PATIENCE, eventually, receiver, sender, texts};

/// A directory of the test's own, removed in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ringmq-ipc-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let place = std::env::temp_dir().join(name);
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
        Place(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of what lies there.
    fn content(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What a failed test leaves behind is no second failure.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ipc(path: &Path) -> String {
    format!("ipc://{}", path.display())
}

fn own_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("ringmq-own-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed))
}

/// The socket of a process that has ended.
fn leave_dead_socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

fn is_in_use(outcome: Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::AddressInUse { .. }))
}

/// A message finds its way.
fn assert_reachable(context: &Context, pull: &Pull, endpoint: &str) {
    let push: Push = sender(context);
    push.connect(endpoint).unwrap();
    push.send(endpoint).unwrap();
    assert_eq!(texts(pull), [endpoint]);
}

/// The next event that is wanted.
fn next(events: &MonitorReceiver, wanted: impl Fn(&Event) -> bool) -> EventRecord {
    loop {
        let record = events.recv_timeout(Some(PATIENCE)).unwrap();
        if wanted(&record.event) {
            return record;
        }
    }
}

#[test]
fn wrong_names_are_refused() {
    let push = Push::new(&Context::new()).unwrap();
    let long = format!("ipc://{}", "x".repeat(108));
    for (endpoint, fault) in [
        ("ipc://", EndpointFault::NoAddress),
        ("ipc://@", EndpointFault::NoName),
        ("ipc://a\0b", EndpointFault::EmbeddedNul),
        (&long, EndpointFault::PathTooLong),
    ] {
        for outcome in [push.bind(endpoint), push.connect(endpoint)] {
            assert!(
                matches!(outcome, Err(Error::InvalidEndpoint { why, .. }) if why == fault),
                "{endpoint:?}"
            );
        }
    }
    let no_directory = push.bind("ipc:///no/such/directory/socket").unwrap_err();
    assert_eq!(no_directory.errno(), 2);
}

#[test]
fn each_form_of_name_is_reported_as_it_was_given() {
    let context = Context::new();
    let place = Place::new();
    let relative = own_name();
    for endpoint in [
        ipc(&place.path("with space, ünï")),
        format!("ipc://{relative}"),
        format!("ipc://@{}", own_name()),
    ] {
        let pull: Pull = receiver(&context);
        pull.bind(&endpoint).unwrap();
        assert_eq!(pull.last_endpoint(), endpoint);
        assert_reachable(&context, &pull, &endpoint);
        pull.unbind(&endpoint).unwrap();
    }
    assert_eq!(place.content(), [""; 0]);
    assert!(!Path::new(&relative).exists());
}

#[test]
fn a_wildcard_has_a_directory_of_its_own_that_goes_with_it() {
    let context = Context::new();
    let pulls: [Pull; 2] = std::array::from_fn(|_| receiver(&context));
    let mut paths = Vec::new();
    for pull in &pulls {
        pull.bind("ipc://*").unwrap();
        let endpoint = pull.last_endpoint();
        let path = PathBuf::from(endpoint.strip_prefix("ipc://").unwrap());
        assert_eq!(path.file_name().unwrap(), "socket");
        let directory = path.parent().unwrap();
        let name = directory.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("tmp") && name.len() == 9, "{name}");
        assert_eq!(
            fs::metadata(directory).unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert_reachable(&context, pull, &endpoint);
        assert!(matches!(
            pull.unbind("ipc://*"),
            Err(Error::NoSuchEndpoint { .. })
        ));
        paths.push(directory.to_owned());
    }
    assert_ne!(paths[0], paths[1]);
    pulls[0].unbind(&pulls[0].last_endpoint()).unwrap();
    assert!(!paths[0].exists());
    drop(pulls);
    drop(context);
    assert!(!paths[1].exists());
}

#[test]
fn a_live_name_is_not_taken() {
    let context = Context::new();
    let place = Place::new();
    for endpoint in [ipc(&place.path("socket")), format!("ipc://@{}", own_name())] {
        let (first, second): (Pull, Pull) = (receiver(&context), receiver(&context));
        first.bind(&endpoint).unwrap();
        assert!(is_in_use(second.bind(&endpoint)));
        assert!(is_in_use(first.bind(&endpoint)));
        assert_reachable(&context, &first, &endpoint);
        drop(second);
        assert_reachable(&context, &first, &endpoint);
        // Free at once: the same name can be bound again without waiting.
        for _ in 0..50 {
            first.unbind(&endpoint).unwrap();
            first.bind(&endpoint).unwrap();
        }
        assert_reachable(&context, &first, &endpoint);
    }
}

/// A listener that accepts nobody, its backlog full, is alive.
#[test]
fn a_busy_name_is_live() {
    let place = Place::new();
    let path = place.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    // The backlog of the standard library is far above this; what counts is that nobody accepts.
    let waiting = UnixStream::connect(&path).unwrap();
    let pull = Pull::new(&Context::new()).unwrap();
    assert!(is_in_use(pull.bind(&ipc(&path))));
    drop((waiting, listener));
    pull.bind(&ipc(&path)).unwrap();
}

#[test]
fn a_dead_name_is_reclaimed() {
    let context = Context::new();
    let place = Place::new();
    let path = place.path("socket");
    leave_dead_socket(&path);
    let pull: Pull = receiver(&context);
    pull.bind(&ipc(&path)).unwrap();
    assert_reachable(&context, &pull, &ipc(&path));
    assert_eq!(place.content(), ["socket"]);
}

#[test]
fn what_is_no_dead_socket_stays() {
    let place = Place::new();
    let path = place.path("it");
    let pull = Pull::new(&Context::new()).unwrap();
    let refused = |what: &str| assert!(is_in_use(pull.bind(&ipc(&path))), "{what}");

    fs::write(&path, "content").unwrap();
    refused("a file");
    assert_eq!(fs::read(&path).unwrap(), b"content");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    refused("a directory");
    fs::remove_dir(&path).unwrap();

    symlink(place.path("nothing"), &path).unwrap();
    refused("a link to nothing");
    fs::remove_file(&path).unwrap();

    leave_dead_socket(&place.path("dead"));
    symlink(place.path("dead"), &path).unwrap();
    refused("a link to a dead socket");
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    fs::remove_file(&path).unwrap();

    let other = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    refused("a live socket of another type");
    drop(other);
    assert_eq!(place.content(), ["dead", "it"]);
}

#[test]
fn only_the_own_file_is_removed() {
    let place = Place::new();
    let path = place.path("socket");
    let pull = Pull::new(&Context::new()).unwrap();
    pull.bind(&ipc(&path)).unwrap();
    // A third party takes the name by force.
    fs::remove_file(&path).unwrap();
    let thief = UnixListener::bind(&path).unwrap();
    pull.unbind(&ipc(&path)).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(thief);

    // Or it is gone.
    fs::remove_file(&path).unwrap();
    pull.bind(&ipc(&path)).unwrap();
    fs::remove_file(&path).unwrap();
    pull.unbind(&ipc(&path)).unwrap();
    assert_eq!(place.content(), [""; 0]);
}

#[test]
fn the_lock_of_a_killed_binder_is_harmless_and_a_file_of_its_name_stays() {
    let place = Place::new();
    let path = place.path("socket");
    let lock = place.path("socket.ringmq-lock");
    let pull = Pull::new(&Context::new()).unwrap();
    fs::write(&lock, "").unwrap();
    pull.bind(&ipc(&path)).unwrap();
    assert_eq!(place.content(), ["socket"]);
    pull.unbind(&ipc(&path)).unwrap();
    fs::write(&lock, "somebody's").unwrap();
    pull.bind(&ipc(&path)).unwrap();
    assert_eq!(fs::read(&lock).unwrap(), b"somebody's");
}

/// Of binders that race, one has the name, and whoever connects reaches that one.
#[test]
fn racing_binders_do_not_steal() {
    within(Duration::from_secs(120), race);
}

fn race() {
    const ROUNDS: usize = 1000;
    const BINDERS: usize = 3;
    let place = Place::new();
    let path = place.path("socket");
    let endpoint = ipc(&path);
    let barrier = Barrier::new(BINDERS + 1);
    let winners = AtomicUsize::new(0);
    let reached = AtomicUsize::new(0);
    let bind = || {
        let context = Context::new();
        let pull: Pull = receiver(&context);
        let events = pull.monitor();
        for _ in 0..ROUNDS {
            barrier.wait();
            let outcome = pull.bind(&endpoint);
            let won = outcome.is_ok();
            assert!(won || is_in_use(outcome), "neither bound nor refused");
            winners.fetch_add(usize::from(won), Relaxed);
            while events.try_recv().is_ok() {}
            // The looks of those who lost have come and gone before somebody connects.
            barrier.wait();
            barrier.wait();
            if won {
                next(&events, |event| matches!(event, Event::Accepted { .. }));
                reached.fetch_add(1, Relaxed);
                pull.unbind(&endpoint).unwrap();
            }
            barrier.wait();
        }
    };
    thread::scope(|scope| {
        for _ in 0..BINDERS {
            scope.spawn(bind);
        }
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                leave_dead_socket(&path);
            }
            barrier.wait();
            barrier.wait();
            assert_eq!(winners.load(Relaxed), round + 1);
            assert_eq!(place.content(), ["socket"]);
            let _visitor = UnixStream::connect(&path).unwrap();
            barrier.wait();
            barrier.wait();
            assert_eq!(reached.load(Relaxed), round + 1);
            assert_eq!(place.content(), [""; 0]);
        }
    });
}

#[test]
fn files_are_for_their_owner_unless_told_otherwise() {
    let place = Place::new();
    let pull = Pull::new(&Context::new()).unwrap();
    assert_eq!(pull.ipc_mode(), Some(0o600));
    let mode = |name: &str| {
        let path = place.path(name);
        pull.bind(&ipc(&path)).unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        found.permissions().mode() & 0o777
    };
    assert_eq!(mode("default"), 0o600);
    for wanted in [0o660, 0o666, 0o622, 0o400] {
        pull.set_ipc_mode(Some(wanted)).unwrap();
        assert_eq!(mode(&format!("{wanted:o}")), wanted);
    }
    pull.set_ipc_mode(None).unwrap();
    fs::write(place.path("plain"), "").unwrap();
    let plain = fs::metadata(place.path("plain")).unwrap().permissions().mode();
    assert_eq!(mode("umask") & 0o666, plain & 0o666);
    assert!(matches!(
        pull.set_ipc_mode(Some(0o1600)),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn both_ends_know_who_the_other_is() {
    let context = Context::new();
    let (pull, push): (Pull, Push) = (receiver(&context), sender(&context));
    let (binding, connecting) = (pull.monitor(), push.monitor());
    let endpoint = format!("ipc://@{}", own_name());
    pull.bind(&endpoint).unwrap();
    push.connect(&endpoint).unwrap();
    push.send("hello").unwrap();
    assert_eq!(texts(&pull), ["hello"]);
    let user = nix::unistd::geteuid().as_raw();
    let listening = next(&binding, |_| true);
    assert!(matches!(listening.event, Event::Listening { .. }));
    assert_eq!(
        (listening.local.as_str(), listening.credentials),
        (endpoint.as_str(), None)
    );
    let accepted = next(&binding, |_| true);
    assert!(matches!(accepted.event, Event::Accepted { .. }));
    let records = [
        next(&binding, |event| matches!(event, Event::Handshaken)),
        next(&connecting, |event| matches!(event, Event::Connected { .. })),
        next(&connecting, |event| matches!(event, Event::Handshaken)),
    ];
    for record in [accepted].iter().chain(&records) {
        let peer = record.credentials.unwrap();
        assert_eq!((peer.pid.cast_unsigned(), peer.uid), (std::process::id(), user));
        assert_eq!(record.endpoint(), endpoint);
    }
    assert_eq!(pull.peer_credentials(), [records[0].credentials.unwrap()]);
    assert_eq!(push.peer_credentials(), [records[0].credentials.unwrap()]);
}

#[test]
fn a_filter_lets_in_whom_one_of_its_lists_names() {
    let context = Context::builder().linger(Some(Duration::ZERO)).build();
    let own = UnixStream::pair().unwrap();
    let own = nix::sys::socket::getsockopt(&own.0, nix::sys::socket::sockopt::PeerCredentials).unwrap();
    let nobody = u32::MAX - 1;
    let rows: [([Vec<u32>; 3], bool); 6] = [
        ([vec![], vec![], vec![]], true),
        ([vec![own.uid()], vec![], vec![]], true),
        ([vec![nobody], vec![], vec![]], false),
        ([vec![nobody], vec![own.gid()], vec![]], true),
        ([vec![], vec![nobody], vec![own.pid().cast_unsigned()]], true),
        ([vec![], vec![], vec![1]], false),
    ];
    for (lists, lets_in) in rows {
        let pull: Pull = receiver(&context);
        let [uids, gids, pids] = lists.clone();
        pull.set_ipc_filter_uid(uids);
        pull.set_ipc_filter_gid(gids);
        pull.set_ipc_filter_pid(pids);
        let events = pull.monitor();
        pull.bind(&format!("ipc://@{}", own_name())).unwrap();
        let push: Push = sender(&context);
        push.connect(&pull.last_endpoint()).unwrap();
        push.send("hello").unwrap();
        let first = next(&events, |event| !matches!(event, Event::Listening { .. }));
        assert_eq!(
            matches!(first.event, Event::Accepted { .. }),
            lets_in,
            "{lists:?}"
        );
        if lets_in {
            assert_eq!(texts(&pull), ["hello"]);
        } else {
            assert!(
                matches!(first.event, Event::AcceptFailed { errno: 13 }),
                "{first:?}"
            );
            assert_eq!(first.credentials.unwrap().uid, own.uid());
        }
    }
}

#[test]
fn a_connection_waits_for_its_name_and_is_made_again() {
    let context = Context::new();
    let place = Place::new();
    for endpoint in [ipc(&place.path("socket")), format!("ipc://@{}", own_name())] {
        let push: Push = sender(&context);
        push.set_reconnect_interval(Some(Duration::from_millis(1)));
        let events = push.monitor();
        push.connect(&endpoint).unwrap();
        for _ in 0..3 {
            let retried = next(&events, |event| matches!(event, Event::ConnectRetried { .. }));
            assert_eq!(retried.remote, endpoint);
        }
        for round in 0..10 {
            push.send(format!("{round}")).unwrap();
            let pull: Pull = receiver(&context);
            eventually("the name is free", || pull.bind(&endpoint).is_ok());
            assert_eq!(texts(&pull), [format!("{round}")]);
            drop(pull);
            next(&events, |event| matches!(event, Event::Disconnected { .. }));
        }
    }
}

/// A program that runs as a user who is neither ours nor root; `None` if we are not allowed to do that.
fn start_as_nobody(place: &Place, arguments: &[&str]) -> Option<Child> {
    if !nix::unistd::geteuid().is_root() {
        println!("needs root to become somebody else");
        return None;
    }
    // Where it was built, others may not look.
    let program = place.path("subject");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_subject"), &program).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(program);
    command.args(arguments).uid(65_534).gid(65_534).current_dir("/");
    Some(command.stdout(Stdio::piped()).spawn().unwrap())
}

/// Ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only if the process has gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said_by(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn another_user_is_turned_away_at_the_file() {
    let place = Place::new();
    let pull = Pull::new(&Context::new()).unwrap();
    let path = place.path("socket");
    pull.bind(&ipc(&path)).unwrap();
    let Some(child) = start_as_nobody(&place, &["knock", path.to_str().unwrap()]) else {
        return;
    };
    assert_eq!(said_by(child), "refused PermissionDenied\n");
}

#[test]
fn another_user_is_turned_away_by_name_before_a_greeting() {
    let place = Place::new();
    let context = Context::new();
    let pull: Pull = receiver(&context);
    pull.set_ipc_mode(Some(0o666)).unwrap();
    let events = pull.monitor();
    let (path, name) = (place.path("socket"), format!("@{}", own_name()));
    for address in [path.to_str().unwrap(), &name] {
        let endpoint = format!("ipc://{address}");
        pull.bind(&endpoint).unwrap();
        let Some(child) = start_as_nobody(&place, &["knock", address]) else {
            return;
        };
        assert_eq!(said_by(child), "connected\nended after 0\n");
        let refused = next(&events, |event| {
            matches!(event, Event::AcceptFailed { errno: 13 })
        });
        assert_eq!(refused.credentials.unwrap().uid, 65_534);
        assert_eq!(refused.local, endpoint);
        assert_reachable(&context, &pull, &endpoint);
    }

    // Unless it is wanted: then it gets a greeting, and its credentials are known.
    let open: Pull = receiver(&context);
    open.set_ipc_same_user(false);
    let events = open.monitor();
    let name = format!("@{}", own_name());
    open.bind(&format!("ipc://{name}")).unwrap();
    let child = Killed(start_as_nobody(&place, &["knock", &name]).unwrap());
    let accepted = next(&events, |event| !matches!(event, Event::Listening { .. }));
    assert!(matches!(accepted.event, Event::Accepted { .. }), "{accepted:?}");
    assert_eq!(accepted.credentials.unwrap().uid, 65_534);
    assert_eq!(accepted.credentials.unwrap().pid.cast_unsigned(), child.0.id());
}

/// Whoever squats a name gets none of what is sent to it.
#[test]
fn nothing_is_said_to_a_listener_of_another_user() {
    let place = Place::new();
    let context = Context::builder().linger(Some(Duration::ZERO)).build();
    let (path, name) = (place.path("socket"), format!("@{}", own_name()));
    for address in [path.to_str().unwrap(), &name] {
        let Some(child) = start_as_nobody(&place, &["receive", address]) else {
            return;
        };
        let mut child = Killed(child);
        let mut lines = lines_of(&mut child.0);
        assert_eq!(lines.next().unwrap(), "listening");
        let endpoint = format!("ipc://{address}");
        let push: Push = sender(&context);
        let events = push.monitor();
        push.connect(&endpoint).unwrap();
        push.send("a secret").unwrap();
        let first = next(&events, |_| true);
        let reason = HandshakeFault::NoDetail { errno: 13 };
        assert_eq!(first.event, Event::HandshakeFailed { reason });
        assert_eq!(first.credentials, None);
        assert_eq!(lines.next().unwrap(), "left");
        drop(push);
        let trusting: Push = sender(&context);
        trusting.set_ipc_same_user(false);
        let events = trusting.monitor();
        trusting.connect(&endpoint).unwrap();
        let connected = next(&events, |_| true);
        assert!(
            matches!(connected.event, Event::Connected { .. }),
            "{connected:?}"
        );
        assert_eq!(connected.credentials.unwrap().uid, 65_534);
        while lines.next().unwrap() != "greeted" {}
    }
}

fn lines_of(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    use std::io::BufRead;
    let output = child.stdout.take().unwrap();
    std::io::BufReader::new(output).lines().map(|line| line.unwrap())
}

#[test]
fn an_abstract_name_is_that_of_other_programs() {
    let context = Context::new();
    let name = own_name();
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let theirs = UnixListener::bind_addr(&address).unwrap();
    let pull = Pull::new(&context).unwrap();
    assert!(is_in_use(pull.bind(&format!("ipc://@{name}"))));
    drop(theirs);
    pull.bind(&format!("ipc://@{name}")).unwrap();
    UnixStream::connect_addr(&address).unwrap();
}
