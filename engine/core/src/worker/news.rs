//! What peers and applications are told of a connection, as far as they asked for it.

use ringmq_message::Message;
use ringmq_zmtp::{Connection, frame::encode_header};

use super::session::Session;
use crate::receive::ReceiveSide;

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
