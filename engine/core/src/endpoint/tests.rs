use super::*;
use proptest::prelude::*;

fn tcp(host: Host, port: Port) -> Endpoint {
    Endpoint::Tcp(TcpEndpoint {
        host,
        port,
        source: None,
    })
}

fn ip(text: &str) -> Host {
    Host::Ip(text.parse().unwrap())
}

fn name(text: &str) -> Host {
    Host::Name(text.into())
}

fn bind(text: &str) -> TcpEndpoint {
    let Endpoint::Tcp(tcp) = Endpoint::parse_bind(text).unwrap() else {
        panic!("{text} is no tcp endpoint")
    };
    tcp
}

fn connect(text: &str) -> TcpEndpoint {
    let Endpoint::Tcp(tcp) = Endpoint::parse_connect(text).unwrap() else {
        panic!("{text} is no tcp endpoint")
    };
    tcp
}

fn fault(parsed: Result<Endpoint, Error>) -> EndpointFault {
    match parsed {
        Err(Error::InvalidEndpoint { why, .. }) => why,
        other => panic!("not an invalid endpoint: {other:?}"),
    }
}

#[test]
fn endpoints_to_bind() {
    let zoned = Host::Zoned("fe80::1".parse().unwrap(), "eth0".into());
    let rows = [
        ("tcp://*:5555", Host::Any, Port::Number(5555)),
        ("tcp://*:*", Host::Any, Port::Wildcard),
        ("tcp://*:0", Host::Any, Port::Wildcard),
        ("tcp://127.0.0.1:1", ip("127.0.0.1"), Port::Number(1)),
        ("tcp://127.0.0.1:65535", ip("127.0.0.1"), Port::Number(65535)),
        ("tcp://127.0.0.1:0080", ip("127.0.0.1"), Port::Number(80)),
        ("tcp://[::1]:5555", ip("::1"), Port::Number(5555)),
        ("tcp://[::]:*", ip("::"), Port::Wildcard),
        ("tcp://::1:5555", ip("::1"), Port::Number(5555)),
        ("tcp://[::ffff:1.2.3.4]:5", ip("::ffff:1.2.3.4"), Port::Number(5)),
        ("tcp://[fe80::1%eth0]:5555", zoned, Port::Number(5555)),
        (
            "tcp://[fe80::1%3]:5555",
            Host::Zoned("fe80::1".parse().unwrap(), "3".into()),
            Port::Number(5555),
        ),
        ("tcp://lo:5555", name("lo"), Port::Number(5555)),
        ("tcp://eth0.100:*", name("eth0.100"), Port::Wildcard),
        (
            "tcp://my_host-1.example.org:80",
            name("my_host-1.example.org"),
            Port::Number(80),
        ),
    ];
    for (text, host, port) in rows {
        assert_eq!(Endpoint::parse_bind(text).unwrap(), tcp(host, port), "{text}");
    }
}

#[test]
fn endpoints_to_connect() {
    assert_eq!(
        Endpoint::parse_connect("tcp://localhost:5555").unwrap(),
        tcp(name("localhost"), Port::Number(5555))
    );
    let rows = [
        ("tcp://10.0.0.1:0;h:5", ip("10.0.0.1"), Port::Wildcard),
        ("tcp://10.0.0.1:*;h:5", ip("10.0.0.1"), Port::Wildcard),
        ("tcp://10.0.0.1;h:5", ip("10.0.0.1"), Port::Wildcard),
        ("tcp://*:4000;h:5", Host::Any, Port::Number(4000)),
        ("tcp://eth0:4000;h:5", name("eth0"), Port::Number(4000)),
        ("tcp://[::1]:4000;h:5", ip("::1"), Port::Number(4000)),
        ("tcp://[::1];h:5", ip("::1"), Port::Wildcard),
    ];
    for (text, host, port) in rows {
        let endpoint = connect(text);
        assert_eq!(
            (endpoint.host, endpoint.port),
            (name("h"), Port::Number(5)),
            "{text}"
        );
        assert_eq!(endpoint.source, Some(TcpSource { host, port }), "{text}");
    }
}

