//! The lock that a binder holds while it takes a path.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::in_use;
use crate::limits;

/// What is added to the path of the socket.
const SUFFIX: &str = ".ringmq-lock";

/// A locked file beside a path. It is removed with the lock; one that a killed process has left behind does no harm, for
/// the lock went with that process, and the next binder removes it.
pub(super) struct PathLock {
    /// Given up when the value is dropped, after the file was removed.
    file: Flock<File>,
    path: PathBuf,
}

impl PathLock {
    /// Takes the lock of `path`; other binders hold it for well under a millisecond.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the lock is held for [`limits::BIND_LOCK_MS`]; the directory is not there, or cannot be written; a file
    /// of another user has the lock's name.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let mut name = OsString::from(path);
        name.push(SUFFIX);
        let lock_path = PathBuf::from(name);
        let deadline = Instant::now() + Duration::from_millis(limits::BIND_LOCK_MS);
        loop {
            let file = open(&lock_path)?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                // Who held it before has removed the file; whoever comes next would lock another one.
                Ok(file) if !is_at(&file, &lock_path) => {}
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path: lock_path,
                    });
                }
                Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => {}
                Err((_, errno)) => return Err(errno.into()),
            }
            if Instant::now() >= deadline {
                return Err(in_use());
            }
            thread::sleep(Duration::from_millis(limits::BIND_LOCK_STEP_MS));
        }
    }
}

impl Drop for PathLock {
    fn drop(&mut self) {
        let is_ours = self
            .file
            .metadata()
            .is_ok_and(|found| found.is_file() && found.len() == 0);
        // A file with content was made by somebody who chose the same name, and stays.
        if is_ours && is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens the file, or makes it. No link is followed, and nothing that is no file is waited for.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(found)) => identity(held) == identity(found),
        _ => false,
    }
}
