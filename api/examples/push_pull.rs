//! A pipeline: one PUSH deals work out to two PULLs.

use std::thread;

use ringmq::{Context, Error, Pull, Push};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let push = Push::new(&context)?;
    push.bind("tcp://127.0.0.1:*")?;
    let endpoint = push.last_endpoint();

    let workers = ["left", "right"].map(|name| {
        let (context, endpoint) = (context.clone(), endpoint.clone());
        thread::spawn(move || -> Result<(), Error> {
            let pull = Pull::new(&context)?;
            pull.connect(&endpoint)?;
            loop {
                let task = pull.recv()?;
                if task.is_empty() {
                    return Ok(());
                }
                println!("{name}: {}", String::from_utf8_lossy(&task));
            }
        })
    });

    // A bound PUSH has nobody to send to before its peers have come.
    while push.peer_count() < workers.len() {
        thread::yield_now();
    }
    for number in 0..6 {
        push.send(format!("task {number}"))?;
    }
    for _ in &workers {
        push.send("")?;
    }
    for worker in workers {
        worker.join().expect("a worker does not panic")?;
    }
    Ok(())
}
