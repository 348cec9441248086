//! Trees, as the operators' attributes write them: lists with an entry for each node.

use std::collections::HashMap;

use super::walk::{Ensemble, NAN_LEFT, Node, Weight};
use crate::error::{ErrorKind, Refusal};
use crate::ops::Build;

/// The attributes of weights: classifiers and regressors call them differently.
#[derive(Debug)]
pub(super) struct Names {
    trees: &'static str,
    nodes: &'static str,
    targets: &'static str,
    weights: &'static str,
    weights_as_tensor: &'static str,
}

impl Names {
    pub(super) const CLASSES: Self = Self {
        trees: "class_treeids",
        nodes: "class_nodeids",
        targets: "class_ids",
        weights: "class_weights",
        weights_as_tensor: "class_weights_as_tensor",
    };
    pub(super) const TARGETS: Self = Self {
        trees: "target_treeids",
        nodes: "target_nodeids",
        targets: "target_ids",
        weights: "target_weights",
        weights_as_tensor: "target_weights_as_tensor",
    };
}

/// Reads and checks: each tree is a tree, whole, its features and targets exist, its numbers are
/// finite.
pub(super) fn ensemble(
    build: &Build<'_>,
    names: &Names,
    features: usize,
    targets: usize,
) -> Result<Ensemble, Refusal> {
    for name in [
        "nodes_values_as_tensor",
        "nodes_hitrates_as_tensor",
        "base_values_as_tensor",
        names.weights_as_tensor,
    ] {
        build.refuse(name, "export with an input of float32")?;
    }
    // How often training went which way; it has no part in a score.
    build.value("nodes_hitrates");
    let lists = Lists::read(build)?;
    let index = lists.index()?;
    let weights = Weights::read(build, names, &lists, &index, targets)?;
    let mut layout = Layout {
        lists: &lists,
        index: &index,
        weights: &weights,
        features,
        nodes_max: build.limits.tree_nodes_max,
        made: Ensemble {
            nodes: Vec::new(),
            roots: Vec::new(),
            spans: Vec::new(),
            weights: Vec::new(),
            features,
            targets,
            steps: 0,
            minds_nan: false,
        },
        visited: vec![false; lists.trees.len()],
    };
    let mut last = None;
    for (at, tree) in lists.trees.iter().enumerate() {
        if last != Some(*tree) {
            layout.tree(at)?;
            last = Some(*tree);
        }
    }
    if let Some(at) = layout.visited.iter().position(|visited| !visited) {
        let why = format!(
            "{}: no path from its tree's first node leads to it",
            lists.name(at)
        );
        return Err(Refusal::wrong(why));
    }
    Ok(layout.made)
}

/// The lists of nodes, all of one length.
#[derive(Debug)]
struct Lists<'a> {
    trees: &'a [i64],
    nodes: &'a [i64],
    features: &'a [i64],
    values: &'a [f32],
    modes: &'a [&'a str],
    yes: &'a [i64],
    no: &'a [i64],
    tracks: &'a [i64],
}

/// Nodes by the numbers of tree and node.
type Index = HashMap<(i64, i64), usize>;

impl<'a> Lists<'a> {
    fn read(build: &'a Build<'_>) -> Result<Self, Refusal> {
        let ints = |name| Ok::<_, Refusal>(build.ints(name)?.unwrap_or_default());
        let lists = Self {
            trees: ints("nodes_treeids")?,
            nodes: ints("nodes_nodeids")?,
            features: ints("nodes_featureids")?,
            values: build.floats("nodes_values")?.unwrap_or_default(),
            modes: build.texts("nodes_modes")?.unwrap_or_default(),
            yes: ints("nodes_truenodeids")?,
            no: ints("nodes_falsenodeids")?,
            tracks: ints("nodes_missing_value_tracks_true")?,
        };
        let count = lists.trees.len();
        if count > build.limits.tree_nodes_max {
            let max = build.limits.tree_nodes_max;
            return Err(Refusal::bound("nodes of trees", "tree_nodes_max", max));
        }
        let lens = [
            lists.nodes.len(),
            lists.features.len(),
            lists.values.len(),
            lists.modes.len(),
            lists.yes.len(),
            lists.no.len(),
        ];
        let tracks = lists.tracks.len();
        if count == 0 || lens != [count; 6] || tracks != count && tracks != 0 {
            let why = "lists of nodes that are empty or of several lengths";
            return Err(Refusal::wrong(why));
        }
        Ok(lists)
    }

    fn name(&self, at: usize) -> String {
        let tree = self.trees.get(at).copied().unwrap_or_default();
        let node = self.nodes.get(at).copied().unwrap_or_default();
        format!("node {node} of tree {tree}")
    }

