//! The file of a bound unix socket: taken without a fight, and removed only if it is ours.
//!
//! A path is free, or a live socket is there, or the socket of a process that has ended, which nobody listens on, or
//! something else altogether. Only the third is replaced, and only under the [lock](super::path_lock) that every binder takes,
//! so that none of them sees another between its bind and its listen and takes that for death.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::AT_FDCWD,
    sys::stat::{FchmodatFlags, Mode, fchmodat},
};
use ringmq_io::{Fd, UnixAddress, UnixOptions, unix_connect_start};

use super::{in_use, path_lock::PathLock};

/// A file that we have made. Dropping it removes it, unless something else is there by then.
///
/// It is to be dropped before the descriptor that listens on it is closed: until then nobody takes the socket for dead, and
/// the kernel gives the file's number to no other file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    /// From the root: the working directory may change.
    path: PathBuf,
    identity: Identity,
    /// The directory that was made for it.
    directory: Option<PathBuf>,
}

/// What tells a file from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Makes the socket at `path` with `listen`, in the place of a dead one if need be, with the whole of `mode`.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if anything but a dead socket is there, or if another binder does not finish; and what `listen` says.
    pub(super) fn claim(
        path: &Path,
        mode: Option<u32>,
        listen: impl Fn() -> io::Result<Fd>,
    ) -> io::Result<(Fd, Option<Self>)> {
        let _lock = PathLock::take(path)?;
        let fd = match listen() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_dead(path)?;
                listen()
            }
            other => other,
        }?;
        let file = Self::found(path, mode, None)?;
        Ok((fd, Some(file)))
    }

    /// Makes the socket `name` with `listen` in `directory`, which was made for it and goes with it.
    pub(super) fn in_own_directory(
        directory: &Path,
        name: &str,
        mode: Option<u32>,
        listen: impl Fn(&Path) -> io::Result<Fd>,
    ) -> io::Result<(Fd, Option<Self>)> {
        let path = directory.join(name);
        let made = listen(&path).and_then(|fd| Ok((fd, Self::found(&path, mode, Some(directory))?)));
        match made {
            Ok((fd, file)) => Ok((fd, Some(file))),
            Err(error) => {
                // It is empty, or has what we have no claim to.
                let _ = fs::remove_dir(directory);
                Err(error)
            }
        }
    }

    /// The file that was just made; widens its mode to what the umask has taken from it.
    fn found(path: &Path, mode: Option<u32>, directory: Option<&Path>) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        let file = Self {
            path: std::path::absolute(path)?,
            identity: identity(&found),
            directory: directory.map(std::path::absolute).transpose()?,
        };
        if let Some(mode) = mode
            && found.permissions().mode() & 0o777 != mode
        {
            let mode = Mode::from_bits_truncate(mode);
            fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?;
        }
        Ok(file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if is_ours {
            // A directory that we may not write any more keeps the file; the next binder finds it dead.
            let _ = fs::remove_file(&self.path);
        }
        if let Some(directory) = &self.directory {
            // Fails, as it should, if somebody has put something there.
            let _ = fs::remove_dir(directory);
        }
    }
}

fn identity(found: &fs::Metadata) -> Identity {
    Identity {
        device: found.dev(),
        inode: found.ino(),
    }
}

/// Removes the socket of a process that has ended.
fn remove_dead(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let address = UnixAddress::Path(path.to_owned());
    let dead = found.file_type().is_socket()
        && unix_connect_start(&address, &UnixOptions::default())
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    // What was looked at, and not what came in its place.
    if dead && identity(&fs::symlink_metadata(path)?) == identity(&found) {
        fs::remove_file(path)
    } else {
        Err(in_use())
    }
}
