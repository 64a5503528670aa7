//! Contexts.

use std::{
    ffi::{c_int, c_void},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Acquire, Release, SeqCst},
        },
    },
};

use ringmq_core::{ContextOptions, Error, Pinning, Scheduling, errno};

use crate::{
    error::{DONE, Errno, bytes, call, call_ptr, checked, writable_bytes},
    fork,
    futex::{sleep_while, wake_all},
    handle::{Handles, Removed},
};

/// The options of `zmq_ctx_set` and `zmq_ctx_get`.
mod option {
    pub(super) const IO_THREADS: i32 = 1;
    pub(super) const MAX_SOCKETS: i32 = 2;
    pub(super) const SOCKET_LIMIT: i32 = 3;
    /// To set; the number is SOCKET_LIMIT's, which is to be read.
    pub(super) const THREAD_PRIORITY: i32 = 3;
    pub(super) const THREAD_SCHED_POLICY: i32 = 4;
    pub(super) const MAX_MSGSZ: i32 = 5;
    pub(super) const MSG_T_SIZE: i32 = 6;
    pub(super) const THREAD_AFFINITY_CPU_ADD: i32 = 7;
    pub(super) const THREAD_AFFINITY_CPU_REMOVE: i32 = 8;
    pub(super) const THREAD_NAME_PREFIX: i32 = 9;
    pub(super) const ZERO_COPY_RECV: i32 = 10;
    pub(super) const IPV6: i32 = 42;
    pub(super) const BLOCKY: i32 = 70;
}

/// The longest prefix of the threads' names, in bytes.
const NAME_PREFIX_MAX: usize = 16;

/// The most sockets that a context may be told to have.
const SOCKETS_MAX: i32 = 65_535;

static CONTEXTS: Handles<Arc<Context>, 4096> = Handles::new();

/// What a context's handle stands for.
pub(crate) struct Context {
    settings: Mutex<Settings>,
    /// Made with the first socket; the settings of threads have no effect after that.
    engine: Mutex<Option<ringmq_core::Context>>,
    terminated: AtomicBool,
    /// Sockets that are not closed. Threads that terminate the context sleep on it.
    open: AtomicU32,
    /// Set when the engine is gone, after `terminated`.
    gone: AtomicU32,
    ending: OnceLock<()>,
}

/// What can be set.
#[derive(Clone)]
struct Settings {
    io_threads: i32,
    sockets_max: i32,
    message_max: i32,
    ipv6: bool,
    blocky: bool,
    cpus: Vec<usize>,
    scheduling: Scheduling,
    name_prefix: Vec<u8>,
    zero_copy: bool,
}

impl Context {
    fn new() -> Self {
        let settings = Settings {
            io_threads: 1,
            sockets_max: 1023,
            message_max: i32::MAX,
            ipv6: false,
            blocky: true,
            cpus: Vec::new(),
            scheduling: Scheduling::default(),
            name_prefix: Vec::new(),
            zero_copy: true,
        };
        Self {
            settings: Mutex::new(settings),
            engine: Mutex::new(None),
            terminated: AtomicBool::new(false),
            open: AtomicU32::new(0),
            gone: AtomicU32::new(0),
            ending: OnceLock::new(),
        }
    }

    fn set(&self, option: i32, value: i32) -> Result<c_int, Errno> {
        let mut settings = lock(&self.settings);
        let cpu = usize::try_from(value);
        match option {
            option::IO_THREADS if value >= 0 => settings.io_threads = value,
            option::MAX_SOCKETS if (1..=SOCKETS_MAX).contains(&value) => settings.sockets_max = value,
            option::MAX_MSGSZ if value >= 0 => settings.message_max = value,
            option::THREAD_PRIORITY if value >= 0 => settings.scheduling.priority = Some(value),
            option::THREAD_SCHED_POLICY if value >= 0 => settings.scheduling.policy = Some(value),
            option::THREAD_NAME_PREFIX => settings.name_prefix = value.to_string().into_bytes(),
            option::ZERO_COPY_RECV if value >= 0 => settings.zero_copy = value != 0,
            option::IPV6 if value >= 0 => settings.ipv6 = value != 0,
            option::BLOCKY if value >= 0 => settings.blocky = value != 0,
            option::THREAD_AFFINITY_CPU_ADD => {
                let cpu = cpu.map_err(|_| Errno(libc::EINVAL))?;
                if !settings.cpus.contains(&cpu) {
                    settings.cpus.push(cpu);
                }
            }
            option::THREAD_AFFINITY_CPU_REMOVE => {
                let place = settings.cpus.iter().position(|&known| Ok(known) == cpu);
                settings.cpus.remove(place.ok_or(Errno(libc::EINVAL))?);
            }
            _ => return Err(Errno(libc::EINVAL)),
        }
        DONE
    }