#[test]
fn malformed_for_both() {
    use EndpointFault::*;
    let rows = [
        ("", NoScheme),
        ("tcp", NoScheme),
        ("tcp:", NoScheme),
        ("tcp:/127.0.0.1:1", NoScheme),
        ("://127.0.0.1:1", NoScheme),
        ("127.0.0.1:1", NoScheme),
        ("tcp://", NoAddress),
        ("ipc://", NoAddress),
        ("inproc://", NoAddress),
        ("nosuch://", NoAddress),
        ("tcp://127.0.0.1:1\0", EmbeddedNul),
        ("ipc://a\0b", EmbeddedNul),
        ("tcp://*", NoPort),
        ("tcp://localhost", NoPort),
        ("tcp://localhost:", NoPort),
        ("tcp://:", NoPort),
        ("tcp://:::", NoPort),
        ("tcp://[::1]", NoPort),
        ("tcp://[::1]:", NoPort),
        ("tcp://a:1;", NoPort),
        ("tcp://localhost:65536", InvalidPort),
        ("tcp://localhost:99999999999999999999", InvalidPort),
        ("tcp://localhost:-1", InvalidPort),
        ("tcp://localhost:+1", InvalidPort),
        ("tcp://localhost: 1", InvalidPort),
        ("tcp://localhost:1 ", InvalidPort),
        ("tcp://localhost:0x50", InvalidPort),
        ("tcp://localhost:invalid", InvalidPort),
        ("tcp://localhost:1/path", InvalidPort),
        ("tcp://localhost:!", InvalidPort),
        ("tcp://localhost:**", InvalidPort),
        ("tcp://localhost:٣", InvalidPort),
        ("tcp://:5555", NoHost),
        ("tcp://in val id:1234", InvalidHost),
        ("tcp://%:9", InvalidZone),
        ("tcp://**:9", InvalidHost),
        ("tcp://host,other:9", InvalidHost),
        ("tcp://höst:9", InvalidHost),
        ("tcp:////:9", InvalidHost),
        ("tcp://a:b:9", InvalidHost),
        ("tcp://[::1:9", InvalidBrackets),
        ("tcp://::1]:9", InvalidBrackets),
        ("tcp://[]:9", InvalidBrackets),
        ("tcp://[127.0.0.1]:9", InvalidBrackets),
        ("tcp://[localhost]:9", InvalidBrackets),
        ("tcp://[[::1]]:9", InvalidBrackets),
        ("tcp://[::1%]:9", InvalidZone),
        ("tcp://[::1%0]:9", InvalidZone),
        ("tcp://[::1%eth0%1]:9", InvalidZone),
        ("tcp://127.0.0.1%lo:9", InvalidZone),
    ];
    for (text, why) in rows {
        assert_eq!(fault(Endpoint::parse_bind(text)), why, "bind {text:?}");
        assert_eq!(fault(Endpoint::parse_connect(text)), why, "connect {text:?}");
    }
    let long = format!("tcp://{}:1", "L".repeat(254));
    assert_eq!(fault(Endpoint::parse_connect(&long)), InvalidHost);
}

#[test]
fn malformed_for_one() {
    use EndpointFault::*;
    assert_eq!(fault(Endpoint::parse_connect("tcp://*:5555")), WildcardHost);
    assert_eq!(fault(Endpoint::parse_connect("tcp://localhost:*")), WildcardPort);
    assert_eq!(fault(Endpoint::parse_connect("tcp://localhost:0")), WildcardPort);
    assert_eq!(
        fault(Endpoint::parse_bind("tcp://lo:0;localhost:1")),
        SourceOnBind
    );
    for source in [
        "",
        ":",
        ":1",
        "eth0:",
        "eth0:x",
        "eth0:65536",
        "a;b",
        "[::1",
        "in val id",
    ] {
        assert_eq!(
            fault(Endpoint::parse_connect(&format!("tcp://{source};h:5"))),
            InvalidSource,
            "{source:?}"
        );
    }
}

