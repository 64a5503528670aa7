//! Z85: binary keys as text (RFC 32). The keys of CURVE, which is not offered.

use std::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use crate::error::{Errno, call, call_or, call_ptr};

/// The digits, by value.
const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Four bytes become five digits, the highest first.
fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let mut text = Vec::with_capacity(bytes.len() / 4 * 5);
    for group in bytes.chunks_exact(4) {
        let value = group
            .iter()
            .fold(0_u32, |value, &byte| value << 8 | u32::from(byte));
        let digit = |place: u32| DIGITS[(value / 85_u32.pow(place) % 85) as usize];
        text.extend([4, 3, 2, 1, 0].map(digit));
    }
    Some(text)
}

/// The reverse; `None` for foreign characters, a group that is too large, or the wrong number of digits.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(5) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 5 * 4);
    for group in text.chunks_exact(5) {
        let value = group.iter().try_fold(0_u64, |value, character| {
            let digit = DIGITS.iter().position(|known| known == character)?;
            Some(value * 85 + digit as u64)
        })?;
        bytes.extend(u32::try_from(value).ok()?.to_be_bytes());
    }
    Some(bytes)
}

/// Writes bytes as text with a zero byte at its end; their number must be a multiple of 4. Returns `destination`.
///
/// # Safety
///
/// `data` is valid for reading `size` bytes and `destination` for writing `size * 5 / 4 + 1`, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_encode(
    destination: *mut c_char,
    data: *const u8,
    size: usize,
) -> *mut c_char {
    call_ptr(|| {
        if destination.is_null() || data.is_null() && size > 0 {
            return Err(Errno(libc::EINVAL));
        }
        // SAFETY: the caller promises it.
        let bytes = unsafe { crate::error::bytes(data.cast(), size) };
        let text = encode(bytes).ok_or(Errno(libc::EINVAL))?;
        // SAFETY: the caller promises that much room.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), destination.cast(), text.len());
            destination.add(text.len()).write(0);
        }
        Ok(destination)
    })
}

/// Writes the bytes of a text, four for each five of its characters. Returns `destination`.
///
/// # Safety
///
/// `text` is null or a text, and `destination` is null or valid for writing `strlen(text) * 4 / 5` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_z85_decode(destination: *mut u8, text: *const c_char) -> *mut u8 {
    call_or(ptr::null_mut(), || {
        if destination.is_null() || text.is_null() {
            return Err(Errno(libc::EINVAL));
        }
        // SAFETY: the caller promises it.
        let text = unsafe { CStr::from_ptr(text) };
        let bytes = decode(text.to_bytes()).ok_or(Errno(libc::EINVAL))?;
        // SAFETY: the caller promises that much room.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), destination, bytes.len()) };
        Ok(destination)
    })
}

/// CURVE is not offered: ENOTSUP.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_curve_keypair(_public_key: *mut c_char, _secret_key: *mut c_char) -> c_int {
    call(|| Err(Errno(libc::ENOTSUP)))
}

/// CURVE is not offered: ENOTSUP.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_curve_public(_public_key: *mut c_char, _secret_key: *const c_char) -> c_int {
    call(|| Err(Errno(libc::ENOTSUP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 32.
    #[test]
    fn hello_world() {
        let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
        assert_eq!(encode(&bytes).as_deref(), Some(&b"HelloWorld"[..]));
        assert_eq!(decode(b"HelloWorld").as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn what_is_no_z85_is_refused() {
        assert!(encode(&[0; 5]).is_none());
        for text in [&b""[..], b"abcd", b"abcdef", b"ab\"de", b"#####", b"%nSc1"] {
            assert!(decode(text).is_none(), "{}", text.escape_ascii());
        }
        assert_eq!(decode(b"%nSc0").as_deref(), Some(&[0xff; 4][..]));
    }
}