    /// Sets an option from bytes; those of most are an `int`.
    fn set_bytes(&self, option: i32, value: &[u8]) -> Result<c_int, Errno> {
        match <[u8; size_of::<c_int>()]>::try_from(value) {
            Ok(number) => self.set(option, c_int::from_ne_bytes(number)),
            Err(_)
                if option == option::THREAD_NAME_PREFIX && (1..=NAME_PREFIX_MAX).contains(&value.len()) =>
            {
                lock(&self.settings).name_prefix = value.to_vec();
                DONE
            }
            Err(_) => Err(Errno(libc::EINVAL)),
        }
    }

    /// Writes an option into a buffer, and returns its length.
    fn get_bytes(&self, option: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
        let value = match buffer.len() {
            4 => self.get(option)?.to_ne_bytes().to_vec(),
            _ if option == option::THREAD_NAME_PREFIX => lock(&self.settings).name_prefix.clone(),
            _ => return Err(Errno(libc::EINVAL)),
        };
        let place = buffer.get_mut(..value.len()).ok_or(Errno(libc::EINVAL))?;
        place.copy_from_slice(&value);
        Ok(value.len())
    }

    fn get(&self, option: i32) -> Result<c_int, Errno> {
        let settings = lock(&self.settings);
        Ok(match option {
            option::IO_THREADS => settings.io_threads,
            option::MAX_SOCKETS => settings.sockets_max,
            option::SOCKET_LIMIT => SOCKETS_MAX,
            option::MAX_MSGSZ => settings.message_max,
            option::MSG_T_SIZE => 64,
            option::THREAD_SCHED_POLICY => settings.scheduling.policy.unwrap_or(-1),
            option::THREAD_NAME_PREFIX => leading_number(&settings.name_prefix),
            option::ZERO_COPY_RECV => c_int::from(settings.zero_copy),
            option::IPV6 => c_int::from(settings.ipv6),
            option::BLOCKY => c_int::from(settings.blocky),
            _ => return Err(Errno(libc::EINVAL)),
        })
    }

    /// Makes a socket of the engine, which counts as open until [`closed`](Self::closed).
    pub(crate) fn open(&self, socket_type: ringmq_core::SocketType) -> Result<ringmq_core::Socket, Errno> {
        self.check_alive()?;
        let settings = lock(&self.settings).clone();
        let limit = u32::try_from(settings.sockets_max).unwrap_or(0);
        // SeqCst: partner of the store in `stop`, so that a terminating thread waits for this socket, or is seen here.
        if self.open.fetch_add(1, SeqCst) >= limit {
            self.closed();
            return Err(Errno(libc::EMFILE));
        }
        let made = self
            .engine(&settings)
            .and_then(|engine| ringmq_core::Socket::new(&engine, socket_type));
        match made {
            Ok(mut socket) => {
                socket.set_send_len_max(usize::try_from(settings.message_max).unwrap_or(0));
                socket.set_options(|options| {
                    options.ipv6 = settings.ipv6;
                    // As libzmq, and as programs of several users expect it.
                    (options.ipc_mode, options.ipc_same_user) = (None, false);
                    if !settings.blocky {
                        options.linger = Some(std::time::Duration::ZERO);
                    }
                });
                Ok(socket)
            }
            Err(error) => {
                self.closed();
                // A type that is not there is a wrong argument.
                Err(match error {
                    Error::NotSupported => Errno(libc::EINVAL),
                    other => other.into(),
                })
            }
        }
    }

    /// A socket of our own, which nobody has to close before the context ends.
    pub(crate) fn internal_socket(
        &self,
        socket_type: ringmq_core::SocketType,
    ) -> Result<ringmq_core::Socket, Errno> {
        let settings = lock(&self.settings).clone();
        Ok(ringmq_core::Socket::new(&self.engine(&settings)?, socket_type)?)
    }

    /// A socket that was opened is closed.
    pub(crate) fn closed(&self) {
        // SeqCst: partner of the load in `wait`.
        if self.open.fetch_sub(1, SeqCst) == 1 {
            wake_all(&self.open);
        }
    }

    /// ETERM once the context is being terminated.
    pub(crate) fn check_alive(&self) -> Result<(), Errno> {
        match self.terminated.load(SeqCst) {
            true => Err(Errno(errno::ETERM)),
            false => Ok(()),
        }
    }

    fn engine(&self, settings: &Settings) -> Result<ringmq_core::Context, Error> {
        let mut engine = lock(&self.engine);
        // SeqCst: as in `open`.
        if self.terminated.load(SeqCst) {
            return Err(Error::Terminated);
        }
        let options = || ContextOptions {
            workers_max: usize::try_from(settings.io_threads).unwrap_or(0),
            pinning: match &*settings.cpus {
                [] => Pinning::Auto,
                cpus => Pinning::Within(cpus.to_vec()),
            },
            // The limit may change, and is kept above.
            sockets_max: usize::MAX,
            linger: None,
            scheduling: settings.scheduling,
            thread_name_prefix: String::from_utf8_lossy(text_of(&settings.name_prefix)).into_owned(),
            zero_copy_receive: settings.zero_copy,
            ..ContextOptions::default()
        };
        Ok(engine
            .get_or_insert_with(|| ringmq_core::Context::new(options()))
            .clone())
    }

