use ringmq_message::Message;
use ringmq_zmtp::SocketType;

use crate::{Context, ContextOptions, Error, Socket, Wait};

#[test]
fn messages_have_one_part() {
    let context = Context::new(ContextOptions::default());
    for socket_type in [
        SocketType::Client,
        SocketType::Server,
        SocketType::Radio,
        SocketType::Scatter,
        SocketType::Peer,
        SocketType::Channel,
    ] {
        let mut socket = Socket::new(&context, socket_type).unwrap();
        let mut part = Message::from("part");
        part.set_more(true);
        let refused = socket.send(&mut part, Wait::No).unwrap_err();
        assert!(
            matches!(refused, Error::InvalidArgument { .. }),
            "{socket_type:?}: {refused}"
        );
        assert_eq!(&*part, b"part");
    }
    for (socket_type, sends) in [
        (SocketType::Dish, false),
        (SocketType::Gather, false),
        (SocketType::Radio, true),
        (SocketType::Scatter, true),
    ] {
        let mut socket = Socket::new(&context, socket_type).unwrap();
        let refused = if sends {
            socket.recv(&mut Message::new(), Wait::No)
        } else {
            socket.send(&mut Message::new(), Wait::No)
        };
        assert!(matches!(refused, Err(Error::NotSupported)), "{socket_type:?}");
    }
}
