//! Prefixes that somebody subscribed to: the publisher's side, which knows who, and the subscriber's, which counts.
//!
//! Topics are any bytes of any length, and a peer chooses them: nothing here recurses, and a peer's share is
//! measured ([`SubscriptionTrie::usage`]) so that it can be bounded.

mod groups;
mod radix;
#[cfg(test)]
mod tests;

pub(crate) use groups::GroupTable;
use radix::{Radix, Value};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};

/// Names a pipe among those of one socket.
pub type PipeKey = u64;

/// The pipes that subscribed to one prefix, in no order.
type Holders = SmallVec<[PipeKey; 4]>;

impl Value for Holders {
    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
}

/// How often a subscriber asked for one prefix.
type Count = u32;

impl Value for Count {
    fn is_vacant(&self) -> bool {
        *self == 0
    }
}

/// The publisher's side: which pipes subscribed to which prefixes.
///
/// A pipe holds a prefix or does not: subscribing twice is the same as once (RFC 29 leaves counting to the subscriber).
#[derive(Debug, Default)]
pub struct SubscriptionTrie {
    radix: Radix<Holders>,
    shares: HashMap<PipeKey, Share>,
}

/// What one pipe holds: the nodes of its prefixes, whose numbers do not change while they have holders.
#[derive(Debug, Default)]
struct Share {
    nodes: HashSet<u32>,
    topic_bytes: usize,
}

/// What became of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// The pipe held the prefix.
    pub existed: bool,
    /// It did, and no other pipe does.
    pub last: bool,
}

/// How much one pipe holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Number of prefixes.
    pub count: usize,
    /// Sum of their lengths in bytes.
    pub topic_bytes: usize,
}

impl SubscriptionTrie {
    /// An empty trie.
    #[cfg(test)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes a pipe to a prefix; true if no pipe held that prefix before.
    pub fn add(&mut self, prefix: &[u8], key: PipeKey) -> bool {
        let node = self.radix.insert(prefix);
        let share = self.shares.entry(key).or_default();
        if !share.nodes.insert(node) {
            return false;
        }
        share.topic_bytes += prefix.len();
        self.radix.update(node, |holders| {
            holders.push(key);
            holders.len() == 1
        })
    }

    /// Cancels a pipe's subscription to a prefix. Cancelling what was never subscribed has no effect.
    pub fn remove(&mut self, prefix: &[u8], key: PipeKey) -> Removed {
        let Some(node) = self.radix.find(prefix) else {
            return Removed::default();
        };
        let Some(share) = self.shares.get_mut(&key) else {
            return Removed::default();
        };
        if !share.nodes.remove(&node) {
            return Removed::default();
        }
        share.topic_bytes -= prefix.len();
        if share.nodes.is_empty() {
            self.shares.remove(&key);
        }
        Removed {
            existed: true,
            last: self.release(node, key),
        }
    }

    /// Cancels all subscriptions of a pipe, and calls `on_last` with each prefix that no pipe holds any more.
    ///
    /// The cost follows what the pipe held, not what the trie holds.
    pub fn remove_key(&mut self, key: PipeKey, mut on_last: impl FnMut(&[u8])) {
        let Some(share) = self.shares.remove(&key) else {
            return;
        };
        let mut prefix = Vec::new();
        for node in share.nodes {
            if self.radix.value(node).len() == 1 {
                self.radix.path(node, &mut prefix);
                on_last(&prefix);
            }
            self.release(node, key);
        }
    }

    /// Calls `visit` for each subscription that matches the topic.
    ///
    /// A pipe that holds several prefixes of the topic is visited once for each: marking a pipe twice is cheaper than
    /// finding out that it was marked.
    #[inline]
    pub fn matches(&self, topic: &[u8], mut visit: impl FnMut(PipeKey)) {
        self.radix.walk(topic, |holders| {
            for key in holders {
                visit(*key);
            }
            true
        });
    }

    /// Calls `visit` for each prefix that a pipe holds, in no order.
    pub fn prefixes_of(&self, key: PipeKey, mut visit: impl FnMut(&[u8])) {
        let mut prefix = Vec::new();
        for node in self.shares.get(&key).into_iter().flat_map(|share| &share.nodes) {
            self.radix.path(*node, &mut prefix);
            visit(&prefix);
        }
    }

    /// How much a pipe holds.
    pub fn usage(&self, key: PipeKey) -> Usage {
        self.shares.get(&key).map_or(Usage::default(), |share| Usage {
            count: share.nodes.len(),
            topic_bytes: share.topic_bytes,
        })
    }

    /// How many pipes hold any prefix.
    pub fn holders(&self) -> usize {
        self.shares.len()
    }

    /// Number of distinct prefixes that are held.
    pub fn len(&self) -> usize {
        self.radix.len()
    }

    /// Whether nobody subscribed to anything.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a holder from a node; true if it was the last one.
    fn release(&mut self, node: u32, key: PipeKey) -> bool {
        self.radix.update(node, |holders| {
            let at = holders.iter().position(|holder| *holder == key);
            holders.swap_remove(at.expect("a share names only nodes that the pipe holds"));
            holders.is_empty()
        })
    }
}

/// The subscriber's side: which prefixes it asked for, and how often.
#[derive(Debug, Default)]
pub struct SubscriptionSet {
    radix: Radix<Count>,
}

impl SubscriptionSet {
    /// An empty set, which matches nothing.
    #[cfg(test)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a prefix once more; true if it was not in the set.
    pub fn add(&mut self, prefix: &[u8]) -> bool {
        let node = self.radix.insert(prefix);
        self.radix.update(node, |count| {
            *count = count.saturating_add(1);
            *count == 1
        })
    }

    /// Takes a prefix back once: `Some(true)` if it left the set, `None` if it was not in it.
    pub fn remove(&mut self, prefix: &[u8]) -> Option<bool> {
        let node = self.radix.find(prefix)?;
        if self.radix.value(node).is_vacant() {
            return None;
        }
        Some(self.radix.update(node, |count| {
            *count -= 1;
            *count == 0
        }))
    }

    /// Whether a prefix of the topic is in the set.
    #[inline]
    pub fn matches(&self, topic: &[u8]) -> bool {
        let mut found = false;
        self.radix.walk(topic, |count| {
            found = !count.is_vacant();
            !found
        });
        found
    }

    /// The prefixes, each once, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.radix.occupied().map(|node| {
            let mut prefix = Vec::new();
            self.radix.path(node, &mut prefix);
            prefix
        })
    }

    /// Number of distinct prefixes.
    pub fn len(&self) -> usize {
        self.radix.len()
    }
}
