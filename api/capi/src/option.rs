//! Options of sockets. Those of the engine's table go through the table; the rest is computed or is an action.

use std::{
    ffi::{c_int, c_void},
    os::fd::AsRawFd,
};

use ringmq_core::{Error, OptionFault};

use crate::{
    error::{DONE, Errno, bytes, call, checked, writable_bytes},
    socket::{Socket, socket},
};

/// Options that the engine's table does not have, because they are no settings.
mod number {
    pub(super) const ROUTING_ID: i32 = 5;
    pub(super) const SUBSCRIBE: i32 = 6;
    pub(super) const UNSUBSCRIBE: i32 = 7;
    pub(super) const RCVMORE: i32 = 13;
    pub(super) const FD: i32 = 14;
    pub(super) const EVENTS: i32 = 15;
    pub(super) const TYPE: i32 = 16;
    pub(super) const LAST_ENDPOINT: i32 = 32;
    pub(super) const MECHANISM: i32 = 43;
    pub(super) const THREAD_SAFE: i32 = 81;
    pub(super) const TOPICS_COUNT: i32 = 116;
}

/// PLAIN, CURVE and ZAP, which are not offered: ENOTSUP instead of EINVAL says that it is not the number that is wrong.
const SECURITY: &[i32] = &[44, 45, 46, 47, 48, 49, 50, 55, 93];

/// What can be read of options that the engine does not have: that nothing is set. Programs look at all options there are.
const UNSET_NUMBERS: &[(i32, i32)] = &[(44, 0), (47, 0), (54, 0), (93, 0)];
const UNSET_TEXTS: &[i32] = &[45, 46, 55];

/// A setting of transports that neither this library nor libzmq has on this platform, pgm and its like. Programs set what they
/// may need later, and read it back.
struct Elsewhere {
    number: i32,
    default: i32,
    least: i32,
}

/// RATE, RECOVERY_IVL, MULTICAST_MAXTPDU and LOOPBACK_FASTPATH.
const ELSEWHERE: &[Elsewhere] = &[
    Elsewhere {
        number: 8,
        default: 100,
        least: 1,
    },
    Elsewhere {
        number: 9,
        default: 10_000,
        least: 0,
    },
    Elsewhere {
        number: 84,
        default: 1500,
        least: 1,
    },
    Elsewhere {
        number: 94,
        default: 0,
        least: i32::MIN,
    },
];

/// The mechanism NULL.
const NULL: i32 = 0;

impl Socket {
    fn set(&mut self, number: i32, value: &[u8]) -> Result<c_int, Errno> {
        self.context.check_alive()?;
        match number {
            number::SUBSCRIBE => invalid_elsewhere(self.engine.subscribe(value))?,
            number::UNSUBSCRIBE => invalid_elsewhere(self.engine.unsubscribe(value))?,
            _ if SECURITY.contains(&number) => return Err(Errno(libc::ENOTSUP)),
            _ => match ELSEWHERE.iter().find(|setting| setting.number == number) {
                Some(setting) => self.set_elsewhere(setting, value)?,
                None => self.engine.set_raw_option(number, value)?,
            },
        }
        DONE
    }

    fn set_elsewhere(&mut self, setting: &Elsewhere, value: &[u8]) -> Result<(), Errno> {
        let value = value.try_into().map_err(|_| Errno(libc::EINVAL))?;
        let value = i32::from_ne_bytes(value);
        if value < setting.least {
            return Err(Errno(libc::EINVAL));
        }
        self.elsewhere.retain(|(number, _)| *number != setting.number);
        self.elsewhere.push((setting.number, value));
        Ok(())
    }

    /// Writes a setting of transports that are not there; `None` if it is none.
    fn get_elsewhere(&self, number: i32, buffer: &mut [u8]) -> Option<Result<usize, Errno>> {
        let setting = ELSEWHERE.iter().find(|setting| setting.number == number)?;
        let set = self.elsewhere.iter().find(|(set, _)| *set == number);
        let value = set.map_or(setting.default, |(_, value)| *value);
        Some(match buffer.len() {
            4 => write(&value.to_ne_bytes(), buffer),
            _ => Err(Errno(libc::EINVAL)),
        })
    }

