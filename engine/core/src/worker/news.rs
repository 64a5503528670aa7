//! What peers and applications are told of a connection, as far as they asked for it.

use ringmq_io::{Address, peer_addr};
use ringmq_message::{Message, Properties};
use ringmq_zmtp::{Connection, frame::encode_header};

use super::{session::Session, upgrade};
use crate::receive::ReceiveSide;

/// Properties that are ours to tell, and no peer's to announce.
const PEER_ADDRESS: &[u8] = b"Peer-Address";
const RESERVED: &[&[u8]] = &[PEER_ADDRESS, b"User-Id", upgrade::PROPERTY.0];

/// Sends the first message that every new peer gets, if there is one, behind what the connection still has to say.
pub(super) fn greet(session: &Session, connection: &mut Connection) {
    let hello = &session.options.hello_message;
    if hello.is_empty() {
        return;
    }
    let transmit = &session.link.transmit;
    transmit.push_control(connection.transmit());
    let count = connection.transmit().len();
    connection.transmitted(count);
    transmit.push_control(encode_header(0, hello.len() as u64).as_slice());
    transmit.push_control(hello);
}

/// What a connection's messages can be asked for.
pub(super) fn describe(session: &Session, connection: &mut Connection) -> Properties {
    let announced = connection.take_properties();
    let announced = announced.iter().map(|(name, value)| (&**name, &**value));
    let announced = announced.filter(|(name, _)| !RESERVED.contains(name));
    let address = peer_address(session);
    let address = address.as_ref().map(|address| (PEER_ADDRESS, address.as_bytes()));
    Properties::new(address.into_iter().chain(announced), session.raw_fd())
}

/// The peer's address as libzmq tells it: without the port, or with the process behind a unix socket.
fn peer_address(session: &Session) -> Option<String> {
    if let Some(peer) = session.credentials {
        return Some(format!("localhost:{}:{}:{}", peer.uid, peer.gid, peer.pid));
    }
    match peer_addr(session.fd.as_ref()?) {
        Ok(Address::Inet(address)) => Some(address.ip().to_string()),
        _ => None,
    }
}

/// Tells the application of the new connection, and prepares what it shall hear when that is lost, as far as it has asked
/// for either.
pub(super) fn begin(session: &Session, side: &mut ReceiveSide) {
    let options = &session.options;
    let notify = session.socket.is_raw(options) && options.stream_notify;
    if notify || options.router_notify.connects {
        side.announce(Message::new());
    }
    let last = if session.dial.is_some() {
        &options.hiccup_message
    } else {
        &options.disconnect_message
    };
    let empty = (notify || options.router_notify.disconnects).then(Message::new);
    let last = (!last.is_empty()).then(|| Message::from_slice(last));
    side.set_last_words(empty.into_iter().chain(last).collect());
}
