//! What a subscriber loses that does not keep up: the newest messages, the oldest ones, or its connection. The queue is
//! bounded by bytes, beside the high-water mark of messages.

use std::time::Duration;

use ringmq::{Context, Error, Overflow, Pub, Sub};

fn publish_to_a_sleeper(overflow: Overflow) -> Result<(), Error> {
    let context = Context::new();
    let publisher = Pub::new(&context)?;
    publisher.set_overflow(overflow);
    publisher.set_send_bytes_max(Some(40));
    publisher.bind("inproc://news")?;
    let counters = publisher.counters();
    let subscriber = Sub::new(&context)?;
    subscriber.subscribe("")?;
    subscriber.connect("inproc://news")?;
    publisher.wait_for_subscribers(1, None)?;

    for number in 0..10 {
        publisher.send(format!("message {number:02}"))?;
    }
    let dropped = counters.read().dropped.total();
    println!(
        "{overflow:?}: {dropped} dropped, {} peers left",
        publisher.peers().len()
    );
    while let Ok(message) = subscriber.recv_within(Duration::from_millis(50)) {
        println!("    {}", String::from_utf8_lossy(&message));
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Disconnect] {
        publish_to_a_sleeper(overflow)?;
    }
    Ok(())
}
