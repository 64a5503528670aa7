use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn matched(trie: &SubscriptionTrie, topic: &[u8]) -> BTreeSet<PipeKey> {
    let mut keys = BTreeSet::new();
    trie.matches(topic, |key| {
        keys.insert(key);
    });
    keys
}

#[test]
fn an_empty_trie_matches_nothing() {
    let mut trie = SubscriptionTrie::new();
    assert!(matched(&trie, b"").is_empty() && matched(&trie, b"topic").is_empty());
    assert_eq!(trie.remove(b"", 1), Removed::default());
    assert_eq!(trie.remove(b"topic", 1), Removed::default());
    trie.remove_key(1, |_| panic!("nothing was held"));
    assert!(trie.is_empty() && !SubscriptionSet::new().matches(b""));
}

#[test]
fn the_empty_prefix_matches_everything() {
    let mut trie = SubscriptionTrie::new();
    assert!(trie.add(b"", 7));
    assert_eq!(matched(&trie, b""), [7].into());
    assert_eq!(matched(&trie, b"anything"), [7].into());
    assert_eq!(
        trie.remove(b"", 7),
        Removed {
            existed: true,
            last: true
        }
    );
    assert!(trie.is_empty() && matched(&trie, b"").is_empty());
}

#[test]
fn a_pipe_holds_a_prefix_once() {
    let mut trie = SubscriptionTrie::new();
    assert!(trie.add(b"a", 1));
    assert!(!trie.add(b"a", 1), "the same again is no news");
    assert!(!trie.add(b"a", 2), "somebody else holds it");
    assert_eq!(
        trie.usage(1),
        Usage {
            count: 1,
            topic_bytes: 1
        }
    );
    assert_eq!(
        trie.remove(b"a", 1),
        Removed {
            existed: true,
            last: false
        }
    );
    assert_eq!(trie.remove(b"a", 1), Removed::default());
    assert_eq!(
        trie.remove(b"a", 2),
        Removed {
            existed: true,
            last: true
        }
    );
    assert!(trie.is_empty() && trie.usage(1) == Usage::default());
}

#[test]
fn a_pipe_is_visited_for_each_prefix_that_it_holds() {
    let mut trie = SubscriptionTrie::new();
    for prefix in ["", "ab", "abc", "abd"] {
        trie.add(prefix.as_bytes(), 3);
    }
    let mut visits = 0;
    trie.matches(b"abcd", |_| visits += 1);
    assert_eq!(visits, 3);
}

#[test]
fn cancelling_what_lies_between_nodes_changes_nothing() {
    let mut trie = SubscriptionTrie::new();
    trie.add(b"market.eur", 1);
    trie.add(b"market.usd", 1);
    for prefix in ["m", "market.", "market.e", "market.eurx", "x", ""] {
        assert_eq!(trie.remove(prefix.as_bytes(), 1), Removed::default(), "{prefix}");
    }
    assert_eq!(trie.len(), 2);
}

#[test]
fn a_departing_pipe_reports_what_nobody_else_holds() {
    let mut trie = SubscriptionTrie::new();
    for (prefix, key) in [
        ("", 1),
        ("a", 1),
        ("ab", 1),
        ("abc", 1),
        ("b", 1),
        ("ab", 2),
        ("abcd", 2),
    ] {
        trie.add(prefix.as_bytes(), key);
    }
    let mut held = BTreeSet::new();
    trie.prefixes_of(1, |prefix| assert!(held.insert(prefix.to_vec())));
    assert_eq!(held.len(), 5);
    let mut last = BTreeSet::new();
    trie.remove_key(1, |prefix| assert!(last.insert(prefix.to_vec())));
    let expected: BTreeSet<Vec<u8>> = ["", "a", "abc", "b"]
        .iter()
        .map(|it| it.as_bytes().to_vec())
        .collect();
    assert_eq!(last, expected);
    assert_eq!((trie.len(), matched(&trie, b"abcde")), (2, [2].into()));
}

