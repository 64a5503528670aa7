//! What a suite's runs come to: a table for people, JSON for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use crate::engine::EngineKind;
use crate::histogram::Times;
use crate::machine::Machine;
use crate::paced::Delays;
use crate::scenario::{Flow, Pattern, Sample};
use crate::suite::{Run, Suite};

/// Everything about one invocation. Its JSON is the raw output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The command line.
    pub command: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was asked for.
    pub suite: Suite,
    /// What came out, in the order of the runs.
    pub runs: Vec<Run>,
}

/// A figure that is read off every sample of a pattern.
#[derive(Clone, Copy)]
struct Measure {
    name: &'static str,
    /// What divides the figure for the table, with what is printed behind it, ascending.
    scales: &'static [(f64, &'static str)],
    higher_is_better: bool,
    read: fn(&Sample) -> Option<f64>,
}

const FLOW: &[Measure] = &[
    Measure {
        name: "msg/s",
        scales: &[(1.0, ""), (1e3, " k"), (1e6, " M")],
        higher_is_better: true,
        read: |sample| flow(sample).map(Flow::messages_per_s),
    },
    Measure {
        name: "GB/s",
        scales: &[(1.0, "")],
        higher_is_better: true,
        read: |sample| flow(sample).map(Flow::gigabytes_per_s),
    },
];

const NS_TO_US: &[(f64, &str)] = &[(1e3, "")];

const ROUND_TRIPS: &[Measure] = &[
    Measure {
        name: "p50 µs",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| round_trips(sample).map(|all| all.p50_ns as f64),
    },
    Measure {
        name: "p99 µs",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| round_trips(sample).map(|all| all.p99_ns as f64),
    },
    Measure {
        name: "p99.9 µs",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| round_trips(sample).map(|all| all.p999_ns as f64),
    },
];

const DELAYS: &[Measure] = &[
    Measure {
        name: "p50 µs",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| delays(sample).map(|all| all.since_due.p50_ns as f64),
    },
    Measure {
        name: "p99 µs",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| delays(sample).map(|all| all.since_due.p99_ns as f64),
    },
    Measure {
        name: "p99.9 µs",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| delays(sample).map(|all| all.since_due.p999_ns as f64),
    },
    Measure {
        name: "p99 µs from the call",
        scales: NS_TO_US,
        higher_is_better: false,
        read: |sample| delays(sample).map(|all| all.since_call.p99_ns as f64),
    },
];

fn flow(sample: &Sample) -> Option<&Flow> {
    match sample {
        Sample::Flow(flow) => Some(flow),
        _ => None,
    }
}

fn round_trips(sample: &Sample) -> Option<&Times> {
    match sample {
        Sample::RoundTrips(round_trips) => Some(round_trips),
        _ => None,
    }
}

fn delays(sample: &Sample) -> Option<&Delays> {
    match sample {
        Sample::Delays(delays) => Some(delays),
        _ => None,
    }
}

/// A figure over all repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Summary {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Summary {
    /// `None` if there are no values.
    fn of(mut values: Vec<f64>) -> Option<Summary> {
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Some(Summary {
            median,
            lowest,
            highest,
        })
    }
}

impl Measure {
    /// The median and the spread to three significant digits, or `n/a`.
    fn cell(&self, summary: Option<Summary>) -> String {
        let Some(Summary {
            median,
            lowest,
            highest,
        }) = summary
        else {
            return "n/a".to_owned();
        };
        let fitting = self.scales.iter().rev().find(|scale| median >= scale.0);
        let (divisor, suffix) = *fitting.unwrap_or(&self.scales[0]);
        let [median, lowest, highest] = [median, lowest, highest].map(|figure| figure / divisor);
        let decimals = if median < 10.0 {
            2
        } else {
            usize::from(median < 100.0)
        };
        format!("{median:.decimals$}{suffix}  ({lowest:.decimals$}–{highest:.decimals$})")
    }

    /// How many times better `subject` is than `reference`, if both are known.
    fn ratio(&self, subject: Option<Summary>, reference: Option<Summary>) -> String {
        let (Some(subject), Some(reference)) = (subject, reference) else {
            return String::new();
        };
        let ratio = match self.higher_is_better {
            true => subject.median / reference.median,
            false => reference.median / subject.median,
        };
        format!("{ratio:.2}")
    }
}

impl Report {
    /// Whether a run yielded nothing.
    pub fn has_failures(&self) -> bool {
        self.runs.iter().any(|run| run.outcome.is_err())
    }

