//! A queue of messages from one thread to another, in which short bodies travel in the queue itself.
//!
//! A body in a block moves by pointer, and with it the lines of the block, of its header, and of the list by which it goes
//! back to its owner. Up to [`SPREAD_MAX`] bytes it is cheaper to copy it through the queue: what does not fit into one
//! slot goes on in the next ones, and the reader puts it together in a block of its own, which it often has at hand.
//!
//! All pieces are of one length, so that no copy is of unknown length; the last one repeats what is needed for that.

use ringmq_queue::chain::{ChainConsumer, ChainProducer, chain};

use crate::message::{INLINE_MAX, Message, Slot, Spread};

/// The longest body that is copied through the queue, in bytes.
pub const SPREAD_MAX: usize = 3 * INLINE_MAX;

/// Makes a queue without a limit. Allocates no slots before the first message.
pub fn lane() -> (LaneProducer, LaneConsumer) {
    let (producer, consumer) = chain();
    (LaneProducer { slots: producer }, LaneConsumer { slots: consumer })
}

/// The writing end. Dropping it drops what is staged; what is published stays for the consumer.
#[derive(Debug)]
pub struct LaneProducer {
    slots: ChainProducer<Slot>,
}

impl LaneProducer {
    /// Writes a message that the consumer does not see before the next publish. Never blocks; allocates now and then.
    pub fn stage(&mut self, mut message: Message) {
        self.stage_from(&mut message);
    }

    /// [`stage`](Self::stage) for a message that stays where it is, and is empty afterwards.
    #[inline]
    pub fn stage_from(&mut self, message: &mut Message) {
        if message.is_short_block(SPREAD_MAX) {
            self.stage_spread(message, message.more(), message.routing_id());
            message.clear();
        } else {
            self.slots.stage(Slot::from(std::mem::take(message)));
        }
    }

    /// Writes a message with a copy of `body`, as [`stage`](Self::stage) does.
    #[inline]
    pub fn stage_bytes(&mut self, body: &[u8], more: bool) {
        match body.len() {
            0..=INLINE_MAX => self.stage_one(body, more),
            len if len <= SPREAD_MAX => self.stage_spread(body, more, 0),
            _ => {
                let mut message = Message::from_slice(body);
                message.set_more(more);
                self.slots.stage(Slot::from(message));
            }
        }
    }

    #[inline]
    fn stage_spread(&mut self, body: &[u8], more: bool, routing_id: u32) {
        let (Some(first), Some(last)) = (body.first_chunk(), body.last_chunk::<INLINE_MAX>()) else {
            unreachable!("a body that is spread is longer than a piece of it");
        };
        // SAFETY: `begin` writes a slot.
        unsafe {
            self.slots
                .stage_with(|place| Slot::begin(place, first, body.len(), more, routing_id));
        }
        if body.len() > 2 * INLINE_MAX {
            self.stage_one(&body[INLINE_MAX..2 * INLINE_MAX], false);
        }
        self.stage_one(last, false);
    }

    /// Writes a message that fits into a slot, or a piece of a longer one.
    #[inline(always)]
    fn stage_one(&mut self, bytes: &[u8], more: bool) {
        // SAFETY: `write` writes a slot.
        unsafe { self.slots.stage_with(|place| Slot::write(place, bytes, more)) };
    }

    /// Makes everything staged visible to the consumer at once. Never blocks.
    #[inline]
    pub fn publish(&mut self) {
        self.slots.publish();
    }

    /// Drops everything staged and not yet published.
    pub fn rollback(&mut self) {
        self.slots.rollback();
    }
}

/// The reading end. Dropping it leaves unread messages in the queue until the producer is dropped as well.
#[derive(Debug)]
pub struct LaneConsumer {
    slots: ChainConsumer<Slot>,
}

impl LaneConsumer {
    /// Takes the oldest message into `message`, whose former content is dropped or its memory reused; false if there is
    /// none. Never blocks; frees memory of the queue now and then.
    #[inline]
    pub fn pop_into(&mut self, message: &mut Message) -> bool {
        let Some(front) = self.slots.peek() else {
            return false;
        };
        match front.spread() {
            // SAFETY: what is written there is the slot at the front, which is a whole message.
            None => self.slots.pop_into(unsafe { Slot::of(message) }),
            Some(spread) => {
                self.gather(message, &spread);
                true
            }
        }
    }

