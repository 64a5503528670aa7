//! STREAM: a web server in a page, for a client that knows nothing of ZeroMQ.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
};

use ringmq::{Context, Message, Stream};

const PAGE: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nHello, World!\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new();
    let server = Stream::new(&context)?;
    server.bind("tcp://127.0.0.1:*")?;
    let address = server.last_endpoint().trim_start_matches("tcp://").to_owned();

    let browser = thread::spawn(move || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        connection.read_to_string(&mut page)?;
        Ok(page)
    });

    let mut request = Vec::new();
    loop {
        // Whose bytes these are, and the bytes; none when the connection begins or ends.
        let parts = server.recv_multipart()?;
        let (peer, bytes) = (&parts[0], &parts[1]);
        request.extend_from_slice(bytes);
        if request.ends_with(b"\r\n\r\n") {
            server.send_multipart([peer.clone(), PAGE.into()])?;
            // No bytes close the connection, behind those that were sent before.
            server.send_multipart([peer.clone(), Message::new()])?;
            break;
        }
    }
    print!("{}", browser.join().map_err(|_| "the browser panicked")??);
    Ok(())
}
