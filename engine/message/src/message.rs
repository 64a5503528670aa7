//! [`Message`]: one part of what an application sends or receives, in 64 bytes that may be moved freely.

mod body;
mod compare;
mod foreign;
mod group;
mod make;
mod slot;

use std::{fmt, mem::ManuallyDrop, ops::Deref, slice, sync::Arc};

use self::body::{Adopted, Body, Kind, View};
use crate::{
    origin::{OriginId, Properties},
    pool::Block,
};

pub use self::body::FreeFn;
pub use self::group::{GROUP_MAX, GroupTooLong};
pub(crate) use self::slot::{Slot, Spread};

/// How many bytes a message holds in itself. Longer bodies lie elsewhere.
pub const INLINE_MAX: usize = 48;

/// One part of what an application sends or receives.
///
/// A message is 64 bytes and holds no pointer into itself, so it may be copied to another address as plain bytes as long
/// as only one copy is used afterwards. Its body is one of
///
/// * *inline*: up to [`INLINE_MAX`] bytes in the message itself,
/// * *pooled*: a memory block that belongs to this message alone,
/// * *shared*: a part of a block that other messages or received spans refer to as well,
/// * *adopted*: a foreign buffer and the function that frees it, or *borrowed* if it must not be written,
/// * *constant*: bytes that live as long as the program.
///
/// Besides the body it carries the flag [`more`](Self::more), a [routing id](Self::routing_id), a [group](Self::group) and,
/// if it was received, [where it came from](Self::properties). Nothing here blocks, and nothing fails: running out of memory aborts the process, as everywhere in Rust.
#[repr(C)]
pub struct Message {
    body: Body,
    /// Where it came from. Whoever overwrites it sees to it that it is not held.
    pub(crate) origin: OriginId,
    routing_id: u32,
    /// The length of an inline body; meaningless otherwise.
    inline_len: u8,
    kind: Kind,
    more: bool,
    /// The length of the group; see `group.rs` for where it lies. Whatever changes the body's memory sets it.
    group_len: u8,
}

// The C interface keeps a message in a `zmq_msg_t`, and a ring slot is one cache line.
const _: () = assert!(size_of::<Message>() == 64 && align_of::<Message>() == 8);

// SAFETY: blocks are counted atomically and written only by a unique holder; who gives a foreign buffer away promises in
// `adopt` that any thread may use and free it.
unsafe impl Send for Message {}
// SAFETY: a shared reference only reads the body, and cloning through it counts atomically or copies.
unsafe impl Sync for Message {}

impl Message {
    /// An empty message.
    #[inline]
    pub const fn new() -> Self {
        Self::with_body(Body::EMPTY, Kind::Inline, 0)
    }

    /// Makes this an empty message; its former content is released.
    ///
    /// The same as assigning [`new`](Self::new), without the move of a body that is not there.
    #[inline]
    pub fn clear(&mut self) {
        if self.owns() {
            // Comes back in any case: an owner's function that unwinds ends the process.
            self.release();
        }
        self.kind = Kind::Inline;
        self.inline_len = 0;
        self.reset_envelope();
    }

    /// Sets what a message carries beside its body as in a new one. Whoever calls this sees to it that no origin is held.
    #[inline(always)]
    fn reset_envelope(&mut self) {
        self.more = false;
        self.origin = OriginId::NONE;
        self.routing_id = 0;
        self.group_len = 0;
    }

    /// Whether another part of the same multipart message follows.
    #[inline]
    pub const fn more(&self) -> bool {
        self.more
    }

    /// Says whether another part of the same multipart message follows.
    #[inline]
    pub const fn set_more(&mut self, more: bool) {
        self.more = more;
    }

    /// Which peer of a SERVER socket the message came from or goes to; 0 is none.
    #[inline]
    pub const fn routing_id(&self) -> u32 {
        self.routing_id
    }

    /// Says which peer of a SERVER socket the message goes to; 0 is none.
    #[inline]
    pub const fn set_routing_id(&mut self, routing_id: u32) {
        self.routing_id = routing_id;
    }

    /// What is known of the connection that the message came by: what the peer announced, and its address. `None` for a
    /// message that was made here or came over `inproc://`, as in libzmq. Takes a lock that all threads share, for a moment.
    ///
    /// While the connection lives, and while its messages are queued, the properties are there. A message that is kept
    /// beyond that has them until those of many connections that ended later, some ten thousand, fill 4 MiB.
    pub fn properties(&self) -> Option<Arc<Properties>> {
        self.origin.properties()
    }

