//! C programs that are compiled with our header and run on our library. Each says on standard error what is wrong.

use crate::support::{compile, compile_with_stock, run, text, with_library};

fn passes(name: &str) {
    let program = compile(name);
    run(&mut with_library(&program));
}

/// It prints the same on both libraries.
fn agrees_with_stock(name: &str) {
    let ours = text(&mut with_library(&compile(name)));
    let stock = text(&mut with_library(&compile_with_stock(name)));
    assert!(!ours.is_empty());
    assert_eq!(ours, stock);
}

#[test]
fn metadata() {
    agrees_with_stock("metadata");
}

#[test]
fn contexts() {
    passes("contexts");
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
fn adoption() {
    passes("adoption");
}

#[test]
fn sharing() {
    passes("sharing");
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