#[test]
fn the_set_counts() {
    let mut set = SubscriptionSet::new();
    assert!(set.add(b"a") && !set.add(b"a") && set.add(b"ab"));
    assert_eq!(set.len(), 2);
    assert_eq!(set.remove(b"a"), Some(false));
    assert!(set.matches(b"a"));
    assert_eq!(set.remove(b"a"), Some(true));
    assert_eq!(set.remove(b"a"), None);
    assert_eq!(set.remove(b""), None);
    assert!(!set.matches(b"a") && set.matches(b"abc"));
}

#[test]
fn an_empty_tree_gives_its_memory_back() {
    let mut trie = SubscriptionTrie::new();
    for round in 0..3 {
        (0..10_000u64).for_each(|topic| assert!(trie.add(format!("topic/{topic}").as_bytes(), round)));
        assert!(trie.radix.nodes.len() >= 10_000);
        trie.remove_key(round, |_| {});
        assert_eq!((trie.radix.nodes.len(), trie.radix.free.len()), (1, 0));
        assert!(trie.radix.nodes.capacity() < 100 && trie.shares.is_empty());
    }
}

/// Runs something on a stack on which a frame for each of many nodes has no room.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(work);
    thread.unwrap().join().unwrap();
}

#[test]
fn a_million_topics() {
    on_a_small_stack(come_and_go_by_the_million);
}

fn come_and_go_by_the_million() {
    let mut trie = SubscriptionTrie::new();
    let topic = |number: u64| format!("venue/{}/instrument/{number}", number % 17).into_bytes();
    assert!((0..1_000_000).all(|number| trie.add(&topic(number), number % 3)));
    assert_eq!(trie.len(), 1_000_000);
    assert_eq!(
        matched(&trie, &topic(654_321)),
        (0..3).filter(|key| hits(*key, 654_321)).collect()
    );
    trie.remove_key(0, |_| {});
    trie.remove_key(1, |_| {});
    assert_eq!(trie.len(), 333_333);
    assert!(
        (0..1_000_000)
            .filter(|number| number % 3 == 2)
            .all(|number| trie.remove(&topic(number), 2).last)
    );
    assert_eq!((trie.radix.nodes.len(), trie.radix.free.len()), (1, 0));
    assert!(trie.radix.nodes.capacity() < 100, "the memory is given back");
    // What is dropped with all that it holds costs no more stack than what was emptied.
    assert!((0..100_000).all(|number| trie.add(&topic(number), 0)));
    drop(trie);
}

/// Whether a pipe of the test above holds the number itself or a number that is a decimal prefix with the same venue.
fn hits(key: u64, number: u64) -> bool {
    std::iter::successors(Some(number), |it| (*it >= 10).then_some(*it / 10))
        .any(|prefix| prefix % 17 == number % 17 && prefix % 3 == key)
}

/// Deeper than any stack of frames could be; built from the long end, where each step costs one comparison.
#[test]
fn depth_costs_no_stack() {
    const DEPTH: usize = 100_000;
    let longest = vec![b'a'; DEPTH];
    on_a_small_stack(move || {
        let mut trie = SubscriptionTrie::new();
        let mut set = SubscriptionSet::new();
        for length in (0..=DEPTH).rev() {
            assert!(trie.add(&longest[..length], 1) && set.add(&longest[..length]));
        }
        let mut visits = 0;
        trie.matches(&longest, |_| visits += 1);
        assert_eq!(visits, DEPTH + 1);
        assert!(trie.remove(&longest, 1).last && set.remove(&longest) == Some(true));
        assert!(trie.remove(&longest[..DEPTH / 2], 1).last);
        assert_eq!((trie.len(), set.len()), (DEPTH - 1, DEPTH));
        assert_eq!(trie.usage(1).count, DEPTH - 1);
        drop(trie);
        drop(set);
    });
}

