//! How the value of an option travels: from the bytes of the C interface to the type of its field, and back.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Overflow, RawType, ReconnectStop, RouterNotify, Row, XpubManual, XpubVerbosity};
use crate::error::OptionFault;
use std::{ops::RangeInclusive, time::Duration};

/// A value on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw<'a> {
    Int(i32),
    I64(i64),
    U64(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// The field has no readable form, because its option can only be written.
    Unreadable,
}

/// Both directions of an option's value, for a field of type `V`.
pub(super) trait Codec<V> {
    const RAW_TYPE: RawType;

    /// Parses `bytes` into the field, which is left alone by an error.
    fn store(bytes: &[u8], row: &Row, field: &mut V) -> Result<(), OptionFault>;

    fn load(field: &V) -> Raw<'_>;
}

/// A value that is a C `int`.
pub(super) trait IntCodec<V> {
    fn from_int(int: i32) -> V;
    fn to_int(value: &V) -> i32;
}

impl<V, C: IntCodec<V>> Codec<V> for C {
    const RAW_TYPE: RawType = RawType::Int;

    fn store(bytes: &[u8], row: &Row, field: &mut V) -> Result<(), OptionFault> {
        let int = i32::from_ne_bytes(bytes.try_into().map_err(|_| OptionFault::WrongLength)?);
        in_range(&row.range, i64::from(int)).ok_or(OptionFault::OutOfRange)?;
        *field = Self::from_int(int);
        Ok(())
    }

    fn load(field: &V) -> Raw<'_> {
        Raw::Int(Self::to_int(field))
    }
}

/// 0 is false and every other number in the range is true.
pub(super) struct Flag;

impl IntCodec<bool> for Flag {
    fn from_int(int: i32) -> bool {
        int != 0
    }

    fn to_int(value: &bool) -> i32 {
        i32::from(*value)
    }
}

/// The opposite of another option.
pub(super) struct InverseFlag;

impl IntCodec<bool> for InverseFlag {
    fn from_int(int: i32) -> bool {
        int == 0
    }

    fn to_int(value: &bool) -> i32 {
        i32::from(!*value)
    }
}

/// The number itself; the range has no negative ones.
pub(super) struct Count;

impl IntCodec<u32> for Count {
    fn from_int(int: i32) -> u32 {
        u32::try_from(int).unwrap_or(0)
    }

    fn to_int(value: &u32) -> i32 {
        i32::try_from(*value).unwrap_or(i32::MAX)
    }
}

/// What to do when a subscriber's queue is full.
pub(super) struct OverflowNumber;

impl IntCodec<Overflow> for OverflowNumber {
    fn from_int(int: i32) -> Overflow {
        match int {
            1 => Overflow::DropOldest,
            2 => Overflow::Disconnect,
            _ => Overflow::DropNewest,
        }
    }

    fn to_int(value: &Overflow) -> i32 {
        *value as i32
    }
}

/// −1 leaves the choice to the kernel.
pub(super) struct OrKernels;

impl IntCodec<Option<u32>> for OrKernels {
    fn from_int(int: i32) -> Option<u32> {
        u32::try_from(int).ok()
    }

    fn to_int(value: &Option<u32>) -> i32 {
        value.as_ref().map_or(-1, Count::to_int)
    }
}

impl IntCodec<Option<bool>> for OrKernels {
    fn from_int(int: i32) -> Option<bool> {
        (int >= 0).then_some(int != 0)
    }

    fn to_int(value: &Option<bool>) -> i32 {
        value.map_or(-1, i32::from)
    }
}

/// Seconds; −1 leaves the choice to the kernel.
pub(super) struct SecondsOrKernels;

impl IntCodec<Option<Duration>> for SecondsOrKernels {
    fn from_int(int: i32) -> Option<Duration> {
        u64::try_from(int).ok().map(Duration::from_secs)
    }

    fn to_int(value: &Option<Duration>) -> i32 {
        value.map_or(-1, |it| i32::try_from(it.as_secs()).unwrap_or(i32::MAX))
    }
}