#[test]
fn datagram_endpoints_are_read_and_shown_as_they_were_given() {
    let parsed = |text: &str| {
        let both = [Endpoint::parse_bind(text), Endpoint::parse_connect(text)];
        both.map(|outcome| match outcome {
            Ok(Endpoint::Udp(udp)) => {
                assert_eq!(format!("udp://{udp}"), text);
                Ok((udp.interface, udp.host, udp.port))
            }
            Err(Error::InvalidEndpoint { why, .. }) => Err(why),
            other => panic!("{text}: {other:?}"),
        })
    };
    let port = Port::Number(5555);
    let lo = Some(name("lo"));
    assert_eq!(
        parsed("udp://127.0.0.1:5555")[0],
        Ok((None, ip("127.0.0.1"), port))
    );
    assert_eq!(
        parsed("udp://239.1.1.1:5555")[1],
        Ok((None, ip("239.1.1.1"), port))
    );
    assert_eq!(
        parsed("udp://lo;239.1.1.1:5555")[0],
        Ok((lo.clone(), ip("239.1.1.1"), port))
    );
    assert_eq!(
        parsed("udp://lo;[ff02::1]:5555")[1],
        Ok((lo, ip("ff02::1"), port))
    );
    assert_eq!(
        parsed("udp://*;239.1.1.1:5555")[0],
        Ok((Some(Host::Any), ip("239.1.1.1"), port))
    );
    assert_eq!(parsed("udp://*:5555")[0], Ok((None, Host::Any, port)));
    assert_eq!(parsed("udp://*:*")[0], Ok((None, Host::Any, Port::Wildcard)));
    for (text, why) in [
        ("udp://*:5555", EndpointFault::WildcardHost),
        ("udp://127.0.0.1:*", EndpointFault::WildcardPort),
        ("udp://239.1.1.1:*", EndpointFault::WildcardPort),
        ("udp://lo;127.0.0.1:5", EndpointFault::InterfaceWithoutGroup),
        ("udp://;239.1.1.1:5", EndpointFault::InvalidSource),
        ("udp://239.1.1.1", EndpointFault::NoPort),
        ("udp://x y:5", EndpointFault::InvalidHost),
    ] {
        assert_eq!(parsed(text)[1], Err(why), "{text}");
    }
    assert_eq!(parsed("udp://239.1.1.1:*")[0], Err(EndpointFault::WildcardPort));
}

#[test]
fn transports_that_are_not_offered() {
    let others = [
        "IPC", "pgm", "epgm", "norm", "tipc", "vmci", "UDP", "http", "TCP", "nosuch",
    ];
    let without_tls = (!OFFERS_TLS).then_some("wss");
    for other in others.into_iter().chain(without_tls) {
        for parsed in [
            Endpoint::parse_bind(&format!("{other}://x")),
            Endpoint::parse_connect(&format!("{other}://x")),
        ] {
            assert!(
                matches!(&parsed, Err(Error::UnsupportedTransport { scheme }) if scheme == other),
                "{parsed:?}"
            );
            assert_eq!(parsed.unwrap_err().errno(), libc::EPROTONOSUPPORT);
        }
    }
}

#[test]
fn binding_resolves_wildcards_and_literals() {
    let rows = [
        ("tcp://*:5555", false, "tcp://0.0.0.0:5555"),
        ("tcp://*:5555", true, "tcp://[::]:5555"),
        ("tcp://*:*", false, "tcp://0.0.0.0:0"),
        ("tcp://127.0.0.1:1", false, "tcp://127.0.0.1:1"),
        ("tcp://127.0.0.1:1", true, "tcp://127.0.0.1:1"),
        ("tcp://[::1]:1", true, "tcp://[::1]:1"),
        ("tcp://[::ffff:1.2.3.4]:5", true, "tcp://[::ffff:1.2.3.4]:5"),
        ("tcp://lo:7", false, "tcp://127.0.0.1:7"),
        ("tcp://localhost:7", false, "tcp://127.0.0.1:7"),
    ];
    for (text, ipv6, resolved) in rows {
        assert_eq!(
            last_endpoint(&bind(text).resolve_bind(ipv6).unwrap().into()),
            resolved,
            "{text} {ipv6}"
        );
    }
}

