//! A process of its own for what can only be seen from outside: memory, descriptors, sleeping threads.
//!
//! The program is `src/bin/subject.rs`. It is told what to do by its arguments and by lines on its standard input,
//! and answers with lines on its standard output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a subject may take for what it is told.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running subject. Dropping it kills it.
#[derive(Debug)]
pub struct Subject {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Subject {
    /// Starts `program` with `arguments`; `driver` is for `RINGMQ_IO`, and the environment's choice if `None`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(program: &str, arguments: &[&str], driver: Option<&str>) -> Subject {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(driver) = driver {
            command.env("RINGMQ_IO", driver);
        }
        let mut process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().expect("the output is a pipe");
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        Subject {
            process,
            stdin,
            lines,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells it something.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it has not been told to end");
        writeln!(stdin, "{line}").expect("the subject listens");
    }

    /// The rest of the next line that begins with `word`; other lines are skipped.
    ///
    /// # Panics
    ///
    /// If none comes in time.
    pub fn hear(&self, word: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("nothing that begins with {word:?}: {error}"));
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// The next line, if one comes within `limit`.
    pub fn next_line(&self, limit: Duration) -> Option<String> {
        self.lines.recv_timeout(limit).ok()
    }

    /// Tells it to end, and returns the lines that it said until then.
    ///
    /// # Panics
    ///
    /// If it ends with an error, or not in time.
    pub fn end(mut self) -> Vec<String> {
        drop(self.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            rest.push(line);
        }
        assert!(Instant::now() < deadline, "the subject does not end");
        let status = self.process.wait().expect("the process can be waited for");
        assert!(status.success(), "the subject has ended with {status}");
        rest
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Both fail only if the process has gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
