//! vsock: between virtual machines and their host. What needs a second machine is tried over the loopback, where the
//! kernel has one.

use ringmq::{Context, EndpointFault, Error, Pull, Push, Rep, Req};
use ringmq_io::{PollFd, UnixOptions, VsockAddress, take_error, vsock_connect_start, vsock_listen, wait_fds};

use crate::{receiver, sender, socket};

/// Whether this machine can connect to itself, found out without the engine.
fn has_loopback() -> bool {
    let address = VsockAddress {
        cid: VsockAddress::CID_LOCAL,
        port: VsockAddress::PORT_ANY,
    };
    let options = UnixOptions::default();
    let Ok(listener) = vsock_listen(address, &options, 1) else {
        return false;
    };
    let Ok(ringmq_io::Address::Vsock(bound)) = ringmq_io::local_addr(&listener) else {
        return false;
    };
    let target = VsockAddress {
        port: bound.port,
        ..address
    };
    let Ok((fd, done)) = vsock_connect_start(target, &options) else {
        return false;
    };
    let second = std::time::Duration::from_secs(1);
    let answered =
        done || wait_fds(&mut [PollFd::new(&fd, false, true)], Some(second)).is_ok_and(|ready| ready > 0);
    answered && take_error(&fd).is_ok()
}

#[test]
fn an_address_is_bound_once_and_free_again() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    match pull.bind("vsock://*:*") {
        Ok(()) => {}
        Err(Error::Io(error)) => {
            // A kernel without vsock says so, and nothing else goes wrong.
            assert_eq!(error.raw_os_error(), Some(libc::EAFNOSUPPORT), "{error}");
            return;
        }
        Err(other) => panic!("{other}"),
    }
    let endpoint = pull.last_endpoint();
    let port = endpoint.strip_prefix("vsock://*:").expect("any machine");
    assert!(port.parse::<u32>().is_ok(), "{endpoint}");
    let other: Pull = receiver(&context);
    assert!(matches!(other.bind(&endpoint), Err(Error::AddressInUse { .. })));
    pull.unbind(&endpoint).unwrap();
    other.bind(&endpoint).unwrap();
}

#[test]
fn wildcards_are_for_binding() {
    let push: Push = sender(&Context::new());
    let fault = |endpoint: &str| match push.connect(endpoint) {
        Err(Error::InvalidEndpoint { why, .. }) => why,
        other => panic!("{endpoint}: {other:?}"),
    };
    assert_eq!(fault("vsock://*:5555"), EndpointFault::WildcardHost);
    assert_eq!(fault("vsock://2:*"), EndpointFault::WildcardPort);
    assert_eq!(fault("vsock://2"), EndpointFault::NoPort);
    assert_eq!(fault("vsock://host:5"), EndpointFault::InvalidHost);
    assert_eq!(fault("vsock://2:-1"), EndpointFault::InvalidPort);
    assert_eq!(fault("vsock://4294967295:5"), EndpointFault::InvalidHost);
    // Nobody answers there, which is no error of the caller's.
    push.connect("vsock://@:5555").unwrap();
}

#[test]
fn machines_ask_and_answer() {
    if !has_loopback() {
        println!("the kernel has no loopback for vsock");
        return;
    }
    let context = Context::new();
    let rep: Rep = socket(&context);
    rep.bind("vsock://@:*").unwrap();
    let req: Req = socket(&context);
    req.connect(&rep.last_endpoint()).unwrap();
    for len in [0, 1, 1000, 100_000, 3_000_000] {
        req.send(vec![1; len]).unwrap();
        rep.send(rep.recv().unwrap()).unwrap();
        assert!(*req.recv().unwrap() == *vec![1; len], "{len}");
    }
}
