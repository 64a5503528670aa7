use std::{
    ffi::c_void,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use proptest::{collection::vec, prelude::*};
use ringmq_queue::stable::{FillBytes, Foreign};

use super::{INLINE_MAX, Message};
use crate::Slab;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + 1) as u8).collect()
}

unsafe extern "C" fn count_free(_: *mut c_void, hint: *mut c_void) {
    // SAFETY: the tests below give a counter as the hint, which outlives the messages.
    unsafe { &*hint.cast::<AtomicUsize>() }.fetch_add(1, SeqCst);
}

/// Adopts the bytes of `buffer` and counts in `freed`. Both have to outlive what comes of the message.
fn adopt(buffer: &mut [u8], freed: &AtomicUsize) -> Message {
    let hint = ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: the tests keep the buffer alive and do not look at it before the message is gone; `count_free` does not unwind.
    unsafe { Message::adopt(buffer.as_mut_ptr().cast(), buffer.len(), Some(count_free), hint) }
}

#[test]
fn every_short_length_keeps_its_bytes_and_its_place() {
    for len in 0..=200 {
        let bytes = pattern(len);
        let message = Message::from_slice(&bytes);
        assert_eq!(message, bytes[..], "length {len}");
        assert_eq!(message.has_stable_address(), len > INLINE_MAX);
        assert_eq!(Message::zeroed(len), vec![0; len][..]);
    }
}

#[test]
fn zeroed_memory_is_an_empty_message() {
    // SAFETY: zero is the inline kind, whose body has no bytes here.
    let message: Message = unsafe { MaybeUninit::zeroed().assume_init() };
    assert!(message.is_empty() && !message.more() && message.routing_id() == 0);
}

#[test]
fn is_its_bytes_wherever_they_are_copied_to() {
    for len in [5, 500] {
        let mut first = MaybeUninit::new(Message::from_slice(&pattern(len)));
        let mut second = MaybeUninit::<Message>::uninit();
        // SAFETY: both are 64 bytes, and only the copy is used afterwards.
        let moved = unsafe {
            ptr::copy_nonoverlapping(
                first.as_mut_ptr().cast::<[MaybeUninit<u8>; 64]>(),
                second.as_mut_ptr().cast(),
                1,
            );
            second.assume_init()
        };
        assert_eq!(moved, pattern(len)[..]);
    }
}

#[test]
fn adopted_buffer_is_used_in_place_and_freed_once() {
    let freed = AtomicUsize::new(0);
    let mut buffer = pattern(300);
    let address = buffer.as_ptr();
    let mut message = adopt(&mut buffer, &freed);
    message.as_mut_slice()[0] = 99;
    assert_eq!(message.as_ptr(), address);
    drop(message);
    assert_eq!(freed.load(SeqCst), 1);
    assert_eq!(buffer[0], 99);
}

#[test]
fn shared_adopted_buffer_stays_and_is_freed_with_the_last() {
    let freed = AtomicUsize::new(0);
    let mut buffer = pattern(300);
    let address = buffer.as_ptr();
    let mut first = adopt(&mut buffer, &freed);
    first.set_more(true);
    let second = first.share();
    let mut third = second.clone();
    assert!(second.more() && third.is_shared());
    assert_eq!((second.as_ptr(), third.as_ptr()), (address, address));
    third.as_mut_slice()[0] = 99;
    assert!(third.as_ptr() != address && third.more());
    drop(first);
    assert_eq!(freed.load(SeqCst), 0);
    drop(second);
    assert_eq!(freed.load(SeqCst), 1);
    drop(third);
    assert_eq!((freed.load(SeqCst), buffer[0]), (1, 1));
}

#[test]
fn cloned_adopted_buffer_is_copied() {
    let freed = AtomicUsize::new(0);
    let mut buffer = pattern(300);
    let message = adopt(&mut buffer, &freed);
    let copy = message.clone();
    drop(message);
    assert_eq!(freed.load(SeqCst), 1);
    assert_eq!(copy, pattern(300)[..]);
}

#[test]
fn nothing_may_be_adopted() {
    let freed = AtomicUsize::new(0);
    let hint = (&raw const freed).cast_mut().cast();
    // SAFETY: no bytes, so no pointer is needed; the counter outlives the message.
    let message = unsafe { Message::adopt(ptr::null_mut(), 0, Some(count_free), hint) };
    assert!(message.as_slice().is_empty());
    drop(message);
    assert_eq!(freed.load(SeqCst), 1);
    // SAFETY: no bytes, so no pointer is needed.
    assert!(unsafe { Message::adopt(ptr::null_mut(), 0, None, ptr::null_mut()) }.is_empty());
}

