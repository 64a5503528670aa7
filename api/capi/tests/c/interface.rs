//! The interface is libzmq's: constants, structures and symbols compared with stock header and library.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::support::{home, library, run, scratch, text};

/// Macros of one header that mean nothing to programs, or differ on purpose.
const OTHERWISE: &[&str] = &["ZMQ_VERSION_PATCH", "ZMQ_EXPORT"];

/// The macros that a header defines, the names only.
fn macros(include: &Path, draft: bool) -> BTreeSet<String> {
    let mut command = Command::new("cc");
    command.args(["-E", "-dM", "-I"]).arg(include);
    if draft {
        command.arg("-DZMQ_BUILD_DRAFT_API");
    }
    let all = text(command.arg(include.join("zmq.h")));
    all.lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split([' ', '(']).next())
        .filter(|name| {
            let own = ["EFSM", "ENOCOMPATPROTO", "ETERM", "EMTHREAD"];
            name.starts_with("ZMQ_") || own.contains(name)
        })
        .filter(|name| !OTHERWISE.contains(name))
        .map(str::to_owned)
        .collect()
}

/// What a program prints that is compiled with a header and not linked with a library.
fn print(include: &Path, name: &str, body: &str) -> String {
    let folder = scratch("interface");
    let source = folder.join(name).with_extension("c");
    let program = folder.join(name);
    let code = format!(
        "#define ZMQ_BUILD_DRAFT_API\n#include <zmq.h>\n#include <stdio.h>\n#include <stddef.h>\n\
         #define NUMBER(x) _Generic((x), char *: 0, default: (x))\n\
         int main(void) {{\n{body}\nreturn 0; }}\n"
    );
    fs::write(&source, code).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-w", "-I"]).arg(include).arg(&source).arg("-o");
    run(compiler.arg(&program));
    text(&mut Command::new(program))
}

/// Both headers' answers to the same program.
fn same(name: &str, body: &str) {
    let ours = print(&home().join("include"), &format!("{name}_ours"), body);
    let stock = print(Path::new(ringmq_stock::INCLUDE), &format!("{name}_stock"), body);
    assert!(!ours.is_empty());
    assert_eq!(ours, stock);
}

#[test]
fn both_headers_define_the_same_names() {
    for draft in [false, true] {
        let ours = macros(&home().join("include"), draft);
        let stock = macros(Path::new(ringmq_stock::INCLUDE), draft);
        assert!(stock.len() > 150, "{stock:?}");
        assert_eq!(ours, stock);
    }
}

#[test]
fn constants_have_the_same_values() {
    let mut body = String::new();
    for name in macros(Path::new(ringmq_stock::INCLUDE), true) {
        let line = match &*name {
            // Without a value, or with arguments, or made of the version, which is tested by itself.
            "ZMQ_HAVE_POLLER" | "ZMQ_HAVE_TIMERS" | "ZMQ_BUILD_DRAFT_API" | "ZMQ_VERSION" => continue,
            "ZMQ_MAKE_VERSION" => "printf(\"%d\\n\", ZMQ_MAKE_VERSION(4, 3, 7));\n".into(),
            text if text.starts_with("ZMQ_MSG_PROPERTY") => format!("puts({text});\n"),
            number => format!("printf(\"{number} %lld\\n\", (long long) {number});\n"),
        };
        body.push_str(&line);
    }
    same("constants", &body);
}

#[test]
fn structures_have_the_same_sizes_and_offsets() {
    let mut body = String::new();
    for (name, fields) in [
        ("zmq_msg_t", &["_"][..]),
        ("zmq_pollitem_t", &["socket", "fd", "events", "revents"]),
        ("zmq_poller_event_t", &["socket", "fd", "user_data", "events"]),
        ("zmq_fd_t", &[]),
    ] {
        body.push_str(&format!(
            "printf(\"{name} %zu %zu\\n\", sizeof({name}), _Alignof({name}));\n"
        ));
        for field in fields {
            body.push_str(&format!(
                "printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));\n"
            ));
        }
    }
    same("structures", &body);
}

/// Every function declared by both headers takes and returns the same: a program that includes both would not compile
/// otherwise.
#[test]
fn declarations_agree() {
    let source = scratch("interface").join("declarations.c");
    let ours = home().join("include/zmq.h");
    let stock = Path::new(ringmq_stock::INCLUDE).join("zmq.h");
    // The types are the same by another test, and may not be defined twice.
    let code = text(
        Command::new("cc")
            .args(["-E", "-P", "-DZMQ_BUILD_DRAFT_API"])
            .arg(&stock),
    );
    let declarations: Vec<_> = code
        .split(';')
        .map(str::trim)
        .filter(|statement| statement.contains("zmq_") && statement.contains("visibility"))
        .map(|statement| format!("{statement};\n"))
        .collect();
    assert!(declarations.len() > 90, "{}", declarations.len());
    let code = format!(
        "#define ZMQ_BUILD_DRAFT_API\n#include \"{}\"\n{}",
        ours.display(),
        declarations.concat()
    );
    fs::write(&source, code).unwrap();
    run(Command::new("cc").args(["-fsyntax-only", "-Werror"]).arg(&source));
}

/// The functions that a library defines for others.
fn symbols(arguments: &[&str], library: &Path) -> BTreeSet<String> {
    let listing = text(Command::new("nm").args(arguments).arg(library));
    let symbol = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, name) = (words.next()?, words.next()?);
        (kind.len() == 1 && "TWBDRV".contains(kind)).then(|| name.to_owned())
    };
    listing.lines().filter_map(symbol).collect()
}

#[test]
fn the_exported_symbols_are_stocks_and_no_others() {
    let mut stock = symbols(&["--defined-only"], Path::new(ringmq_stock::LIBRARY));
    stock.retain(|name| name.starts_with("zmq_"));
    assert_eq!(stock.len(), 70 + 26, "{stock:?}");
    // Since libzmq 4.3.6.
    stock.insert("zmq_disconnect_peer".into());
    let ours = symbols(&["--dynamic", "--defined-only"], &library().join("libzmq.so.5"));
    assert_eq!(ours, stock);
}

#[test]
fn the_library_has_libzmqs_name() {
    let dynamic = text(
        Command::new("readelf")
            .arg("--dynamic")
            .arg(library().join("libzmq.so.5")),
    );
    assert!(dynamic.contains("[libzmq.so.5]"), "{dynamic}");
}