/// Milliseconds; −1 stands for `None`, whatever that means for the option.
pub(super) struct MillisOrMinusOne;

impl IntCodec<Option<Duration>> for MillisOrMinusOne {
    fn from_int(int: i32) -> Option<Duration> {
        u64::try_from(int).ok().map(Duration::from_millis)
    }

    fn to_int(value: &Option<Duration>) -> i32 {
        value.map_or(-1, whole_millis)
    }
}

/// Microseconds; −1 stands for `None`, whatever that means for the option.
pub(super) struct MicrosOrMinusOne;

impl IntCodec<Option<Duration>> for MicrosOrMinusOne {
    fn from_int(int: i32) -> Option<Duration> {
        u64::try_from(int).ok().map(Duration::from_micros)
    }

    fn to_int(value: &Option<Duration>) -> i32 {
        value.map_or(-1, |it| i32::try_from(it.as_micros()).unwrap_or(i32::MAX))
    }
}

/// Milliseconds; 0 stands for `None`, whatever that means for the option.
pub(super) struct MillisOrZero;

impl IntCodec<Option<Duration>> for MillisOrZero {
    fn from_int(int: i32) -> Option<Duration> {
        MillisOrMinusOne::from_int(int).filter(|it| !it.is_zero())
    }

    fn to_int(value: &Option<Duration>) -> i32 {
        value.map_or(0, whole_millis)
    }
}

/// Milliseconds that are kept in the tenths of a second which PING carries (RFC 37), rounded down.
pub(super) struct MillisInTenths;

impl IntCodec<Duration> for MillisInTenths {
    fn from_int(int: i32) -> Duration {
        Duration::from_millis(u64::try_from(int).unwrap_or(0) / 100 * 100)
    }

    fn to_int(value: &Duration) -> i32 {
        whole_millis(*value) / 100 * 100
    }
}

impl IntCodec<ReconnectStop> for ReconnectStop {
    fn from_int(int: i32) -> ReconnectStop {
        ReconnectStop::from_bits(int)
    }

    fn to_int(value: &ReconnectStop) -> i32 {
        value.bits()
    }
}

impl IntCodec<RouterNotify> for RouterNotify {
    fn from_int(int: i32) -> RouterNotify {
        RouterNotify {
            connects: int & 1 != 0,
            disconnects: int & 2 != 0,
        }
    }

    fn to_int(value: &RouterNotify) -> i32 {
        i32::from(value.connects) | i32::from(value.disconnects) << 1
    }
}

/// XPUB_VERBOSE: either value also ends the showing of every cancellation.
pub(super) struct Verbose;

impl IntCodec<XpubVerbosity> for Verbose {
    fn from_int(int: i32) -> XpubVerbosity {
        if int == 0 {
            XpubVerbosity::Changes
        } else {
            XpubVerbosity::Subscriptions
        }
    }

    fn to_int(value: &XpubVerbosity) -> i32 {
        i32::from(*value != XpubVerbosity::Changes)
    }
}

/// XPUB_VERBOSER: shows everything, or only what changes.
pub(super) struct Verboser;

impl IntCodec<XpubVerbosity> for Verboser {
    fn from_int(int: i32) -> XpubVerbosity {
        if int == 0 {
            XpubVerbosity::Changes
        } else {
            XpubVerbosity::All
        }
    }

    fn to_int(value: &XpubVerbosity) -> i32 {
        i32::from(*value == XpubVerbosity::All)
    }
}

/// XPUB_MANUAL: the owner decides, or the peers do.
pub(super) struct Manual;

impl IntCodec<XpubManual> for Manual {
    fn from_int(int: i32) -> XpubManual {
        if int == 0 { XpubManual::Off } else { XpubManual::On }
    }

    fn to_int(value: &XpubManual) -> i32 {
        i32::from(*value != XpubManual::Off)
    }
}

/// XPUB_MANUAL_LAST_VALUE: the owner decides and answers each requester on its own, or the peers decide.
pub(super) struct LastValue;

