//! PAIR: two threads that talk to each other and to nobody else.

use std::thread;

use ringmq::{Context, Error, Pair};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let here = Pair::new(&context)?;
    here.bind("inproc://between us")?;

    let worker = thread::spawn(move || -> Result<(), Error> {
        let there = Pair::new(&context)?;
        there.connect("inproc://between us")?;
        there.send("ready")?;
        let task = there.recv()?;
        there.send(format!("{} is done", String::from_utf8_lossy(&task)))?;
        Ok(())
    });

    println!("{}", String::from_utf8_lossy(&here.recv()?));
    here.send("the task")?;
    println!("{}", String::from_utf8_lossy(&here.recv()?));
    worker.join().expect("the worker does not panic")
}
