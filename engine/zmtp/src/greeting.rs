//! The greeting: 64 bytes that each side sends first (RFC 37 §Greeting).

use crate::error::Violation;

/// Bytes of a greeting.
pub(crate) const GREETING_LEN: usize = 64;

/// Bytes of a greeting up to the version, which tells how it goes on.
pub(crate) const VERSION_END: usize = 11;

const SIGNATURE_FIRST: u8 = 0xFF;
const SIGNATURE_LAST: u8 = 0x7F;
const SIGNATURE_LAST_AT: usize = 9;
const MAJOR_AT: usize = 10;
const MINOR_AT: usize = 11;
const MECHANISM_AT: usize = 12;
const MECHANISM_LEN: usize = 20;

const OUR_MAJOR: u8 = 3;
const OUR_MINOR: u8 = 1;

/// The bytes that libzmq sends. The signature holds the length of the routing id plus one, which
/// is what a ZMTP 1.0 peer would read there; the as-server flag is always 0.
pub(crate) fn encode(mechanism: &[u8], identity_len: usize) -> [u8; GREETING_LEN] {
    let mut bytes = [0; GREETING_LEN];
    bytes[0] = SIGNATURE_FIRST;
    bytes[1..SIGNATURE_LAST_AT].copy_from_slice(&(identity_len as u64 + 1).to_be_bytes());
    bytes[SIGNATURE_LAST_AT] = SIGNATURE_LAST;
    bytes[MAJOR_AT] = OUR_MAJOR;
    bytes[MINOR_AT] = OUR_MINOR;
    bytes[MECHANISM_AT..][..mechanism.len()].copy_from_slice(mechanism);
    bytes
}

/// Whether the greeting at the front of `input` is one of ZMTP 2.0. None if more bytes are needed.
pub(crate) fn is_zmtp2(input: &[u8]) -> Result<Option<bool>, Violation> {
    judge_signature(input)?;
    // Revision 1 is ZMTP 2.0; there was never a 2 (RFC 15).
    Ok(input.get(MAJOR_AT).map(|&revision| revision == 1))
}

/// Judges the greeting at the front of `input`: the minor version that the peer speaks, or None
/// if more bytes are needed.
///
/// What is wrong is told from the first byte that shows it, since a peer that speaks something
/// else may wait for us after a few bytes. The as-server flag and the filler are not examined.
pub(crate) fn judge(input: &[u8], mechanism: &[u8]) -> Result<Option<u8>, Violation> {
    judge_signature(input)?;
    let Some(&major) = input.get(MAJOR_AT) else {
        return Ok(None);
    };
    match major {
        // The byte was the revision before 3.0: 0 stands for ZMTP 1.0, 1 for ZMTP 2.0.
        0 => return Err(Violation::UnsupportedVersion { major: 1 }),
        1 | 2 => return Err(Violation::UnsupportedVersion { major: 2 }),
        3.. => {}
    }
    let Some(offered) = input.get(MECHANISM_AT..MECHANISM_AT + MECHANISM_LEN) else {
        return Ok(None);
    };
    // All 20 bytes count: "CURVE\0X" is not CURVE.
    let (name, padding) = offered.split_at(mechanism.len());
    if name != mechanism || padding.iter().any(|&byte| byte != 0) {
        return Err(Violation::MechanismMismatch);
    }
    if input.len() < GREETING_LEN {
        return Ok(None);
    }
    // A higher major is ZMTP 3.1 to us: RFC 37 lets the newer peer step down.
    Ok(Some(if major > OUR_MAJOR {
        OUR_MINOR
    } else {
        input[MINOR_AT]
    }))
}

fn judge_signature(input: &[u8]) -> Result<(), Violation> {
    match *input {
        [] | [SIGNATURE_FIRST] => Ok(()),
        [SIGNATURE_FIRST, ..] => match input.get(SIGNATURE_LAST_AT) {
            // Anything odd passes at libzmq, for which the lowest bit tells 1.0 peers apart.
            Some(last) if last & 1 == 0 => Err(Violation::BadSignature),
            _ => Ok(()),
        },
        // A ZMTP 1.0 peer starts with its identity as a frame: length, flags 0, identity.
        [1..=255, 0, ..] => Err(Violation::UnsupportedVersion { major: 1 }),
        [1..=255] => Ok(()),
        _ => Err(Violation::BadSignature),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_the_one_of_libzmq() {
        let mut expected = [0; 64];
        expected[..16].copy_from_slice(b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL");
        assert_eq!(encode(b"NULL", 0), expected);
        assert_eq!(encode(b"NULL", 255)[7..10], [1, 0, 0x7F]);
        assert_eq!(judge(&expected, b"NULL"), Ok(Some(1)));
        for cut in 0..64 {
            assert_eq!(judge(&expected[..cut], b"NULL"), Ok(None));
        }
    }
}
