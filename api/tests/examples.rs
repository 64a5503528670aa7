//! Every example ends by itself, without an error.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const LIMIT: Duration = Duration::from_secs(300);

/// The folder that the examples were built into, beside the tests.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    profile.join("examples")
}

#[test]
fn every_example_runs_and_ends() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut count = 0;
    for source in fs::read_dir(sources).unwrap() {
        let name = source.unwrap().path().file_stem().unwrap().to_owned();
        let program = built().join(&name);
        assert!(
            program.exists(),
            "{name:?} is not built, as a plain `cargo test -p ringmq` would do"
        );
        let mut example = Command::new(program).stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            match example.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    example.kill().unwrap();
                    panic!("{name:?} does not end");
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(status.success(), "{name:?} ended with {status}");
        count += 1;
    }
    assert!(count > 0);
}
