//! Where received messages come from, and what is known of it.
//!
//! A message does not refer to its connection: counting the references would cost every message what only a few are asked
//! for. It carries a number, under which this table knows the connection's properties. They stay as long as the connection
//! does and its messages are queued, and then until many others have ended as well. A message that has handed out a
//! reference keeps them for itself.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::CStr,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How much memory the properties of connections that have ended may take together, in bytes.
const ENDED_BYTES_MAX: usize = 4 << 20;

/// What an entry of the table takes, beside its properties.
const ENTRY_BYTES: usize = 128;

/// The number of a connection in this process; none is ever given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(transparent)]
pub struct OriginId(u64);

impl OriginId {
    /// No connection: what the application made itself, or another socket of the process.
    pub const NONE: Self = Self(0);

    /// The message that carries the number keeps the properties.
    const HELD: u64 = 1 << 63;

    /// The number as it lies in a message.
    pub(crate) const fn to_word(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(crate) const fn is_held(self) -> bool {
        self.0 >= Self::HELD
    }

    /// The number by itself.
    #[inline]
    pub(crate) const fn bare(self) -> Self {
        Self(self.0 & !Self::HELD)
    }

    /// What is known of the connection; `None` if there is none, or it is forgotten.
    pub(crate) fn properties(self) -> Option<Arc<Properties>> {
        let table = table();
        Some(table.known.get(&self.bare())?.properties.clone())
    }

    /// Keeps the properties until [`release`](Self::release), which the number says from now on. `None` if there are none.
    pub(crate) fn hold(&mut self) -> Option<Arc<Properties>> {
        let mut table = table();
        let entry = table.known.get_mut(&self.bare())?;
        if !self.is_held() {
            entry.holds += 1;
            self.0 |= Self::HELD;
        }
        Some(entry.properties.clone())
    }

    /// Ends a hold.
    #[cold]
    pub(crate) fn release(self) {
        debug_assert!(self.is_held());
        table().let_go(self.bare());
    }
}

/// What a connection's messages can be asked for: the properties that the peer announced in the handshake, and what we know
/// of the peer ourselves.
pub struct Properties {
    /// For each: the lengths of name and value in one byte and in four, name, value, and a zero byte.
    bytes: Box<[u8]>,
    fd: i32,
}

impl Properties {
    /// Properties in the order in which they are looked for. Names of more than 255 bytes and values of more than 4 GiB,
    /// which no peer can announce, are left out.
    pub fn new<'a>(properties: impl IntoIterator<Item = (&'a [u8], &'a [u8])>, fd: i32) -> Self {
        let mut bytes = Vec::new();
        for (name, value) in properties {
            if let (Ok(name_len), Ok(value_len)) = (u8::try_from(name.len()), u32::try_from(value.len())) {
                bytes.push(name_len);
                bytes.extend_from_slice(&value_len.to_ne_bytes());
                bytes.extend_from_slice(name);
                bytes.extend_from_slice(value);
                bytes.push(0);
            }
        }
        Self {
            bytes: bytes.into(),
            fd,
        }
    }

