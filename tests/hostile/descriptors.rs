//! A process that has no descriptor left.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use ringmq_tests::raw_peer::{PATIENCE, RawPeer};
use ringmq_tests::subject::Subject;
use ringmq_tests::{endpoint, process, recipe};

/// libzmq aborts on some transports and spins on others.
#[test]
fn without_descriptors_the_listener_rests_and_recovers() {
    let subject = Subject::start(env!("CARGO_BIN_EXE_subject"), &["pull", "64"], None);
    let address = endpoint::address(&subject.hear("listening"));
    let mut good = RawPeer::connect(address).unwrap();
    good.handshake(1, "PUSH", None).unwrap();
    let mut number = 0;
    let mut exchange = |good: &mut RawPeer| {
        number += 1;
        good.send(&recipe::frame(0, format!("good {number}").as_bytes()))
            .unwrap();
        let expected = format!("message {} good {number}", format!("good {number}").len());
        let mut failures = 0;
        loop {
            let line = subject.next_line(PATIENCE).expect("existing traffic flows");
            failures += usize::from(line.contains("AcceptFailed"));
            if line == expected {
                return failures;
            }
        }
    };
    assert_eq!(exchange(&mut good), 0);

    // The kernel completes these; all but some sixty of them wait in its backlog.
    let mut crowd: Vec<TcpStream> = Vec::new();
    while crowd.len() < 140 {
        crowd.push(TcpStream::connect_timeout(&address, PATIENCE).unwrap());
    }
    let mut failures = 0;
    let patience = Instant::now() + PATIENCE;
    while failures == 0 {
        failures += exchange(&mut good);
        assert!(Instant::now() < patience, "accept does not fail");
    }

    // From here on it goes on failing, a few times per second, at no cost.
    let start = Instant::now();
    let cpu = process::cpu_time(subject.pid());
    failures = 0;
    while start.elapsed() < Duration::from_secs(1) || failures < 2 {
        failures += exchange(&mut good);
        process::look_away(Duration::from_millis(10));
        assert!(start.elapsed() < PATIENCE, "{failures} failures in {PATIENCE:?}");
    }
    let (cpu, took) = (process::cpu_time(subject.pid()) - cpu, start.elapsed());
    println!("{failures} events and {cpu:?} of processor time in {took:?}");
    assert!(
        failures as f64 <= 20.0 * took.as_secs_f64(),
        "{failures} events in {took:?}"
    );
    assert!(cpu < took / 5, "{cpu:?} of processor time in {took:?}");

    // When some leave, others get in: also those that were behind the crowd.
    drop(crowd);
    let mut late = RawPeer::connect(address).unwrap();
    late.handshake(1, "PUSH", None).unwrap();
    exchange(&mut late);
    exchange(&mut good);
    let said = subject.end();
    assert!(
        !said.iter().any(|line| line.contains("AcceptFailed")),
        "it still fails"
    );
}
