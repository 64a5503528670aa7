//! Replays the committed fuzz corpus.
//!
//! `corpus/connection` holds whole streams, `corpus/frames` what follows a handshake, and
//! `corpus/command` bodies of commands. Files that start with `case-` are the table in `cases`;
//! setting `RINGMQ_WRITE_CORPUS` writes them anew. Whatever a fuzzer finds is added beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::cases;
use crate::frame;
use crate::fuzz::{self, wire};

/// Longer streams are repetitions, of no use as seeds.
const SEED_MAX: usize = 6 << 10;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The seeds of each target that the table of cases gives.
fn seeds() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    for case in cases::all() {
        let name = format!("case-{}", case.name);
        let mut add = |target: &str, bytes: &[u8]| {
            if bytes.len() <= SEED_MAX {
                seeds.insert(Path::new(target).join(&name), bytes.to_vec());
            }
        };
        add("connection", &case.stream);
        let greeting = wire::greeting(1, b"NULL");
        let Some(after) = case.stream.strip_prefix(&greeting[..]) else {
            continue;
        };
        let ready = wire::handshake(case.socket_type.peers()[0]);
        match case.stream.strip_prefix(&ready[..]) {
            Some(traffic) if !traffic.is_empty() => add("frames", traffic),
            _ => {}
        }
        let last = [&greeting, &ready].map(|prefix| case.stream.strip_prefix(&prefix[..]));
        let first = last.into_iter().flatten().last().unwrap_or(after);
        if let Some((flags, body, _)) = frame::next_frame(first, 0)
            && flags & frame::COMMAND != 0
        {
            add("command", &first[body]);
        }
    }
    seeds
}

#[test]
fn the_table_of_cases_is_committed() {
    let seeds = seeds();
    if std::env::var_os("RINGMQ_WRITE_CORPUS").is_some() {
        for (path, bytes) in &seeds {
            let path = corpus().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    for (path, bytes) in seeds {
        let committed = fs::read(corpus().join(&path));
        assert!(committed.is_ok_and(|file| file == bytes), "{path:?}");
    }
}

#[test]
fn the_corpus_is_survived() {
    replay("connection", fuzz::fuzz_connection);
    replay("frames", fuzz::fuzz_frames);
    replay("command", fuzz::fuzz_command);
}

fn replay(name: &str, target: fn(&[u8])) {
    let mut files = 0;
    for entry in fs::read_dir(corpus().join(name)).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        target(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files >= 20, "the corpus of {name} has {files} files");
}