#[test]
fn vector_and_string_are_adopted_unless_short() {
    let long = pattern(1000);
    let address = long.as_ptr();
    assert_eq!(Message::from(long).as_ptr(), address);
    assert!(!Message::from(pattern(20)).has_stable_address());
    assert_eq!(Message::from("é".repeat(100)), "é".repeat(100).as_str());
    assert_eq!(
        (Message::from("abc"), Message::from(b"abc")),
        (Message::from(&b"abc"[..]), Message::from("abc"))
    );
}

#[test]
fn constant_is_copied_only_for_writing() {
    static BYTES: [u8; 100] = [3; 100];
    const MESSAGE: Message = Message::from_static(&BYTES);
    let mut message = MESSAGE;
    assert_eq!(message.clone().as_ptr(), BYTES.as_ptr());
    assert!(message.is_shared());
    message.as_mut_slice()[1] = 4;
    assert_eq!((message[1], BYTES[1]), (4, 3));
}

#[test]
fn last_part_of_a_slab_is_written_in_place() {
    let mut slab = Slab::with_capacity(1000);
    slab.extend_from_slice(&pattern(1000));
    let mut message = slab.split(1000).slice(100..300);
    let address = message.as_ptr();
    assert!(message.is_shared(), "the slab still refers to the block");
    drop(slab);
    assert!(!message.is_shared());
    message.as_mut_slice()[0] ^= 1;
    assert_eq!(message.as_ptr(), address);
    assert_eq!(message[1..], pattern(1000)[101..300]);
}

#[test]
fn debug_is_short() {
    let mut message = Message::from_slice(&[b'a'; 100]);
    message.set_more(true);
    assert_eq!(
        format!("{message:?}"),
        "Message(block, 100 B: aaaaaaaaaaaaaaaa…, more)"
    );
    assert_eq!(format!("{:?}", Message::from("hi")), "Message(inline, 2 B: hi)");
}

#[test]
fn messages_go_to_other_threads() {
    let mut message = Message::from_slice(&pattern(5000));
    let shared = message.share();
    let reader = std::thread::spawn(move || assert_eq!(shared, pattern(5000)[..]));
    message.as_mut_slice()[0] = 0;
    reader.join().unwrap();
    assert_eq!(message[0], 0);
}

#[derive(Clone, Debug)]
enum Step {
    Make(Vec<u8>),
    Adopt(Vec<u8>),
    Share(usize),
    Clone(usize),
    Write(usize, usize, u8),
    Truncate(usize, usize),
    SetMore(usize, bool),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || prop_oneof![vec(any::<u8>(), 0..70), vec(any::<u8>(), 0..700)];
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(1000));
    prop_oneof![
        bytes().prop_map(Step::Make),
        bytes().prop_map(Step::Adopt),
        at().prop_map(Step::Share),
        at().prop_map(Step::Clone),
        (at(), at(), any::<u8>()).prop_map(|(which, byte, value)| Step::Write(which, byte, value)),
        (at(), 0..200usize).prop_map(|(which, len)| Step::Truncate(which, len)),
        (at(), any::<bool>()).prop_map(|(which, more)| Step::SetMore(which, more)),
        at().prop_map(Step::Drop),
    ]
}

type Pair = (Message, (Vec<u8>, bool));

