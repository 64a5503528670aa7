//! A ROUTER that answers its DEALERs by name.

use std::thread;

use ringmq::{Context, Dealer, Error, Router};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let router = Router::new(&context)?;
    router.bind("tcp://127.0.0.1:*")?;
    let endpoint = router.last_endpoint();

    let names = ["alice", "bob"];
    let dealers = names.map(|name| {
        let (context, endpoint) = (context.clone(), endpoint.clone());
        thread::spawn(move || -> Result<(), Error> {
            let dealer = Dealer::new(&context)?;
            dealer.set_routing_id(name)?;
            dealer.connect(&endpoint)?;
            dealer.send("here I am")?;
            println!("{name} got: {}", String::from_utf8_lossy(&dealer.recv()?));
            Ok(())
        })
    });

    for _ in names {
        // The first part is the sender's routing id; sent back, it says who gets the rest.
        let mut message = router.recv_multipart()?;
        let name = message.pop_front().unwrap_or_default();
        println!(
            "the router got {:?} from {}",
            String::from_utf8_lossy(&message[0]),
            String::from_utf8_lossy(&name)
        );
        router.send_multipart([name, "welcome".into()])?;
    }
    for dealer in dealers {
        dealer.join().expect("a dealer does not panic")?;
    }
    Ok(())
}