    fn index(&self) -> Result<Index, Refusal> {
        let mut index = Index::with_capacity(self.trees.len());
        for (at, key) in self.trees.iter().zip(self.nodes).enumerate() {
            if index.insert((*key.0, *key.1), at).is_some() {
                let why = format!("{} twice", self.name(at));
                return Err(Refusal::new(ErrorKind::Ambiguous, why));
            }
        }
        Ok(index)
    }

    fn is_leaf(&self, at: usize) -> bool {
        self.modes.get(at) == Some(&"LEAF")
    }
}

/// The weights of leaves, in the order of their nodes.
#[derive(Debug)]
struct Weights {
    list: Vec<(usize, Weight)>,
}

impl Weights {
    fn read(
        build: &Build<'_>,
        names: &Names,
        lists: &Lists<'_>,
        index: &Index,
        targets: usize,
    ) -> Result<Self, Refusal> {
        let ints = |name| Ok::<_, Refusal>(build.ints(name)?.unwrap_or_default());
        let (trees, nodes) = (ints(names.trees)?, ints(names.nodes)?);
        let (ids, values) = (
            ints(names.targets)?,
            build.floats(names.weights)?.unwrap_or_default(),
        );
        if [nodes.len(), ids.len(), values.len()] != [trees.len(); 3] {
            return Err(Refusal::wrong("lists of weights of several lengths"));
        }
        let mut list = Vec::with_capacity(trees.len());
        for (((tree, node), id), value) in trees.iter().zip(nodes).zip(ids).zip(values) {
            let place = format!("a weight of node {node} of tree {tree}");
            let Some(at) = index.get(&(*tree, *node)).copied() else {
                return Err(Refusal::wrong(format!("{place}, which is not there")));
            };
            let target = u32::try_from(*id).ok();
            let inside = |target: &u32| usize::try_from(*target).is_ok_and(|at| at < targets);
            let Some(target) = target.filter(inside) else {
                return Err(Refusal::wrong(format!(
                    "{place}: for target {id} of {targets}"
                )));
            };
            if !lists.is_leaf(at) {
                return Err(Refusal::wrong(format!("{place}, which is no leaf")));
            }
            let value = *value;
            list.push((at, Weight { target, value }));
        }
        // Stable: weights of one leaf stay in their order.
        list.sort_by_key(|(at, _)| *at);
        Ok(Self { list })
    }

    fn of(&self, at: usize) -> impl ExactSizeIterator<Item = Weight> {
        let start = self.list.partition_point(|(other, _)| *other < at);
        let rest = self.list.get(start..).unwrap_or_default();
        let count = rest.partition_point(|(other, _)| *other == at);
        let own = rest.get(..count).unwrap_or_default();
        own.iter().map(|(_, weight)| *weight)
    }
}

/// Lays trees out: parents before children.
struct Layout<'a> {
    lists: &'a Lists<'a>,
    index: &'a Index,
    weights: &'a Weights,
    features: usize,
    nodes_max: usize,
    made: Ensemble,
    visited: Vec<bool>,
}

/// A node that waits to be laid out: who leads to it, from which side, and how deep it is.
struct Waiting {
    at: usize,
    from: [Option<(u32, Side)>; 2],
    depth: u64,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Layout<'_> {
    /// Lays out the tree whose first node stands at `root`.
    fn tree(&mut self, root: usize) -> Result<(), Refusal> {
        let start = u32::try_from(self.made.nodes.len()).unwrap_or(u32::MAX);
        self.made.roots.push(start);
        let mut deepest = 0;
        let mut stack = vec![Waiting {
            at: root,
            from: [None; 2],
            depth: 0,
        }];
        while let Some(waiting) = stack.pop() {
            let visited = self.visited.get_mut(waiting.at);
            if visited.is_none_or(|visited| std::mem::replace(visited, true)) {
                let name = self.lists.name(waiting.at);
                let why = format!("{name}: two ways lead to it, or a circle; it is no tree");
                return Err(Refusal::wrong(why));
            }
            deepest = deepest.max(waiting.depth);
            let here = u32::try_from(self.made.nodes.len()).unwrap_or(u32::MAX);
            for (parent, side) in waiting.from.into_iter().flatten() {
                let parent = usize::try_from(parent).ok();
                if let Some(node) = parent.and_then(|at| self.made.nodes.get_mut(at)) {
                    match side {
                        Side::Left => node.left = here,
                        Side::Right => node.right = here,
                    }
                }
            }
            if self.lists.is_leaf(waiting.at) {
                self.leaf(waiting.at, here)?;
            } else {
                self.branch(&waiting, here, &mut stack)?;
            }
            if self.made.nodes.len() > self.nodes_max {
                return Err(Refusal::bound(
                    "nodes of trees",
                    "tree_nodes_max",
                    self.nodes_max,
                ));
            }
        }
        self.made.steps = self.made.steps.saturating_add(deepest);
        Ok(())
    }

