//! The end of a context with a deadline: it says which sockets are in the way, and why.

use std::{process, time::Duration};

use ringmq::{Context, Error, Pull, Push};

fn main() -> Result<(), Error> {
    let endpoint = format!("ipc://@ringmq-example-ending-{}", process::id());
    let context = Context::new();
    let push = Push::new(&context)?;
    push.connect(&endpoint)?;
    push.send("to somebody who comes late")?;
    drop(push);

    match context.term(Some(Duration::from_millis(50))) {
        Ok(()) => println!("nothing was in the way"),
        Err(unfinished) => println!("{unfinished}"),
    }

    // The message is not lost: the socket lingers, for 30 seconds by default.
    let elsewhere = Context::new();
    let pull = Pull::new(&elsewhere)?;
    pull.bind(&endpoint)?;
    println!("{}", String::from_utf8_lossy(&pull.recv()?));
    match context.term(Some(Duration::from_secs(10))) {
        Ok(()) => println!("and now nothing is in the way any more"),
        Err(unfinished) => println!("{unfinished}"),
    }
    Ok(())
}