#[test]
fn binding_refuses_what_is_not_here() {
    for (text, ipv6) in [
        ("tcp://[::1]:1", false),
        ("tcp://[fe80::1%nosuch0]:1", true),
        ("tcp://nosuch.invalid:1", false),
    ] {
        let error = bind(text).resolve_bind(ipv6).unwrap_err();
        assert!(matches!(error, Error::NoDevice { .. }), "{text}: {error:?}");
        assert_eq!(error.errno(), libc::ENODEV);
    }
}

#[test]
fn zones_are_numbers_or_interfaces() {
    let by_name = bind("tcp://[fe80::1%lo]:5").resolve_bind(true).unwrap();
    let SocketAddr::V6(v6) = by_name else {
        panic!("{by_name}")
    };
    assert_eq!(v6.scope_id(), if_nametoindex("lo").unwrap());
    assert_eq!(last_endpoint(&by_name.into()), "tcp://[fe80::1%lo]:5");
    let by_number = bind("tcp://[fe80::1%4000000]:5").resolve_bind(true).unwrap();
    assert_eq!(last_endpoint(&by_number.into()), "tcp://[fe80::1%4000000]:5");
}

#[test]
fn connecting_resolves_names_late_and_literals_at_once() {
    assert_eq!(
        connect("tcp://10.1.2.3:4").literal(),
        Some("10.1.2.3:4".parse().unwrap())
    );
    assert_eq!(connect("tcp://localhost:4").literal(), None);
    let found = connect("tcp://localhost:4").resolve_connect(false).unwrap();
    assert!(
        !found.is_empty()
            && found
                .iter()
                .all(|it| it.is_ipv4() && it.ip().is_loopback() && it.port() == 4)
    );
    assert_eq!(
        connect("tcp://[::1]:4").resolve_connect(true).unwrap(),
        ["[::1]:4".parse().unwrap()]
    );
    assert!(connect("tcp://[::1]:4").resolve_connect(false).is_err());
    assert!(matches!(
        connect("tcp://nosuch.invalid:4").resolve_connect(true),
        Err(Error::NoDevice { .. })
    ));
    assert!(connect("tcp://[fe80::1%lo]:4").resolve_connect(true).unwrap()[0].is_ipv6());
}

#[test]
fn sources_are_addresses_or_interfaces_but_no_hosts() {
    assert_eq!(connect("tcp://h:4").resolve_source(false).unwrap(), None);
    let source = |text: &str| connect(text).resolve_source(false);
    assert_eq!(
        source("tcp://lo;h:4").unwrap(),
        Some("127.0.0.1:0".parse().unwrap())
    );
    assert_eq!(
        source("tcp://*:9;h:4").unwrap(),
        Some("0.0.0.0:9".parse().unwrap())
    );
    assert!(matches!(source("tcp://localhost;h:4"), Err(Error::NoDevice { name }) if name == "localhost"));
}

#[test]
fn text_round_trips() {
    for text in [
        "tcp://*:*",
        "tcp://[::1]:5",
        "tcp://[fe80::1%lo]:5",
        "tcp://lo:7",
        "tcp://1.2.3.4:5",
    ] {
        assert_eq!(Endpoint::parse_bind(text).unwrap().to_string(), text);
    }
    let text = "tcp://eth0:*;host:5";
    assert_eq!(Endpoint::parse_connect(text).unwrap().to_string(), text);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(tcp://)?[\\PC\0]{0,40}", dense in "tcp://[\\[\\]:;%*0-9a-f.]{0,24}") {
        for text in [text, dense] {
            for parsed in [Endpoint::parse_bind(&text), Endpoint::parse_connect(&text)] {
                if let Ok(Endpoint::Tcp(tcp)) = parsed {
                    // What was understood is understood again from its own text.
                    let shown = Endpoint::Tcp(tcp.clone()).to_string();
                    let again = if tcp.source.is_some() { Endpoint::parse_connect(&shown) } else { Endpoint::parse_bind(&shown) };
                    prop_assert_eq!(again.unwrap(), Endpoint::Tcp(tcp));
                }
            }
        }
    }
}

