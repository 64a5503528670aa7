//! A publisher, and a subscriber that wants a part of what is published.

use std::thread;

use ringmq::{Context, Error, Sub, XPub};

fn main() -> Result<(), Error> {
    let context = Context::new();
    // An XPUB is a PUB that is told who subscribes, so it knows when to begin.
    let publisher = XPub::new(&context)?;
    publisher.bind("tcp://127.0.0.1:*")?;
    let endpoint = publisher.last_endpoint();

    let reader = thread::spawn(move || -> Result<(), Error> {
        let subscriber = Sub::new(&context)?;
        subscriber.subscribe("weather.")?;
        subscriber.connect(&endpoint)?;
        for _ in 0..3 {
            println!("{}", String::from_utf8_lossy(&subscriber.recv()?));
        }
        Ok(())
    });

    let subscription = publisher.recv()?;
    println!("subscribed to {:?}", String::from_utf8_lossy(&subscription[1..]));
    for (topic, value) in [
        ("weather.rain", 3),
        ("traffic.jam", 7),
        ("weather.sun", 5),
        ("weather.wind", 2),
    ] {
        publisher.send(format!("{topic} {value}"))?;
    }
    reader.join().expect("the subscriber does not panic")
}
