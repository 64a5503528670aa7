use ringmq_io::{UnixAddress, UnixOptions, unix_connect_start};

use super::Transport;
use crate::{
    endpoint::{Endpoint, IpcEndpoint},
    options::Options,
};

#[test]
fn a_listener_has_the_backlog_of_the_option() {
    for backlog in [0, 3, 20] {
        let name = format!("ringmq-backlog-{}-{backlog}", std::process::id());
        let text = format!("ipc://@{name}");
        let Ok(Endpoint::Ipc(endpoint)) = Endpoint::parse_bind(&text) else {
            panic!("an endpoint");
        };
        assert!(matches!(endpoint, IpcEndpoint::Abstract(_)));
        let options = Options {
            backlog,
            ..Options::default()
        };
        let _listening = endpoint.listen(&text, &options, None).unwrap();
        // Nobody accepts, so that the kernel completes as many as were allowed, and one.
        let address = UnixAddress::Abstract(name.into_bytes());
        let connections: Vec<_> =
            std::iter::from_fn(|| unix_connect_start(&address, &UnixOptions::default()).ok()).collect();
        assert_eq!(connections.len(), backlog as usize + 1);
    }
}
