//! Arrows point down, and unsafe code stays where it may be.

use crate::tree::{read, root, rust_files};

/// Every crate of the engine with the ones that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("engine/queue", &[]),
    ("engine/message", &["ringmq-queue"]),
    ("engine/zmtp", &[]),
    ("engine/io", &["ringmq-queue"]),
    ("shm", &["ringmq-queue"]),
    (
        "engine/core",
        &[
            "ringmq-queue",
            "ringmq-message",
            "ringmq-zmtp",
            "ringmq-io",
            "ringmq-shm",
        ],
    ),
    ("api", &["ringmq-core", "ringmq-message"]),
    ("api/capi", &["ringmq-core", "ringmq-message", "ringmq-queue"]),
];

/// Folders without a line of unsafe code.
const SAFE: &[&str] = &[
    "engine/zmtp",
    "engine/core",
    "api/src",
    "benches",
    "perf",
    "tests/src",
    "tests/interop",
    "tests/gates",
];

/// The crates of this project that a manifest names as dependencies of the built library.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && !section.contains("dev-")
            && line.starts_with("ringmq")
        {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn dependencies_point_down() {
    for (folder, allowed) in MAY_USE {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        for name in dependencies(&manifest) {
            assert!(allowed.contains(&name.as_str()), "{folder} must not use {name}");
        }
    }
}

#[test]
fn manifests_are_understood() {
    let manifest = "[dependencies]\nringmq-core.workspace = true\nlibc = \"1\"\n\
                    [dev-dependencies]\nringmq-stock.workspace = true\n\
                    [target.'cfg(loom)'.dependencies]\nringmq-io = { path = \"x\" }\n";
    assert_eq!(dependencies(manifest), ["ringmq-core", "ringmq-io"]);
}

#[test]
fn unsafe_code_stays_in_its_crates() {
    // Put together here, so that this file does not contain what it looks for.
    let keyword = ["uns", "afe"].concat();
    let forms = ["{", "fn", "impl", "extern"].map(|next| format!("{keyword} {next}"));
    for path in SAFE.iter().flat_map(|folder| rust_files(folder)) {
        for (number, line) in read(&path).lines().enumerate() {
            let found = forms.iter().any(|form| line.contains(form.as_str()));
            assert!(!found, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["db", "g!("],
        ["todo", "!("],
        ["unimplemented", "!("],
    ];
    for path in ["engine", "shm", "api", "benches", "perf", "tests"]
        .iter()
        .flat_map(|folder| rust_files(folder))
    {
        for (number, line) in read(&path).lines().enumerate() {
            let found = words.iter().any(|word| line.contains(&word.concat()));
            assert!(!found, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}
