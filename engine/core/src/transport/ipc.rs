//! ipc: ZMTP over unix stream sockets, between processes of one machine.

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::unistd::{geteuid, mkdtemp};
use ringmq_io::{
    Address, Credentials, Fd, UNIX_NAME_MAX, UnixAddress, UnixOptions, peer_credentials, peer_groups,
    unix_connect_start, unix_listen,
};

use super::{Listening, SocketFile, Transport, clamp};
use crate::{
    endpoint::IpcEndpoint,
    error::{EndpointFault, Error},
    monitor::Side,
    options::Options,
};

fn unix_options(options: &Options) -> UnixOptions {
    UnixOptions {
        send_buffer_bytes: options.send_buffer.map(|bytes| clamp(bytes.into())),
        receive_buffer_bytes: options.receive_buffer.map(|bytes| clamp(bytes.into())),
    }
}

fn listen_at(address: &UnixAddress, options: &Options) -> io::Result<Fd> {
    let backlog = clamp(options.backlog.into());
    unix_listen(address, &unix_options(options), options.ipc_mode, backlog)
}

impl Transport for IpcEndpoint {
    fn is_local(&self) -> bool {
        true
    }

    fn listen(&self, text: &str, options: &Options, given: Option<Fd>) -> Result<Listening, Error> {
        if let Some(fd) = given {
            // Its file is its maker's.
            return Ok(Listening::new(fd, None)?);
        }
        let at_path = |path: &Path| listen_at(&UnixAddress::Path(path.to_owned()), options);
        let listening = match self {
            Self::Path(path) => {
                let path = Path::new(path);
                SocketFile::claim(path, options.ipc_mode, || at_path(path))
            }
            Self::Wildcard => {
                let directory = own_directory(text)?;
                SocketFile::in_own_directory(&directory, "socket", options.ipc_mode, at_path)
            }
            Self::Abstract(name) => {
                listen_at(&UnixAddress::Abstract(name.clone().into_bytes()), options).map(|fd| (fd, None))
            }
        };
        let (fd, file) = listening.map_err(|error| Error::from_bind(text, error))?;
        Ok(Listening::new(fd, file)?)
    }

    /// Whether anybody listens shows when it is tried, and may change.
    fn check_connect(&self, _: &Options) -> Result<(), Error> {
        Ok(())
    }

    fn literal_address(&self) -> Option<Address> {
        let address = match self {
            Self::Path(path) => UnixAddress::Path(PathBuf::from(path)),
            Self::Abstract(name) => UnixAddress::Abstract(name.clone().into_bytes()),
            Self::Wildcard => return None,
        };
        Some(address.into())
    }

    fn look_up(&self, _: bool) -> Result<Vec<Address>, Error> {
        let address = self.literal_address();
        address
            .map(|address| vec![address])
            .ok_or_else(|| Error::InvalidEndpoint {
                endpoint: format!("ipc://{self}"),
                why: EndpointFault::WildcardPath,
            })
    }

    fn connect(&self, address: &Address, options: &Options) -> Result<(Fd, bool), Error> {
        match address {
            Address::Unix(address) => Ok(unix_connect_start(address, &unix_options(options))?),
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT).into()),
        }
    }

    fn credentials(&self, connection: &Fd) -> io::Result<Option<Credentials>> {
        peer_credentials(connection).map(Some)
    }

    fn admit(
        &self,
        connection: &Fd,
        side: Side,
        peer: Option<&Credentials>,
        options: &Options,
    ) -> io::Result<()> {
        let known = peer.is_some_and(|peer| match side {
            Side::Bind if has_filters(options) => passes_filters(connection, peer, options),
            _ => !options.ipc_same_user || peer.uid == geteuid().as_raw() || peer.uid == 0,
        });
        if known {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::EACCES))
        }
    }
}

fn has_filters(options: &Options) -> bool {
    !(options.ipc_filter_pid.is_empty()
        && options.ipc_filter_uid.is_empty()
        && options.ipc_filter_gid.is_empty())
}

/// Whether any list names the peer. The groups are those that its process has, and not those that a data base grants its
/// user, because the data base may be far away and the worker must not wait.
fn passes_filters(connection: &Fd, peer: &Credentials, options: &Options) -> bool {
    let groups = &options.ipc_filter_gid;
    options.ipc_filter_pid.contains(&peer.pid.cast_unsigned())
        || options.ipc_filter_uid.contains(&peer.uid)
        || groups.contains(&peer.gid)
        || !groups.is_empty()
            && peer_groups(connection).is_ok_and(|of_peer| of_peer.iter().any(|group| groups.contains(group)))
}

/// A new directory, for us alone, in the first of the usual places for such.
fn own_directory(text: &str) -> Result<PathBuf, Error> {
    let places = ["TMPDIR", "TEMPDIR", "TMP"].map(|name| std::env::var(name).ok());
    let place = places
        .into_iter()
        .flatten()
        .find(|place| Path::new(place).is_dir());
    let template = Path::new(place.as_deref().unwrap_or("")).join("tmpXXXXXX");
    if template.join("socket").as_os_str().len() > UNIX_NAME_MAX {
        return Err(Error::InvalidEndpoint {
            endpoint: text.to_owned(),
            why: EndpointFault::PathTooLong,
        });
    }
    mkdtemp(&template).map_err(|errno| Error::from_bind(text, errno.into()))
}
