//! The ring against a model: the committed frames as one byte string with the places where messages end.

use std::collections::VecDeque;

use proptest::prelude::*;
use ringmq_queue::stable::StableBytes;

use super::*;
use crate::message::Message;

fn extent(bytes: &[u8]) -> Option<FrameExtent> {
    let more = bytes.first()? & 1 != 0;
    if bytes[0] & 2 == 0 {
        return Some(FrameExtent {
            header: 2,
            body: u64::from(*bytes.get(1)?),
            more,
        });
    }
    Some(FrameExtent {
        header: 9,
        body: u64::from_be_bytes(bytes.get(1..9)?.try_into().unwrap()),
        more,
    })
}

fn header(more: bool, len: usize) -> Vec<u8> {
    if len <= 255 {
        return vec![u8::from(more), len as u8];
    }
    let mut header = vec![u8::from(more) | 2];
    header.extend_from_slice(&(len as u64).to_be_bytes());
    header
}

/// Bytes that differ from place to place.
fn body(len: usize, seed: u64) -> Vec<u8> {
    (0..len as u64)
        .map(|at| (seed.wrapping_mul(31) + at * 7) as u8)
        .collect()
}

fn bytes_of(slices: &[WireSlice]) -> Vec<u8> {
    slices
        .iter()
        .flat_map(|slice| slice.as_slice())
        .copied()
        .collect()
}

/// How the body of a frame gets into the ring.
#[derive(Clone, Copy, Debug)]
enum How {
    Copied,
    ByReference,
    Constant,
}

#[derive(Clone, Debug)]
enum Step {
    Message {
        parts: Vec<(usize, How)>,
        commit: bool,
    },
    Batch {
        bytes_max: usize,
    },
    /// Consumes so many 256ths of what is planned.
    Advance {
        part: usize,
    },
    Resume,
    DropAll,
    Rest,
    DropSlices,
    IsEmpty,
}

/// The ring and what should be in it.
struct Pair {
    writer: WireWriter,
    reader: WireReader,
    /// Committed and not consumed.
    bytes: VecDeque<u8>,
    /// Stream offsets at which committed messages end.
    ends: Vec<u64>,
    committed: u64,
    consumed: u64,
    planned: usize,
    covered: u64,
    /// Every batch's slices and what they held when they were made.
    slices: Vec<(Vec<WireSlice>, Vec<u8>)>,
    seed: u64,
}

static CONSTANT: [u8; 100_000] = [0x5a; 100_000];

impl Pair {
    fn new() -> Self {
        let (writer, reader) = ring();
        Self {
            writer,
            reader,
            bytes: VecDeque::new(),
            ends: Vec::new(),
            committed: 0,
            consumed: 0,
            planned: 0,
            covered: 0,
            slices: Vec::new(),
            seed: 0,
        }
    }

    fn message(&mut self, parts: &[(usize, How)], commit: bool) {
        let mut staged = Vec::new();
        for (index, &(len, how)) in parts.iter().enumerate() {
            let header = header(index + 1 < parts.len(), len);
            self.seed += 1;
            staged.extend_from_slice(&header);
            let body = match how {
                How::Constant => CONSTANT[..len].to_vec(),
                _ => body(len, self.seed),
            };
            staged.extend_from_slice(&body);
            match how {
                How::Copied if len <= 255 => self.writer.small_frame(header[0], &body),
                How::Copied => self.writer.frame(&header, &body),
                How::ByReference => self.writer.frame_by_reference(&header, Message::from(body)),
                How::Constant => {
                    self.writer
                        .frame_by_reference(&header, Message::from_static(&CONSTANT[..len]));
                }
            }
        }
        if commit {
            self.writer.commit();
            self.committed += staged.len() as u64;
            self.bytes.extend(staged);
            self.ends.push(self.committed);
        } else {
            self.writer.rollback();
        }
        assert_eq!(self.writer.messages(), self.ends.len() as u64);
    }

