//! Frames: encoding and decoding of their headers, and iteration over whole frames.
//!
//! A frame is a flags byte, a length of one byte or (with [`LONG`]) of eight bytes in network
//! order, and a body (RFC 37 §Framing).

use std::ops::Range;

use crate::error::Violation;

/// Flag: another frame of the same message follows.
pub const MORE: u8 = 0x01;
/// Flag: the length takes eight bytes.
pub const LONG: u8 = 0x02;
/// Flag: the frame is a command.
pub const COMMAND: u8 = 0x04;
/// Bits that RFC 37 reserves and requires to be zero.
const RESERVED: u8 = !(MORE | LONG | COMMAND);

/// Bytes of a header with a one-byte length.
pub const SHORT_HEADER_LEN: usize = 2;
/// Bytes of a header with an eight-byte length.
pub const LONG_HEADER_LEN: usize = 9;
/// The longest body that a one-byte length can announce.
pub const SHORT_BODY_MAX: u64 = 255;

/// An encoded frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The header is the first `len` bytes.
    pub bytes: [u8; LONG_HEADER_LEN],
    /// 2 or 9.
    pub len: u8,
}

impl FrameHeader {
    /// The bytes to be sent.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Encodes the header of a frame with a body of `body_len` bytes.
///
/// `flags` may hold [`MORE`] or [`COMMAND`]. [`LONG`] is set here, if and only if the body has
/// more than 255 bytes: the canonical form.
#[inline]
pub fn encode_header(flags: u8, body_len: u64) -> FrameHeader {
    debug_assert_eq!(flags & (RESERVED | LONG), 0);
    let mut bytes = [0; LONG_HEADER_LEN];
    if body_len <= SHORT_BODY_MAX {
        bytes[0] = flags;
        bytes[1] = body_len as u8;
        return FrameHeader {
            bytes,
            len: SHORT_HEADER_LEN as u8,
        };
    }
    bytes[0] = flags | LONG;
    bytes[1..].copy_from_slice(&body_len.to_be_bytes());
    FrameHeader {
        bytes,
        len: LONG_HEADER_LEN as u8,
    }
}

/// What the first bytes of a frame tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderStep {
    /// The header is not complete yet.
    NeedMore,
    /// A complete header.
    Header {
        /// Bytes of the header: 2 or 9.
        len: usize,
        /// Announced bytes of the body. It is checked against no limit.
        body: u64,
        /// The flags byte.
        flags: u8,
    },
}

/// Decodes the frame header at the front of `input`, which an untrusted peer sent.
///
/// A long length where a short one would do is accepted, as libzmq does. Stricter than libzmq,
/// which masks them away: reserved flags, and MORE on a command, are violations (RFC 37). Either
/// is told from the first byte alone.
#[inline]
pub fn decode_header(input: &[u8]) -> Result<HeaderStep, Violation> {
    let Some(&flags) = input.first() else {
        return Ok(HeaderStep::NeedMore);
    };
    if flags & RESERVED != 0 {
        return Err(Violation::ReservedFlags { flags });
    }
    if flags & (COMMAND | MORE) == COMMAND | MORE {
        return Err(Violation::CommandWithMore);
    }
    Ok(match decode_length(input, flags) {
        None => HeaderStep::NeedMore,
        Some((len, body)) => HeaderStep::Header { len, body, flags },
    })
}

/// The length of the header and of the body that it announces.
#[inline]
fn decode_length(input: &[u8], flags: u8) -> Option<(usize, u64)> {
    if flags & LONG == 0 {
        return Some((SHORT_HEADER_LEN, u64::from(*input.get(1)?)));
    }
    let length = input.get(1..)?.first_chunk::<8>()?;
    Some((LONG_HEADER_LEN, u64::from_be_bytes(*length)))
}

/// Header length, body length and MORE of the frame at the front of trusted bytes, such as those
/// this process wrote or a [`Connection`](crate::Connection) has validated.
///
/// None if the header is not complete.
#[inline]
pub fn frame_extent(bytes: &[u8]) -> Option<(usize, u64, bool)> {
    let flags = *bytes.first()?;
    let (header, body) = decode_length(bytes, flags)?;
    Some((header, body, flags & MORE != 0))
}

