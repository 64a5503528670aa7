//! Lazy pirate: a client that asks again when no answer comes, and gives up in the end, with a server that loses requests.

use std::{thread, time::Duration};

use ringmq::{Context, Error, Rep, Req};

const PATIENCE: Duration = Duration::from_millis(100);
const ATTEMPTS: usize = 20;

/// Asks until an answer comes. The socket takes a question before the answer to the last one, and only the answer to that.
fn ask(client: &Req, question: &str) -> Result<String, Error> {
    for attempt in 1..=ATTEMPTS {
        client.send(question)?;
        match client.recv_within(PATIENCE) {
            Err(Error::TimedOut) => println!("no answer to {question:?}, attempt {attempt}"),
            answer => return Ok(String::from_utf8_lossy(&answer?).into_owned()),
        }
    }
    Err(Error::TimedOut)
}

fn main() -> Result<(), Error> {
    let context = Context::new();
    let server = Rep::new(&context)?;
    server.bind("tcp://127.0.0.1:*")?;
    let client = Req::new(&context)?;
    client.set_req_relaxed(true);
    client.set_req_correlate(true);
    client.connect(&server.last_endpoint())?;

    let serving = thread::spawn(move || -> Result<(), Error> {
        for number in 1.. {
            let question = server.recv()?;
            if number % 3 == 2 {
                // Busy with something else, for longer than the client waits.
                thread::sleep(PATIENCE * 3 / 2);
            }
            server.send(format!(
                "{} (request {number})",
                String::from_utf8_lossy(&question)
            ))?;
            if question == "goodbye" {
                return Ok(());
            }
        }
        Ok(())
    });
    for question in ["hello", "are you there?", "goodbye"] {
        println!("{}", ask(&client, question)?);
    }
    drop(client);
    serving.join().expect("the server does not panic")
}
