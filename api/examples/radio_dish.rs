//! RADIO and DISH: messages to groups with exact names.

use std::{thread, time::Duration};

use ringmq::{Context, Dish, Error, Radio};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let radio = Radio::new(&context)?;
    radio.bind("tcp://127.0.0.1:*")?;
    let endpoint = radio.last_endpoint();

    let listener = thread::spawn(move || -> Result<(), Error> {
        let dish = Dish::new(&context)?;
        dish.join("jazz")?;
        dish.join("news")?;
        dish.connect(&endpoint)?;
        loop {
            let message = dish.recv()?;
            let group = String::from_utf8_lossy(message.group());
            println!("{group}: {}", String::from_utf8_lossy(&message));
            if message == "the end" {
                return Ok(());
            }
        }
    });

    // A radio does not know who listens, so it goes on until everybody has gone.
    while !listener.is_finished() {
        radio.send_to_group("jazz", "so what")?;
        radio.send_to_group("polka", "nobody has joined this")?;
        radio.send_to_group("news", "the end")?;
        thread::sleep(Duration::from_millis(5));
    }
    listener.join().expect("the listener does not panic")
}