/// The frame at offset `at` of bytes that hold whole, validated frames: its flags, the range of
/// its body, and the offset of the next frame.
///
/// None at the end of the bytes, and also if the frame there is not whole.
#[inline]
pub fn next_frame(bytes: &[u8], at: usize) -> Option<(u8, Range<usize>, usize)> {
    let rest = bytes.get(at..)?;
    let [flags, length] = *rest.first_chunk::<SHORT_HEADER_LEN>()?;
    let (header, body) = if flags & LONG == 0 {
        (SHORT_HEADER_LEN, usize::from(length))
    } else {
        let (header, body) = decode_length(rest, flags)?;
        (header, usize::try_from(body).ok()?)
    };
    if body > rest.len().checked_sub(header)? {
        return None;
    }
    let start = at + header;
    let end = start + body;
    Some((flags, start..end, end))
}

/// Iterates over whole, validated frames: `(more, body)`.
#[derive(Clone, Debug)]
pub struct FrameCursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> FrameCursor<'a> {
    /// Starts at the first frame of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> FrameCursor<'a> {
        FrameCursor { bytes, at: 0 }
    }

    /// Offset of the frame that comes next.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for FrameCursor<'a> {
    type Item = (bool, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(bool, &'a [u8])> {
        let (flags, body, next) = next_frame(self.bytes, self.at)?;
        self.at = next;
        Some((flags & MORE != 0, &self.bytes[body]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_form_starts_at_256() {
        for (body, expected) in [
            (0_u64, &[0x01, 0][..]),
            (255, &[0x01, 255]),
            (256, &[0x03, 0, 0, 0, 0, 0, 0, 1, 0]),
            (u64::MAX, &[0x03, 255, 255, 255, 255, 255, 255, 255, 255]),
        ] {
            let header = encode_header(MORE, body);
            assert_eq!(header.as_slice(), expected);
            assert_eq!(
                decode_header(expected),
                Ok(HeaderStep::Header {
                    len: expected.len(),
                    body,
                    flags: expected[0]
                })
            );
            assert_eq!(frame_extent(expected), Some((expected.len(), body, true)));
            for cut in 0..expected.len() {
                assert_eq!(decode_header(&expected[..cut]), Ok(HeaderStep::NeedMore));
                assert_eq!(frame_extent(&expected[..cut]), None);
            }
        }
    }

    #[test]
    fn every_flags_byte_is_judged_by_rfc_37() {
        for flags in 0..=255_u8 {
            let bytes = [flags, 0, 0, 0, 0, 0, 0, 0, 5];
            match (decode_header(&bytes), flags) {
                (Ok(HeaderStep::Header { len: 2, body: 0, .. }), 0 | 1 | 4) => {}
                (Ok(HeaderStep::Header { len: 9, body: 5, .. }), 2 | 3 | 6) => {}
                (Err(Violation::CommandWithMore), 5 | 7) => {}
                (Err(Violation::ReservedFlags { flags: told }), 8..) => assert_eq!(told, flags),
                (step, _) => panic!("{flags:#x}: {step:?}"),
            }
        }
    }

    #[test]
    fn a_cursor_stops_at_a_frame_that_is_not_whole() {
        let bytes = [1, 1, b'a', 2, 0, 0, 0, 0, 0, 0, 0, 1, b'b', 0, 0, 0, 2, b'c'];
        let mut cursor = FrameCursor::new(&bytes);
        assert_eq!(cursor.next(), Some((true, &b"a"[..])));
        assert_eq!(cursor.next(), Some((false, &b"b"[..])));
        assert_eq!(cursor.next(), Some((false, &b""[..])));
        assert_eq!(cursor.position(), 15);
        assert_eq!(cursor.next(), None);
        assert_eq!(next_frame(&bytes, usize::MAX), None);
        let endless = [2, 255, 255, 255, 255, 255, 255, 255, 255, 0];
        assert_eq!(next_frame(&endless, 0), None);
    }
}
