//! A compressed prefix tree whose nodes live in one vector and know each other by number.
//!
//! Numbers instead of boxes keep every operation, dropping included, free of recursion: depth costs time, not stack.
//! Two rules keep the tree small: a node without a value has at least two children (the root excepted), and
//! what is removed is reused. A node with a value keeps its number until the value is vacant.

use smallvec::SmallVec;
use std::{fmt::Debug, mem};

/// What a node can carry. The default is vacant.
pub(super) trait Value: Default + Debug {
    /// Whether the node carries nothing.
    fn is_vacant(&self) -> bool;
}

const ROOT: u32 = 0;

/// Edges of a node are searched one by one up to this many, by halving beyond.
const LINEAR_SEARCH_MAX: usize = 8;

/// Vectors with room for this many nodes are kept when the tree becomes empty.
const SPARE_NODES: usize = 16;

#[derive(Debug)]
pub(super) struct Radix<V> {
    pub(super) nodes: Vec<Node<V>>,
    pub(super) free: Vec<u32>,
    occupied: usize,
}

#[derive(Debug, Default)]
pub(super) struct Node<V> {
    /// The bytes between the parent's path and this node's; empty in the root only.
    pub(super) label: SmallVec<[u8; 16]>,
    /// The children, by the first byte of their labels.
    pub(super) edges: SmallVec<[Edge; 2]>,
    pub(super) parent: u32,
    pub(super) value: V,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) first: u8,
    pub(super) node: u32,
}

impl<V: Value> Default for Radix<V> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
            occupied: 0,
        }
    }
}

impl<V> Node<V> {
    #[inline]
    fn child(&self, first: u8) -> Option<u32> {
        if self.edges.len() <= LINEAR_SEARCH_MAX {
            return self
                .edges
                .iter()
                .find(|edge| edge.first == first)
                .map(|edge| edge.node);
        }
        self.edges
            .binary_search_by_key(&first, |edge| edge.first)
            .ok()
            .map(|at| self.edges[at].node)
    }

    /// Makes `node` the child below `first`, in place of a former one.
    fn set_child(&mut self, first: u8, node: u32) {
        match self.edges.binary_search_by_key(&first, |edge| edge.first) {
            Ok(at) => self.edges[at].node = node,
            Err(at) => self.edges.insert(at, Edge { first, node }),
        }
    }

    fn remove_child(&mut self, first: u8) {
        let at = self.edges.binary_search_by_key(&first, |edge| edge.first);
        self.edges.remove(at.expect("a child is known to its parent"));
        release_room(&mut self.edges);
    }
}

impl<V: Value> Radix<V> {
    /// Number of nodes that carry a value.
    pub(super) fn len(&self) -> usize {
        self.occupied
    }

