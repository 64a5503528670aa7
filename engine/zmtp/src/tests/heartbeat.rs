//! Heartbeats of whole connections, with time as an argument.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{drain, established};
use crate::fuzz::wire;
use crate::{Config, Connection, Failure, Heartbeat, SocketType};

const SECOND: Duration = Duration::from_secs(1);

fn beating(interval: u64, timeout: Option<u64>, now: Instant) -> Connection {
    let config = Config {
        heartbeat: Heartbeat {
            interval: Some(Duration::from_secs(interval)),
            timeout: timeout.map(Duration::from_secs),
            ttl: Duration::from_millis(2_550),
        },
        ..Config::new(SocketType::Pull)
    };
    established(config, SocketType::Push, 1, now)
}

#[test]
fn a_ping_is_due_after_each_interval() {
    let start = Instant::now();
    let mut connection = beating(2, None, start);
    for beat in 1..5 {
        let due = start + 2 * SECOND * beat;
        assert_eq!(connection.deadline(), Some(due));
        assert_eq!(connection.on_deadline(due - SECOND), Ok(()));
        assert!(connection.transmit().is_empty());
        assert_eq!(connection.on_deadline(due), Ok(()));
        assert_eq!(drain(&mut connection), wire::command(b"PING", &[0, 25]));
        let pong = wire::command(b"PONG", b"");
        assert!(connection.receive(&pong, due + SECOND).is_ok());
    }
}

#[test]
fn silence_after_a_ping_is_fatal_and_any_byte_breaks_it() {
    let start = Instant::now();
    for (heard, expected) in [(true, Ok(())), (false, Err(Failure::HeartbeatTimeout))] {
        let mut connection = beating(10, Some(3), start);
        let ping = start + 10 * SECOND;
        assert_eq!(connection.on_deadline(ping), Ok(()));
        assert_eq!(connection.deadline(), Some(ping + 3 * SECOND));
        if heard {
            // The first byte of a frame is a sign of life as good as any.
            assert!(connection.receive(&[0], ping + 2 * SECOND).is_ok());
        }
        assert_eq!(connection.on_deadline(ping + 3 * SECOND), expected);
        assert_eq!(connection.is_established(), heard);
        assert_eq!(connection.deadline().is_some(), heard);
    }
}

#[test]
fn a_large_body_that_keeps_coming_is_a_sign_of_life() {
    let start = Instant::now();
    let mut connection = beating(1, None, start);
    assert!(connection.receive(&wire::long_header(0, 1 << 20), start).is_ok());
    for beat in 1..100 {
        assert_eq!(connection.on_deadline(start + beat * SECOND), Ok(()));
        connection.on_traffic(start + beat * SECOND);
    }
    assert_eq!(connection.on_deadline(start + 100 * SECOND), Ok(()));
    let failure = Err(Failure::HeartbeatTimeout);
    assert_eq!(connection.on_deadline(start + 101 * SECOND), failure);
    // The caller may learn of it only after it has taken the body.
    connection.large_done(start + 101 * SECOND);
    assert_eq!(connection.on_deadline(start + 101 * SECOND), failure);
}

#[test]
fn the_time_to_live_of_the_peer_holds_without_heartbeats_of_ours() {
    let start = Instant::now();
    let config = || Config::new(SocketType::Pull);
    let mut connection = established(config(), SocketType::Push, 1, start);
    assert_eq!(connection.deadline(), None);
    let ping = wire::command(b"PING", &[0, 30]);
    assert!(connection.receive(&ping, start).is_ok());
    assert_eq!(connection.deadline(), Some(start + 3 * SECOND));
    // Traffic takes it back, another PING arms it again.
    assert!(connection.receive(&wire::frame(0, b""), start).is_ok());
    assert_eq!(connection.deadline(), None);
    assert!(connection.receive(&ping, start + SECOND).is_ok());
    let failure = Err(Failure::HeartbeatTimeout);
    assert_eq!(connection.on_deadline(start + 4 * SECOND), failure);
    // Zero announces none.
    let mut connection = established(config(), SocketType::Push, 1, start);
    let ping = wire::command(b"PING", &[0, 0]);
    assert!(connection.receive(&ping, start).is_ok());
    assert_eq!(connection.deadline(), None);
}

#[test]
fn pings_do_not_pile_up_behind_a_stuck_transport() {
    let start = Instant::now();
    let mut connection = beating(1, Some(0), start);
    for beat in 1..1000 {
        assert_eq!(connection.on_deadline(start + beat * SECOND), Ok(()));
    }
    assert_eq!(connection.transmit(), wire::command(b"PING", &[0, 25]));
}

#[test]
fn endless_times_are_never() {
    let start = Instant::now();
    let mut config = Config::new(SocketType::Pull);
    config.handshake_timeout = Some(Duration::MAX);
    config.heartbeat = Heartbeat {
        interval: Some(Duration::MAX),
        timeout: Some(Duration::MAX),
        ttl: Duration::MAX,
    };
    assert_eq!(Connection::new(config.clone(), start).deadline(), None);
    let connection = established(config, SocketType::Push, 1, start);
    assert_eq!(connection.deadline(), None);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Let this many tenths of a second pass, calling at each deadline on the way.
    Wait(u16),
    /// A PING with this time to live comes.
    Ping(u16),
    Data,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_u16).prop_map(Step::Wait),
        (0..60_u16).prop_map(Step::Ping),
        Just(Step::Data),
    ]
}

proptest! {
    /// Against a model that ticks every tenth of a second.
    #[test]
    fn timers_agree_with_a_ticking_model(
        steps in proptest::collection::vec(step(), 0..60),
        interval in 1..30_u64,
        timeout in 1..30_u64,
    ) {
        let tick = Duration::from_millis(100);
        let start = Instant::now();
        let config = Config {
            heartbeat: Heartbeat {
                interval: Some(tick * interval as u32),
                timeout: Some(tick * timeout as u32),
                ttl: Duration::ZERO,
            },
            ..Config::new(SocketType::Pull)
        };
        let mut connection = established(config, SocketType::Push, 1, start);
        let (mut now, mut next_ping, mut expires) = (0_u64, interval, u64::MAX);
        let at = |ticks: u64| start + tick * ticks as u32;
        for step in steps {
            match step {
                Step::Data => {
                    expires = u64::MAX;
                    prop_assert!(connection.receive(&[0, 0], at(now)).is_ok());
                }
                Step::Ping(ttl) => {
                    expires = if ttl > 0 { now + u64::from(ttl) } else { u64::MAX };
                    let ping = wire::command(b"PING", &ttl.to_be_bytes());
                    prop_assert!(connection.receive(&ping, at(now)).is_ok());
                    drain(&mut connection);
                }
                Step::Wait(ticks) => for _ in 0..ticks {
                    now += 1;
                    let result = connection.on_deadline(at(now));
                    if now >= expires {
                        prop_assert_eq!(result, Err(Failure::HeartbeatTimeout));
                        return Ok(());
                    }
                    prop_assert_eq!(result, Ok(()));
                    let pinged = !drain(&mut connection).is_empty();
                    prop_assert_eq!(pinged, now == next_ping);
                    if pinged {
                        next_ping = now + interval;
                        expires = expires.min(now + timeout);
                    }
                },
            }
            prop_assert_eq!(connection.deadline(), Some(at(next_ping.min(expires))));
        }
    }
}
