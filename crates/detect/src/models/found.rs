//! What a model found, with all that is needed to argue with it.

use std::sync::Arc;

use pack::manifest::Capability;

use super::{Active, Part};
use crate::verdict::Verdict;

/// A score that reached its threshold.
#[derive(Clone, Debug)]
pub struct Found {
    /// The judgement. It names an offender only where several transactions of one source count.
    pub verdict: Verdict,
    /// Which model, and its threshold.
    pub model: Arc<Active>,
    /// Whether it counts in this flow; if not, it is only recorded.
    pub acts: bool,
    /// The score, 0 to 1.
    pub score: f32,
    /// The field that looks most malicious: `query q`.
    pub field: Box<str>,
    /// What of it was looked at, as it reads after decoding.
    pub text: Box<[u8]>,
    /// What counted most, the most first; none where there was no time to find out.
    pub parts: Option<Vec<Part>>,
}

impl Found {
    /// Whether people are alerted: it counts in this flow, and the model may do more than tag.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        self.acts && self.model.most >= Capability::Alert
    }
}
