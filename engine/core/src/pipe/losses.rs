//! Messages that were dropped because a peer had no room, and when to say so.

/// What a pipe has lost. A run of losses begins when the pipe is full and ends when it takes a message again; it is reported
/// when it begins, whenever it has doubled, and at its end, so that reports are few however many messages are lost.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// Of the present run.
    run: u64,
    reported: u64,
}

impl Losses {
    /// One more message is lost. Returns how many are to be reported now.
    pub(crate) fn add(&mut self) -> Option<u64> {
        self.run += 1;
        if self.run < self.reported * 2 {
            return None;
        }
        self.report()
    }

    /// The pipe takes messages again, or is gone. Returns how many are still to be reported.
    #[inline]
    pub(crate) fn end_run(&mut self) -> Option<u64> {
        if self.run == 0 {
            return None;
        }
        let rest = self.report();
        *self = Self::default();
        rest
    }

    fn report(&mut self) -> Option<u64> {
        let news = self.run - self.reported;
        self.reported = self.run;
        (news > 0).then_some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_is_reported_once_in_few_reports() {
        let mut losses = Losses::default();
        for run in [1_u64, 2, 3, 1000] {
            let mut reports: Vec<u64> = (0..run).filter_map(|_| losses.add()).collect();
            assert_eq!(reports[0], 1, "the first is reported at once");
            reports.extend(losses.end_run());
            assert_eq!(reports.iter().sum::<u64>(), run);
            assert!(reports.len() <= 2 + run.ilog2() as usize, "{reports:?}");
            assert_eq!(losses.end_run(), None);
        }
    }
}
