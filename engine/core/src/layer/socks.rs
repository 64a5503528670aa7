//! The way through a SOCKS5 proxy (RFC 1928), with a name and a password if need be (RFC 1929).

use std::net::IpAddr;

use super::{Layer, LayerFault};
use crate::endpoint::Host;

const VERSION: u8 = 5;
const CONNECT: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const PASSWORD_VERSION: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Whom the proxy shall connect to, and as whom we ask.
#[derive(Debug, Clone)]
pub(crate) struct SocksTarget {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Name and password, each of at most 255 bytes.
    pub(crate) credentials: Option<(String, String)>,
}

/// The conversation with the proxy. It is done when the proxy has connected us.
pub(crate) struct Socks {
    target: SocksTarget,
    state: State,
    input: Vec<u8>,
    output: Vec<u8>,
    /// What was to be sent before.
    early: Vec<u8>,
}

/// What is awaited from the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Method,
    Verdict,
    Reply,
    Through,
}

impl Socks {
    pub(crate) fn new(target: SocksTarget) -> Self {
        let output = match target.credentials {
            None => vec![VERSION, 1, NO_AUTHENTICATION],
            Some(_) => vec![VERSION, 2, NO_AUTHENTICATION, PASSWORD],
        };
        Self {
            target,
            state: State::Method,
            input: Vec::new(),
            output,
            early: Vec::new(),
        }
    }

    /// Takes one step. False when more has to come first.
    fn step(&mut self) -> Result<bool, LayerFault> {
        let (used, next) = match (self.state, &self.input[..]) {
            (State::Method, &[VERSION, NO_AUTHENTICATION, ..]) => {
                self.ask();
                (2, State::Reply)
            }
            (State::Method, &[VERSION, PASSWORD, ..]) => {
                self.authenticate()?;
                (2, State::Verdict)
            }
            (State::Verdict, &[PASSWORD_VERSION, 0, ..]) => {
                self.ask();
                (2, State::Reply)
            }
            (State::Reply, &[VERSION, 0, _, kind, first, ..]) => {
                let len = match kind {
                    IPV4 => 4,
                    IPV6 => 16,
                    NAME => usize::from(first) + 1,
                    _ => return Err(LayerFault::Proxy),
                };
                // Where the proxy has bound is of no interest.
                let len = 4 + len + 2;
                if self.input.len() < len {
                    return Ok(false);
                }
                self.output.append(&mut self.early);
                (len, State::Through)
            }
            (State::Reply, &[VERSION, 0, ..] | &[VERSION] | &[]) if self.input.len() < 5 => return Ok(false),
            (State::Method, &[VERSION] | &[]) | (State::Verdict, &[PASSWORD_VERSION] | &[]) => {
                return Ok(false);
            }
            _ => return Err(LayerFault::Proxy),
        };
        self.input.drain(..used);
        self.state = next;
        Ok(next != State::Through)
    }

    fn ask(&mut self) {
        self.output.extend_from_slice(&[VERSION, CONNECT, 0]);
        match &self.target.host {
            Host::Ip(IpAddr::V4(v4)) => {
                self.output.push(IPV4);
                self.output.extend_from_slice(&v4.octets());
            }
            Host::Ip(IpAddr::V6(v6)) | Host::Zoned(v6, _) => {
                self.output.push(IPV6);
                self.output.extend_from_slice(&v6.octets());
            }
            other => {
                // The proxy looks names up.
                let name = other.to_string();
                self.output.push(NAME);
                self.push_text(&name);
            }
        }
        self.output.extend_from_slice(&self.target.port.to_be_bytes());
    }

    fn authenticate(&mut self) -> Result<(), LayerFault> {
        let Some((name, password)) = self.target.credentials.take() else {
            return Err(LayerFault::Proxy);
        };
        self.output.push(PASSWORD_VERSION);
        self.push_text(&name);
        self.push_text(&password);
        Ok(())
    }

    fn push_text(&mut self, text: &str) {
        let len = text.len().min(255);
        self.output.push(len as u8);
        self.output.extend_from_slice(&text.as_bytes()[..len]);
    }
}

