//! Scripts: what sockets do, line by line, and what is to be seen of it.
//!
//! ```text
//! # the name of a script, and what it shows
//! over tcp ipc inproc
//! open push PUSH first
//! open pull PULL second
//! bind pull
//! connect push pull
//! send push hello world
//! recv pull => hello world
//! ```
//!
//! A step is a verb, a socket and arguments; what follows `=>` is what the step shows, and a step without that shows `ok`.
//! Sockets are of the first or the second role, each of which an engine plays. The words of a message are its parts: `-` is an empty
//! one, `~100` one of a hundred bytes, `\x01` a byte, `$0` the first routing id that was seen. Before the parts
//! stands what goes beside a message: `#0` the first number of a peer that was seen, `@weather` a group.
//!
//! Below a step stands where something else is to be seen, and why:
//!
//! ```text
//! send router nobody hello => EHOSTUNREACH
//! differs first RingMq second Stock over tcp ipc => ok
//! because there is a reason
//! ```

use crate::{
    cast::{Cast, Wire},
    socket::Engine,
};

/// A scenario.
pub(crate) struct Script {
    /// The file and the title.
    pub(crate) name: String,
    pub(crate) wires: Vec<Wire>,
    pub(crate) steps: Vec<Step>,
}

/// One line of it.
pub(crate) struct Step {
    /// The number of the line in the file.
    pub(crate) line: usize,
    /// The line as it stands there, but for what is expected.
    pub(crate) text: String,
    pub(crate) verb: String,
    /// The name of the socket that does it.
    pub(crate) who: String,
    pub(crate) words: Vec<String>,
    expected: String,
    differences: Vec<Difference>,
}

impl Step {
    /// What the step must show in a play.
    pub(crate) fn expected(&self, wire: Wire, cast: Cast) -> &str {
        let differs = |difference: &&Difference| {
            let plays = |engine: Option<Engine>, player: Engine| engine.is_none_or(|engine| engine == player);
            difference.wires.contains(&wire)
                && plays(difference.first, cast.first)
                && plays(difference.second, cast.second)
        };
        let difference = self.differences.iter().find(differs);
        difference.map_or(&self.expected, |difference| &difference.shows)
    }
}

/// Something else that a step shows.
#[derive(Default)]
struct Difference {
    /// Who plays; anybody if it is not said.
    first: Option<Engine>,
    second: Option<Engine>,
    wires: Vec<Wire>,
    shows: String,
    explained: bool,
}

/// The scripts of a file. Lines that begin with `//` are comments.
pub(crate) fn parse(file: &str, text: &str) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        if let Some(title) = line.strip_prefix("# ") {
            scripts.push(Script {
                name: format!("{file}: {title}"),
                wires: Vec::new(),
                steps: Vec::new(),
            });
            continue;
        }
        let script = scripts.last_mut().expect("a script begins with its title");
        let step_before = script.steps.last_mut();
        match line.split_once(' ') {
            Some(("over", wires)) => script.wires = wires.split_whitespace().map(Wire::named).collect(),
            Some(("differs", text)) => {
                let step = step_before.expect("a difference has a step");
                step.differences.push(difference(text));
            }
            Some(("because", _)) => {
                let difference = step_before.and_then(|step| step.differences.last_mut());
                difference.expect("a reason has a difference").explained = true;
            }
            _ => script.steps.push(step(index + 1, line)),
        }
    }
    for script in &scripts {
        assert!(!script.wires.is_empty(), "{} says no transport", script.name);
        for difference in script.steps.iter().flat_map(|step| &step.differences) {
            assert!(
                difference.explained,
                "{} has an unexplained difference",
                script.name
            );
        }
    }
    scripts
}

fn difference(text: &str) -> Difference {
    let (place, shows) = text.split_once("=>").expect("a difference shows something");
    let mut difference = Difference {
        shows: shows.trim().to_owned(),
        ..Difference::default()
    };
    let mut words = place.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "first" => difference.first = words.next().map(Engine::named),
            "second" => difference.second = words.next().map(Engine::named),
            "over" => difference.wires = words.by_ref().map(Wire::named).collect(),
            other => panic!("what is {other}?"),
        }
    }
    difference
}

fn step(line: usize, text: &str) -> Step {
    let (does, shows) = text.split_once("=>").unwrap_or((text, "ok"));
    let mut words = does.split_whitespace().map(str::to_owned);
    let mut next = || words.next().unwrap_or_else(|| panic!("line {line} is too short"));
    Step {
        line,
        text: does.trim().to_owned(),
        verb: next(),
        who: next(),
        words: words.collect(),
        expected: shows.trim().to_owned(),
        differences: Vec::new(),
    }
}

/// The bytes that a word stands for.
pub(crate) fn bytes(word: &str) -> Vec<u8> {
    if word == "-" {
        return Vec::new();
    }
    if let Some(length) = word.strip_prefix('~') {
        return vec![b'~'; length.parse().expect("a length")];
    }
    let mut pieces = word.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).expect("two digits");
        bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
        bytes.extend(rest.as_bytes());
    }
    bytes
}

/// The word that stands for bytes.
pub(crate) fn word(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    if bytes.iter().all(|&byte| byte == b'~') {
        return format!("~{}", bytes.len());
    }
    let letter = |&byte: &u8| match byte {
        b'!'..=b'~' if byte != b'\\' => char::from(byte).to_string(),
        other => format!("\\x{other:02x}"),
    };
    bytes.iter().map(letter).collect()
}

#[test]
fn words_are_bytes_and_back() {
    for text in ["-", "~1", "~70000", "hello", "\\x01a\\x00", "\\x5c"] {
        assert_eq!(word(&bytes(text)), text);
    }
}
