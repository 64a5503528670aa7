//! The opening handshake of a WebSocket (RFC 6455 section 4), as ZeroMQ uses it (RFC 45).

use tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::LayerFault;
use crate::limits;

/// How the peers greet each other once the WebSocket is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// By the handshake of the mechanism NULL.
    Null,
    /// By a message that is the routing id.
    Bare,
}

impl Protocol {
    /// All that we speak, the best first.
    const ALL: [Self; 2] = [Self::Null, Self::Bare];

    fn name(self) -> &'static str {
        match self {
            Self::Null => "ZWS2.0/NULL",
            Self::Bare => "ZWS2.0",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }
}

/// What a client asks, and the key that the answer has to fit.
pub(super) fn request(host: &str, path: &str) -> (Vec<u8>, String) {
    let key = generate_key();
    let offer = Protocol::ALL.map(Protocol::name).join(",");
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {offer}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    (text.into_bytes(), key)
}

/// Judges what a client asks: the length of it, the answer, and what is spoken then. `None`: it is not complete.
pub(super) fn answer(head: &[u8]) -> Result<Option<(usize, Vec<u8>, Protocol)>, LayerFault> {
    let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(head).map_err(|_| LayerFault::WebSocket)?;
    let httparse::Status::Complete(len) = parsed else {
        return Ok(None);
    };
    if request.method != Some("GET") || request.version != Some(1) {
        return Err(LayerFault::WebSocket);
    }
    let headers = Headers(request.headers);
    headers.check_upgrade()?;
    if headers.one("Sec-WebSocket-Version") != Some("13") {
        return Err(LayerFault::WebSocket);
    }
    let key = headers.one("Sec-WebSocket-Key").ok_or(LayerFault::WebSocket)?;
    let offered = |protocol: &Protocol| headers.lists("Sec-WebSocket-Protocol", protocol.name());
    let protocol = Protocol::ALL.into_iter().find(offered);
    let protocol = protocol.ok_or(LayerFault::WebSocket)?;
    let text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        derive_accept_key(key.as_bytes()),
        protocol.name()
    );
    Ok(Some((len, text.into_bytes(), protocol)))
}

/// What a server answers to a request that it does not take.
pub(super) const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Judges what a server answers: the length of it, and what is spoken then. `None`: it is not complete.
pub(super) fn accepted(head: &[u8], key: &str) -> Result<Option<(usize, Protocol)>, LayerFault> {
    let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(head).map_err(|_| LayerFault::WebSocket)?;
    let httparse::Status::Complete(len) = parsed else {
        return Ok(None);
    };
    let headers = Headers(response.headers);
    headers.check_upgrade()?;
    let expected = derive_accept_key(key.as_bytes());
    if response.code != Some(101) || headers.one("Sec-WebSocket-Accept") != Some(&expected) {
        return Err(LayerFault::WebSocket);
    }
    let chosen = headers.one("Sec-WebSocket-Protocol");
    let protocol = chosen.and_then(Protocol::from_name);
    Ok(Some((len, protocol.ok_or(LayerFault::WebSocket)?)))
}

/// The headers of a request or an answer.
struct Headers<'a>(&'a [httparse::Header<'a>]);

impl<'a> Headers<'a> {
    fn values(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self
            .0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.filter_map(|header| std::str::from_utf8(header.value).ok().map(str::trim))
    }

    /// The value of a header that must not occur twice.
    fn one(&self, name: &'a str) -> Option<&'a str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether a list, over all headers of that name, has an item.
    fn lists(&self, name: &'a str, item: &str) -> bool {
        self.values(name)
            .flat_map(|list| list.split(','))
            .any(|other| other.trim().eq_ignore_ascii_case(item))
    }

    fn check_upgrade(&self) -> Result<(), LayerFault> {
        if self.lists("Upgrade", "websocket") && self.lists("Connection", "Upgrade") {
            Ok(())
        } else {
            Err(LayerFault::WebSocket)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn ask(extra: &str) -> String {
        format!(
            "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n\
             Sec-WebSocket-Version: 13\r\n{extra}\r\n"
        )
    }

    #[test]
    fn a_request_is_answered_as_the_rfc_says() {
        let keyed = format!("Sec-WebSocket-Key: {KEY}\r\n");
        for (offer, protocol) in [
            ("Sec-WebSocket-Protocol: ZWS2.0\r\n", Protocol::Bare),
            (
                "Sec-WebSocket-Protocol: chat, ZWS2.0, ZWS2.0/NULL\r\n",
                Protocol::Null,
            ),
            (
                "sec-websocket-protocol: chat\r\nsec-websocket-protocol: ZWS2.0\r\n",
                Protocol::Bare,
            ),
        ] {
            let text = ask(&format!("{keyed}{offer}"));
            for cut in 0..text.len() {
                assert_eq!(answer(&text.as_bytes()[..cut]), Ok(None));
            }
            let with_more = format!("{text}more");
            let (len, answer, chosen) = answer(with_more.as_bytes()).unwrap().unwrap();
            assert_eq!((len, chosen), (text.len(), protocol));
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.contains(&format!("Sec-WebSocket-Accept: {ACCEPT}\r\n")));
            let found = accepted(answer.as_bytes(), KEY).unwrap();
            assert_eq!(found, Some((answer.len(), protocol)));
        }
    }

    #[test]
    fn our_request_is_one_that_we_take() {
        let (text, key) = request("example.org:80", "/zeromq");
        let (len, answered, protocol) = answer(&text).unwrap().unwrap();
        assert_eq!((len, protocol), (text.len(), Protocol::Null));
        assert!(accepted(&answered, &key).unwrap().is_some());
        assert_eq!(
            accepted(&answered, KEY),
            Err(LayerFault::WebSocket),
            "another key"
        );
    }

    #[test]
    fn what_is_no_upgrade_is_refused() {
        let good = format!("Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: ZWS2.0\r\n");
        let text = ask(&good);
        for (what, by) in [
            ("GET", "POST"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("WebSocket\r\n", "h2c\r\n"),
            ("upgrade\r\n", "close\r\n"),
            ("Version: 13", "Version: 8"),
            ("ZWS2.0", "ZWS1.0"),
            ("Sec-WebSocket-Key:", "Sec-WebSocket-Quay:"),
            ("Host: x", &format!("Sec-WebSocket-Key: {KEY}")),
            ("GET /chat", "\u{0}GET /chat"),
        ] {
            let wrong = text.replacen(what, by, 1);
            assert_ne!(wrong, text);
            assert_eq!(answer(wrong.as_bytes()), Err(LayerFault::WebSocket), "{by:?}");
        }
        let crowd: String = (0..limits::HTTP_HEADERS_MAX)
            .map(|n| format!("X-{n}: y\r\n"))
            .collect();
        assert_eq!(answer(ask(&crowd).as_bytes()), Err(LayerFault::WebSocket));
        for response in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "SSH-2.0-x\r\n",
        ] {
            assert_eq!(
                accepted(response.as_bytes(), KEY),
                Err(LayerFault::WebSocket),
                "{response}"
            );
        }
    }
}
