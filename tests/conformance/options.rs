//! Every option has an effect: the table at the end names a test of it, and the walk over the engine's table finds the options
//! that have none. What the kernel is told is asked of the kernel.

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use ringmq::monitor::{DisconnectReason, Event, MonitorReceiver};
use ringmq::{Context, Dealer, Error, Pull, Push, ReconnectStop, Stream};
use ringmq_io::{TcpOptions, get_option, tcp_listen};
use ringmq_tests::raw_peer::RawPeer;

use crate::{MOMENT, PATIENCE, assert_silent, receiver, sender, socket};

/// Waits for an event from which something can be had.
fn wait_for<T>(monitor: &MonitorReceiver, wanted: impl Fn(&Event) -> Option<T>) -> T {
    loop {
        let record = monitor.recv_timeout(Some(PATIENCE)).expect("the event comes");
        if let Some(found) = wanted(&record.event) {
            return found;
        }
    }
}

/// What the kernel says of both ends of a connection over tcp.
fn of_both_ends(set: impl Fn(&dyn Tune), level: i32, name: i32) -> [i32; 2] {
    let context = Context::new();
    let (pull, push): (Pull, Push) = (receiver(&context), sender(&context));
    set(&pull);
    set(&push);
    let monitors = [pull.monitor(), push.monitor()];
    pull.bind("tcp://127.0.0.1:*").unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    push.send("hello").unwrap();
    pull.recv().unwrap();
    monitors.map(|monitor| {
        let fd = wait_for(&monitor, |event| match event {
            Event::Accepted { fd } | Event::Connected { fd } => Some(*fd),
            _ => None,
        });
        get_option(&fd, level, name).unwrap()
    })
}

/// The options that both ends of a connection have.
trait Tune {
    fn buffers(&self, bytes: u32);
    fn keepalive(&self);
    fn max_retransmit(&self, time: Duration);
    fn tos(&self, tos: u32);
    fn priority(&self, priority: u32);
    fn device(&self, name: &str);
    fn busy_poll_us(&self, time: u32);
}

macro_rules! tune {
    ($($name:ident)*) => {$(
        impl Tune for $name {
            fn buffers(&self, bytes: u32) {
                self.set_send_buffer(Some(bytes));
                self.set_receive_buffer(Some(2 * bytes));
            }
            fn keepalive(&self) {
                self.set_tcp_keepalive(Some(true));
                self.set_tcp_keepalive_count(Some(3));
                self.set_tcp_keepalive_idle(Some(Duration::from_secs(11)));
                self.set_tcp_keepalive_interval(Some(Duration::from_secs(12)));
            }
            fn max_retransmit(&self, time: Duration) {
                self.set_tcp_max_retransmit(Some(time));
            }
            fn tos(&self, tos: u32) {
                self.set_tos(tos);
            }
            fn priority(&self, priority: u32) {
                self.set_priority(priority);
            }
            fn device(&self, name: &str) {
                self.set_bind_to_device(Some(name.to_owned()));
            }
            fn busy_poll_us(&self, time: u32) {
                self.set_busy_poll_us(time);
            }
        }
    )*};
}

tune!(Pull Push);

#[test]
fn buffers_have_the_size_that_was_asked_for() {
    // The kernel doubles it for its own bookkeeping.
    let buffers = |socket: &dyn Tune| socket.buffers(50_000);
    assert_eq!(
        of_both_ends(buffers, libc::SOL_SOCKET, libc::SO_SNDBUF),
        [100_000; 2]
    );
    assert_eq!(
        of_both_ends(buffers, libc::SOL_SOCKET, libc::SO_RCVBUF),
        [200_000; 2]
    );
}