    /// [`properties`](Self::properties), kept as long as the message lives, wherever it is moved.
    pub fn keep_properties(&mut self) -> Option<Arc<Properties>> {
        self.origin.hold()
    }

    /// The number of the connection that the message came by.
    #[inline]
    pub const fn origin(&self) -> OriginId {
        self.origin.bare()
    }

    /// Says which connection the message came by.
    #[inline]
    pub fn set_origin(&mut self, origin: OriginId) {
        let former = std::mem::replace(&mut self.origin, origin.bare());
        if former.is_held() {
            former.release();
        }
    }

    /// Length of the body in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match self.kind {
            Kind::Inline => usize::from(self.inline_len),
            _ => self.view().len,
        }
    }

    /// Whether the body has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The body.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self.kind {
            Kind::Inline => {
                // SAFETY: the first `inline_len` bytes of an inline body are initialised and are borrowed with `self`.
                unsafe {
                    slice::from_raw_parts((&raw const self.body).cast::<u8>(), usize::from(self.inline_len))
                }
            }
            _ => {
                let View { start, len } = self.view();
                // SAFETY: a view points to initialised bytes that live as long as the message. Nobody writes them: only a
                // unique holder may, through `&mut self`.
                unsafe { slice::from_raw_parts(start.as_ptr(), len) }
            }
        }
    }

    /// The body for writing. A body that others can see is copied first.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let is_ours = match self.kind {
            Kind::Inline => {
                // SAFETY: the first `inline_len` bytes of an inline body are initialised and are borrowed with `self`.
                return unsafe {
                    slice::from_raw_parts_mut((&raw mut self.body).cast::<u8>(), usize::from(self.inline_len))
                };
            }
            Kind::Adopted => true,
            Kind::Block | Kind::Held => self.block().is_unique(),
            Kind::Constant | Kind::Borrowed => false,
            Kind::Spread => unreachable!("pieces of a message stay in their queue"),
        };
        if !is_ours {
            self.copy_body();
            return self.as_mut_slice();
        }
        let View { start, len } = self.view();
        // SAFETY: the bytes are initialised and writable: a block is our own memory, and `adopt` demands it of a foreign
        // buffer. No other holder exists, and none can appear while `self` is borrowed.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), len) }
    }

    /// A second message with the same body, flag, routing id, group and origin, without copying a long body.
    ///
    /// An adopted body moves behind a reference count first, which is why this needs `&mut self`; the foreign buffer stays
    /// where it is and is freed with the last message that refers to it. A borrowed body is copied.
    #[inline]
    pub fn share(&mut self) -> Self {
        match self.kind {
            Kind::Adopted => self.hold_adopted(),
            Kind::Borrowed => self.copy_body(),
            _ => {}
        }
        let (body, inline_len) = match self.kind {
            Kind::Inline | Kind::Constant => {
                // SAFETY: neither kind owns anything outside, so the bytes may be used twice.
                (unsafe { body::duplicate(&self.body) }, self.inline_len)
            }
            Kind::Block | Kind::Held => (Body::held(self.view(), self.block().clone()), 0),
            Kind::Adopted | Kind::Borrowed => unreachable!("a foreign body has just been moved or copied"),
            Kind::Spread => unreachable!("pieces of a message stay in their queue"),
        };
        Self {
            body,
            origin: self.origin.bare(),
            routing_id: self.routing_id,
            inline_len,
            kind: self.kind,
            more: self.more,
            group_len: self.group_len,
        }
    }

    /// Whether other messages may see the same bytes, so that writing copies them.
    pub fn is_shared(&self) -> bool {
        match self.kind {
            Kind::Inline | Kind::Spread | Kind::Adopted => false,
            Kind::Constant | Kind::Borrowed => true,
            Kind::Block | Kind::Held => !self.block().is_unique(),
        }
    }

    /// Whether the message may be left as it is until another takes its place: it owns nothing, or one small block that nobody
    /// else uses, and that [`set_slice`](Self::set_slice) will use again.
    #[inline]
    pub fn is_cheap_to_keep(&self) -> bool {
        const KEPT_MAX: usize = 4096;
        !self.owns()
            || self.kind == Kind::Block
                && !self.origin.is_held()
                && self.block().capacity() <= KEPT_MAX
                && self.block().is_unique()
    }

    /// Whether the bytes keep their address when the message is moved: every kind but an inline body.
    #[inline]
    pub fn has_stable_address(&self) -> bool {
        self.kind != Kind::Inline
    }

    /// Shortens the body to its first `len` bytes, and drops the group; does nothing if it is not longer. The memory stays
    /// as it is.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        self.group_len = 0;
        match self.kind {
            Kind::Inline => self.inline_len = len as u8,
            _ => {
                let start = self.view().start;
                self.body.set_view(View { start, len });
            }
        }
    }

    #[inline]
    const fn with_body(body: Body, kind: Kind, inline_len: u8) -> Self {
        Self {
            body,
            origin: OriginId::NONE,
            routing_id: 0,
            inline_len,
            kind,
            more: false,
            group_len: 0,
        }
    }

    /// Where a body that is not inline lies.
    #[inline]
    fn view(&self) -> View {
        debug_assert!(self.kind != Kind::Inline);
        // SAFETY: every kind but inline begins with an initialised view.
        unsafe { self.body.view }
    }

    /// The block that a body lies in, or that holds its foreign buffer.
    #[inline]
    fn block(&self) -> &Block {
        debug_assert!(matches!(self.kind, Kind::Block | Kind::Held));
        // SAFETY: both kinds have an initialised `held`.
        unsafe { &self.body.held.block }
    }

    /// Puts a copy in the place of a body that others can see.
    #[cold]
    fn copy_body(&mut self) {
        let mut copy = Self::with_group(self, self.group());
        copy.more = self.more;
        copy.routing_id = self.routing_id;
        std::mem::swap(&mut copy.origin, &mut self.origin);
        *self = copy;
    }

    /// Moves an adopted body into a block of its own, where references to it are counted.
    #[cold]
    fn hold_adopted(&mut self) {
        debug_assert!(self.kind == Kind::Adopted);
        // SAFETY: the kind says that this is the field in use.
        let adopted = unsafe { self.body.adopted };
        let block = Block::alloc(size_of::<Adopted>());
        // SAFETY: the block is new, large enough, and aligned to 64 bytes.
        unsafe { block.ptr().cast::<Adopted>().write(adopted) };
        // The bare pointers left behind own nothing any more: the block does.
        self.body = Body::held(adopted.view, block);
        self.kind = Kind::Held;
    }

    /// The message owns something outside of it.
    #[inline(always)]
    fn owns(&self) -> bool {
        self.kind.owns() || self.origin.is_held()
    }

    /// Gives back what the message owns outside of it.
    #[inline(never)]
    fn release(&mut self) {
        if self.origin.is_held() {
            self.origin.release();
        }
        match self.kind {
            Kind::Inline | Kind::Constant | Kind::Spread => {}
            Kind::Block => {
                // SAFETY: the field in use, and `release` runs once, in `drop`.
                drop(unsafe { ManuallyDrop::take(&mut self.body.held) });
            }
            Kind::Adopted | Kind::Borrowed => {
                // SAFETY: the field in use. It has not been moved behind a count, so this is the only owner.
                unsafe { self.body.adopted.free() };
            }
            Kind::Held => {
                // SAFETY: the field in use, and `release` runs once, in `drop`.
                let held = unsafe { ManuallyDrop::take(&mut self.body.held) };
                if let Some(block) = held.block.into_last() {
                    // SAFETY: `hold_adopted` wrote it, and nobody else can see the block any more.
                    unsafe { block.ptr().cast::<Adopted>().read().free() };
                }
            }
        }
    }
}

impl Drop for Message {
    #[inline(always)]
    fn drop(&mut self) {
        if self.owns() {
            self.release();
        }
    }
}

impl Clone for Message {
    /// A second message with the same body, flag, routing id, group and origin. Blocks are shared; an adopted or borrowed body is
    /// copied.
    #[inline]
    fn clone(&self) -> Self {
        if !matches!(self.kind, Kind::Adopted | Kind::Borrowed) {
            // SAFETY: `share` changes `self` only when the body is foreign. The duplicate is forgotten, so that nothing is
            // released twice.
            let mut same = ManuallyDrop::new(unsafe { std::ptr::read(self) });
            return same.share();
        }
        let mut copy = Self::from_slice(self);
        copy.more = self.more;
        copy.routing_id = self.routing_id;
        copy.origin = self.origin.bare();
        copy
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Message {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 16;
        let shown = &self[..self.len().min(SHOWN_MAX)];
        write!(
            f,
            "Message({:?}, {} B: {}",
            self.kind,
            self.len(),
            shown.escape_ascii()
        )?;
        f.write_str(if shown.len() < self.len() { "…" } else { "" })?;
        f.write_str(if self.more { ", more)" } else { ")" })
    }
}

#[cfg(test)]
mod tests;