impl Layer for Socks {
    fn unwrap(&mut self, wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
        if self.state == State::Through {
            plain.extend_from_slice(wire);
            return Ok(());
        }
        self.input.extend_from_slice(wire);
        while self.step()? {}
        if self.state == State::Through {
            plain.append(&mut self.input);
        }
        Ok(())
    }

    fn wrap(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        wire.append(&mut self.output);
        if self.state == State::Through {
            wire.extend_from_slice(plain);
        } else {
            self.early.extend_from_slice(plain);
        }
    }

    fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    fn is_done(&self) -> bool {
        self.state == State::Through
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(target: SocksTarget, exchange: &[(&[u8], &[u8])]) -> Result<(Socks, Vec<u8>), LayerFault> {
        let mut socks = Socks::new(target);
        let mut plain = Vec::new();
        let mut wire = Vec::new();
        socks.wrap(b"greeting", &mut wire);
        for (asked, answer) in exchange {
            assert_eq!(wire, *asked);
            wire.clear();
            // In pieces, which make no difference.
            for byte in *answer {
                socks.unwrap(&[*byte], &mut plain)?;
            }
            socks.wrap(&[], &mut wire);
        }
        assert_eq!(wire, b"greeting");
        Ok((socks, plain))
    }

    fn target(host: Host, credentials: Option<(&str, &str)>) -> SocksTarget {
        SocksTarget {
            host,
            port: 0x1234,
            credentials: credentials.map(|(name, password)| (name.into(), password.into())),
        }
    }

    #[test]
    fn the_proxy_connects_to_addresses_and_names() {
        let bound = b"\x05\0\0\x01\0\0\0\0\0\0";
        for (host, asked) in [
            (
                Host::Ip([1, 2, 3, 4].into()),
                &b"\x05\x01\0\x01\x01\x02\x03\x04\x12\x34"[..],
            ),
            (
                Host::Name("example.org".into()),
                b"\x05\x01\0\x03\x0bexample.org\x12\x34",
            ),
            (
                Host::Ip("::1".parse().unwrap()),
                b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34",
            ),
        ] {
            let exchange = [(&b"\x05\x01\0"[..], &b"\x05\0"[..]), (asked, bound)];
            let (mut socks, plain) = through(target(host, None), &exchange).unwrap();
            assert!(socks.is_done() && plain.is_empty());
            let (mut plain, mut wire) = (Vec::new(), Vec::new());
            socks.unwrap(b"hello", &mut plain).unwrap();
            socks.wrap(b"world", &mut wire);
            assert_eq!((&plain[..], &wire[..]), (&b"hello"[..], &b"world"[..]));
        }
    }

    #[test]
    fn a_name_and_a_password_are_given_when_asked_for() {
        let bound = b"\x05\0\0\x03\x01x\0\0early";
        let exchange = [
            (&b"\x05\x02\0\x02"[..], &b"\x05\x02"[..]),
            (b"\x01\x05alice\x03key", b"\x01\0"),
            (b"\x05\x01\0\x03\x01h\x12\x34", bound),
        ];
        let host = Host::Name("h".into());
        let (_, plain) = through(target(host, Some(("alice", "key"))), &exchange).unwrap();
        assert_eq!(plain, b"early", "what follows the reply is the peer's");
    }

    #[test]
    fn a_proxy_that_refuses_or_speaks_something_else_is_a_fault() {
        let first = &b"\x05\x01\0"[..];
        let asked = &b"\x05\x01\0\x03\x01h\x12\x34"[..];
        for exchange in [
            &[(first, &b"\x05\xFF"[..])][..],
            &[(first, b"\x04\0")],
            &[(first, b"HTTP")],
            &[(first, b"\x05\x02")],
            &[(first, b"\x05\0"), (asked, b"\x05\x05\0\x01\0\0\0\0\0\0")],
            &[(first, b"\x05\0"), (asked, b"\x05\0\0\x09\0")],
        ] {
            let outcome = through(target(Host::Name("h".into()), None), exchange);
            assert_eq!(outcome.err(), Some(LayerFault::Proxy), "{exchange:?}");
        }
    }
}
