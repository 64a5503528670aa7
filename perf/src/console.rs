//! Runs a suite in front of a person.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use indicatif::{ProgressBar, ProgressStyle};

use crate::machine::Machine;
use crate::report::Report;
use crate::suite::Suite;

/// Runs `suite`, shows its progress, prints the table, and writes the raw figures to `json`.
pub fn show(suite: Suite, json: Option<&Path>) -> ExitCode {
    let machine = Machine::inspect();
    let command = command_line();
    println!("machine  {machine}");
    println!("command  {command}");
    println!(
        "runs     {} of {:.2} s, {} per scenario and engine by turns, {}",
        suite.runs(),
        suite.duration_ms as f64 / 1000.0,
        suite.repetitions,
        match suite.pins {
            Some([bind, connect]) => format!("pinned to cores {bind} and {connect}"),
            None => "left to the scheduler".to_owned(),
        }
    );

    let progress = ProgressBar::new(suite.runs() as u64);
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {elapsed}  {msg}");
    progress.set_style(style.expect("the template is well formed"));
    let mut started = 0;
    let runs = suite.run(|scenario, engine| {
        progress.set_position(started);
        progress.set_message(format!("{scenario}, {engine}"));
        started += 1;
    });
    progress.finish_and_clear();

    let report = Report {
        command,
        machine,
        suite,
        runs,
    };
    for line in report.engines() {
        println!("engine   {line}");
    }
    println!("{}", report.table());
    println!("Medians (lowest–highest) of {} runs.", report.suite.repetitions);
    for line in report.failures() {
        println!("failed   {line}");
    }
    if let Some(path) = json
        && let Err(error) = write_json(path, &report)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if report.has_failures() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn write_json(path: &Path, report: &Report) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
    text.push('\n');
    fs::write(path, text)
}

/// The command that repeats this run, with the environment that chooses the I/O driver.
fn command_line() -> String {
    let driver = env::var("RINGMQ_IO")
        .ok()
        .map(|driver| format!("RINGMQ_IO={driver}"));
    driver
        .into_iter()
        .chain(env::args())
        .collect::<Vec<_>>()
        .join(" ")
}