    /// All properties, in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.with_zeros()
            .map(|(name, value)| (name, &value[..value.len() - 1]))
    }

    /// The value of a property: `Socket-Type`, `Identity`, `Peer-Address`, or one of the peer's own such as `X-Colour`. Names
    /// are compared to the letter, as in libzmq; `Routing-Id` is another name of `Identity`.
    ///
    /// ```
    /// use ringmq_message::Properties;
    ///
    /// let known = [(&b"Socket-Type"[..], &b"DEALER"[..]), (b"X-Colour", b"blue")];
    /// let properties = Properties::new(known, -1);
    /// assert_eq!(properties.get("X-Colour"), Some(&b"blue"[..]));
    /// assert_eq!(properties.get("X-Shape"), None);
    /// ```
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let with_zero = self.find(name.as_ref())?;
        with_zero.split_last().map(|(_, value)| value)
    }

    /// The value of a property up to its first zero byte, as C programs see it; otherwise as [`get`](Self::get).
    pub fn get_c(&self, name: impl AsRef<[u8]>) -> Option<&CStr> {
        CStr::from_bytes_until_nul(self.find(name.as_ref())?).ok()
    }

    /// The value of a property that is a text; otherwise as [`get`](Self::get).
    pub fn get_text(&self, name: impl AsRef<[u8]>) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// The type of the peer's socket, such as `DEALER`; `None` for a peer that speaks no ZMTP.
    pub fn socket_type(&self) -> Option<&str> {
        self.get_text("Socket-Type")
    }

    /// The peer's address without the port, or `localhost:uid:gid:pid` over a unix socket.
    pub fn peer_address(&self) -> Option<&str> {
        self.get_text("Peer-Address")
    }

    /// How much memory this takes.
    fn memory(&self) -> usize {
        ENTRY_BYTES + self.bytes.len()
    }

    /// The connection's descriptor, for looking at it only; it is another one's once the connection has ended.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// Names, and values with the zero byte.
    fn with_zeros(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || {
            let (&name_len, behind) = rest.split_first()?;
            let (value_len, behind) = behind.split_first_chunk()?;
            let (name, behind) = behind.split_at_checked(usize::from(name_len))?;
            let (value, behind) = behind.split_at_checked(u32::from_ne_bytes(*value_len) as usize + 1)?;
            rest = behind;
            Some((name, value))
        })
    }

    fn find(&self, name: &[u8]) -> Option<&[u8]> {
        let name = match name {
            b"Routing-Id" => b"Identity",
            name => name,
        };
        let found = self.with_zeros().find(|(candidate, _)| *candidate == name);
        found.map(|(_, value)| value)
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            map.entry(&name.escape_ascii(), &value.escape_ascii());
        }
        map.finish()
    }
}

/// Where messages come from: whoever has it keeps the properties in the table.
#[derive(Debug)]
pub struct Origin(OriginId);

impl Origin {
    /// Gives a connection a number.
    pub fn new(properties: Properties) -> Self {
        let mut table = table();
        table.last += 1;
        let id = OriginId(table.last);
        let entry = Entry {
            properties: Arc::new(properties),
            holds: 1,
            listed: false,
        };
        table.known.insert(id, entry);
        Self(id)
    }

    /// What the connection's messages carry.
    pub fn id(&self) -> OriginId {
        self.0
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        table().let_go(self.0);
    }
}

struct Entry {
    properties: Arc<Properties>,
    /// The connection, and the messages that keep the properties for themselves.
    holds: u32,
    /// Whether it is among those that have ended.
    listed: bool,
}

/// What is known of connections.
struct Table {
    last: u64,
    known: BTreeMap<OriginId, Entry>,
    /// Those that nobody holds, the oldest first. Messages may have taken a hold since.
    ended: VecDeque<OriginId>,
    /// What these take.
    ended_bytes: usize,
}

static TABLE: Mutex<Table> = Mutex::new(Table {
    last: 0,
    known: BTreeMap::new(),
    ended: VecDeque::new(),
    ended_bytes: 0,
});

/// Nothing that is done under the lock can be cut in the middle.
fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    fn let_go(&mut self, id: OriginId) {
        let Some(entry) = self.known.get_mut(&id) else {
            return;
        };
        entry.holds -= 1;
        if entry.holds > 0 || std::mem::replace(&mut entry.listed, true) {
            return;
        }
        self.ended_bytes += entry.properties.memory();
        self.ended.push_back(id);
        while self.ended_bytes > ENDED_BYTES_MAX {
            self.forget_oldest();
        }
    }

    /// Forgets what has ended first, unless a message holds it, and then that message's end lists it again.
    fn forget_oldest(&mut self) {
        let Some(oldest) = self.ended.pop_front() else {
            return;
        };
        let Some(entry) = self.known.get_mut(&oldest) else {
            return;
        };
        entry.listed = false;
        self.ended_bytes -= entry.properties.memory();
        if entry.holds == 0 {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
