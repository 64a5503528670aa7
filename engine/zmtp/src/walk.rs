//! The walk over data frames: the hot loop of every byte stream that is received.

use crate::error::Violation;
use crate::frame::{self, HeaderStep, MORE, SHORT_BODY_MAX, SHORT_HEADER_LEN};

/// What frames and messages are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one body.
    frame_size_max: u64,
    /// Bytes of all bodies of one message.
    message_size_max: u64,
    /// Frames of one message.
    message_parts_max: u32,
    /// Bytes of header and body together, above which a frame is not expected in one slice.
    slab_len: u64,
    /// The longest body that no limit on a single frame concerns, if its length has one byte.
    short_max: u8,
}

impl Limits {
    pub(crate) fn new(
        frame_size_max: Option<u64>,
        message_size_max: u64,
        message_parts_max: u32,
        slab_len: usize,
    ) -> Limits {
        // RFC 37 permits lengths up to 2^63-1.
        let frame_size_max = frame_size_max.unwrap_or(u64::MAX).min(i64::MAX as u64);
        let short_max = SHORT_BODY_MAX.min(frame_size_max).min(message_size_max);
        // The fast path does not ask whether a short frame fits into a slab.
        assert!(slab_len >= SHORT_HEADER_LEN + SHORT_BODY_MAX as usize);
        Limits {
            frame_size_max,
            message_size_max,
            message_parts_max,
            slab_len: slab_len as u64,
            short_max: short_max as u8,
        }
    }
}

/// The part of a message that was seen before its last frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partial {
    parts: u32,
    size: u64,
}

impl Partial {
    pub(crate) const NONE: Partial = Partial { parts: 0, size: 0 };

    /// Whether the next frame starts a message.
    pub(crate) fn is_none(self) -> bool {
        self.parts == 0
    }

    /// Counts one more frame of the message.
    #[inline]
    fn with(self, body: u64, limits: &Limits) -> Result<Partial, Violation> {
        let parts = self.parts.saturating_add(1);
        let size = self.size.saturating_add(body);
        if size > limits.message_size_max {
            let limit = limits.message_size_max;
            return Err(Violation::MessageTooLarge { size, limit });
        }
        if parts > limits.message_parts_max {
            let limit = limits.message_parts_max;
            return Err(Violation::TooManyParts { limit });
        }
        Ok(Partial { parts, size })
    }

    /// What is left of the message after a frame with or without MORE.
    #[inline]
    fn after(self, more: bool) -> Partial {
        if more { self } else { Partial::NONE }
    }
}

/// The longest run of whole data frames at the front of the input.
///
/// It ends on a message boundary if there is one, and only otherwise within a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) consumed: usize,
    /// Messages that end within the run.
    pub(crate) messages: u32,
    /// The message that the run leaves unfinished.
    pub(crate) partial: Partial,
}

/// Why a run does not go further. It concerns the frame at the front once the run is consumed,
/// and counts only for an empty run: the walk meets it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    NeedMore,
    Command,
    /// A frame longer than a slab; `partial` is the state after it.
    Large {
        header: usize,
        body: u64,
        more: bool,
        partial: Partial,
    },
    Violation(Violation),
}

/// Walks over the data frames at the front of `input`, of which `partial` came before.
#[inline]
pub(crate) fn walk(input: &[u8], limits: &Limits, partial: Partial) -> (Run, Stop) {
    // Frames have at least two bytes, so that the count of messages cannot overflow.
    let input = &input[..input.len().min(u32::MAX as usize)];
    let mut walk = Walk {
        at: 0,
        boundary: 0,
        messages: 0,
        partial,
    };
    let stop = loop {
        if let Err(stop) = walk.short_frames(input, limits) {
            break stop;
        }
        if let Err(stop) = walk.any_frame(input, limits) {
            break stop;
        }
    };
    (walk.finish(), stop)
}

struct Walk {
    /// End of the last whole frame.
    at: usize,
    /// End of the last whole message.
    boundary: usize,
    messages: u32,
    partial: Partial,
}

impl Walk {
    /// Walks while frames have a one-byte length, no flag but MORE, and are whole.
    ///
    /// Ok leaves a frame for [`any_frame`](Self::any_frame) to judge.
    #[inline]
    fn short_frames(&mut self, input: &[u8], limits: &Limits) -> Result<(), Stop> {
        let short_max = limits.short_max;
        let mut rest = &input[self.at..];
        let result = loop {
            let Some(&[flags, length]) = rest.first_chunk::<SHORT_HEADER_LEN>() else {
                break Ok(());
            };
            if flags > MORE || length > short_max {
                break Ok(());
            }
            let Some(after) = rest.get(SHORT_HEADER_LEN + usize::from(length)..) else {
                break Ok(());
            };
            // A message of one part within `short_max` is within all limits.
            if flags != 0 || !self.partial.is_none() {
                match self.partial.with(u64::from(length), limits) {
                    Ok(partial) => self.partial = partial.after(flags != 0),
                    Err(violation) => break Err(Stop::Violation(violation)),
                }
            }
            rest = after;
            if flags == 0 {
                self.messages += 1;
                self.boundary = input.len() - rest.len();
            }
        };
        self.at = input.len() - rest.len();
        result
    }

    /// Judges one frame of any kind, in full, and steps over it if it is a whole data frame.
    fn any_frame(&mut self, input: &[u8], limits: &Limits) -> Result<(), Stop> {
        let rest = &input[self.at..];
        let (header, body, flags) = match frame::decode_header(rest) {
            Ok(HeaderStep::Header { len, body, flags }) => (len, body, flags),
            Ok(HeaderStep::NeedMore) => return Err(Stop::NeedMore),
            Err(violation) => return Err(Stop::Violation(violation)),
        };
        if flags & frame::COMMAND != 0 {
            return Err(Stop::Command);
        }
        if body > limits.frame_size_max {
            return Err(Stop::Violation(Violation::FrameTooLarge {
                size: body,
                limit: limits.frame_size_max,
            }));
        }
        let more = flags & MORE != 0;
        let partial = match self.partial.with(body, limits) {
            Ok(partial) => partial.after(more),
            Err(violation) => return Err(Stop::Violation(violation)),
        };
        // The body is below 2^63, so that the sum does not overflow; within a slab it is a usize.
        if header as u64 + body > limits.slab_len {
            return Err(Stop::Large {
                header,
                body,
                more,
                partial,
            });
        }
        if rest.len() - header < body as usize {
            return Err(Stop::NeedMore);
        }
        self.at += header + body as usize;
        self.partial = partial;
        if !more {
            self.messages += 1;
            self.boundary = self.at;
        }
        Ok(())
    }

    fn finish(self) -> Run {
        if self.messages > 0 {
            return Run {
                consumed: self.boundary,
                messages: self.messages,
                partial: Partial::NONE,
            };
        }
        Run {
            consumed: self.at,
            messages: 0,
            partial: self.partial,
        }
    }
}
