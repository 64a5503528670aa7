//! A process that may not use `membarrier(2)` from the start. One test, because the sandbox is for the whole process.
#![cfg(not(any(loom, miri)))]

mod sandbox;

use ringmq_queue::barrier;

#[test]
fn both_sides_fence_where_the_kernel_refuses() {
    sandbox::refuse_membarrier();
    barrier::register();
    assert!(!barrier::is_asymmetric());
    sandbox::ping_pong(20_000, || ());
}
