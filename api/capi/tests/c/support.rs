//! What the tests share: the library as programs find it, and a C compiler.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

/// The folder of this crate.
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with `libzmq.so`, `libzmq.so.5` and nothing else; built when first asked for, because cargo does not build a C
/// library for the tests beside it.
pub fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Not the folder of the build that runs this test: the flags may differ, and each would undo the other's work.
        let target = scratch.join("library");
        run(Command::new(env!("CARGO"))
            .args(["build", "--locked", "--package", "ringmq-capi", "--target-dir"])
            .arg(&target)
            .current_dir(home()));
        let folder = scratch.join("lib");
        fs::create_dir_all(&folder).unwrap();
        for name in ["libzmq.so", "libzmq.so.5"] {
            let link = folder.join(name);
            // Several test programs may do this at once; each puts the same link there.
            let fresh = folder.join(format!("{name}.{}", std::process::id()));
            std::os::unix::fs::symlink(target.join("debug/libzmq.so"), &fresh).unwrap();
            fs::rename(&fresh, &link).unwrap();
        }
        folder
    })
}

/// Runs a command, which must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// What a command writes to standard output.
pub fn text(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// A folder of its own for a test.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Compiles a C program of `tests/c/programs` with our header and library.
pub fn compile(name: &str) -> PathBuf {
    let program = scratch("programs").join(name);
    run(Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-pthread"])
        .arg("-DZMQ_BUILD_DRAFT_API")
        .arg("-I")
        .arg(home().join("include"))
        .arg(home().join("tests/c/programs").join(name).with_extension("c"))
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(library())
        .arg("-lzmq"));
    program
}

/// Compiles the same with stock libzmq's header and library.
pub fn compile_with_stock(name: &str) -> PathBuf {
    let program = scratch("stock-programs").join(name);
    run(Command::new("cc")
        .args([
            "-std=gnu11",
            "-w",
            "-g",
            "-pthread",
            "-DZMQ_BUILD_DRAFT_API",
            "-I",
        ])
        .arg(ringmq_stock::INCLUDE)
        .arg(home().join("tests/c/programs").join(name).with_extension("c"))
        .arg("-o")
        .arg(&program)
        .arg(ringmq_stock::LIBRARY)
        .args(["-lstdc++", "-lm"]));
    program
}

/// A command that finds our library under libzmq's name, and is killed if it does not end.
pub fn with_library(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=1", "240"])
        .arg(program)
        .env("LD_LIBRARY_PATH", library());
    command
}
