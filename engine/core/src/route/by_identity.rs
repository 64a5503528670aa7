//! Peers by routing id (RFC 28 ROUTER).

use std::collections::HashMap;

use super::PipeKey;

/// The routing table of a ROUTER, both ways.
#[derive(Default)]
pub(crate) struct ByIdentity {
    keys: HashMap<Box<[u8]>, PipeKey>,
    identities: HashMap<PipeKey, Box<[u8]>>,
}

impl ByIdentity {
    pub(crate) fn key(&self, identity: &[u8]) -> Option<PipeKey> {
        self.keys.get(identity).copied()
    }

    pub(crate) fn identity(&self, key: PipeKey) -> Option<&[u8]> {
        self.identities.get(&key).map(|identity| &**identity)
    }

    /// Enters a peer; the identity must be free.
    pub(crate) fn insert(&mut self, identity: &[u8], key: PipeKey) {
        self.remove(key);
        let displaced = self.keys.insert(identity.into(), key);
        debug_assert!(displaced.is_none());
        self.identities.insert(key, identity.into());
    }

    /// Nothing is sent to the peer any more, and its identity is free for another; what it sent keeps its name.
    pub(crate) fn retire(&mut self, key: PipeKey) {
        if let Some(identity) = self.identities.get(&key)
            && self.keys.get(identity) == Some(&key)
        {
            self.keys.remove(identity);
        }
    }

    pub(crate) fn remove(&mut self, key: PipeKey) {
        self.retire(key);
        self.identities.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_peer_leaves_its_identity_to_the_next() {
        let mut table = ByIdentity::default();
        table.insert(b"alice", 1);
        table.retire(1);
        assert_eq!(table.key(b"alice"), None);
        assert_eq!(table.identity(1), Some(&b"alice"[..]));
        table.insert(b"alice", 2);
        table.remove(1);
        assert_eq!(
            table.key(b"alice"),
            Some(2),
            "the old peer takes only its own entry along"
        );
    }
}
