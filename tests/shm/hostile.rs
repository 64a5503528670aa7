//! Peers that offer what is not shared memory, speak out of turn, and lie in the rings. The one that is attacked is a process
//! of its own, so that what it holds can be counted.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use ringmq::{Context, Dealer};
use ringmq_shm::{Bell, Body, Segment};
use ringmq_tests::process::{descriptors, maps, poll_until};
use ringmq_tests::random::Random;
use ringmq_tests::subject::Subject;
use ringmq_tests::watchdog::within;

use crate::raw::{MAPPED, NOTHING_TO_OFFER, OFFER, REFUSED, Raw, Rings, SWITCHED, nothing_to_offer, offer};
use crate::{DRIVERS, LIMIT, NEIGHBOUR, PATIENCE, is_shared, new, often, own_name, wait_for};

/// A ROUTER in another process that sends everything back, and a good peer of it.
struct Victim {
    process: Subject,
    endpoint: String,
    good: Dealer,
    rounds: u64,
    baseline: (usize, usize),
}

impl Victim {
    fn new(driver: &str) -> Victim {
        let endpoint = own_name();
        let process = Subject::start(NEIGHBOUR, &["router", &endpoint], Some(driver));
        process.hear("ready");
        let good: Dealer = new(&Context::new());
        good.set_receive_timeout(Some(PATIENCE));
        let events = good.monitor();
        good.connect(&endpoint).unwrap();
        wait_for(&events, is_shared);
        let mut victim = Victim {
            process,
            endpoint,
            good,
            rounds: 0,
            baseline: (0, 0),
        };
        victim.check();
        // What a first connection leaves behind for the next ones is no leak.
        Raw::connect(&victim.endpoint).greet("DEALER");
        drop(victim.upgraded());
        victim.check();
        let held = || victim.held();
        let mut last = held();
        poll_until(
            PATIENCE,
            || std::mem::replace(&mut last, held()) == held(),
            |&same| same,
        );
        victim.baseline = victim.settled(|_| true);
        victim
    }

    /// Descriptors and maps.
    fn held(&self) -> (usize, usize) {
        let pid = self.process.pid();
        (descriptors(pid), maps(pid))
    }

    fn settled(&self, content: impl Fn(&(usize, usize)) -> bool) -> (usize, usize) {
        poll_until(Duration::from_secs(10), || self.held(), content)
    }

    /// The good peer gets every answer, in order.
    fn check(&mut self) {
        for _ in 0..10 {
            self.rounds += 1;
            self.good.send(&self.rounds.to_le_bytes()).unwrap();
        }
        for number in self.rounds - 9..=self.rounds {
            assert_eq!(*self.good.recv().unwrap(), number.to_le_bytes());
        }
    }

    fn greeted(&self) -> Raw {
        let mut peer = Raw::connect(&self.endpoint);
        peer.greet("DEALER");
        peer
    }

    fn upgraded(&self) -> (Raw, Rings) {
        let mut peer = self.greeted();
        let rings = peer.upgrade();
        (peer, rings)
    }

    /// What the attacks have left is gone.
    fn end(mut self) {
        self.check();
        let baseline = self.baseline;
        let left = self.settled(|now| *now <= baseline);
        assert!(
            left <= baseline,
            "{left:?} descriptors and maps, {baseline:?} before"
        );
        self.process.end();
    }
}

fn with_victim(attack: fn(&mut Victim)) {
    for driver in DRIVERS {
        within(LIMIT, move || {
            println!("{driver}");
            let mut victim = Victim::new(driver);
            attack(&mut victim);
            victim.end();
        });
    }
}

