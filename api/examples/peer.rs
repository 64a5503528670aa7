//! PEER: equals that connect to each other and know each other by number.

use std::thread;

use ringmq::{Context, Error, Peer};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let alice = Peer::new(&context)?;
    alice.bind("tcp://127.0.0.1:*")?;
    let endpoint = alice.last_endpoint();

    let other = thread::spawn(move || -> Result<(), Error> {
        let bob = Peer::new(&context)?;
        let alice = bob.connect_peer(&endpoint)?;
        bob.send_to(alice, "hello, this is Bob")?;
        println!("to Bob: {}", String::from_utf8_lossy(&bob.recv()?));
        Ok(())
    });

    let message = alice.recv()?;
    println!("to Alice: {}", String::from_utf8_lossy(&message));
    alice.send_to(message.routing_id(), "hello Bob")?;
    other.join().expect("Bob does not panic")
}