    /// Puts a spread body together.
    #[inline]
    fn gather(&mut self, message: &mut Message, spread: &Spread) {
        // SAFETY: the loop writes all of these bytes before anybody reads one, or empties the message.
        let to = unsafe { message.make_room(spread.len) };
        message.set_more(spread.more);
        message.set_routing_id(spread.routing_id);
        let last = spread.len - INLINE_MAX;
        let mut at = 0;
        loop {
            let Some(slot) = self.slots.peek() else {
                message.clear();
                unreachable!("the pieces of a body are published together");
            };
            // SAFETY: `to` has room for `spread.len` bytes, of which a piece's worth begins at `last` and at whatever comes
            // before. It belongs to the message alone.
            unsafe { to.add(at).cast().write(*slot.piece()) };
            self.slots.forget();
            if at == last {
                return;
            }
            at = last.min(at + INLINE_MAX);
        }
    }

    /// Whether there is nothing to take. Reads the producer's line; see [`ChainConsumer::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use super::*;

    fn body(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + seed * 13) as u8).collect()
    }

    #[test]
    fn every_length_passes_by_copy_and_by_value() {
        let (mut producer, mut consumer) = lane();
        let mut came = Message::new();
        for len in 0..=SPREAD_MAX + 2 {
            for more in [false, true] {
                let bytes = body(len, len);
                producer.stage_bytes(&bytes, more);
                let mut message = Message::from_slice(&bytes);
                message.set_more(more);
                message.set_routing_id(len as u32 + 1);
                producer.stage(message);
                assert!(!consumer.pop_into(&mut came), "not before it is published");
                producer.publish();
                for routing_id in [0, len as u32 + 1] {
                    assert!(consumer.pop_into(&mut came));
                    assert_eq!(*came, *bytes);
                    assert_eq!((came.more(), came.routing_id()), (more, routing_id));
                }
                assert!(consumer.is_empty());
            }
        }
    }

    #[test]
    fn groups_and_shared_bodies_pass() {
        let (mut producer, mut consumer) = lane();
        let mut came = Message::new();
        let mut message = Message::from_slice(&body(100, 1));
        let share = message.share();
        message.set_group(b"group").unwrap();
        producer.stage(message);
        producer.stage(share);
        producer.publish();
        assert!(consumer.pop_into(&mut came));
        assert_eq!((came.group(), &*came), (&b"group"[..], &*body(100, 1)));
        assert!(consumer.pop_into(&mut came));
        assert_eq!((came.group(), &*came), (&b""[..], &*body(100, 1)));
        assert!(!consumer.pop_into(&mut came));
    }

    #[test]
    fn what_is_staged_can_be_taken_back_and_what_is_unread_dropped() {
        let (mut producer, mut consumer) = lane();
        producer.stage_bytes(&body(57, 0), true);
        producer.stage_bytes(&body(168, 0), true);
        producer.rollback();
        producer.stage_bytes(&body(113, 2), false);
        producer.publish();
        let mut came = Message::new();
        assert!(consumer.pop_into(&mut came));
        assert_eq!(*came, *body(113, 2));
        for len in [60, 168, 1000] {
            producer.stage_bytes(&body(len, 0), false);
        }
        producer.publish();
        drop((producer, consumer));
    }

    #[test]
    fn a_thread_reads_what_another_writes() {
        let count = if cfg!(miri) { 200 } else { 20_000 };
        let (mut producer, mut consumer) = lane();
        let len = |number: usize| number * 31 % 300;
        let writing = thread::spawn(move || {
            for number in 0..count {
                let bytes = body(len(number), number);
                if number % 3 == 0 {
                    producer.stage(Message::from_slice(&bytes));
                } else {
                    producer.stage_bytes(&bytes, false);
                }
                producer.publish();
            }
        });
        let mut came = Message::new();
        for number in 0..count {
            while !consumer.pop_into(&mut came) {
                thread::yield_now();
            }
            assert_eq!(*came, *body(len(number), number), "message {number}");
        }
        writing.join().unwrap();
    }
}
