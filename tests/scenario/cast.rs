//! Who plays, and what lies between them.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::socket::Engine;

/// What lies between the roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Tcp,
    Ipc,
    Inproc,
}

impl Wire {
    pub(crate) fn named(name: &str) -> Wire {
        match name {
            "tcp" => Wire::Tcp,
            "ipc" => Wire::Ipc,
            "inproc" => Wire::Inproc,
            other => panic!("there is no {other}"),
        }
    }

    /// An endpoint that nobody else has. Over tcp the address is its own in this process, and the port makes it one of its own
    /// beside other processes that run this.
    pub(crate) fn own_endpoint(self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (number, process) = (NEXT.fetch_add(1, Relaxed), std::process::id());
        match self {
            Wire::Tcp => format!(
                "tcp://127.79.{}.{}:{}",
                number / 250 % 250,
                number % 250 + 1,
                10_000 + process % 20_000
            ),
            Wire::Ipc => format!("ipc://@ringmq-scenario-{process}-{number}"),
            Wire::Inproc => format!("inproc://scenario-{number}"),
        }
    }
}

/// Who plays which role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cast {
    pub(crate) first: Engine,
    pub(crate) second: Engine,
}

impl Cast {
    /// Every cast that can meet. Engines do not meet inside of a process.
    pub(crate) fn all(wire: Wire) -> impl Iterator<Item = Cast> {
        let engines = [Engine::Stock, Engine::RingMq];
        engines
            .into_iter()
            .flat_map(move |first| engines.map(|second| Cast { first, second }))
            .filter(move |cast| wire != Wire::Inproc || cast.first == cast.second)
    }
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} first and {:?} second", self.first, self.second)
    }
}