    /// Makes all calls on the context's sockets fail.
    fn stop(&self) {
        self.terminated.store(true, SeqCst);
        if let Some(engine) = &*lock(&self.engine) {
            engine.shutdown();
        }
    }

    /// Waits until all sockets are closed and what they left is sent. EINTR leaves it to a later call to go on.
    fn wait(self: &Arc<Self>) -> Result<(), Errno> {
        loop {
            // SeqCst: partner of the subtraction in `closed`.
            match self.open.load(SeqCst) {
                0 => break,
                open => sleep_while(&self.open, open, None)?,
            }
        }
        self.ending.get_or_init(|| self.end());
        // Acquire: partner of the store in `end`.
        while self.gone.load(Acquire) == 0 {
            sleep_while(&self.gone, 0, None)?;
        }
        Ok(())
    }

    /// Drops the engine, which waits for LINGER, on a thread of its own: the caller's wait can be interrupted.
    fn end(self: &Arc<Self>) {
        let end = |context: &Self| {
            let engine = lock(&context.engine).take();
            drop(engine);
            // Release: partner of the load in `wait`.
            context.gone.store(1, Release);
            wake_all(&context.gone);
        };
        let context = self.clone();
        let thread = std::thread::Builder::new().name("RingMQ/end".into());
        if thread.spawn(move || end(&context)).is_err() {
            end(self);
        }
    }
}

/// A name without the zero byte that C programs like to give along with it.
fn text_of(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The number that a text begins with, as `atoi` reads it.
fn leading_number(text: &[u8]) -> c_int {
    let text = String::from_utf8_lossy(text);
    let digits = text.trim_start();
    let end = digits
        .char_indices()
        .find(|&(place, c)| !(c.is_ascii_digit() || place == 0 && (c == '-' || c == '+')));
    let end = end.map_or(digits.len(), |(place, _)| place);
    digits[..end].parse().unwrap_or(0)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The context behind a handle, or EFAULT.
pub(crate) fn context(handle: *mut c_void) -> Result<Arc<Context>, Errno> {
    let entered = CONTEXTS.enter(handle).ok_or(Errno(libc::EFAULT))?;
    Ok(Arc::clone(&entered))
}

fn create(io_threads: i32) -> Result<*mut c_void, Errno> {
    fork::watch();
    let context = Context::new();
    context.set(option::IO_THREADS, io_threads)?;
    CONTEXTS
        .insert(Box::new(Arc::new(context)))
        .map_err(|_| Errno(libc::EMFILE))
}

/// Makes a context; no thread and no descriptor yet.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_new() -> *mut c_void {
    call_ptr(|| create(1))
}

/// `zmq_ctx_new` with a number of I/O threads.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_init(io_threads: c_int) -> *mut c_void {
    call_ptr(|| create(io_threads))
}

/// Makes all calls on the context's sockets fail with ETERM, waits until the sockets are closed and what they left is
/// sent, and frees the context. EINTR: call again. In a forked child, an inherited context is only forgotten.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_term(context: *mut c_void) -> c_int {
    call(|| {
        if CONTEXTS.is_inherited(context) {
            return match CONTEXTS.remove(context) {
                Some(Removed::Inherited) => DONE,
                _ => Err(Errno(libc::EFAULT)),
            };
        }
        let ending = self::context(context)?;
        ending.stop();
        ending.wait()?;
        // Of two threads that terminate the same context one is told that it is gone.
        match CONTEXTS.remove(context) {
            Some(_) => DONE,
            None => Err(Errno(libc::EFAULT)),
        }
    })
}

/// `zmq_ctx_term`, as it was called once.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_term(context: *mut c_void) -> c_int {
    zmq_ctx_term(context)
}

/// `zmq_ctx_term`, as it was called once.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_destroy(context: *mut c_void) -> c_int {
    zmq_ctx_term(context)
}

/// Makes all calls on the context's sockets fail with ETERM, and returns at once.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_shutdown(context: *mut c_void) -> c_int {
    call(|| {
        self::context(context)?.stop();
        DONE
    })
}

/// Sets an option of a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int {
    call(|| self::context(context)?.set(option, value))
}

/// Tells an option of a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int {
    call(|| self::context(context)?.get(option))
}

/// Sets an option of a context from bytes.
///
/// # Safety
///
/// `value` is null or valid for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_set_ext(
    context: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: usize,
) -> c_int {
    call(|| {
        // SAFETY: the caller promises it.
        self::context(context)?.set_bytes(option, unsafe { bytes(value, len) })
    })
}

/// Writes an option of a context, and how long it is.
///
/// # Safety
///
/// `len` is null or the number of bytes for which `value` is null or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_get_ext(
    context: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut usize,
) -> c_int {
    call(|| {
        let context = self::context(context)?;
        // SAFETY: the caller promises it.
        let len = unsafe { checked(len) }?;
        // SAFETY: the caller promises that many bytes.
        let buffer = unsafe { writable_bytes(value, *len) };
        *len = context.get_bytes(option, buffer)?;
        DONE
    })
}
