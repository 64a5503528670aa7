//! Tests that hang are tests that fail.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{panic, thread};

/// Runs `test` and returns what it returns, or panics if it takes longer than `limit`. The thread of a test
/// that hangs is left behind; the test program ends it.
///
/// # Panics
///
/// If `test` does, or if it takes too long.
pub fn within<T: Send + 'static>(limit: Duration, test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, waiting) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || {
        let value = test();
        // Nobody listens any more if the limit was exceeded.
        let _ = done.send(value);
    });
    match waiting.recv_timeout(limit) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("the test has hung for {limit:?}"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(cause) => panic::resume_unwind(cause),
            Ok(()) => unreachable!("the value is sent before the thread ends"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_the_value_through() {
        assert_eq!(within(Duration::from_secs(10), || 7), 7);
    }

    #[test]
    #[should_panic(expected = "hung")]
    fn a_hanging_test_fails() {
        let (_never, wait) = mpsc::channel::<()>();
        within(Duration::from_millis(10), move || wait.recv().is_ok());
    }

    #[test]
    #[should_panic(expected = "own words")]
    fn a_failing_test_fails_in_its_own_words() {
        within(Duration::from_secs(10), || panic!("own words"));
    }
}
