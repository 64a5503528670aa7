//! Thousands of connections, one after the other, leave neither descriptors nor maps behind.

use std::cell::RefCell;
use std::time::Duration;

use ringmq_tests::process::{descriptors, look_away, maps, poll_until};
use ringmq_tests::subject::Subject;
use ringmq_tests::watchdog::within;

use crate::{DRIVERS, LIMIT, NEIGHBOUR, PATIENCE, often};

#[test]
fn connections_leave_nothing_behind() {
    for driver in DRIVERS {
        within(LIMIT * often(1) as u32, move || {
            let child = Subject::start(NEIGHBOUR, &["churn", "100"], Some(driver));
            child.hear("ready");
            let pid = child.pid();
            let child = RefCell::new(child);
            let make = |what: &str| {
                child.borrow_mut().tell(what);
                child.borrow().hear("done");
            };
            let held = || {
                make("look");
                (descriptors(pid), maps(pid))
            };
            make("connections");
            let mut last = held();
            let is_same = || {
                look_away(Duration::from_millis(100));
                let now = held();
                std::mem::replace(&mut last, now) == now
            };
            poll_until(Duration::from_secs(10), is_same, |&same| same);
            let baseline = held();
            for _ in 0..often(3) {
                make("connections");
            }
            let left = poll_until(PATIENCE, held, |now| *now <= baseline);
            println!("{driver}: {left:?} descriptors and maps, {baseline:?} before");
            assert!(left <= baseline, "{driver}: {left:?}, {baseline:?} before");
            child.into_inner().end();
        });
    }
}
