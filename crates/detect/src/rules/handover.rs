//! What one set of rules leaves to the next.

use super::set::RuleSet;

impl RuleSet {
    /// Takes over what the network wrote to the sets of values (`dataset`) of an earlier set of rules,
    /// where both declare them alike and with the same [`Names`](super::state::Names). The earlier one
    /// is left with what its rules and files say.
    pub fn take_over(&self, earlier: &Self) {
        // a set that was made of another has the same
        if std::sync::Arc::ptr_eq(&self.sets, &earlier.sets) {
            return;
        }
        // packets hold one of the locks at a time, and nobody else hands over
        let take = |ours: &mut super::dataset::Datasets| {
            earlier.sets.with(|left| ours.take_over(left));
        };
        self.sets.with(take);
    }
}
