//! Rest costs nothing: no wake-ups, little memory, and what is closed is gone.

use std::time::Duration;

use ringmq_tests::process::{self, descriptors, resident_kib, threads};
use ringmq_tests::subject::Subject;

const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
const DRIVERS: [&str; 2] = ["uring", "epoll"];

/// Longer than anything takes that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn idle_sockets_wake_nobody() {
    for driver in DRIVERS {
        let subject = Subject::start(SUBJECT, &["idle"], Some(driver));
        let kind = subject.hear("idle");
        let threads = threads(subject.pid());
        println!("{kind}: {threads} threads");
        assert!(threads >= 3, "main, worker and the thread that waits: {threads}");
        assert!(
            process::comes_to_rest(subject.pid(), PATIENCE),
            "{kind}: threads wake up"
        );
        subject.end();
    }
}

#[test]
fn a_thread_that_wakes_up_is_seen() {
    let subject = Subject::start(SUBJECT, &["restless"], None);
    subject.hear("restless");
    assert!(!process::comes_to_rest(subject.pid(), Duration::from_secs(3)));
}

#[test]
fn an_idle_connection_costs_little_memory() {
    const COUNT: usize = 2000;
    const MOST_KIB: f64 = 16.0;
    for driver in DRIVERS {
        let server = Subject::start(SUBJECT, &["pull"], Some(driver));
        let endpoint = server.hear("listening");
        let address = endpoint.strip_prefix("tcp://").expect("a tcp endpoint");
        let mut first = Subject::start(SUBJECT, &["clients", address, "100"], None);
        first.hear("connected");
        let before = settled_kib(server.pid());
        let with_first = descriptors(server.pid());
        let many = Subject::start(SUBJECT, &["clients", address, &COUNT.to_string()], None);
        many.hear("connected");
        let growth = settled_kib(server.pid()).saturating_sub(before) as f64 / COUNT as f64;
        println!("{driver}: {growth:.2} KiB per idle connection");
        assert!(
            growth <= MOST_KIB,
            "{driver}: {growth:.2} KiB per idle connection"
        );

        // The memory of those that leave is there for those that come, once the server has noticed.
        many.end();
        let left = process::poll_until(PATIENCE, || descriptors(server.pid()), |&now| now <= with_first);
        assert!(left <= with_first, "{driver}: {left} descriptors are left");
        let again = Subject::start(SUBJECT, &["clients", address, &COUNT.to_string()], None);
        again.hear("connected");
        let regrowth = settled_kib(server.pid()).saturating_sub(before) as f64 / COUNT as f64;
        println!("{driver}: {regrowth:.2} KiB after as many have left and others have come");
        assert!(regrowth <= growth * 1.25 + 1.0, "{driver}: {regrowth:.2} KiB");
        first.tell("more");
        first.hear("connected");
    }
}

/// Resident memory once it has stopped to change.
fn settled_kib(pid: u32) -> usize {
    let mut last = resident_kib(pid);
    process::poll_until(
        Duration::from_secs(5),
        || {
            process::look_away(Duration::from_millis(50));
            let now = resident_kib(pid);
            std::mem::replace(&mut last, now) == now
        },
        |&same| same,
    );
    last
}

#[test]
fn closed_sockets_leave_nothing_behind() {
    for driver in DRIVERS {
        let mut subject = Subject::start(SUBJECT, &["churn", "200"], Some(driver));
        let pid = subject.pid();
        let count = || (descriptors(pid), threads(pid));
        subject.hear("empty");
        let empty = count();
        subject.tell("make a context");
        subject.hear("ready");
        let ready = settled(count);
        for _ in 0..2 {
            subject.tell("open");
            subject.hear("open");
            let open = count();
            assert!(
                open.0 >= ready.0 + 300,
                "100 listeners and 200 ends of connections: {open:?}"
            );
            subject.tell("close");
            subject.hear("closed");
            let closed = process::poll_until(PATIENCE, count, |now| *now <= ready);
            println!(
                "{driver}: descriptors and threads {empty:?}, {ready:?} with a context, {open:?}, {closed:?} after"
            );
            assert!(
                closed <= ready,
                "{driver}: {closed:?} after the sockets, {ready:?} before them"
            );
        }
        subject.tell("drop the context");
        subject.hear("gone");
        let gone = process::poll_until(PATIENCE, count, |now| *now <= empty);
        assert_eq!(gone, empty, "{driver}");
        subject.end();
    }
}

/// The figures once the sockets that warmed the context up are gone.
fn settled(count: impl Fn() -> (usize, usize)) -> (usize, usize) {
    let mut last = count();
    process::poll_until(
        Duration::from_secs(5),
        || {
            process::look_away(Duration::from_millis(200));
            let now = count();
            std::mem::replace(&mut last, now) == now
        },
        |&same| same,
    );
    last
}