fn memory_file(len: i64, seals: SealFlag) -> OwnedFd {
    let file = memfd_create(c"forged", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
    ftruncate(&file, len).unwrap();
    if !seals.is_empty() {
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    }
    file
}

/// What is no segment, each with its name.
fn forgeries() -> Vec<(&'static str, OwnedFd)> {
    let all =
        SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SEAL;
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut forged = vec![
        ("a pipe", OwnedFd::from(writer)),
        ("an unsealed file", memory_file(64 << 10, SealFlag::empty())),
        ("a short file", memory_file(4096, all)),
        ("a file of zeros", memory_file(64 << 10, all)),
        ("an empty file", memory_file(0, all)),
        ("a file of an odd length", memory_file((64 << 10) + 1, all)),
        ("a device", OwnedFd::from(File::open("/dev/zero").unwrap())),
        ("a directory", OwnedFd::from(File::open("/").unwrap())),
    ];
    let path = std::path::Path::new("/dev/shm").join(format!("ringmq-forged-{}", std::process::id()));
    if let Ok(file) = File::create_new(&path) {
        std::fs::remove_file(&path).unwrap();
        file.set_len(64 << 10).unwrap();
        forged.push(("a file in memory", OwnedFd::from(file)));
    }
    let segment = Segment::create(64 << 10).unwrap();
    let read_only = File::open(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&segment.fd())
    ));
    forged.push(("a segment open for reading", OwnedFd::from(read_only.unwrap())));
    forged
}

/// The connection goes on as a stream.
fn assert_refused(peer: &mut Raw, what: &str) {
    assert_eq!(peer.step().map(|step| step[0]), Some(OFFER), "{what}");
    assert_eq!(peer.step().as_deref(), Some(&[REFUSED][..]), "{what}");
    peer.say(&[REFUSED], &[]);
    assert!(peer.send_message(b"by the stream"), "{what}");
    assert_eq!(peer.message().as_deref(), Some(&b"by the stream"[..]), "{what}");
}

#[test]
fn what_is_no_segment_is_refused() {
    with_victim(|victim| {
        for (what, forged) in forgeries() {
            let (_bell, bell_for_peer) = Bell::new().unwrap();
            let mut peer = victim.greeted();
            peer.say(&offer(), &[forged.as_fd(), bell_for_peer.as_fd()]);
            assert_refused(&mut peer, what);
            // As a bell it is no better, unless it is a pipe that can be written.
            if what != "a pipe" {
                let segment = Segment::create(64 << 10).unwrap();
                let mut peer = victim.greeted();
                peer.say(&offer(), &[segment.fd(), forged.as_fd()]);
                assert_refused(&mut peer, what);
            }
            victim.check();
        }
    });
}

#[test]
fn offers_have_two_descriptors() {
    with_victim(|victim| {
        let segment = Segment::create(64 << 10).unwrap();
        let (_bell, bell_for_peer) = Bell::new().unwrap();
        let (segment, bell) = (segment.fd(), bell_for_peer.as_fd());
        for descriptors in [
            &[][..],
            &[segment],
            &[bell, segment],
            &[segment, bell, bell],
            &[segment; 4],
        ] {
            let mut peer = victim.greeted();
            peer.say(&offer(), descriptors);
            assert_refused(&mut peer, &format!("{} descriptors", descriptors.len()));
        }
        // A short step, and the right descriptors with nothing to offer.
        for step in [
            vec![OFFER],
            offer()[..8].to_vec(),
            nothing_to_offer(),
            vec![NOTHING_TO_OFFER],
        ] {
            let mut peer = victim.greeted();
            peer.say(&step, &[segment, bell]);
            assert_refused(&mut peer, &format!("{step:?}"));
        }
        // More than anybody needs.
        for count in [5, 253] {
            let mut peer = victim.greeted();
            peer.say(&offer(), &vec![bell; count]);
            assert!(peer.read_to_end(), "{count} descriptors");
        }
        // Or bit by bit.
        let mut peer = victim.greeted();
        for _ in 0..20 {
            if !peer.say(&[99], &[bell]) {
                break;
            }
        }
        assert!(peer.read_to_end());
    });
}

#[test]
fn steps_at_the_wrong_time_change_nothing() {
    with_victim(|victim| {
        let mut random = Random::new(3);
        for round in 0..often(30) {
            let mut peer = victim.greeted();
            for _ in 0..random.up_to(8) {
                let step: Vec<u8> = match random.up_to(4) {
                    1 => vec![],
                    2 => vec![SWITCHED],
                    // Neither an offer nor an answer.
                    3 => vec![[0, 6, 7, 255][random.up_to(4) - 1]; random.up_to(20)],
                    _ => vec![SWITCHED, MAPPED, OFFER],
                };
                peer.say(&step, &[]);
            }
            let mut rings = peer.upgrade();
            let _ = peer.say(&[SWITCHED], &[]) && peer.say(&offer(), &[]) && peer.say(&[REFUSED], &[]);
            assert!(rings.sender.write(b"by the ring", false));
            rings.sender.publish();
            assert_eq!(next_record(&mut rings), b"by the ring", "round {round}");
        }
    });
}