impl IntCodec<XpubManual> for LastValue {
    fn from_int(int: i32) -> XpubManual {
        if int == 0 {
            XpubManual::Off
        } else {
            XpubManual::LastValue
        }
    }

    fn to_int(value: &XpubManual) -> i32 {
        i32::from(*value == XpubManual::LastValue)
    }
}

/// A bitmap of 64 bits.
pub(super) struct Bitmap;

impl Codec<u64> for Bitmap {
    const RAW_TYPE: RawType = RawType::U64;

    fn store(bytes: &[u8], _: &Row, field: &mut u64) -> Result<(), OptionFault> {
        *field = u64::from_ne_bytes(bytes.try_into().map_err(|_| OptionFault::WrongLength)?);
        Ok(())
    }

    fn load(field: &u64) -> Raw<'_> {
        Raw::U64(*field)
    }
}

/// A size of 64 bits; a negative one is no limit.
pub(super) struct SizeOrMinusOne;

impl Codec<Option<u64>> for SizeOrMinusOne {
    const RAW_TYPE: RawType = RawType::I64;

    fn store(bytes: &[u8], row: &Row, field: &mut Option<u64>) -> Result<(), OptionFault> {
        let size = i64::from_ne_bytes(bytes.try_into().map_err(|_| OptionFault::WrongLength)?);
        in_range(&row.range, size).ok_or(OptionFault::OutOfRange)?;
        *field = u64::try_from(size).ok();
        Ok(())
    }

    fn load(field: &Option<u64>) -> Raw<'_> {
        Raw::I64(field.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX)))
    }
}

/// Bytes whose length the range bounds.
pub(super) struct Binary;

impl Codec<Vec<u8>> for Binary {
    const RAW_TYPE: RawType = RawType::Bytes;

    fn store(bytes: &[u8], row: &Row, field: &mut Vec<u8>) -> Result<(), OptionFault> {
        length_in_range(&row.range, bytes)?;
        *field = bytes.to_vec();
        Ok(())
    }

    fn load(field: &Vec<u8>) -> Raw<'_> {
        Raw::Bytes(field)
    }
}

/// Text that may be empty, which stands for `None`.
pub(super) struct TextOrNone;

impl Codec<Option<String>> for TextOrNone {
    const RAW_TYPE: RawType = RawType::Text;

    fn store(bytes: &[u8], row: &Row, field: &mut Option<String>) -> Result<(), OptionFault> {
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        length_in_range(&row.range, bytes)?;
        let text = std::str::from_utf8(bytes).map_err(|_| OptionFault::Malformed)?;
        if text.contains('\0') {
            return Err(OptionFault::Malformed);
        }
        *field = (!text.is_empty()).then(|| text.to_owned());
        Ok(())
    }

    fn load(field: &Option<String>) -> Raw<'_> {
        Raw::Text(field.as_deref().unwrap_or(""))
    }
}

/// A property for READY in the form `X-name:value`; several calls add up, and the same name replaces its value.
pub(super) struct Property;

impl Codec<Vec<(String, Vec<u8>)>> for Property {
    const RAW_TYPE: RawType = RawType::Text;

    fn store(bytes: &[u8], row: &Row, field: &mut Vec<(String, Vec<u8>)>) -> Result<(), OptionFault> {
        length_in_range(&row.range, bytes)?;
        let colon = bytes
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(OptionFault::Malformed)?;
        let (name, value) = (&bytes[..colon], &bytes[colon + 1..]);
        // RFC 37 writes the length of a name in one byte and reserves names without "X-".
        let named = name.starts_with(b"X-") && name.len() < 255 && name.iter().all(u8::is_ascii_graphic);
        if !named || value.is_empty() {
            return Err(OptionFault::Malformed);
        }
        let name = String::from_utf8_lossy(name).into_owned();
        field.retain(|(known, _)| *known != name);
        field.push((name, value.to_vec()));
        Ok(())
    }

    fn load(_: &Vec<(String, Vec<u8>)>) -> Raw<'_> {
        Raw::Unreadable
    }
}

/// Numbers of users, groups or processes, added one by one; no bytes at all clear the list.
pub(super) struct Ids;

