//! Every interleaving and every reordering of the hand-over of frames, on the production code.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p ringmq-message --release --test wire_loom`. The tests that must fail show
//! that a weaker publication, or a missing fence, would be noticed.
#![cfg(loom)]

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use loom::{model::Builder, thread};
use ringmq_message::{
    Message,
    wire::{WireReader, WireSlice, WireWriter, model, ring},
};

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 20_000;
    builder.check(model);
}

/// Runs a model that has to fail in a process of its own, because its switch is process-wide and a failing model may
/// damage memory. `test` is the name of the calling test, which this runs a second time with the variable set.
fn must_fail(test: &str, switch: &AtomicBool, model: impl Fn() + Send + Sync + 'static) {
    const MODEL: &str = "RINGMQ_FAILING_MODEL";
    if std::env::var_os(MODEL).is_some() {
        switch.store(true, Relaxed);
        return explore(model);
    }
    let outcome = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MODEL, test)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(!outcome.status.success(), "the model was expected to fail");
    assert!(
        said.contains("Causality violation"),
        "failed in another way: {said}"
    );
}

/// Too long for what is left of the smallest chunk behind a small message.
const LONG: usize = 1960;

fn send_small(writer: &mut WireWriter, value: u8) {
    writer.small_frame(0, &[value; 8]);
    writer.commit();
}

fn send_long(writer: &mut WireWriter, value: u8) {
    writer.frame(&[2, 0, 0, 0, 0, 0, 0, 7, 168], &[value; LONG]);
    writer.commit();
}

/// Takes what is committed, and appends it to `seen`.
fn take(reader: &mut WireReader, seen: &mut Vec<u8>) -> u64 {
    let mut out = Vec::new();
    let batch = reader.batch(1 << 20, &mut out);
    seen.extend(out.iter().flat_map(WireSlice::as_slice));
    reader.advance(batch.bytes);
    batch.messages
}

fn small(value: u8) -> Vec<u8> {
    [&[0, 8][..], &[value; 8]].concat()
}

fn long(value: u8) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 0, 0, 7, 168][..], &[value; LONG]].concat()
}

/// A message is seen as a whole or not at all.
fn messages_of_one_chunk() {
    let (mut writer, mut reader) = ring();
    send_small(&mut writer, 1);
    let writing = thread::spawn(move || {
        send_small(&mut writer, 2);
        writer.small_frame(0, b"never");
        writer.rollback();
        send_small(&mut writer, 3);
    });
    let mut seen = Vec::new();
    let messages = take(&mut reader, &mut seen);
    assert_eq!(seen.len() as u64, 10 * messages);
    writing.join().unwrap();
    assert_eq!(take(&mut reader, &mut seen), 3);
    assert_eq!(seen, [small(1), small(2), small(3)].concat());
}

fn messages_across_chunks() {
    let (mut writer, mut reader) = ring();
    send_small(&mut writer, 1);
    let writing = thread::spawn(move || {
        send_long(&mut writer, 2);
        send_small(&mut writer, 3);
    });
    let mut seen = Vec::new();
    let first = take(&mut reader, &mut seen);
    assert_eq!(seen.len(), [0, 10, 10 + 9 + LONG, 20 + 9 + LONG][first as usize]);
    writing.join().unwrap();
    assert_eq!(take(&mut reader, &mut seen), 3);
    assert_eq!(seen, [small(1), long(2), small(3)].concat());
    assert!(reader.is_empty());
}

/// The first message of all comes while the reader looks at the root; bodies travel by reference.
fn the_first_message() {
    let (mut writer, mut reader) = ring();
    let writing = thread::spawn(move || {
        writer.frame_by_reference(&[2, 0, 0, 0, 0, 0, 0, 7, 168], Message::from_static(&[5; LONG]));
        writer.commit();
    });
    let mut seen = Vec::new();
    take(&mut reader, &mut seen);
    assert!(seen.is_empty() || seen.len() == 9 + LONG);
    writing.join().unwrap();
    assert_eq!(take(&mut reader, &mut seen), 1);
    assert_eq!(seen, long(5));
}

/// The ring is brought to rest while the writer begins its next message.
fn rest_against_a_message() {
    let (mut writer, mut reader) = ring();
    // The last chunk is larger than the smallest, so that there is something to give back.
    writer.frame(&[2, 0, 0, 0, 0, 0, 0, 11, 184], &[1; 3000]);
    writer.commit();
    let mut seen = Vec::new();
    take(&mut reader, &mut seen);
    seen.clear();
    let writing = thread::spawn(move || {
        send_small(&mut writer, 3);
        send_small(&mut writer, 4);
    });
    reader.rest();
    take(&mut reader, &mut seen);
    writing.join().unwrap();
    take(&mut reader, &mut seen);
    assert_eq!(seen, [small(3), small(4)].concat());
    assert!(reader.rest() && reader.is_empty());
}

#[test]
fn a_message_is_published_as_a_whole() {
    explore(messages_of_one_chunk);
}

#[test]
fn a_message_across_chunks_is_published_as_a_whole() {
    explore(messages_across_chunks);
}

#[test]
fn the_first_message_is_published_as_a_whole() {
    explore(the_first_message);
}

#[test]
fn a_ring_at_rest_loses_nothing() {
    explore(rest_against_a_message);
}

#[test]
fn with_a_relaxed_publication_the_model_fails() {
    must_fail(
        "with_a_relaxed_publication_the_model_fails",
        &model::WEAK_PUBLISH,
        messages_of_one_chunk,
    );
}

#[test]
fn with_a_relaxed_link_the_model_fails() {
    must_fail(
        "with_a_relaxed_link_the_model_fails",
        &model::WEAK_LINK,
        messages_across_chunks,
    );
}

#[test]
fn without_the_fence_of_the_resting_reader_the_model_fails() {
    must_fail(
        "without_the_fence_of_the_resting_reader_the_model_fails",
        &model::NO_REST_FENCE,
        rest_against_a_message,
    );
}
