//! Timers to run between other work.

use std::{
    fmt,
    time::{Duration, Instant},
};

use ringmq_core::{Error, Schedule};

/// Names a timer among those that a [`Timers`] has or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(i32);

type Handler<'a> = Box<dyn FnMut(&mut Timers<'a>, TimerId) + 'a>;

/// Timers that an application runs by itself, on its own thread: it waits for [`timeout`](Self::timeout), for example in a
/// [`Poller`](crate::Poller), and then [executes](Self::execute) what is due.
///
/// A timer is due again an interval after it ran: what was missed meanwhile is not made up for. Handlers may do
/// anything with the timers, their own included: one that is cancelled, reset or given another interval by the handler
/// of another does not run, although it was due.
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use ringmq::Timers;
///
/// let count = Cell::new(0);
/// let mut timers = Timers::new();
/// timers.add(Duration::from_millis(1), |timers, id| {
///     count.set(count.get() + 1);
///     if count.get() == 3 {
///         timers.cancel(id).unwrap();
///     }
/// });
/// while let Some(timeout) = timers.timeout() {
///     std::thread::sleep(timeout);
///     timers.execute();
/// }
/// assert_eq!(count.get(), 3);
/// ```
#[derive(Default)]
pub struct Timers<'a> {
    /// A handler is out of its place while it runs.
    schedule: Schedule<Option<Handler<'a>>>,
}

impl<'a> Timers<'a> {
    /// No timers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a timer that is due every `interval`, for the first time one from now. An interval of zero is due in every
    /// [`execute`](Self::execute).
    pub fn add(&mut self, interval: Duration, handler: impl FnMut(&mut Self, TimerId) + 'a) -> TimerId {
        TimerId(
            self.schedule
                .add(interval, Some(Box::new(handler)), Instant::now()),
        )
    }

    /// Removes a timer.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it has been removed already.
    pub fn cancel(&mut self, timer: TimerId) -> Result<(), Error> {
        known(self.schedule.cancel(timer.0).is_some())
    }

    /// Changes a timer's interval and starts it anew.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn set_interval(&mut self, timer: TimerId, interval: Duration) -> Result<(), Error> {
        known(self.schedule.set_interval(timer.0, interval, Instant::now()))
    }

    /// Starts a timer anew: it is due an interval from now.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn reset(&mut self, timer: TimerId) -> Result<(), Error> {
        known(self.schedule.reset(timer.0, Instant::now()))
    }

    /// How long until a timer is due: zero if one is, `None` if there are none.
    pub fn timeout(&self) -> Option<Duration> {
        self.schedule.timeout(Instant::now())
    }

    /// Runs the handlers of the timers that are due, in the order of their times, each once, and returns how many ran.
    pub fn execute(&mut self) -> usize {
        let now = Instant::now();
        let mut ran = 0;
        for due in self.schedule.due(now) {
            // One that runs already is executed by its own handler.
            let Some(mut handler) = self.schedule.rearm(due, now).and_then(Option::take) else {
                continue;
            };
            handler(self, TimerId(due.number));
            ran += 1;
            if let Some(place) = self.schedule.value(due.number) {
                *place = Some(handler);
            }
        }
        ran
    }
}

fn known(found: bool) -> Result<(), Error> {
    if found {
        return Ok(());
    }
    let rule = "there is no such timer";
    Err(Error::InvalidArgument { rule })
}

impl fmt::Debug for Timers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("timeout", &self.timeout())
            .finish_non_exhaustive()
    }
}
