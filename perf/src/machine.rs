//! The machine that the figures are of.

use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::engine::EngineError;

/// What a reader must know to judge the figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, in its own words.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Kernel release.
    pub kernel: String,
    /// Whether the kernel lets this process use io_uring, as far as its settings say.
    pub io_uring: String,
    /// The frequency governor, where the machine shows one.
    pub governor: Option<String>,
    /// Load average of the last minute when the run began: other work disturbs the figures.
    pub load: String,
}

impl Machine {
    /// Asks the kernel. What it does not tell is `unknown`.
    pub fn inspect() -> Machine {
        let load = read("/proc/loadavg").and_then(|all| all.split(' ').next().map(str::to_owned));
        Machine {
            cpu: read("/proc/cpuinfo")
                .and_then(|text| cpu_model(&text))
                .unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            io_uring: io_uring_setting(read("/proc/sys/kernel/io_uring_disabled").as_deref()).to_owned(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            load: load.unwrap_or_else(unknown),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores, Linux {}", self.cpu, self.cores, self.kernel)?;
        if let Some(governor) = &self.governor {
            write!(f, ", governor {governor}")?;
        }
        write!(f, ", io_uring {}, load {}", self.io_uring, self.load)
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The sysctl exists since Linux 6.6; before, nothing but a seccomp profile forbids io_uring.
fn io_uring_setting(disabled: Option<&str>) -> &'static str {
    match disabled {
        Some("0") => "allowed",
        Some("1") => "for members of io_uring_group",
        Some(_) => "disabled",
        None => "not restricted by a sysctl",
    }
}

/// Binds the calling thread, and the threads that it starts from now on, to `core`.
pub fn pin(core: usize) -> Result<(), EngineError> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        return Ok(());
    }
    Err(EngineError::Failed(
        "sched_setaffinity",
        format!("cannot run on core {core}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_name_is_found() {
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: A: B\nflags\t: x\n").as_deref(),
            Some("A: B")
        );
        assert_eq!(cpu_model(""), None);
    }

    #[test]
    fn a_core_that_does_not_exist_is_refused() {
        assert!(pin(1000).is_err());
    }
}