/// Cancelled one by one, from the short end, where what is left becomes one long label.
#[test]
fn a_nest_of_prefixes_is_cancelled() {
    const DEPTH: usize = 20_000;
    let longest = vec![b'a'; DEPTH];
    on_a_small_stack(move || {
        let mut trie = SubscriptionTrie::new();
        for length in (0..=DEPTH).rev() {
            assert!(trie.add(&longest[..length], 1));
        }
        for length in 0..=DEPTH {
            assert!(trie.remove(&longest[..length], 1).last);
        }
        assert_eq!((trie.radix.nodes.len(), trie.radix.free.len()), (1, 0));
        assert!(trie.radix.nodes.capacity() < 100 && trie.shares.is_empty());
    });
}

#[test]
fn a_nest_of_prefixes_departs_at_once() {
    const DEPTH: usize = 3000;
    let longest = vec![b'a'; DEPTH];
    let mut trie = SubscriptionTrie::new();
    (1..=DEPTH).for_each(|length| assert!(trie.add(&longest[..length], 1)));
    trie.add(&longest, 2);
    let mut lengths: Vec<_> = Vec::new();
    trie.remove_key(1, |prefix| lengths.push(prefix.len()));
    lengths.sort_unstable();
    assert!(lengths.into_iter().eq(1..DEPTH));
    assert_eq!(
        (trie.len(), trie.radix.nodes.len() - trie.radix.free.len()),
        (1, 2),
        "the rest is one long label"
    );
}

#[test]
fn one_megabyte_topics() {
    let mut trie = SubscriptionTrie::new();
    let mut topic = vec![b'x'; 1 << 20];
    trie.add(&topic, 1);
    *topic.last_mut().unwrap() = b'y';
    trie.add(&topic, 2);
    assert_eq!(matched(&trie, &topic), [2].into());
    assert!(trie.remove(&topic, 2).last);
    *topic.last_mut().unwrap() = b'x';
    assert_eq!(matched(&trie, &topic), [1].into());
}

/// The rules that `radix` promises: compressed, linked both ways, counted, and nothing lost to the free list.
fn check_shape<V: Value>(radix: &Radix<V>) {
    let mut reached = 0;
    let mut occupied = 0;
    let mut open = vec![0u32];
    while let Some(number) = open.pop() {
        let node = &radix.nodes[number as usize];
        reached += 1;
        occupied += usize::from(!node.value.is_vacant());
        assert!(
            number == 0 || !node.value.is_vacant() || node.edges.len() >= 2,
            "node {number} is superfluous"
        );
        assert!(
            node.edges.windows(2).all(|pair| pair[0].first < pair[1].first),
            "edges out of order"
        );
        for edge in &node.edges {
            let child = &radix.nodes[edge.node as usize];
            assert_eq!((child.parent, child.label.first()), (number, Some(&edge.first)));
            open.push(edge.node);
        }
    }
    assert_eq!(
        (reached, occupied),
        (radix.nodes.len() - radix.free.len(), radix.len())
    );
}

#[derive(Debug, Clone)]
enum Step {
    Add(Vec<u8>, PipeKey),
    Remove(Vec<u8>, PipeKey),
    RemoveKey(PipeKey),
    Match(Vec<u8>),
}

/// Few letters for many common prefixes; now and then many letters for wide nodes, and long runs for long labels.
fn topics() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::collection::vec(0u8..3, 0..8),
        2 => prop::collection::vec(any::<u8>(), 0..3),
        1 => (0usize..200, any::<u8>()).prop_map(|(run, end)| [vec![1; run], vec![end]].concat()),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0u64..6;
    let step = prop_oneof![
        6 => (topics(), key.clone()).prop_map(|(topic, key)| Step::Add(topic, key)),
        5 => (topics(), key.clone()).prop_map(|(topic, key)| Step::Remove(topic, key)),
        1 => key.prop_map(Step::RemoveKey),
        4 => topics().prop_map(Step::Match),
    ];
    prop::collection::vec(step, 0..150)
}

