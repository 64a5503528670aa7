//! Completion I/O for one thread: operations are named by tokens, prepared, and come back finished.
//!
//! [`Driver`] keeps the same contract over io_uring and, where the kernel or a container refuses that, over epoll. It
//! knows bytes and descriptors and nothing of what they mean. Memory is handed over through the traits of
//! [`ringmq_queue::stable`]: the driver owns a buffer from the moment an operation is prepared until its completion is
//! delivered, so nothing can be freed or moved under the kernel.
//!
//! Beside the driver there are direct, non-blocking calls ([`send_now`], [`recv_now`]) for a thread that prefers to
//! enter the kernel itself, and the creation of TCP, UDP and unix sockets ([`socket`]).
//!
//! ```text
//! driver.rs      the contract, and the choice between   uring.rs     io_uring: operations to SQEs, CQEs to completions
//! choice.rs      what was asked for, why it is refused  ring.rs      ring set-up, submission, kernel entries
//! probe.rs       a self-test with real operations       epoll.rs     readiness turned into completions
//! ops.rs         the slab of operations in flight       waker.rs     waking a sleeping driver from another thread
//! completion.rs  what comes back                        wait_set.rs  what an application thread sleeps on
//! rights.rs      descriptors through a local socket     socket.rs    sockets by transport
//! slices.rs      iovec arrays and message headers       sys.rs       system calls behind safe functions
//! fd.rs          descriptors with an owner              thread.rs    how the kernel schedules a thread
//! ```

mod choice;
mod completion;
mod driver;
mod epoll;
mod fd;
mod ops;
mod probe;
mod rights;
mod ring;
mod slices;
pub mod socket;
mod sys;
#[cfg(all(test, not(loom)))]
mod tests;
mod thread;
mod uring;
mod wait_set;
mod waker;

pub use choice::{DriverChoice, DriverKind, FallbackReason};
pub use completion::{Completion, Interest, Token};
pub use driver::Driver;
pub use fd::Fd;
pub use rights::{DESCRIPTORS_MAX, recv_with_descriptors, send_with_descriptors};
pub use socket::{
    Address, Credentials, MulticastInterface, TcpOptions, UNIX_NAME_MAX, UdpOptions, UnixAddress,
    UnixOptions, VsockAddress, accept, adopt_listener, apply_stream_options, local_addr, own_listener,
    peer_addr, peer_credentials, peer_groups, recv_datagram, send_datagram, shutdown_both, shutdown_write,
    take_error, tcp_connect_start, tcp_listen, udp_bind, udp_bind_group, udp_open, unix_connect_start,
    unix_listen, unread_bytes, vsock_connect_start, vsock_listen,
};
pub use sys::{PollFd, get_option, recv_now, send_now, wait_fds, wait_fds_masked};
pub use thread::schedule_thread;
pub use wait_set::WaitSet;
pub use waker::Waker;
