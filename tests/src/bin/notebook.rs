//! A client of a Jupyter kernel, which is a program that nobody here wrote: notebook CONNECTION-FILE
//!
//! Checks the heartbeat, asks the kernel who it is, lets it compute something, and shuts it down. The connection file must name
//! no key, so that messages are not signed.

#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ringmq::{Context, Dealer, Multipart, Req, Sub};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A kernel takes seconds to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// What stands between the envelope and the message.
const DELIMITER: &[u8] = b"<IDS|MSG>";

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: notebook CONNECTION-FILE");
        return ExitCode::FAILURE;
    };
    match converse(&file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notebook: {error}");
            ExitCode::FAILURE
        }
    }
}

fn converse(file: &str) -> Outcome<()> {
    let connection = std::fs::read_to_string(file)?;
    let endpoint = |channel: &str| -> Outcome<String> {
        let [transport, ip, port] = [
            value(&connection, "transport")?,
            value(&connection, "ip")?,
            value(&connection, &format!("{channel}_port"))?,
        ];
        Ok(match transport {
            "ipc" => format!("ipc://{ip}-{port}"),
            _ => format!("{transport}://{ip}:{port}"),
        })
    };
    let context = Context::new();
    let (pulse, shell, control) = (
        Req::new(&context)?,
        Dealer::new(&context)?,
        Dealer::new(&context)?,
    );
    let news = Sub::new(&context)?;
    news.subscribe("")?;
    news.connect(&endpoint("iopub")?)?;
    news.set_receive_timeout(Some(PATIENCE));
    pulse.connect(&endpoint("hb")?)?;
    shell.connect(&endpoint("shell")?)?;
    control.connect(&endpoint("control")?)?;

    pulse.send("are you there?")?;
    check(
        &*pulse.recv_within(PATIENCE)? == b"are you there?",
        "the heartbeat is an echo",
    )?;
    // News before the subscription has arrived is not for us, so the question is repeated until there is some.
    let deadline = Instant::now() + PATIENCE;
    loop {
        ask(&shell, "kernel_info_request", "{}")?;
        let answer = reply(&shell)?;
        check(answer.contains("\"protocol_version\""), &answer)?;
        if news.recv_within(Duration::from_millis(100)).is_ok() {
            break;
        }
        check(Instant::now() < deadline, "there is no news")?;
    }
    let code = r#"{"code":"print(6*7)","silent":false,"store_history":true,"user_expressions":{},"allow_stdin":false,"stop_on_error":true}"#;
    ask(&shell, "execute_request", code)?;
    check(reply(&shell)?.contains(r#""status": "ok""#), "it is done")?;
    loop {
        let told = text(&news.recv_multipart()?);
        if told.contains(r#""stream""#) {
            check(told.contains(r#""42\n""#), &told)?;
            break;
        }
    }
    ask(&control, "shutdown_request", r#"{"restart":false}"#)?;
    check(reply(&control)?.contains(r#""status": "ok""#), "it ends")?;
    println!("the kernel answered");
    Ok(())
}

fn check(holds: bool, what: &str) -> Outcome<()> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The value of a name in a flat JSON object, without quotes.
fn value<'a>(json: &'a str, name: &str) -> Outcome<&'a str> {
    let quoted = format!("\"{name}\":");
    let start = json.find(&quoted).ok_or_else(|| format!("there is no {name}"))? + quoted.len();
    let rest = &json[start..];
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    Ok(rest[..end].trim().trim_matches('"'))
}

fn ask(channel: &Dealer, kind: &str, content: &str) -> Outcome<()> {
    let header = format!(
        r#"{{"msg_id":"{kind}","session":"ringmq","username":"test","date":"2026-01-01T00:00:00Z","msg_type":"{kind}","version":"5.3"}}"#
    );
    let parts: [&[u8]; 6] = [
        DELIMITER,
        b"",
        header.as_bytes(),
        b"{}",
        b"{}",
        content.as_bytes(),
    ];
    Ok(channel.send_multipart(parts)?)
}

fn reply(channel: &Dealer) -> Outcome<String> {
    channel.set_receive_timeout(Some(PATIENCE));
    Ok(text(&channel.recv_multipart()?))
}

/// All parts behind the envelope.
fn text(parts: &Multipart) -> String {
    let behind = parts.iter().skip_while(|part| &***part != DELIMITER);
    behind.map(|part| String::from_utf8_lossy(part) + "\n").collect()
}
