//! The library as C programs see it.
//!
//! The programs have been compiled with `-fsanitize=address,undefined` in front of the library as it is, and run under valgrind
//! (memcheck, with `RINGMQ_IO=epoll`), where `sharing` takes too long to end. Neither had anything to say, but for memory of
//! threads that a forked child does not have.

mod interface;
mod programs;
mod support;
