//! The pieces that patterns are made of: which pipe next. They know pipes by their keys and nothing of wires.

mod by_identity;
mod distribute;
mod fair_queue;
mod load_balance;
mod pipes;
#[cfg(test)]
mod tests;

pub(crate) use by_identity::ByIdentity;
pub(crate) use distribute::Distribute;
pub(crate) use fair_queue::{FairQueue, Queued};
pub(crate) use load_balance::{Balanced, LoadBalance};
pub(crate) use pipes::{PipeKey, Pipes, place};
