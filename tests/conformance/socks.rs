//! Connections through a SOCKS5 proxy (RFC 1928 and 1929).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ringmq::monitor::Event;
use ringmq::{Context, Error, Pull, Push, Rep, Req};

use crate::{PATIENCE, receiver, sender, socket};

/// What a client has asked of the proxy.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    credentials: Option<(String, String)>,
    host: String,
    port: u16,
}

/// A proxy that serves one connection after the other, and tells what it was asked. It wants credentials if it has some.
fn proxy(credentials: Option<(&'static str, &'static str)>) -> (String, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, asked) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that is refused goes away.
            let _ = serve(client.unwrap(), credentials, &tell);
        }
    });
    (address, asked)
}

fn take<const N: usize>(stream: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(stream: &mut TcpStream) -> std::io::Result<String> {
    let [len] = take(stream)?;
    let mut bytes = vec![0; len.into()];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn serve(mut client: TcpStream, wanted: Option<(&str, &str)>, tell: &Sender<Asked>) -> std::io::Result<()> {
    let [5, count] = take(&mut client)? else {
        panic!("SOCKS5")
    };
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods)?;
    let mut credentials = None;
    if let Some((name, password)) = wanted {
        if !methods.contains(&2) {
            return client.write_all(&[5, 0xFF]);
        }
        client.write_all(&[5, 2])?;
        assert_eq!(take(&mut client)?, [1]);
        let given = (text(&mut client)?, text(&mut client)?);
        let right = given == (name.to_owned(), password.to_owned());
        client.write_all(&[1, u8::from(!right)])?;
        if !right {
            return Ok(());
        }
        credentials = Some(given);
    } else {
        assert!(methods.contains(&0));
        client.write_all(&[5, 0])?;
    }
    let [5, 1, 0, kind] = take(&mut client)? else {
        panic!("CONNECT")
    };
    let host = match kind {
        1 => std::net::Ipv4Addr::from(take::<4>(&mut client)?).to_string(),
        3 => text(&mut client)?,
        other => panic!("{other}"),
    };
    let port = u16::from_be_bytes(take(&mut client)?);
    let target = TcpStream::connect((&*host, port));
    let _ = tell.send(Asked {
        credentials,
        host,
        port,
    });
    let Ok(target) = target else {
        return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
    };
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])?;
    relay(client.try_clone()?, target.try_clone()?);
    relay(target, client);
    Ok(())
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn port(endpoint: &str) -> u16 {
    endpoint.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
pub(crate) fn connections_go_through_the_proxy() {
    let context = Context::new();
    let (proxy, asked) = proxy(None);
    let rep: Rep = socket(&context);
    rep.bind("tcp://127.0.0.1:*").unwrap();
    let port = port(&rep.last_endpoint());
    for host in ["127.0.0.1", "localhost"] {
        let req: Req = socket(&context);
        req.set_socks_proxy(Some(proxy.clone()));
        req.connect(&format!("tcp://{host}:{port}")).unwrap();
        for len in [5, 100_000] {
            req.send(vec![1; len]).unwrap();
            let request = rep.recv().unwrap();
            assert_eq!(request.len(), len);
            rep.send(request).unwrap();
            assert_eq!(req.recv().unwrap().len(), len);
        }
        let wanted = Asked {
            credentials: None,
            host: host.to_owned(),
            port,
        };
        assert_eq!(asked.recv_timeout(PATIENCE).unwrap(), wanted);
    }
}

#[test]
pub(crate) fn the_proxy_is_told_a_name_and_a_password() {
    let context = Context::new();
    let (proxy, asked) = proxy(Some(("alice", "secret")));
    let pull: Pull = receiver(&context);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let push: Push = sender(&context);
    push.set_socks_proxy(Some(proxy.clone()));
    push.set_socks_username(Some("alice".into()));
    push.set_socks_password(Some("secret".into()));
    push.connect(&pull.last_endpoint()).unwrap();
    push.send("hello").unwrap();
    assert_eq!(&*pull.recv().unwrap(), b"hello");
    let credentials = asked.recv_timeout(PATIENCE).unwrap().credentials;
    assert_eq!(credentials, Some(("alice".into(), "secret".into())));

    for (name, password) in [(None, None), (Some("alice"), Some("wrong"))] {
        let push: Push = sender(&context);
        let monitor = push.monitor();
        push.set_reconnect_interval(Some(Duration::from_millis(1)));
        push.set_socks_proxy(Some(proxy.clone()));
        push.set_socks_username(name.map(str::to_owned));
        push.set_socks_password(password.map(str::to_owned));
        push.connect(&pull.last_endpoint()).unwrap();
        let mut failures = 0;
        while failures < 2 {
            let record = monitor.recv_timeout(Some(PATIENCE)).unwrap();
            assert_ne!(record.event, Event::Handshaken);
            failures += u32::from(matches!(record.event, Event::HandshakeFailed { .. }));
        }
    }
}

#[test]
fn a_connection_is_made_again_through_the_proxy() {
    let context = Context::new();
    let (proxy, _asked) = proxy(None);
    let pull: Pull = receiver(&context);
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = pull.last_endpoint();
    let push: Push = sender(&context);
    push.set_reconnect_interval(Some(Duration::from_millis(1)));
    push.set_socks_proxy(Some(proxy));
    push.connect(&endpoint).unwrap();
    push.send("one").unwrap();
    assert_eq!(&*pull.recv().unwrap(), b"one");
    drop(pull);
    let pull: Pull = receiver(&context);
    crate::eventually("the address is free", || pull.bind(&endpoint).is_ok());
    // What is sent before the end of the connection is noticed is lost with it.
    crate::eventually("the new one hears us", || {
        push.send("two").unwrap();
        pull.recv_within(crate::MOMENT)
            .is_ok_and(|message| message == "two")
    });
}

#[test]
fn a_proxy_that_is_none_is_refused_by_name() {
    let push: Push = sender(&Context::new());
    for proxy in ["nowhere", "host:port", "*:1080", ""] {
        push.set_socks_proxy(Some(proxy.to_owned()));
        let outcome = push.connect("tcp://127.0.0.1:1");
        assert!(
            matches!(
                outcome,
                Err(Error::InvalidOption {
                    name: "SOCKS_PROXY",
                    ..
                })
            ),
            "{proxy:?}: {outcome:?}"
        );
    }
}
