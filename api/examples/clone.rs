//! Clone: a late follower gets a snapshot of the state and then the updates, without a gap and without applying any twice.

use std::{collections::BTreeMap, thread, time::Duration};

use ringmq::{Context, Dealer, Error, Interest, Message, Poller, Pub, Router, Sub};

type State = BTreeMap<String, (u64, String)>;

/// An update, or a line of a snapshot: `[key, number, value]`.
fn parts(key: &str, number: u64, value: &str) -> [Message; 3] {
    [key.into(), (&number.to_be_bytes()).into(), value.into()]
}

fn number_of(part: &Message) -> u64 {
    part.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn text(part: &Message) -> String {
    String::from_utf8_lossy(part).into_owned()
}

/// Follows until the state has `size` keys.
fn follow(context: &Context, updates: &str, snapshots: &str, size: usize) -> Result<State, Error> {
    // Updates first, so that none is missed while the snapshot is on its way.
    let subscriber = Sub::new(context)?;
    subscriber.subscribe("")?;
    subscriber.connect(updates)?;
    let dealer = Dealer::new(context)?;
    dealer.connect(snapshots)?;
    dealer.send("snapshot")?;

    let mut state = State::new();
    let snapshot_number = loop {
        let line = dealer.recv_multipart()?;
        let (key, number) = (text(&line[0]), number_of(&line[1]));
        if key.is_empty() {
            break number;
        }
        state.insert(key, (number, text(&line[2])));
    };
    println!(
        "the snapshot has {} keys, up to update {snapshot_number}",
        state.len()
    );
    while state.len() < size {
        let update = subscriber.recv_multipart()?;
        let number = number_of(&update[1]);
        if number > snapshot_number {
            state.insert(text(&update[0]), (number, text(&update[2])));
        }
    }
    Ok(state)
}

fn main() -> Result<(), Error> {
    const KEYS: u64 = 100;
    let context = Context::new();
    let (publisher, snapshots) = (Pub::new(&context)?, Router::new(&context)?);
    publisher.bind("tcp://127.0.0.1:*")?;
    snapshots.bind("tcp://127.0.0.1:*")?;
    let endpoints = (publisher.last_endpoint(), snapshots.last_endpoint());

    let mut state = State::new();
    let mut number = 0;
    let mut follower = None;
    loop {
        // One update each turn; it goes to everybody who follows.
        number += 1;
        let (key, value) = (format!("key {}", number % KEYS), format!("value {number}"));
        publisher.send_multipart(parts(&key, number, &value))?;
        state.insert(key, (number, value));
        if number == KEYS / 2 {
            let (context, endpoints) = (context.clone(), endpoints.clone());
            follower = Some(thread::spawn(move || {
                follow(&context, &endpoints.0, &endpoints.1, KEYS as usize)
            }));
        }
        if follower.as_ref().is_some_and(|follower| follower.is_finished()) {
            break;
        }
        let mut poller = Poller::new();
        poller.add(&snapshots, Interest::Readable);
        poller.wait(Some(Duration::from_millis(1)))?;
        while let Ok(request) = snapshots.try_recv_multipart() {
            for (key, (number, value)) in &state {
                let [key, number, value] = parts(key, *number, value);
                snapshots.send_multipart([request[0].clone(), key, number, value])?;
            }
            // The end of the snapshot says up to where it goes.
            let [key, number, value] = parts("", number, "");
            snapshots.send_multipart([request[0].clone(), key, number, value])?;
        }
    }
    if let Some(follower) = follower {
        let copy = follower.join().expect("the follower does not panic")?;
        let known = copy.iter().filter(|(key, _)| state.contains_key(*key)).count();
        println!("the follower knows {known} of {} keys", state.len());
    }
    Ok(())
}