    fn ended_before(&self, position: u64) -> u64 {
        self.ends.partition_point(|&end| end <= position) as u64
    }

    fn is_boundary(&self, position: u64) -> bool {
        position == 0 || self.ends.binary_search(&position).is_ok()
    }

    fn batch(&mut self, bytes_max: usize) {
        let mut out = Vec::new();
        let batch = self.reader.batch(bytes_max, &mut out);
        let bytes = bytes_of(&out);
        assert_eq!(bytes.len(), batch.bytes);
        assert!(out.len() <= BATCH_SLICES_MAX && batch.bytes <= bytes_max.max(MARK_SPACING));
        assert!(
            bytes.iter().eq(self.bytes.iter().take(batch.bytes)),
            "the bytes differ"
        );
        assert_eq!(batch.bytes == 0, self.bytes.is_empty());
        let end = self.consumed + batch.bytes as u64;
        self.covered = self.covered.max(self.ended_before(end));
        assert_eq!(batch.messages, self.covered);
        if !self.is_boundary(end) {
            assert_eq!(
                self.ended_before(self.consumed),
                self.ended_before(end),
                "cut without need"
            );
            let first_end = self.ends[self.ended_before(self.consumed) as usize];
            assert!(out.len() == BATCH_SLICES_MAX || first_end - self.consumed > bytes_max as u64);
        }
        self.planned = batch.bytes;
        self.slices.push((out, bytes));
    }

    fn advance(&mut self, bytes: usize) {
        self.reader.advance(bytes);
        let bytes = bytes.min(self.planned);
        self.planned -= bytes;
        self.consume(bytes);
        if self.reader.at_boundary() {
            assert!(self.is_boundary(self.consumed));
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.bytes.drain(..bytes);
        self.consumed += bytes as u64;
    }

    fn resume(&mut self) {
        let dropped = self.reader.resume(&extent);
        assert_eq!(dropped == 0, self.is_boundary(self.consumed));
        if dropped > 0 {
            let end = self.ends[self.ended_before(self.consumed) as usize];
            self.consume((end - self.consumed) as usize);
        }
        self.planned = 0;
        assert!(self.reader.at_boundary());
    }

    fn drop_all(&mut self) {
        self.resume();
        let queued = self.ends.len() as u64 - self.ended_before(self.consumed);
        assert_eq!(self.reader.drop_all(), queued);
        self.covered = self.ends.len() as u64;
        self.consume(self.bytes.len());
        assert!(self.reader.is_empty());
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Message { parts, commit } => self.message(parts, *commit),
            Step::Batch { bytes_max } => self.batch(*bytes_max),
            Step::Advance { part } => self.advance((self.planned * part).div_ceil(256)),
            Step::Resume => self.resume(),
            Step::DropAll => self.drop_all(),
            Step::Rest => {
                let is_resting = self.reader.rest();
                assert!(!is_resting || self.bytes.is_empty());
                assert!(is_resting || !self.bytes.is_empty() || !self.reader.at_boundary());
            }
            Step::DropSlices => self.check_slices(),
            Step::IsEmpty => assert_eq!(self.reader.is_empty(), self.bytes.is_empty()),
        }
    }

    /// Slices outlive whatever happened to the ring meanwhile.
    fn check_slices(&mut self) {
        for (slices, bytes) in self.slices.drain(..) {
            assert_eq!(bytes_of(&slices), bytes);
        }
    }
}

fn part() -> impl Strategy<Value = (usize, How)> {
    let how = prop_oneof![4 => Just(How::Copied), 1 => Just(How::ByReference), 1 => Just(How::Constant)];
    let len = prop_oneof![6 => 0..80_usize, 3 => 80..2500_usize, 1 => 2500..40_000_usize, 1 => Just(70_000)];
    (len, how)
}

