//! Timers that an application runs by itself, between its other work. Time is an argument, and what a timer does is its
//! owner's affair.

use std::time::{Duration, Instant};

/// Timers with a value each, by number.
#[derive(Debug)]
pub struct Schedule<T> {
    last: i32,
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    number: i32,
    interval: Duration,
    due: Instant,
    value: T,
}

/// A timer that was due when somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub number: i32,
    at: Instant,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self {
            last: 0,
            entries: Vec::new(),
        }
    }
}

/// A time from now; one that the clock cannot tell is a year.
fn after(now: Instant, interval: Duration) -> Instant {
    now.checked_add(interval)
        .unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

impl<T> Schedule<T> {
    /// Adds a timer that is due every `interval` from now on, and returns its number, which no other timer of this schedule
    /// has had.
    pub fn add(&mut self, interval: Duration, value: T, now: Instant) -> i32 {
        self.last += 1;
        self.entries.push(Entry {
            number: self.last,
            interval,
            due: after(now, interval),
            value,
        });
        self.last
    }

    fn find(&mut self, number: i32) -> Option<&mut Entry<T>> {
        self.entries.iter_mut().find(|entry| entry.number == number)
    }

    /// Removes a timer; `None` if there is none of that number.
    pub fn cancel(&mut self, number: i32) -> Option<T> {
        let place = self.entries.iter().position(|entry| entry.number == number)?;
        Some(self.entries.remove(place).value)
    }

    /// Changes a timer's interval and starts it anew. False if there is none of that number.
    pub fn set_interval(&mut self, number: i32, interval: Duration, now: Instant) -> bool {
        self.find(number).is_some_and(|entry| {
            entry.interval = interval;
            entry.due = after(now, interval);
            true
        })
    }

    /// Starts a timer anew. False if there is none of that number.
    pub fn reset(&mut self, number: i32, now: Instant) -> bool {
        self.find(number).is_some_and(|entry| {
            entry.due = after(now, entry.interval);
            true
        })
    }

    /// How long until a timer is due: zero if one is, `None` if there is none.
    pub fn timeout(&self, now: Instant) -> Option<Duration> {
        let next = self.entries.iter().map(|entry| entry.due).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// The timers that are due, in the order of their times.
    pub fn due(&self, now: Instant) -> Vec<Due> {
        let due = self.entries.iter().filter(|entry| entry.due <= now);
        let mut due: Vec<_> = due
            .map(|entry| Due {
                number: entry.number,
                at: entry.due,
            })
            .collect();
        due.sort_by_key(|due| due.at);
        due
    }

    /// Sets a timer that is about to run for the next time, an interval from `now`: what was missed is not made up for.
    /// `None`: it has been cancelled or started anew since it was found to be due.
    pub fn rearm(&mut self, due: Due, now: Instant) -> Option<&mut T> {
        let entry = self.find(due.number).filter(|entry| entry.due == due.at)?;
        entry.due = after(now, entry.interval);
        Some(&mut entry.value)
    }

    /// The value of a timer.
    pub fn value(&mut self, number: i32) -> Option<&mut T> {
        self.find(number).map(|entry| &mut entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn numbers(schedule: &Schedule<()>, now: Instant) -> Vec<i32> {
        schedule.due(now).iter().map(|due| due.number).collect()
    }

    #[test]
    fn timers_are_due_in_the_order_of_their_times() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.timeout(start), None);
        let slow = schedule.add(30 * MS, (), start);
        let fast = schedule.add(10 * MS, (), start);
        assert_eq!(schedule.timeout(start + 4 * MS), Some(6 * MS));
        assert_eq!(numbers(&schedule, start + 9 * MS), []);
        assert_eq!(numbers(&schedule, start + 30 * MS), [fast, slow]);
        assert_eq!(schedule.timeout(start + 30 * MS), Some(Duration::ZERO));
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        let number = schedule.add(10 * MS, (), start);
        let late = start + 35 * MS;
        let [due] = schedule.due(late)[..] else {
            panic!("it is due once")
        };
        assert!(schedule.rearm(due, late).is_some());
        assert_eq!(schedule.due(late), []);
        assert_eq!(
            schedule.timeout(late),
            Some(10 * MS),
            "from when it ran, not from when it should have"
        );
        assert!(schedule.rearm(due, late).is_none(), "it ran");
        assert!(schedule.reset(number, late + 5 * MS));
        assert_eq!(schedule.timeout(late + 5 * MS), Some(10 * MS));
        assert!(schedule.set_interval(number, 2 * MS, late + 5 * MS));
        assert_eq!(schedule.timeout(late + 5 * MS), Some(2 * MS));
    }

    #[test]
    fn what_is_cancelled_or_started_anew_meanwhile_does_not_run() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        let numbers = [1, 2, 3].map(|_| schedule.add(10 * MS, (), start));
        let late = start + 10 * MS;
        let due = schedule.due(late);
        assert_eq!(due.len(), 3);
        assert_eq!(schedule.cancel(numbers[0]), Some(()));
        assert_eq!(schedule.cancel(numbers[0]), None);
        assert!(schedule.reset(numbers[1], late));
        let ran: Vec<_> = due
            .iter()
            .filter(|due| schedule.rearm(**due, late).is_some())
            .collect();
        assert_eq!(ran.len(), 1);
        assert_eq!(ran[0].number, numbers[2]);
        assert!(!schedule.reset(numbers[0], late) && !schedule.set_interval(numbers[0], MS, late));
    }
}
