//! The contract of a driver, kept by both, and what is particular to each.

mod contract;
mod fallback;
mod fixture;
mod load;
mod sockets;
mod teardown;
mod udp;
mod unix;
mod uring;
mod wake;

/// Runs the named functions of this form once per driver: `fn name(choice: DriverChoice)`.
macro_rules! on_both_drivers {
    ($($name:ident),* $(,)?) => {
        mod uring {
            $(#[test] fn $name() { super::$name(crate::DriverChoice::Uring); })*
        }
        mod epoll {
            $(#[test] fn $name() { super::$name(crate::DriverChoice::Epoll); })*
        }
    };
}
use on_both_drivers;
