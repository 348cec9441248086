//! Trees laid out flat, and walks down them.
//!
//! Every branch is "at most the threshold": the other kinds are written so when they are read. A
//! child stands behind its parent, so that a walk ends; a leaf is its own child, so that eight walks
//! go side by side until none moves, without a branch that a processor could guess wrong.

use crate::cost::Cost;

/// Walks that go side by side.
const LANES: usize = 8;
/// The bit of a node's feature that sends NaN left.
pub(super) const NAN_LEFT: u32 = 1 << 31;

/// A node: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// A branch's threshold; a leaf's weight, where it has one alone.
    pub(super) value: f32,
    /// The feature that is compared, and [`NAN_LEFT`].
    pub(super) feature: u32,
    /// Where it goes on when the feature is at most the threshold.
    pub(super) left: u32,
    /// And when it is not. A leaf goes on at itself.
    pub(super) right: u32,
}

/// The weight of a leaf for a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    pub(super) target: u32,
    pub(super) value: f32,
}

/// Trees over rows of features.
#[derive(Debug)]
pub(crate) struct Ensemble {
    pub(super) nodes: Vec<Node>,
    pub(super) roots: Vec<u32>,
    /// For each node, where its weights begin and end.
    pub(super) spans: Vec<(u32, u32)>,
    pub(super) weights: Vec<Weight>,
    pub(super) features: usize,
    pub(super) targets: usize,
    /// The lengths of the longest paths of all trees together.
    pub(super) steps: u64,
    /// Whether NaN goes left anywhere.
    pub(super) minds_nan: bool,
}

impl Ensemble {
    pub(crate) fn cost(&self) -> Cost {
        let nodes = self
            .nodes
            .len()
            .saturating_mul(size_of::<Node>().saturating_add(8));
        let weights = self.weights.len().saturating_mul(size_of::<Weight>());
        Cost {
            tree_steps: self.steps,
            constant_bytes: nodes.saturating_add(weights),
            ..Cost::default()
        }
    }

    pub(crate) fn targets(&self) -> usize {
        self.targets.max(1)
    }

    /// How many trees there are.
    pub(crate) fn trees(&self) -> f32 {
        crate::tensor::narrow(f64::from(
            u32::try_from(self.roots.len()).unwrap_or(u32::MAX),
        ))
    }

    /// Whether no weight is below 0.
    pub(super) fn is_positive(&self) -> bool {
        self.weights.iter().all(|weight| weight.value >= 0.0)
    }

    /// The target of all weights, if they have one alone.
    pub(super) fn only_target(&self) -> Option<u32> {
        let first = self.weights.first()?.target;
        let same = self.weights.iter().all(|weight| weight.target == first);
        same.then_some(first)
    }

    /// Adds the weights of the leaves that each row reaches to its targets.
    pub(crate) fn add(&self, rows: &[f32], scores: &mut [f32]) {
        if self.targets == 1 {
            self.each_leaf(rows, |sample, at| {
                if let (Some(score), Some(node)) = (scores.get_mut(sample), self.node(at)) {
                    *score += node.value;
                }
            });
        } else {
            self.put(rows, scores, |sum, weight| sum + weight);
        }
    }

    /// The same, and which targets had a weight.
    pub(super) fn add_seen(&self, rows: &[f32], scores: &mut [f32], seen: &mut [bool]) {
        self.each_leaf(rows, |sample, at| {
            let start = sample.saturating_mul(self.targets);
            for weight in self.weights_of(at) {
                let place = start.saturating_add(usize::try_from(weight.target).unwrap_or(0));
                if let (Some(score), Some(seen)) = (scores.get_mut(place), seen.get_mut(place)) {
                    *score += weight.value;
                    *seen = true;
                }
            }
        });
    }

    /// Puts the weights of the leaves that each row reaches to its targets.
    pub(super) fn put(&self, rows: &[f32], scores: &mut [f32], apply: impl Fn(f32, f32) -> f32) {
        self.each_leaf(rows, |sample, at| {
            let start = sample.saturating_mul(self.targets);
            for weight in self.weights_of(at) {
                let place = start.saturating_add(usize::try_from(weight.target).unwrap_or(0));
                if let Some(score) = scores.get_mut(place) {
                    *score = apply(*score, weight.value);
                }
            }
        });
    }

    pub(super) fn weights_of(&self, at: u32) -> &[Weight] {
        let span = usize::try_from(at).ok().and_then(|at| self.spans.get(at));
        let (start, end) = span.copied().unwrap_or_default();
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        range
            .and_then(|(start, end)| self.weights.get(start..end))
            .unwrap_or_default()
    }

    pub(super) fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(at).ok()?)
    }

    /// Tells the leaf of each tree for each row; for a row in the order of the trees, however many
    /// rows there are.
    fn each_leaf(&self, rows: &[f32], tell: impl FnMut(usize, u32)) {
        if self.minds_nan {
            self.walk::<true>(rows, tell);
        } else {
            self.walk::<false>(rows, tell);
        }
    }

    fn walk<const NAN: bool>(&self, rows: &[f32], mut tell: impl FnMut(usize, u32)) {
        let width = self.features.max(1);
        let mut groups = rows.chunks_exact(width.saturating_mul(LANES));
        let mut sample = 0_usize;
        for group in &mut groups {
            let mut lanes: [&[f32]; LANES] = [&[]; LANES];
            for (lane, row) in lanes.iter_mut().zip(group.chunks_exact(width)) {
                *lane = row;
            }
            for root in &self.roots {
                let leaves = self.descend::<NAN, _>([*root; LANES], lanes);
                for (leaf, lane) in leaves.into_iter().zip(0..) {
                    tell(sample.saturating_add(lane), leaf);
                }
            }
            sample = sample.saturating_add(LANES);
        }
        for row in groups.remainder().chunks_exact(width) {
            let (full, rest) = self.roots.as_chunks::<LANES>();
            for roots in full {
                for leaf in self.descend::<NAN, _>(*roots, [row; LANES]) {
                    tell(sample, leaf);
                }
            }
            for root in rest {
                let [leaf] = self.descend::<NAN, _>([*root], [row]);
                tell(sample, leaf);
            }
            sample = sample.saturating_add(1);
        }
    }

    /// Walks down from so many nodes at once, until none moves.
    fn descend<const NAN: bool, const N: usize>(
        &self,
        from: [u32; N],
        rows: [&[f32]; N],
    ) -> [u32; N] {
        let mut at = from;
        loop {
            let mut moved = 0;
            for (at, row) in at.iter_mut().zip(rows) {
                let next = self.next::<NAN>(row, *at);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                return at;
            }
        }
    }

    #[inline]
    pub(super) fn next<const NAN: bool>(&self, row: &[f32], at: u32) -> u32 {
        let Some(node) = self.node(at) else {
            return at;
        };
        let feature = node.feature & !NAN_LEFT;
        let value = usize::try_from(feature)
            .ok()
            .and_then(|feature| row.get(feature));
        let value = value.copied().unwrap_or_default();
        let mut left = value <= node.value;
        if NAN {
            left |= (node.feature & NAN_LEFT != 0) & value.is_nan();
        }
        // Without a branch, which a processor would guess wrong half of the time.
        let mask = 0_u32.wrapping_sub(u32::from(left));
        node.right ^ ((node.left ^ node.right) & mask)
    }
}
