//! The representations of a body and the memory they share.

use std::{
    ffi::c_void,
    fmt,
    mem::{ManuallyDrop, MaybeUninit},
    ptr::NonNull,
};

use super::INLINE_MAX;
use crate::pool::Block;

/// Frees a foreign buffer: called once, on any thread, with the buffer's address and the hint given along with it.
pub type FreeFn = unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void);

/// Which representation a body has.
///
/// Inline is zero, so that 64 zeroed bytes are an empty message. The kinds that own something come last, so that dropping
/// the others is one comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    Inline = 0,
    Constant = 1,
    /// The beginning of a body that goes on elsewhere, which only queues know; see `slot.rs`.
    Spread = 2,
    /// A part of a block: pooled if this is the only reference, shared otherwise.
    Block = 3,
    Adopted = 4,
    /// An adopted body behind a reference count.
    Held = 5,
    /// As adopted, in memory that must not be written.
    Borrowed = 6,
}

impl Kind {
    /// The one with the highest number.
    pub(super) const LAST: Self = Self::Borrowed;

    #[inline(always)]
    pub(super) fn owns(self) -> bool {
        self >= Self::Block
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline => "inline",
            Self::Constant => "constant",
            Self::Spread => "spread",
            Self::Block => "block",
            Self::Adopted => "adopted",
            Self::Held => "held",
            Self::Borrowed => "borrowed",
        })
    }
}

/// Where a body that is not inline lies.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct View {
    pub(super) start: NonNull<u8>,
    pub(super) len: usize,
}

/// A body in a block, or a foreign one that a block holds.
#[repr(C)]
pub(super) struct Held {
    pub(super) view: View,
    pub(super) block: Block,
}

/// A foreign buffer and how to free it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Adopted {
    pub(super) view: View,
    /// What the owner gave, which may be null if the length is zero.
    pub(super) data: *mut c_void,
    pub(super) free: Option<FreeFn>,
    pub(super) hint: *mut c_void,
}

impl Adopted {
    /// Gives the buffer back to its owner.
    ///
    /// # Safety
    ///
    /// Called once for each adopted buffer, when nobody reads it any more.
    pub(super) unsafe fn free(&self) {
        if let Some(free) = self.free {
            // SAFETY: `Message::adopt` was promised that this may be called once, on any thread.
            unsafe { free(self.data, self.hint) };
        }
    }
}

/// The memory of a body. All fields but `words` begin with a [`View`]; the kind beside it says which is in use.
#[repr(C)]
pub(super) union Body {
    /// An inline body, of which the bytes beyond the length need not be initialised.
    pub(super) words: [MaybeUninit<u64>; INLINE_MAX / 8],
    pub(super) view: View,
    pub(super) held: ManuallyDrop<Held>,
    pub(super) adopted: Adopted,
}

impl Body {
    pub(super) const EMPTY: Self = Self {
        words: [MaybeUninit::uninit(); INLINE_MAX / 8],
    };

    /// A body in a block, or a foreign one that the block holds.
    #[inline(always)]
    pub(super) fn held(view: View, block: Block) -> Self {
        Self {
            held: ManuallyDrop::new(Held { view, block }),
        }
    }

    /// Makes this [`held`](Self::held), without a look at what it was.
    #[inline(always)]
    pub(super) fn set_held(&mut self, view: View, block: Block) {
        self.held = ManuallyDrop::new(Held { view, block });
    }

    /// Changes where a body that is not inline lies, and nothing else.
    #[inline]
    pub(super) fn set_view(&mut self, view: View) {
        // Writing a field of a union that needs no drop leaves the bytes behind it alone.
        self.view = view;
    }
}

/// A second copy of a body's bytes.
///
/// # Safety
///
/// The body owns nothing outside, or the copy is never released.
#[inline(always)]
pub(super) unsafe fn duplicate(body: &Body) -> Body {
    // SAFETY: copying bytes, initialised or not, is sound; the caller sees to ownership.
    unsafe { std::ptr::read(body) }
}
