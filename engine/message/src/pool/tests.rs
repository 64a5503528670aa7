use std::{sync::mpsc, thread};

use super::{Block, OWN_BYTES_MAX, class, trim};

fn address(block: &Block) -> usize {
    block.ptr().addr().get()
}

/// Runs in a thread of its own, so that the cache is not mixed with that of other tests.
fn alone<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(test).join().unwrap()
}

#[test]
fn payload_is_aligned_and_large_enough() {
    for capacity in [0, 1, 128, 129, 4096, 256 * 1024, 256 * 1024 + 1] {
        let block = Block::alloc(capacity);
        assert!(block.capacity() >= capacity);
        assert_eq!(address(&block) % 64, 0);
        // SAFETY: the payload has that many bytes, and the block has no other holder.
        unsafe { block.ptr().write_bytes(1, block.capacity()) };
    }
}

#[test]
fn option_of_a_block_is_a_pointer() {
    assert_eq!(size_of::<Option<Block>>(), 8);
}

#[test]
fn the_last_reference_is_known_as_the_last() {
    let first = Block::alloc(100);
    assert!(first.is_unique());
    let second = first.clone();
    assert!(!first.is_unique());
    assert!(first.into_last().is_none());
    let last = second.into_last().expect("the last reference");
    assert!(last.is_unique());
}

#[test]
fn own_block_is_used_again_at_once() {
    alone(|| {
        let first = Block::alloc(1000);
        let before = address(&first);
        drop(first);
        assert_eq!(address(&Block::alloc(900)), before);
    });
}

#[test]
fn block_freed_elsewhere_comes_back() {
    alone(|| {
        let block = Block::alloc(1000);
        let before = address(&block);
        alone(move || drop(block));
        assert_eq!(address(&Block::alloc(1000)), before);
    });
}

#[test]
fn blocks_outlive_their_thread() {
    let (block, home) = alone(|| {
        let block = Block::alloc(1000);
        // SAFETY: the payload is large enough, and the block has no other holder.
        unsafe { block.ptr().write(77) };
        let home = block.header().home.addr();
        (block, home)
    });
    // SAFETY: the first byte was written above, and the join made it visible.
    assert_eq!(unsafe { block.ptr().read() }, 77);
    assert_ne!(home, 0);
    drop(block);
}

#[test]
fn destructors_of_thread_locals_may_use_the_pool() {
    struct Late(Option<Block>);
    impl Drop for Late {
        fn drop(&mut self) {
            let kept = self.0.take();
            drop(Block::alloc(1000));
            drop(kept);
            trim();
        }
    }
    thread_local! {
        static EARLY: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) };
    }
    // Whatever the order of the two destructors, one of the two ways meets a home that has been left.
    for pool_first in [true, false] {
        alone(move || {
            let block = pool_first.then(|| Block::alloc(1000));
            EARLY.with_borrow_mut(|late| late.0 = None);
            EARLY.with_borrow_mut(|late| late.0 = Some(block.unwrap_or_else(|| Block::alloc(1000))));
        });
    }
}

#[test]
fn cache_is_bounded_and_makes_room_for_other_sizes() {
    alone(|| {
        let len = class::capacity(class::COUNT - 1);
        let many: Vec<_> = (0..2 * OWN_BYTES_MAX / len).map(|_| Block::alloc(len)).collect();
        let home = many[0].header().home;
        drop(many);
        // SAFETY: homes live as long as the program, and this thread owns it.
        let kept = |class| unsafe { (*home).free_count(class) };
        assert_eq!(kept(class::COUNT - 1), OWN_BYTES_MAX / len);
        drop(Block::alloc(128));
        assert_eq!(kept(0), 1);
        assert_eq!(kept(class::COUNT - 1), OWN_BYTES_MAX / len - 1);
        trim();
        assert_eq!(kept(0) + kept(class::COUNT - 1), 0);
    });
}

#[test]
fn blocks_wander_between_threads() {
    let rounds = if cfg!(miri) { 50 } else { 20_000 };
    let (to_other, other) = mpsc::sync_channel::<(Block, u8)>(64);
    let reader = thread::spawn(move || {
        for (block, expected) in other {
            // SAFETY: the sender wrote the last byte of the capacity before the channel published the block.
            let last = unsafe { block.ptr().add(block.capacity() - 1).read() };
            assert_eq!(last, expected);
        }
    });
    for round in 0..rounds {
        let block = Block::alloc(128 << (round % 12));
        // SAFETY: the last byte of the payload, and nobody else has the block yet.
        unsafe { block.ptr().add(block.capacity() - 1).write(round as u8) };
        let copy = block.clone();
        to_other.send((block, round as u8)).unwrap();
        drop(copy);
    }
    drop(to_other);
    reader.join().unwrap();
}