#[test]
fn ipc_endpoints_are_read_and_shown_as_they_were_given() {
    let path = |text: &str| IpcEndpoint::Path(text.into());
    let rows = [
        ("ipc:///tmp/a", path("/tmp/a")),
        ("ipc://relative/a b", path("relative/a b")),
        ("ipc://@name", IpcEndpoint::Abstract("name".into())),
        ("ipc://@@", IpcEndpoint::Abstract("@".into())),
        ("ipc://*a", path("*a")),
    ];
    for (text, expected) in rows {
        for parsed in [Endpoint::parse_bind(text), Endpoint::parse_connect(text)] {
            let parsed = parsed.unwrap();
            assert_eq!(parsed, Endpoint::Ipc(expected.clone()));
            assert_eq!(parsed.to_string(), text);
        }
    }
    assert_eq!(
        Endpoint::parse_bind("ipc://*").unwrap(),
        Endpoint::Ipc(IpcEndpoint::Wildcard)
    );
    assert_eq!(
        fault(Endpoint::parse_connect("ipc://*")),
        EndpointFault::WildcardPath
    );
}

#[test]
fn wrong_ipc_endpoints() {
    let (longest, long) = ("x".repeat(107), "x".repeat(108));
    let rows = [
        ("ipc://".to_owned(), EndpointFault::NoAddress),
        ("ipc://@".to_owned(), EndpointFault::NoName),
        ("ipc://a\0b".to_owned(), EndpointFault::EmbeddedNul),
        (format!("ipc://{long}"), EndpointFault::PathTooLong),
        (format!("ipc://@{longest}"), EndpointFault::PathTooLong),
    ];
    for (text, expected) in rows {
        assert_eq!(fault(Endpoint::parse_bind(&text)), expected, "{text:?}");
        assert_eq!(fault(Endpoint::parse_connect(&text)), expected, "{text:?}");
    }
    Endpoint::parse_bind(&format!("ipc://{longest}")).unwrap();
    Endpoint::parse_bind(&format!("ipc://@{}", &longest[1..])).unwrap();
}

#[test]
fn unix_sockets_are_reported_as_libzmq_does() {
    let rows = [
        (UnixAddress::Unnamed, "ipc://"),
        (UnixAddress::Path("/tmp/a".into()), "ipc:///tmp/a"),
        (UnixAddress::Path("a".into()), "ipc://a"),
        (UnixAddress::Abstract(b"name".to_vec()), "ipc://@name"),
    ];
    for (address, text) in rows {
        assert_eq!(last_endpoint(&address.into()), text);
    }
}

#[test]
fn endpoints_of_the_web_and_of_machines() {
    let with_tls = OFFERS_TLS.then_some("wss://example.org:443/a/b?c=d");
    let others = [
        "ws://127.0.0.1:80/",
        "ws://[::1]:5/",
        "vsock://2:5555",
        "vsock://1:0",
    ];
    for text in others.into_iter().chain(with_tls) {
        for parsed in [Endpoint::parse_bind(text), Endpoint::parse_connect(text)] {
            assert_eq!(parsed.unwrap().to_string(), text);
        }
    }
    let bind = |text: &str| Endpoint::parse_bind(text).unwrap().to_string();
    assert_eq!(bind("ws://*:*"), "ws://*:*/");
    assert_eq!(bind("vsock://*:*"), "vsock://*:*");
    assert_eq!(bind("vsock://@:7"), "vsock://1:7");
}
