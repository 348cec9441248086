//! Contributions along the paths down trees: each branch moves the mean of the leaves below.
//!
//! After A. Saabas, "Interpreting random forests" (2014): exact in sum, and one walk for each tree.

use super::walk::{Ensemble, NAN_LEFT};

/// The mean of all leaves, and how each feature moved it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) base: f64,
    pub(crate) parts: Vec<f64>,
}

impl Ensemble {
    /// Explains the sum of a target for a row.
    pub(crate) fn explain(&self, row: &[f32], target: u32) -> Told {
        let means = self.means(target);
        let mean = |at: u32| {
            let at = usize::try_from(at).ok().and_then(|at| means.get(at));
            at.map_or(0.0, |(mean, _)| *mean)
        };
        let mut told = Told {
            base: 0.0,
            parts: vec![0.0; self.features],
        };
        for root in &self.roots {
            told.base += mean(*root);
            let mut at = *root;
            while let Some(node) = self.node(at) {
                let next = self.next::<true>(row, at);
                if next == at {
                    break;
                }
                let feature = usize::try_from(node.feature & !NAN_LEFT).ok();
                if let Some(part) = feature.and_then(|at| told.parts.get_mut(at)) {
                    *part += mean(next) - mean(at);
                }
                at = next;
            }
        }
        told
    }

    /// The mean of the leaves below each node, and how many they are. Children stand behind their
    /// parents, so that one pass from the end suffices.
    fn means(&self, target: u32) -> Vec<(f64, f64)> {
        let mut means = vec![(0.0, 1.0); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let here = u32::try_from(at).unwrap_or(u32::MAX);
            let below = |child: u32| {
                let child = usize::try_from(child)
                    .ok()
                    .and_then(|child| means.get(child));
                child.copied().unwrap_or_default()
            };
            let told = if node.left == here {
                let own = self.weights_of(here).iter();
                let own = own.filter(|weight| weight.target == target);
                (own.map(|weight| f64::from(weight.value)).sum(), 1.0)
            } else {
                let ((left, few), (right, many)) = (below(node.left), below(node.right));
                let leaves = few + many;
                ((left * few + right * many) / leaves, leaves)
            };
            if let Some(place) = means.get_mut(at) {
                *place = told;
            }
        }
        means
    }
}