fn take_step(pairs: &mut Vec<Pair>, step: Step) {
    let count = pairs.len().max(1);
    match step {
        Step::Make(bytes) => pairs.push((Message::from_slice(&bytes), (bytes, false))),
        Step::Adopt(bytes) => pairs.push((Message::from(bytes.clone()), (bytes, false))),
        Step::Share(which) => {
            let shared = pairs
                .get_mut(which % count)
                .map(|(message, model)| (message.share(), model.clone()));
            pairs.extend(shared);
        }
        Step::Clone(which) => pairs.extend(pairs.get(which % count).cloned()),
        Step::Drop(which) if !pairs.is_empty() => drop(pairs.swap_remove(which % count)),
        Step::Drop(_) => {}
        Step::Write(which, byte, value) => {
            if let Some((message, (model, _))) = pairs
                .get_mut(which % count)
                .filter(|(_, (model, _))| !model.is_empty())
            {
                let byte = byte % model.len();
                message.as_mut_slice()[byte] = value;
                model[byte] = value;
            }
        }
        Step::Truncate(which, len) => {
            if let Some((message, (model, _))) = pairs.get_mut(which % count) {
                message.truncate(len);
                model.truncate(len);
            }
        }
        Step::SetMore(which, more) => {
            if let Some((message, model)) = pairs.get_mut(which % count) {
                message.set_more(more);
                model.1 = more;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_behave_like_vectors(steps in vec(step(), 0..60)) {
        let mut pairs = Vec::new();
        for step in steps {
            take_step(&mut pairs, step);
            for (message, (bytes, more)) in &pairs {
                prop_assert_eq!(message.as_slice(), &bytes[..]);
                prop_assert_eq!(message.more(), *more);
            }
        }
    }
}

#[test]
fn little_is_cheap_to_keep() {
    let mut pooled = Message::from_slice(&[1; 100]);
    assert!(Message::new().is_cheap_to_keep() && Message::from("short").is_cheap_to_keep());
    assert!(Message::from_static(&[1; 100]).is_cheap_to_keep());
    assert!(pooled.is_cheap_to_keep());
    let other = pooled.share();
    assert!(!pooled.is_cheap_to_keep(), "others see the block");
    drop(other);
    assert!(pooled.is_cheap_to_keep());
    assert!(!Message::from_slice(&[1; 5000]).is_cheap_to_keep());
    assert!(
        !Message::from(vec![1; 100]).is_cheap_to_keep(),
        "somebody waits for it to be freed"
    );
}

#[test]
fn set_slice_is_from_slice_in_place() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let lens = [
        0, 1, 7, 8, 16, 17, 32, 33, 47, 48, 49, 64, 100, 64, 3, 200, 5000, 60, 4999,
    ];
    let mut message = Message::new();
    for (place, &len) in lens.iter().enumerate() {
        message.set_more(true);
        message.set_routing_id(7);
        // Every third time somebody else looks at the old body, which must stay as it is.
        let other = (place % 3 == 0).then(|| message.share());
        let before = other.as_ref().map(|other| other.to_vec());
        message.set_slice(&bytes[..len]);
        assert_eq!(message.as_slice(), &bytes[..len]);
        assert!(!message.more() && message.routing_id() == 0);
        assert_eq!(other.map(|other| other.to_vec()), before);
    }
    let mut adopted = Message::from(vec![1; 100]);
    adopted.set_slice(&bytes[..64]);
    assert_eq!(adopted.as_slice(), &bytes[..64]);
    let mut constant = Message::from_static(b"constant");
    constant.set_slice(&bytes[..8]);
    assert_eq!(constant.as_slice(), &bytes[..8]);
}

/// Bytes that are copied on demand, or not at all.
struct Filler<'a> {
    bytes: &'a [u8],
    panics: bool,
}

// SAFETY: `fill` copies a slice of this length, or panics.
unsafe impl FillBytes for Filler<'_> {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn fill(&self, to: &mut [MaybeUninit<u8>]) {
        assert!(!self.panics, "as told");
        for (byte, &from) in to.iter_mut().zip(self.bytes) {
            byte.write(from);
        }
    }
}

#[test]
fn set_filled_is_set_slice() {
    let bytes = pattern(200);
    let mut message = Message::new();
    for len in (0..=200).chain((0..=200).rev()) {
        message.set_more(true);
        message.set_routing_id(7);
        message.set_filled(&Filler {
            bytes: &bytes[..len],
            panics: false,
        });
        assert_eq!(&message[..], &bytes[..len]);
        assert_eq!(message.has_stable_address(), len > INLINE_MAX);
        assert!(!message.more() && message.routing_id() == 0);
    }
}

#[test]
fn set_filled_reuses_a_block_of_its_own() {
    let mut message = Message::from_slice(&[1; 100]);
    let start = message.as_ptr();
    let bytes = [2; 90];
    let filler = Filler {
        bytes: &bytes,
        panics: false,
    };
    message.set_filled(&filler);
    assert_eq!(message.as_ptr(), start);
    let other = message.share();
    message.set_filled(&filler);
    assert_ne!(message.as_ptr(), start);
    assert_eq!(message, other);
}

#[test]
fn a_message_whose_filling_fails_is_empty_or_unchanged() {
    for (before, len) in [(3, 8), (100, 8), (100, 90), (3, 90)] {
        let mut message = Message::from_slice(&pattern(before));
        let bytes = pattern(len);
        let filler = Filler {
            bytes: &bytes,
            panics: true,
        };
        let failed = catch_unwind(AssertUnwindSafe(|| message.set_filled(&filler)));
        assert!(failed.is_err());
        assert!(message.is_empty() || message[..] == pattern(before));
    }
}

#[test]
fn set_slice_reuses_a_block_of_its_own() {
    let mut message = Message::from_slice(&[1; 100]);
    let address = message.as_slice().as_ptr();
    message.set_slice(&[2; 90]);
    assert_eq!(message.as_slice().as_ptr(), address);
}

