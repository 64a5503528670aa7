//! CLIENT and SERVER: one server socket that several threads serve, and clients that are told apart by number.

use std::thread;

use ringmq::{Client, Context, Error, Server};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let server = Server::new(&context)?;
    server.bind("tcp://127.0.0.1:*")?;
    let endpoint = server.last_endpoint();

    thread::scope(|scope| {
        // Two threads wait on the same socket; whoever gets a request answers it.
        for thread in 0..2 {
            let server = &server;
            scope.spawn(move || -> Result<(), Error> {
                for _ in 0..3 {
                    let request = server.recv()?;
                    let asker = request.routing_id();
                    let answer = format!("{} (thread {thread})", String::from_utf8_lossy(&request));
                    server.send_to(asker, answer.to_uppercase())?;
                }
                Ok(())
            });
        }
        let clients: Vec<_> = ["ada", "grace"]
            .into_iter()
            .map(|name| {
                let (context, endpoint) = (&context, &endpoint);
                scope.spawn(move || -> Result<(), Error> {
                    let client = Client::new(context)?;
                    client.connect(endpoint)?;
                    for number in 1..=3 {
                        client.send(format!("{name} asks {number}"))?;
                        println!("{}", String::from_utf8_lossy(&client.recv()?));
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client.join().expect("a client does not panic")?;
        }
        Ok(())
    })
}
