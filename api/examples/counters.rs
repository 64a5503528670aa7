//! Who the peers are, what has passed, and who listens: a publisher that waits for its audience and watches it.

use std::time::Duration;

use ringmq::{Context, Error, Pub, Sub};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

fn main() -> Result<(), Error> {
    let context = Context::new();
    let publisher = Pub::new(&context)?;
    publisher.bind("tcp://127.0.0.1:*")?;
    // Can be read by any thread, at any time, even when the socket is gone.
    let counters = publisher.counters();

    let subscribers = ["weather.", "sports."].map(|topic| -> Result<Sub, Error> {
        let subscriber = Sub::new(&context)?;
        subscriber.subscribe(topic)?;
        subscriber.connect(&publisher.last_endpoint())?;
        Ok(subscriber)
    });
    // Nothing is published before somebody listens: no sleeping and hoping.
    publisher.wait_for_subscribers(2, PATIENCE)?;
    publisher.wait_for_subscribers_of("weather.rain", 1, PATIENCE)?;

    for text in ["weather.rain", "weather.sun", "sports.chess"] {
        publisher.send(text)?;
    }
    for subscriber in subscribers {
        let subscriber = subscriber?;
        println!("heard: {}", String::from_utf8_lossy(&subscriber.recv()?));
        for peer in publisher.peers() {
            let sent = peer.statistics.sent;
            println!(
                "{}: {} messages of {} B in all",
                peer.address, sent.messages, sent.bytes
            );
        }
        // The subscriber goes; a peer that does not go by itself can be closed.
    }
    for peer in publisher.peers() {
        match publisher.close_peer(peer.id) {
            // It has gone by itself meanwhile.
            Ok(()) | Err(Error::HostUnreachable) => {}
            Err(error) => return Err(error),
        }
    }
    let all = counters.read();
    println!(
        "in all: {} messages, {} dropped",
        all.sent.messages,
        all.dropped.total()
    );
    Ok(())
}