    /// The table: a line per scenario and measure, a column per engine, and how many times better the first
    /// engine's median is.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        let [subject, reference] = self.suite.engines.map(|engine| engine.to_string());
        let ratio = format!("times {reference}");
        table.set_header(vec!["", "", subject.as_str(), reference.as_str(), ratio.as_str()]);
        for (index, scenario) in self.suite.scenarios.iter().enumerate() {
            let measures = match scenario.pattern {
                Pattern::PushPull | Pattern::InPlace => FLOW,
                Pattern::ReqRep | Pattern::BusyReqRep => ROUND_TRIPS,
                Pattern::Paced => DELAYS,
            };
            // One row with a line per measure keeps the rules between scenarios only.
            let lines =
                |cell: &dyn Fn(&Measure) -> String| measures.iter().map(cell).collect::<Vec<_>>().join("\n");
            let summary = |column, measure: &Measure| self.summary(index, column, measure);
            table.add_row([
                scenario.to_string(),
                lines(&|measure| measure.name.to_owned()),
                lines(&|measure| measure.cell(summary(0, measure))),
                lines(&|measure| measure.cell(summary(1, measure))),
                lines(&|measure| measure.ratio(summary(0, measure), summary(1, measure))),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    fn summary(&self, scenario: usize, column: usize, measure: &Measure) -> Option<Summary> {
        let runs = self
            .runs
            .iter()
            .filter(|run| run.scenario == scenario && run.column == column);
        let samples = runs.filter_map(|run| run.outcome.as_ref().ok());
        let values = samples.filter_map(|measured| (measure.read)(&measured.sample));
        Summary::of(values.collect())
    }

    /// A line for each engine that ran, with its version and I/O driver.
    pub fn engines(&self) -> Vec<String> {
        let line = |column: usize, engine: EngineKind| {
            let runs = self.runs.iter().filter(|run| run.column == column);
            let measured = runs.filter_map(|run| run.outcome.as_ref().ok()).next()?;
            Some(format!(
                "{engine} {}, I/O driver {}",
                measured.version, measured.io_driver
            ))
        };
        let engines = self.suite.engines.iter().enumerate();
        engines
            .filter_map(|(column, &engine)| line(column, engine))
            .collect()
    }

    /// What went wrong, each failure once per scenario and engine.
    pub fn failures(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for run in &self.runs {
            if let Err(failure) = &run.outcome {
                let scenario = self.suite.scenarios[run.scenario];
                let line = format!("{} {scenario}: {failure}", self.suite.engines[run.column]);
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, Transport};
    use crate::suite::{Failure, Measured};

    fn report(outcomes: [Vec<Result<Sample, Failure>>; 2], pattern: Pattern) -> Report {
        let measured = |sample| Measured {
            sample,
            version: "1".to_owned(),
            io_driver: "epoll".to_owned(),
        };
        let mut runs = Vec::new();
        for (column, outcomes) in outcomes.into_iter().enumerate() {
            for (repetition, outcome) in outcomes.into_iter().enumerate() {
                runs.push(Run {
                    scenario: 0,
                    column,
                    repetition,
                    outcome: outcome.map(measured),
                });
            }
        }
        let suite = Suite {
            scenarios: vec![Scenario {
                pattern,
                transport: Transport::Tcp,
                size_bytes: 64,
            }],
            engines: [EngineKind::Ringmq, EngineKind::Libzmq],
            repetitions: 3,
            duration_ms: 1000,
            pins: None,
            rate_per_s: 1000,
            busy_loops: 0,
        };
        Report {
            command: "tour".to_owned(),
            machine: Machine::inspect(),
            suite,
            runs,
        }
    }

    fn flow(messages: u64) -> Result<Sample, Failure> {
        Ok(Sample::Flow(Flow {
            messages,
            elapsed_ns: 1_000_000_000,
            size_bytes: 64,
        }))
    }

    fn row<'a>(table: &'a str, measure: &str) -> Vec<&'a str> {
        let line = table
            .lines()
            .find(|line| line.contains(measure))
            .expect("a line for the measure");
        line.split(measure).nth(1).unwrap().split_whitespace().collect()
    }

    #[test]
    fn medians_with_their_spread_and_ratio() {
        let ringmq = vec![flow(30_000_000), flow(40_000_000), flow(20_000_000)];
        let libzmq = vec![flow(4_000_000), flow(5_000_000), flow(3_000_000)];
        let table = report([ringmq, libzmq], Pattern::PushPull).table();
        let expected = ["30.0", "M", "(20.0–40.0)", "4.00", "M", "(3.00–5.00)", "7.50"];
        assert_eq!(row(&table, "msg/s"), expected, "{table}");
    }

    #[test]
    fn shorter_round_trips_are_better() {
        let round_trips = |p50_ns| {
            let all = Times {
                count: 9,
                min_ns: 1,
                p50_ns,
                p99_ns: 100_000,
                p999_ns: 1,
                max_ns: 1,
            };
            vec![Ok(Sample::RoundTrips(all))]
        };
        let table = report([round_trips(10_000), round_trips(60_000)], Pattern::ReqRep).table();
        assert_eq!(
            row(&table, "p50 µs"),
            ["10.0", "(10.0–10.0)", "60.0", "(60.0–60.0)", "6.00"],
            "{table}"
        );
    }

    #[test]
    fn a_failed_engine_leaves_its_column_empty_and_is_named() {
        let failure = || Err(Failure::Failed("no".to_owned()));
        let report = report(
            [vec![failure(), failure()], vec![flow(40_000)]],
            Pattern::PushPull,
        );
        assert!(report.has_failures());
        assert_eq!(row(&report.table(), "msg/s"), ["n/a", "40.0", "k", "(40.0–40.0)"]);
        assert_eq!(report.failures(), ["ringmq tcp PUSH/PULL 64 B: no"]);
        assert_eq!(report.engines(), ["libzmq 1, I/O driver epoll"]);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let summary = Summary::of(vec![4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            summary,
            Summary {
                median: 2.5,
                lowest: 1.0,
                highest: 4.0
            }
        );
        assert_eq!(Summary::of(Vec::new()), None);
    }

    #[test]
    fn json_keeps_every_run() {
        let report = report([vec![flow(1)], vec![flow(2)]], Pattern::PushPull);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap().runs.len(), 2);
    }
}
