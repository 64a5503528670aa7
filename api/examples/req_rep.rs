//! A question and its answer.

use std::thread;

use ringmq::{Context, Error, Rep, Req};

fn main() -> Result<(), Error> {
    let context = Context::new();
    let rep = Rep::new(&context)?;
    rep.bind("tcp://127.0.0.1:*")?;
    let endpoint = rep.last_endpoint();

    let server = thread::spawn(move || -> Result<(), Error> {
        for _ in 0..3 {
            let question = rep.recv()?;
            let name = String::from_utf8_lossy(&question).into_owned();
            rep.send(format!("hello, {name}"))?;
        }
        Ok(())
    });

    let req = Req::new(&context)?;
    req.connect(&endpoint)?;
    for name in ["Ada", "Grace", "Hedy"] {
        req.send(name)?;
        println!("{}", String::from_utf8_lossy(&req.recv()?));
    }
    server.join().expect("the server does not panic")
}
