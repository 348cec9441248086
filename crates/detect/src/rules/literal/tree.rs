//! Patterns that share a gram, told apart by other bytes of the buffer.
//!
//! A gram that many patterns own would cost as many comparisons wherever a buffer has it. A node
//! of the tree therefore reads another gram of the buffer, a fixed distance from the first, and
//! goes on with those patterns that have it there; patterns that do not reach so far are the
//! node's `rest` and are looked at in any case. A few patterns are a leaf, compared one by one.

use super::gram::{fold, gram_at};
use super::set::{Members, Unique, u32_of, usize_of};

/// No node.
pub(super) const NONE: u32 = u32::MAX;
/// Most patterns that are compared one by one, unless nothing tells them apart.
const LEAF_MAX: usize = 4;

/// A pattern under its gram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    unique: &'a Unique,
    /// The number of the pattern.
    pattern: u32,
    offset: usize,
    /// The folded gram.
    pub(super) gram: u32,
}

impl<'a> Item<'a> {
    pub(super) fn new(unique: &'a Unique, pattern: u32, offset: usize, width: usize) -> Self {
        let gram = gram_at(&unique.bytes, Some(offset), width).unwrap_or(0);
        Self {
            unique,
            pattern,
            offset,
            gram: fold(gram),
        }
    }

    /// Bytes from the start of the gram to the end of the pattern.
    pub(super) fn reach(&self) -> usize {
        self.unique.bytes.len().saturating_sub(self.offset)
    }

    /// What the pattern asks of the buffer there, if it does.
    fn key(&self, probe: Probe, width: usize) -> Option<u32> {
        if probe.exact && self.unique.nocase {
            return None;
        }
        gram_at(&self.unique.bytes, probe.at(self.offset), width).map(|gram| probe.key(gram))
    }
}

/// Which other gram a node reads.
#[derive(Clone, Copy, Debug)]
struct Probe {
    /// From the first gram.
    distance: i32,
    /// Whether with regard to case: then patterns without are in the rest.
    exact: bool,
}

impl Probe {
    /// Where it reads for a gram at offset `at`; none before the start.
    fn at(self, at: usize) -> Option<usize> {
        at.checked_add_signed(isize::try_from(self.distance).ok()?)
    }

    fn key(self, gram: u32) -> u32 {
        if self.exact { gram } else { fold(gram) }
    }
}

/// Members from `first` up to `last`, which is not among them: all that are below this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) first: u32,
    pub(super) last: u32,
    /// How they are told apart, by number of the split; those of a leaf are not.
    split: u32,
}

#[derive(Clone, Copy, Debug)]
struct Split {
    probe: Probe,
    /// Where its children start in [`Tree::children`].
    children: u32,
    /// What brings the number of the child down from the top bits of a hash.
    shift: u32,
    rest: u32,
}

/// The trees of all grams.
#[derive(Debug)]
pub(super) struct Tree {
    width: usize,
    nodes: Vec<Node>,
    splits: Vec<Split>,
    children: Vec<u32>,
}

/// Patterns that wait for their node, and who points to it.
struct Branch<'a> {
    items: Vec<Item<'a>>,
    parent: Parent,
}

#[derive(Clone, Copy)]
enum Parent {
    None,
    Child(usize),
    Rest(usize),
}