type Model = BTreeMap<Vec<u8>, BTreeSet<PipeKey>>;

fn apply(step: Step, trie: &mut SubscriptionTrie, model: &mut Model) {
    match step {
        Step::Add(topic, key) => {
            let first = !model.contains_key(&topic);
            assert_eq!(trie.add(&topic, key), first);
            model.entry(topic).or_default().insert(key);
        }
        Step::Remove(topic, key) => {
            let existed = model.get_mut(&topic).is_some_and(|holders| holders.remove(&key));
            let last = existed && model[&topic].is_empty();
            if last {
                model.remove(&topic);
            }
            assert_eq!(trie.remove(&topic, key), Removed { existed, last });
        }
        Step::RemoveKey(key) => {
            let mut reported = Vec::new();
            trie.remove_key(key, |prefix| reported.push(prefix.to_vec()));
            reported.sort();
            let mut expected = Vec::new();
            model.retain(|topic, holders| {
                if holders.remove(&key) && holders.is_empty() {
                    expected.push(topic.clone());
                }
                !holders.is_empty()
            });
            assert_eq!(reported, expected);
        }
        Step::Match(topic) => {
            let mut reported = Vec::new();
            trie.matches(&topic, |key| reported.push(key));
            reported.sort_unstable();
            let holders = model.iter().filter(|(prefix, _)| topic.starts_with(prefix));
            let mut expected: Vec<_> = holders.flat_map(|(_, holders)| holders).copied().collect();
            expected.sort_unstable();
            assert_eq!(reported, expected);
        }
    }
}

proptest! {
    #[test]
    fn the_trie_is_a_map_of_sets(steps in steps()) {
        let mut trie = SubscriptionTrie::new();
        let mut model = Model::new();
        for step in steps {
            apply(step, &mut trie, &mut model);
            check_shape(&trie.radix);
            prop_assert_eq!(trie.len(), model.len());
        }
        for key in 0..6 {
            let held: Vec<_> = model.iter().filter(|(_, holders)| holders.contains(&key)).collect();
            let topic_bytes = held.iter().map(|(prefix, _)| prefix.len()).sum();
            prop_assert_eq!(trie.usage(key), Usage { count: held.len(), topic_bytes });
        }
    }

    #[test]
    fn the_set_is_a_map_of_counts(steps in steps()) {
        let mut set = SubscriptionSet::new();
        let mut model = BTreeMap::<Vec<u8>, u64>::new();
        for step in steps {
            match step {
                Step::Add(topic, _) => {
                    let count = model.entry(topic.clone()).or_default();
                    *count += 1;
                    prop_assert_eq!(set.add(&topic), *count == 1);
                }
                Step::Remove(topic, _) => {
                    let expected = model.get_mut(&topic).map(|count| {
                        *count -= 1;
                        *count == 0
                    });
                    if expected == Some(true) {
                        model.remove(&topic);
                    }
                    prop_assert_eq!(set.remove(&topic), expected);
                }
                Step::Match(topic) => {
                    prop_assert_eq!(set.matches(&topic), model.keys().any(|prefix| topic.starts_with(prefix)));
                }
                Step::RemoveKey(_) => {
                    let mut listed: Vec<_> = set.iter().collect();
                    listed.sort();
                    prop_assert!(listed.iter().eq(model.keys()));
                }
            }
            check_shape(&set.radix);
        }
    }

    #[test]
    fn a_common_length_is_found_wherever_the_two_part(run in 0usize..300, left in topics(), right in topics()) {
        let (left, right) = ([vec![9; run], left].concat(), [vec![9; run], right].concat());
        let expected = left.iter().zip(&right).take_while(|(l, r)| l == r).count();
        prop_assert_eq!(radix::common_length(&left, &right), expected);
    }
}
