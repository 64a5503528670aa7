//! Every state of a connection against every kind of input, as one table.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::established;
use crate::fuzz::wire;
use crate::{Config, Connection, Event, SocketType};

/// Rows are inputs, columns the state before; the entries are the state after.
const TABLE: &str = "
                     Greeting   Command    Traffic    Body       Nothing
some bytes           Greeting   Command    Traffic    -          Nothing
greeting             Command    Nothing    Nothing    -          Nothing
greeting of 2.0      Nothing    Nothing    Nothing    -          Nothing
READY                Nothing    Traffic    Nothing    -          Nothing
READY of a misfit    Nothing    Nothing    Nothing    -          Nothing
ERROR                Nothing    Nothing    Nothing    -          Nothing
PING                 Nothing    Nothing    Traffic    -          Nothing
unknown command      Nothing    Nothing    Traffic    -          Nothing
message              Nothing    Nothing    Traffic    -          Nothing
large frame          Nothing    Nothing    Body       -          Nothing
too large a frame    Nothing    Nothing    Nothing    -          Nothing
reserved flags       Nothing    Nothing    Nothing    -          Nothing
large_done           -          -          -          Traffic    Nothing
early deadline       Greeting   Command    Traffic    Body       Nothing
late deadline        Nothing    Nothing    Nothing    Nothing    Nothing
";

/// What happens to a connection. A dash in the table stands for what its caller must not do.
enum Input {
    Bytes(Vec<u8>),
    LargeDone,
    Deadline(Duration),
}

fn inputs() -> Vec<(&'static str, Input)> {
    let mut greeting_2 = wire::greeting(0, b"");
    greeting_2[10] = 1;
    vec![
        ("some bytes", Input::Bytes(vec![])),
        ("greeting", Input::Bytes(wire::greeting(1, b"NULL"))),
        ("greeting of 2.0", Input::Bytes(greeting_2)),
        ("READY", Input::Bytes(wire::ready(SocketType::Push))),
        ("READY of a misfit", Input::Bytes(wire::ready(SocketType::Pub))),
        ("ERROR", Input::Bytes(wire::command(b"ERROR", b"\x03500"))),
        ("PING", Input::Bytes(wire::command(b"PING", b"\xFF\xFF"))),
        ("unknown command", Input::Bytes(wire::command(b"FOO", b""))),
        ("message", Input::Bytes(wire::frame(0, b"\x01"))),
        ("large frame", Input::Bytes(wire::long_header(0, 1 << 20))),
        ("too large a frame", Input::Bytes(wire::long_header(0, 1 << 40))),
        ("reserved flags", Input::Bytes(vec![0x80, 0x80])),
        ("large_done", Input::LargeDone),
        ("early deadline", Input::Deadline(Duration::ZERO)),
        ("late deadline", Input::Deadline(Duration::from_secs(60))),
    ]
}

const STATES: [&str; 5] = ["Greeting", "Command", "Traffic", "Body", "Nothing"];

fn in_state(state: &str, now: Instant) -> Connection {
    let mut config = Config::new(SocketType::Pull);
    let mut connection = Connection::new(config.clone(), now);
    match state {
        "Greeting" => {}
        "Command" => {
            let greeting = wire::greeting(1, b"NULL");
            assert_eq!(connection.receive(&greeting, now).unwrap().consumed, 64);
        }
        "Nothing" => assert!(connection.receive(b"GET /", now).is_err()),
        "Traffic" | "Body" => {
            // A PING of ours goes unanswered, so that there is a deadline.
            let second = Some(Duration::from_secs(1));
            config.heartbeat.interval = second;
            connection = established(config, SocketType::Push, 1, now - Duration::from_secs(1));
            if state == "Body" {
                let step = connection.receive(&wire::long_header(0, 1 << 20), now);
                assert!(matches!(step.unwrap().event, Some(Event::Large { .. })));
            }
            assert_eq!(connection.on_deadline(now), Ok(()));
        }
        other => panic!("{other}"),
    }
    assert_eq!(connection.state_name(), state);
    connection
}

#[test]
fn the_table_of_transitions() {
    let now = Instant::now();
    let mut table = String::from("\n");
    let mut row = |name: &str, cells: [&str; 5]| {
        let line = cells.iter().fold(format!("{name:21}"), |mut line, cell| {
            write!(line, "{cell:11}").unwrap();
            line
        });
        table.push_str(line.trim_end());
        table.push('\n');
    };
    row("", STATES);
    for (name, input) in inputs() {
        let cells = STATES.map(|state| {
            let mut connection = in_state(state, now);
            match &input {
                Input::Bytes(_) if state == "Body" => return "-",
                Input::LargeDone if !["Body", "Nothing"].contains(&state) => return "-",
                Input::Bytes(bytes) => drop(connection.receive(bytes, now)),
                Input::LargeDone => connection.large_done(now),
                Input::Deadline(after) => drop(connection.on_deadline(now + *after)),
            }
            connection.state_name()
        });
        row(name, cells);
    }
    assert_eq!(table, TABLE, "{table}");
}

#[test]
#[should_panic(expected = "outstanding")]
fn bytes_of_a_large_body_are_not_for_receive() {
    let now = Instant::now();
    let _ = in_state("Body", now).receive(b"body", now);
}

#[test]
#[should_panic(expected = "no large frame")]
fn large_done_needs_a_large_frame() {
    let now = Instant::now();
    in_state("Traffic", now).large_done(now);
}

#[test]
#[should_panic(expected = "not over")]
fn subscriptions_need_a_peer() {
    let now = Instant::now();
    in_state("Command", now).queue_subscribe(b"t");
}
