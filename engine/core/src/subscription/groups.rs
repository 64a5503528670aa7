//! Groups that peers have joined (RFC 48): exact names, without prefixes.

use std::collections::{HashMap, HashSet};

use super::{Holders, PipeKey};

/// Which pipes have joined which groups.
#[derive(Debug, Default)]
pub(crate) struct GroupTable {
    members: HashMap<Box<[u8]>, Holders>,
    joined: HashMap<PipeKey, HashSet<Box<[u8]>>>,
}

impl GroupTable {
    /// A pipe joins a group, or has joined it already. Returns how many it is in.
    pub(crate) fn add(&mut self, group: &[u8], key: PipeKey) -> usize {
        let joined = self.joined.entry(key).or_default();
        if joined.insert(group.into()) {
            self.members.entry(group.into()).or_default().push(key);
        }
        joined.len()
    }

    /// A pipe leaves a group, if it is in it.
    pub(crate) fn remove(&mut self, group: &[u8], key: PipeKey) {
        let Some(joined) = self.joined.get_mut(&key) else {
            return;
        };
        if joined.remove(group) {
            self.forget(group, key);
        }
    }

    /// A pipe leaves all its groups.
    pub(crate) fn remove_key(&mut self, key: PipeKey) {
        for group in self.joined.remove(&key).unwrap_or_default() {
            self.forget(&group, key);
        }
    }

    /// The pipes in a group, each once, in no order.
    pub(crate) fn members(&self, group: &[u8]) -> &[PipeKey] {
        self.members.get(group).map_or(&[], |members| members)
    }

    /// How many pipes are in any group.
    pub(crate) fn holders(&self) -> usize {
        self.joined.values().filter(|groups| !groups.is_empty()).count()
    }

    fn forget(&mut self, group: &[u8], key: PipeKey) {
        if let Some(members) = self.members.get_mut(group) {
            members.retain(|member| *member != key);
            if members.is_empty() {
                self.members.remove(group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_exact_and_joined_once() {
        let mut table = GroupTable::default();
        assert_eq!(table.add(b"a", 1), 1);
        assert_eq!(table.add(b"a", 1), 1);
        assert_eq!(table.add(b"ab", 1), 2);
        assert_eq!(table.add(b"a", 2), 1);
        assert_eq!(table.members(b"a"), [1, 2]);
        assert_eq!(table.members(b"ab"), [1]);
        assert!(table.members(b"").is_empty());
        table.remove(b"a", 1);
        table.remove(b"a", 1);
        table.remove(b"never", 3);
        assert_eq!(table.members(b"a"), [2]);
        table.remove_key(2);
        table.remove_key(1);
        assert!(
            table.members.is_empty() && table.joined.is_empty(),
            "nothing is left behind"
        );
    }
}