impl Codec<Vec<u32>> for Ids {
    const RAW_TYPE: RawType = RawType::Ids;

    fn store(bytes: &[u8], row: &Row, field: &mut Vec<u32>) -> Result<(), OptionFault> {
        if bytes.is_empty() {
            field.clear();
            return Ok(());
        }
        let int = i32::from_ne_bytes(bytes.try_into().map_err(|_| OptionFault::WrongLength)?);
        in_range(&row.range, i64::from(int)).ok_or(OptionFault::OutOfRange)?;
        // Users and groups are unsigned in C.
        let id = int.cast_unsigned();
        if !field.contains(&id) {
            field.push(id);
        }
        Ok(())
    }

    fn load(_: &Vec<u32>) -> Raw<'_> {
        Raw::Unreadable
    }
}

/// Networks in the form `10.0.0.0/8`, or single addresses, added one by one; nothing at all clears the list.
pub(super) struct Networks;

impl Codec<Vec<IpNet>> for Networks {
    const RAW_TYPE: RawType = RawType::Text;

    fn store(bytes: &[u8], row: &Row, field: &mut Vec<IpNet>) -> Result<(), OptionFault> {
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        if bytes.is_empty() {
            field.clear();
            return Ok(());
        }
        length_in_range(&row.range, bytes)?;
        let text = std::str::from_utf8(bytes).map_err(|_| OptionFault::Malformed)?;
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse::<IpNet>().or_else(|_| address());
        field.push(network.map_err(|_| OptionFault::Malformed)?);
        Ok(())
    }

    fn load(_: &Vec<IpNet>) -> Raw<'_> {
        Raw::Unreadable
    }
}

/// A number of bytes; our own choice goes by libzmq's name for its own, which is 8192.
pub(super) struct BatchSize;

impl IntCodec<Option<u32>> for BatchSize {
    fn from_int(int: i32) -> Option<u32> {
        u32::try_from(int).ok()
    }

    fn to_int(value: &Option<u32>) -> i32 {
        value.map_or(8192, |bytes| i32::try_from(bytes).unwrap_or(i32::MAX))
    }
}

impl Raw<'_> {
    /// Writes the value into the caller's buffer and returns the length of the value.
    ///
    /// Numbers want a buffer of exactly their size; bytes and text accept a longer one and fill its rest with zeros.
    pub(super) fn write(&self, buffer: &mut [u8]) -> Result<usize, OptionFault> {
        match self {
            Raw::Int(int) => write_exact(&int.to_ne_bytes(), buffer),
            Raw::I64(number) => write_exact(&number.to_ne_bytes(), buffer),
            Raw::U64(number) => write_exact(&number.to_ne_bytes(), buffer),
            Raw::Bytes(bytes) => write_padded(bytes, bytes.len(), buffer),
            Raw::Text(text) => write_padded(text.as_bytes(), text.len() + 1, buffer),
            Raw::Unreadable => Err(OptionFault::WriteOnly),
        }
    }
}

fn write_exact(bytes: &[u8], buffer: &mut [u8]) -> Result<usize, OptionFault> {
    if buffer.len() != bytes.len() {
        return Err(OptionFault::WrongLength);
    }
    buffer.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// Writes `bytes` and reports `length`, which may count a terminating zero.
fn write_padded(bytes: &[u8], length: usize, buffer: &mut [u8]) -> Result<usize, OptionFault> {
    if buffer.len() < length {
        return Err(OptionFault::WrongLength);
    }
    let (head, rest) = buffer.split_at_mut(bytes.len());
    head.copy_from_slice(bytes);
    rest.fill(0);
    Ok(length)
}

fn whole_millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn in_range(range: &RangeInclusive<i64>, number: i64) -> Option<i64> {
    range.contains(&number).then_some(number)
}

fn length_in_range(range: &RangeInclusive<i64>, bytes: &[u8]) -> Result<(), OptionFault> {
    i64::try_from(bytes.len())
        .ok()
        .and_then(|length| in_range(range, length))
        .map(drop)
        .ok_or(OptionFault::WrongLength)
}
