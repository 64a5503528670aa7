//! Every pair of socket types that may talk, between the engines, whoever binds.

use std::time::Duration;

use ringmq_tests::watchdog::within;

use crate::meet::{BINDS, Binds, join, lengths, next_subscription, pattern, send_when_reachable, tune_in};
use crate::peer::{self, ENGINES, Engine, Kind, Parts, Peer, Wire};

/// How long one pair may take, with all engines and both ways to meet.
const LIMIT: Duration = Duration::from_secs(300);

macro_rules! pairs {
    ($($name:ident: $left:ident $right:ident;)*) => {
        $(
            #[test]
            fn $name() {
                within(LIMIT, || everywhere(Kind::$left, Kind::$right));
            }
        )*
    };
}

pairs! {
    push_and_pull: Push Pull;
    pub_and_sub: Pub Sub;
    pub_and_xsub: Pub XSub;
    xpub_and_sub: XPub Sub;
    xpub_and_xsub: XPub XSub;
    req_and_rep: Req Rep;
    req_and_router: Req Router;
    dealer_and_rep: Dealer Rep;
    dealer_and_dealer: Dealer Dealer;
    dealer_and_router: Dealer Router;
    router_and_router: Router Router;
    pair_and_pair: Pair Pair;
}

/// What is said.
fn bodies() -> Vec<Parts> {
    vec![
        vec![vec![]],
        vec![b"one".to_vec()],
        vec![b"one".to_vec(), b"two".to_vec()],
        vec![vec![], b"between".to_vec(), vec![]],
        vec![
            pattern(1, 300),
            pattern(2, 40_000),
            pattern(3, 70_000),
            pattern(4, 1),
        ],
    ]
}

fn everywhere(left: Kind, right: Kind) {
    for engines in ENGINES {
        for binds in BINDS {
            for wire in [Wire::Tcp, Wire::Path, Wire::Name, Wire::Web] {
                println!(
                    "{left:?} of {:?} and {right:?} of {:?}, {binds:?} binds, {wire:?}",
                    engines.0, engines.1
                );
                Conversation::new(wire, engines, (left, right), binds).hold();
            }
        }
    }
}

struct Conversation {
    left: Side,
    right: Side,
}

/// One end, with the name that a ROUTER knows it by.
struct Side {
    peer: Box<dyn Peer>,
    kind: Kind,
    name: &'static [u8],
}

impl Side {
    fn new(engine: Engine, kind: Kind, name: &'static [u8]) -> Side {
        let peer = peer::new(engine, kind);
        if matches!(kind, Kind::Req | Kind::Dealer | Kind::Router) {
            peer.set_routing_id(name);
        }
        match kind {
            Kind::Router => peer.set_mandatory(),
            Kind::Sub | Kind::XSub => peer.subscribe(b""),
            _ => {}
        }
        Side { peer, kind, name }
    }

    /// Whether the type sends what an application wants to say.
    fn talks(&self) -> bool {
        !matches!(self.kind, Kind::Pull | Kind::Sub | Kind::XSub)
    }

    /// Says `body` to `listener`, with the envelope that its type wants.
    fn say(&self, listener: &Side, body: &Parts) {
        let mut parts = Parts::new();
        if self.kind == Kind::Router {
            parts.push(listener.name.to_vec());
        }
        let bare = matches!(self.kind, Kind::Dealer | Kind::Router);
        if bare && matches!(listener.kind, Kind::Req | Kind::Rep) {
            parts.push(vec![]);
        }
        parts.extend(body.iter().cloned());
        if self.kind == Kind::Router {
            send_when_reachable(&*self.peer, &parts);
        } else {
            self.peer.send(&parts);
        }
    }

    /// What `speaker` has said, without the envelope, which must be in order.
    fn hear(&self, speaker: &Side) -> Parts {
        let mut parts = self.peer.recv();
        if self.kind == Kind::Router {
            assert_eq!(parts.remove(0), speaker.name);
        }
        let bare = matches!(self.kind, Kind::Dealer | Kind::Router);
        if bare && matches!(speaker.kind, Kind::Req | Kind::Rep) {
            assert_eq!(parts.remove(0), b"");
        }
        parts
    }
}

impl Conversation {
    fn new(wire: Wire, engines: (Engine, Engine), kinds: (Kind, Kind), binds: Binds) -> Conversation {
        let left = Side::new(engines.0, kinds.0, b"left");
        let right = Side::new(engines.1, kinds.1, b"right");
        join(wire, &*left.peer, &*right.peer, binds);
        Conversation { left, right }
    }

    fn hold(&self) {
        let Conversation { left, right } = self;
        match left.kind {
            Kind::Pub => tune_in(&*left.peer, &*right.peer),
            Kind::XPub => assert_eq!(next_subscription(&*left.peer, &*right.peer), [[1]]),
            _ => {}
        }
        for body in bodies() {
            Conversation::pass(left, right, &body);
            if right.talks() && left.kind != Kind::Push {
                Conversation::pass(right, left, &body);
            }
        }
        if (left.kind, right.kind) == (Kind::XPub, Kind::XSub) {
            self.hold_upstream();
        }
    }

    fn pass(speaker: &Side, listener: &Side, body: &Parts) {
        speaker.say(listener, body);
        let heard = listener.hear(speaker);
        assert_eq!(lengths(&heard), lengths(body));
        assert!(heard == *body, "the content differs");
    }

    /// An XSUB may say other things than subscriptions, and cancels.
    fn hold_upstream(&self) {
        let (left, right) = (&self.left.peer, &self.right.peer);
        right.send(&[b"to the publisher".to_vec(), b"in parts".to_vec()]);
        assert_eq!(left.recv(), [b"to the publisher".to_vec(), b"in parts".to_vec()]);
        right.subscribe(b"more");
        assert_eq!(left.recv(), [b"\x01more"]);
        right.unsubscribe(b"more");
        assert_eq!(left.recv(), [b"\x00more"]);
    }
}