fn step() -> impl Strategy<Value = Step> {
    let message = (prop::collection::vec(part(), 1..5), prop::bool::weighted(0.85));
    prop_oneof![
        10 => message.prop_map(|(parts, commit)| Step::Message { parts, commit }),
        4 => prop_oneof![Just(0_usize), 1..20_000_usize, Just(256 * 1024)].prop_map(|bytes_max| Step::Batch { bytes_max }),
        4 => (0..257_usize).prop_map(|part| Step::Advance { part }),
        2 => Just(Step::Advance { part: 256 }),
        1 => Just(Step::Resume),
        1 => Just(Step::Rest),
        1 => Just(Step::DropSlices),
        1 => Just(Step::IsEmpty),
    ]
}

fn rare_step() -> impl Strategy<Value = Step> {
    prop_oneof![30 => step(), 1 => Just(Step::DropAll)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 400 }, ..ProptestConfig::default() })]

    #[test]
    fn the_ring_is_a_byte_string_with_boundaries(steps in prop::collection::vec(rare_step(), 1..if cfg!(miri) { 15 } else { 120 })) {
        let mut pair = Pair::new();
        for step in &steps {
            pair.run(step);
        }
        drop((pair.writer, pair.reader));
        for (slices, bytes) in pair.slices {
            prop_assert_eq!(bytes_of(&slices), bytes);
        }
    }

    #[test]
    fn many_small_messages_are_cut_at_boundaries(
        lens in prop::collection::vec(0..200_usize, 1..if cfg!(miri) { 100 } else { 4000 }),
        bytes_max in 4096..30_000_usize,
        part in 1..257_usize,
    ) {
        let mut pair = Pair::new();
        for &len in &lens {
            pair.message(&[(len, How::Copied)], true);
        }
        for _ in 0..40 {
            pair.batch(bytes_max);
            pair.advance((pair.planned * part).div_ceil(256));
            pair.slices.clear();
        }
        pair.resume();
        pair.batch(usize::MAX);
    }
}

#[test]
fn a_ring_begins_and_rests_without_memory() {
    let (mut writer, mut reader) = ring();
    assert!(reader.is_empty() && reader.at_boundary() && reader.rest());
    for _ in 0..3 {
        for _ in 0..5000 {
            writer.small_frame(0, &[7; 64]);
            writer.commit();
        }
        assert!(!reader.rest(), "there is something to send");
        assert_eq!(reader.drop_all(), 5000);
        assert!(reader.rest());
        assert_eq!(reader.batch(1 << 20, &mut Vec::new()).bytes, 0);
    }
    assert_eq!(writer.messages(), 15_000);
}

#[test]
fn a_ring_does_not_rest_under_a_staged_message() {
    let (mut writer, mut reader) = ring();
    writer.frame(&header(false, 10_000), &body(10_000, 1));
    writer.commit();
    writer.small_frame(0, b"staged");
    assert_eq!(reader.drop_all(), 1);
    assert!(!reader.rest());
    writer.rollback();
    assert!(reader.rest());
    writer.rollback();
    writer.commit();
    writer.small_frame(0, b"afterwards");
    writer.commit();
    let mut out = Vec::new();
    assert_eq!(
        reader.batch(4096, &mut out),
        Batch {
            bytes: 12,
            messages: 2
        }
    );
    assert_eq!(bytes_of(&out), b"\0\x0aafterwards");
}

