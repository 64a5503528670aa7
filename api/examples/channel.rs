//! CHANNEL: a pair of sockets, each of which one thread reads while another writes.

use std::thread;

use ringmq::{Channel, Context, Error};

const MESSAGES: usize = 10_000;

/// Sends from one thread and receives in another, on the same socket.
fn talk(channel: &Channel) -> Result<usize, Error> {
    thread::scope(|scope| {
        scope.spawn(|| (0..MESSAGES).try_for_each(|_| channel.send("message")));
        let mut received = 0;
        for _ in 0..MESSAGES {
            received += channel.recv()?.len();
        }
        Ok(received)
    })
}

fn main() -> Result<(), Error> {
    let context = Context::new();
    let (one, other) = (Channel::new(&context)?, Channel::new(&context)?);
    one.bind("tcp://127.0.0.1:*")?;
    other.connect(&one.last_endpoint())?;
    let there = thread::spawn(move || talk(&other));
    println!("{} bytes have come one way", talk(&one)?);
    let bytes = there.join().expect("the other side does not panic")?;
    println!("{bytes} bytes have come the other way");
    Ok(())
}
