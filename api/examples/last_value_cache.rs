//! Last value cache: whoever subscribes late is told the last value of its topic at once, and nobody else is bothered with it.

use std::{collections::HashMap, thread, time::Duration};

use ringmq::{Context, Error, Message, Sub, XPub, XpubManual};

/// What a subscriber hears first about its topic.
fn first_news(context: &Context, endpoint: &str, topic: &str) -> Result<String, Error> {
    let subscriber = Sub::new(context)?;
    subscriber.connect(endpoint)?;
    subscriber.subscribe(topic)?;
    let parts = subscriber.recv_multipart()?;
    Ok(format!(
        "{}: {}",
        String::from_utf8_lossy(&parts[0]),
        String::from_utf8_lossy(&parts[1])
    ))
}

fn main() -> Result<(), Error> {
    let context = Context::new();
    let cache = XPub::new(&context)?;
    // The cache sees every subscription, decides about it, and can answer the one who asked.
    cache.set_xpub_manual(XpubManual::LastValue);
    cache.bind("tcp://127.0.0.1:*")?;
    let endpoint = cache.last_endpoint();

    let mut values: HashMap<Vec<u8>, String> = HashMap::new();
    for (topic, value) in [("gold", "2350"), ("silver", "29"), ("gold", "2351")] {
        values.insert(topic.into(), value.to_owned());
        cache.send_multipart([topic, value])?;
    }

    let late = thread::spawn(move || -> Result<(), Error> {
        println!("{}", first_news(&context, &endpoint, "gold")?);
        println!("{}", first_news(&context, &endpoint, "silver")?);
        Ok(())
    });
    while !late.is_finished() {
        let Ok(request) = cache.recv_within(Duration::from_millis(10)) else {
            continue;
        };
        let (wanted, topic) = (request[0] == 1, &request[1..]);
        if !wanted {
            continue;
        }
        cache.subscribe_requester(topic)?;
        if let Some(value) = values.get(topic) {
            // The next message after a subscription goes to that subscriber alone.
            cache.send_multipart([Message::from(topic), value.as_str().into()])?;
        }
    }
    late.join().expect("the subscribers do not panic")
}
