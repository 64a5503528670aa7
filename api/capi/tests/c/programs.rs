//! C programs that are compiled with our header and run on our library. Each says on standard error what is wrong.

use crate::support::{compile, run, with_library};

fn passes(name: &str) {
    let program = compile(name);
    run(&mut with_library(&program));
}

#[test]
fn patterns() {
    passes("patterns");
}

#[test]
fn messages() {
    passes("messages");
}

#[test]
fn misuse() {
    passes("misuse");
}

#[test]
fn polling() {
    passes("polling");
}

#[test]
fn monitors() {
    passes("monitors");
}

#[test]
fn the_end_of_a_context() {
    passes("termination");
}

#[test]
fn forks() {
    passes("forks");
}

#[test]
fn helpers() {
    passes("helpers");
}

#[test]
fn drafts() {
    passes("drafts");
}