#[test]
fn idle_connections_are_probed() {
    let keepalive = |socket: &dyn Tune| socket.keepalive();
    let tcp = libc::IPPROTO_TCP;
    assert_eq!(
        of_both_ends(keepalive, libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        [1; 2]
    );
    assert_eq!(of_both_ends(keepalive, tcp, libc::TCP_KEEPCNT), [3; 2]);
    assert_eq!(of_both_ends(keepalive, tcp, libc::TCP_KEEPIDLE), [11; 2]);
    assert_eq!(of_both_ends(keepalive, tcp, libc::TCP_KEEPINTVL), [12; 2]);
}

#[test]
fn unacknowledged_bytes_have_their_time() {
    let limit = |socket: &dyn Tune| socket.max_retransmit(Duration::from_secs(4));
    assert_eq!(
        of_both_ends(limit, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
        [4000; 2]
    );
}

#[test]
fn packets_have_their_type_of_service_and_priority() {
    let both = |socket: &dyn Tune| {
        socket.tos(0x10);
        socket.priority(3);
    };
    assert_eq!(of_both_ends(both, libc::IPPROTO_IP, libc::IP_TOS), [0x10; 2]);
    assert_eq!(of_both_ends(both, libc::SOL_SOCKET, libc::SO_PRIORITY), [3; 2]);
}

#[test]
fn traffic_is_confined_to_a_device() {
    let device = |socket: &dyn Tune| socket.device("lo");
    let index = nix::net::if_::if_nametoindex("lo").unwrap() as i32;
    let found = of_both_ends(device, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX);
    assert_eq!(found[1], index);
    let pull: Pull = receiver(&Context::new());
    pull.set_bind_to_device(Some("nowhere0".into()));
    pull.bind("tcp://127.0.0.1:*").unwrap_err();
}

#[test]
fn the_kernel_polls_the_device_if_it_may() {
    let options = TcpOptions {
        busy_poll_us: Some(50),
        ..TcpOptions::default()
    };
    let may = tcp_listen("127.0.0.1:0".parse().unwrap(), &options, 1).is_ok();
    if may {
        let poll = |socket: &dyn Tune| socket.busy_poll_us(50);
        assert_eq!(of_both_ends(poll, libc::SOL_SOCKET, libc::SO_BUSY_POLL), [50; 2]);
    } else {
        // It takes a privilege, and who lacks it is told.
        let pull: Pull = receiver(&Context::new());
        pull.set_busy_poll_us(50);
        pull.bind("tcp://127.0.0.1:*").unwrap_err();
    }
}

#[test]
fn affinity_names_the_workers() {
    let context = Context::builder().workers(2).build();
    let pull: Pull = receiver(&context);
    pull.set_affinity(1 << 5);
    assert!(matches!(pull.bind("tcp://127.0.0.1:*"), Err(Error::NoWorker)));
    pull.set_affinity(1 << 5 | 1 << 1);
    pull.bind("tcp://127.0.0.1:*").unwrap();
}

#[test]
fn addresses_of_ipv6_want_to_be_allowed() {
    let pull: Pull = receiver(&Context::new());
    assert!(matches!(pull.bind("tcp://[::1]:*"), Err(Error::NoDevice { .. })));
    pull.set_ipv6(true);
    pull.bind("tcp://[::1]:*").unwrap();
}

#[test]
fn waits_end_with_their_time() {
    let context = Context::new();
    let pull: Pull = Pull::new(&context).unwrap();
    pull.set_receive_timeout(Some(Duration::from_millis(1)));
    assert!(matches!(pull.recv(), Err(Error::TimedOut)));
    let push: Push = Push::new(&context).unwrap();
    push.set_send_timeout(Some(Duration::from_millis(1)));
    assert!(matches!(
        push.send("to nobody").unwrap_err().error,
        Error::TimedOut
    ));
}

/// A port at which nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

#[test]
fn pauses_grow_up_to_the_longest() {
    let push: Push = sender(&Context::new());
    let monitor = push.monitor();
    push.set_reconnect_interval(Some(Duration::from_millis(1)));
    push.set_reconnect_interval_max(Some(Duration::from_millis(16)));
    push.connect(&closed_port()).unwrap();
    let pauses: Vec<Duration> = (0..30)
        .map(|_| {
            wait_for(&monitor, |event| match event {
                Event::ConnectRetried { after } => Some(*after),
                _ => None,
            })
        })
        .collect();
    assert!(
        pauses.iter().all(|pause| *pause <= Duration::from_millis(16)),
        "{pauses:?}"
    );
    assert!(
        pauses.iter().any(|pause| *pause > Duration::from_millis(4)),
        "{pauses:?}"
    );
}

#[test]
fn a_refused_connection_is_the_last_if_that_is_wanted() {
    let push: Push = sender(&Context::new());
    let monitor = push.monitor();
    push.set_reconnect_interval(Some(Duration::from_millis(1)));
    push.set_reconnect_stop(ReconnectStop::from_bits(1));
    push.connect(&closed_port()).unwrap();
    wait_for(&monitor, |event| {
        matches!(event, Event::Closed { .. }).then_some(())
    });
    while let Ok(record) = monitor.recv_timeout(Some(MOMENT)) {
        assert!(
            !matches!(record.event, Event::ConnectRetried { .. }),
            "{record:?}"
        );
    }
}

#[test]
fn an_attempt_to_connect_has_its_time() {
    // Of a listener that accepts nothing, and whose queue is full, nothing is heard.
    let listener = tcp_listen("127.0.0.1:0".parse().unwrap(), &TcpOptions::default(), 0).unwrap();
    let Ok(ringmq_io::Address::Inet(address)) = ringmq_io::local_addr(&listener) else {
        panic!("an address")
    };
    let soon = Duration::from_millis(100);
    let filling: Vec<TcpStream> =
        std::iter::from_fn(|| TcpStream::connect_timeout(&address, soon).ok()).collect();
    let push: Push = sender(&Context::new());
    let monitor = push.monitor();
    push.set_connect_timeout(Some(Duration::from_millis(50)));
    push.connect(&format!("tcp://{address}")).unwrap();
    // The kernel would go on for two minutes.
    wait_for(&monitor, |event| {
        matches!(event, Event::ConnectRetried { .. }).then_some(())
    });
    drop(filling);
}

#[test]
fn connections_are_taken_from_the_networks_that_were_named() {
    let context = Context::new();
    let pull: Pull = receiver(&context);
    let monitor = pull.monitor();
    pull.add_tcp_accept_filter("10.0.0.0/8").unwrap();
    pull.add_tcp_accept_filter("192.168.1.1").unwrap();
    for wrong in ["", "localhost", "10.0.0.0/33"] {
        assert!(matches!(
            pull.add_tcp_accept_filter(wrong),
            Err(Error::InvalidOption { .. })
        ));
    }
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let push: Push = sender(&context);
    push.connect(&pull.last_endpoint()).unwrap();
    push.send("let me in").unwrap();
    wait_for(&monitor, |event| {
        matches!(event, Event::AcceptFailed { .. }).then_some(())
    });
    assert_silent(&pull);
    pull.add_tcp_accept_filter("127.0.0.0/8").unwrap();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    push.connect(&pull.last_endpoint()).unwrap();
    // The two connections share what is sent.
    push.send("one").unwrap();
    push.send("two").unwrap();
    pull.recv().unwrap();
    pull.clear_tcp_accept_filter();
    pull.bind("tcp://127.0.0.1:*").unwrap();
}

/// A DEALER that connects to a peer that speaks by script.
fn scripted(set: impl Fn(&Dealer)) -> (Dealer, MonitorReceiver, RawPeer, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dealer: Dealer = socket(&Context::new());
    set(&dealer);
    let monitor = dealer.monitor();
    dealer
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    let mut peer = RawPeer::accept(&listener).unwrap();
    let ready = peer.handshake(1, "ROUTER", None).unwrap();
    (dealer, monitor, peer, ready.body)
}

#[test]
fn metadata_is_announced() {
    let (_dealer, _, _, ready) = scripted(|dealer| dealer.add_metadata("X-shoe", "blue").unwrap());
    let property = b"\x06X-shoe\0\0\0\x04blue";
    assert!(
        ready.windows(property.len()).any(|bytes| bytes == property),
        "{ready:?}"
    );
}

#[test]
fn heartbeats_tell_the_peer_how_long_to_wait() {
    let (_dealer, _, mut peer, _) = scripted(|dealer| {
        dealer.set_heartbeat_interval(Some(Duration::from_millis(10)));
        dealer.set_heartbeat_ttl(Duration::from_millis(550));
    });
    let ping = peer.read_frame().unwrap();
    assert_eq!(
        ping.command(),
        Some((&b"PING"[..], &[0, 5][..])),
        "in tenths of a second"
    );
}

#[test]
fn silence_after_a_heartbeat_ends_the_connection_in_its_time() {
    let lost = |event: &Event| match event {
        Event::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    };
    let (_dealer, monitor, _peer, _) = scripted(|dealer| {
        dealer.set_heartbeat_interval(Some(Duration::from_millis(10)));
        dealer.set_heartbeat_timeout(Some(Duration::from_millis(20)));
    });
    assert_eq!(wait_for(&monitor, lost), DisconnectReason::HeartbeatTimeout);
    let (_dealer, monitor, _peer, _) = scripted(|dealer| {
        dealer.set_heartbeat_interval(Some(Duration::from_millis(10)));
        dealer.set_heartbeat_timeout(Some(Duration::ZERO));
    });
    while let Ok(record) = monitor.recv_timeout(Some(MOMENT)) {
        assert_eq!(lost(&record.event), None);
    }
}

#[test]
fn a_stream_hands_out_pieces_of_the_size_that_was_asked_for() {
    use std::io::Write;
    let stream: Stream = socket(&Context::new());
    stream.set_in_batch_size(Some(10));
    stream.set_stream_notify(false);
    stream.bind("tcp://127.0.0.1:*").unwrap();
    let address = stream.last_endpoint().trim_start_matches("tcp://").to_owned();
    let sent: Vec<u8> = (0..35).collect();
    TcpStream::connect(address).unwrap().write_all(&sent).unwrap();
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let parts = stream.recv_multipart().unwrap();
        assert!(parts[1].len() <= 10);
        received.extend_from_slice(&parts[1]);
    }
    assert_eq!(received, sent);
}

#[test]
fn a_stream_that_asks_for_pieces_of_nothing_gets_the_shortest() {
    use std::io::Write;
    let stream: Stream = socket(&Context::new());
    stream.set_in_batch_size(Some(0));
    stream.set_stream_notify(false);
    stream.bind("tcp://127.0.0.1:*").unwrap();
    let address = stream.last_endpoint().trim_start_matches("tcp://").to_owned();
    TcpStream::connect(address).unwrap().write_all(b"ab").unwrap();
    for piece in [b"a", b"b"] {
        let parts = stream.recv_multipart().unwrap();
        assert_eq!(&*parts[1], piece);
    }
}

#[test]
fn who_polls_busily_does_not_sleep() {
    let sleeps_of = |spin: Duration| {
        let pull: Pull = Pull::new(&Context::new()).unwrap();
        pull.set_busy_poll(Some(spin));
        let sleeps = || {
            getrusage(UsageWho::RUSAGE_THREAD)
                .unwrap()
                .voluntary_context_switches()
        };
        let before = sleeps();
        assert!(matches!(
            pull.recv_within(Duration::from_millis(20)),
            Err(Error::TimedOut)
        ));
        sleeps() - before
    };
    // A page that has to be fetched counts as a sleep as well.
    let least = (0..5).map(|_| sleeps_of(Duration::from_secs(60))).min();
    assert_eq!(least, Some(0));
    assert!(sleeps_of(Duration::ZERO) > 0);
}

/// An option, where its effect is tested, by which test, and what that test says to set it.
type Effect = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const EFFECTS: &[Effect] = &[
    ("AFFINITY", "tests/conformance/options.rs", "affinity_names_the_workers", "set_affinity"),
    ("ROUTING_ID", "tests/interop/reconnect.rs", "a_dialogue_goes_on_with_a_new_peer_of_the_same_name", "set_routing_id"),
    ("SNDBUF", "tests/conformance/options.rs", "buffers_have_the_size_that_was_asked_for", "buffers"),
    ("RCVBUF", "tests/conformance/options.rs", "buffers_have_the_size_that_was_asked_for", "buffers"),
    ("LINGER", "tests/shm/pressure.rs", "without_linger_a_beginning_arrives_at_most", "set_linger"),
    ("RECONNECT_IVL", "tests/conformance/options.rs", "pauses_grow_up_to_the_longest", "set_reconnect_interval"),
    ("BACKLOG", "engine/core/src/transport/tests.rs", "a_listener_has_the_backlog_of_the_option", "backlog"),
    ("RECONNECT_IVL_MAX", "tests/conformance/options.rs", "pauses_grow_up_to_the_longest", "set_reconnect_interval_max"),
    ("MAXMSGSIZE", "tests/hostile/frames.rs", "the_size_limit_is_exact", "set_max_message_size"),
    ("SNDHWM", "tests/interop/subscriptions.rs", "every_subscriber_gets_every_message_in_order", "set_send_hwm"),
    ("RCVHWM", "tests/shm/pressure.rs", "a_sender_stops_at_the_mark_of_both", "set_receive_hwm"),
    ("MULTICAST_HOPS", "tests/conformance/udp.rs", "multicast_hops_say_how_far_a_datagram_goes", "set_multicast_hops"),
    ("SNDBYTES_MAX", "tests/conformance/limits.rs", "bytes_are_bounded_beside_messages", "set_send_bytes_max"),
    ("RCVBYTES_MAX", "tests/conformance/limits.rs", "a_receiver_that_does_not_read_holds_what_it_allows", "set_receive_bytes_max"),
    ("RCVTIMEO", "tests/conformance/options.rs", "waits_end_with_their_time", "set_receive_timeout"),
    ("SNDTIMEO", "tests/conformance/options.rs", "waits_end_with_their_time", "set_send_timeout"),
    ("ROUTER_MANDATORY", "tests/conformance/router.rs", "unknown_names_are_dropped_or_refused", "set_router_mandatory"),
    ("TCP_KEEPALIVE", "tests/conformance/options.rs", "idle_connections_are_probed", "keepalive"),
    ("TCP_KEEPALIVE_CNT", "tests/conformance/options.rs", "idle_connections_are_probed", "KEEPCNT"),
    ("TCP_KEEPALIVE_IDLE", "tests/conformance/options.rs", "idle_connections_are_probed", "KEEPIDLE"),
    ("TCP_KEEPALIVE_INTVL", "tests/conformance/options.rs", "idle_connections_are_probed", "KEEPINTVL"),
    ("TCP_ACCEPT_FILTER", "tests/conformance/options.rs", "connections_are_taken_from_the_networks_that_were_named", "add_tcp_accept_filter"),
    ("IMMEDIATE", "tests/conformance/pipeline.rs", "an_immediate_socket_queues_for_connections_only", "set_immediate"),
    ("XPUB_VERBOSE", "tests/conformance/publish.rs", "xpub_shows_what_its_verbosity_says", "set_xpub_verbosity"),
    ("ROUTER_RAW", "tests/conformance/stream.rs", "a_raw_router_is_a_stream_that_drops", "set_router_raw"),
    ("IPV6", "tests/conformance/options.rs", "addresses_of_ipv6_want_to_be_allowed", "set_ipv6"),
    ("PROBE_ROUTER", "tests/conformance/router.rs", "a_probe_makes_the_peer_known", "set_probe_router"),
    ("REQ_CORRELATE", "tests/conformance/exchange.rs", "a_relaxed_asker_takes_only_the_answer_to_its_last_question", "set_req_correlate"),
    ("REQ_RELAXED", "tests/conformance/exchange.rs", "a_relaxed_asker_takes_only_the_answer_to_its_last_question", "set_req_relaxed"),
    ("CONFLATE", "tests/conformance/conflate.rs", "a_receiver_that_was_away_finds_the_newest_message", "set_conflate"),
    ("ROUTER_HANDOVER", "tests/conformance/router.rs", "a_name_is_handed_over_if_that_is_wanted", "set_router_handover"),
    ("TOS", "tests/conformance/options.rs", "packets_have_their_type_of_service_and_priority", "tos"),
    ("IPC_FILTER_PID", "tests/conformance/ipc.rs", "a_filter_lets_in_whom_one_of_its_lists_names", "set_ipc_filter_pid"),
    ("IPC_FILTER_UID", "tests/conformance/ipc.rs", "a_filter_lets_in_whom_one_of_its_lists_names", "set_ipc_filter_uid"),
    ("IPC_FILTER_GID", "tests/conformance/ipc.rs", "a_filter_lets_in_whom_one_of_its_lists_names", "set_ipc_filter_gid"),
    ("CONNECT_ROUTING_ID", "tests/conformance/router.rs", "a_connecting_router_names_its_peer", "set_connect_routing_id"),
    ("HANDSHAKE_IVL", "tests/hostile/greetings.rs", "silence_ends_with_the_time_for_the_handshake", "set_handshake_interval"),
    ("XPUB_NODROP", "tests/conformance/publish.rs", "a_publisher_that_drops_nothing_waits", "set_xpub_nodrop"),
    ("XPUB_MANUAL", "tests/conformance/publish.rs", "xpub_manual_leaves_the_decision_to_the_owner", "set_xpub_manual"),
    ("XPUB_WELCOME_MSG", "tests/conformance/publish.rs", "xpub_welcomes_every_subscriber", "set_xpub_welcome"),
    ("STREAM_NOTIFY", "tests/conformance/stream.rs", "without_notification_only_data_comes", "set_stream_notify"),
    ("INVERT_MATCHING", "tests/conformance/publish.rs", "an_inverted_subscription_excludes", "set_invert_matching"),
    ("HEARTBEAT_IVL", "tests/conformance/options.rs", "heartbeats_tell_the_peer_how_long_to_wait", "set_heartbeat_interval"),
    ("HEARTBEAT_TTL", "tests/conformance/options.rs", "heartbeats_tell_the_peer_how_long_to_wait", "set_heartbeat_ttl"),
    ("HEARTBEAT_TIMEOUT", "tests/conformance/options.rs", "silence_after_a_heartbeat_ends_the_connection_in_its_time", "set_heartbeat_timeout"),
    ("CONNECT_TIMEOUT", "tests/conformance/options.rs", "an_attempt_to_connect_has_its_time", "set_connect_timeout"),
    ("TCP_MAXRT", "tests/conformance/options.rs", "unacknowledged_bytes_have_their_time", "max_retransmit"),
    ("USE_FD", "api/capi/tests/c/programs/adoption.c", "adopted", "ZMQ_USE_FD"),
    ("BINDTODEVICE", "tests/conformance/options.rs", "traffic_is_confined_to_a_device", "device"),
    ("METADATA", "tests/conformance/options.rs", "metadata_is_announced", "add_metadata"),
    ("MULTICAST_LOOP", "tests/conformance/udp.rs", "multicast_loop_decides_whether_this_machine_hears_it", "set_multicast_loop"),
    ("ROUTER_NOTIFY", "tests/conformance/news.rs", "a_router_is_notified_of_what_it_asks_for", "set_router_notify"),
    ("SOCKS_PROXY", "tests/conformance/socks.rs", "connections_go_through_the_proxy", "set_socks_proxy"),
    ("SOCKS_USERNAME", "tests/conformance/socks.rs", "the_proxy_is_told_a_name_and_a_password", "set_socks_username"),
    ("SOCKS_PASSWORD", "tests/conformance/socks.rs", "the_proxy_is_told_a_name_and_a_password", "set_socks_password"),
    ("IN_BATCH_SIZE", "tests/conformance/options.rs", "a_stream_hands_out_pieces_of_the_size_that_was_asked_for", "set_in_batch_size"),
    ("OUT_BATCH_SIZE", "engine/core/src/transmit/tests.rs", "a_batch_has_no_more_bytes_than_the_option_says", "batch_max"),
    ("WSS_KEY_PEM", "tests/conformance/ws.rs", "wss_wants_a_certificate_and_its_key_to_bind", "set_wss_key_pem"),
    ("WSS_CERT_PEM", "tests/conformance/ws.rs", "wss_wants_a_certificate_and_its_key_to_bind", "set_wss_cert_pem"),
    ("WSS_TRUST_PEM", "tests/conformance/ws.rs", "wss_trusts_nobody_unless_told", "set_wss_trust_pem"),
    ("WSS_HOSTNAME", "tests/conformance/ws.rs", "wss_hostname_names_who_the_server_must_be", "set_wss_hostname"),
    ("WSS_TRUST_SYSTEM", "tests/conformance/ws.rs", "wss_trusts_nobody_unless_told", "set_wss_trust_system"),
    ("ONLY_FIRST_SUBSCRIBE", "tests/conformance/publish.rs", "any_part_may_subscribe_or_only_the_first", "set_only_first_subscribe"),
    ("RECONNECT_STOP", "tests/conformance/options.rs", "a_refused_connection_is_the_last_if_that_is_wanted", "set_reconnect_stop"),
    ("OVERFLOW", "tests/conformance/limits.rs", "the_newest_or_the_oldest_messages_are_lost", "Overflow::DropOldest"),
    ("HELLO_MSG", "tests/conformance/news.rs", "hello_comes_first_in_both_directions", "set_hello_message"),
    ("DISCONNECT_MSG", "tests/conformance/news.rs", "a_lost_peer_leaves_a_last_message", "set_disconnect_message"),
    ("HICCUP_MSG", "tests/conformance/news.rs", "a_hiccup_tells_of_a_connection_that_is_made_again", "set_hiccup_message"),
    ("PRIORITY", "tests/conformance/options.rs", "packets_have_their_type_of_service_and_priority", "priority"),
    ("SHM_SEGMENT_LEN", "tests/shm/fallback.rs", "either_side_may_want_none", "set_shm_segment_len"),
    ("SHM_TRUST_PEERS", "tests/shm/loans.rs", "a_loan_is_read_where_it_was_written", "trusting"),
    ("SPIN_TIME", "tests/conformance/options.rs", "who_polls_busily_does_not_sleep", "set_busy_poll"),
    ("BUSY_POLL", "tests/conformance/options.rs", "the_kernel_polls_the_device_if_it_may", "busy_poll_us"),
    ("XSUB_VERBOSE_UNSUBSCRIBE", "tests/conformance/publish.rs", "xsub_forwards_the_last_cancellation_or_all", "set_xsub_verbose_unsubscribe"),
    ("ZMTP2_PEERS", "tests/conformance/zmtp2.rs", "peers_of_zmtp_2_talk_to_who_wants_them", "set_zmtp2_peers"),
    ("IPC_MODE", "tests/conformance/ipc.rs", "files_are_for_their_owner_unless_told_otherwise", "set_ipc_mode"),
    ("IPC_SAME_USER", "tests/conformance/ipc.rs", "another_user_is_turned_away_by_name_before_a_greeting", "set_ipc_same_user"),
    ("IPV4ONLY", "engine/core/src/options/tests.rs", "ipv4only_is_the_opposite_of_ipv6", "IPV4ONLY"),
    ("XPUB_VERBOSER", "tests/conformance/publish.rs", "xpub_shows_what_its_verbosity_says", "XpubVerbosity::All"),
    ("XPUB_MANUAL_LAST_VALUE", "tests/conformance/publish.rs", "xpub_manual_last_value_answers_the_requester_alone", "set_xpub_manual"),
];

/// The text of a test: from its name to the next one, or in a program in C to the end of the function.
fn text_of(file: &str, test: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let source = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    if file.ends_with(".c") {
        let (_, body) = source.split_once(&format!("\nstatic void {test}("))?;
        return body.split("\n}\n").next().map(str::to_owned);
    }
    let mut pieces = source.split("#[test]").skip(1);
    let body = pieces.find(|piece| {
        let signature = piece.split('{').next().unwrap_or_default();
        signature.contains(&format!("fn {test}("))
    });
    body.map(str::to_owned)
}

#[test]
fn every_option_has_a_test_of_its_effect() {
    let named: HashSet<&str> = EFFECTS.iter().map(|(option, ..)| *option).collect();
    assert_eq!(named.len(), EFFECTS.len(), "an option is named twice");
    let rows: HashSet<&str> = ringmq_core::options::rows().iter().map(|row| row.name).collect();
    let without: Vec<_> = rows.difference(&named).collect();
    assert!(without.is_empty(), "nothing tests the effect of {without:?}");
    let gone: Vec<_> = named.difference(&rows).collect();
    assert!(gone.is_empty(), "there is no option {gone:?}");
    for (option, file, test, setter) in EFFECTS {
        let text = text_of(file, test).unwrap_or_else(|| panic!("{option}: {file} has no test {test}"));
        assert!(text.contains(setter), "{option}: {test} does not say {setter}");
    }
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    assert!(text_of("tests/conformance/options.rs", "there_is_no_such_test").is_none());
    let text = text_of("tests/conformance/options.rs", "metadata_is_announced").unwrap();
    assert!(text.contains("add_metadata") && !text.contains("set_heartbeat_ttl"));
}
