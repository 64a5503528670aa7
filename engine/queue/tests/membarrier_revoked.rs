//! A process that puts on a sandbox after it has registered. One test, because the sandbox is for the whole process.
#![cfg(not(any(loom, miri)))]

mod sandbox;

use ringmq_queue::barrier;

/// The peer's thread is outside the sandbox and has been using free light fences; it has to change over as well.
#[test]
fn both_sides_change_over_when_the_kernel_begins_to_refuse() {
    barrier::register();
    sandbox::ping_pong(20_000, sandbox::refuse_membarrier);
    barrier::heavy_fence();
    assert!(!barrier::is_asymmetric());
    sandbox::ping_pong(1_000, || ());
}
