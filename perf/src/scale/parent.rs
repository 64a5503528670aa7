//! Runs the children of a measurement, and compares what they say.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::engine::{EngineError, EngineKind, Result};

/// A child process.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

fn failed(call: &'static str) -> impl FnOnce(std::io::Error) -> EngineError {
    move |error| EngineError::Failed(call, error.to_string())
}

impl Process {
    /// Starts this very program in a role.
    pub fn start(engine: EngineKind, role: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().map_err(failed("current_exe"))?;
        let mut child = Command::new(program)
            .args(["--engine", &engine.to_string(), "role"])
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed("spawn"))?;
        let gone = EngineError::Unavailable("a child without pipes");
        let input = child.stdin.take().ok_or(gone.clone())?;
        let output = BufReader::new(child.stdout.take().ok_or(gone)?);
        Ok(Self { child, input, output })
    }

    /// Waits for a line.
    pub fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line).map_err(failed("read"))? {
            0 => Err(EngineError::Unavailable("a child ended before it said anything")),
            _ if line.starts_with("error") => Err(EngineError::Corrupt(line)),
            _ => Ok(line.trim().to_owned()),
        }
    }

    /// Waits for numbers.
    pub fn numbers(&mut self) -> Result<Vec<f64>> {
        let line = self.hear()?;
        let numbers: Option<Vec<f64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        numbers.ok_or(EngineError::Corrupt(line))
    }

    /// Says a line.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}").map_err(failed("write"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is measured, and what came of it with each engine.
pub struct Row {
    /// What.
    pub name: String,
    /// In which unit.
    pub unit: &'static str,
    /// More is better.
    pub more_is_better: bool,
    /// The runs with RingMQ and with libzmq.
    pub runs: [Vec<f64>; 2],
}

impl Row {
    /// A row without runs.
    pub fn new(name: impl Into<String>, unit: &'static str, more_is_better: bool) -> Self {
        Self {
            name: name.into(),
            unit,
            more_is_better,
            runs: [Vec::new(), Vec::new()],
        }
    }

    /// Prints it as a row of a Markdown table.
    pub fn print(&mut self) {
        let unit = self.unit;
        let cells = self.runs.each_mut().map(|runs| {
            runs.sort_by(f64::total_cmp);
            match (runs.first(), runs.get(runs.len() / 2), runs.last()) {
                (Some(low), Some(median), Some(high)) => {
                    let text = format!("{} {unit} ({}–{})", short(*median), short(*low), short(*high));
                    (text, *median)
                }
                _ => ("–".to_owned(), f64::NAN),
            }
        });
        let [(ours, our_median), (theirs, their_median)] = cells;
        let ratio = if self.more_is_better {
            our_median / their_median
        } else {
            their_median / our_median
        };
        let ratio = if ratio.is_finite() {
            format!("{ratio:.1}")
        } else {
            String::new()
        };
        println!("| {} | {ours} | {theirs} | {ratio} |", self.name);
    }
}

/// Three digits, with a letter for thousands and millions.
fn short(number: f64) -> String {
    let (scaled, letter) = match number {
        n if n >= 1e6 => (n / 1e6, " M"),
        n if n >= 1e4 => (n / 1e3, " k"),
        n => (n, ""),
    };
    let digits = match scaled {
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{letter}")
}

/// Both engines by turns.
pub fn by_turns(
    repetitions: usize,
    engines: &[EngineKind],
    mut run: impl FnMut(EngineKind, usize) -> Result<()>,
) -> Result<()> {
    for _ in 0..repetitions {
        for &engine in engines {
            run(engine, usize::from(engine == EngineKind::Libzmq))?;
        }
    }
    Ok(())
}