    /// Writes an option's value and returns its length.
    fn get(&mut self, number: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.context.check_alive()?;
        match number {
            number::RCVMORE => write(&i32::from(self.more).to_ne_bytes(), buffer),
            // Thread-safe types have none, as in libzmq: several threads would wait for the same edge.
            number::FD if self.turns.is_some() => Err(Errno(libc::EINVAL)),
            number::FD => write(&self.engine.event_fd()?.as_raw_fd().to_ne_bytes(), buffer),
            number::EVENTS => {
                let events = self.engine.events()?;
                let bits = i32::from(events.readable) | i32::from(events.writable) << 1;
                write(&bits.to_ne_bytes(), buffer)
            }
            number::TYPE => write(&(self.engine.socket_type() as i32).to_ne_bytes(), buffer),
            number::MECHANISM => write(&NULL.to_ne_bytes(), buffer),
            number::THREAD_SAFE => write(&i32::from(self.turns.is_some()).to_ne_bytes(), buffer),
            number::TOPICS_COUNT => {
                let count = invalid_elsewhere(self.engine.topics_count())?;
                write(&i32::try_from(count).unwrap_or(i32::MAX).to_ne_bytes(), buffer)
            }
            number::LAST_ENDPOINT => {
                let mut text = self.engine.last_endpoint().as_bytes().to_vec();
                text.push(0);
                write(&text, buffer)
            }
            _ => {
                if number == number::ROUTING_ID
                    && let Ok(given) = self.engine.last_given_routing_id()
                {
                    return write(&given, buffer);
                }
                let socket_type = self.engine.socket_type();
                match self.engine.options().get_raw(number, buffer, socket_type) {
                    Err(Error::InvalidOption {
                        why: OptionFault::Unknown | OptionFault::NotOffered,
                        ..
                    }) => self
                        .get_elsewhere(number, buffer)
                        .unwrap_or_else(|| unset(number, buffer)),
                    other => Ok(other?),
                }
            }
        }
    }
}

fn unset(number: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    if UNSET_TEXTS.contains(&number) {
        return write(&[0], buffer);
    }
    let found = UNSET_NUMBERS.iter().find(|(option, _)| *option == number);
    let (_, value) = found.ok_or(Errno(libc::EINVAL))?;
    write(&value.to_ne_bytes(), buffer)
}

/// A type without subscriptions does not have the option.
fn invalid_elsewhere<T>(outcome: Result<T, Error>) -> Result<T, Errno> {
    match outcome {
        Err(Error::NotSupported) => Err(Errno(libc::EINVAL)),
        other => Ok(other?),
    }
}

/// Writes a value into a buffer that may be longer, and fills the rest with zeros.
fn write(value: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    let (head, rest) = buffer
        .split_at_mut_checked(value.len())
        .ok_or(Errno(libc::EINVAL))?;
    head.copy_from_slice(value);
    rest.fill(0);
    Ok(value.len())
}

/// Sets an option.
///
/// # Safety
///
/// `value` is null or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_setsockopt(
    handle: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: the caller promises it.
    call(|| socket(handle)?.set(option, unsafe { bytes(value, len) }))
}

/// Tells an option, and how long its value is.
///
/// # Safety
///
/// `len` is null or the number of bytes for which `value` is null or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_getsockopt(
    handle: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut usize,
) -> c_int {
    call(|| {
        let mut socket = socket(handle)?;
        // SAFETY: the caller promises it.
        let len = unsafe { checked(len) }?;
        if value.is_null() && *len > 0 {
            return Err(Errno(libc::EFAULT));
        }
        // SAFETY: the caller promises that many bytes.
        *len = socket.get(option, unsafe { writable_bytes(value, *len) })?;
        DONE
    })
}
