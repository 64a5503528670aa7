//! The same scenario on RingMQ and on stock libzmq: scripts say what sockets do and what must be seen of it, and every script is
//! played over each of its transports by each cast: RingMQ alone, RingMQ and libzmq in either role, and libzmq alone, which
//! shows that the script says the truth. What is seen otherwise, in whatever play, stands below the step with its reason
//! (`grep -A1 differs tests/scenario/scripts/*`), and has to be seen there.
//!
//! The language of the scripts is described in `script.rs`, its verbs in `stage.rs`.

#![forbid(unsafe_code)]

mod cast;
mod names;
mod script;
mod socket;
mod stage;

use std::{fs, time::Duration};

use ringmq_tests::watchdog::within;

use crate::{
    cast::{Cast, Wire},
    script::Script,
    stage::Stage,
};

/// How long all scripts of one file may take together.
const LIMIT: Duration = Duration::from_secs(120);

macro_rules! scripts {
    ($($file:ident)*) => {
        $(
            #[test]
            fn $file() {
                within(LIMIT, || play_all(stringify!($file)));
            }
        )*
    };
}

scripts! {
    pipeline pair publish xpub exchange router endpoints limits monitor stream drafts options returns
}

/// Plays the scripts of a file over all transports with all casts.
fn play_all(file: &str) {
    let path = format!("{}/scenario/scripts/{file}.script", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut wrong = Vec::new();
    for script in script::parse(file, &text) {
        for &wire in &script.wires {
            for cast in Cast::all(wire) {
                play(&script, wire, cast, &mut wrong);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Plays one script once. What goes wrong early makes the rest go wrong, so that a play ends with its first surprise.
fn play(script: &Script, wire: Wire, cast: Cast, wrong: &mut Vec<String>) {
    let mut stage = Stage::new(wire, cast);
    for step in &script.steps {
        let seen = stage.perform(step);
        let expected = step.expected(wire, cast);
        if seen != expected {
            wrong.push(format!(
                "{}, {wire:?}, {cast}, line {}: {}\n    should show {expected}\n    and shows   {seen}",
                script.name, step.line, step.text
            ));
            return;
        }
    }
}

#[test]
fn a_surprise_is_noticed() {
    let script = "# wrong\nover inproc\nopen push PUSH first\ntry push hello => ok\n";
    let mut wrong = Vec::new();
    for script in script::parse("none", script) {
        for cast in Cast::all(Wire::Inproc) {
            play(&script, Wire::Inproc, cast, &mut wrong);
        }
    }
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(
        wrong.iter().all(|line| line.ends_with("and shows   EAGAIN")),
        "{wrong:?}"
    );
}

#[test]
fn a_difference_must_occur() {
    let script = "# wrong\nover inproc\nopen push PUSH first\ntry push hello => EAGAIN\n\
                  differs first RingMq over inproc => ok\nbecause nobody looked\n";
    let script = &script::parse("none", script)[0];
    let mut wrong = Vec::new();
    for cast in Cast::all(Wire::Inproc) {
        play(script, Wire::Inproc, cast, &mut wrong);
    }
    assert_eq!(wrong.len(), 1, "{wrong:?}");
}
