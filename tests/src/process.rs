//! What the kernel tells about a process (proc(5)).

use std::fs;
use std::time::{Duration, Instant};

/// Resident memory in KiB.
///
/// # Panics
///
/// If there is no such process; so do all functions here.
pub fn resident_kib(pid: u32) -> usize {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.expect("status has the resident set size")
}

/// Open descriptors.
pub fn descriptors(pid: u32) -> usize {
    entries(pid, "fd").len()
}

/// Mapped memory files.
pub fn maps(pid: u32) -> usize {
    let maps = read(pid, "maps");
    maps.lines().filter(|line| line.contains("/memfd:")).count()
}

/// Threads.
pub fn threads(pid: u32) -> usize {
    entries(pid, "task").len()
}

/// How often each thread has gone to sleep of its own accord since it started: `(thread, times)`.
pub fn voluntary_switches(pid: u32) -> Vec<(String, u64)> {
    let count = |task: &String| {
        let status = read(pid, &format!("task/{task}/status"));
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok())
            .expect("status counts switches")
    };
    let mut tasks = entries(pid, "task");
    tasks.sort_unstable();
    tasks
        .into_iter()
        .map(|task| (task.clone(), count(&task)))
        .collect()
}

/// User and system time used so far.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = read(pid, "stat");
    // The second field is the program's name in parentheses and may contain anything.
    let fields = stat.rsplit_once(')').expect("stat names the program").1;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    // USER_HZ is 100 on every architecture that Linux still has.
    Duration::from_millis(ticks * 10)
}

/// Calls `measure` until it says that it is content, for at most `limit`; returns what it said last.
pub fn poll_until<T>(limit: Duration, mut measure: impl FnMut() -> T, content: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + limit;
    loop {
        let value = measure();
        if content(&value) || Instant::now() >= deadline {
            return value;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no thread of a process has woken up for a whole second, for at most `limit`. False if that was in vain: a
/// machine that is busy may make the last work last, but not for ever.
pub fn comes_to_rest(pid: u32, limit: Duration) -> bool {
    let mut before = voluntary_switches(pid);
    poll_until(
        limit,
        || {
            look_away(Duration::from_secs(1));
            let now = voluntary_switches(pid);
            std::mem::replace(&mut before, now) == before
        },
        |&rests| rests,
    )
}

/// Waits while a process that has nothing to do should do nothing: the only way to see that is to look away.
pub fn look_away(time: Duration) {
    std::thread::sleep(time);
}

fn read(pid: u32, file: &str) -> String {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn entries(pid: u32, folder: &str) -> Vec<String> {
    let path = format!("/proc/{pid}/{folder}");
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures() {
        let pid = std::process::id();
        assert!(resident_kib(pid) > 100);
        assert!(descriptors(pid) >= 3);
        assert!(threads(pid) >= 1);
        let before: u64 = voluntary_switches(pid).iter().map(|(_, times)| times).sum();
        look_away(Duration::from_millis(1));
        let after: u64 = voluntary_switches(pid).iter().map(|(_, times)| times).sum();
        assert!(after > before, "the sleep counts");
        assert!(cpu_time(pid) < Duration::from_secs(3600));
    }

    #[test]
    fn polling_ends_when_it_holds_or_the_time_is_up() {
        assert_eq!(poll_until(Duration::ZERO, || 1, |_| false), 1);
        let mut count = 0;
        let counted = poll_until(
            Duration::from_secs(10),
            || {
                count += 1;
                count
            },
            |&count| count == 3,
        );
        assert_eq!(counted, 3);
    }
}
