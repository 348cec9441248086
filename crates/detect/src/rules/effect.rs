//! What a rule does beside its action when it matches.

use std::fmt::Debug;

use super::memory::Memory;
use super::scene::Scene;

/// One effect.
pub(crate) type Effect = Box<dyn Apply>;

/// What happens when a rule matches.
pub(crate) trait Apply: Debug + Send + Sync {
    /// Makes it happen.
    fn apply(&self, scene: &Scene<'_>, memory: &mut Memory<'_>);
}