    /// The numbers of the nodes that carry a value.
    pub(super) fn occupied(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..)
            .zip(&self.nodes)
            .filter(|(_, node)| !node.value.is_vacant())
            .map(|(number, _)| number)
    }

    pub(super) fn value(&self, node: u32) -> &V {
        &self.node(node).value
    }

    /// Changes a node's value; a node whose value is vacant afterwards is gone.
    pub(super) fn update<R>(&mut self, node: u32, change: impl FnOnce(&mut V) -> R) -> R {
        let value = &mut self.node_mut(node).value;
        let was_vacant = value.is_vacant();
        let answer = change(value);
        let is_vacant = value.is_vacant();
        self.occupied += usize::from(was_vacant && !is_vacant);
        self.occupied -= usize::from(!was_vacant && is_vacant);
        if is_vacant {
            self.prune(node);
        }
        answer
    }

    /// Visits the values on the way along `topic`, vacant ones included, until `visit` answers false.
    #[inline]
    pub(super) fn walk(&self, topic: &[u8], mut visit: impl FnMut(&V) -> bool) {
        let mut node = self.node(ROOT);
        let mut rest = topic;
        while visit(&node.value) {
            let Some(child) = rest.first().and_then(|first| node.child(*first)) else {
                return;
            };
            node = self.node(child);
            let Some(tail) = rest.strip_prefix(node.label.as_slice()) else {
                return;
            };
            rest = tail;
        }
    }

    /// The node whose path is `prefix`, with a value or without.
    pub(super) fn find(&self, prefix: &[u8]) -> Option<u32> {
        let mut number = ROOT;
        let mut rest = prefix;
        while let Some(first) = rest.first() {
            number = self.node(number).child(*first)?;
            rest = rest.strip_prefix(self.node(number).label.as_slice())?;
        }
        Some(number)
    }

    /// The node whose path is `prefix`, made if need be. A new node is to be given a value at once.
    pub(super) fn insert(&mut self, prefix: &[u8]) -> u32 {
        let mut number = ROOT;
        let mut rest = prefix;
        while let Some(first) = rest.first() {
            let Some(child) = self.node(number).child(*first) else {
                return self.add_child(number, rest);
            };
            let label = &self.node(child).label;
            let common = common_length(label, rest);
            number = if common == label.len() {
                child
            } else {
                self.split(child, common)
            };
            rest = &rest[common..];
        }
        number
    }

    /// Writes the path of a node into `path`, replacing what is there.
    pub(super) fn path(&self, node: u32, path: &mut Vec<u8>) {
        path.clear();
        let mut node = self.node(node);
        while !node.label.is_empty() {
            path.extend(node.label.iter().rev());
            node = self.node(node.parent);
        }
        path.reverse();
    }

    fn add_child(&mut self, parent: u32, label: &[u8]) -> u32 {
        let node = Node {
            label: SmallVec::from_slice(label),
            parent,
            ..Node::default()
        };
        let number = self.allocate(node);
        self.node_mut(parent).set_child(label[0], number);
        number
    }

    /// Puts a new node between `lower` and its parent, `at` bytes down the label, and returns it.
    fn split(&mut self, lower: u32, at: usize) -> u32 {
        let node = self.node_mut(lower);
        let tail = SmallVec::from_slice(&node.label[at..]);
        let mut label = mem::replace(&mut node.label, tail);
        label.truncate(at);
        release_room(&mut label);
        let (parent, first, below) = (node.parent, label[0], node.label[0]);
        let edges = SmallVec::from_slice(&[Edge {
            first: below,
            node: lower,
        }]);
        let upper = self.allocate(Node {
            label,
            edges,
            parent,
            value: V::default(),
        });
        self.node_mut(lower).parent = upper;
        self.node_mut(parent).set_child(first, upper);
        upper
    }

    /// Restores the two rules at a node whose value is vacant.
    fn prune(&mut self, number: u32) {
        let node = self.node(number);
        if number == ROOT || !node.value.is_vacant() {
            return;
        }
        match node.edges.as_slice() {
            [] => {
                let (parent, first) = (node.parent, node.label[0]);
                self.node_mut(parent).remove_child(first);
                self.release(number);
                // The parent carries a value or had two children, so that it is at most merged.
                if self.node(parent).edges.len() == 1 {
                    self.prune(parent);
                }
            }
            [only] => {
                let only = only.node;
                self.merge(number, only);
            }
            _ => {}
        }
    }

    /// Lets the only child of a node without value take the node's place.
    fn merge(&mut self, upper: u32, lower: u32) {
        let node = self.node_mut(upper);
        let (mut label, parent) = (mem::take(&mut node.label), node.parent);
        let child = self.node_mut(lower);
        label.extend_from_slice(&child.label);
        let first = label[0];
        child.label = label;
        child.parent = parent;
        self.node_mut(parent).set_child(first, lower);
        self.release(upper);
    }

    fn allocate(&mut self, node: Node<V>) -> u32 {
        if let Some(number) = self.free.pop() {
            *self.node_mut(number) = node;
            return number;
        }
        let number = u32::try_from(self.nodes.len()).expect("four billion nodes do not fit into memory");
        self.nodes.push(node);
        number
    }

    fn release(&mut self, number: u32) {
        *self.node_mut(number) = Node::default();
        self.free.push(number);
        if self.free.len() + 1 == self.nodes.len() {
            self.nodes.truncate(1);
            self.nodes.shrink_to(SPARE_NODES);
            self.free.clear();
            self.free.shrink_to(SPARE_NODES);
        }
    }

    #[inline]
    fn node(&self, number: u32) -> &Node<V> {
        &self.nodes[number as usize]
    }

    fn node_mut(&mut self, number: u32) -> &mut Node<V> {
        &mut self.nodes[number as usize]
    }
}

/// Gives memory back when less than half of it is used.
fn release_room<A: smallvec::Array>(items: &mut SmallVec<A>) {
    if items.spilled() && items.len() < items.capacity() / 2 {
        items.shrink_to_fit();
    }
}

/// How many leading bytes two slices have in common; whole blocks are compared as such.
pub(super) fn common_length(left: &[u8], right: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let shorter = left.len().min(right.len());
    let (left, right) = (&left[..shorter], &right[..shorter]);
    if left == right {
        return shorter;
    }
    let blocks = left
        .chunks(BLOCK)
        .zip(right.chunks(BLOCK))
        .take_while(|(l, r)| l == r)
        .count();
    let start = (blocks * BLOCK).min(shorter);
    start
        + left[start..]
            .iter()
            .zip(&right[start..])
            .take_while(|(l, r)| l == r)
            .count()
}
