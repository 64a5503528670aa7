//! DGRAM: datagrams to and from anybody. A server that answers whoever asks it.

use std::{net::SocketAddr, thread};

use ringmq::{Context, Dgram, Error};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let server = Dgram::new(&context)?;
    server.bind("udp://127.0.0.1:*")?;
    let endpoint = server.last_endpoint();
    let address: SocketAddr = endpoint
        .trim_start_matches("udp://")
        .parse()
        .expect("the endpoint is an address");

    let server = thread::spawn(move || -> Result<(), Error> {
        loop {
            let (from, question) = server.recv_datagram()?;
            let answer = String::from_utf8_lossy(&question).to_uppercase();
            server.send_datagram(from, answer)?;
            if question == "the end" {
                return Ok(());
            }
        }
    });

    let client = Dgram::new(&context)?;
    client.bind("udp://127.0.0.1:*")?;
    for question in ["hello", "world", "the end"] {
        client.send_datagram(address, question)?;
        let (from, answer) = client.recv_datagram()?;
        println!("{from}: {}", String::from_utf8_lossy(&answer));
    }
    server.join().expect("the server does not panic")
}