#[test]
fn memory_holds_a_message_until_it_is_closed() {
    use std::mem::MaybeUninit;
    let mut memory = MaybeUninit::<Message>::zeroed();
    let place = memory.as_mut_ptr();
    // SAFETY: the memory is ours and zeroed, which is an empty message.
    unsafe {
        assert!(Message::at(place).is_some_and(|message| message.is_empty()));
        place.write(Message::from_slice(&[7; 100]));
        assert!(Message::at(place).is_some_and(|message| message.len() == 100));
        assert!(Message::close_at(place));
        assert!(Message::at(place).is_none());
        assert!(!Message::close_at(place));
        assert!(Message::at(std::ptr::null_mut()).is_none());
    }
}

#[test]
fn bytes_that_cannot_be_a_message_are_none() {
    use std::mem::MaybeUninit;
    for byte in [5, 100, 255] {
        let mut memory = MaybeUninit::<Message>::uninit();
        let place = memory.as_mut_ptr();
        // SAFETY: the memory is ours, and these bytes name no kind.
        unsafe {
            place.cast::<u8>().write_bytes(byte, size_of::<Message>());
            assert!(Message::at(place).is_none());
        }
    }
}

#[test]
fn a_message_to_be_written_has_room_or_is_refused() {
    let put = |len| {
        let mut place = MaybeUninit::uninit();
        // SAFETY: there is room for a message. The bytes are filled before they are read.
        let is_there = unsafe { Message::put_unwritten(place.as_mut_ptr(), len) };
        // SAFETY: there is a message in either case.
        (is_there, unsafe { place.assume_init() })
    };
    for len in [0, 1, 48, 49, 256 << 10, (256 << 10) + 1, 3 << 20] {
        let (is_there, mut message) = put(len);
        message.as_mut_slice().fill(9);
        assert!(is_there && message.len() == len && message.iter().all(|&byte| byte == 9));
        assert!(!message.more() && message.routing_id() == 0 && message.group().is_empty());
    }
    let (is_there, message) = put(usize::MAX / 2 + 1);
    assert!(!is_there && message.is_empty());
}

/// Foreign bytes over `buffer`, counted as by [`adopt`].
fn foreign(buffer: &mut [u8], freed: &AtomicUsize, writable: bool) -> Foreign {
    let hint = ptr::from_ref(freed).cast_mut().cast();
    // SAFETY: as for `adopt`.
    unsafe { Foreign::new(buffer.as_mut_ptr(), buffer.len(), count_free, hint, writable) }
}

#[test]
fn foreign_memory_goes_in_and_out_and_is_freed_once() {
    for writable in [true, false] {
        let (mut buffer, freed) = (pattern(500), AtomicUsize::new(0));
        let address = buffer.as_ptr();
        let mut message = Message::from_foreign(foreign(&mut buffer, &freed, writable));
        assert_eq!(message, pattern(500)[..]);
        let again = message.take_foreign().expect("it was not shared");
        assert!(message.is_empty() && message.take_foreign().is_none());
        assert!(again.belongs_to(count_free, ptr::from_ref(&freed).cast()));
        let message = Message::from_foreign(again);
        assert_eq!(message.as_ptr(), address);
        assert_eq!(freed.load(SeqCst), 0);
        drop(message);
        assert_eq!(freed.load(SeqCst), 1);
        drop(foreign(&mut buffer, &freed, writable));
        assert_eq!(freed.load(SeqCst), 2, "dropping the bytes frees them, too");
    }
}

#[test]
fn borrowed_memory_is_never_written_and_not_pinned_by_shares() {
    let (mut buffer, freed) = (pattern(500), AtomicUsize::new(0));
    let mut message = Message::from_foreign(foreign(&mut buffer, &freed, false));
    let clone = message.clone();
    assert_eq!(freed.load(SeqCst), 0);
    message.as_mut_slice()[0] = 77;
    assert_eq!(
        freed.load(SeqCst),
        1,
        "writing copied the body and gave the memory back"
    );
    assert_eq!(buffer, pattern(500));
    assert_eq!(clone, pattern(500)[..]);
    let mut message = Message::from_foreign(foreign(&mut buffer, &freed, false));
    message.set_more(true);
    let share = message.share();
    assert_eq!(freed.load(SeqCst), 2);
    assert!(share.more() && share == message);
}

#[test]
fn shared_foreign_memory_stays_with_its_sharers() {
    let (mut buffer, freed) = (pattern(500), AtomicUsize::new(0));
    let mut message = Message::from_foreign(foreign(&mut buffer, &freed, true));
    let share = message.share();
    assert!(message.take_foreign().is_none());
    drop(message);
    assert_eq!(freed.load(SeqCst), 0);
    drop(share);
    assert_eq!(freed.load(SeqCst), 1);
}