#[test]
fn two_threads_agree_on_every_byte() {
    let messages: u64 = if cfg!(miri) { 300 } else { 200_000 };
    let len_of =
        |number: u64| (number * 37 % 300 + if number.is_multiple_of(64) { 5000 } else { 0 }) as usize;
    let (mut writer, mut reader) = ring();
    let writing = std::thread::spawn(move || {
        for number in 0..messages {
            let body = body(len_of(number), number);
            let header = header(false, body.len());
            match number % 5 {
                0 => writer.frame_by_reference(&header, Message::from(body)),
                1 if body.len() <= 255 => writer.small_frame(0, &body),
                _ => writer.frame(&header, &body),
            }
            writer.commit();
        }
    });
    let (mut stream, mut out) = (VecDeque::new(), Vec::new());
    let (mut seen, mut turn) = (0, 0_usize);
    while seen < messages {
        turn += 1;
        let batch = reader.batch(32 * 1024, &mut out);
        let sent = if turn.is_multiple_of(3) {
            batch.bytes / 2
        } else {
            batch.bytes
        };
        stream.extend(&bytes_of(&out)[..sent]);
        out.clear();
        reader.advance(sent);
        reader.rest();
        while let Some(frame) = extent(stream.make_contiguous()) {
            let len = frame.header + frame.body as usize;
            if stream.len() < len {
                break;
            }
            assert!(
                stream
                    .drain(..len)
                    .skip(frame.header)
                    .eq(body(len_of(seen), seen))
            );
            seen += 1;
        }
        if batch.bytes == 0 {
            std::thread::yield_now();
        }
    }
    writing.join().unwrap();
    assert!(reader.is_empty() && reader.rest());
}

#[test]
fn slices_outlive_both_ends() {
    let (mut writer, mut reader) = ring();
    writer.small_frame(1, b"part");
    writer.frame_by_reference(&header(false, 5000), Message::from(body(5000, 3)));
    writer.commit();
    let mut out = Vec::new();
    assert_eq!(reader.batch(1 << 16, &mut out).messages, 1);
    writer.small_frame(0, b"left behind");
    drop((writer, reader));
    assert_eq!(out.len(), 2);
    assert_eq!(bytes_of(&out)[15..], body(5000, 3));
    let (start, len) = out[1].stable_bytes();
    let moved = Box::new(out.pop().unwrap());
    assert_eq!(moved.stable_bytes(), (start, len));
}

#[test]
fn a_writer_without_a_reader_frees_what_it_commits() {
    let (mut writer, reader) = ring();
    drop(reader);
    for _ in 0..100 {
        writer.frame_by_reference(&header(false, 900), Message::from(body(900, 1)));
        writer.commit();
    }
    writer.small_frame(0, b"staged");
}

#[test]
fn bytes_sent_after_everything_was_dropped_do_not_count() {
    let (mut writer, mut reader) = ring();
    writer.small_frame(0, b"one");
    writer.commit();
    let mut out = Vec::new();
    let batch = reader.batch(4096, &mut out);
    assert_eq!(reader.drop_all(), 1);
    writer.small_frame(0, b"two");
    writer.commit();
    reader.advance(batch.bytes);
    assert_eq!(
        reader.batch(4096, &mut Vec::new()),
        Batch {
            bytes: 5,
            messages: 2
        }
    );
}

#[test]
fn resuming_without_knowing_the_frames_stops_at_a_boundary() {
    let (mut writer, mut reader) = ring();
    for _ in 0..1000 {
        writer.small_frame(0, &[1; 64]);
        writer.commit();
    }
    let batch = reader.batch(1 << 20, &mut Vec::new());
    assert_eq!(
        batch,
        Batch {
            bytes: 66_000,
            messages: 1000
        }
    );
    reader.advance(100);
    assert!(!reader.at_boundary());
    assert_eq!(reader.resume(&|_| None), 1);
    let mut out = Vec::new();
    assert!(reader.batch(1 << 20, &mut out).bytes.is_multiple_of(66));
    assert_eq!(out[0].as_slice()[..2], [0, 64]);
}

#[test]
fn copied_slices_hold_their_bytes() {
    for len in [0, 1, 100, 70_000] {
        assert_eq!(WireSlice::copied(&body(len, 1)).as_slice(), body(len, 1));
    }
}

#[test]
#[should_panic(expected = "one byte")]
fn a_small_frame_is_small() {
    ring().0.small_frame(0, &[0; 256]);
}
