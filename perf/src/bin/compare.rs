//! Longer comparisons than the tour, with everything to choose.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ringmq_perf::engine::EngineKind;
use ringmq_perf::scenario::{Pattern, Scenario, Transport};
use ringmq_perf::suite::Suite;
use ringmq_perf::{child, console};

/// Run scenarios with two engines by turns and compare the medians.
#[derive(Parser)]
struct Arguments {
    /// Which sockets, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Pattern::PushPull, Pattern::ReqRep])]
    patterns: Vec<Pattern>,
    /// Over what, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Transport::Tcp])]
    transports: Vec<Transport>,
    /// Lengths of messages, bytes, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [64, 1024, 65536])]
    sizes: Vec<usize>,
    /// Length of one run
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// How often each scenario runs with each engine
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,
    /// Cores of the listening and of the connecting process, such as 0,1
    #[arg(long, value_name = "CORE,CORE", value_parser = cores)]
    pin: Option<[usize; 2]>,
    /// Messages per second of the pattern paced
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Threads that take cores from the others meanwhile
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    busy_loops: usize,
    /// The engine of the first column
    #[arg(long, value_enum, default_value_t = EngineKind::Ringmq)]
    engine: EngineKind,
    /// The engine of the second column
    #[arg(long, value_enum, default_value_t = EngineKind::Libzmq)]
    against: EngineKind,
    /// Write every run's figures to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(code) = child::run_if_child() {
        return code;
    }
    let arguments = Arguments::parse();
    let suite = Suite {
        scenarios: scenarios(&arguments),
        engines: [arguments.engine, arguments.against],
        repetitions: arguments.repetitions.into(),
        duration_ms: (arguments.seconds * 1000.0) as u64,
        pins: arguments.pin,
        rate_per_s: arguments.rate,
        busy_loops: arguments.busy_loops,
    };
    console::show(suite, arguments.json.as_deref())
}

fn scenarios(arguments: &Arguments) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for &transport in &arguments.transports {
        for &pattern in &arguments.patterns {
            for &size_bytes in &arguments.sizes {
                scenarios.push(Scenario {
                    pattern,
                    transport,
                    size_bytes,
                });
            }
        }
    }
    scenarios
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected 0.01 to 3600".to_owned()),
    }
}

fn cores(text: &str) -> Result<[usize; 2], String> {
    let parsed: Option<Vec<usize>> = text.split(',').map(|core| core.parse().ok()).collect();
    parsed
        .and_then(|cores| cores.try_into().ok())
        .ok_or_else(|| "expected two numbers, such as 0,1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_run() {
        let arguments = Arguments::parse_from([
            "compare",
            "--sizes",
            "1,2,3",
            "--transports",
            "tcp,ipc",
            "--pin",
            "0,1",
        ]);
        assert_eq!(scenarios(&arguments).len(), 2 * 2 * 3);
        assert_eq!(arguments.pin, Some([0, 1]));
        assert!(Arguments::try_parse_from(["compare", "--seconds", "NaN"]).is_err());
        assert!(Arguments::try_parse_from(["compare", "--pin", "0"]).is_err());
    }
}
