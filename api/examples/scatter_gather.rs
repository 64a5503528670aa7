//! SCATTER and GATHER: work for whoever has time, with sockets that many threads share.

use std::thread;

use ringmq::{Context, Error, Gather, Scatter};

const WORKERS: u64 = 4;
const TASKS: u64 = 1000;

fn main() -> Result<(), Error> {
    let context = Context::new();
    let (tasks, results) = (Scatter::new(&context)?, Gather::new(&context)?);
    tasks.bind("inproc://tasks")?;
    results.bind("inproc://results")?;
    let (inbox, outbox) = (Gather::new(&context)?, Scatter::new(&context)?);
    inbox.connect("inproc://tasks")?;
    outbox.connect("inproc://results")?;

    thread::scope(|scope| {
        // All workers take tasks from one socket and put results into another.
        for _ in 0..WORKERS {
            scope.spawn(|| -> Result<(), Error> {
                for _ in 0..TASKS / WORKERS {
                    let task = inbox.recv()?;
                    let number = task.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                    outbox.send(&(number * number).to_le_bytes())?;
                }
                Ok(())
            });
        }
        scope.spawn(|| -> Result<(), Error> {
            for number in 0..TASKS {
                tasks.send(&number.to_le_bytes())?;
            }
            Ok(())
        });
        let mut sum = 0;
        for _ in 0..TASKS {
            let result = results.recv()?;
            sum += result.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
        println!("the sum of the squares below {TASKS} is {sum}");
        Ok(())
    })
}
