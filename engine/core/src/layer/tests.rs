use proptest::prelude::*;

use super::*;
use crate::endpoint::Host;

/// The stacks that there are without TLS, and those of a server with it.
fn stacks() -> Vec<SharedLayers> {
    use ringmq_zmtp::SocketType::Dealer;
    let web = |role| -> Box<dyn Layer> { Box::new(Zws::new(role, Dealer)) };
    let (host, path) = ("h".to_owned(), "/".to_owned());
    let target = SocksTarget {
        host: Host::Name("h".into()),
        port: 1,
        credentials: Some(("a".into(), "b".into())),
    };
    vec![
        Layers::new(vec![web(Role::Server)]),
        Layers::new(vec![web(Role::Client { host, path })]),
        Layers::new(vec![Box::new(Socks::new(target.clone()))]),
        Layers::new(vec![Box::new(Socks::new(target)), web(Role::Server)]),
    ]
}

/// What peers say when they mean well, so that what is wrong comes late as well as early.
const WELL_MEANT: [&[u8]; 6] = [
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ZWS2.0/NULL\r\n\r\n",
    b"\x05\x02\x01\0\x05\0\0\x01\0\0\0\0\0\0",
    b"\x82\x86\0\0\0\0\0hello",
    b"\x89\x80\0\0\0\0",
    b"\x82\xFE\x01\0\x01\x02\x03\x04",
    b"\x88\x82\0\0\0\0\x03\xE8",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (0..WELL_MEANT.len()).prop_map(|at| WELL_MEANT[at].to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What comes of bytes that arrive in pieces of a length: what ZMTP reads, what is said, and how it ends.
fn outcome(layers: &SharedLayers, wire: &[u8], piece: usize) -> (Vec<u8>, usize, Option<LayerFault>) {
    let mut layers = layers.lock().unwrap();
    let mut plain = Vec::new();
    let fault = wire
        .chunks(piece)
        .find_map(|piece| layers.unwrap(piece, &mut plain).err());
    let mut out = Vec::new();
    layers.wrap(&[], &mut out);
    (plain, out.len(), fault)
}

proptest! {
    #[test]
    fn no_bytes_panic_and_cuts_make_no_difference(wire in bytes(), piece in 1_usize..50) {
        for (whole, cut) in stacks().iter().zip(&stacks()) {
            prop_assert_eq!(outcome(whole, &wire, usize::MAX), outcome(cut, &wire, piece));
        }
    }
}