    fn leaf(&mut self, at: usize, here: u32) -> Result<(), Refusal> {
        let weights = self.weights.of(at);
        let name = || self.lists.name(at);
        if weights.len() == 0 || self.made.targets == 1 && weights.len() > 1 {
            let why = format!("{}, a leaf with {} weights", name(), weights.len());
            return Err(Refusal::wrong(why));
        }
        let start = u32::try_from(self.made.weights.len()).unwrap_or(u32::MAX);
        self.made.weights.extend(weights);
        let end = u32::try_from(self.made.weights.len()).unwrap_or(u32::MAX);
        self.made.spans.push((start, end));
        let value = self.made.weights.last().map_or(0.0, |weight| weight.value);
        self.made.nodes.push(Node {
            value,
            feature: 0,
            left: here,
            right: here,
        });
        Ok(())
    }

    fn branch(
        &mut self,
        waiting: &Waiting,
        here: u32,
        stack: &mut Vec<Waiting>,
    ) -> Result<(), Refusal> {
        let at = waiting.at;
        let (feature, threshold) = self.compared(at)?;
        let tracks = self.lists.tracks.get(at) == Some(&1);
        let below = threshold.next_down();
        let (yes, no) = (
            self.child(at, self.lists.yes)?,
            self.child(at, self.lists.no)?,
        );
        let mode = self.lists.modes.get(at).copied().unwrap_or_default();
        // The child below the threshold, the one above, and whether NaN goes to the first.
        let (value, left, right, nan_left) = match mode {
            "BRANCH_LEQ" => (threshold, yes, no, tracks),
            "BRANCH_LT" => (below, yes, no, tracks),
            "BRANCH_GT" => (threshold, no, yes, !tracks),
            "BRANCH_GTE" => (below, no, yes, !tracks),
            "BRANCH_EQ" => return self.equal(waiting, here, [yes, no], tracks, stack),
            // NaN is not equal to anything.
            "BRANCH_NEQ" => return self.equal(waiting, here, [no, yes], false, stack),
            other => {
                let why = format!("{}: the mode `{other}`", self.lists.name(at));
                return Err(Refusal::unsupported(why));
            }
        };
        self.push(value, feature, nan_left);
        let depth = waiting.depth.saturating_add(1);
        let child = |at, side| Waiting {
            at,
            from: [Some((here, side)), None],
            depth,
        };
        stack.push(child(right, Side::Right));
        stack.push(child(left, Side::Left));
        Ok(())
    }

    /// A branch on a value alone is two: at most it, and then not below it.
    fn equal(
        &mut self,
        waiting: &Waiting,
        here: u32,
        [same, other]: [usize; 2],
        nan_same: bool,
        stack: &mut Vec<Waiting>,
    ) -> Result<(), Refusal> {
        let (feature, threshold) = self.compared(waiting.at)?;
        self.push(threshold, feature, nan_same);
        self.push(threshold.next_down(), feature, false);
        let second = here.saturating_add(1);
        let place = usize::try_from(here).ok();
        if let Some(node) = place.and_then(|at| self.made.nodes.get_mut(at)) {
            node.left = second;
        }
        let depth = waiting.depth.saturating_add(2);
        stack.push(Waiting {
            at: other,
            from: [Some((here, Side::Right)), Some((second, Side::Left))],
            depth,
        });
        stack.push(Waiting {
            at: same,
            from: [Some((second, Side::Right)), None],
            depth,
        });
        Ok(())
    }

    fn push(&mut self, value: f32, feature: u32, nan_left: bool) {
        self.made.minds_nan |= nan_left;
        let bit = if nan_left { NAN_LEFT } else { 0 };
        self.made.spans.push((0, 0));
        self.made.nodes.push(Node {
            value,
            feature: feature | bit,
            left: u32::MAX,
            right: u32::MAX,
        });
    }

    /// The feature and the threshold of a branch.
    fn compared(&self, at: usize) -> Result<(u32, f32), Refusal> {
        let feature = self.lists.features.get(at).copied().unwrap_or(-1);
        let inside = |feature: &u32| usize::try_from(*feature).is_ok_and(|at| at < self.features);
        let counted = u32::try_from(feature).ok().filter(inside);
        let Some(counted) = counted.filter(|feature| *feature < NAN_LEFT) else {
            let name = self.lists.name(at);
            let why = format!("{name} looks at feature {feature} of {}", self.features);
            return Err(Refusal::wrong(why));
        };
        Ok((
            counted,
            self.lists.values.get(at).copied().unwrap_or_default(),
        ))
    }

    fn child(&self, at: usize, side: &[i64]) -> Result<usize, Refusal> {
        let tree = self.lists.trees.get(at).copied().unwrap_or_default();
        let node = side.get(at).copied().unwrap_or_default();
        let found = self.index.get(&(tree, node)).copied();
        found.ok_or_else(|| {
            let name = self.lists.name(at);
            Refusal::wrong(format!("{name} leads to node {node}, which is not there"))
        })
    }
}
