//! Compiles libzmq 4.3.5 from the sources in the `zeromq-src` crate, with nothing but a C++ compiler.
//!
//! `zeromq-src` leaves the macros that libzmq's own `configure` would have found unset, and with them eventfd
//! wake-ups, `accept4`, cache-line alignment and the radix tree. A comparison against such a build would
//! flatter us, so they are defined here as `configure` and CMake define them on Linux.

use std::env;

/// What `configure` finds on any glibc Linux of the last ten years.
const PLATFORM: &[&str] = &[
    "HAVE_ACCEPT4",
    "HAVE_CLOCK_GETTIME",
    "HAVE_FORK",
    "HAVE_IF_NAMETOINDEX",
    "HAVE_MKDTEMP",
    "HAVE_POSIX_MEMALIGN",
    "ZMQ_CACHELINE_SIZE=64",
    "ZMQ_HAVE_ATOMIC_INTRINSICS",
    "ZMQ_HAVE_BUSY_POLL",
    "ZMQ_HAVE_EVENTFD",
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    "ZMQ_HAVE_IFADDRS",
    "ZMQ_HAVE_NOEXCEPT",
    "ZMQ_HAVE_O_CLOEXEC",
    "ZMQ_HAVE_PPOLL",
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    "ZMQ_HAVE_PTHREAD_SET_AFFINITY",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "ZMQ_HAVE_SO_BINDTODEVICE",
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_SO_PEERCRED",
    "ZMQ_HAVE_SO_PRIORITY",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
    "ZMQ_USE_RADIX_TREE",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");

    let mut flags = String::from("-w");
    for name in PLATFORM {
        flags.push_str(" -D");
        flags.push_str(name);
        if !name.contains('=') {
            flags.push_str("=1");
        }
    }
    // libzmq is the yardstick: it is optimised in every profile, and never built with debug information.
    // SAFETY: this process has one thread, which is here, so that nothing reads the environment meanwhile.
    unsafe {
        env::set_var("OPT_LEVEL", "3");
        env::set_var("DEBUG", "false");
        env::set_var("CFLAGS", "-w");
        env::set_var("CXXFLAGS", flags);
    }
    zeromq_src::Build::new().enable_draft(true).build();
}
