//! Scenarios, run with two engines by turns.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{fmt, fs, io, process, thread};

use serde::{Deserialize, Serialize};

use crate::child::{Assignment, Child, Side, Word, next_word};
use crate::engine::EngineKind;
use crate::scenario::{Sample, Scenario, Transport};

/// How long a child may take to start, to connect, and to stop measuring late.
const GRACE: Duration = Duration::from_secs(10);

/// What to run, how often and how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suite {
    /// What to measure.
    pub scenarios: Vec<Scenario>,
    /// The engine in question, then the one that it is compared with.
    pub engines: [EngineKind; 2],
    /// How often each scenario runs with each engine.
    pub repetitions: usize,
    /// Length of one run, ms.
    pub duration_ms: u64,
    /// Cores of the listening and of the connecting process; `None` leaves both to the scheduler.
    pub pins: Option<[usize; 2]>,
    /// Messages that a sender at a pace has to send in a second.
    pub rate_per_s: u32,
    /// Threads that do nothing but take cores from the others.
    pub busy_loops: usize,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Index into [`Suite::scenarios`].
    pub scenario: usize,
    /// Index into [`Suite::engines`].
    pub column: usize,
    /// Counted from 0.
    pub repetition: usize,
    /// What came of it.
    pub outcome: Result<Measured, Failure>,
}

/// What a run yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The figures.
    pub sample: Sample,
    /// The library's version.
    pub version: String,
    /// How the library talked to the kernel.
    pub io_driver: String,
}

/// Why a run yields nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The engine cannot run here; it is not tried again.
    Unavailable(String),
    /// This run failed.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unavailable(why) | Failure::Failed(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Failed(error.to_string())
    }
}

impl Suite {
    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.scenarios.len() * self.engines.len() * self.repetitions
    }

    /// Runs everything, the engines by turns and the repetitions of a scenario as far apart as possible, so
    /// that whatever else the machine does falls on both engines alike. `before` is called before each run.
    pub fn run(&self, mut before: impl FnMut(&Scenario, EngineKind)) -> Vec<Run> {
        let _busy = BusyLoops::start(self.busy_loops);
        let mut runs: Vec<Run> = Vec::with_capacity(self.runs());
        for repetition in 0..self.repetitions {
            for (index, scenario) in self.scenarios.iter().enumerate() {
                for (column, &engine) in self.engines.iter().enumerate() {
                    before(scenario, engine);
                    let outcome = match unavailable(&runs, column) {
                        Some(failure) => Err(failure),
                        None => self.measure(scenario, engine),
                    };
                    runs.push(Run {
                        scenario: index,
                        column,
                        repetition,
                        outcome,
                    });
                }
            }
        }
        runs
    }

    /// One run: two processes, or one with two threads, started for it and gone after it.
    fn measure(&self, scenario: &Scenario, engine: EngineKind) -> Result<Measured, Failure> {
        let directory = SocketDirectory::create(scenario.transport)?;
        let (outgoing, words) = mpsc::channel();
        let mut assignment = Assignment {
            engine,
            scenario: *scenario,
            side: Side::Bind,
            endpoint: directory.endpoint(),
            duration_ms: self.duration_ms,
            rate_per_s: self.rate_per_s,
            pin: self.pins.map(|pins| pins[0]),
            thread_pin: self.pins.map(|pins| pins[1]),
        };
        let _bind_side = Child::spawn(&assignment, outgoing.clone())?;
        let (version, io_driver) = match next_word(&words, GRACE) {
            (
                _,
                Word::Listening {
                    endpoint,
                    version,
                    io_driver,
                },
            ) => {
                assignment.endpoint = endpoint;
                (version, io_driver)
            }
            (side, word) => return Err(failure(side, word)),
        };

        assignment.side = Side::Connect;
        assignment.pin = assignment.thread_pin;
        // Within a process the listening side has the connecting one in a thread.
        let _connect_side = match scenario.transport {
            Transport::Inproc => None,
            Transport::Tcp | Transport::Ipc => Some(Child::spawn(&assignment, outgoing)?),
        };
        match next_word(&words, GRACE + Duration::from_millis(self.duration_ms)) {
            (_, Word::Sample(sample)) => Ok(Measured {
                sample,
                version,
                io_driver,
            }),
            (side, word) => Err(failure(side, word)),
        }
    }
}

/// Why the engine of `column` need not be tried any more.
fn unavailable(runs: &[Run], column: usize) -> Option<Failure> {
    let known = runs.iter().find(|run| run.column == column)?;
    known
        .outcome
        .clone()
        .err()
        .filter(|failure| matches!(failure, Failure::Unavailable(_)))
}

/// The failure behind a word that was not due.
fn failure(side: Side, word: Word) -> Failure {
    let process = match side {
        Side::Bind => "listening process",
        Side::Connect => "connecting process",
    };
    match word {
        Word::Unavailable(why) => Failure::Unavailable(why),
        Word::Failed(why) => Failure::Failed(why),
        Word::Exited => Failure::Failed(format!("the {process} ended early")),
        Word::Listening { .. } | Word::Sample(_) => {
            Failure::Failed(format!("the {process} spoke out of turn"))
        }
    }
}

/// Threads that compete for the cores until this is dropped.
struct BusyLoops {
    over: Arc<AtomicBool>,
}

impl BusyLoops {
    fn start(count: usize) -> BusyLoops {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..count {
            let over = over.clone();
            // The flag carries no data.
            thread::spawn(move || {
                while !over.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        BusyLoops { over }
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

/// Where an ipc socket file of one run lies. Empty for the other transports.
#[derive(Debug)]
struct SocketDirectory {
    path: Option<std::path::PathBuf>,
    transport: Transport,
}

impl SocketDirectory {
    fn create(transport: Transport) -> io::Result<SocketDirectory> {
        let path = match transport {
            Transport::Tcp | Transport::Inproc => None,
            Transport::Ipc => {
                let path = std::env::temp_dir().join(format!("ringmq-perf-{}", process::id()));
                fs::create_dir_all(&path)?;
                Some(path)
            }
        };
        Ok(SocketDirectory { path, transport })
    }

    /// An endpoint to bind that nobody else uses.
    fn endpoint(&self) -> String {
        match &self.path {
            None if self.transport == Transport::Inproc => "inproc://suite".to_owned(),
            None => "tcp://127.0.0.1:*".to_owned(),
            Some(path) => format!("ipc://{}/socket", path.display()),
        }
    }
}

impl Drop for SocketDirectory {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // A directory that cannot be removed does not spoil the figures.
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_engine_is_not_tried_again() {
        let run = |column, outcome| Run {
            scenario: 0,
            column,
            repetition: 0,
            outcome,
        };
        let gone = Failure::Unavailable("none here".to_owned());
        let broken = Failure::Failed("broke".to_owned());
        let runs = [run(0, Err(gone.clone())), run(1, Err(broken))];
        assert_eq!(unavailable(&runs, 0), Some(gone));
        assert_eq!(unavailable(&runs, 1), None);
    }

    #[test]
    fn socket_directories_do_not_outlive_a_run() {
        let directory = SocketDirectory::create(Transport::Ipc).unwrap();
        let path = directory.path.clone().unwrap();
        assert!(path.is_dir() && directory.endpoint().starts_with("ipc:///"));
        drop(directory);
        assert!(!path.exists());
    }
}