/// What comes next by the ring, without a sleep.
fn next_record(rings: &mut Rings) -> Vec<u8> {
    loop {
        if let Some(record) = rings.receiver.next().unwrap() {
            let Body::Bytes(bytes) = record.body else {
                panic!("a small body lies in the ring")
            };
            let mut copy = vec![std::mem::MaybeUninit::uninit(); bytes.len()];
            return bytes.copy_to(&mut copy).to_vec();
        }
        std::thread::yield_now();
    }
}

/// Where the tail lies, and where the ring begins.
const TAIL: u64 = 128;
const RING: u64 = 4096;

/// Sends an honest first record. Returns where the next one begins.
fn begin(rings: &mut Rings) -> u64 {
    assert!(rings.sender.write(b"honest so far", false));
    rings.sender.publish();
    assert_eq!(next_record(rings), b"honest so far");
    RING + 24
}

#[test]
fn lies_in_the_ring_end_the_connection() {
    with_victim(|victim| {
        for lie in [1 << 40, u64::MAX, u64::MAX - 7, 0, 8, 24 + 64 * 1024, 25] {
            let (mut peer, mut rings) = victim.upgraded();
            begin(&mut rings);
            rings.memory.put(TAIL, lie);
            rings.ringer.ring();
            assert!(peer.ends_within(PATIENCE), "with a tail of {lie:#x}");
            drop((peer, rings));
            victim.check();
        }
        let body = 2 << 32;
        for lie in [
            body | 41,
            body | 16 << 10,
            body | u64::from(u32::MAX),
            1 << 48 | body | 40,
            0,
            6 << 32 | 40,
            u64::MAX,
        ] {
            // What is behind a truth is met by reading on, and not by looking whether there is something.
            for truths in [0, 1] {
                let (mut peer, mut rings) = victim.upgraded();
                let mut record = begin(&mut rings);
                for _ in 0..truths {
                    assert!(rings.sender.write(&[7; 40], false));
                    record += 48;
                }
                assert!(rings.sender.write(&[7; 40], false));
                rings.memory.put(record, lie);
                rings.sender.publish();
                assert!(
                    peer.ends_within(PATIENCE),
                    "with a record of {lie:#x} behind {truths} others"
                );
                drop((peer, rings));
                victim.check();
            }
        }
    });
}

#[test]
fn lies_while_it_is_read_hurt_nobody_else() {
    with_victim(|victim| {
        // The words that the victim reads of its peer's segment, and the beginning of the ring.
        const WORDS: [u64; 9] = [TAIL, 256, 264, 384, 512, 520, 640, 768, RING];
        let mut random = Random::new(11);
        let mut ended = 0;
        let rounds = often(60);
        for round in 0..rounds {
            let (mut peer, mut rings) = victim.upgraded();
            begin(&mut rings);
            for _ in 0..3 {
                let offset = WORDS[round % WORDS.len()]
                    + if round % 9 == 8 {
                        8 * random.up_to(64) as u64
                    } else {
                        0
                    };
                let lie = match random.up_to(4) {
                    1 => random.next_u64(),
                    2 => u64::MAX - 8 * random.up_to(8) as u64,
                    3 => 8 * random.up_to(1 << 16) as u64,
                    _ => 1 << random.up_to(63),
                };
                // So that the victim looks, and finds the lie behind the truth.
                if rings.sender.write(&[7; 40], false) {
                    rings.sender.publish();
                }
                rings.memory.put(offset, lie);
            }
            // Whoever is woken by one way looks at the other as well.
            peer.send_message(b"look");
            ended += usize::from(peer.ends_within(Duration::from_millis(20)));
            drop((peer, rings));
            victim.check();
        }
        // How many it notices is a race; many concern only the liar, or what the victim has read already.
        println!("{ended} of {rounds} were noticed");
    });
}
