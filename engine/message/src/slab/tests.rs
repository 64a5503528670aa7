use std::ptr;

use proptest::{collection::vec, prelude::*};
use ringmq_queue::stable::StableBytesMut;

use super::{Slab, Span};

/// What the kernel does: fills the spare room through the address, and says how much.
fn receive(slab: &mut Slab, bytes: &[u8]) -> usize {
    let (room, len) = slab.spare_bytes();
    let count = bytes.len().min(len);
    // SAFETY: the first `count` bytes of the spare room are written, then counted.
    unsafe {
        ptr::copy_nonoverlapping(bytes.as_ptr(), room, count);
        slab.advance(count);
    }
    count
}

#[test]
fn capacity_is_exact() {
    for capacity in [0, 1, 100, 128, 300_000] {
        let mut slab = Slab::with_capacity(capacity);
        assert_eq!(slab.spare_len(), capacity);
        assert_eq!(receive(&mut slab, &vec![1; capacity + 5]), capacity);
        assert_eq!((slab.filled().len(), slab.spare_len()), (capacity, 0));
    }
}

#[test]
fn empty_slab_and_empty_span() {
    let mut slab = Slab::with_capacity(0);
    assert!(slab.filled().is_empty() && slab.split(0).is_empty() && slab.try_reset());
    slab.reserve(0);
    assert!(slab.split(0).into_message().is_empty());
    assert!(slab.split(0).slice(0..0).is_empty());
    slab.reserve(10);
    assert_eq!(slab.spare_len(), 10);
}

#[test]
fn starts_over_only_when_nobody_looks() {
    let mut slab = Slab::with_capacity(200);
    slab.extend_from_slice(&[1; 150]);
    assert!(!slab.try_reset(), "bytes are filled");
    let span = slab.split(150);
    assert!(!slab.try_reset(), "a span is alive");
    let message = span.slice(0..100);
    drop(span);
    assert!(!slab.try_reset(), "a message is alive");
    drop(message);
    assert!(slab.try_reset());
    assert_eq!(slab.spare_len(), 200);
}

#[test]
fn spans_keep_their_bytes_when_the_slab_goes_on() {
    let mut slab = Slab::with_capacity(100);
    slab.extend_from_slice(&[1; 60]);
    let first = slab.split(50);
    slab.reserve(80);
    assert_eq!((slab.filled(), slab.spare_len()), (&[1; 10][..], 70));
    slab.reserve(0);
    assert_eq!((slab.filled(), slab.spare_len()), (&[1; 10][..], 0));
    drop(slab);
    assert_eq!(first[..], [1; 50]);
}

#[test]
fn short_message_does_not_pin_the_slab() {
    let mut slab = Slab::with_capacity(100_000);
    slab.extend_from_slice(&[1; 1000]);
    let short = slab.split(500).slice(10..58);
    let long = slab.split(500).into_message();
    assert!(!short.has_stable_address() && long.has_stable_address());
    assert!(!slab.try_reset());
    drop(long);
    assert!(slab.try_reset());
}

#[test]
#[should_panic(expected = "filled bytes")]
fn more_than_is_filled_cannot_be_split() {
    let mut slab = Slab::with_capacity(100);
    slab.extend_from_slice(&[1; 10]);
    slab.split(11);
}

#[test]
#[should_panic(expected = "spare room")]
fn more_than_is_spare_cannot_be_appended() {
    Slab::with_capacity(100).extend_from_slice(&[1; 101]);
}

#[derive(Clone, Debug)]
enum Step {
    Receive(Vec<u8>),
    Split(prop::sample::Index),
    Reserve(usize),
    Reset,
    DropSpan(prop::sample::Index),
    Slice(prop::sample::Index, prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        vec(any::<u8>(), 0..150).prop_map(Step::Receive),
        any::<prop::sample::Index>().prop_map(Step::Split),
        (0..600usize).prop_map(Step::Reserve),
        Just(Step::Reset),
        any::<prop::sample::Index>().prop_map(Step::DropSpan),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(which, at)| Step::Slice(which, at)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slab_behaves_like_a_vector(steps in vec(step(), 0..60)) {
        let mut slab = Slab::with_capacity(300);
        let mut model = Vec::<u8>::new();
        let mut spans = Vec::<(Span, Vec<u8>)>::new();
        for step in steps {
            match step {
                Step::Receive(bytes) => {
                    let count = receive(&mut slab, &bytes);
                    model.extend(&bytes[..count]);
                }
                Step::Split(at) => {
                    let count = at.index(model.len() + 1);
                    spans.push((slab.split(count), model.drain(..count).collect()));
                }
                Step::Reserve(capacity) => {
                    slab.reserve(capacity);
                    prop_assert_eq!(slab.spare_len(), capacity.max(model.len()) - model.len());
                }
                Step::Reset => _ = slab.try_reset(),
                Step::DropSpan(which) if !spans.is_empty() => _ = spans.swap_remove(which.index(spans.len())),
                Step::Slice(which, at) if !spans.is_empty() => {
                    let (span, bytes) = &spans[which.index(spans.len())];
                    let at = at.index(bytes.len() + 1);
                    let mut message = span.slice(at..bytes.len());
                    prop_assert_eq!(message.as_slice(), &bytes[at..]);
                    message.as_mut_slice().fill(0);
                }
                Step::DropSpan(_) | Step::Slice(..) => {}
            }
            prop_assert_eq!(slab.filled(), &model[..]);
            for (span, bytes) in &spans {
                prop_assert_eq!(&span[..], &bytes[..]);
            }
        }
    }
}
