//! Which driver was asked for, and why io_uring could not be had.

use std::{error::Error, fmt, io};

/// The environment variable that [`DriverChoice::Auto`] obeys.
const VARIABLE: &str = "RINGMQ_IO";

/// Which driver to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriverChoice {
    /// What the environment variable `RINGMQ_IO` says (`uring`, `epoll` or `auto`); without it io_uring, or epoll
    /// where io_uring is refused.
    #[default]
    Auto,
    /// io_uring or an error.
    Uring,
    /// epoll.
    Epoll,
}

impl DriverChoice {
    /// Reads `RINGMQ_IO`; unset, empty and `auto` mean [`DriverChoice::Auto`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` for any other value than `uring`, `epoll` and `auto`.
    pub fn from_env() -> io::Result<Self> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Self::Auto),
            Some(value) => Self::parse(&value.to_string_lossy()),
        }
    }

    pub(crate) fn parse(value: &str) -> io::Result<Self> {
        match value {
            "" | "auto" => Ok(Self::Auto),
            "uring" => Ok(Self::Uring),
            "epoll" => Ok(Self::Epoll),
            other => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                UnknownChoice(other.to_owned()),
            )),
        }
    }
}

/// Which driver was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverKind {
    /// Operations are handed to io_uring.
    Uring,
    /// Readiness is awaited with epoll and the calls are made by the driver.
    Epoll,
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Uring => "io_uring",
            Self::Epoll => "epoll",
        })
    }
}

/// Why [`DriverChoice::Auto`] ended with epoll.
#[derive(Debug)]
pub enum FallbackReason {
    /// The kernel, a seccomp filter or a limit refused to create a ring.
    Refused(io::Error),
    /// A ring was created, but this kernel lacks something that the driver relies on.
    Missing(&'static str),
    /// A ring was created, but an ordinary operation on it failed.
    SelfTest(io::Error),
}

impl fmt::Display for FallbackReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "io_uring is refused: {error}"),
            Self::Missing(what) => write!(f, "io_uring of this kernel lacks {what}"),
            Self::SelfTest(error) => write!(f, "io_uring failed its self-test: {error}"),
        }
    }
}

impl Error for FallbackReason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) | Self::SelfTest(error) => Some(error),
            Self::Missing(_) => None,
        }
    }
}

impl From<FallbackReason> for io::Error {
    fn from(reason: FallbackReason) -> Self {
        let kind = match &reason {
            FallbackReason::Refused(error) | FallbackReason::SelfTest(error) => error.kind(),
            FallbackReason::Missing(_) => io::ErrorKind::Unsupported,
        };
        io::Error::new(kind, reason)
    }
}

/// A value of `RINGMQ_IO` that means nothing.
#[derive(Debug)]
struct UnknownChoice(String);

impl fmt::Display for UnknownChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = self;
        write!(f, "{VARIABLE} must be `uring`, `epoll` or `auto`, not `{value}`")
    }
}

impl Error for UnknownChoice {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_choice_names_itself_and_the_variable() {
        let error = DriverChoice::parse("kqueue").expect_err("no such driver");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(text.contains("RINGMQ_IO") && text.contains("kqueue"), "{text}");
    }

    #[test]
    fn known_choices_are_parsed() {
        for (value, choice) in [
            ("", DriverChoice::Auto),
            ("auto", DriverChoice::Auto),
            ("uring", DriverChoice::Uring),
            ("epoll", DriverChoice::Epoll),
        ] {
            assert_eq!(DriverChoice::parse(value).expect("known"), choice);
        }
    }

    #[test]
    fn a_refusal_keeps_its_error_kind() {
        let refused = FallbackReason::Refused(io::Error::from_raw_os_error(libc::EPERM));
        assert_eq!(io::Error::from(refused).kind(), io::ErrorKind::PermissionDenied);
    }
}
