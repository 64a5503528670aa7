//! The programs as a user runs them. Timings are short: this is about the plumbing, not the figures.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs, process, thread};

use ringmq_perf::report::Report;
use ringmq_perf::scenario::Sample;

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("ringmq-perf-test-{}-{name}", process::id()))
}

/// Starts `local` and `remote` against each other and returns what each printed.
fn pair(local: &'static str, remote: &'static str, name: &str, size: &str, count: &str) -> (String, String) {
    let path = scratch(name);
    let endpoint = format!("ipc://{}", path.display());
    let arguments = [endpoint.as_str(), size, count, "--engine", "libzmq"];
    let printed = thread::scope(|scope| {
        let local = scope.spawn(|| stdout(&run(local, &arguments)));
        let remote = stdout(&run(remote, &arguments));
        (local.join().expect("the local side ends well"), remote)
    });
    // libzmq leaves the file behind only if it fails.
    let _ = fs::remove_file(path);
    printed
}

fn number<'a>(line: &'a str, before: &str, after: &str) -> &'a str {
    line.strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .expect(line)
}

#[test]
fn throughput_programs_print_what_libzmq_prints() {
    let (local, remote) = pair(
        env!("CARGO_BIN_EXE_local_thr"),
        env!("CARGO_BIN_EXE_remote_thr"),
        "thr",
        "100",
        "2000",
    );
    assert_eq!(remote, "");
    let lines: Vec<_> = local.lines().collect();
    assert_eq!(lines[..2], ["message size: 100 [B]", "message count: 2000"]);
    let rate: f64 = number(lines[2], "mean throughput: ", " [msg/s]")
        .parse::<u64>()
        .unwrap() as f64;
    let megabits = number(lines[3], "mean throughput: ", " [Mb/s]");
    assert_eq!(megabits.split('.').nth(1).map(str::len), Some(3));
    assert!((megabits.parse::<f64>().unwrap() / (rate * 800.0 / 1e6) - 1.0).abs() < 0.01);
    assert_eq!(lines.len(), 4);
}

#[test]
fn latency_programs_print_what_libzmq_prints() {
    let (local, remote) = pair(
        env!("CARGO_BIN_EXE_local_lat"),
        env!("CARGO_BIN_EXE_remote_lat"),
        "lat",
        "1",
        "50",
    );
    assert_eq!(local, "");
    let lines: Vec<_> = remote.lines().collect();
    assert_eq!(lines[..2], ["message size: 1 [B]", "roundtrip count: 50"]);
    let latency = number(lines[2], "average latency: ", " [us]");
    assert_eq!(latency.split('.').nth(1).map(str::len), Some(3));
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_core_that_does_not_exist_is_an_error() {
    let output = run(
        env!("CARGO_BIN_EXE_remote_thr"),
        &[
            "tcp://127.0.0.1:1",
            "1",
            "1",
            "--pin",
            "1000",
            "--engine",
            "libzmq",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn compare_runs_both_columns_and_writes_every_run() {
    let json = scratch("json");
    let output = run(
        env!("CARGO_BIN_EXE_compare"),
        &[
            "--engine",
            "libzmq",
            "--sizes",
            "4,64",
            "--transports",
            "tcp,ipc",
            "--seconds",
            "0.02",
            "--repetitions",
            "2",
            "--json",
            json.to_str().unwrap(),
        ],
    );
    let table = stdout(&output);
    assert!(
        table.contains("ipc REQ/REP 64 B") && table.contains("p99.9 µs"),
        "{table}"
    );
    assert!(!table.contains("n/a"), "{table}");

    let report: Report = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    fs::remove_file(json).unwrap();
    assert!(!report.has_failures());
    assert_eq!(report.runs.len(), report.suite.runs());
    let columns: Vec<_> = report.runs.iter().map(|run| run.column).collect();
    assert!(
        columns.chunks(2).all(|turn| turn == [0, 1]),
        "the engines take turns: {columns:?}"
    );
}

#[test]
fn compare_sends_at_a_pace_beside_a_busy_loop() {
    let json = scratch("paced-json");
    let arguments =
        "--patterns paced --sizes 64 --rate 2000 --busy-loops 1 --seconds 0.1 --repetitions 1 --json";
    let mut arguments: Vec<_> = arguments.split(' ').collect();
    arguments.push(json.to_str().unwrap());
    let table = stdout(&run(env!("CARGO_BIN_EXE_compare"), &arguments));
    assert!(table.contains("tcp PUSH/PULL paced 64 B"), "{table}");
    assert!(!table.contains("n/a"), "{table}");

    let report: Report = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    fs::remove_file(json).unwrap();
    for run in report.runs {
        let Sample::Delays(delays) = run.outcome.unwrap().sample else {
            panic!("delays were asked for");
        };
        // As many as are due in a tenth of a second, and the one that ends it.
        assert!((200..=201).contains(&delays.since_due.count), "{delays:?}");
        assert!(delays.since_due.p50_ns >= delays.since_call.p50_ns);
    }
}

/// Runs `scale`, shortly, and sees that it prints so many rows, each with a figure of either library and their quotient.
fn scale(arguments: &[&str], rows: usize) {
    let short = ["--repetitions", "1", "--ms", "20"];
    let table = stdout(&run(env!("CARGO_BIN_EXE_scale"), &[arguments, &short].concat()));
    let printed = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let quotients: Vec<_> = printed.filter_map(|row| row.split('|').nth_back(1)).collect();
    assert_eq!(quotients.len(), rows, "{table}");
    for quotient in quotients {
        assert!(quotient.trim().parse::<f64>().is_ok(), "{table}");
    }
}

#[test]
fn calls_are_timed_on_one_thread() {
    for engine in ["ringmq", "libzmq"] {
        for how in [&[][..], &["--messages"], &["--copies"]] {
            let arguments = [&["64", "250", "--engine", engine], how].concat();
            let said = stdout(&run(env!("CARGO_BIN_EXE_inproc_calls"), &arguments));
            assert!(said.contains("message count: 300\n"), "{said}");
            assert!(said.contains("average time of both calls: "), "{said}");
        }
    }
}

#[test]
fn scale_publishes_to_many() {
    let sizes = ["fanout", "--subscribers", "1,3", "--sizes", "64,1000"];
    scale(&sizes, 8);
}

#[test]
fn scale_publishes_beside_one_that_never_reads() {
    let sizes = ["fanout", "--subscribers", "2", "--sizes", "64"];
    scale(
        &[&sizes[..], &["--transports", "tcp", "--stuck", "1"]].concat(),
        3,
    );
}

#[test]
fn scale_routes_to_many() {
    scale(&["crowd", "20"], 5);
}

#[test]
fn scale_says_that_a_crowd_is_too_large() {
    let output = Command::new(env!("CARGO_BIN_EXE_scale"))
        .args(["crowd", "100000"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("100000 sockets need 200100 descriptors"), "{said}");
}

#[test]
fn scale_subscribes_to_much() {
    scale(&["subscriptions", "20000"], 4);
}

#[test]
fn scale_brokers() {
    scale(&["broker", "--clients", "2"], 3);
}
