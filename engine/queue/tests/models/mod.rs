//! Running models, those included that have to fail.

use std::process::Command;

use loom::model::Builder;

/// Explores every execution with at most this many preemptions; the known bugs of this kind need two.
pub fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Runs a model that has to fail in a process of its own: loom's panic meets destructors that panic again.
///
/// `test` is the name of the calling test, which this runs a second time with the variable set.
pub fn must_fail(test: &str, how: &str, preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    const MODEL: &str = "RINGMQ_FAILING_MODEL";
    if std::env::var_os(MODEL).is_some() {
        return explore(preemptions, model);
    }
    let outcome = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MODEL, test)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(!outcome.status.success(), "the model was expected to fail");
    assert!(said.contains(how), "failed in another way: {said}");
}