impl Tree {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            nodes: Vec::new(),
            splits: Vec::new(),
            children: Vec::new(),
        }
    }

    /// Grows the tree of some patterns and adds these to `members`; its root.
    pub(super) fn grow(&mut self, items: Vec<Item<'_>>, members: &mut Members) -> u32 {
        let root = u32_of(self.nodes.len());
        let mut branches = vec![Branch {
            items,
            parent: Parent::None,
        }];
        // The last branch is done with all that grows from it before the others, so that the
        // members below a node stand side by side.
        while let Some(Branch { items, parent }) = branches.pop() {
            self.link(parent, u32_of(self.nodes.len()));
            let probe = (items.len() > LEAF_MAX).then(|| self.best_probe(&items));
            self.nodes.push(Node {
                first: u32_of(members.len()),
                last: u32_of(members.len().saturating_add(items.len())),
                split: NONE,
            });
            if let Some(probe) = probe.flatten() {
                if let Some(node) = self.nodes.last_mut() {
                    node.split = u32_of(self.splits.len());
                }
                self.split(probe, &items, &mut branches);
                continue;
            }
            for item in &items {
                members.push(item.pattern, item.gram, item.offset);
            }
        }
        root
    }

    pub(super) fn node(&self, node: u32) -> Option<&Node> {
        self.nodes.get(usize_of(node))
    }

    /// Adds the nodes to `pending` that are to be visited after this one for the gram at offset
    /// `at`; whether it is a leaf, whose members are to be compared.
    pub(super) fn leave(&self, node: &Node, hay: &[u8], at: usize, pending: &mut Vec<u32>) -> bool {
        let Some(split) = self.splits.get(usize_of(node.split)) else {
            return true;
        };
        let gram = gram_at(hay, split.probe.at(at), self.width);
        let child = gram.and_then(|gram| {
            let slot = slot(split.probe.key(gram), split.shift);
            self.children
                .get(usize_of(split.children.saturating_add(slot)))
        });
        let next = [Some(split.rest), child.copied()].into_iter().flatten();
        pending.extend(next.filter(|next| *next != NONE));
        false
    }

    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.splits.shrink_to_fit();
        self.children.shrink_to_fit();
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let nodes = self.nodes.capacity().saturating_mul(size_of::<Node>());
        let children = self.children.capacity().saturating_mul(size_of::<u32>());
        let splits = self.splits.capacity().saturating_mul(size_of::<Split>());
        nodes.saturating_add(splits).saturating_add(children)
    }

    fn link(&mut self, parent: Parent, node: u32) {
        let link = match parent {
            Parent::None => None,
            Parent::Child(child) => self.children.get_mut(child),
            Parent::Rest(split) => self.splits.get_mut(split).map(|split| &mut split.rest),
        };
        if let Some(link) = link {
            *link = node;
        }
    }

    /// Makes branches of a node's patterns.
    fn split<'a>(&mut self, probe: Probe, items: &[Item<'a>], branches: &mut Vec<Branch<'a>>) {
        let shift = shift_for(items.len());
        let first = self.children.len();
        let count = 1_usize
            .checked_shl(32_u32.saturating_sub(shift))
            .unwrap_or(1);
        self.children.resize(first.saturating_add(count), NONE);
        let mut parts: Vec<Vec<Item<'a>>> = vec![Vec::new(); count];
        let mut rest = Vec::new();
        for item in items {
            let key = item.key(probe, self.width);
            let part = key.and_then(|key| parts.get_mut(usize_of(slot(key, shift))));
            part.unwrap_or(&mut rest).push(*item);
        }
        let split = self.splits.len();
        self.splits.push(Split {
            probe,
            children: u32_of(first),
            shift,
            rest: NONE,
        });
        let parents = (first..).map(Parent::Child);
        let parts = parents.zip(parts).chain([(Parent::Rest(split), rest)]);
        let parts = parts.filter(|(_, items)| !items.is_empty());
        branches.extend(parts.map(|(parent, items)| Branch { items, parent }));
    }

    /// The probe that leaves least to look at, near ones first; none if none makes a difference.
    fn best_probe(&self, items: &[Item<'_>]) -> Option<Probe> {
        let back = items.iter().map(|item| item.offset).max()?;
        let reach = items.iter().map(Item::reach).max()?;
        let mut counts = Vec::new();
        let mut best = None;
        for step in 0..=back.max(reach) {
            let distance = i32::try_from(step).ok()?;
            let ways = [distance, distance.wrapping_neg()];
            let probes = [false, true].map(|exact| ways.map(|distance| Probe { distance, exact }));
            for probe in probes.into_iter().flatten() {
                let Some(cost) = self.cost(probe, items, &mut counts) else {
                    continue;
                };
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, probe));
                }
                if cost.0 <= LEAF_MAX {
                    return Some(probe);
                }
            }
        }
        best.map(|(_, probe)| probe)
    }

    /// The patterns that a probe leaves at most, and the larger of the two parts that it makes of
    /// those; none if it tells none apart.
    fn cost(
        &self,
        probe: Probe,
        items: &[Item<'_>],
        counts: &mut Vec<usize>,
    ) -> Option<(usize, usize)> {
        let shift = shift_for(items.len());
        counts.clear();
        counts.resize(1_usize.checked_shl(32_u32.saturating_sub(shift))?, 0);
        let mut rest = items.len();
        let mut largest = 0;
        for item in items {
            let key = item.key(probe, self.width);
            let count = key.and_then(|key| counts.get_mut(usize_of(slot(key, shift))));
            if let Some(count) = count {
                *count = count.saturating_add(1);
                largest = largest.max(*count);
                rest = rest.saturating_sub(1);
            }
        }
        let part = largest.max(rest);
        (part < items.len()).then_some((largest.saturating_add(rest), part))
    }
}

/// The shift of a node's hash that gives so many patterns at least twice as many children.
fn shift_for(items: usize) -> u32 {
    let bits = items.saturating_mul(2).next_power_of_two().ilog2();
    32_u32.saturating_sub(bits)
}

/// Another hash than that by which the patterns came together.
fn slot(key: u32, shift: u32) -> u32 {
    let mixed = key.wrapping_mul(0x85eb_ca6b);
    (mixed ^ (mixed >> 15))
        .wrapping_mul(0xc2b2_ae35)
        .wrapping_shr(shift)
}
